"""The command line: one thin command a verb; what is heavy loads when it is needed."""

import os
import signal
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sayso import __version__
from sayso.errors import InputError, IntegrityError, UsageError

if TYPE_CHECKING:
    from sayso.audit.verify import Verdict
    from sayso.workspace import Workspace

EPILOG = (
    "Exit codes: 0 done; 1 a step failed; 2 the call or the settings are wrong; 3 some input could "
    "not be taken; 4 a hash, signature or chain does not match; 5 a part is not installed; "
    "6 the workspace is missing or busy; 7 given up for something more urgent; 130 interrupted."
)

json_option = click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
at_option = click.option(
    "--at",
    type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]),
    help="Do as if it were this moment (UTC); default: now.",
)


class _Context:
    """What every command needs: the workspace and how to report."""

    def __init__(self, home: Path) -> None:
        self.home = home

    def open(self) -> "Workspace":
        from sayso.workspace import Workspace

        return Workspace.open(self.home)

    def create(self) -> "Workspace":
        from sayso.workspace import Workspace

        return Workspace.create(self.home)


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
    context.obj = _Context(home)


@cli.command("import")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--audience", type=click.Choice(("public", "unlisted")),
              help="Your word on records that tell no audience; needs --because.")  # fmt: skip
@click.option("--because", default="", help="Why you can say so; noted in the ledger.")
@json_option
@click.pass_obj
def import_(
    context: _Context, paths: tuple[Path, ...], audience: str | None, because: str, as_json: bool
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


@cli.command()
@click.argument("address", default="-")
@click.option("--token-file", type=click.File("r"),
              help="File with the token that the source wants; default: SAYSO_TOKEN.")  # fmt: skip
@click.option("--name", default="", help="Tells several listeners to one source apart.")
@json_option
@click.pass_obj
def listen(context: _Context, address: str, token_file: Any, name: str, as_json: bool) -> None:
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


@cli.command()
@at_option
@json_option
@click.pass_obj
def gate(context: _Context, at: datetime | None, as_json: bool) -> None:
    """Judge all records and print the verdicts with their reasons."""
    from sayso import report
    from sayso.corpus import admission

    workspace = context.open()
    judged = admission.judge_all(workspace, _moment(at))
    admission.note(workspace, judged)
    report.verdicts(judged, as_json=as_json)


@cli.command()
@click.argument("record_id")
@at_option
@json_option
@click.pass_obj
def explain(context: _Context, record_id: str, at: datetime | None, as_json: bool) -> None:
    """Say which rule decided on a record, and from which evidence."""
    from sayso import report
    from sayso.corpus import admission

    rule, findings = admission.explain(context.open(), record_id, _moment(at))
    report.explanation(rule, findings, as_json=as_json)


@cli.command()
@at_option
@json_option
@click.pass_obj
def train(context: _Context, at: datetime | None, as_json: bool) -> None:
    """Bring the model in step with the records: train what is new, forget what went."""
    from sayso import report
    from sayso.training.train import train as run

    with report.cells_progress("training") as progress:
        outcome = run(context.open(), _moment(at), progress)
    report.trained(outcome, as_json=as_json)


@cli.command()
@click.option("--host", help="Address to listen on; default from sayso.toml.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port; default from sayso.toml.")
@click.pass_obj
def serve(context: _Context, host: str | None, port: int | None) -> None:
    """Serve the assistant: web pages, OpenAI-compatible API, and the worker."""
    from sayso import report
    from sayso.web.serve import serve as run

    workspace = context.open()
    serving = workspace.settings.serving
    report.log_to_stderr()
    run(workspace, host or serving.host, serving.port if port is None else port, report.serving)


@cli.command("object")
@click.argument("person")
@click.option("--service", "services", multiple=True, help="Only this service; repeatable.")
@click.option("--reason", default="", help="One sentence; recorded, never judged.")
@click.option("--receipt", "file", type=click.Path(dir_okay=False, path_type=Path),
              help="Write the signed receipt (JWS) to this file.")  # fmt: skip
@json_option
@click.pass_obj
def object_(
    context: _Context,
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
    from sayso.workspace import write_atomically

    rights = Rights(context.open())
    chosen = services or (objections.ALL_SERVICES,)
    made = objections.receive(rights, person, services=chosen, reason=reason)
    if file:
        write_atomically(file, "\n".join(o.receipt for o in made).encode() + b"\n")
    report.objected(made, file, as_json=as_json)


@cli.command()
@click.option("--withdraw", metavar="NUMBER", help="Take an objection back.")
@click.option("--reasons", is_flag=True, help="Show the reasons that people commonly give.")
@json_option
@click.pass_obj
def objections(context: _Context, withdraw: str | None, reasons: bool, as_json: bool) -> None:
    """List the objections, or withdraw one as a separate, explicit act."""
    from sayso import report
    from sayso.corpus import erase
    from sayso.rights import objections as room
    from sayso.rights.database import Rights

    if reasons:
        report.reasons(room.SUGGESTED_REASONS, as_json=as_json)
        return
    workspace = context.open()
    if withdraw:
        report.objection_list([erase.withdraw(workspace, withdraw)], as_json=as_json)
    else:
        report.objection_list(room.list_all(Rights(workspace)), as_json=as_json)


@cli.command()
@click.option("--cells", type=click.IntRange(min=1), help="Rebuild only about this many cells.")
@json_option
@click.pass_obj
def verify(context: _Context, cells: int | None, as_json: bool) -> None:
    """Rebuild cells from nothing and compare hashes: is the served model what it should be?"""
    from sayso import report
    from sayso.audit.verify import verify as run

    with report.cells_progress("rebuilding") as progress:
        verdict = run(context.open(), cells, progress)
    _conclude(verdict, as_json=as_json)


@cli.command("verify-receipt")
@click.argument("receipt", type=click.File("r"))
@click.option("--key", type=click.Path(path_type=Path), help="The operator's public key (JWK).")
@json_option
@click.pass_obj
def verify_receipt(context: _Context, receipt: Any, key: Path | None, as_json: bool) -> None:
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


@cli.command()
@json_option
@click.pass_obj
def audit(context: _Context, as_json: bool) -> None:
    """Check that what was erased is gone from the bytes on disk, and that the ledger is whole."""
    from sayso.audit.erasure import audit as run

    _conclude(run(context.open()), as_json=as_json)


@cli.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--to", "recipient", default="", help="Who gets it; noted in the ledger.")
@json_option
@click.pass_obj
def publish(context: _Context, folder: Path, recipient: str, as_json: bool) -> None:
    """Write the current release to a folder, as a standard PEFT adapter with its card."""
    from sayso import report
    from sayso.audit.cards import publish as run

    release = run(context.open(), folder, recipient)
    report.plain({"release": release.name, "hash": release.hash, "folder": str(folder)}, as_json)


@cli.command()
@click.argument("person")
@click.option("--out", type=click.File("wb"), default="-", help="File to write; default stdout.")
@click.pass_obj
def export(context: _Context, person: str, out: Any) -> None:
    """Write all that is held of a person as JSON Lines (GDPR Art. 15)."""
    from sayso.audit.access import held

    for line in held(context.open(), person, datetime.now(UTC)):
        out.write(line + b"\n")


@cli.command("export-records")
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
def export_records(context: _Context, form: Any, out: Any, recipient: str) -> None:
    """Write all stored records, so that `sayso import` reads them back the same.

    But for those of people who object, and of accounts that are private, opted out or gone.
    """
    from sayso.corpus.export import records

    for piece in records(context.open(), form, recipient):
        out.write(piece)


@cli.command()
@click.argument("action", type=click.Choice(["list", "show", "diff", "use"]))
@click.argument("name", required=False)
@json_option
@click.pass_obj
def policy(context: _Context, action: str, name: str | None, as_json: bool) -> None:
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


@cli.command()
@click.argument("action", type=click.Choice(["add", "list", "revoke"]))
@click.argument("name", required=False)
@click.option("--service", "services", multiple=True,
              help="With add: for records of this service only; repeatable.")  # fmt: skip
@json_option
@click.pass_obj
def keys(
    context: _Context, action: str, name: str | None, services: tuple[str, ...], as_json: bool
) -> None:
    """Add, list or revoke the keys by which programs hand in events over HTTP.

    NAME says whose key it is. A new key is printed once; only a hash of it is kept.
    """
    from sayso import report
    from sayso.rights import api_keys
    from sayso.rights.database import Rights

    rights = Rights(context.create())
    if action == "list":
        found = {key.name: key for key in api_keys.list_all(rights)}
        report.plain(found if as_json else {name: key.told for name, key in found.items()}, as_json)
        return
    if name is None:
        raise UsageError(f"`sayso keys {action}` needs the key's name")
    if action == "add":
        report.plain({"name": name, "key": api_keys.add(rights, name, services)}, as_json)
    else:
        gone = api_keys.revoke(rights, name)
        report.plain({name: gone if as_json else gone.told}, as_json)


@cli.command()
@json_option
@click.pass_obj
def status(context: _Context, as_json: bool) -> None:
    """Show what the workspace holds and what is served."""
    from sayso import report
    from sayso.audit.overview import overview

    report.overview(overview(context.open()), as_json)


@cli.command()
@click.option("--data", type=click.Path(path_type=Path), help="Records to run on; default: sample/")
@click.option("--tokens", type=click.IntRange(min=1), help="Train on at most this many tokens.")
@click.option("--serve/--no-serve", default=True, help="Leave the server running at the end.")
@click.option("--report", "report_file", type=click.Path(dir_okay=False, path_type=Path),
              help="Write the figures to this JSON file.")  # fmt: skip
@click.pass_obj
def demo(
    context: _Context,
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


def _conclude(verdict: "Verdict", *, as_json: bool) -> None:
    from sayso import report

    report.verdict(verdict, as_json=as_json)
    if not verdict.passed:
        raise click.exceptions.Exit(IntegrityError.exit_code)


def _moment(at: datetime | None) -> datetime:
    return datetime.now(UTC) if at is None else at.replace(tzinfo=UTC)
