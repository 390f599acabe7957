"""A remote server with vLLM's endpoints: new names, canaries, unloading, leaving, refusals."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from sayso.assistant.engine import Engine, NotLoadedError, Options, PromptTooLongError, generate
from sayso.assistant.engines import choose
from sayso.assistant.engines.remote import RemoteEngine
from sayso.assistant.engines.remote_server import Remote
from sayso.errors import InputError, SaysoError, UsageError
from sayso.settings import Serving, Settings
from sayso.training import releases
from sayso.workspace import Workspace
from tests.assistant.test_engine import EXACTLY, QUESTION, adapters, base, text, until  # noqa: F401
from tests.assistant.vllm_like import KEY, VllmLike

pytestmark = pytest.mark.base_model


@pytest.fixture(scope="module")
def folders(adapters: list[Path]) -> list[Path]:  # noqa: F811
    """Releases' folders; what the server applies is their GGUF, what is read here their tensors."""
    for number, folder in enumerate(adapters[:2], 1):
        module = f"{releases.PREFIX}model.layers.0.self_attn.q_proj"
        value = np.full((2, 2), number, np.float32)
        tensors = {f"{module}.lora_A.weight": value, f"{module}.lora_B.weight": value}
        save_file(tensors, folder / releases.WEIGHTS, {"format": "pt"})
    return adapters[:2]


@pytest.fixture(scope="module")
def server(base: Path, tmp_path_factory) -> Iterator[VllmLike]:  # noqa: F811
    server = VllmLike(base, tmp_path_factory.mktemp("remote"))
    with server.listening() as url:
        server.url = url
        yield server


@pytest.fixture
def engine(server: VllmLike, tmp_path: Path) -> Iterator[Engine]:
    """The engine that the settings choose."""
    settings = Settings(
        serving=Serving(
            engine="remote",
            remote_url=server.url,
            remote_model="base-model",
            remote_key_file="remote.key",
        )
    )
    workspace = Workspace.create(tmp_path / "home", settings)
    (workspace.home / "remote.key").write_text(f"{KEY}\n")
    engine = choose.start(workspace)
    yield engine
    server.trap, server.adapters = "", True
    engine.close()
    assert list(server.instances) == ["base-model"]


def test_releases_come_and_go_under_new_names(
    engine: Engine, server: VllmLike, folders: list[Path]
) -> None:
    engine.load("base", None)
    bare = generate(engine, QUESTION, EXACTLY)
    engine.load("one", folders[0])
    first = [name for name in server.instances if "-one-" in name]
    assert len(first) == 1
    under_way = engine.stream(QUESTION, Options(max_tokens=30, temperature=0))
    chunks = [next(under_way)]
    engine.load("two", folders[1])
    # The old one answers to its end, and is unloaded then.
    assert set(first) <= server.instances.keys()
    chunks += under_way
    assert {chunk.release for chunk in chunks} == {"one"}
    assert chunks[-1].finish_reason == "length"
    assert chunks[-1].completion_tokens == 30
    until(lambda: not set(first) & server.instances.keys())
    two = generate(engine, QUESTION, EXACTLY)
    engine.load("one", folders[0])
    again = [name for name in server.instances if "-one-" in name]
    assert len(again) == 1
    assert again != first  # a name is never used twice
    assert len(server.instances) == 2
    assert len({bare, two, generate(engine, QUESTION, EXACTLY)}) == 3
    assert "/reset_prefix_cache" in server.seen
    assert engine.count_tokens("Hello world") == 2
    engine.load("base", None)
    assert generate(engine, QUESTION, EXACTLY) == bare
    engine.drop()
    with pytest.raises(NotLoadedError):
        engine.stream(QUESTION, EXACTLY)


def test_leftovers_of_an_earlier_start_go_and_those_of_others_stay(
    engine: RemoteEngine, server: VllmLike, folders: list[Path]
) -> None:
    with_leftover = f"{engine._prefix}zero-00000000"
    for name in (with_leftover, "sayso-elsewhere-zero-00000000"):
        server.instances[name] = server.instances["base-model"]
    engine.load("one", folders[0])
    assert with_leftover not in server.instances
    assert server.instances.pop("sayso-elsewhere-zero-00000000")


@pytest.mark.parametrize(("trap", "problem"), [("ignores", "as without it"), ("stale", "before")])
def test_a_server_that_applies_something_else_is_found_out(
    engine: Engine, server: VllmLike, folders: list[Path], trap: str, problem: str
) -> None:
    server.first = None
    engine.load("one", folders[0])
    server.trap = trap
    with pytest.raises(SaysoError, match=problem):
        engine.load("two", folders[1])
    assert engine.release == "one"
    assert len(server.instances) == 2
    server.trap = ""
    engine.load("two", folders[1])
    assert engine.release == "two"


def test_leaving_ends_the_generation_there(engine: Engine, server: VllmLike) -> None:
    engine.load("base", None)
    stream = engine.stream(QUESTION, Options(max_tokens=400, temperature=0.9))
    for _ in range(4):
        next(stream)
    assert server.running == 1
    stream.close()  # type: ignore[attr-defined]
    until(lambda: server.running == 0)
    other = engine.stream(QUESTION, Options(max_tokens=400, temperature=0.9))
    next(other)
    engine.drop()
    assert all(chunk.finish_reason is None for chunk in other)
    until(lambda: server.running == 0)


def test_a_server_without_adapters_serves_what_it_holds_or_nothing(
    server: VllmLike, folders: list[Path]
) -> None:
    remote = Remote(server.url, KEY)
    engine = RemoteEngine(remote, "base-model", adapters="none", holds="one", owner="x")
    engine.load("one", folders[0])
    assert text(list(engine.stream(QUESTION, EXACTLY)))
    under_way = engine.stream(QUESTION, Options(max_tokens=400, temperature=0.9))
    next(under_way)
    with pytest.raises(InputError, match="holds 'one', not 'two'"):
        engine.load("two", folders[1])
    # Somebody may have objected since: the old one is not served on.
    assert engine.release == ""
    assert all(chunk.finish_reason is None for chunk in under_way)
    with pytest.raises(NotLoadedError):
        engine.stream(QUESTION, EXACTLY)
    engine.close()


def test_errors_are_ours_and_quote_nothing(
    engine: Engine, server: VllmLike, folders: list[Path], tmp_path: Path
) -> None:
    engine.load("one", folders[0])
    secret = "harbour " * 600
    with pytest.raises(PromptTooLongError) as long:
        next(engine.stream([{"role": "user", "content": secret}], EXACTLY))
    odd = Options(response_format={"type": "harbour"})
    with pytest.raises(UsageError, match="invalid_request_error") as refused:
        next(engine.stream(QUESTION, odd))
    assert "harbour" not in f"{long.value}{refused.value}"
    server.adapters = False
    with pytest.raises(SaysoError, match="load_lora_adapter with 404"):
        engine.load("two", folders[1])
    assert engine.release == "one"
    # Its weights are gone there, say after a restart of vLLM.
    for name in [name for name in server.instances if "-one-" in name]:
        server.instances.pop(name).close()
    with pytest.raises(SaysoError, match="status 404"):
        next(engine.stream(QUESTION, EXACTLY))
    assert engine.release == ""
    server.adapters = True
    engine.load("one", folders[0])
    assert generate(engine, QUESTION, EXACTLY)
    nobody = RemoteEngine(Remote("http://127.0.0.1:9/v1"), "x", adapters="vllm", owner="x")
    with pytest.raises(SaysoError, match="does not answer"):
        nobody.load("base", None)
    nobody.close()
    stranger = RemoteEngine(Remote(server.url, "other"), "base-model", adapters="vllm", owner="x")
    with pytest.raises(SaysoError, match="401"):
        stranger.load("base", None)
    stranger.close()
    bare = Workspace.create(tmp_path / "bare", Settings(serving=Serving(engine="remote")))
    with pytest.raises(UsageError, match="remote_url"):
        choose.start(bare)
    with pytest.raises(UsageError, match="no address"):
        Remote("ftp://there")
