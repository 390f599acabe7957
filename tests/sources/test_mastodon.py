"""Mastodon's archives: what a member wrote for others comes in, with its files; nothing else."""

import io
import json
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from msgspec.structs import replace

from sayso.content.events import AccountUpdate, Interaction, Upsert
from sayso.content.record import Medium, Record, revision
from sayso.errors import InputError
from sayso.sources import mastodon, messages
from sayso.sources.archive import open_tree
from sayso.sources.detect import find
from sayso.sources.items import Item, Refused, Rejected, Skipped
from tests.sources.as2_shapes import broken, junk
from tests.sources.records import PUBLIC

HOST = "https://square.example"
ME = f"{HOST}/users/member-1"
YOU = "https://other.example/users/member-2"
FOLLOWERS = f"{ME}/followers"
ACCOUNT = "acct:member-1@square.example"
CONTEXT = ["https://www.w3.org/ns/activitystreams", {"toot": "http://joinmastodon.org/ns#"}]
FILE = "media_attachments/files/109/333/original/3381f6f615f26246.jpeg"


def actor(**fields: Any) -> dict[str, Any]:
    return {
        "@context": CONTEXT,
        "id": ME,
        "type": "Person",
        "followers": FOLLOWERS,
        "inbox": f"{ME}/inbox",
        "outbox": "outbox.json",
        "preferredUsername": "member-1",
        "name": "Member One",
        "summary": "<p>Sailor</p>",
        "manuallyApprovesFollowers": True,
        "discoverable": True,
        "indexable": False,
        "memorial": False,
        "icon": {"type": "Image", "mediaType": "image/png", "url": "avatar.png"},
        "likes": "likes.json",
        "bookmarks": "bookmarks.json",
    } | fields


def create(number: int, text: str, to: Any = None, cc: Any = None, **fields: Any) -> dict[str, Any]:
    to, cc = ([PUBLIC] if to is None else to), ([FOLLOWERS] if cc is None else cc)
    address = f"{ME}/statuses/{number}"
    html = f"<p>{text}</p>"
    note = {
        "id": address,
        "type": "Note",
        "summary": None,
        "inReplyTo": None,
        "published": "2022-11-08T03:07:14Z",
        "url": f"{HOST}/@member-1/{number}",
        "attributedTo": ME,
        "to": to,
        "cc": cc,
        "sensitive": False,
        "atomUri": address,
        "inReplyToAtomUri": None,
        "conversation": "tag:square.example,2022-11-08:objectId=1:objectType=Conversation",
        "content": html,
        "contentMap": {"en": html},
        "attachment": [],
        "tag": [],
        "replies": {"id": f"{address}/replies", "type": "Collection", "first": {"items": []}},
    }
    return {
        "id": f"{address}/activity",
        "type": "Create",
        "actor": ME,
        "published": "2022-11-08T03:07:14Z",
        "to": to,
        "cc": cc,
        "object": note | fields,
    }


def boost(number: int) -> dict[str, Any]:
    return {
        "id": f"{ME}/statuses/{number}/activity",
        "type": "Announce",
        "actor": ME,
        "published": "2022-11-08T03:07:14Z",
        "to": [PUBLIC],
        "cc": [YOU, FOLLOWERS],
        "object": f"{YOU}/statuses/7",
    }


def picture(**fields: Any) -> dict[str, Any]:
    return {
        "type": "Document",
        "mediaType": "image/jpeg",
        "url": f"/{FILE}",
        "name": "a pier",
        "blurhash": "UPJ[3I_NI9t7ROx]xZkBtRIAxaWEWBsmRjbH",
        "focalPoint": [0.0, 0.0],
        "width": 1440,
        "height": 1081,
    } | fields


def collection(name: str, parts: list[Any]) -> str:
    head = json.dumps({"@context": CONTEXT, "id": name, "type": "OrderedCollection"})[:-1]
    # The first key is a slip of Mastodon's own, which writes it twice.
    return (
        f'{head},"totalItems":{len(parts)},"orderedItems":[],"orderedItems":{json.dumps(parts)}}}'
    )


POSTS = [
    create(1, "low tide"),
    create(2, "whispered", to=[YOU], cc=[], tag=[{"type": "Mention", "href": YOU, "name": "@m"}]),
    create(3, "for friends", to=[FOLLOWERS], cc=[YOU]),
    create(4, "quietly", to=[FOLLOWERS], cc=[PUBLIC]),
    boost(5),
    create(6, "a picture", attachment=[picture(), picture(name=None)]),
    create(7, "edited", updated="2022-11-09T03:07:14Z", summary="boats", sensitive=True),
    create(8, "thread", inReplyTo=f"{ME}/statuses/1"),
    create(9, "answer", inReplyTo=f"{YOU}/statuses/7", to=PUBLIC, cc=None),
    create(
        10, "best?", type="Question", oneOf=[{"type": "Note", "name": n} for n in ("oak", "elm")]
    ),
    create(11, "ebb", contentMap={"de": "<p>Ebbe</p>", "en": "<p>ebb</p>"}),
    create(12, "", content="", contentMap=None),
]
FILES = {
    "actor.json": json.dumps(actor()),
    "outbox.json": collection("outbox.json", POSTS),
    "likes.json": collection("likes.json", [f"{YOU}/statuses/7", f"{YOU}/statuses/8"]),
    "bookmarks.json": collection("bookmarks.json", [f"{YOU}/statuses/9"]),
    "avatar.png": "picture",
    FILE: "picture",
}


def put(folder: Path, files: dict[str, str], at: str = "") -> Path:
    for name, text in files.items():
        path = folder / at / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return folder


def packed(path: Path, files: dict[str, str]) -> Path:
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w") as archive:
            for name, text in files.items():
                archive.writestr(name, text)
    else:
        with tarfile.open(path, "w:gz") as tar:
            for name, text in files.items():
                entry = tarfile.TarInfo(name)
                entry.size = len(text.encode())
                tar.addfile(entry, io.BytesIO(text.encode()))
    return path


def items(path: Path) -> list[Item]:
    (export,) = find([path])
    assert [source.name for source in export.sources] == ["mastodon"]
    found = list(export.read())
    assert list(export.read()) == found
    return found


def records(found: list[Item]) -> dict[str, Record]:
    made = [item.record for item in found if isinstance(item, Upsert)]
    return {record.id.rpartition("/")[2]: record for record in made}


@pytest.fixture
def archive(tmp_path):
    return put(tmp_path / "archive", FILES)


def test_a_whole_archive(archive):
    found = items(archive)
    told = AccountUpdate(
        ACCOUNT,
        "square.example",
        handle="member-1",
        kind="person",
        train_signal="deny",
        statement="profile",
    )
    assert replace(found[0], evidence="") == told
    assert '"indexable\\":false' in found[0].evidence.replace(" ", "")
    made = records(found)
    assert list(made) == ["1", "3", "4", "6", "7", "8", "9", "10", "11"]
    assert {(r.author, r.service, r.source) for r in made.values()} == {
        (ACCOUNT, "square.example", "mastodon-archive")
    }
    audiences = [made[number].audience for number in ("1", "3", "4", "9")]
    assert audiences == ["public", "followers", "unlisted", "public"]
    rest = [item for item in found if isinstance(item, Refused | Skipped | Rejected)]
    assert rest == [
        Refused(messages.DIRECT, f"{ME}/statuses/2"),
        Skipped("boost"),
        Skipped("nothing in it"),
    ]
    likes = [item for item in found if isinstance(item, Interaction)]
    assert likes == [Interaction(ACCOUNT, "like", f"{YOU}/statuses/{n}") for n in (7, 8)]


def test_what_its_posts_say(archive):
    made = records(items(archive))
    edited = made["7"]
    assert edited.rev == revision(edited.edited_at) > 1
    assert (edited.content_warning, edited.sensitive) == ("boats", True)
    assert (made["8"].surface, made["9"].surface) == ("post", "comment")
    assert made["10"].text == "best?\n\noak\nelm"
    assert (made["11"].text, made["11"].language) == ("ebb", "en")


@pytest.mark.parametrize("name", ["archive.zip", "archive.tar.gz"])
def test_packed_archives(tmp_path, archive, name):
    assert items(packed(tmp_path / name, FILES)) == items(archive)


def test_files_of_use_are_used_and_bookmarks_stay_closed(archive):
    (export,) = find([archive])
    list(export.read())
    used = {member.name for member in export.tree.members if member.used}
    assert used == {"actor.json", "outbox.json", "likes.json", FILE}


@pytest.mark.parametrize(
    ("url", "path"),
    [
        (f"/{FILE}", FILE),
        (FILE, FILE),
        (f"/bucket/{FILE}", FILE),
        (f"https://files.square.example/{FILE}", FILE),
        ("/media_attachments/files/lost.jpeg", "media_attachments/files/lost.jpeg"),
        ("https://square.example/lost.jpeg", "https://square.example/lost.jpeg"),
        ([{"type": "Link", "href": f"/{FILE}", "mediaType": "image/jpeg"}], FILE),
    ],
)
def test_where_media_lie(tmp_path, url, path):
    post = create(1, "a picture", attachment=[picture(url=url)])
    files = FILES | {"outbox.json": collection("outbox.json", [post])}
    for folder in ("", "deep/down"):
        where = put(tmp_path / f"archive{len(folder)}", files, folder)
        assert records(items(where))["1"].media == (Medium(path, "image", "a pier"),)


def test_several_members_side_by_side(tmp_path):
    put(tmp_path / "all", FILES, "one")
    other = {name: text.replace("member-1", "member-3") for name, text in FILES.items()}
    put(tmp_path / "all", other, "two")
    authors = [r.record.author for r in items(tmp_path / "all") if isinstance(r, Upsert)]
    assert set(authors) == {ACCOUNT, "acct:member-3@square.example"}


def test_one_file_alone(tmp_path, archive):
    whole = items(archive)
    alone = put(tmp_path / "alone", {name: FILES[name] for name in ("outbox.json", "actor.json")})
    assert items(alone / "actor.json") == whole[:1]
    made, known = records(items(alone / "outbox.json")), records(whole)
    assert list(made) == list(known)
    assert {record.author for record in made.values()} == {ACCOUNT}
    assert [r.audience for r in made.values()] == [r.audience for r in known.values()]


def test_likes_of_nobody_known_are_left_out(tmp_path):
    put(tmp_path / "a", {name: FILES[name] for name in ("outbox.json", "likes.json")})
    found = items(tmp_path / "a")
    assert Skipped("like of an unknown account", 2) in found
    assert not any(isinstance(item, Interaction) for item in found)


def test_accounts_whose_address_shows_no_name(tmp_path):
    numbered = {
        name: text.replace("/users/member-1", "/ap/users/115") for name, text in FILES.items()
    }
    found = items(put(tmp_path / "a", numbered))
    assert {r.author for r in records(found).values()} == {ACCOUNT}
    moved = [item.moved_to for item in found if isinstance(item, AccountUpdate)]
    assert moved == ["", ACCOUNT]


def test_archives_of_pleroma(tmp_path):
    """Links as lists, the source beside the text, no contexts, pretty head, totals at the end."""
    link = {"type": "Link", "href": f"{HOST}/media/1.jpg", "mediaType": "image/jpeg"}
    post = create(
        1,
        "low <b>tide</b>",
        attachment=[{"type": "Document", "mediaType": "image/jpeg", "name": "", "url": [link]}],
        source={"content": "low *tide*", "mediaType": "text/plain"},
        summary="",
        id=f"{HOST}/objects/3f2c",
        bto=[],
        contentMap=None,
    )
    head = '{\n  "@context": "https://www.w3.org/ns/activitystreams",\n  "id": "outbox.json",\n'
    outbox = f'{head}  "type": "OrderedCollection",\n  "orderedItems": [\n\n{json.dumps(post)}\n],'
    files = {
        "actor.json": json.dumps(actor(indexable=True, outbox=f"{ME}/outbox", likes=None)),
        "outbox.json": outbox + '\n  "totalItems": 1}',
        "following.json": '{"orderedItems": []}',
    }
    (made,) = records(items(put(tmp_path / "a", files))).values()
    assert (made.text, made.content_warning) == ("low *tide*", "")
    assert made.media == (Medium(f"{HOST}/media/1.jpg", "image"),)


def test_damage_stops_the_whole_import(tmp_path):
    cut = FILES["outbox.json"][:-40]
    with pytest.raises(InputError, match=r"outbox\.json"):
        items(put(tmp_path / "a", FILES | {"outbox.json": cut}))
    with pytest.raises(InputError, match="follows the end"):
        items(put(tmp_path / "b", FILES | {"outbox.json": FILES["outbox.json"] + "x"}))


def test_what_is_no_archive_is_not_claimed(tmp_path):
    for text in ("{}", "[]", '"outbox"', "", '{"items": []}'):
        tree = open_tree(put(tmp_path / "a", {"outbox.json": text}))
        assert not mastodon.claims(tree)
    assert not mastodon.claims(open_tree(put(tmp_path / "b", {"actor.json": '{"type": "Person"}'})))


def test_an_unreadable_actor_costs_its_name_alone(tmp_path):
    files = FILES | {"actor.json": json.dumps(actor(id=None))}
    found = items(put(tmp_path / "a", files))
    assert isinstance(found[0], Rejected)
    assert {record.author for record in records(found).values()} == {ACCOUNT}


MEASURE = """
import sys
from pathlib import Path
from sayso.sources import mastodon
from sayso.sources.archive import open_tree
number = sum(1 for item in mastodon.read(open_tree(Path(sys.argv[1]))))
# Not ru_maxrss: that begins with the parent's.
peak = Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]
print(number, peak)
"""


def test_memory_does_not_grow_with_the_outbox(tmp_path):
    peaks = []
    for megabytes in (1, 30):
        folder = put(tmp_path / str(megabytes), FILES)
        post = json.dumps(create(1, "low tide, high tide " * 40))
        number = megabytes * 1_000_000 // len(post)
        with (folder / "outbox.json").open("w") as file:
            file.write('{"type":"OrderedCollection","orderedItems":[')
            file.writelines(post + "," for _ in range(number - 1))
            file.write(post + "]}")
        done = subprocess.run(
            [sys.executable, "-c", MEASURE, str(folder)], capture_output=True, text=True, check=True
        )
        read, peak = done.stdout.split()
        assert int(read) == number + 3
        peaks.append(int(peak))
    assert peaks[1] < peaks[0] + 4 * 1024  # KiB


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(broken(actor()), broken(create(1, "x")), junk)
def test_anything_in_any_place_is_read(tmp_path, owner, post, liked):
    files = {
        "actor.json": json.dumps(owner),
        "outbox.json": json.dumps({"orderedItems": [post, liked]}),
        "likes.json": json.dumps({"orderedItems": [liked, f"{YOU}/statuses/7"]}),
    }
    for item in mastodon.read(open_tree(put(tmp_path, files))):
        assert isinstance(item, Item)
