"""The command line: one thin command a verb; what is heavy loads when it is needed."""

from pathlib import Path

import click

from sayso import __version__
from sayso.cli import agents, data, deciding, models, objecting, reviewing, rights, signals, users
from sayso.cli.common import Context

EPILOG = (
    "Exit codes: 0 done; 1 a step failed; 2 the call or the settings are wrong; 3 some input could "
    "not be taken; 4 a hash, signature or chain does not match; 5 a part is not installed; "
    "6 the workspace is missing or busy; 7 given up for something more urgent; 130 interrupted."
)


@click.group(epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="sayso")
@click.option(
    "--home",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(".sayso"),
    envvar="SAYSO_HOME",
    show_default=True,
    show_envvar=True,
    help="The workspace.",
)
@click.pass_context
def cli(context: click.Context, home: Path) -> None:
    """Train a community's own AI on what its members post, and forget on their say-so."""
    context.obj = Context(home)


for command in (
    data.import_,
    data.listen,
    deciding.gate,
    deciding.explain,
    signals.signals,
    models.train,
    models.serve,
    rights.object_,
    objecting.objections,
    objecting.suppressions,
    reviewing.review,
    models.verify,
    rights.verify_receipt,
    models.audit,
    models.publish,
    rights.export,
    data.export_records,
    deciding.policy,
    rights.keys,
    agents.agents,
    users.users,
    models.status,
    models.demo,
):
    cli.add_command(command)
