"""A model in transformers with a release added to its weights: what it says, token by token.

Only the process that serves imports this; loading torch takes seconds.
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import torch
from safetensors.torch import load_file
from torch import Tensor
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    DynamicCache,
    PreTrainedTokenizerFast,  # noqa: F401 - as the next one
)
from transformers.models.llama import modeling_llama  # noqa: F401 - loaded before processes fork
from transformers.utils import logging

from sayso.assistant.engine import Message, Options

PIECE_TOKENS: Final = 256  # a long prompt is read in pieces, so that it can be left
PREFIX: Final = "base_model.model."
# For bases that were never taught to talk.
TEMPLATE: Final = (
    "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}assistant:"
)
_UNFINISHED: Final = "\ufffd"  # of a character whose other bytes are in the next token


class Model:
    """The base, with the release's B·A added.

    Args:
        folder: the base in Hugging Face form.
        adapter: a PEFT adapter's folder; None = the bare base.

    Raises:
        OSError, ValueError, KeyError, RuntimeError, safetensors.SafetensorError: the files cannot
            be read, or are not made for each other.
    """

    def __init__(self, folder: Path, adapter: Path | None) -> None:
        logging.disable_progress_bar()
        logging.set_verbosity_error()
        self._device = "cuda" if torch.cuda.is_available() else "cpu"
        self.tokenizer: Any = AutoTokenizer.from_pretrained(folder)
        model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
        if adapter is not None:
            _add(model, adapter)
        # Half the size where the processor is made for it; sums of small parts need the full one.
        self._model = model.eval().to(
            self._device, torch.bfloat16 if self._device == "cuda" else torch.float32
        )
        self.longest = int(getattr(model.config, "max_position_embeddings", 0) or 2**31)
        ends = model.generation_config.eos_token_id
        self._ends = {*(ends if isinstance(ends, list) else [ends]), self.tokenizer.eos_token_id}

    def prompt(self, messages: Sequence[Message]) -> list[int]:
        """Return the tokens of a conversation, up to where the answer begins.

        Raises:
            Exception: of the template's own kinds; the messages do not fit it.
        """
        if not all(isinstance(m.get("role"), str) for m in messages):
            raise ValueError("a message says not whose it is")
        template = None if self.tokenizer.chat_template else TEMPLATE
        text = self.tokenizer.apply_chat_template(
            list(messages), chat_template=template, tokenize=False, add_generation_prompt=True
        )
        tokens: list[int] = self.tokenizer(text, add_special_tokens=False)["input_ids"]
        return tokens

    def count(self, text: str) -> list[int]:
        """Return the tokens of a text."""
        tokens: list[int] = self.tokenizer(text, add_special_tokens=False)["input_ids"]
        return tokens

    def likelihood(self, text: str) -> float:
        """Return the log likelihood of the likeliest token behind a text."""
        logits = self._read(torch.tensor([self.count(text)]), DynamicCache())
        return float(torch.log_softmax(logits, -1).max())

    def tokens(self, prompt: list[int], options: Options) -> Iterator[int | None]:
        """Yield the tokens of an answer; None after each piece of the prompt."""
        cache = DynamicCache()
        generator = torch.Generator(self._device)
        if options.seed is None:
            generator.seed()
        else:
            generator.manual_seed(options.seed)
        logits = torch.empty(0)
        for start in range(0, len(prompt), PIECE_TOKENS):
            logits = self._read(torch.tensor([prompt[start : start + PIECE_TOKENS]]), cache)
            yield None
        while True:
            token = _choose(logits, options, generator)
            yield token
            if token in self._ends:
                return
            logits = self._read(torch.tensor([[token]]), cache)

    def is_end(self, token: int) -> bool:
        """Whether an answer ends with this token."""
        return token in self._ends

    def text(self, tokens: list[int], *, whole: bool) -> str:
        """Return the text of tokens; unless `whole`, without an unfinished character's bytes."""
        text: str = self.tokenizer.decode(
            tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False
        )
        return text if whole else text.rstrip(_UNFINISHED)

    @torch.inference_mode()
    def _read(self, tokens: Tensor, cache: Any) -> Tensor:
        # tokens [1, T]; returns the logits [V] behind the last one
        out = self._model(
            input_ids=tokens.to(self._device),
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        )
        logits: Tensor = out.logits[0, -1].float()
        return logits


def _add(model: Any, folder: Path) -> None:
    """Add B·A to the weights, in float32; every matrix of the file must have its place."""
    config = json.loads((folder / "adapter_config.json").read_bytes())
    if config["peft_type"] != "LORA" or config.get("use_rslora") or config.get("use_dora"):
        raise ValueError("not a plain LoRA")
    scale = config["lora_alpha"] / config["r"]
    tensors = load_file(folder / "adapter_model.safetensors")
    parameters = dict(model.named_parameters())
    with torch.no_grad():
        for name in [name for name in tensors if name.endswith(".lora_A.weight")]:
            module = name.removesuffix(".lora_A.weight")
            weight = parameters[f"{module.removeprefix(PREFIX)}.weight"]
            b, a = tensors.pop(f"{module}.lora_B.weight"), tensors.pop(name)
            weight += scale * (b.float() @ a.float())
    if tensors:
        raise ValueError("tensors that are no LoRA")


def _choose(logits: Tensor, options: Options, generator: torch.Generator) -> int:
    # logits [V]
    if options.temperature == 0:
        return int(logits.argmax())
    likely, order = torch.softmax(logits / options.temperature, -1).sort(descending=True)
    before = likely.cumsum(-1) - likely
    likely[before >= options.top_p] = 0.0
    return int(order[torch.multinomial(likely, 1, generator=generator)])
