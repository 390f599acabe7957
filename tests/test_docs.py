"""The documentation says what the code does, and speaks of nothing but the project."""

import re
import runpy
from operator import attrgetter
from pathlib import Path

import click
import msgspec
import pytest
from msgspec import inspect

from sayso.cli import cli
from sayso.gate.policy import BUILT_IN, source
from sayso.gate.rules import RULES
from sayso.settings import Settings
from tests.conftest import ROOT

DOCS = ROOT / "docs"
GENERATED = runpy.run_path(str(DOCS / "generate.py"))["render"]()


def page(name: str) -> str:
    return (DOCS / name).read_text("utf-8")


@pytest.mark.parametrize("name", GENERATED)
def test_the_generated_pages_are_not_behind_the_code(name):
    assert page(name) == GENERATED[name], "run `make docs`"


@pytest.mark.parametrize("name", [None, *sorted(cli.commands)])
def test_every_command_and_option_is_described(name):
    text = page("commands.md")
    command = cli if name is None else cli.commands[name]
    heading = "## sayso" if name is None else f"## sayso {name}"
    section = text.split(f"\n{heading}\n", 1)[1].split("\n## ", 1)[0]
    for paragraph in (command.help or "").split("\n\n"):
        assert " ".join(paragraph.split()) in section
    for param in command.params:
        if isinstance(param, click.Option):
            assert all(f"{option}" in section for option in param.opts + param.secondary_opts)
            assert param.help and " ".join(param.help.split()) in section
        else:
            assert param.make_metavar(click.Context(command)) in section


def settings_fields() -> list[tuple[str, str, str]]:
    """(section, field, description) of all settings."""
    found = []

    def walk(section: str, described: inspect.Type) -> None:
        assert isinstance(described, inspect.StructType)
        for field in described.fields:
            if isinstance(field.type, inspect.StructType):
                walk(f"{section}.{field.name}".strip("."), field.type)
            else:
                assert isinstance(field.type, inspect.Metadata), f"{field.name} says nothing"
                about = (field.type.extra_json_schema or {})["description"]
                found.append((section, field.name, about))

    walk("", inspect.type_info(Settings))
    return found


@pytest.mark.parametrize(("section", "field", "about"), settings_fields())
def test_every_setting_is_described(section, field, about):
    text = page("settings.md")
    part = text.split(f"\n## [{section}]\n", 1)[1] if section else text
    (row,) = [
        line for line in part.split("\n## ", 1)[0].splitlines() if line.startswith(f"| `{field}` ")
    ]
    assert about.replace("|", "\\|") in row
    value = attrgetter(f"{section}.{field}".strip("."))(Settings())
    assert f"`{msgspec.json.encode(value).decode()}`" in row  # its default


def test_every_rule_and_policy_stands_in_the_gates_page_in_order():
    text = page("gate.md")
    rows = [line for line in text.splitlines() if re.match(r"\| \d+ \|", line)]
    assert len(rows) == len(RULES)
    for row, rule in zip(rows, RULES, strict=True):
        assert f"| `{rule.name}` | {rule.verdict} | {rule.reason} |" in row
        assert all(f"`{fact}`" in row for fact in rule.evidence)
    for name in BUILT_IN:
        assert source(name).decode().strip() in text


def test_links_between_pages_lead_somewhere():
    for path in [ROOT / "README.md", *DOCS.glob("*.md")]:
        for target in re.findall(r"\]\((?!https?:|#|mailto:)([^)\s]+)\)", path.read_text("utf-8")):
            assert (path.parent / target.partition("#")[0]).exists(), f"{path.name}: {target}"


# What the project must not say, since nobody who reads it could know what is meant. Only the
# letters count: a pattern here matches no word that has another, ordinary sense.
FOREIGN = {
    r"\bissues? #?\d{1,2}\b": "a tracker that is not the reader's; others' have longer numbers",
    r"(?<!scope=\")\b(this|last|next|previous|earlier|later|another|our|my) session\b": (
        "how the work was divided; a browser's or pytest's session is called by its name"
    ),
    r"\bhelper-\d*": "who did a part of the work",
    r"\bas an AI\b": "who wrote it",
    r"\bshared/reference\b": "papers that are not in the repository",
    r"(?<![\w.])/work/": "a path of the machine it was written on",
}
TEXT = {".py", ".md", ".toml", ".html", ".js", ".css", ".po", ".txt", ".json", ".jsonl", ".svg", ""}


def own_files() -> list[Path]:
    folders = [
        path for name in ("src", "docs", "tests", "sample") for path in (ROOT / name).rglob("*")
    ]
    files = [path for path in [*folders, ROOT / "README.md"] if path.suffix in TEXT]
    own = [path for path in files if path.is_file() and "__pycache__" not in path.parts]
    return [path for path in own if path != Path(__file__)]


@pytest.mark.parametrize("pattern", FOREIGN)
def test_the_project_speaks_of_itself_alone(pattern):
    said = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in own_files()
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if re.search(pattern, line, re.IGNORECASE)
    ]
    assert not said, FOREIGN[pattern]


def test_the_words_are_found_where_they_stand():
    examples = ["see issue 2", "in the last session", "helper-3", "As an AI", "shared/reference/x",
                "/work/x"]  # fmt: skip
    for pattern, example in zip(FOREIGN, examples, strict=True):
        assert re.search(pattern, example, re.IGNORECASE), pattern
    fine = 'sessionStorage @pytest.fixture(scope="session") llama.cpp issue 26207 artwork/workshop'
    assert not any(re.search(pattern, fine, re.IGNORECASE) for pattern in FOREIGN)
