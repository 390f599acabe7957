"""The embedding model: the same vectors as the original's, whatever text comes, one process."""

from pathlib import Path

import numpy as np
import pytest

from sayso.assistant import minilm
from sayso.assistant.embedding import LONGEST, Embedder
from sayso.errors import InputError, MissingPartError
from sayso.settings import Knowledge, Settings
from sayso.workspace import Workspace
from tests.conftest import KEY

TEXTS = [
    "When does the ferry leave?",
    "Wann fährt die Fähre am Sonntag, 7.15 Uhr?",
    "naïve café [SEP] ##ing, half-hearted: 100 %!",
    "東京は日本の首都です",
    "a " * 200,
]

pytestmark = pytest.mark.skipif(minilm.find() is None, reason="the model's wheel is not installed")


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return Workspace.create(tmp_path_factory.mktemp("embedding") / "home", Settings(), KEY)


@pytest.fixture(scope="module")
def embedder(home):
    started = Embedder.start(home)
    yield started
    started.close()


def test_its_vectors_are_those_of_the_original(embedder):
    import torch
    from transformers import AutoModel, AutoTokenizer

    source = str(minilm.find())
    tokenizer = AutoTokenizer.from_pretrained(source)
    given = tokenizer(TEXTS, padding=True, return_tensors="pt")
    with torch.no_grad():
        hidden = AutoModel.from_pretrained(source)(**given).last_hidden_state
    mask = given["attention_mask"][..., None]
    mean = ((hidden * mask).sum(1) / mask.sum(1)).numpy()
    vectors = embedder.embed(TEXTS)
    assert vectors.shape == (len(TEXTS), embedder.width)
    assert vectors.dtype == np.float32
    cosines = (vectors * mean).sum(1) / np.linalg.norm(mean, axis=1)
    assert cosines.min() > 0.999
    counts = [embedder.count_tokens(text) for text in TEXTS]
    assert counts == given["attention_mask"].sum(1).tolist()


def test_any_text_has_a_vector_of_length_one(embedder):
    texts = ["", " ", "\ud800", "x" * 5000, "東京" * 600, "🦭", "\x00", *["word"] * 9]
    vectors = embedder.embed(texts)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert np.allclose(vectors[-9:], vectors[-1], atol=1e-5)
    assert embedder.count_tokens("東京" * 600) == LONGEST
    assert embedder.embed([]).shape == (0, embedder.width)


def test_there_is_one_for_a_program_and_it_comes_back_after_a_crash(home, embedder):
    assert Embedder.start(home) is embedder
    before = embedder.embed(["tide"])
    embedder._process.close()
    assert np.array_equal(embedder.embed(["tide"]), before)


@pytest.mark.parametrize(
    ("chosen", "error"), [("off", MissingPartError), ("sayso.toml", InputError)]
)
def test_what_is_no_model_is_told(tmp_path: Path, chosen: str, error: type[Exception]):
    settings = Settings(knowledge=Knowledge(embedding=chosen))
    with pytest.raises(error):
        Embedder.start(Workspace.create(tmp_path / "home", settings, KEY))


def test_a_file_of_ones_own_is_named_by_what_it_is(home, embedder, tmp_path: Path):
    file = minilm.gguf_file(home)
    settings = Settings(knowledge=Knowledge(embedding=str(file)))
    own = Embedder.start(Workspace.create(tmp_path / "home", settings, KEY))
    assert own.name.startswith(f"{file.stem}-")
    assert (own is embedder, own.width) == (False, embedder.width)
    own.close()
