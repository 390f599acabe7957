"""Whole atproto repositories: CAR files, and folders of records as JSON.

A CAR is what com.atproto.sync.getRepo and the app's export give; a folder is what `goat repo
unpack` makes of one: <collection>/<record key>.json beside _commit.json, which names the account.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, Protocol

from sayso.content.events import AccountUpdate
from sayso.errors import InputError
from sayso.rights.signals import atproto
from sayso.rights.signals.model import evidence
from sayso.rights.signals.resolve import verdict
from sayso.sources import bluesky, car
from sayso.sources.archive import Member, Tree
from sayso.sources.documents import Document, UnreadableError
from sayso.sources.items import Item, Refused, Rejected, Skipped

SOURCE: Final = "bluesky-repository"
_FILE: Final = re.compile(
    r"(?P<root>(?:.*/)?)(?P<collection>[a-z][a-z0-9-]*(?:\.[a-zA-Z0-9-]+){2,})/(?P<key>[^/]+)\.json"
)
_KNOWN: Final = "app.bsky."
_ABOUT_ACCOUNTS: Final = (bluesky.PROFILE, *atproto.COLLECTIONS)
_COMMIT: Final = "_commit.json"


class _Repository(Protocol):
    """Records by their keys ('collection/record key'); each entry has what `record` wants."""

    did: str

    def entries(self, prefix: str = "") -> Iterator[tuple[str, Any]]: ...

    def record(self, entry: Any, where: str) -> Any: ...


def claims(tree: Tree) -> bool:
    """Whether a tree has a repository in it."""
    return any(car.is_car(member.head) for member in tree.members) or bool(_roots(tree))


def read(tree: Tree) -> Iterator[Item]:
    """Read every repository of a tree: what it says of its account first, then its records."""
    for member in tree.members:
        if car.is_car(member.head):
            with member.open() as stream, car.opened(stream, member.name) as repository:
                yield from _items(repository, member.name)
    for folder in _folders(tree):
        yield from _items(folder, folder.name)


def _items(repository: _Repository, name: str) -> Iterator[Item]:
    if not bluesky.is_did(repository.did):
        raise InputError(
            f"{name} names no account: expected a DID in its commit; nothing was imported",
            "download it again: com.atproto.sync.getRepo",
        )
    account, audience = _account(repository)
    yield account
    origin = bluesky.Origin(repository.did, SOURCE, audience)
    passed_over = 0
    for number, (path, entry) in enumerate(repository.entries(), 1):
        collection, _, key = path.partition("/")
        if bluesky.is_content(collection):
            alone = isinstance(entry, Member)  # in a file of its own
            file, where = (entry.name, "item 1") if alone else (name, f"item {number}")
            try:
                fields = repository.record(entry, where)
            except UnreadableError as error:
                yield Rejected(file, where, error.reason)
            else:
                yield bluesky.content(origin, collection, key, fields, file, where)
        elif isinstance(other := bluesky.passed_over(origin, collection, key), Refused):
            yield other
        elif collection not in _ABOUT_ACCOUNTS:
            passed_over += 1
    if passed_over:
        yield Skipped(bluesky.NOT_CONTENT, passed_over)


def _account(repository: _Repository) -> tuple[AccountUpdate, str]:
    """Return what a repository says of its account, and who can see its posts."""
    audience, kind = "public", ""
    said = []
    for collection in _ABOUT_ACCOUNTS:
        for path, entry in repository.entries(f"{collection}/"):
            key = path.partition("/")[2]
            try:
                fields = repository.record(entry, "")
            except UnreadableError:
                fields = None  # which both read as something that cannot be a yes
            if collection != bluesky.PROFILE:
                said.append((collection, key, fields))
            elif key == "self":
                audience, kind = bluesky.profile(fields)
    told = atproto.statements(said)
    update = AccountUpdate(
        repository.did,
        bluesky.SERVICE,
        kind=kind,
        train_signal=verdict(told).signal,
        evidence=evidence(told) if told else "",
    )
    return update, audience


class _Folder:
    """A repository's records as files.

    Args:
        root: its folder's path in the tree, with '/' at its end, or ''.
        commit: its _commit.json, if it has one; else its folder is called by its DID.
    """

    def __init__(self, root: str, commit: Member | None) -> None:
        self.name = root.rstrip("/") or _COMMIT
        self.did = _did_of(commit) if commit else self.name.rpartition("/")[2]
        self.files: list[tuple[str, Member]] = []

    def entries(self, prefix: str = "") -> Iterator[tuple[str, Member]]:
        yield from (file for file in self.files if file[0].startswith(prefix))

    def record(self, entry: Member, where: str) -> Any:
        """Read a record's file; raises UnreadableError where it holds no Unicode text."""
        with _document(entry) as document:
            return document.value()


def _folders(tree: Tree) -> Iterator[_Folder]:
    folders = {root: _Folder(root, tree.get(root + _COMMIT)) for root in _roots(tree)}
    for member in tree.members:
        if (file := _FILE.fullmatch(member.name)) and file["root"] in folders:
            folders[file["root"]].files.append((f"{file['collection']}/{file['key']}", member))
            member.used = True
    yield from folders.values()


def _roots(tree: Tree) -> list[str]:
    """Return the folders that hold collections of Bluesky, in name order."""
    files = filter(None, (_FILE.fullmatch(member.name) for member in tree.members))
    return list(dict.fromkeys(f["root"] for f in files if f["collection"].startswith(_KNOWN)))


def _did_of(commit: Member) -> str:
    with _document(commit) as document:
        fields = document.value()
    did = fields.get("did") if isinstance(fields, dict) else None
    return did if isinstance(did, str) else ""


@contextmanager
def _document(member: Member) -> Iterator[Document]:
    """Open a file that is one JSON value; raises InputError where it is not."""
    with member.open() as stream:
        document = Document(stream, member.name)
        yield document
        document.end()
