"""Held-out loss: measured on people who are in no cell, base and release on the same texts."""

import io
import math
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest
import torch
from matplotlib.image import imread

from sayso.settings import Settings
from sayso.training.evaluate import Evaluation, LanguageLoss, draw, evaluate
from sayso.training.lora import LoraModel, Tokenizer
from sayso.training.train import Outcome, Situation, look, train

from .test_exactness import WORDS, Post, World

AT = datetime(2026, 11, 20, tzinfo=UTC)
VOCABULARY = 257


@pytest.fixture(scope="module")
def world(tiny_settings: Settings) -> Iterator[World]:
    """Some train at a high rate, some are held out, and all write of the same things."""
    own = msgspec.structs.replace(
        tiny_settings,
        cells=msgspec.structs.replace(tiny_settings.cells, held_out=0.5),
        training=msgspec.structs.replace(tiny_settings.training, learning_rate=0.03),
    )
    world = World(own)
    for number in range(20):
        world.act(Post(number, 8, tuple(f"{word}{number}" for word in WORDS)))
    yield world
    world.close()


@pytest.fixture(scope="module")
def outcome(world: World) -> Outcome:
    return train(world.workspace, AT)


@pytest.fixture(scope="module")
def situation(world: World, outcome: Outcome) -> Situation:
    return look(world.workspace, AT)


def measure(
    world: World, situation: Situation, outcome: Outcome, most: int = 6000
) -> Evaluation | None:
    return evaluate(
        world.workspace,
        situation.prepared,
        situation.base,
        situation.recipe,
        outcome.release,
        most,
    )


@pytest.fixture(scope="module")
def measured(world: World, situation: Situation, outcome: Outcome) -> Evaluation:
    found = measure(world, situation, outcome)
    assert found is not None
    return found


def test_nobody_is_both_trained_on_and_measured(situation: Situation) -> None:
    people = [
        set(frame["person_key"])
        for frame in (situation.prepared.training, situation.prepared.held_out)
    ]
    assert people[0]
    assert people[1]
    assert not people[0] & people[1]


def test_the_release_foresees_strangers_better_than_the_base(measured: Evaluation) -> None:
    # A random model knows nothing: about the logarithm of its vocabulary.
    assert measured.before == pytest.approx(math.log(VOCABULARY), abs=0.3)
    assert 0 < measured.after < measured.before - 0.01


def test_the_base_is_measured_as_the_model_itself_says(
    measured: Evaluation, situation: Situation
) -> None:
    model = LoraModel(situation.base.folder, situation.recipe)
    tokenizer = Tokenizer(situation.base.folder)
    total, terms = 0.0, 0
    with torch.no_grad():
        for text in situation.prepared.held_out["text"]:
            loss, count = model.loss(tokenizer.sequences(text, situation.recipe.sequence_tokens))
            total, terms = total + loss.item(), terms + count
    assert measured.tokens == terms
    assert measured.before == pytest.approx(total / terms, abs=1e-4)


def test_the_whole_is_the_sum_of_its_languages(
    measured: Evaluation, situation: Situation, outcome: Outcome
) -> None:
    assert measured.release == outcome.release.name
    assert measured.people == situation.prepared.held_out["person_key"].n_unique()
    assert measured.tokens == sum(row.tokens for row in measured.languages)
    for name in ("before", "after"):
        weighted = sum(getattr(row, name) * row.tokens for row in measured.languages)
        assert getattr(measured, name) == pytest.approx(weighted / measured.tokens)
    counts = [row.tokens for row in measured.languages]
    assert all(more >= fewer for more, fewer in pairwise(counts))
    assert {row.language for row in measured.languages} == set(
        situation.prepared.held_out["language"]
    )


def test_fewer_tokens_are_a_shorter_measurement(
    world: World, situation: Situation, outcome: Outcome, measured: Evaluation
) -> None:
    short = measure(world, situation, outcome, most=150)
    assert short is not None
    assert 0 < short.tokens < measured.tokens
    assert short.tokens <= 3 * 150  # this tokenizer has a token for each byte


def test_a_text_longer_than_the_limit_is_measured_all_the_same(
    world: World, situation: Situation, outcome: Outcome
) -> None:
    assert measure(world, situation, outcome, most=1) is not None


def test_without_anybody_held_out_there_is_nothing_to_measure(
    world: World, situation: Situation, outcome: Outcome
) -> None:
    nobody = msgspec.structs.replace(
        situation.prepared, held_out=situation.prepared.held_out.clear()
    )
    alone = msgspec.structs.replace(situation, prepared=nobody)
    assert measure(world, alone, outcome) is None


@pytest.mark.parametrize("languages", [1, 3, 40])
def test_the_picture_is_a_picture(measured: Evaluation, tmp_path: Path, languages: int) -> None:
    rows = tuple(LanguageLoss(f"l{n}", 5000 - 100 * n, 3.0, 2.5) for n in range(languages))
    drawn = msgspec.structs.replace(measured, languages=rows)
    path = tmp_path / "figures" / "loss.png"
    draw(drawn, path)
    data = path.read_bytes()
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    pixels = imread(io.BytesIO(data), format="png")
    assert pixels.shape[0] > 200
    assert pixels.shape[1] > 800
    assert 0.5 < pixels.mean() < 1  # ink on paper
    assert pixels.min() < 0.5


def test_the_picture_can_be_drawn_as_svg(measured: Evaluation, tmp_path: Path) -> None:
    draw(measured, tmp_path / "loss.svg")
    text = (tmp_path / "loss.svg").read_text("utf-8")
    assert "<svg" in text
    assert text.rstrip().endswith("</svg>")
