"""What the pictures, videos and documents in an export say of AI counts for their records.

One place for all sources: wherever a record names a file that lies in its export, that file is read
before anything could strip it. Addresses on the web are not fetched.
"""

from collections.abc import Iterator

from msgspec import structs

from sayso.content.events import Upsert
from sayso.content.record import Record, strictest
from sayso.errors import InputError
from sayso.rights.signals import media
from sayso.rights.signals.model import Statement, said
from sayso.rights.signals.resolve import verdict
from sayso.sources.archive import Member, Tree
from sayso.sources.items import Item


def heeded(items: Iterator[Item], tree: Tree) -> Iterator[Item]:
    """Yield items, records with what their files say in `train_signal`.

    A no in any of them is the record's; what cannot be read or checked is 'unreadable'. A yes in a
    picture is none for the words beside it.
    """
    by_name: dict[str, list[Member]] = {}
    for member in tree.members:
        by_name.setdefault(member.file_name, []).append(member)
    heard: dict[str, str] = {}
    for item in items:
        if isinstance(item, Upsert) and item.record.media:
            files = list(_files(item.record, by_name))
            for member in files:
                if member.name not in heard:  # a picture may stand in several records
                    heard[member.name] = verdict(statements(member)).signal
            signals = {heard[member.name] for member in files} - {"allow"}
            signal = strictest([item.record.train_signal, *signals])
            if signal != item.record.train_signal:
                yield Upsert(structs.replace(item.record, train_signal=signal))
                continue
        yield item


def _files(record: Record, by_name: dict[str, list[Member]]) -> Iterator[Member]:
    """Yield the files that a record's media mean, and their sidecars.

    Where several exports lie in one tree a path may fit one file in each: then all of them count.
    """
    for medium in record.media:
        if not medium.path or "://" in medium.path:
            continue
        for path in (medium.path, f"{medium.path}.xmp", f"{medium.path.rpartition('.')[0]}.xmp"):
            for member in by_name.get(path.rpartition("/")[2], ()):
                if member.name == path or member.name.endswith(f"/{path}"):
                    yield member


def statements(member: Member) -> list[Statement]:
    """Return what a file of an export says; one that is damaged or too large is no yes."""
    if member.size > media.LARGEST:
        return [media.too_large()]
    try:
        with member.open() as stream:
            return media.read(stream.read(), member.name)
    except InputError as error:
        return [said("plus", "unreadable", where="file", raw=type(error).__name__)]
