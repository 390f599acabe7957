"""What a path holds: exports and their sources, told by their content, never asked for."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from msgspec import Struct

from sayso.errors import InputError
from sayso.sources import (
    as2_documents,
    bluesky_repository,
    discourse,
    facebook,
    instagram,
    lines,
    mastodon,
    mastodon_lines,
    reddit,
    telegram,
    threads,
    x,
)
from sayso.sources.archive import Tree, is_archive, merged, open_tree
from sayso.sources.items import Item


class Source(Struct, frozen=True):
    """One kind of export: `claims` says whether a tree has some of it, `read` yields its items."""

    name: str
    claims: Callable[[Tree], bool]
    read: Callable[[Tree], Iterator[Item]]


class Export(Struct, frozen=True):
    """What was handed in together, and the sources that read it; several may share one tree."""

    tree: Tree
    sources: tuple[Source, ...]

    @property
    def lines_only(self) -> bool:
        """Whether it is nothing but lines, each of which stands for itself."""
        return all(source in _LINES for source in self.sources)

    def read(self) -> Iterator[Item]:
        """Read everything in it, what is refused included."""
        yield from self.tree.refused
        for source in self.sources:
            yield from source.read(self.tree)


def _lines(dialect: lines.Dialect) -> Source:
    return Source(
        dialect.name,
        lambda tree: lines.claims(tree, dialect),
        lambda tree: lines.read(tree, dialect),
    )


_LINES: Final = tuple(_lines(dialect) for dialect in lines.DIALECTS)
# Platforms' exports in the order of their marks' strength, then files of lines.
SOURCES: Final = (
    Source("mastodon", mastodon.claims, mastodon.read),
    Source("mastodon-api", mastodon_lines.claims, mastodon_lines.read),
    Source("activitystreams", as2_documents.claims, as2_documents.read),
    Source("x", x.claims, x.read),
    Source("threads", threads.claims, threads.read),
    Source("instagram", instagram.claims, instagram.read),
    Source("facebook", facebook.claims, facebook.read),
    Source("telegram", telegram.claims, telegram.read),
    Source("bluesky", bluesky_repository.claims, bluesky_repository.read),
    Source("discourse", discourse.claims, discourse.read),
    Source("reddit", reddit.claims, reddit.read),
    *_LINES,
)


# Meta calls an archive after its member, whose name may have digits.
_MEMBER: Final = re.compile(r"(?:facebook|instagram|threads)-[A-Za-z0-9._]+-(?=\d)")


def find(paths: list[Path]) -> list[Export]:
    """Return the exports at these paths; the parts of one that came in several zips are one.

    Raises:
        InputError: a path cannot be read, could harm, or holds nothing that is known.
    """
    found = [opened for path in paths for opened in _trees(path)]
    exports = []
    for tree in _joined(found):
        claiming = [source for source in SOURCES if source.claims(tree)]
        # A document in a single line is no file of lines.
        documents = [source for source in claiming if source not in _LINES]
        sources = tuple(documents if documents and len(tree.members) == 1 else claiming)
        if not sources and not tree.refused:
            raise InputError(_unknown(tree), "see docs/import.md for what can be imported")
        exports.append(Export(tree, sources))
    return exports


def _trees(path: Path) -> list[tuple[Path, Tree]]:
    """Open a path: a file, or a folder with whatever archives and files lie in it."""
    if not path.is_dir():
        return [(path, open_tree(path))]
    archives = sorted(file for file in path.rglob("*") if not file.is_symlink())
    archives = [file for file in archives if file.is_file() and is_archive(file)]
    found = [(file, open_tree(file)) for file in archives]
    inside = {file.relative_to(path).as_posix() for file in archives}
    tree = open_tree(path)
    loose = [member for member in tree.members if member.name not in inside]
    if loose or tree.refused or not found:
        rest = Tree(tree.name, loose, tree.refused)
        # Beside archives, files that nobody knows are no reason to stop.
        if not found or tree.refused or any(source.claims(rest) for source in SOURCES):
            found.append((path, rest))
    return found


def _joined(found: list[tuple[Path, Tree]]) -> list[Tree]:
    """Put the parts of multi-part exports together.

    Parts lie in one folder, are called alike up to the first digit, and no file of one contradicts
    a file of another: two members' exports each have their own profile.
    """
    groups: dict[tuple[Path, str], list[list[Tree]]] = {}
    for path, tree in found:
        # Files of lines and folders stand for themselves.
        part = path.is_file() and path.suffix not in (".jsonl", ".ndjson", ".txt", ".zst", ".car")
        member = _MEMBER.match(path.name)
        name = re.split(r"\d", path.name, maxsplit=1)[0] if part else path.name
        name = member[0] if part and member else name
        group = groups.setdefault((path.parent, name), [])
        for parts in group:
            if not any(_contradict(part, tree) for part in parts):
                parts.append(tree)
                break
        else:
            group.append([tree])
    return [merged(parts) for group in groups.values() for parts in group]


def _contradict(one: Tree, other: Tree) -> bool:
    """Whether two trees have different files of one name (pictures aside)."""
    for member in one.members:
        twin = None if member.is_media else other.get(member.name)
        if twin and (twin.size, twin.head) != (member.size, member.head):
            return True
    return False


def _unknown(tree: Tree) -> str:
    if not tree.members:
        return f"{tree.name} is empty: nothing to import"
    if any(re.search(r"\.html?$", member.name, re.IGNORECASE) for member in tree.members):
        return f"{tree.name} is an export as HTML, or of no known source; expected JSON"
    return f"{tree.name} holds nothing that is known: its {len(tree.members)} files fit no source"
