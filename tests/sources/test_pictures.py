"""Pictures in exports: a no in their bytes keeps the record out, what cannot be read holds it."""

import io
import json
import zipfile

import pytest

from sayso.content.events import Upsert
from sayso.corpus.ingest import import_paths
from sayso.corpus.store import Store
from sayso.sources import pictures
from sayso.sources.archive import open_tree
from sayso.sources.detect import find
from tests.rights.signals.test_media import NO, mining, picture
from tests.sources.as2_shapes import ME, actor
from tests.sources.records import PUBLIC

FILES = {
    "none": picture("JPEG"),
    "no": picture("JPEG", NO),
    "yes": picture("PNG", mining("DMI-ALLOWED")),
    "odd": picture("WEBP", mining("DMI-NEW")),
}
EXPECTED = {"none": "", "no": "deny", "yes": "", "odd": "unreadable"}


def note(number: int, *names: str) -> dict[str, object]:
    media = [{"type": "Document", "mediaType": "image/jpeg", "url": f"/media_attachments/{n}.jpg"}
             for n in names]  # fmt: skip
    post = {"id": f"{ME}/statuses/{number}", "type": "Note", "attributedTo": ME, "to": [PUBLIC],
            "content": "low tide", "attachment": media}  # fmt: skip
    return {"type": "Create", "actor": ME, "to": [PUBLIC], "object": post}


def archive(posts: list[dict[str, object]], more: dict[str, bytes] | None = None) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as packed:
        packed.writestr("actor.json", json.dumps(actor()))
        packed.writestr("outbox.json", json.dumps({"orderedItems": posts}))
        for name, data in FILES.items():
            packed.writestr(f"media_attachments/{name}.jpg", data)
        for name, data in (more or {}).items():
            packed.writestr(f"media_attachments/{name}", data)
    return out.getvalue()


def signals(path) -> list[str]:
    (export,) = find([path])
    items = pictures.heeded(export.read(), export.tree)
    return [item.record.train_signal for item in items if isinstance(item, Upsert)]


def test_pictures_of_a_mastodon_archive(tmp_path, workspace):
    posts = [note(n, name) for n, name in enumerate(FILES)]
    posts += [note(10, "yes", "no", "odd"), note(11, "elsewhere"), note(12)]
    path = tmp_path / "archive.zip"
    path.write_bytes(archive(posts))
    assert signals(path) == [*EXPECTED.values(), "deny", "", ""]
    import_paths(workspace, [path])
    stored = Store(workspace).records.read(["train_signal"])["train_signal"].to_list()
    assert sorted(stored) == sorted([*EXPECTED.values(), "deny", "", ""])


def test_a_sidecar_counts_for_its_picture(tmp_path):
    path = tmp_path / "archive.zip"
    path.write_bytes(archive([note(1, "none")], {"none.xmp": NO}))
    assert signals(path) == ["deny"]
    path.write_bytes(archive([note(1, "none")], {"none.jpg.xmp": b"<"}))
    assert signals(path) == ["unreadable"]


@pytest.mark.parametrize("said", ["", "allow", "deny"])
def test_pictures_beside_lines(tmp_path, said):
    line = {"id": "1", "service": "square", "text": "x", "media": [{"path": "p/no.jpg"}],
            "policy": {"train": said}}  # fmt: skip
    (tmp_path / "in" / "p").mkdir(parents=True)
    (tmp_path / "in" / "a.jsonl").write_text(json.dumps(line))
    (tmp_path / "in" / "p" / "no.jpg").write_bytes(FILES["no"])
    assert signals(tmp_path / "in") == ["deny"]


def test_a_damaged_or_huge_picture_holds_its_record(tmp_path, monkeypatch):
    path = tmp_path / "archive.zip"
    data = archive(
        [note(1, "none")], {"none.jpg.xmp": b"<a/>" + b" " * 100_000 + b"<!-- the end -->"}
    )
    path.write_bytes(data.replace(b"the end", b"THE END", 1))  # beyond what is looked at first
    assert signals(path) == ["unreadable"]
    path.write_bytes(data)
    assert signals(path) == [""]
    monkeypatch.setattr("sayso.rights.signals.media.LARGEST", 100)
    assert signals(path) == ["unreadable"]
    (member,) = open_tree(path).find(r"none\.jpg$")
    assert [s.value for s in pictures.statements(member)] == ["unreadable"]
