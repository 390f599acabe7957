"""Where files lie in Instagram's exports, and how tests read one."""

from tests.sources.meta_exports import (
    AT,
    INSTAGRAM_PROFILE,
    instagram_profile,
    items_of,
    picture,
    zipped,
)

NAME = "instagram-member_1-2026-11-01-AbCdEf.zip"
MEDIA = "your_instagram_activity/media"
POSTS = f"{MEDIA}/posts_1.json"
COMMENTS = "your_instagram_activity/comments/post_comments_1.json"
PRIVACY = "security_and_login_information/login_and_profile_creation/profile_privacy_changes.json"
FILE = "media/posts/202407/1_n_1.webp"
ACCOUNT = "acct:member_1@instagram.com"


def read(tmp_path, files: dict, profile: dict | None = None):
    """Read an export of these files and a profile."""
    told = {INSTAGRAM_PROFILE: instagram_profile() if profile is None else profile}
    return items_of(zipped(tmp_path, told | files, NAME))


def single(caption: str, uri: str = FILE, at: int = AT, **more) -> dict:
    """A post of one picture."""
    return {"media": [picture(uri, caption, at, **more)]}
