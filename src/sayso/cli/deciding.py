"""Commands of the gate: verdicts, reasons, policies."""

from datetime import UTC, datetime

import click

from sayso.cli.common import Context, at_option, json_option, moment
from sayso.errors import UsageError


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
@click.argument("action", type=click.Choice(["list", "show", "diff", "use"]))
@click.argument("name", required=False)
@json_option
@click.pass_obj
def policy(context: Context, action: str, name: str | None, as_json: bool) -> None:
    """List the policies, show one, say what one would change, or use one.

    NAME is 'strict', 'article', or the path of a TOML file.
    """
    from sayso import report
    from sayso.corpus import admission
    from sayso.gate import policy as room

    if action == "list":
        report.plain({n: room.load(n).description for n in room.BUILT_IN}, as_json)
        return
    if action == "show":
        shown = name or context.open().settings.policy
        report.policy(room.load(shown), room.source(shown), as_json=as_json)
        return
    if name is None:
        raise UsageError(f"`sayso policy {action}` needs the policy's name or file")
    workspace, other = context.open(), room.load(name)
    if action == "diff":
        now = datetime.now(UTC)
        report.policy_diff(
            admission.judge_all(workspace, now), admission.judge_all(workspace, now, other), as_json
        )
    else:
        admission.use_policy(workspace, name)
        report.plain({"policy": name, "next": "sayso train"}, as_json)
