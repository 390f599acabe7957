"""Commands of the gate: verdicts, reasons, policies."""

from datetime import UTC, datetime

import click

from sayso.cli.common import Context, at_option, json_option, moment
from sayso.errors import UsageError

HASH_BEGINS = 8


@click.command()
@at_option
@json_option
@click.pass_obj
def gate(context: Context, at: datetime | None, as_json: bool) -> None:
    """Judge all records and print the verdicts with their reasons."""
    from sayso import report
    from sayso.corpus import admission

    workspace = context.open()
    judged = admission.judge_all(workspace, moment(at))
    admission.note(workspace, judged)
    report.verdicts(judged, as_json=as_json)


@click.command()
@click.argument("record_id")
@at_option
@json_option
@click.pass_obj
def explain(context: Context, record_id: str, at: datetime | None, as_json: bool) -> None:
    """Say which rule decided on a record, and from which evidence."""
    from sayso import report
    from sayso.corpus import admission

    rule, findings = admission.explain(context.open(), record_id, moment(at))
    report.explanation(rule, findings, as_json=as_json)


@click.command()
@click.argument("action", type=click.Choice(["list", "show", "diff", "use", "history"]))
@click.argument("name", required=False)
@click.option("--because", default="", help="With use: why; kept in the history.")
@json_option
@click.pass_obj
def policy(context: Context, action: str, name: str | None, because: str, as_json: bool) -> None:
    """List the policies, show one, say what one would change, use one, or show which were in use.

    NAME is 'strict', 'article', or the path of a TOML file; with show also the hash of one that
    was in use.
    """
    from sayso import report
    from sayso.corpus import admission
    from sayso.gate import history
    from sayso.gate import policy as room
    from sayso.rights.database import Rights

    if action == "list":
        report.plain({n: room.load(n).description for n in room.BUILT_IN}, as_json)
        return
    if action == "show":
        shown = name or context.open().settings.policy
        if _is_hash(shown):
            with Rights(context.open()).reading() as connection:
                version = history.find(connection, shown)
            report.policy(room.parse(version.text, shown), version.text.encode(), as_json=as_json)
        else:
            report.policy(room.load(shown), room.source(shown), as_json=as_json)
        return
    if action == "history":
        with Rights(context.open()).reading() as connection:
            report.policy_history(history.versions(connection), as_json)
        return
    if name is None:
        raise UsageError(f"`sayso policy {action}` needs the policy's name or file")
    workspace, other = context.open(), room.load(name)
    if action == "diff":
        from sayso.training.compare import compare

        report.policy_diff(compare(workspace, datetime.now(UTC), other), as_json)
    else:
        admission.use_policy(workspace, name, "command line", because)
        report.plain({"policy": name, "next": "sayso train"}, as_json)


def _is_hash(name: str) -> bool:
    return len(name) >= HASH_BEGINS and set(name) <= set("0123456789abcdef")
