"""Programs that may object for people."""

import click

from sayso.cli.common import Context, json_option
from sayso.errors import UsageError


@click.command()
@click.argument("action", type=click.Choice(["add", "list", "remove"]))
@click.argument("name", required=False)
@click.option("--title", default="", help="With add: its name for people.")
@click.option("--key", default="",
              help="With add: the Ed25519 key of its signatures, in base64.")  # fmt: skip
@click.option("--host", "hosts", multiple=True,
              help="With add: where it may be called, as agent.example; repeatable.")  # fmt: skip
@click.option("--verifies", is_flag=True,
              help="With add: it checks who somebody is: its word confirms.")  # fmt: skip
@json_option
@click.pass_obj
def agents(
    context: Context,
    action: str,
    name: str | None,
    title: str,
    key: str,
    hosts: tuple[str, ...],
    verifies: bool,
    as_json: bool,
) -> None:
    """Add, list or remove programs that may object for people.

    One with a key speaks the Data Rights Protocol and gets its token there; one without gets a
    token for OpenDSR, printed once. Unless it --verifies, people confirm by themselves what it
    asks for, and until then nothing new is trained on. See docs/rights-api.md.
    """
    from sayso import report
    from sayso.rights import agents as known
    from sayso.rights.database import Rights

    rights = Rights(context.create() if action == "add" else context.open())
    if action == "list":
        found = {agent.name: agent for agent in known.list_all(rights)}
        report.plain(found if as_json else {n: a.told for n, a in found.items()}, as_json)
        return
    if name is None:
        raise UsageError(f"`sayso agents {action}` needs the agent's id")
    if action == "add":
        token = known.add(rights, name, title=title, key=key, hosts=hosts, verifies=verifies)
        report.plain({"name": name} | ({"token": token} if token else {}), as_json)
        return
    removed = known.remove(rights, name)
    report.plain({name: removed if as_json else removed.told}, as_json)
