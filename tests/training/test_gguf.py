"""The LoRA file for llama.cpp: the same model there as in transformers, the same bytes twice."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.modeling_gguf_pytorch_utils import LlamaTensorProcessor
from transformers.utils import logging

from sayso.assistant.engines.llama_instance import Instance
from sayso.errors import InputError, UsageError
from sayso.training.base import find_gguf
from sayso.training.gguf import read_header, write_lora

Matrix = NDArray[np.float32]
Adapter = dict[str, tuple[Matrix, Matrix]]

PROMPTS = ("The capital of France is", "def add(a, b):\n    return", "My favourite food is")
NAMES = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}


@pytest.fixture(scope="session")
def base() -> Path:
    path = find_gguf("smollm2")
    assert path is not None
    return path


@pytest.fixture(scope="session")
def exact(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The real base's first two layers in float32: no rounding hides an error."""
    path = tmp_path_factory.mktemp("exact") / "two-layers.gguf"
    source = gguf.GGUFReader(base)
    writer = gguf.GGUFWriter(None, "llama")
    for name, field in source.fields.items():
        if not name.startswith("GGUF.") and name != "general.architecture":
            value = 2 if name == "llama.block_count" else field.contents()
            part = field.types[1] if len(field.types) > 1 else None
            writer.add_key_value(name, value, field.types[0], part)
    for tensor in source.tensors:
        if not tensor.name.startswith("blk.") or tensor.name.split(".")[1] in ("0", "1"):
            writer.add_tensor(tensor.name, gguf.dequantize(tensor.data, tensor.tensor_type))
    return written(writer, path)


def written(writer: gguf.GGUFWriter, path: Path) -> Path:
    writer.write_header_to_file(path)
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def small_base(path: Path, architecture: str = "llama", heads: int = 4, kv_heads: int = 2) -> Path:
    """A GGUF file with the head of a model of one layer, four wide for each attention head."""
    writer = gguf.GGUFWriter(None, architecture)
    writer.add_block_count(1)
    writer.add_head_count(heads)
    writer.add_head_count_kv(kv_heads)
    writer.add_token_list(["a", "b"])
    writer.add_token_scores([0.0, 1.0])
    for name, rows in (("attn_q", heads), ("attn_k", kv_heads), ("attn_v", kv_heads)):
        writer.add_tensor(f"blk.0.{name}.weight", np.zeros((rows * 4, 6), dtype="f4"))
    return written(writer, path)


def small_adapter(heads: int = 4, kv_heads: int = 2, rank: int = 3) -> Adapter:
    random = np.random.default_rng(heads * 100 + kv_heads * 10 + rank)
    return {
        f"model.layers.0.self_attn.{name}": (
            random.standard_normal((rank, 6)).astype("f4"),
            random.standard_normal((rows * 4, rank)).astype("f4"),
        )
        for name, rows in (("q_proj", heads), ("k_proj", kv_heads), ("v_proj", kv_heads))
    }


def tensors(path: Path) -> dict[str, Matrix]:
    return {tensor.name: np.array(tensor.data) for tensor in gguf.GGUFReader(path).tensors}


def random_adapter(base: Path, seed: int, size: float, rank: int = 16) -> Adapter:
    """An adapter over all linear layers; delta W's entries deviate by size * sqrt(rank / d_in)."""
    header, random, adapter = read_header(base), np.random.default_rng(seed), {}
    for layer in range(header.values["llama.block_count"]):
        for name, tensor in NAMES.items():
            rows, columns = header.shapes[f"blk.{layer}.{tensor}.weight"]
            a = (random.standard_normal((rank, columns)) / np.sqrt(columns)).astype("f4")
            b = (random.standard_normal((rows, rank)) * size).astype("f4")
            adapter[f"model.layers.{layer}.{name}"] = a, b
    return adapter


class Llama:
    """What llama.cpp says with a base and an adapter."""

    def __init__(self, base: Path, adapter: Path | None, folder: Path) -> None:
        path = folder / f"{adapter.stem if adapter else 'bare'}.sock"
        shape = {"threads": 1, "parallel": 1, "context_tokens": 256}
        self._instance = Instance("test", base, adapter, socket_path=path, **shape)

    def likelihoods(self, prompt: str) -> dict[int, float]:
        """The 20 likeliest next tokens and their log-probabilities."""
        first = self._ask(prompt, max_tokens=1, logprobs=20)["logprobs"]["content"][0]
        return {token["id"]: token["logprob"] for token in first["top_logprobs"]}

    def greedy(self, prompt: str) -> str:
        return str(self._ask(prompt, max_tokens=12)["text"])

    def _ask(self, prompt: str, **options: Any) -> dict[str, Any]:
        request = {"prompt": prompt, "temperature": 0, "cache_prompt": False, **options}
        return dict(self._instance.ask("POST", "/v1/completions", request)["choices"][0])


class Transformers:
    """What transformers says with the same base, dequantised, and the adapter added to it."""

    def __init__(self, base: Path, adapter: Mapping[str, tuple[Matrix, Matrix]]) -> None:
        logging.disable_progress_bar()
        torch.set_num_threads(1)
        self._tokenizer: Any = AutoTokenizer.from_pretrained(base.parent, gguf_file=base.name)
        self._model: Any = AutoModelForCausalLM.from_pretrained(
            base.parent, gguf_file=base.name, dtype=torch.float32
        )
        with torch.no_grad():
            for name, (a, b) in adapter.items():
                self._model.get_submodule(name).weight += torch.from_numpy(b @ a)

    def likelihoods(self, prompt: str, tokens: list[int]) -> Matrix:
        with torch.no_grad():
            logits = self._model(**self._tokenizer(prompt, return_tensors="pt")).logits[0, -1]
        return np.asarray(logits.log_softmax(-1)[tokens])

    def greedy(self, prompt: str) -> str:
        tokens = self._tokenizer(prompt, return_tensors="pt")
        made = self._model.generate(**tokens, max_new_tokens=12, do_sample=False)
        return str(self._tokenizer.decode(made[0][tokens["input_ids"].shape[1] :]))


def differences(llama: Llama, other: Transformers) -> Iterator[Matrix]:
    """Differences of the likeliest tokens' log-probabilities, prompt by prompt."""
    for prompt in PROMPTS:
        found = llama.likelihoods(prompt)
        yield np.abs(np.array(list(found.values())) - other.likelihoods(prompt, list(found)))


@pytest.mark.base_model
def test_llama_cpp_computes_what_transformers_computes(exact: Path, tmp_path: Path) -> None:
    adapter = random_adapter(exact, seed=1, size=0.1)
    reference = Transformers(exact, adapter)
    write_lora(tmp_path / "lora.gguf", exact, adapter)
    ours = Llama(exact, tmp_path / "lora.gguf", tmp_path)
    assert max(d.max() for d in differences(ours, reference)) < 0.01
    for prompt in PROMPTS:
        assert ours.greedy(prompt) == reference.greedy(prompt)

    bare = Llama(exact, None, tmp_path)
    assert min(d.max() for d in differences(bare, reference)) > 0.5

    # With queries and keys in Hugging Face's row order, it would be another model.
    for name, heads in (("q_proj", 9), ("k_proj", 3)):
        for layer in range(2):
            key = f"model.layers.{layer}.self_attn.{name}"
            a, b = adapter[key]
            adapter[key] = a, b.reshape(heads, -1, 2, b.shape[1]).swapaxes(1, 2).reshape(b.shape)
    write_lora(tmp_path / "wrong.gguf", exact, adapter)
    wrong = Llama(exact, tmp_path / "wrong.gguf", tmp_path)
    assert min(d.max() for d in differences(wrong, reference)) > 0.05


@pytest.mark.base_model
def test_the_real_base_moves_with_the_adapter(base: Path, tmp_path: Path) -> None:
    adapter = random_adapter(base, seed=2, size=0.08)
    reference = Transformers(base, adapter)
    write_lora(tmp_path / "lora.gguf", base, adapter)

    ours = np.concatenate(
        list(differences(Llama(base, tmp_path / "lora.gguf", tmp_path), reference))
    )
    bare = np.concatenate(list(differences(Llama(base, None, tmp_path), reference)))
    # llama.cpp rounds activations to 8 bits for Q4_1.
    assert ours.mean() < 0.15
    assert bare.mean() > 5 * ours.mean()


@settings(deadline=None, max_examples=30)
@given(kv_heads=st.integers(1, 3), groups=st.integers(1, 3), rank=st.integers(1, 5))
def test_transformers_reads_back_the_matrices_that_were_written(
    tmp_path_factory: pytest.TempPathFactory, kv_heads: int, groups: int, rank: int
) -> None:
    folder, heads = tmp_path_factory.mktemp("lora"), kv_heads * groups
    adapter = small_adapter(heads, kv_heads, rank)
    base = small_base(folder / "base.gguf", heads=heads, kv_heads=kv_heads)
    write_lora(folder / "lora.gguf", base, adapter)

    found = tensors(folder / "lora.gguf")
    reader = LlamaTensorProcessor({"num_attention_heads": heads, "num_key_value_heads": kv_heads})
    for name, tensor in (("q_proj", "attn_q"), ("k_proj", "attn_k"), ("v_proj", "attn_v")):
        (a, b), key = adapter[f"model.layers.0.self_attn.{name}"], f"blk.0.{tensor}.weight"
        assert np.array_equal(found[f"{key}.lora_a"], a)
        assert np.array_equal(reader.process(found[f"{key}.lora_b"], name=key).weights, b)


def test_metadata_is_what_llama_cpp_expects(tmp_path: Path) -> None:
    base = small_base(tmp_path / "base.gguf")
    write_lora(tmp_path / "lora.gguf", base, small_adapter(rank=3))
    assert read_header(base).shapes["blk.0.attn_k.weight"] == (8, 6)
    assert read_header(tmp_path / "lora.gguf").values == {
        "general.architecture": "llama",
        "general.type": "adapter",
        "adapter.type": "lora",
        "adapter.lora.alpha": 3.0,
    }


def test_same_adapter_same_bytes(tmp_path: Path) -> None:
    base = small_base(tmp_path / "base.gguf")
    adapter = small_adapter()
    write_lora(tmp_path / "one.gguf", base, adapter)
    write_lora(tmp_path / "two.gguf", base, dict(reversed(adapter.items())))
    assert (tmp_path / "one.gguf").read_bytes() == (tmp_path / "two.gguf").read_bytes()


def test_other_architectures_keep_their_rows(tmp_path: Path) -> None:
    adapter = small_adapter()
    write_lora(tmp_path / "lora.gguf", small_base(tmp_path / "base.gguf", "qwen2"), adapter)
    found = tensors(tmp_path / "lora.gguf")["blk.0.attn_q.weight.lora_b"]
    assert np.array_equal(found, adapter["model.layers.0.self_attn.q_proj"][1])


def test_unknown_architecture_is_refused(tmp_path: Path) -> None:
    base = small_base(tmp_path / "base.gguf", "mamba")
    with pytest.raises(InputError, match="'mamba', expected one of"):
        write_lora(tmp_path / "lora.gguf", base, small_adapter())
    written(gguf.GGUFWriter(None, "llama"), base)
    with pytest.raises(InputError, match=r"None as llama\.block_count"):
        write_lora(tmp_path / "lora.gguf", base, small_adapter())


@pytest.mark.parametrize("content", [b"", b"GGUF", b"PK\x03\x04" * 100, None])
def test_a_base_that_is_no_gguf_is_refused(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "base.gguf").write_bytes(content)
    with pytest.raises(InputError, match="cannot be read as GGUF"):
        read_header(tmp_path / "base.gguf")


def test_a_base_cut_short_is_refused(tmp_path: Path) -> None:
    data = small_base(tmp_path / "base.gguf").read_bytes()
    for length in range(0, data.index(b"blk.0.attn_v.weight"), 7):
        (tmp_path / "cut.gguf").write_bytes(data[:length])
        with pytest.raises(InputError):
            read_header(tmp_path / "cut.gguf")


@pytest.mark.parametrize(
    ("name", "change", "problem"),
    [
        ("q_proj", lambda a, b: (a, b[1:]), "expected delta W of"),
        ("q_proj", lambda a, b: (a[:, 1:], b), "expected delta W of"),
        ("q_proj", lambda a, b: (a.astype("f8"), b), "expected float32"),
        ("q_proj", lambda a, b: (a, b * np.float32("inf")), "not finite"),
        ("q_proj", lambda a, b: (a[1:], b[:, 1:]), "expected one for all"),
        ("q_proj", lambda a, b: (a, b[:, 1:]), "expected the same"),
        ("z_proj", lambda a, b: (a, b), "does not have"),
    ],
)
def test_an_adapter_that_does_not_fit_is_refused(
    tmp_path: Path, name: str, change: Any, problem: str
) -> None:
    adapter = small_adapter()
    a, b = adapter["model.layers.0.self_attn.q_proj"]
    adapter[f"model.layers.0.self_attn.{name}"] = change(a, b)
    with pytest.raises(UsageError, match=problem):
        write_lora(tmp_path / "lora.gguf", small_base(tmp_path / "base.gguf"), adapter)
    assert not (tmp_path / "lora.gguf").exists()


def test_a_failed_write_leaves_nothing_behind(tmp_path: Path) -> None:
    base = small_base(tmp_path / "base.gguf")
    (tmp_path / "lora.gguf").mkdir()
    with pytest.raises(IsADirectoryError):
        write_lora(tmp_path / "lora.gguf", base, small_adapter())
    assert {path.name for path in tmp_path.iterdir()} == {"base.gguf", "lora.gguf"}
