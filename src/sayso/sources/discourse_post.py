"""One post of a Discourse forum as a record, whichever way it came.

Who can see a post is told by its topic and category, so the audience rests on three facts: the
topic's archetype, its category, and whether that category is restricted. Public is only what lies
in a category that is known to be open to everybody. Reference: platform-formats.md, D and A.5.
"""

import re
from collections.abc import Iterator
from typing import Any, Final

from msgspec import Struct, field

from sayso.content.events import Delete
from sayso.content.record import HIGHEST_REV, Record, normalise_text, revision
from sayso.sources import messages
from sayso.sources.fields import checked, moment, objects_in, text_in, whole
from sayso.sources.html import TangledError, to_text
from sayso.sources.items import Item, Refused, Rejected, Skipped

PRIVATE: Final = "private_message"
_OPEN_ARCHETYPES: Final = {"regular", "banner"}
_NO_POSTS: Final = {2: "notice of a moderator", 3: "notice of an action", 4: "whisper"}
_NOT_SET: Final = (None, False, "", "f", "false")
_QUOTES: Final = re.compile(r"\[(/?)quote\b[^\]\n]*\]", re.IGNORECASE)
# In HTML, quotes are asides; so are previews of what is linked to, which are others' words, too.
_ASIDES: Final = re.compile(r"<(/?)aside\b[^>]*>", re.IGNORECASE)
_MOST_RECENT: Final = 100_000


class Topic(Struct):
    """What is known of a topic."""

    archetype: str = ""
    category: int | None = None
    title: str = ""
    is_listed: bool = True
    is_deleted: bool = False


class Recent:
    """The ids of the posts that came last, by topic and number in it: replies name numbers."""

    def __init__(self) -> None:
        self._ids: dict[tuple[int, int], int] = {}

    def add(self, topic: int, number: int, post: int) -> None:
        """Note a post; the oldest is forgotten when there are too many."""
        self._ids[topic, number] = post
        if len(self._ids) > _MOST_RECENT:
            del self._ids[next(iter(self._ids))]

    def find(self, topic: int, number: int) -> int | None:
        """Return a post's id, None if it was not seen lately."""
        return self._ids.get((topic, number))


class Forum(Struct):
    """A forum: its host, whether each known category is restricted, and its known topics."""

    host: str
    is_restricted: dict[int, bool] = field(default_factory=dict)
    topics: dict[int, Topic] = field(default_factory=dict)
    recent: Recent = field(default_factory=Recent)

    def add_topic(self, fields: dict[str, Any]) -> None:
        """Add what an object says of a topic: topic lists, topics and rows name it alike."""
        if (number := whole(fields.get("id"))) is None:
            return
        known, category = self.topics.get(number, Topic()), whole(fields.get("category_id"))
        archetype = text_in(fields, "archetype") or known.archetype
        self.topics[number] = Topic(
            PRIVATE if known.archetype == PRIVATE else archetype,
            known.category if category is None else category,
            text_in(fields, "title") or known.title,
            known.is_listed and fields.get("visible") in (None, True, "t"),
            known.is_deleted or fields.get("deleted_at") not in _NOT_SET,
        )

    def add_category(self, fields: dict[str, Any]) -> None:
        """Take what an object says of a category and those below it; one 'restricted' stands."""
        number, told = whole(fields.get("id")), fields.get("read_restricted")
        if number is not None and told is not None:
            is_restricted = told not in _NOT_SET
            self.is_restricted[number] = self.is_restricted.get(number, False) or is_restricted
        for below in objects_in(fields, "subcategory_list"):
            self.add_category(below)


def items(post: dict[str, Any], forum: Forum, file: str, where: str) -> Iterator[Item]:
    """Turn a post into items.

    Args:
        post: its fields by the API's names; flags and numbers may be text, as in a dump.
        forum: what is known of its topic and category.
        file: the file's name.
        where: the place in it.
    """
    number = whole(post.get("id"))
    topic_number = whole(post.get("topic_id"))
    if number is None or topic_number is None:
        yield Rejected(file, where, "a post without its id or that of its topic")
        return
    post_id = f"discourse:{forum.host}/p/{number}"
    topic = forum.topics.get(topic_number) or Topic()
    archetypes = {text_in(post, "topic_archetype"), text_in(post, "archetype"), topic.archetype}
    archetypes.discard("")
    told = (whole(post.get("category_id")), topic.category)
    categories = {category for category in told if category is not None}
    kind = whole(post.get("post_type", 1))
    if PRIVATE in archetypes:
        yield Refused(messages.DISCOURSE, post_id)
    elif not archetypes and not categories:
        # Only private messages have no category: this may be one, so not even its id is noted.
        yield Refused(messages.DISCOURSE)
    elif any(forum.is_restricted.get(category, False) for category in categories):
        yield Skipped("restricted category")
    elif kind != 1:
        yield Skipped(_NO_POSTS.get(kind or 0, "no post of a member"))
    elif topic.is_deleted or any(
        post.get(f) not in _NOT_SET for f in ("deleted_at", "user_deleted")
    ):
        yield Skipped("deleted")
        yield Delete(post_id, "deleted on the forum", _rev(post))
    elif post.get("hidden") not in _NOT_SET:
        yield Skipped("hidden")
    else:
        audience = _audience(archetypes, categories, topic, forum)
        try:
            record = _record(post, post_id, topic_number, topic, audience, forum)
        except TangledError:
            yield Rejected(file, where, "its HTML is too large for markup that is not well-formed")
            return
        forum.recent.add(topic_number, whole(post.get("post_number")) or 0, number)
        yield checked(record, file, where)


def _audience(archetypes: set[str], categories: set[int], topic: Topic, forum: Forum) -> str:
    known = [forum.is_restricted.get(category) for category in categories]
    if not known or None in known or archetypes - _OPEN_ARCHETYPES:
        return "unknown"
    return "public" if topic.is_listed else "unlisted"


def _record(
    post: dict[str, Any], post_id: str, topic_number: int, topic: Topic, audience: str, forum: Forum
) -> Record:
    number = whole(post.get("post_number"))
    user = whole(post.get("user_id"))
    username = text_in(post, "username")
    at, state = moment(post.get("created_at"))
    rev = _rev(post)
    raw, cooked = text_in(post, "raw"), text_in(post, "cooked")
    words = without_pairs(raw, _QUOTES) if raw else to_text(without_pairs(cooked, _ASIDES))
    # A title is the first words of who opened the topic.
    title = (topic.title or text_in(post, "topic_title")) if number == 1 else ""
    return Record(
        id=post_id,
        rev=rev,
        service=forum.host,
        surface="post" if number == 1 else "comment",
        author=f"acct:{username}@{forum.host}" if username else "",
        age_band="",
        # The software's own accounts have negative numbers.
        kind="bot" if user is not None and user < 0 else "",
        audience=audience,
        audience_source="" if audience == "unknown" else "derived",
        created_at=at,
        date_state=state,
        edited_at=moment(post.get("updated_at"))[0] if rev > 1 else None,
        language=text_in(post, "locale").replace("_", "-"),
        text=normalise_text("\n\n".join(filter(None, (title, words.strip())))),
        reply_to=_parent(post, topic_number, number, forum),
        container=f"discourse:{forum.host}/t/{topic_number}",
        mentions=tuple(
            f"acct:{name}@{forum.host}"
            for each in objects_in(post, "mentioned_users")
            if (name := text_in(each, "username"))
        ),
        url=f"https://{forum.host}/p/{post_id.rpartition('/')[2]}" if "." in forum.host else "",
        source="discourse",
    )


def _rev(post: dict[str, Any]) -> int:
    version = whole(post.get("version"))
    if version is None:
        return revision(moment(post.get("updated_at"))[0])
    return version if 1 <= version < HIGHEST_REV else 1


def _parent(post: dict[str, Any], topic: int, number: int | None, forum: Forum) -> str:
    """Return the post that this one answers: the one it names, else the topic's first."""
    if number == 1:
        return ""
    named = whole(post.get("reply_to_post_number"))
    parent = forum.recent.find(topic, 1 if named is None else named)
    return "" if parent is None else f"discourse:{forum.host}/p/{parent}"


def without_pairs(text: str, tags: re.Pattern[str]) -> str:
    """Cut what stands between opening and closing tags, these included; unpaired ones stay.

    Args:
        text: any text.
        tags: matches both kinds of tags; its first group is empty for opening ones.
    """
    opened: list[int] = []
    spans: list[tuple[int, int]] = []
    for tag in tags.finditer(text):
        if not tag[1]:
            opened.append(tag.start())
        elif opened:
            start = opened.pop()
            # What lies inside is cut with it.
            while spans and spans[-1][0] > start:
                spans.pop()
            spans.append((start, tag.end()))
    kept, done = [], 0
    for start, end in spans:
        kept.append(text[done:start])
        done = end
    return "".join([*kept, text[done:]])
