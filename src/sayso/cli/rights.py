"""Commands of people's rights: objections, receipts, what is held of somebody."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from sayso.cli.common import Context, json_option
from sayso.errors import IntegrityError, UsageError


@click.command("object")
@click.argument("person")
@click.option("--service", "services", multiple=True, help="Only this service; repeatable.")
@click.option("--reason", default="", help="One sentence; recorded, never judged.")
@click.option("--receipt", "file", type=click.Path(dir_okay=False, path_type=Path),
              help="Write the signed receipt (JWS) to this file.")  # fmt: skip
@json_option
@click.pass_obj
def object_(
    context: Context,
    person: str,
    services: tuple[str, ...],
    reason: str,
    file: Path | None,
    as_json: bool,
) -> None:
    """Record a person's objection: accepted at once, whatever the reason.

    PERSON is the person's id or any of their accounts. Without --service it holds for all.
    """
    from sayso import report
    from sayso.rights import objections
    from sayso.rights.database import Rights
    from sayso.rights.objection import ALL_SERVICES
    from sayso.workspace import write_atomically

    rights = Rights(context.open())
    chosen = services or (ALL_SERVICES,)
    made = objections.receive(rights, person, services=chosen, reason=reason)
    if file:
        write_atomically(file, "\n".join(o.receipt for o in made).encode() + b"\n")
    report.objected(made, file, as_json=as_json)


@click.command("verify-receipt")
@click.argument("receipt", type=click.File("r"))
@click.option("--key", type=click.Path(path_type=Path), help="The operator's public key (JWK).")
@json_option
@click.pass_obj
def verify_receipt(context: Context, receipt: Any, key: Path | None, as_json: bool) -> None:
    """Check receipts offline: one JWS a line; needs only the operator's public key."""
    from sayso import report
    from sayso.rights import receipts

    public = key or context.home / "keys" / "receipts.pub.jwk"
    try:
        tokens = receipt.read().split()
    except UnicodeDecodeError as error:
        raise IntegrityError("the file is not text, so it is no receipt") from error
    if not tokens:
        raise IntegrityError("the file is empty, so there is no receipt to check")
    report.receipt([receipts.verify(token, public) for token in tokens], as_json=as_json)


@click.command()
@click.argument("person")
@click.option("--out", type=click.File("wb"), default="-", help="File to write; default stdout.")
@click.pass_obj
def export(context: Context, person: str, out: Any) -> None:
    """Write all that is held of a person as JSON Lines (GDPR Art. 15)."""
    from sayso.audit.access import held

    for line in held(context.open(), person, datetime.now(UTC)):
        out.write(line + b"\n")


@click.command()
@click.argument("action", type=click.Choice(["add", "list", "revoke"]))
@click.argument("name", required=False)
@click.option("--service", "services", multiple=True,
              help="With add: for records of this service only; repeatable.")  # fmt: skip
@click.option("--assistant", is_flag=True,
              help="With add: for asking the assistant (/v1), and for nothing else.")  # fmt: skip
@json_option
@click.pass_obj
def keys(
    context: Context,
    action: str,
    name: str | None,
    services: tuple[str, ...],
    assistant: bool,
    as_json: bool,
) -> None:
    """Add, list or revoke the keys by which programs hand in events, or ask the assistant.

    NAME says whose key it is. A new key is printed once; only a hash of it is kept.
    """
    from sayso import report
    from sayso.rights import api_keys
    from sayso.rights.database import Rights

    rights = Rights(context.create() if action == "add" else context.open())
    if action == "list":
        found = {key.name: key for key in api_keys.list_all(rights)}
        report.plain(found if as_json else {name: key.told for name, key in found.items()}, as_json)
        return
    if name is None:
        raise UsageError(f"`sayso keys {action}` needs the key's name")
    if action == "add":
        scope = (*services, api_keys.ASSISTANT) if assistant else services
        report.plain({"name": name, "key": api_keys.add(rights, name, scope)}, as_json)
    else:
        gone = api_keys.revoke(rights, name)
        report.plain({name: gone if as_json else gone.told}, as_json)
