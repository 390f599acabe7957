"""Vectors of the OpenAI-compatible API: /v1/embeddings."""

import base64
from typing import Annotated, Any, Final, Literal

import numpy as np
from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from msgspec import Meta, Struct
from starlette.responses import Response

from sayso.assistant.embedding import Embedder
from sayso.errors import InputError, MissingPartError
from sayso.web.answering import BusyError
from sayso.web.callers import admit
from sayso.web.chat_request import JSON_BODY, decode
from sayso.web.failures import ApiError
from sayso.web.site import site_of
from sayso.workspace import Workspace

MOST_TEXTS: Final = 256
_LONGEST_QUEUE: Final = 8
_LIMITER: Final = CapacityLimiter(1)  # there is one process, and questions need it, too
router = APIRouter(prefix="/v1", tags=["assistant"])


class EmbeddingRequest(Struct):
    """The body of POST /v1/embeddings."""

    model: str
    input: str | Annotated[list[str | int | list[int]], Meta(min_length=1, max_length=MOST_TEXTS)]
    encoding_format: Literal["float", "base64"] | None = "float"
    dimensions: Annotated[int, Meta(ge=1)] | None = None

    def texts(self) -> list[str]:
        """Return the texts.

        Raises:
            ApiError: 400; one is empty, or tokens were sent.
        """
        given = [self.input] if isinstance(self.input, str) else self.input
        texts = [text for text in given if isinstance(text, str)]
        if len(texts) < len(given):
            raise ApiError(
                "`input`: expected texts; another tokenizer's numbers mean something else here",
                param="input",
            )
        if not all(text.strip() for text in texts):
            raise ApiError("`input`: expected texts that are not empty", param="input")
        return texts


@router.post(
    "/embeddings",
    summary="Turn texts into vectors",
    response_class=JSONResponse,
    openapi_extra=JSON_BODY,
)
async def embeddings(request: Request) -> Response:
    """Turn texts into vectors of length 1; of a long text its beginning counts."""
    caller = await admit(request)
    wish = decode(await request.body(), EmbeddingRequest)
    texts = wish.texts()
    if _LIMITER.statistics().tasks_waiting >= _LONGEST_QUEUE:
        raise BusyError
    with caller.answering():
        workspace = site_of(request).workspace
        answer = await to_thread.run_sync(_answer, workspace, wish, texts, limiter=_LIMITER)
    return JSONResponse(answer)


def embedder(workspace: Workspace) -> Embedder | None:
    """Return the model for vectors; None if there is none."""
    try:
        return Embedder.start(workspace)
    except (MissingPartError, InputError):
        return None


def _answer(workspace: Workspace, wish: EmbeddingRequest, texts: list[str]) -> dict[str, Any]:
    model = embedder(workspace)
    if model is None or wish.model != model.name:
        use = f"use '{model.name}'" if model else "there is none for vectors"
        raise ApiError(
            f"no model of this name makes vectors; {use}", 404, "model_not_found", "model"
        )
    if wish.dimensions not in (None, model.width):
        raise ApiError(
            f"`dimensions`: this model's vectors have {model.width} numbers", param="dimensions"
        )
    vectors = model.embed(texts)
    tokens = sum(map(model.count_tokens, texts))
    if wish.encoding_format == "base64":
        told: list[Any] = [base64.b64encode(v.astype("<f4").tobytes()).decode() for v in vectors]
    else:
        told = np.asarray(vectors, np.float64).tolist()
    return {
        "object": "list",
        "model": model.name,
        "data": [
            {"object": "embedding", "index": index, "embedding": vector}
            for index, vector in enumerate(told)
        ],
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    }
