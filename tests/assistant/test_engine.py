"""The engine on the real base: answers, swaps under load, early leaving, errors, silence."""

import json
import os
import signal
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
from msgspec import structs

from sayso.assistant.engine import Chunk, NotLoadedError, Options, PromptTooLongError, generate
from sayso.assistant.engines.llama import LlamaEngine
from sayso.assistant.engines.llama_instance import Instance
from sayso.errors import InputError, MissingPartError, SaysoError, UsageError
from sayso.training import releases
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
        paths.append(folder / str(number))
        paths[-1].mkdir()
        write_lora(paths[-1] / releases.GGUF, base, adapter)
    return paths


@pytest.fixture
def engine(base: Path) -> Iterator[LlamaEngine]:
    engine = LlamaEngine(base, threads=1, parallel=3, context_tokens=512)
    yield engine
    engine.close()


def text(chunks: list[Chunk]) -> str:
    return "".join(chunk.text for chunk in chunks)


def until(condition: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        threading.Event().wait(0.01)


def serving() -> set[int]:
    """Process ids of the llama.cpp processes of this program."""
    return {
        child.pid
        for child in psutil.Process().children()
        if any("llama_server" in word for word in child.cmdline())
    }


@pytest.mark.base_model
def test_an_answer_ends_with_its_reason_and_counts(engine: LlamaEngine) -> None:
    engine.load("first", None)
    chunks = list(engine.stream(QUESTION, Options(max_tokens=7, temperature=0)))
    assert text(chunks).strip()
    assert chunks[-1].finish_reason == "length"
    assert chunks[-1].completion_tokens == 7
    assert chunks[-1].prompt_tokens > engine.count_tokens(QUESTION[0]["content"])
    assert [chunk.finish_reason for chunk in chunks[:-1]] == [None] * (len(chunks) - 1)
    assert {chunk.release for chunk in chunks} == {"first"}


@pytest.mark.base_model
def test_a_stop_text_ends_the_answer_and_is_left_out(engine: LlamaEngine) -> None:
    engine.load("first", None)
    whole = text(list(engine.stream(QUESTION, EXACTLY)))
    stop = whole.split()[2]
    options = Options(max_tokens=12, temperature=0, seed=1, stop=(stop,))
    chunks = list(engine.stream(QUESTION, options))
    assert text(chunks) == whole[: whole.index(stop)]
    assert chunks[-1].finish_reason == "stop"


@pytest.mark.base_model
def test_each_release_answers_for_itself(engine: LlamaEngine, adapters: list[Path]) -> None:
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
def test_no_answer_fails_while_releases_are_swapped(
    engine: LlamaEngine, adapters: list[Path]
) -> None:
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
    engine: LlamaEngine, adapters: list[Path]
) -> None:
    engine.load("old", adapters[0])
    first = serving()
    old = engine.stream(QUESTION, Options(max_tokens=60, temperature=0))
    chunks = [next(old)]
    engine.load("new", adapters[1])
    assert next(engine.stream(QUESTION, EXACTLY)).release == "new"
    chunks += old
    assert {chunk.release for chunk in chunks} == {"old"}
    assert chunks[-1].finish_reason is not None
    until(lambda: not serving() & first)
    assert len(serving()) == 1


@pytest.mark.base_model
def test_leaving_early_frees_the_slot(base: Path) -> None:
    engine = LlamaEngine(base, threads=1, parallel=1, context_tokens=1024)
    engine.load("first", None)
    for content in ("Tell me a very long story.", "the sea and the sky and " * 150):
        started = engine.stream([{"role": "user", "content": content}], LONG)
        waiting = engine.stream(QUESTION, EXACTLY)
        next(started)
        with ThreadPoolExecutor(1) as pool:
            answer = pool.submit(lambda stream: text(list(stream)), waiting)
            started.close()  # type: ignore[attr-defined]
            assert answer.result(timeout=60)
    engine.close()


@pytest.mark.base_model
def test_closing_ends_all_answers(base: Path) -> None:
    before = serving()
    engine = LlamaEngine(base, threads=1, parallel=1, context_tokens=512)
    engine.load("first", None)
    streams = [engine.stream(QUESTION, LONG) for _ in range(3)]
    with ThreadPoolExecutor(3) as pool:
        next(streams[0])
        answers = [pool.submit(list, stream) for stream in streams]
        engine.close()
        for answer in answers:
            assert all(chunk.finish_reason is None for chunk in answer.result(timeout=30))
    until(lambda: serving() <= before)
    with pytest.raises(NotLoadedError):
        engine.stream(QUESTION, EXACTLY)
    with pytest.raises(NotLoadedError):
        engine.load("second", None)
    assert engine.release == ""


@pytest.mark.base_model
def test_tokens_are_counted_exactly(engine: LlamaEngine, base: Path) -> None:
    from transformers import AutoTokenizer

    engine.load("first", None)
    reference = AutoTokenizer.from_pretrained(base.parent, gguf_file=base.name)
    for sample in ("", "Hello world", "Größe 42 🌊\n\n\tx", "<|im_start|>user", "ein Satz. " * 200):
        assert engine.count_tokens(sample) == len(reference(sample)["input_ids"])
    assert engine.count_tokens("\ud800") > 0


@pytest.mark.base_model
def test_requests_that_cannot_be_answered(engine: LlamaEngine) -> None:
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
    engine: LlamaEngine, adapters: list[Path], base: Path, tmp_path: Path
) -> None:
    engine.load("good", adapters[0])
    answer = text(list(engine.stream(QUESTION, EXACTLY)))
    for content, problem in (
        (None, "is missing"),
        ((adapters[0] / releases.GGUF).read_bytes()[:100_000], "cannot load release 'bad'"),
        (base.read_bytes(), "cannot load release 'bad'"),
    ):
        if content is not None:
            (tmp_path / releases.GGUF).write_bytes(content)
        with pytest.raises(InputError, match=problem):
            engine.load("bad", tmp_path)
    with pytest.raises(SaysoError, match="probabilities are not numbers"):
        engine.load("bad", adapters[2])
    assert engine.release == "good"
    assert text(list(engine.stream(QUESTION, EXACTLY))) == answer


@pytest.mark.base_model
def test_it_is_silent_and_opens_no_port(
    engine: LlamaEngine, capfd: pytest.CaptureFixture[str], adapters: list[Path]
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
        "import sys; from pathlib import Path; from sayso.assistant.engine import Options\n"
        "from sayso.assistant.engines.llama import LlamaEngine\n"
        "engine = LlamaEngine(Path(sys.argv[1]), threads=1, parallel=1, context_tokens=2048)\n"
        "engine.load('first', None)\n"
        "stream = engine.stream([{'role': 'user', 'content': 'Talk.'}], Options(max_tokens=2000))\n"
        "print(next(stream).release)\n"
    )
    command = [sys.executable, "-W", "error", "-c", program, str(base)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "first\n", "")


def test_missing_parts_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(MissingPartError, match="is missing"):
        LlamaEngine(tmp_path / "none.gguf", threads=1, parallel=1, context_tokens=512)
    monkeypatch.setattr(sys, "path", [])
    with pytest.raises(MissingPartError, match="xllamacpp") as missing:
        LlamaEngine(tmp_path / "none.gguf", threads=1, parallel=1, context_tokens=512)
    assert missing.value.hint == "pip install 'sayso[serve]'"


@pytest.mark.base_model
def test_a_crash_of_llama_cpp_ends_its_answers_and_the_release_can_be_loaded_again(
    engine: LlamaEngine,
) -> None:
    engine.load("first", None)
    (process,) = serving()
    stream = engine.stream(QUESTION, LONG)
    next(stream)
    os.kill(process, signal.SIGKILL)
    with pytest.raises(SaysoError, match="broke off"):
        list(stream)
    until(lambda: engine.release == "")
    with pytest.raises(NotLoadedError):
        engine.stream(QUESTION, EXACTLY)
    engine.load("first", None)
    assert generate(engine, QUESTION, EXACTLY)


@pytest.mark.base_model
def test_the_process_ends_with_the_program_however_that_ends(base: Path) -> None:
    program = (
        "import os, psutil, signal, sys; from pathlib import Path\n"
        "from sayso.assistant.engines.llama import LlamaEngine\n"
        "engine = LlamaEngine(Path(sys.argv[1]), threads=1, parallel=1, context_tokens=512)\n"
        "engine.load('first', None)\n"
        "print(psutil.Process().children()[0].pid, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    command = [sys.executable, "-c", program, str(base)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == -signal.SIGKILL
    until(lambda: not psutil.pid_exists(int(done.stdout)))


WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "parameters": {
            "type": "object",
            "properties": {"at": {"$ref": "#/$defs/place"}, "days": {"enum": [1, 3]}},
            "required": ["at", "days"],
            "additionalProperties": False,
            "$defs": {"place": {"type": "string", "maxLength": 12}},
        },
    },
}


@pytest.mark.base_model
def test_functions_are_called_as_they_say_even_by_a_model_that_knows_none(
    engine: LlamaEngine,
) -> None:
    engine.load("first", None)
    asked = [{"role": "user", "content": "How is the weather in Kiel for 3 days?"}]
    must = Options(
        max_tokens=80, temperature=0, seed=1, tools=(WEATHER,), tool_choice="required",
        parallel_tool_calls=False,
    )  # fmt: skip
    chunks = list(engine.stream(asked, must))
    assert chunks[-1].finish_reason == "tool_calls"
    assert not text(chunks)
    (call,) = [call for chunk in chunks for call in chunk.tool_calls]
    assert (call["index"], call["type"], call["function"]["name"]) == (0, "function", "weather")
    arguments = json.loads(call["function"]["arguments"])
    assert arguments.keys() == {"at", "days"}
    assert len(arguments["at"]) <= 12
    assert arguments["days"] in (1, 3)
    # What came of it goes back, and an answer in words comes without the object around it.
    result = {"role": "tool", "tool_call_id": call["id"], "content": "Storm, no ferries"}
    talk = [*asked, {"role": "assistant", "content": None, "tool_calls": [call]}, result]
    free = Options(max_tokens=16, temperature=0, seed=1, tools=(WEATHER,))
    answer = list(engine.stream(talk, free))
    assert answer[-1].finish_reason in ("stop", "length", "tool_calls")
    assert '"answer"' not in text(answer)
    none = structs.replace(free, tool_choice="none")
    plain = structs.replace(free, tools=())
    assert text(list(engine.stream(talk, none))) == text(list(engine.stream(talk, plain)))


@pytest.mark.base_model
def test_an_answer_is_bound_to_a_schema(engine: LlamaEngine) -> None:
    engine.load("first", None)
    schema = {"type": "object", "properties": {"n": {"type": "integer", "maximum": 99}}}
    schema |= {"required": ["n"], "additionalProperties": False}
    form = {"type": "json_schema", "json_schema": {"name": "number", "schema": schema}}
    options = Options(max_tokens=40, temperature=0, response_format=form)
    answer = json.loads(text(list(engine.stream(QUESTION, options))))
    assert answer.keys() == {"n"}
    assert isinstance(answer["n"], int)


@pytest.mark.base_model
def test_text_comes_out_as_the_model_makes_it(base: Path, tmp_path: Path) -> None:
    shape = {"threads": 1, "parallel": 1, "context_tokens": 512}
    instance = Instance("first", base, None, socket_path=tmp_path / "a.sock", **shape)
    # A grammar with one sentence stands in for a model that would say just that.
    for said in (
        "<think>\na</think>\n b <tool_call>\n{}</tool_call>",
        "  \n white",
        "[TOOL_CALLS]",
    ):
        request = {
            "messages": QUESTION,
            "reasoning_format": "none",
            "grammar": f"root ::= {json.dumps(said)}",
        }
        answer = instance.ask("POST", "/v1/chat/completions", request)
        assert answer["choices"][0]["message"]["content"] == said
    instance.close()
