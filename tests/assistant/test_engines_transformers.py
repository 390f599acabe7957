"""transformers serves the tiny model: the same answers as its own loop, swaps, leaving, errors."""

import itertools
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import numpy as np
import psutil
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save_file
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from sayso.assistant.engine import Chunk, NotLoadedError, Options, PromptTooLongError
from sayso.assistant.engines.served import Answer, Served
from sayso.assistant.engines.transformers import TransformersEngine
from sayso.assistant.engines.transformers_server import Order, _Server, cut, held
from sayso.errors import InputError, SaysoError, UsageError
from sayso.training import releases
from tests.assistant.test_engine import text, until

QUESTION = [{"role": "user", "content": "Tell me about the sea."}]
EXACTLY = Options(max_tokens=12, temperature=0, seed=1)


@pytest.fixture(scope="module")
def adapters(tiny_base: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Three releases' folders, all layers' queries and gates; the last one ends in NaN."""
    folder = tmp_path_factory.mktemp("adapters")
    shapes = {"self_attn.q_proj": (32, 32), "mlp.gate_proj": (48, 32)}
    for number, size in enumerate((1.0, 1.0, np.nan)):
        random = np.random.default_rng(number)
        tensors = {}
        for layer in range(2):
            for name, (rows, columns) in shapes.items():
                module = f"{releases.PREFIX}model.layers.{layer}.{name}"
                a = random.standard_normal((4, columns)).astype("f4")
                b = (random.standard_normal((rows, 4)) * size).astype("f4")
                tensors |= {f"{module}.lora_A.weight": a, f"{module}.lora_B.weight": b}
        (folder / str(number)).mkdir()
        save_file(tensors, folder / str(number) / releases.WEIGHTS, {"format": "pt"})
        config = {"peft_type": "LORA", "r": 4, "lora_alpha": 8, "target_modules": [*shapes]}
        config |= {"task_type": "CAUSAL_LM", "base_model_name_or_path": str(tiny_base)}
        (folder / str(number) / "adapter_config.json").write_bytes(msgspec.json.encode(config))
    return [folder / str(number) for number in range(3)]


@pytest.fixture(scope="module")
def engine(tiny_base: Path) -> Iterator[TransformersEngine]:
    engine = TransformersEngine(tiny_base, threads=1, parallel=2, context_tokens=512)
    yield engine
    engine.close()


def expected(base: Path, adapter: Path | None, tokens: int) -> str:
    """What transformers makes of the question, LoRA as a path of its own beside each matrix."""
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    tensors = load_file(adapter / releases.WEIGHTS) if adapter else {}
    for name in [name for name in tensors if name.endswith(".lora_A.weight")]:
        a, b = tensors[name], tensors[name.replace("lora_A", "lora_B")]
        module = model.get_submodule(name.removeprefix(releases.PREFIX).split(".lora_A")[0])
        module.register_forward_hook(
            lambda _, given, out, a=a, b=b: out + 2.0 * (given[0] @ a.T) @ b.T
        )
    tokenizer = AutoTokenizer.from_pretrained(base)
    prompt = tokenizer("user: Tell me about the sea.\nassistant:", return_tensors="pt")
    made = model.generate(**prompt, max_new_tokens=tokens, do_sample=False, pad_token_id=0)
    return tokenizer.decode(made[0, prompt["input_ids"].shape[1] :], skip_special_tokens=True)


def test_releases_answer_as_transformers_itself_does(
    engine: TransformersEngine, tiny_base: Path, adapters: list[Path]
) -> None:
    answers = {}
    for name, adapter in (("base", None), ("a", adapters[0]), ("b", adapters[1])):
        engine.load(name, adapter)
        assert engine.release == name
        chunks = list(engine.stream(QUESTION, EXACTLY))
        answers[name] = text(chunks)
        assert answers[name] == expected(tiny_base, adapter, 12)
        assert {chunk.release for chunk in chunks} == {name}
        assert chunks[-1].finish_reason == "length"
        assert (chunks[-1].prompt_tokens, chunks[-1].completion_tokens) == (39, 12)
    assert len(set(answers.values())) == 3
    # A seed repeats what is drawn, and another draws something else.
    drawn = [
        text(list(engine.stream(QUESTION, Options(max_tokens=20, temperature=1.5, seed=seed))))
        for seed in (1, 1, 2)
    ]
    assert drawn[0] == drawn[1] != drawn[2]
    # Of nothing but the likeliest, drawing leaves no choice.
    narrow = Options(max_tokens=12, temperature=1.5, top_p=1e-9)
    assert text(list(engine.stream(QUESTION, narrow))) == answers["b"]


def test_stop_texts_are_left_out(engine: TransformersEngine, adapters: list[Path]) -> None:
    engine.load("a", adapters[0])
    whole = text(list(engine.stream(QUESTION, EXACTLY)))
    stop = whole[3:5]
    chunks = list(engine.stream(QUESTION, msgspec.structs.replace(EXACTLY, stop=(stop, "zzz"))))
    assert text(chunks) == whole[: whole.index(stop)]
    assert chunks[-1].finish_reason == "stop"


@given(st.text("ab", max_size=12), st.lists(st.text("ab", min_size=1, max_size=4), max_size=3))
def test_what_is_told_never_holds_a_stop_text(said: str, stops: list[str]) -> None:
    stop, told = tuple(stops), ""
    for end in range(1, len(said) + 1):  # a letter comes after the other
        text, stopped = cut(said[:end], stop)
        safe = len(text) if stopped else len(text) - held(text, stop)
        assert told == text[: len(told)]  # nothing that was told is taken back
        told = text[: max(safe, len(told))]
        assert not any(each in told for each in stop)
        if stopped:
            return
    # What is held back at the end could still become a stop text.
    assert any(each.startswith(said[len(told) :]) for each in stop) or told == said


def test_tokens_are_counted_exactly(engine: TransformersEngine, tiny_base: Path) -> None:
    engine.load("base", None)
    tokenizer = AutoTokenizer.from_pretrained(tiny_base)
    for sample in ("", "Hello", "Größe 42 🌊\n\tx"):
        expected = tokenizer(sample, add_special_tokens=False)["input_ids"]
        assert engine.count_tokens(sample) == len(expected)


class Endless:
    """A model that never comes to an end by itself."""

    longest = 2**31

    def __init__(self) -> None:
        self.ended = threading.Event()

    def prompt(self, messages: list) -> list[int]:
        return [1]

    def tokens(self, prompt: list[int], options: Options) -> Iterator[int]:
        try:
            yield from itertools.repeat(1)
        finally:
            self.ended.set()

    def text(self, tokens: list[int], *, whole: bool) -> str:
        return "a" * len(tokens)

    def is_end(self, token: int) -> bool:
        return False


def test_leaving_ends_the_generation_and_frees_the_turn(tmp_path: Path) -> None:
    path, model = str(tmp_path / "a.sock"), Endless()
    order = Order(socket=path, model="", threads=1, parallel=1, context_tokens=2**30)
    body = {"messages": QUESTION, "temperature": 0, "top_p": 1, "stop": [], "seed": 1}
    with _Server(order, model) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        served = Served(path, "transformers")
        answer = Answer(served, msgspec.json.encode(body | {"max_tokens": 2**29}))
        events = answer.events()
        assert next(events).choices[0].delta.content == "a"
        answer.leave()
        list(events)
        assert model.ended.wait(30)
        short = list(Answer(served, msgspec.json.encode(body | {"max_tokens": 3})).events())
        assert short[-1].usage is not None
        assert short[-1].usage.completion_tokens == 3
        server.shutdown()
        thread.join()


def test_answers_end_on_their_release_which_is_freed_then(
    tiny_base: Path, adapters: list[Path]
) -> None:
    engine = TransformersEngine(tiny_base, threads=1, parallel=1, context_tokens=256)
    engine.load("old", adapters[0])
    old = engine._current._process.pid  # type: ignore[union-attr]
    under_way = engine.stream(QUESTION, Options(max_tokens=60, temperature=0))
    chunks = [next(under_way)]
    engine.load("new", adapters[1])
    assert next(engine.stream(QUESTION, EXACTLY)).release == "new"
    chunks += under_way
    assert {chunk.release for chunk in chunks} == {"old"}
    assert chunks[-1].finish_reason is not None
    del under_way
    until(lambda: not psutil.pid_exists(old) or not psutil.Process(old).is_running())
    streams = [engine.stream(QUESTION, Options(max_tokens=200)) for _ in range(2)]
    next(streams[0])
    with ThreadPoolExecutor(2) as pool:
        ending: list[list[Chunk]] = []
        answers = [pool.submit(list, stream) for stream in streams]
        engine.close()
        ending = [answer.result(30) for answer in answers]
    assert all(chunk.finish_reason is None for chunks in ending for chunk in chunks)
    with pytest.raises(NotLoadedError):
        engine.stream(QUESTION, EXACTLY)


def test_what_cannot_be_loaded_or_answered(
    engine: TransformersEngine, adapters: list[Path], tmp_path: Path
) -> None:
    engine.load("good", adapters[0])
    with pytest.raises(InputError, match="is missing"):
        engine.load("bad", tmp_path)
    for damage in (b"{}", b""):
        for name in (releases.WEIGHTS, "adapter_config.json"):
            (tmp_path / name).write_bytes((adapters[0] / name).read_bytes())
        (tmp_path / ("adapter_config.json" if damage else releases.WEIGHTS)).write_bytes(damage)
        with pytest.raises(InputError, match="cannot load release 'bad'"):
            engine.load("bad", tmp_path)
    with pytest.raises(SaysoError, match="not numbers"):
        engine.load("bad", adapters[2])
    assert engine.release == "good"
    secret = "harbour " * 100
    with pytest.raises(PromptTooLongError, match="expected fewer than 256") as long:
        next(engine.stream([{"role": "user", "content": secret}], EXACTLY))
    with pytest.raises(UsageError, match="refused") as odd:
        next(engine.stream([{"content": secret}], EXACTLY))
    assert "harbour" not in f"{long.value}{odd.value}{odd.value.__cause__}"
    tool = {"type": "function", "function": {"name": "f"}}
    for options in (Options(tools=(tool,)), Options(response_format={"type": "json_object"})):
        with pytest.raises(UsageError, match="neither call functions"):
            engine.stream(QUESTION, options)
