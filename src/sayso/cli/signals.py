"""The command that reads what a file says of AI in a form for machines."""

import click

from sayso.cli.common import json_option

_KINDS = ("robots", "ai-txt", "tdmrep", "headers", "html", "media", "atproto", "actor", "c2pa")


@click.command("signals")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True))
@click.option(
    "--kind",
    type=click.Choice(_KINDS),
    help="What the file is; default: told by its name and content.",
)
@click.option("--path", help="Of the content that is asked about, as '/a/b.jpg'; default: all.")
@click.option(
    "--without",
    multiple=True,
    metavar="SIGNAL",
    help="A signal that is not to count, as robots-bots; may be given more than once.",
)
@json_option
def signals(
    file: str, kind: str | None, path: str | None, without: tuple[str, ...], *, as_json: bool
) -> None:
    """Say what FILE ('-' for stdin) says of AI in a form for machines, and what follows.

    Any no wins; what cannot be read is never a yes; then a yes counts; else nothing is known. FILE
    is a robots.txt, ai.txt, tdmrep.json, dump of headers, page, picture, document, sidecar, record
    of an atproto account, actor of ActivityPub, or a manifest store of C2PA as JSON.
    """
    import msgspec

    from sayso.errors import UsageError
    from sayso.rights.signals import files
    from sayso.rights.signals.media import LARGEST
    from sayso.rights.signals.model import SIGNALS, Readings
    from sayso.rights.signals.resolve import verdict

    if unknown := set(without) - SIGNALS.keys():
        raise UsageError(f"no signal is called {min(unknown)}", f"one of: {', '.join(SIGNALS)}")
    with click.open_file(file, "rb") as stream:
        data = stream.read(LARGEST + 1)
    found = kind or files.kind_of(data, file)
    if not found:
        raise UsageError("what the file is cannot be told", f"say --kind {'|'.join(files.KINDS)}")
    readings = Readings(signals=frozenset(SIGNALS) - set(without))
    statements = files.read(data, found, name=file, path=path, readings=readings)
    answer = verdict(statements, readings=readings).answer
    if as_json:
        told = {"kind": found, "verdict": answer, "statements": msgspec.to_builtins(statements)}
        click.echo(msgspec.json.encode(told).decode())
        return
    for each in statements:
        pictures = " (pictures only)" if each.scope == "image" else ""
        click.echo(f"{each.value:<10}  {each.signal}  {each.category}{pictures}  {each.where}")
        click.echo(f"            read as {each.version}")
    click.echo(f"verdict: {answer}")
