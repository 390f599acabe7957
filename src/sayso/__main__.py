"""The program `sayso`: runs the command line and turns errors into one line and an exit code."""

import os
import sys
import traceback
from pathlib import Path
from typing import NoReturn

import click

from sayso.cli import cli
from sayso.errors import SaysoError, UsageError


def main() -> NoReturn:
    """Run the command line; every deliberate error becomes one line and its exit code."""
    try:
        code = cli.main(standalone_mode=False)
    except click.exceptions.Exit as end:
        code = end.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted; what was finished is kept", err=True)
        code = 130
    except click.ClickException as error:
        error.show()
        code = UsageError.exit_code
    except SaysoError as error:
        _say(error.problem, error.hint)
        code = error.exit_code
    except BrokenPipeError:
        sys.stderr.close()
        code = 1
    except Exception as error:
        # The text of an unforeseen error could hold a member's words: its type and place do.
        place = traceback.extract_tb(error.__traceback__)[-1]
        if os.environ.get("SAYSO_DEBUG"):
            raise
        _say(
            f"unforeseen {type(error).__name__} at {Path(place.filename).name}:{place.lineno}",
            "SAYSO_DEBUG=1 shows more; please report it",
        )
        code = SaysoError.exit_code
    sys.exit(code if isinstance(code, int) else 0)


def _say(problem: str, hint: str) -> None:
    click.echo(f"error: {problem}", err=True)
    if hint:
        click.echo(f"  next: {hint}", err=True)


if __name__ == "__main__":
    main()
