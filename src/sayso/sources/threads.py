"""Threads' exports as JSON, alone or within an Instagram export: a member's own posts and replies.

The keys of all its files begin with text_post_app_. A reply does not tell what it replies to, so
its audience is unknown; a post's is that of the Threads profile, where the export says whether it
is private. Instagram's own setting is another one. Reference: platform-formats.md, sections A.4
and E.
"""

import re
from collections.abc import Iterator
from typing import Any, Final

from msgspec import structs

from sayso.sources import meta, meta_posts
from sayso.sources.archive import Member, Tree
from sayso.sources.fields import object_in, objects_in
from sayso.sources.instagram_shapes import owner_of, post, reaction
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
from sayso.sources.meta_posts import Piece

SERVICE: Final = "threads"
HOST: Final = "threads.net"
_KINDS: Final = {
    "post": re.compile("text_post_app_text_posts"),
    "like": re.compile("text_post_app_media_likes"),
    "view": re.compile("text_post_app_text_post_app_posts_seen"),
    "profile": re.compile(r"text_post_app_(text_post_app_)?(profile|user)(_\w+)?"),
    "instagram": re.compile("profile_user"),
}
_PROFILES: Final = re.compile(f"{_KINDS['profile'].pattern}|{_KINDS['instagram'].pattern}")
_READ: Final = ("post", "like", "view")
_PAGES: Final = r"threads_and_replies|liked_threads|threads_viewed"


def claims(tree: Tree) -> bool:
    """Whether a tree has something of a Threads export that can be read.

    Raises:
        InputError: it has one, but as HTML.
    """
    return claimed(tree, lambda member: kind_of(member) in _READ, _PAGES, "Threads")


def read(tree: Tree) -> Iterator[Item]:
    """Read the Threads exports of a tree, each with its own owner."""
    for export in exports(tree, kind_of, "threads|instagram"):
        if not any(kind in export.files for kind in _READ):
            continue
        owner = _owner(export)
        yield from owner.told(SERVICE)
        work = meta_posts.begin(SERVICE, HOST, export, owner)
        for kind, member in export.of(*_READ):
            for where, row in rows(member, _KINDS[kind]):
                if not isinstance(row, dict):
                    yield row
                elif kind == "post":
                    yield from meta_posts.items(work, _post(row), member.name, where)
                else:
                    yield reaction(row, kind, SERVICE, owner, member.name, where)


def kind_of(member: Member) -> str:
    """Return what a file holds, '' if it is none that is read."""
    if not member.file_name.lower().endswith(".json"):
        return ""
    key = first_key(member.head)
    return next((kind for kind, keys in _KINDS.items() if keys.fullmatch(key)), "")


def _post(row: dict[str, Any]) -> Piece:
    piece = post(row, "post")
    app = (object_in(each, "text_app_post") for each in (row, *objects_in(row, "media")))
    if any(each.get("is_reply") not in (None, False) for each in app):
        piece.surface, piece.is_on_profile = "comment", False
    return piece


def _owner(export: Export) -> Owner:
    """Tell the owner; Instagram's profile is of the same person, but has its own privacy."""
    own = [_of_profile(export, member) for _, member in export.of("profile")]
    twins = [_of_profile(export, member) for _, member in export.of("instagram")]
    if not own and not twins:
        return Owner(meta.account(HOST, export.user))
    owner = meta.combined([*own, *twins])
    is_private = meta.combined(own).is_private if owner.account else None
    return structs.replace(owner, is_private=is_private)


def _of_profile(export: Export, member: Member) -> Owner:
    told = fields(member, _PROFILES)
    profiles = [profile for key in told for profile in objects_in(told, key)]
    return owner_of(meta.labels(profiles[0]) if profiles else [], HOST, export.user, [])
