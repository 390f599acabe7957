"""The engine on the real base: answers, swaps under load, early leaving, errors, silence."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import psutil
import pytest

from sayso.assistant.engine import Chunk, Engine, NotLoadedError, Options, PromptTooLongError
from sayso.errors import InputError, MissingPartError, SaysoError, UsageError
from sayso.training.base import find_gguf
from sayso.training.gguf import read_header, write_lora

QUESTION = [{"role": "user", "content": "Tell me about the sea."}]
EXACTLY = Options(max_tokens=12, temperature=0, seed=1)
LONG = Options(max_tokens=400, temperature=0.9)


@pytest.fixture(scope="session")
def base() -> Path:
    path = find_gguf("smollm2")
    assert path is not None
    return path


@pytest.fixture(scope="session")
def adapters(base: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Three random LoRAs over queries and down projections; the last one ends in NaN."""
    folder = tmp_path_factory.mktemp("adapters")
    shapes = read_header(base).shapes
    paths = []
    for number, size in enumerate((0.1, 0.1, 1e30)):
        random = np.random.default_rng(number)
        adapter = {}
        for name, tensor in (("self_attn.q_proj", "attn_q"), ("mlp.down_proj", "ffn_down")):
            for layer in range(30):
                rows, columns = shapes[f"blk.{layer}.{tensor}.weight"]
                a = (random.standard_normal((16, columns)) / np.sqrt(columns)).astype("f4")
                b = (random.standard_normal((rows, 16)) * size).astype("f4")
                adapter[f"model.layers.{layer}.{name}"] = a, b
        paths.append(folder / f"{number}.gguf")
        write_lora(paths[-1], base, adapter)
    return paths


@pytest.fixture
def engine(base: Path) -> Iterator[Engine]:
    engine = Engine(base, threads=1, parallel=3, context_tokens=512)
    yield engine
    engine.close()


def text(chunks: list[Chunk]) -> str:
    return "".join(chunk.text for chunk in chunks)


def until(condition: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        threading.Event().wait(0.01)


def generating() -> int:
    return sum(thread.name == "sayso-answer" for thread in threading.enumerate())


def system_threads() -> int:
    """Threads of this process, those of llama.cpp included."""
    return psutil.Process().num_threads()


@pytest.mark.base_model
def test_an_answer_ends_with_its_reason_and_counts(engine: Engine) -> None:
    engine.load("first", None)
    chunks = list(engine.stream(QUESTION, Options(max_tokens=7, temperature=0)))
    assert text(chunks).strip()
    assert chunks[-1].finish_reason == "length"
    assert chunks[-1].completion_tokens == 7
    assert chunks[-1].prompt_tokens > engine.count_tokens(QUESTION[0]["content"])
    assert [chunk.finish_reason for chunk in chunks[:-1]] == [None] * (len(chunks) - 1)
    assert {chunk.release for chunk in chunks} == {"first"}


@pytest.mark.base_model
def test_a_stop_text_ends_the_answer_and_is_left_out(engine: Engine) -> None:
    engine.load("first", None)
    whole = text(list(engine.stream(QUESTION, EXACTLY)))
    stop = whole.split()[2]
    options = Options(max_tokens=12, temperature=0, seed=1, stop=(stop,))
    chunks = list(engine.stream(QUESTION, options))
    assert text(chunks) == whole[: whole.index(stop)]
    assert chunks[-1].finish_reason == "stop"


@pytest.mark.base_model
def test_each_release_answers_for_itself(engine: Engine, adapters: list[Path]) -> None:
    answers = {}
    for name, adapter in (("bare", None), ("a", adapters[0]), ("b", adapters[1]), ("c", None)):
        engine.load(name, adapter)
        assert engine.release == name
        chunks = list(engine.stream(QUESTION, EXACTLY))
        answers[name] = text(chunks)
        assert chunks[-1].release == name
    # Nothing of a or b is left in the object that serves the bare base again.
    assert answers["bare"] == answers["c"]
    assert len(set(answers.values())) == 3


@pytest.mark.base_model
def test_no_answer_fails_while_releases_are_swapped(engine: Engine, adapters: list[Path]) -> None:
    engine.load("0", None)
    done = threading.Event()

    def ask() -> list[tuple[str, list[Chunk]]]:
        answers = []
        while not done.is_set():
            before = engine.release
            answers.append((before, list(engine.stream(QUESTION, Options(max_tokens=16)))))
        return answers

    # Six ask at once where three are answered at once: some are waiting whenever a swap comes.
    with ThreadPoolExecutor(6) as pool:
        asking = [pool.submit(ask) for _ in range(6)]
        try:
            for number in range(1, 6):
                engine.load(str(number), adapters[number % 2])
                first = next(engine.stream(QUESTION, Options(max_tokens=1)))
                assert first.release == str(number)
        finally:
            done.set()
        answers = [answer for future in asking for answer in future.result()]

    assert len(answers) >= 6
    for before, chunks in answers:
        assert chunks[-1].finish_reason in ("length", "stop")
        assert chunks[-1].completion_tokens > 0
        assert len({chunk.release for chunk in chunks}) == 1
        assert int(chunks[0].release) >= int(before)


@pytest.mark.base_model
def test_an_answer_ends_on_its_release_which_is_freed_then(
    engine: Engine, adapters: list[Path]
) -> None:
    engine.load("old", adapters[0])
    alone = system_threads()
    old = engine.stream(QUESTION, Options(max_tokens=60, temperature=0))
    chunks = [next(old)]
    engine.load("new", adapters[1])
    assert next(engine.stream(QUESTION, EXACTLY)).release == "new"
    chunks += old
    assert {chunk.release for chunk in chunks} == {"old"}
    assert chunks[-1].finish_reason is not None
    until(lambda: system_threads() <= alone)


@pytest.mark.base_model
def test_leaving_early_frees_the_slot(base: Path) -> None:
    engine = Engine(base, threads=1, parallel=1, context_tokens=1024)
    engine.load("first", None)
    for content in ("Tell me a very long story.", "the sea and the sky and " * 150):
        started = engine.stream([{"role": "user", "content": content}], LONG)
        waiting = engine.stream(QUESTION, EXACTLY)
        next(started)
        with ThreadPoolExecutor(1) as pool:
            answer = pool.submit(lambda stream: text(list(stream)), waiting)
            started.close()  # type: ignore[attr-defined]
            assert answer.result(timeout=60)
        until(lambda: generating() == 0)
    engine.close()


@pytest.mark.base_model
def test_closing_ends_all_answers(base: Path) -> None:
    before = system_threads()
    engine = Engine(base, threads=1, parallel=1, context_tokens=512)
    engine.load("first", None)
    streams = [engine.stream(QUESTION, LONG) for _ in range(3)]
    with ThreadPoolExecutor(3) as pool:
        answers = [pool.submit(list, stream) for stream in streams]
        until(lambda: generating() == 3)
        engine.close()
        for answer in answers:
            assert all(chunk.finish_reason is None for chunk in answer.result(timeout=30))
    assert generating() == 0
    until(lambda: system_threads() <= before)
    with pytest.raises(NotLoadedError):
        engine.stream(QUESTION, EXACTLY)
    with pytest.raises(NotLoadedError):
        engine.load("second", None)
    assert engine.release == ""


@pytest.mark.base_model
def test_tokens_are_counted_exactly(engine: Engine, base: Path) -> None:
    from transformers import AutoTokenizer

    engine.load("first", None)
    reference = AutoTokenizer.from_pretrained(base.parent, gguf_file=base.name)
    for sample in ("", "Hello world", "Größe 42 🌊\n\n\tx", "<|im_start|>user", "ein Satz. " * 200):
        assert engine.count_tokens(sample) == len(reference(sample)["input_ids"])
    assert engine.count_tokens("\ud800") > 0


@pytest.mark.base_model
def test_requests_that_cannot_be_answered(engine: Engine) -> None:
    with pytest.raises(NotLoadedError, match="no release"):
        engine.stream(QUESTION, EXACTLY)
    with pytest.raises(NotLoadedError, match="no release"):
        engine.count_tokens("a")
    engine.load("first", None)
    for messages in ([], [{"role": "user", "content": " \n"}], [{"role": "user"}]):
        with pytest.raises(UsageError, match="without a word"):
            engine.stream(messages, EXACTLY)
    for options in (Options(max_tokens=0), Options(temperature=-1.0), Options(top_p=0.0)):
        with pytest.raises(UsageError, match="expected at least 1"):
            engine.stream(QUESTION, options)
    with pytest.raises(UsageError, match="Unicode"):
        engine.stream([{"role": "user", "content": "\ud800"}], EXACTLY)

    secret = "harbour " * 600
    with pytest.raises(PromptTooLongError, match="expected fewer than 512") as long:
        next(engine.stream([{"role": "user", "content": secret}], EXACTLY))
    with pytest.raises(SaysoError, match="refused") as odd:
        next(engine.stream([{"content": secret}], EXACTLY))
    assert "harbour" not in f"{long.value}{odd.value}{odd.value.__cause__}"
    assert text(list(engine.stream(QUESTION, EXACTLY)))


@pytest.mark.base_model
def test_a_bad_release_is_refused_and_the_old_one_goes_on(
    engine: Engine, adapters: list[Path], base: Path, tmp_path: Path
) -> None:
    engine.load("good", adapters[0])
    answer = text(list(engine.stream(QUESTION, EXACTLY)))
    cut = tmp_path / "cut.gguf"
    cut.write_bytes(adapters[0].read_bytes()[:100_000])
    for adapter, problem in (
        (tmp_path / "none.gguf", "is missing"),
        (cut, "cannot load release 'bad'"),
        (base, "cannot load release 'bad'"),
    ):
        with pytest.raises(InputError, match=problem):
            engine.load("bad", adapter)
    with pytest.raises(SaysoError, match="probabilities are not numbers"):
        engine.load("bad", adapters[2])
    assert engine.release == "good"
    assert text(list(engine.stream(QUESTION, EXACTLY))) == answer


@pytest.mark.base_model
def test_it_is_silent_and_opens_no_port(
    engine: Engine, capfd: pytest.CaptureFixture[str], adapters: list[Path]
) -> None:
    engine.load("first", adapters[0])
    list(engine.stream(QUESTION, EXACTLY))
    with pytest.raises(SaysoError):
        engine.load("bad", adapters[2])
    assert psutil.Process().net_connections("inet") == []
    assert "GOMP_SPINCOUNT" not in os.environ
    assert capfd.readouterr() == ("", "")


@pytest.mark.base_model
def test_a_program_ends_in_the_middle_of_an_answer(base: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from sayso.assistant.engine import *\n"
        "engine = Engine(Path(sys.argv[1]), threads=1, parallel=1, context_tokens=2048)\n"
        "engine.load('first', None)\n"
        "stream = engine.stream([{'role': 'user', 'content': 'Talk.'}], Options(max_tokens=2000))\n"
        "print(next(stream).release)\n"
    )
    command = [sys.executable, "-W", "error", "-c", program, str(base)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "first\n", "")


def test_missing_parts_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(MissingPartError, match="is missing"):
        Engine(tmp_path / "none.gguf", threads=1, parallel=1, context_tokens=512)
    monkeypatch.setitem(sys.modules, "xllamacpp", None)
    with pytest.raises(MissingPartError, match="xllamacpp") as missing:
        Engine(tmp_path / "none.gguf", threads=1, parallel=1, context_tokens=512)
    assert missing.value.hint == "pip install 'sayso[serve]'"
