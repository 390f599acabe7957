"""Pictures of the OpenAI-compatible API: /v1/images/generations."""

import base64
import secrets
import time
from typing import Annotated, Any, Final, Literal

from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from msgspec import Meta, Struct
from starlette.responses import Response

from sayso.assistant.images import ImageModel
from sayso.web.answering import BusyError
from sayso.web.callers import admit
from sayso.web.chat_request import JSON_BODY, decode
from sayso.web.failures import ApiError

_SIZES: Final = (64, 1024)  # smallest and largest side
_STEP: Final = 8
_DEFAULT_SIDE: Final = 512
_LONGEST_QUEUE: Final = 8
router = APIRouter(prefix="/v1", tags=["assistant"])


class Drawing:
    """The model for pictures, if there is one; it draws one at a time.

    Args:
        model: draws.
    """

    def __init__(self, model: ImageModel | None) -> None:
        self.model = model
        self.limiter = CapacityLimiter(1)


class ImageRequest(Struct):
    """The body of POST /v1/images/generations."""

    prompt: Annotated[str, Meta(min_length=1, max_length=4000)]
    model: str | None = None
    n: Annotated[int, Meta(ge=1, le=4)] | None = 1
    size: Annotated[str, Meta(pattern=r"^(auto|\d{2,4}x\d{2,4})$")] | None = "auto"
    response_format: Literal["b64_json", "url"] | None = "b64_json"
    seed: Annotated[int, Meta(ge=0, lt=2**32)] | None = None

    def sides(self) -> tuple[int, int]:
        """Return width and height.

        Raises:
            ApiError: 400; a side is too short or too long, or no multiple of 8.
        """
        if self.size in (None, "auto"):
            return _DEFAULT_SIDE, _DEFAULT_SIDE
        width, height = map(int, str(self.size).split("x"))
        least, most = _SIZES
        if any(not least <= side <= most or side % _STEP for side in (width, height)):
            raise ApiError(
                f"`size`: sides are multiples of {_STEP} from {least} to {most}", param="size"
            )
        return width, height


@router.post(
    "/images/generations",
    summary="Draw pictures",
    response_class=JSONResponse,
    openapi_extra=JSON_BODY,
)
async def generations(request: Request) -> Response:
    """Draw pictures of what a prompt says; as base64, or with `url` as a data: address."""
    caller = await admit(request)
    wish = decode(await request.body(), ImageRequest)
    width, height = wish.sides()
    drawing: Drawing = request.app.state.drawing
    model = drawing.model
    if model is None:
        raise ApiError(
            "there is no model for pictures here: this community has trained none",
            404,
            "image_model_missing",
            "model",
        )
    if wish.model not in (None, model.name):
        raise ApiError(f"pictures are drawn by '{model.name}'", 404, "model_not_found", "model")
    if drawing.limiter.statistics().tasks_waiting >= _LONGEST_QUEUE:
        raise BusyError
    first = secrets.randbelow(2**31) if wish.seed is None else wish.seed
    data = []
    with caller.answering():
        for seed in range(first, first + (wish.n or 1)):
            picture = await to_thread.run_sync(
                model.draw, wish.prompt, width, height, seed, limiter=drawing.limiter
            )
            data.append(_told(picture, wish.response_format == "url"))
    return JSONResponse({"created": int(time.time()), "data": data})


def _told(picture: bytes, as_url: bool) -> dict[str, Any]:
    encoded = base64.b64encode(picture).decode()
    kind, value = ("url", f"data:image/png;base64,{encoded}") if as_url else ("b64_json", encoded)
    return {kind: value, "revised_prompt": None}
