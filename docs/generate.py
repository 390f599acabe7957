"""Write the generated pages of docs/: commands.md, settings.md, gate.md.

    python docs/generate.py

Everything on them is read from the code, so that they cannot say anything else than it does;
`tests/test_docs.py` fails when they are behind.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import click
import msgspec
from msgspec import inspect

from sayso.cli import cli
from sayso.gate import policy
from sayso.gate.rules import ALLOWED, FACTS, RULES
from sayso.settings import Settings

DOCS: Final = Path(__file__).parent
NOTICE: Final = "<!-- Written by docs/generate.py: change the code, then run `make docs`. -->"


def main() -> None:
    """Write every page that has changed."""
    for name, text in render().items():
        path = DOCS / name
        if not path.exists() or path.read_text("utf-8") != text:
            path.write_text(text, "utf-8")
            click.echo(f"wrote {path}", err=True)


def render() -> dict[str, str]:
    """Return the generated pages: file name to text."""
    pages = {"commands.md": _commands(), "settings.md": _settings(), "gate.md": _gate()}
    return {name: "\n".join([NOTICE, "", *lines]) + "\n" for name, lines in pages.items()}


def commands() -> Iterator[tuple[str, click.Command, click.Context]]:
    """Yield every command with its full name and a context to describe it in, `sayso` first."""
    top = click.Context(cli, info_name="sayso", **cli.context_settings)
    yield "sayso", cli, top
    for name in cli.list_commands(top):
        found = cli.get_command(top, name)
        assert found is not None  # it was listed
        yield f"sayso {name}", found, click.Context(found, info_name=name, parent=top)


def _commands() -> list[str]:
    lines = ["# Commands", "", "`sayso COMMAND --help` says the same."]
    for name, command, context in commands():
        usage = " ".join([name, *command.collect_usage_pieces(context)])
        lines += ["", f"## {name}", "", "```", usage, "```", "", *_paragraphs(command.help or "")]
        lines += ["", *_options(command, context)]
        if command.epilog:
            lines += ["", *_paragraphs(command.epilog)]
    return lines


def _options(command: click.Command, context: click.Context) -> Iterator[str]:
    for param in command.get_params(context):
        described = param.get_help_record(context)
        if isinstance(param, click.Option) and described:
            names, meaning = described
            yield f"- `{names}`: {meaning}"


def _settings() -> list[str]:
    described = inspect.type_info(Settings)
    assert isinstance(described, inspect.StructType)  # what Settings is
    lines = [
        "# Settings",
        "",
        "`sayso.toml` in the workspace, read when a command starts. Every field may be left out; "
        "an unknown one is an error.",
        "",
        *_fields([f for f in described.fields if not _is_section(f)]),
    ]
    for section in filter(_is_section, described.fields):
        lines += _section(section.name, section.type)
    return lines


def _section(name: str, kind: inspect.Type) -> Iterator[str]:
    assert isinstance(kind, inspect.StructType)  # what a section is
    about = (kind.cls.__doc__ or "").partition("] ")[2]
    plain = [field for field in kind.fields if not _is_section(field)]
    yield from ("", f"## [{name}]", "", about, "", *_fields(plain))
    for field in filter(_is_section, kind.fields):
        yield from _section(f"{name}.{field.name}", field.type)


def _is_section(field: inspect.Field) -> bool:
    return isinstance(field.type, inspect.StructType)


def _fields(fields: Sequence[inspect.Field]) -> list[str]:
    rows = []
    for field in fields:
        kind, meaning = field.type, ""
        if isinstance(kind, inspect.Metadata):
            meaning = str((kind.extra_json_schema or {}).get("description", ""))
            kind = kind.type
        default = msgspec.json.encode(field.default).decode()
        rows.append([f"`{field.name}`", _type(kind), f"`{default}`", _limits(kind), meaning])
    return _table(["field", "type", "default", "limits", "meaning"], rows)


def _type(kind: inspect.Type) -> str:
    if isinstance(kind, inspect.LiteralType):
        return " or ".join(f"`{msgspec.json.encode(value).decode()}`" for value in kind.values)
    names: dict[type, str] = {
        inspect.StrType: "text",
        inspect.IntType: "whole number",
        inspect.FloatType: "number",
        inspect.BoolType: "true or false",
        inspect.VarTupleType: "list of texts",
    }
    return names[type(kind)]


def _limits(kind: inspect.Type) -> str:
    signs = {"gt": ">", "ge": "≥", "lt": "<", "le": "≤"}
    limits = ((sign, getattr(kind, name, None)) for name, sign in signs.items())
    return ", ".join(f"{sign} {limit:g}" for sign, limit in limits if limit is not None)


def _gate() -> list[str]:
    rows = [
        [
            str(number),
            f"`{rule.name}`",
            rule.verdict,
            rule.reason,
            ", ".join(f"`{fact}`" for fact in rule.evidence),
            "yes" if rule.training_only else "no",
        ]
        for number, rule in enumerate(RULES, 1)
    ]
    lines = [
        "# The gate",
        "",
        "Each record is looked at by these rules, in this order. A rule fires where it is true, or "
        "where it cannot be evaluated because a fact is missing. The first that fires decides; if "
        f"none does, the record is {ALLOWED}. Held records never train, but a later look may find "
        "otherwise. A rule for training only does not keep a public post out of the answers.",
        "",
        *_table(["", "rule", "verdict", "reason", "evidence", "training only"], rows),
        "",
        f"The facts: {', '.join(f'`{name}`' for name in FACTS)}.",
        "",
        "## Policies",
        "",
        "A policy sets what the rules compare with. No policy can outweigh an objection, allow a "
        "minor's records or a private message. `sayso policy show NAME` prints one, "
        "`sayso policy diff NAME` says what it would change.",
    ]
    for name in policy.BUILT_IN:
        source = policy.source(name).decode().strip().splitlines()
        about = policy.load(name).description
        lines += ["", f"### {name}", "", about, "", "```toml", *source, "```"]
    return lines


def _paragraphs(text: str) -> list[str]:
    """Return a docstring's paragraphs, each as one line, with blank lines between."""
    blocks = [" ".join(block.split()) for block in text.split("\n\n")]
    return "\n\n".join(block for block in blocks if block).split("\n")


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    body = [[cell.replace("|", "\\|").replace("\n", " ") for cell in row] for row in rows]
    return [f"| {' | '.join(row)} |" for row in [head, ["---"] * len(head), *body]]


if __name__ == "__main__":
    main()
