"""How objections, receipts and records in doubt are shown."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
from rich.text import Text

from sayso.corpus.reviewing import Reviewed
from sayso.report.console import as_object, as_text, out, plain, table
from sayso.rights.objection import ALL_SERVICES, Objection
from sayso.rights.queue import Doubtful


def objected(made: Sequence[Objection], file: Path | None, *, as_json: bool) -> None:
    """Report an objection received."""
    if as_json:
        as_object({"objections": made})
        return
    for objection in made:
        scope = "all services" if objection.service == ALL_SERVICES else objection.service
        received = f"{objection.received_at:%Y-%m-%d %H:%M} UTC"
        out.print(f"accepted: {objection.number} for {scope}, {received}", markup=False)
    if file:
        told = f"receipt: {file} (check it with `sayso verify-receipt {file}`)"
        out.print(told, markup=False)
    else:
        for objection in made:
            out.print(objection.receipt, markup=False)


def objection_list(found: Sequence[Objection], *, as_json: bool) -> None:
    """Report objections."""
    if as_json:
        as_object({"objections": found})
        return
    if not found:
        out.print("no objection")
        return
    columns = {"number": len(found[0].number), "received": 10, "due": 10}
    table(columns | dict.fromkeys(("services", "state", "reason"), 0), map(_row, found))


def _row(o: Objection) -> tuple[str, ...]:
    scope = "all" if o.service == ALL_SERVICES else o.service
    state = o.state if o.withdrawn_at is None else f"withdrawn {o.withdrawn_at:%Y-%m-%d}"
    return (o.number, _day(o.received_at), _day(o.due_at), scope, state, o.reason or "–")


def _day(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d}"


def reasons(suggested: Mapping[str, Sequence[str]], *, as_json: bool) -> None:
    """Show the reasons that people commonly give."""
    if as_json:
        as_object(suggested)
        return
    for language, sentences in suggested.items():
        for sentence in sentences:
            out.print(f"{language}  {sentence}", markup=False)


def receipt(claims: Sequence[Mapping[str, Any]], *, as_json: bool) -> None:
    """Report receipts whose signature fits."""
    if as_json:
        as_object({"valid": True, "receipts": claims})
        return
    for claim in claims:
        out.print(
            "[green]valid[/green]:", Text(f"{claim.get('number')}, {claim.get('received_at')}")
        )
        for line in _tree(claim, "  "):
            out.print(line, markup=False)


def _tree(value: object, pad: str) -> Iterator[str]:
    """Yield the lines of nested values, each within its own name."""
    match value:
        case Mapping():
            for name, inner in value.items():
                if inner and isinstance(inner, Mapping | list):
                    yield f"{pad}{name}:"
                    yield from _tree(inner, pad + "  ")
                else:
                    yield f"{pad}{name}: {as_text(inner)}"
        case list():
            for inner in value:
                yield from _tree(inner, pad)
        case _:
            yield f"{pad}{as_text(value)}"


def doubtful(found: Sequence[Doubtful], *, as_json: bool) -> None:
    """List the records that wait for a decision."""
    if as_json:
        as_object({"waiting": [_named(one) for one in found]})
        return
    if not found:
        out.print("no record waits for a decision")
        return
    columns = {"number": len(found[0].number), "record": 16, "due": 10, "proposed": 0, "found": 0}
    rows = ((d.number, f"{d.record_key:016x}", _day(d.due_at), d.act, d.how or "–") for d in found)
    table(columns, rows)


def _named(one: Doubtful) -> dict[str, Any]:
    fields = msgspec.structs.asdict(one) | {"record": f"{one.record_key:016x}"}
    del fields["record_key"]
    return fields


def reviewed(found: Reviewed, *, as_json: bool) -> None:
    """Show one record that an objection names, and what would be left of it."""
    item = found.item
    fields = {
        "number": item.number,
        "record": f"{item.record_key:016x}",
        "state": item.state,
        "act": item.act,
        "service": found.service,
        "written": found.written,
        "link": found.url,
        "pictures": found.pictures,
        "words": found.words,
        "masked": found.masked if found.masks else None,
    }
    plain(fields, as_json)
