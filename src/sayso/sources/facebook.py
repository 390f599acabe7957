"""Facebook's exports ("Download your information") as JSON: a member's own posts and reactions.

Files of every year since 2018, in whatever folders. What a member archived or deleted is never
taken; it also stays out where it stands among the posts, and leaves the store if it had come
before. Reference: platform-formats.md, sections A.1 to A.3, E and H.
"""

import re
from collections.abc import Iterator
from hashlib import blake2b
from typing import Any, Final

from msgspec import Struct

from sayso.content.events import Delete, Interaction
from sayso.content.record import Record, revision
from sayso.sources import meta
from sayso.sources.archive import Member, Tree
from sayso.sources.documents import outline
from sayso.sources.facebook_shapes import Piece, piece
from sayso.sources.fields import checked, moment, object_in, objects_in, text_in, whole
from sayso.sources.items import Item, Rejected, Skipped
from sayso.sources.meta_files import Export, exports, fields, html_error, is_html, rows
from sayso.sources.meta_views import views

SERVICE: Final = "facebook"
# Kinds of files: names (without .json), and keys of the root object (with or without _v2).
_KINDS: Final = tuple(
    (kind, re.compile(names, re.IGNORECASE), re.compile(rf"(?:{keys})(_v\d+)?"))
    for kind, names, keys in (
        ("post", r"(your_posts(__check_ins__photos_and_videos)?|profile_posts)(_\d+)?",
         "status_updates"),
        ("elsewhere", r"posts_on_other_pages_and_profiles(_\d+)?", "posts_on_other_pages"),
        ("archived", r"archive(_\d+)?", "archive"),
        ("deleted", r"trash(_\d+)?", "trash"),
        ("reaction", r"(likes_and_reactions|posts_and_comments|story_reactions)(_\d+)?",
         "reactions|stories_feedback"),
        ("comment", r"comments(_\d+)?", "comments"),
        ("group_comment", r"your_comments_in_groups(_\d+)?", "group_comments"),
        ("group_post", r"(group_posts_and_comments|your_posts_and_comments_in_groups)(_\d+)?",
         "group_posts"),
        ("story", r"archived_stories(_\d+)?", "archived_stories"),
        ("reel", r"your_reels(_\d+)?", "lasso_videos"),
        ("video", r"your_videos(_\d+)?", "videos"),
        ("photo", r"(your_uncategorized_photos|your_photos)(_\d+)?", "other_photos"),
        ("album", r"\d+", "photos"),
        ("viewed", r"recently_viewed(_\d+)?", "recently_viewed"),
        ("profile", r"profile_information", "profile"),
    )
)  # fmt: skip
