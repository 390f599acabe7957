"""Commands that train, serve and prove."""

from datetime import datetime
from pathlib import Path

import click

from sayso.cli.common import Context, at_option, conclude, json_option, moment


@click.command()
@at_option
@json_option
@click.pass_obj
def train(context: Context, at: datetime | None, as_json: bool) -> None:
    """Bring the model in step with the records: train what is new, forget what went."""
    from sayso import report
    from sayso.training.train import train as run

    with report.cells_progress("training") as progress:
        outcome = run(context.open(), moment(at), progress)
    report.trained(outcome, as_json=as_json)


@click.command()
@click.option("--host", help="Address to listen on; default from sayso.toml.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port; default from sayso.toml.")
@click.pass_obj
def serve(context: Context, host: str | None, port: int | None) -> None:
    """Serve the assistant: web pages, OpenAI-compatible API, and the worker."""
    from sayso import report
    from sayso.web.serve import serve as run

    workspace = context.open()
    serving = workspace.settings.serving
    report.log_to_stderr()
    run(workspace, host or serving.host, serving.port if port is None else port, report.serving)


@click.command()
@click.option("--cells", type=click.IntRange(min=1), help="Rebuild only about this many cells.")
@json_option
@click.pass_obj
def verify(context: Context, cells: int | None, as_json: bool) -> None:
    """Rebuild cells from nothing and compare hashes: is the served model what it should be?"""
    from sayso import report
    from sayso.audit.verify import verify as run

    with report.cells_progress("rebuilding") as progress:
        verdict = run(context.open(), cells, progress)
    conclude(verdict, as_json=as_json)


@click.command()
@json_option
@click.pass_obj
def audit(context: Context, as_json: bool) -> None:
    """Check that what was erased is gone from the bytes on disk, and that the ledger is whole."""
    from sayso.audit.erasure import audit as run

    conclude(run(context.open()), as_json=as_json)


@click.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--to", "recipient", default="", help="Who gets it; noted in the ledger.")
@json_option
@click.pass_obj
def publish(context: Context, folder: Path, recipient: str, as_json: bool) -> None:
    """Write the current release to a folder, as a standard PEFT adapter with its card."""
    from sayso import report
    from sayso.audit.cards import publish as run

    release = run(context.open(), folder, recipient)
    report.plain({"release": release.name, "hash": release.hash, "folder": str(folder)}, as_json)


@click.command()
@json_option
@click.pass_obj
def status(context: Context, as_json: bool) -> None:
    """Show what the workspace holds and what is served."""
    from sayso import report
    from sayso.audit.overview import overview

    report.overview(overview(context.open()), as_json)


@click.command()
@click.option("--data", type=click.Path(path_type=Path), help="Records to run on; default: sample/")
@click.option("--tokens", type=click.IntRange(min=1), help="Train on at most this many tokens.")
@click.option("--serve/--no-serve", default=True, help="Leave the server running at the end.")
@click.option("--report", "report_file", type=click.Path(dir_okay=False, path_type=Path),
              help="Write the figures to this JSON file.")  # fmt: skip
@click.pass_obj
def demo(
    context: Context,
    data: Path | None,
    tokens: int | None,
    serve: bool,
    report_file: Path | None,
) -> None:
    """Tell the whole story: import, gate, train, answer, object, gone, rebuilt bit-identical."""
    from sayso.demo import run

    run(context.home, data, tokens, report_file)
    if serve:
        from sayso import report
        from sayso.web.serve import serve as start

        serving = context.open().settings.serving
        report.log_to_stderr()
        start(context.open(), serving.host, serving.port, report.serving)
