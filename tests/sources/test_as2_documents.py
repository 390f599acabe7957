"""Documents and lines of ActivityStreams, told from others by their content."""

import json
from typing import Any

from sayso.sources import as2_documents
from sayso.sources.archive import open_tree
from sayso.sources.detect import find
from sayso.sources.items import Item, Rejected, Skipped
from tests.sources.as2_shapes import CONTEXT, ME, act, note, one


def documents(folder, **files: Any) -> list[Item]:
    for name, value in files.items():
        text = value if isinstance(value, str) else json.dumps(value)
        (folder / f"{name}.json").write_text(text, "utf-8")
    tree = open_tree(folder)
    assert as2_documents.claims(tree)
    found = list(as2_documents.read(tree))
    assert list(as2_documents.read(tree)) == found
    return found


def test_documents_of_all_shapes(tmp_path):
    made = one(note())
    ordered = {"@context": CONTEXT, "type": "OrderedCollection", "orderedItems": [note(), act()]}
    found = documents(
        tmp_path,
        a=ordered,
        b={"@context": [CONTEXT], "type": "CollectionPage", "items": note()},
        c=note() | {"@context": CONTEXT},
        d=json.dumps([act(object=note())], indent=1),
        e={"@context": CONTEXT, "type": "OrderedCollection", "first": f"{ME}/outbox?page=1"},
        f={"@context": "https://schema.org", "type": "Note", "id": "x"},
        bookmarks={"@context": CONTEXT, "type": "OrderedCollection", "orderedItems": [note()]},
    )
    rejected = Rejected("a.json", "item 2", "an activity without an object")
    address = Skipped("only an address is given")
    assert found == [made, rejected, made, made, made, address]


def test_a_lone_surrogate_is_rejected_with_its_place_alone(tmp_path):
    text = json.dumps({"@context": CONTEXT, "type": "Collection", "items": [note(), "X"]})
    (item, bad) = documents(tmp_path, a=text.replace('"X"', r'"\ud800"'))
    assert item == one(note())
    assert isinstance(bad, Rejected)
    assert bad.where == "item 2"


def test_a_file_is_told_by_its_content(tmp_path):
    path = tmp_path / "anything"
    path.write_text(json.dumps(act(object=note()), indent=2))
    (export,) = find([path])
    assert [source.name for source in export.sources] == ["activitystreams"]
    assert list(export.read()) == [one(note())]
    path.write_text("\n".join([json.dumps(act(object=note()))] * 2))
    (export,) = find([path])
    assert list(export.read()) == [one(note())] * 2
