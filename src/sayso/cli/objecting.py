"""Commands of the staff: objections, their deadlines, files of them, and who stays out."""

from pathlib import Path

import click

from sayso.cli.common import Context, json_option
from sayso.errors import InputError, UsageError

STATES = ("pending", "confirmed", "lapsed")


@click.command()
@click.option("--state", type=click.Choice(STATES), help="List only those in this state.")
@click.option("--overdue", is_flag=True, help="List only those still open after their deadline.")
@click.option("--confirm", multiple=True, metavar="NUMBER", help="Confirm a claim; repeatable.")
@click.option("--lapse", metavar="NUMBER", help="End a claim as somebody else's.")
@click.option("--extend", metavar="NUMBER", help="Put a deadline off; the person is told why.")
@click.option("--months", type=click.IntRange(1, 2), default=1, show_default=True,
              help="With --extend: by how many months, two in all.")  # fmt: skip
@click.option("--because", default="", help="With --lapse and --extend: the reason.")
@click.option("--import", "file", type=click.Path(dir_okay=False, path_type=Path),
              help="Take the objections of a CSV or JSON Lines file.")  # fmt: skip
@click.option("--withdraw", metavar="NUMBER", help="Take an objection back.")
@click.option("--reasons", is_flag=True, help="Show the reasons that people commonly give.")
@json_option
@click.pass_obj
def objections(
    context: Context,
    state: str | None,
    overdue: bool,
    confirm: tuple[str, ...],
    lapse: str | None,
    extend: str | None,
    months: int,
    because: str,
    file: Path | None,
    withdraw: str | None,
    reasons: bool,
    as_json: bool,
) -> None:
    """List the objections, or do one thing about some: confirm, end, put off, import, withdraw.

    A withdrawal is the person's own, separate, explicit act.
    """
    from sayso import report
    from sayso.corpus import erase
    from sayso.rights import deadlines, staff
    from sayso.rights import objections as room
    from sayso.rights.database import Rights, now
    from sayso.rights.objection import SUGGESTED_REASONS

    if reasons:
        report.reasons(SUGGESTED_REASONS, as_json=as_json)
        return
    acts = [name for name in (confirm, lapse, extend, file, withdraw) if name]
    if len(acts) > 1:
        raise UsageError("one act at a time: --confirm, --lapse, --extend, --import or --withdraw")
    workspace = context.open()
    rights, actor = Rights(workspace), staff.COMMAND_LINE
    if file:
        _import(context, file, as_json)
    elif withdraw:
        report.objection_list([erase.withdraw(workspace, withdraw)], as_json=as_json)
    elif confirm:
        report.objection_list(staff.confirm(rights, confirm, actor), as_json=as_json)
    elif lapse:
        report.objection_list([staff.lapse(rights, lapse, because, actor)], as_json=as_json)
    elif extend:
        extended = staff.extend(rights, extend, months, because, actor)
        report.objection_list([extended], as_json=as_json)
    elif overdue:
        late = [o for o in deadlines.overdue_ones(rights, now()) if state in (None, o.state)]
        report.objection_list(late, as_json=as_json)
    else:
        report.objection_list(room.list_all(rights, state or ""), as_json=as_json)


def _import(context: Context, file: Path, as_json: bool) -> None:
    from sayso import report
    from sayso.corpus import rejects
    from sayso.rights import bulk, staff
    from sayso.rights.database import Rights

    workspace = context.open()
    done = bulk.import_file(Rights(workspace), file, staff.COMMAND_LINE)
    told = {"read": done.read, "objections": done.taken, "known_already": done.known}
    told["rejected"] = len(done.rejected)
    where = {"rejects_file": str(rejects.write(workspace, done.rejected))} if done.rejected else {}
    report.plain(told | where, as_json)
    if done.rejected:
        raise click.exceptions.Exit(InputError.exit_code)


@click.command()
@click.argument("action", type=click.Choice(["export", "import", "add", "remove", "check"]))
@click.argument("what")
@click.option("--service", default="*", help="With add: for this service only; default: all.")
@json_option
@click.pass_obj
def suppressions(context: Context, action: str, what: str, service: str, as_json: bool) -> None:
    """Keep, take along and ask the list of accounts that stay out, as keyed hashes.

    WHAT is a file for export and import; a person's id or account to add, remove or check.
    """
    from sayso import report
    from sayso.rights import staff
    from sayso.rights import suppressions as room
    from sayso.rights.database import Rights

    rights = Rights(context.open())
    if action == "export":
        try:
            with Path(what).open("wb") as out:
                report.plain({"exported": room.export(rights, out), "file": what}, as_json)
        except OSError as error:
            raise UsageError(f"{what} cannot be written: {error.strerror}") from error
    elif action == "import":
        report.plain({"added": room.import_list(rights, Path(what))}, as_json)
    elif action == "add":
        report.plain({"added": room.add(rights, what, service, staff.COMMAND_LINE)}, as_json)
    elif action == "remove":
        report.plain({"removed": room.remove(rights, what, staff.COMMAND_LINE)}, as_json)
    else:
        found = room.check(rights, what)
        report.plain({"stays_out": bool(found), "by": [s.number or "list" for s in found]}, as_json)
