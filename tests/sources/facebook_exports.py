"""Where files lie in Facebook's exports, and how tests read one."""

from tests.sources.meta_exports import FACEBOOK_PROFILE, facebook_profile, items_of, zipped

ACTIVITY = "your_facebook_activity"
COMMENTS = f"{ACTIVITY}/comments_and_reactions/comments.json"
ALBUM = f"{ACTIVITY}/posts/album/0.json"
LIKES = f"{ACTIVITY}/comments_and_reactions/likes_and_reactions.json"
BEACH = f"{ACTIVITY}/posts/media/Mobileuploads_1/77.jpg"


def read(tmp_path, files: dict, profile: dict | None = None):
    """Read an export of these files and a profile."""
    return items_of(zipped(tmp_path, {FACEBOOK_PROFILE: profile or facebook_profile(), **files}))
