"""A base model with trainable B matrices in every linear layer, made for speed and exactness.

Sequences of a batch are laid end to end with no padding; attention runs inside each alone, so no
token sees another sequence. Frozen weights need no gradient, and with a frozen A the input of a
layer need not be kept either, only its projection on A.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import tokenizers
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import AttentionInterface, AutoModelForCausalLM
from transformers.masking_utils import AttentionMaskInterface
from transformers.models.llama import modeling_llama  # noqa: F401 - loaded before processes fork
from transformers.utils import logging

from sayso.errors import IntegrityError
from sayso.training.adapters import Matrix, Weights, frozen_a
from sayso.training.recipe import Recipe

HEAD_ROWS = 256  # tokens whose logits are held at once


def prepare_torch() -> None:
    """Set what bit equality needs: one thread, deterministic algorithms in strict mode."""
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    # We read no uninitialised memory; filling it costs 8 % of the time.
    torch.utils.deterministic.fill_uninitialized_memory = False
    logging.disable_progress_bar()
    logging.set_verbosity_error()


class _LoraProduct(torch.autograd.Function):
    """y = x Wᵀ + (x Aᵀ) Bᵀ with gradients for x and B only."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, w: Tensor, a: Tensor, b: Tensor, bias: Tensor | None
    ) -> Tensor:
        # x [T, in]; w [out, in]; a [rank, in]; b [out, rank], fp32
        low = x @ a.t()
        b_cast = b.to(x.dtype)
        ctx.save_for_backward(low, w, a, b_cast)
        y = (x @ w.t()).addmm_(low, b_cast.t())
        return y if bias is None else y.add_(bias)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        (dy,) = grads
        low, w, a, b_cast = ctx.saved_tensors
        dx = (dy @ w).addmm_(dy @ b_cast, a) if ctx.needs_input_grad[0] else None
        return dx, None, None, (dy.t() @ low).float(), None


class _HeadLoss(torch.autograd.Function):
    """Sum of next-token losses; the gradient is made on the way, so logits are never kept."""

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, head: Tensor, targets: Tensor) -> Tensor:
        # hidden [T, d]; head [V, d]; targets [T]
        grad = torch.empty_like(hidden) if hidden.requires_grad else None
        total = torch.zeros((), dtype=torch.float32)
        for start in range(0, len(hidden), HEAD_ROWS):
            rows = slice(start, start + HEAD_ROWS)
            logits = (hidden[rows] @ head.t()).float()
            target = targets[rows, None]
            logits.sub_(logits.amax(1, keepdim=True))
            chosen = logits.gather(1, target)
            weights = logits.exp_()
            norm = weights.sum(1, keepdim=True)
            total += (norm.log() - chosen).sum()
            if grad is not None:
                weights.div_(norm).scatter_add_(1, target, torch.full_like(chosen, -1.0))
                grad[rows] = weights.to(head.dtype) @ head
        ctx.save_for_backward(grad)
        return total

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        (grad,) = ctx.saved_tensors
        return grad * grads[0].to(grad.dtype), None, None


class LoraLinear(nn.Module):
    """A frozen linear layer plus the product of a frozen A and a trained B."""

    def __init__(self, linear: nn.Linear, a: Matrix) -> None:
        super().__init__()
        self.weight = linear.weight.detach()
        self.bias = None if linear.bias is None else linear.bias.detach()
        self.a = torch.from_numpy(a).to(self.weight.dtype)
        self.b = nn.Parameter(torch.zeros(self.weight.shape[0], a.shape[0]))

    def forward(self, x: Tensor) -> Tensor:
        """Map [..., in] to [..., out]."""
        flat = x.reshape(-1, x.shape[-1])
        y: Tensor = _LoraProduct.apply(flat, self.weight, self.a, self.b, self.bias)  # type: ignore[no-untyped-call]
        return y.view(*x.shape[:-1], -1)


def _attention(
    module: nn.Module,
    q: Tensor,
    k: Tensor,
    v: Tensor,
    mask: None,
    *,
    scaling: float,
    lengths: list[int],
    **_: object,
) -> tuple[Tensor, None]:
    # q, k, v [1, heads, T, d]; in fp32, since torch's bf16 attention is the slower one on CPUs.
    apart = [torch.split(t.float(), lengths, 2) for t in (q, k, v)]
    parts = [
        F.scaled_dot_product_attention(a, b, c, is_causal=True, scale=scaling, enable_gqa=True)
        for a, b, c in zip(*apart, strict=True)
    ]
    return torch.cat(parts, 2).to(q.dtype).transpose(1, 2).contiguous(), None


AttentionInterface.register("sayso", _attention)
AttentionMaskInterface.register("sayso", lambda *_, **__: None)


class LoraModel:
    """A causal language model whose linear layers (the head aside) carry adapters.

    Args:
        folder: config and weights in Hugging Face form.
        recipe: rank, seed and the precision of matrix products.
    """

    def __init__(self, folder: Path, recipe: Recipe) -> None:
        prepare_torch()
        dtype = torch.bfloat16 if recipe.compute == "bf16" else torch.float32
        self.model: Any = AutoModelForCausalLM.from_pretrained(
            folder, dtype=dtype, attn_implementation="sayso"
        ).eval()
        self.model.requires_grad_(False)
        self.layers: dict[str, LoraLinear] = {}
        head = self.model.get_output_embeddings()
        for name, module in list(self.model.named_modules()):
            if isinstance(module, nn.Linear) and module is not head:
                a = frozen_a(name, recipe.rank, module.in_features, recipe.seed)
                layer = LoraLinear(module, a)
                parent, _, leaf = name.rpartition(".")
                setattr(self.model.get_submodule(parent), leaf, layer)
                self.layers[name] = layer
        self.head: Tensor = head.weight.detach()
        self.body: Any = self.model.base_model

    def set(self, weights: Weights | None) -> None:
        """Set all B matrices, to zero if None."""
        with torch.no_grad():
            for name, layer in self.layers.items():
                if weights is None:
                    layer.b.zero_()
                else:
                    layer.b.copy_(torch.from_numpy(np.ascontiguousarray(weights[name])))

    def get(self) -> dict[str, Matrix]:
        """Return copies of all B matrices, fp32."""
        return {name: layer.b.detach().numpy().copy() for name, layer in self.layers.items()}

    def parameters(self) -> list[nn.Parameter]:
        """The B matrices, in a fixed order."""
        return [self.layers[name].b for name in sorted(self.layers)]

    def loss(self, batch: list[list[int]]) -> tuple[Tensor, int]:
        """Return the summed next-token loss of a batch of sequences, and the number of terms."""
        lengths = [len(sequence) for sequence in batch]
        tokens = torch.tensor([token for sequence in batch for token in sequence])
        positions = torch.cat([torch.arange(n) for n in lengths])
        hidden = self.body(
            input_ids=tokens[None], position_ids=positions[None], use_cache=False, lengths=lengths
        ).last_hidden_state[0]
        # The last token of a sequence predicts nothing; the next sequence is another person's.
        predicts = torch.ones(len(tokens), dtype=torch.bool)
        predicts[torch.tensor(lengths).cumsum(0) - 1] = False
        targets = tokens.roll(-1)[predicts]
        total: Tensor = _HeadLoss.apply(hidden[predicts], self.head, targets)  # type: ignore[no-untyped-call]
        return total, len(targets)


class Tokenizer:
    """The base model's tokenizer, applied to one person's text at a time."""

    def __init__(self, folder: Path) -> None:
        # The file itself, without transformers around it: ten times faster to load.
        self._tokenizer = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
        settings = json.loads((folder / "tokenizer_config.json").read_text("utf-8"))
        end = settings["eos_token"]
        number = self._tokenizer.token_to_id(end if isinstance(end, str) else end["content"])
        if number is None:
            raise IntegrityError(
                "the base model's end-of-text token is not in its vocabulary",
                "check [training] base in sayso.toml",
            )
        self._end: int = number

    def sequences(self, text: str, longest: int) -> list[list[int]]:
        """Cut a text into sequences of at most `longest` tokens; the last one ends with EOS."""
        tokens = [*self._tokenizer.encode(text, add_special_tokens=False).ids, self._end]
        cut = [tokens[start : start + longest] for start in range(0, len(tokens), longest)]
        return [sequence for sequence in cut if len(sequence) > 1]
