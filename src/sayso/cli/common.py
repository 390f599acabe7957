"""What every command needs: the workspace, the options they share, how a check ends."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sayso.errors import IntegrityError

if TYPE_CHECKING:
    from sayso.audit.verify import Verdict
    from sayso.workspace import Workspace

json_option = click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
at_option = click.option(
    "--at",
    type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]),
    help="Do as if it were this moment (UTC); default: now.",
)


class Context:
    """What every command needs: the workspace and how to report."""

    def __init__(self, home: Path) -> None:
        self.home = home

    def open(self) -> "Workspace":
        """Open the workspace, which must be there."""
        from sayso.workspace import Workspace

        return Workspace.open(self.home)

    def create(self) -> "Workspace":
        """Open the workspace, made if it is not there."""
        from sayso.workspace import Workspace

        return Workspace.create(self.home)


def conclude(verdict: "Verdict", *, as_json: bool) -> None:
    """Print a check's verdict, and end with its exit code if it failed."""
    from sayso import report

    report.verdict(verdict, as_json=as_json)
    if not verdict.passed:
        raise click.exceptions.Exit(IntegrityError.exit_code)


def moment(at: datetime | None) -> datetime:
    """Return the moment that `--at` names (UTC), or the present one."""
    return datetime.now(UTC) if at is None else at.replace(tzinfo=UTC)
