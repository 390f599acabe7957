"""Setting the scene: a fresh workspace whose grid and sample are fixed before anything trains."""

import shutil
from datetime import datetime
from pathlib import Path
from typing import Final

import msgspec
import polars as pl

from sayso.corpus.store import Store
from sayso.errors import SaysoError, UsageError
from sayso.rights import ledger, people
from sayso.rights.database import Rights
from sayso.settings import Cells, Corpus, Settings, dump
from sayso.training.lora import Tokenizer
from sayso.training.train import look
from sayso.workspace import Workspace, write_atomically

MARKER: Final = "demo.json"
# Not a secret: with it everybody's demonstration draws the same shards on the same records.
DEMO_KEY: Final = b"sayso demonstration key, public!"
SAMPLE: Final = Path(__file__).parents[3] / "sample"


def check(holds: bool, otherwise: str) -> None:
    """End the story unless something holds."""
    if not holds:
        raise SaysoError(f"the story breaks here: {otherwise}")


def make_room(home: Path) -> None:
    """Remove an earlier demonstration at `home`.

    Raises:
        UsageError: something else is there.
    """
    if (home / MARKER).exists():
        shutil.rmtree(home)
    elif home.exists() and any(home.iterdir()):
        raise UsageError(
            f"{home} holds something that no demonstration made", "set SAYSO_HOME to a new folder"
        )


def create(home: Path, settings: Settings) -> Workspace:
    """Make a demonstration's workspace, marked as one."""
    workspace = Workspace.create(home, settings, DEMO_KEY)
    write_atomically(workspace.home / MARKER, b"{}\n")
    return workspace


def attest_ages(workspace: Workspace) -> int:
    """Where no account's age is known at all, the source carries none: the operator's word counts.

    Where the source does speak of ages, those it leaves out stay unknown and are held.
    """
    rights = Rights(workspace)
    with rights.writing() as connection:
        if people.any_age_known(connection):
            return 0
        attested = people.attest_adults(connection)
        ledger.append(connection, "attestation", {"what": "adults", "accounts": attested})
    return attested


def settle(workspace: Workspace, community: str, tokens: int, at: datetime) -> Workspace:
    """Fix grid and sample before the first training; from then on they are constants."""
    people_in_all = people.frame(Rights(workspace))["person_key"].n_unique()
    written = Store(workspace).records.read(["created_at"])["created_at"].drop_nulls().dt.year()
    years = written.n_unique()
    settings = msgspec.structs.replace(
        workspace.settings,
        community=community,
        cells=Cells(
            shards=4,
            periods="months" if years <= 2 else "calendar",
            era="forever",
            held_out=round(min(0.34, max(0.1, 8 / max(1, people_in_all))), 3),
        ),
    )
    workspace = _with_settings(workspace, settings)
    rate = _sample_rate(workspace, tokens, at)
    settings = msgspec.structs.replace(settings, corpus=Corpus(sample_rate=rate))
    return _with_settings(workspace, settings)


def objector(workspace: Workspace, at: datetime, preferred: str) -> str:
    """Return who objects: `preferred` if they are trained on, else who has most examples.

    The person with most examples is the hardest to forget.
    """
    training = look(workspace, at).prepared.training
    if workspace.pseudonyms.number("person", preferred) in training["person_key"]:
        return preferred
    key = training["person_key"].value_counts().sort("count", "person_key")["person_key"][-1]
    linked = people.frame(Rights(workspace)).filter(pl.col("person_key") == key)
    authors = Store(workspace).records.read(["author", "account_key"])
    return str(authors.join(linked, on="account_key", how="semi")["author"].min())


def _with_settings(workspace: Workspace, settings: Settings) -> Workspace:
    write_atomically(workspace.settings_file, dump(settings))
    return Workspace.open(workspace.home)


def _sample_rate(workspace: Workspace, tokens: int, at: datetime) -> float:
    """The share of records, by their own keyed hashes, that holds at most the tokens asked for.

    Decided once, over everything that came in, whoever objects later.
    """
    situation = look(workspace, at)
    tokenizer = Tokenizer(situation.base.folder)
    longest = situation.recipe.sequence_tokens
    rows = situation.prepared.training.sort("order")
    counts = [sum(map(len, tokenizer.sequences(text, longest))) for text in rows["text"]]
    total = pl.Series(counts, dtype=pl.Int64).cum_sum()
    if not len(total) or total[-1] <= tokens:
        return 1.0
    first_out = int((total <= tokens).sum())
    check(first_out > 0, f"{tokens} tokens are too few for even one record")
    return float(rows["order"][first_out]) / 2**64 * (1 - 1e-12)
