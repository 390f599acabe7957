"""The command for records that may name or show somebody who objects."""

import re

import click

from sayso.cli.common import Context, json_option
from sayso.errors import UsageError

ACTS = ("out", "mask", "none")


@click.command()
@click.argument("number", required=False)
@click.argument("record", required=False)
@click.option("--decide", type=click.Choice(ACTS),
              help="Take the record out, mask the name in it, or leave it.")  # fmt: skip
@json_option
@click.pass_obj
def review(
    context: Context, number: str | None, record: str | None, decide: str | None, as_json: bool
) -> None:
    """List the records that wait for a decision, show one with its words, or decide about it.

    NUMBER is an objection's, RECORD a record's key as the list gives it. Nothing new is trained on
    a record while it waits. Who looks and who decides is kept in the log of the staff.
    """
    from sayso import report
    from sayso.corpus import reviewing
    from sayso.rights import queue, staff
    from sayso.rights.database import Rights

    workspace = context.open()
    rights = Rights(workspace)
    if number is None or record is None:
        if decide:
            raise UsageError("--decide needs an objection's number and a record", "`sayso review`")
        found: list[queue.Doubtful] = []
        more = True
        with rights.reading() as connection:
            while more:
                after = found[-1].place if found else ""
                some, more = queue.doubtful(connection, number or "", after)
                found += some
        report.doubtful(found, as_json=as_json)
        return
    key = _key(record)
    if decide:
        reviewing.decide(workspace, number, key, decide, staff.COMMAND_LINE)
        report.plain({"number": number, "record": record, "decided": decide}, as_json)
        return
    reviewed = reviewing.look(workspace, number, key)
    staff.looked(rights, staff.COMMAND_LINE, "looked at a record", number)
    report.reviewed(reviewed, as_json=as_json)


def _key(record: str) -> int:
    if not re.fullmatch("[0-9a-fA-F]{16}", record):
        raise UsageError("a record's key has 16 hexadecimal digits", "see `sayso review`")
    return int(record, 16)
