"""Exports as Meta writes them, made up here in the shapes of their years."""

import io
import json
import zipfile
from collections import Counter
from pathlib import Path

from sayso.content.events import AccountUpdate, Delete, Interaction, Upsert
from sayso.content.record import AUDIENCES, LONGEST_ID, LONGEST_TEXT, Record
from sayso.sources.archive import Member, Tree
from sayso.sources.detect import find
from sayso.sources.items import Item, Refused, Rejected, Skipped

AT = 1_720_000_000
FACEBOOK_PROFILE = "personal_information/profile_information/profile_information.json"
INSTAGRAM_PROFILE = "personal_information/personal_information/personal_information.json"
POSTS = "your_facebook_activity/posts/your_posts__check_ins__photos_and_videos_1.json"


def damaged(value):
    """Write text as Meta does: each byte of its UTF-8 as a character of its own, keys included."""
    match value:
        case str():
            return value.encode().decode("latin-1")
        case list():
            return [damaged(each) for each in value]
        case dict():
            return {damaged(key): damaged(each) for key, each in value.items()}
    return value


def written(value) -> bytes:
    """Return a document of Meta's."""
    return json.dumps(damaged(value)).encode()


def zipped(
    folder: Path, files: dict, name: str = "facebook-member.1-2026-11-01-AbCdEf.zip"
) -> Path:
    """Write an archive; documents as Meta writes them, bytes as they are."""
    path = folder / name
    with zipfile.ZipFile(path, "w") as archive:
        for member, value in files.items():
            archive.writestr(member, value if isinstance(value, bytes) else written(value))
    return path


def tree_of(files: dict, name: str = "facebook-member.1-2026-11-01-x.zip") -> Tree:
    """Return a tree in memory."""

    def member(path: str, value) -> Member:
        data = value if isinstance(value, bytes) else written(value)
        return Member(path, len(data), lambda: io.BytesIO(data))

    return Tree(name, [member(*each) for each in files.items()], [])


def items_of(*paths: Path) -> list[Item]:
    """Read what lies at these paths, twice, for it must be the same each time."""
    exports = find(list(paths))
    read = [item for export in exports for item in export.read()]
    assert read == [item for export in exports for item in export.read()]
    for item in read:
        check(item)
    return read


def check(item: Item) -> None:
    """What holds for every item, whatever the export says."""
    match item:
        case Upsert(record=record):
            assert record.audience in AUDIENCES
            assert (record.audience == "unknown") == (record.audience_source == "")
            assert 0 < len(record.id) <= LONGEST_ID
            assert len(record.text) <= LONGEST_TEXT
            assert record.text.strip() or record.media
            assert record.surface in ("post", "comment", "story", "reel", "photo")
            assert record.age_band == ""
            assert record.reply_to == ""
        case Interaction():
            assert item.verb in ("like", "react", "view", "dwell")
            assert item.actor and 0 < len(item.object) <= LONGEST_ID
        case _:
            assert isinstance(item, AccountUpdate | Delete | Rejected | Refused | Skipped)


def records(items: list[Item]) -> list[Record]:
    return [item.record for item in items if isinstance(item, Upsert)]


def texts(items: list[Item]) -> list[str]:
    return [record.text for record in records(items)]


def only(items: list[Item]) -> Record:
    (record,) = records(items)
    return record


def skipped(items: list[Item]) -> Counter:
    reasons: Counter = Counter()
    for item in items:
        if isinstance(item, Skipped):
            reasons[item.reason] += item.count
    return reasons


def reactions(items: list[Item]) -> list[Interaction]:
    return [item for item in items if isinstance(item, Interaction)]


def rejected(items: list[Item]) -> list[Rejected]:
    return [item for item in items if isinstance(item, Rejected)]


def facebook_profile(name: str = "Member One", user: str = "member.1", **more) -> dict:
    return {"profile_v2": {"name": {"full_name": name}, "username": user, **more}}


def facebook_post(text: str = "", at: int = AT, media: tuple = (), **more) -> dict:
    row = {
        "timestamp": at,
        "title": "Member One added a new photo.",
        "data": [{"post": text}, {"update_timestamp": at}] if text else [{"update_timestamp": at}],
        **more,
    }
    if media:
        row["attachments"] = [{"data": [{"media": each} for each in media]}]
    return row


def photo(uri: str, caption: str = "", at: int = AT) -> dict:
    exif = {"upload_ip": "192.0.2.7", "taken_timestamp": -62169958800, "latitude": 52.1}
    return {
        "uri": uri,
        "creation_timestamp": at,
        "title": "Timeline Photos",
        "description": caption,
        "media_metadata": {"photo_metadata": {"exif_data": [exif]}},
    }


def facebook_comment(text: str, author: str = "Member One", at: int = AT, **more) -> dict:
    comment = {"timestamp": at, "comment": text, "author": author, **more}
    title = f"{author} commented on Member Two's photo."
    return {"timestamp": at, "data": [{"comment": comment}], "title": title}


def instagram_profile(user: str = "member_1", private: str = "False", **labels) -> dict:
    told = {"Email": "m@example.org", "Username": user, "Gender": "female"}
    told |= {"Private Account": private, **labels}
    values = {name: {"href": "", "value": value, "timestamp": 0} for name, value in told.items()}
    return {"profile_user": [{"title": "", "media_map_data": {}, "string_map_data": values}]}


def picture(uri: str, caption: str = "", at: int = AT, **more) -> dict:
    return {
        "uri": uri,
        "creation_timestamp": at,
        "title": caption,
        "media_metadata": {"camera_metadata": {"has_camera_metadata": False}},
        "cross_post_source": {"source_app": "FB"},
        "backup_uri": "https://scontent.example/x.jpg",
        **more,
    }
