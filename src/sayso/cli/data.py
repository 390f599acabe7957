"""Commands that bring records in and out."""

import os
import signal
from pathlib import Path
from typing import Any

import click

from sayso.cli.common import Context, json_option
from sayso.errors import InputError, UsageError


@click.command("import")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--audience", type=click.Choice(("public", "unlisted")),
              help="Your word on records that tell no audience; needs --because.")  # fmt: skip
@click.option("--because", default="", help="Why you can say so; noted in the ledger.")
@json_option
@click.pass_obj
def import_(
    context: Context, paths: tuple[Path, ...], audience: str | None, because: str, as_json: bool
) -> None:
    """Take in what platforms export: files, folders, zips; what they are is told by their content.

    Documents are looked through before anything is stored; private messages are never opened.
    Idempotent by id and revision. Items that cannot be read go to a rejects file; the rest is
    taken, and the exit code is 3.
    """
    from sayso import report
    from sayso.corpus import ingest

    if (audience is None) != (not because.strip()):
        raise UsageError(
            "--audience and --because belong together",
            'say for example --audience public --because "a public group, see its settings"',
        )
    declared = ingest.Declared(audience, because) if audience else None
    with report.bytes_progress("importing") as progress:
        exports = ingest.look_through(list(paths), progress)
        workspace = context.create()
        done = ingest.import_exports(workspace, exports, progress, declared)
    report.imported(workspace, done, as_json=as_json)
    if done.rejected:
        raise click.exceptions.Exit(InputError.exit_code)


@click.command()
@click.argument("address", default="-")
@click.option("--token-file", type=click.File("r"),
              help="File with the token that the source wants; default: SAYSO_TOKEN.")  # fmt: skip
@click.option("--name", default="", help="Tells several listeners to one source apart.")
@json_option
@click.pass_obj
def listen(context: Context, address: str, token_file: Any, name: str, as_json: bool) -> None:
    """Follow a live source and store what comes within about half a second.

    ADDRESS says what it is: '-' (stdin) or a file, lines until they end; wss://HOST/subscribe
    (Bluesky's Jetstream), mastodon+https://HOST, nats://HOST:PORT/STREAM, kafka://HOST:PORT/TOPIC.
    These are followed until Ctrl-C or SIGTERM, and connected again when they are lost.
    """
    from sayso import report
    from sayso.corpus.listen import ended_by_signals
    from sayso.corpus.listen import listen as follow
    from sayso.sources.feeds import LinesFeed, open_feed

    token = token_file.read() if token_file else os.environ.get("SAYSO_TOKEN", "")
    feed = open_feed(address, token.strip())
    endless = not isinstance(feed, LinesFeed)
    if endless:
        report.log_to_stderr()
    with ended_by_signals() as ending:
        done = follow(context.create(), feed, ending.stop, name=name, endless=endless)
    if ending.signal == signal.SIGINT:
        raise KeyboardInterrupt
    if ending.signal is None:
        report.imported(context.open(), done, as_json=as_json)
        if done.rejected:
            raise click.exceptions.Exit(InputError.exit_code)


@click.command("export-records")
@click.option(
    "--format",
    "form",
    type=click.Choice(["jsonl", "activitystreams"]),
    default="jsonl",
    show_default=True,
    help="Sayso's own lines, or one collection that other software reads, too.",
)
@click.option("--out", type=click.File("wb"), default="-", help="File to write; default stdout.")
@click.option("--to", "recipient", default="", help="Who gets it; noted in the ledger.")
@click.pass_obj
def export_records(context: Context, form: Any, out: Any, recipient: str) -> None:
    """Write all stored records, so that `sayso import` reads them back the same.

    But for those of people who object, and of accounts that are private, opted out or gone.
    """
    from sayso.corpus.export import records

    for piece in records(context.open(), form, recipient):
        out.write(piece)
