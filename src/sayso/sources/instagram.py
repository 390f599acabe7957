"""Instagram's exports ("Download your information") as JSON: a member's own posts and reactions.

Files of every year, before 2021 included, in whatever folders. Whether the account is private is
all that an export says of audiences: stories may have gone to close friends, comments lie under
others' posts, so both stay unknown. Reference: platform-formats.md, sections A.1, A.4, E and H.
"""

import re
from collections.abc import Iterator
from typing import Final

from sayso.sources import messages, meta, meta_posts
from sayso.sources.archive import Member, Tree
from sayso.sources.documents import Document, Outline, outline
from sayso.sources.instagram_shapes import comment, old_post, owner_of, post, reaction
from sayso.sources.items import Item, Refused
from sayso.sources.meta import Label, Owner
from sayso.sources.meta_files import (
    Export,
    claimed,
    exports,
    fields,
    first_key,
    rows,
)
from sayso.sources.meta_posts import Work

SERVICE: Final = "instagram"
HOST: Final = "instagram.com"
# What a file holds: its name without .json, and the root object's key. Those of before 2021 could
# be anybody's, so that both must fit; any other key is enough.
_KINDS: Final = {
    kind: (re.compile(name, re.IGNORECASE), re.compile(key))
    for kind, name, key in (
        ("deleted", r"recently_deleted_content", "ig_recently_deleted_media"),
        ("archived", r"archived_posts", "ig_archived_post_media"),
        ("post", r"posts", "ig_posts"),
        ("reel", r"reels", "ig_reels_media"),
        ("igtv", r"igtv_videos", "ig_igtv_media"),
        ("story", r"stories", "ig_stories"),
        ("comment", r"(post|reels)_comments", r"comments_\w+_comments"),
        ("like", r"liked_(posts|comments)", r"likes_(media|comment)_likes"),
        ("story_like", r"story_likes", "story_activities_story_likes"),
        (
            "view",
            r"posts_viewed|videos_watched",
            r"impressions_history_(posts_seen|videos_watched)",
        ),
        ("story_view", r"stories_viewed", "impressions_history_stories_seen"),
        ("profile", r"personal_information", "profile_user"),
        ("privacy", r"(profile|account)_privacy_changes", r"account_history_account_privacy_\w+"),
        ("old_comment", r"comments", r"(media|live)_comments"),
        ("old_like", r"likes", r"(media|comment)_likes"),
    )
}
_WITHDRAWN: Final = {"deleted": meta_posts.DELETED, "archived": meta_posts.ARCHIVED}
_POSTS: Final = ("post", "reel", "igtv", "story")
_COMMENTS: Final = ("comment", "old_comment")
_VERBS: Final = {
    "like": "like",
    "story_like": "like",
    "old_like": "like",
    "view": "view",
    "story_view": "view",
}
_ABOUT: Final = ("", "profile", "old_profile", "privacy")
_PART: Final = re.compile(r"(_\d+)?\.json$", re.IGNORECASE)
_ROWS: Final = frozenset("media uri label_values string_map_data string_list_data".split())
_OLD_LISTS: Final = (("photos", "post"), ("videos", "post"), ("stories", "story"))
# What profile.json had before 2021, and what it has been labelled since.
_OLD_PROFILE: Final = {
    "username": "Username",
    "private_account": "Private Account",
    "date_of_birth": "Date of birth",
}
_PAGES: Final = (
    r"posts(_\d+)?|stories|reels|archived_posts|igtv_videos|(post|reels)_comments(_\d+)?|"
    r"liked_(posts|comments)|personal_information|posts_viewed|videos_watched"
)


def claims(tree: Tree) -> bool:
    """Whether a tree has something of an Instagram export that can be read.

    Raises:
        InputError: it has one, but as HTML.
    """
    return claimed(tree, lambda member: kind_of(member) not in _ABOUT, _PAGES, "Instagram")


def read(tree: Tree) -> Iterator[Item]:
    """Read the Instagram exports of a tree, each with its own owner."""
    for export in exports(tree, kind_of, "instagram"):
        owner = _owner(export)
        yield from owner.told(SERVICE)
        work = meta_posts.begin(SERVICE, HOST, export, owner)
        for kind, member in export.of(*_WITHDRAWN, *_POSTS, *_COMMENTS):
            for where, row in rows(member, _KINDS[kind][1]):
                if not isinstance(row, dict):
                    yield row
                elif reason := _WITHDRAWN.get(kind):
                    yield from meta_posts.withdraw(work, row, post(row, kind), reason)
                else:
                    piece = comment(row) if kind in _COMMENTS else post(row, kind)
                    yield from meta_posts.items(work, piece, member.name, where)
        for _, member in export.of("old_media"):
            yield from _old_media(work, member)
        for kind, member in export.of(*_VERBS):
            for where, row in rows(member, _KINDS[kind][1]):
                if isinstance(row, dict):
                    yield reaction(row, _VERBS[kind], SERVICE, owner, member.name, where)
                else:
                    yield row


def kind_of(member: Member) -> str:
    """Return what a file holds, '' if it is none of Instagram's that is read."""
    if not member.file_name.lower().endswith(".json"):
        return ""
    name, key = _PART.sub("", member.file_name), first_key(member.head)
    for kind, (names, keys) in _KINDS.items():
        if keys.fullmatch(key) and (names.fullmatch(name) or not kind.startswith("old_")):
            return kind
    named = (kind for kind, (names, _) in _KINDS.items() if names.fullmatch(name))
    kind = next(named, name.lower())
    return _kind_of_shape(kind, outline(member.head))


def _kind_of_shape(kind: str, shape: Outline) -> str:
    """Return the kind of a file whose name alone promises it, '' if what is in it does not."""
    keys, first = set(shape.keys), set(shape.first)
    if kind == "media":
        is_old = keys & {"photos", "videos", "stories"} and first & {"path", "taken_at"}
        return "old_media" if is_old else ""
    if kind == "profile":
        return "old_profile" if {"username", "private_account"} <= keys else ""
    is_known = kind in _KINDS and not kind.startswith("old_")
    return kind if is_known and _ROWS & (first if shape.root == "[" else keys) else ""


def _owner(export: Export) -> Owner:
    found = []
    for _, member in export.of("profile"):
        for profiles in fields(member, _KINDS["profile"][1]).values():
            first = profiles[0] if isinstance(profiles, list) and profiles else None
            found.append(meta.labels(first) if isinstance(first, dict) else [])
    for _, member in export.of("old_profile"):
        told = fields(member, re.compile("|".join(_OLD_PROFILE)))
        found.append([Label(_OLD_PROFILE[key], str(value)) for key, value in told.items()])
    opened = _opened(export)
    return meta.combined([owner_of(each, HOST, export.user, opened) for each in found or [[]]])


def _opened(export: Export) -> list[object] | None:
    """Return when the account's privacy was changed; None if that cannot be read."""
    opened = []
    for _, member in export.of("privacy"):
        for _, row in rows(member, _KINDS["privacy"][1]):
            found = meta.labels(row) if isinstance(row, dict) else []
            opened.append(next((label.at for label in found if label.at), None))
    return None if None in opened else opened


def _old_media(work: Work, member: Member) -> Iterator[Item]:
    """Read media.json as it was before 2021; pictures sent in messages are in it, too."""
    yield from _sent(member)
    for key, kind in _OLD_LISTS:
        for where, row in rows(member, re.compile(key)):
            if isinstance(row, dict):
                yield from meta_posts.items(work, old_post(row, kind), member.name, where)
            else:
                yield row


def _sent(member: Member) -> Iterator[Item]:
    with member.open() as stream:
        document = Document(stream, member.name)
        for key in document.entries():
            if key != "direct" or document.kind() != "[":
                document.skip()
                continue
            for _ in document.elements():
                document.skip()
                yield Refused(messages.META)
        document.end()
