"""One tweet of an X archive as a record. Reference: platform-formats.md, sections D and E."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from html import unescape
from typing import Any, Final

from msgspec import Struct

from sayso.content.events import Delete
from sayso.content.record import Medium, Record, normalise_text
from sayso.sources import messages
from sayso.sources.archive import Tree
from sayso.sources.fields import checked, moment, object_in, objects_in, text_in
from sayso.sources.items import Item, Refused, Rejected, Skipped

SERVICE: Final = "x"
CIRCLE: Final = "posted to a circle"
_MEDIA_FOLDERS: Final = ("tweets_media", "tweet_media", "community_tweet_media")
_MEDIA_KINDS: Final = {"photo": "image", "video": "video", "animated_gif": "video"}
_MONTHS: Final = "JanFebMarAprMayJunJulAugSepOctNovDec"
_TIME: Final = re.compile(r"\w{3} (\w{3}) (\d\d) (\d\d):(\d\d):(\d\d) \+0000 (\d{4})", re.ASCII)
# Languages that X did not find, or that are none (und, zxx, art, qme, qht…), and old codes.
_NO_LANGUAGE: Final = re.compile(r"und|zxx|art|q\w+")
_OLD_CODES: Final = {"in": "id", "iw": "he", "ji": "yi"}
_QUOTED: Final = re.compile(
    r"(?<!\S)https?://(?:\w+\.)?(?:twitter|x)\.com/(?:i/web|\w+)/status/([0-9]{1,19})"
    r"(?:[?/]\S*)?\s*\Z"
)
_CUT: Final = re.compile(r"(?:…|\.\.\.)?(?:\s*https://t\.co/\w+)*\s*\Z")
_ADDRESSED: Final = re.compile(r"(?:@\w+\s+)*")
_SAME_START: Final = 60
_SAME_SECONDS: Final = 2
# An id holds its time: milliseconds since X's epoch, shifted. Circles were in use between these.
_EPOCH_MS: Final = 1_288_834_974_657
_CIRCLES_BEGAN, _CIRCLES_ENDED = (
    (int(day.timestamp() * 1000) - _EPOCH_MS) << 22
    for day in (datetime(2022, 5, 1, tzinfo=UTC), datetime(2023, 11, 2, tzinfo=UTC))
)


class Owner(Struct, frozen=True):
    """Whose archive it is.

    `protections` are the times at which their tweets were protected (True) or opened again, in
    order; None if they cannot be read. `circles` are the ids of tweets that are known to have gone
    to a circle; all of them only if the archive has a whole list.
    """

    username: str = ""
    protections: tuple[tuple[datetime, bool], ...] | None = ()
    circles: frozenset[str] = frozenset()
    all_circles_known: bool = False

    @property
    def account(self) -> str:
        """The account's name, '' if the archive does not tell it."""
        return f"acct:{self.username}@x.com" if self.username else ""

    @property
    def is_protected(self) -> bool:
        """Whether the tweets are protected now: then all of them are, old ones, too."""
        return bool(self.protections) and self.protections[-1][1]  # type: ignore[index]

    def audience(self, at: datetime | None) -> str:
        """Return who could see what was posted then."""
        if not self.username or self.protections is None:
            return "unknown"
        if not self.protections:
            return "public"
        if self.is_protected:
            return "followers"
        if at is None:
            return "unknown"
        changes = [protects for when, protects in self.protections if when <= at]
        was_protected = changes[-1] if changes else not self.protections[0][1]
        return "followers" if was_protected else "public"


class Note(Struct):
    """A long text that X cut in the tweet itself; `links` are (short, long)."""

    text: str
    links: tuple[tuple[str, str], ...]
    used: bool = False


class Notes:
    """The long texts of an archive. They have ids of their own, so time and beginning tell."""

    def __init__(self) -> None:
        self._by_second: dict[int, list[Note]] = {}

    def add(self, fields: dict[str, Any]) -> bool:
        """Take one entry of note-tweet.js; False if it has no text or no time."""
        core = object_in(fields, "core") or object_in(fields, "noteTweetResults")
        text, (at, _) = text_in(core, "text"), moment(fields.get("createdAt"))
        if at is None or not text:
            return False
        note = Note(unescape(text), tuple(_links(objects_in(core, "urls"))))
        self._by_second.setdefault(int(at.timestamp()), []).append(note)
        return True

    def find(self, text: str, at: datetime | None) -> Note | None:
        """Return the whole of a text that may have been cut, None if it was not."""
        if at is None or not self._by_second:
            return None
        start = _words(_CUT.sub("", text))[:_SAME_START]
        second = int(at.timestamp())
        for near in range(second - _SAME_SECONDS, second + _SAME_SECONDS + 1):
            for note in self._by_second.get(near, ()):
                if start and _words(note.text).startswith(start):
                    note.used = True
                    return note
        return None

    def left_over(self) -> int:
        """Return how many belong to no tweet that was found: deleted ones, or those of circles."""
        return sum(not note.used for notes in self._by_second.values() for note in notes)


class Archive(Struct):
    """What the tweets of one archive share; `folder` is its files' own, ending in a slash."""

    tree: Tree
    folder: str
    owner: Owner
    notes: Notes


def items(
    tweet: dict[str, Any], archive: Archive, file: str, where: str, in_community: bool
) -> Iterator[Item]:
    """Turn one entry of tweets.js or community-tweet.js into items."""
    number = number_in(tweet, "id_str", "id")
    text = unescape(text_in(tweet, "full_text", "text"))
    if "dmConversation" in tweet or "messageCreate" in tweet:
        yield Refused(messages.X)
    elif not number:
        yield Rejected(file, where, "a tweet without an id")
    elif number in archive.owner.circles:
        yield Skipped(CIRCLE)
    elif text.startswith("RT @") or "retweeted_status" in tweet:
        yield Skipped("retweet")
    elif any(int(other) > int(number) for other in _versions(tweet, number)):
        yield Skipped("earlier edit")
    else:
        for other in _versions(tweet, number):
            if other != number:
                yield Delete(f"x:{other}", "edited")
        yield checked(_record(tweet, number, text, archive, in_community), file, where)


def number_in(fields: dict[str, Any], *names: str) -> str:
    """Return the first of these fields that is a tweet's id, else ''."""
    for name in names:
        number = str(fields.get(name))
        if number.isdecimal() and number.isascii() and len(number) < 20:
            return number
    return ""


def _record(
    tweet: dict[str, Any], number: str, text: str, archive: Archive, in_community: bool
) -> Record:
    owner = archive.owner
    at, state = _time(tweet.get("created_at"))
    entities = object_in(tweet, "entities")
    pictures = objects_in(object_in(tweet, "extended_entities"), "media")
    pictures = pictures or objects_in(entities, "media")
    links = [*_links(objects_in(entities, "urls"))]
    if note := archive.notes.find(text, at):
        text, links = note.text, [*links, *note.links]
    text, quoted = _readable(text, links, [text_in(picture, "url") for picture in pictures], number)
    quoted = number_in(tweet, "quoted_status_id_str", "quoted_status_id") or quoted
    parent = number_in(tweet, "in_reply_to_status_id_str", "in_reply_to_status_id")
    community = number_in(tweet, "community_id_str", "community_id")
    audience = "group" if community or in_community else owner.audience(at)
    if audience == "public" and _may_be_of_a_circle(number, parent, owner):
        audience = "unknown"
    language = text_in(tweet, "lang")
    return Record(
        id=f"x:{number}",
        service=SERVICE,
        surface="comment" if parent else "post",
        author=owner.account,
        age_band="",
        audience=audience,
        audience_source="" if audience == "unknown" else "derived",
        created_at=at,
        date_state=state,
        language="" if _NO_LANGUAGE.fullmatch(language) else _OLD_CODES.get(language, language),
        text=normalise_text(text),
        sensitive=tweet.get("possibly_sensitive") is True,
        media=tuple(_media(pictures, number, archive)),
        reply_to=f"x:{parent}" if parent else "",
        quote_of=f"x:{quoted}" if quoted else "",
        container=f"x:community/{community}" if community else "",
        mentions=tuple(
            f"acct:{name}@x.com"
            for each in objects_in(entities, "user_mentions")
            if (name := text_in(each, "screen_name"))
        ),
        tags=tuple(filter(None, (text_in(t, "text") for t in objects_in(entities, "hashtags")))),
        url=f"https://x.com/{owner.username or 'i/web'}/status/{number}",
        source="x-archive",
    )


def _versions(tweet: dict[str, Any], number: str) -> list[str]:
    """Return the ids of all versions of an edited tweet, its own included."""
    info = object_in(tweet, "edit_info")
    initial = object_in(info, "initial") or object_in(object_in(info, "edit"), "editControlInitial")
    listed = initial.get("editTweetIds")
    ids = [number_in({"id": each}, "id") for each in listed] if isinstance(listed, list) else []
    return [each for each in ids if each] if number in ids else []


def _readable(
    text: str, links: list[tuple[str, str]], pictures: list[str], number: str
) -> tuple[str, str]:
    """Expand short links and cut those to its own pictures; return the text and what it quotes."""
    for short, long in links:
        text = text.replace(short, long)
    for short in filter(None, pictures):
        text = text.replace(short, "")
    # A quoted tweet is a link at the very end; readers see the tweet in its place.
    if not (match := _QUOTED.search(text)):
        return text.rstrip(), ""
    return text[: match.start()].rstrip(), "" if match[1] == number else match[1]


def _may_be_of_a_circle(number: str, parent: str, owner: Owner) -> bool:
    """Whether it may have gone to a circle, its author's or (as a reply) somebody else's."""
    replied = int(parent or 0)
    in_time = _CIRCLES_BEGAN <= int(number) < _CIRCLES_ENDED
    return _CIRCLES_BEGAN <= replied < _CIRCLES_ENDED or (in_time and not owner.all_circles_known)


def _media(pictures: list[dict[str, Any]], number: str, archive: Archive) -> Iterator[Medium]:
    for picture in pictures:
        variants = objects_in(object_in(picture, "video_info"), "variants")
        urls = [text_in(each, "url") for each in variants]
        urls.append(text_in(picture, "media_url_https", "media_url"))
        names = [url.partition("?")[0].rpartition("/")[2] for url in urls if url]
        paths = (f"{archive.folder}{f}/{number}-{n}" for f in _MEDIA_FOLDERS for n in names)
        member = next(filter(None, map(archive.tree.get, paths)), None)
        if member:
            member.used = True
        alt = normalise_text(text_in(picture, "ext_alt_text", "alt_text"))
        if member or alt:
            kind = _MEDIA_KINDS.get(text_in(picture, "type"), "image")
            yield Medium(member.name if member else "", kind, alt)


def _links(urls: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    for url in urls:
        short, long = text_in(url, "url", "shortUrl"), text_in(url, "expanded_url", "expandedUrl")
        if long and short.startswith("https://t.co/"):
            yield short, long


def _words(text: str) -> str:
    """A text without the names that a reply begins with: only one of its two forms has them."""
    return text[_ADDRESSED.match(text).end() :].strip()  # type: ignore[union-attr]


def _time(value: object) -> tuple[datetime | None, str]:
    """Read 'Tue Mar 05 14:02:11 +0000 2024'; in no locale, and faster than strptime."""
    match = _TIME.fullmatch(value) if isinstance(value, str) else None
    if not match or (month := _MONTHS.find(match[1])) % 3:
        return moment(value)
    day, hour, minute, second, year = map(int, match.groups()[1:])
    return moment(f"{year:04}-{month // 3 + 1:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
