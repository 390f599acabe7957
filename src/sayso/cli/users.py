"""Who may sign in on the pages."""

import sys
from typing import IO, Any

import click

from sayso.cli.common import Context, json_option
from sayso.errors import UsageError

ACTIONS = ["add", "list", "role", "password", "disable", "enable", "remove"]


@click.command()
@click.argument("action", type=click.Choice(ACTIONS))
@click.argument("name", required=False)
@click.option("--role", type=click.Choice(["member", "operator", "auditor"]),
              help="With add and role: what they may see and do.")  # fmt: skip
@click.option("--person", default="",
              help="With add and role: whose data is theirs, one of their accounts.")  # fmt: skip
@click.option("--password-file", type=click.File("r", encoding="utf-8"),
              help="With add and password: its first line is it; '-' = stdin.")  # fmt: skip
@json_option
@click.pass_obj
def users(
    context: Context,
    action: str,
    name: str | None,
    role: Any,
    person: str,
    password_file: IO[str] | None,
    as_json: bool,
) -> None:
    """Add, list, change, disable or remove those who may sign in.

    A password is asked for on a terminal; elsewhere, without --password-file, one is made. What
    was made is printed once. Whoever is disabled, removed or given another password is signed out
    everywhere. Members usually sign in at their service instead: see docs/sign-in.md.
    """
    from sayso import report
    from sayso.rights import users as known
    from sayso.rights.database import Rights

    rights = Rights(context.create() if action == "add" else context.open())
    if action == "list":
        found = {user.name: user for user in known.list_all(rights)}
        report.plain(found if as_json else {n: user.told for n, user in found.items()}, as_json)
        return
    if name is None:
        raise UsageError(f"`sayso users {action}` needs the user's name")
    if action in ("add", "role") and role is None:
        raise UsageError(
            f"`sayso users {action}` needs a role", "--role member, operator or auditor"
        )
    told: dict[str, Any] = {}
    match action:
        case "add":
            password, shown = _password(password_file)
            user = known.add(rights, name, role, password, person)
            told = {name: user if as_json else user.told} | shown
        case "password":
            password, shown = _password(password_file)
            with rights.writing() as connection:
                known.set_password(connection, rights, name, password)
            told = {name: "has another password"} | shown
        case "role":
            user = known.set_role(rights, name, role, person)
            told = {name: user if as_json else user.told}
        case "disable" | "enable":
            user = (
                known.disable(rights, name) if action == "disable" else known.enable(rights, name)
            )
            told = {name: user if as_json else user.told}
        case "remove":
            known.remove(rights, name)
            told = {name: "removed"}
    report.plain(told, as_json)


def _password(file: IO[str] | None) -> tuple[str, dict[str, str]]:
    """Return the password, and what is to be shown of it: one that was made here, nothing else."""
    from sayso.rights import passwords

    if file is not None:
        return file.readline().rstrip("\r\n"), {}
    if sys.stdin.isatty():
        asked = "Password (nothing = one is made)"
        typed: str = click.prompt(
            asked, "", hide_input=True, confirmation_prompt=True, show_default=False, err=True
        )
        if typed:
            return typed, {}
    made = passwords.generated()
    return made, {"password": made}
