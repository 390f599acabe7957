"""Facebook's exports ("Download your information") as JSON: a member's own posts and reactions.

Files of every year since 2018, in whatever folders. What a member archived or deleted is never
taken; it also stays out where it stands among the posts, and leaves the store if it had come
before. Reference: platform-formats.md, sections A.1 to A.3, E and H.
"""

import re
from collections.abc import Iterator
from typing import Any, Final

from sayso.sources import meta, meta_posts
from sayso.sources.archive import Member, Tree
from sayso.sources.documents import outline
from sayso.sources.facebook_reactions import reactions, views
from sayso.sources.facebook_shapes import piece
from sayso.sources.fields import object_in, objects_in, text_in, whole
from sayso.sources.items import Item
from sayso.sources.meta import Owner
from sayso.sources.meta_files import (
    Export,
    claimed,
    exports,
    fields,
    first_key,
    rows,
)

SERVICE: Final = "facebook"
HOST: Final = "facebook.com"
# What a file holds: its name without .json, and the root object's key (with or without _v2).
_KINDS: Final = {
    kind: (re.compile(name, re.IGNORECASE), re.compile(rf"({key})(_v\d+)?"))
    for kind, name, key in (
        ("post", r"(your_posts(__check_ins__photos_and_videos)?|profile_posts)", "status_updates"),
        ("elsewhere", r"posts_on_other_pages_and_profiles", "posts_on_other_pages"),
        ("archived", r"archive", "archive"),
        ("deleted", r"trash", "trash"),
        ("story", r"archived_stories", "archived_stories"),
        ("reel", r"your_reels", "lasso_videos"),
        ("group_post", r"(group_|your_)posts_and_comments(_in_groups)?", "group_posts"),
        ("album", r"\d+", "photos"),
        ("photo", r"(your_uncategorized_photos|your_photos)", "other_photos"),
        ("video", r"your_videos", "videos"),
        ("comment", r"comments", "comments"),
        ("group_comment", r"your_comments_in_groups", "group_comments"),
        ("reaction", r"(likes_and_reactions|posts_and_comments)", "reactions"),
        ("feedback", r"story_reactions", "stories_feedback"),
        ("viewed", r"recently_viewed", "recently_viewed"),
        ("profile", r"profile_information", "profile"),
    )
}
_CONTENT: Final = (
    *("post", "elsewhere", "reel", "story", "group_post"),
    *("album", "photo", "video", "comment", "group_comment"),
)
_WITHDRAWN: Final = {"deleted": meta_posts.DELETED, "archived": meta_posts.ARCHIVED}
_PART: Final = re.compile(r"(_\d+)?\.json$", re.IGNORECASE)
_PAGES: Final = (
    r"your_posts[^/]*|profile_posts[^/]*|posts_on_other_pages_and_profiles|comments|archive|trash|"
    r"likes_and_reactions[^/]*|group_posts_and_comments|your_comments_in_groups|archived_stories|"
    r"your_videos|your_uncategorized_photos|your_reels|profile_information"
)
_ADDRESS: Final = re.compile(r"facebook\.com/(?:profile\.php\?id=(\d+)|([A-Za-z0-9.]+))/?$")


def claims(tree: Tree) -> bool:
    """Whether a tree has something of a Facebook export that can be read.

    Raises:
        InputError: it has one, but as HTML.
    """
    return claimed(tree, lambda member: kind_of(member) not in ("", "profile"), _PAGES, "Facebook")


def read(tree: Tree) -> Iterator[Item]:
    """Read the Facebook exports of a tree, each with its own owner."""
    for export in exports(tree, kind_of, "facebook"):
        owner = _owner(export)
        yield from owner.told(SERVICE)
        work = meta_posts.begin(SERVICE, "", export, owner)
        for kind, member in export.of(*_WITHDRAWN, *_CONTENT):
            for where, row in rows(member, _KINDS[kind][1]):
                if not isinstance(row, dict):
                    yield row
                elif reason := _WITHDRAWN.get(kind):
                    yield from meta_posts.withdraw(work, row, piece(row, kind), reason)
                else:
                    yield from meta_posts.items(work, piece(row, kind), member.name, where)
        for _, member in export.of("reaction", "feedback"):
            yield from reactions(member, owner)
        for _, member in export.of("viewed"):
            yield from views(member, owner)


def kind_of(member: Member) -> str:
    """Return what a file holds, '' if it is none of Facebook's that is read."""
    if not member.file_name.lower().endswith(".json"):
        return ""
    name, key = _PART.sub("", member.file_name), first_key(member.head)
    matches = {kind: keys.fullmatch(key) for kind, (_, keys) in _KINDS.items()}
    for kind, match in matches.items():
        if match and match[2]:
            return kind
    kind = next((kind for kind, (names, _) in _KINDS.items() if names.fullmatch(name)), "")
    return kind if kind and _has_rows(member.head, kind, bool(matches[kind])) else ""


def _has_rows(head: bytes, kind: str, has_key: bool) -> bool:
    """Whether a file that is called so, without a numbered key, begins as one of that kind."""
    shape = outline(head)
    names = set(shape.first if has_key or shape.root == "[" else shape.keys)
    if kind == "album":
        return bool({"cover_photo", "last_modified_timestamp"} & set(shape.keys))
    if kind in ("archived", "deleted", "comment"):
        return "timestamp" in names and bool(names & {"data", "attachments", "label_values"})
    is_empty = has_key or head.strip() == b"[]"
    return is_empty or bool(names & {"timestamp", "data", "attachments", "label_values", "uri"})


def _owner(export: Export) -> Owner:
    found = []
    for _, member in export.of("profile"):
        for profile in fields(member, _KINDS["profile"][1]).values():
            if isinstance(profile, dict):
                found.append(_of_profile(profile, export.user))
    return meta.combined(found or [Owner(meta.account(HOST, export.user))])


def _of_profile(profile: dict[str, Any], user: str) -> Owner:
    full_name = text_in(object_in(profile, "name"), "full_name") or text_in(profile, "name")
    others = (*objects_in(profile, "previous_names"), *objects_in(profile, "other_names"))
    names = {meta.name_key(each) for each in (full_name, *(o.get("name") for o in others))}
    match = _ADDRESS.search(text_in(profile, "profile_uri"))
    told = (text_in(profile, "username"), match and (match[1] or match[2]), user)
    account = next(filter(None, (meta.account(HOST, each) for each in told)), "")
    born = object_in(profile, "birthday")
    day = [whole(born.get(part)) for part in ("year", "month", "day")]
    return Owner(
        account,
        frozenset(names - {""}),
        # A number tells nobody whose account it is.
        handle=meta.words(full_name) if account[5:].partition("@")[0].isdigit() else "",
        age_band=meta.band("-".join(f"{part or 0:02}" for part in day)) if day[0] else "",
    )
