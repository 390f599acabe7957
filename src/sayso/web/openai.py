"""The OpenAI-compatible API: any client that speaks it can talk to the community's assistant."""

from typing import Any, Final

from anyio import to_thread
from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from starlette.responses import Response

from sayso.web import chat_request
from sayso.web.answering import unless_gone
from sayso.web.callers import admit
from sayso.web.chat_request import JSON_BODY
from sayso.web.completions import NEWEST, Completion
from sayso.web.event_stream import EventStream
from sayso.web.failures import ApiError
from sayso.web.languages import choose
from sayso.web.openai_embeddings import embedder
from sayso.web.site import Site, site_of

OWNER: Final = "sayso"
router = APIRouter(prefix="/v1", tags=["assistant"])


@router.get("/models", summary="List the models")
async def models(request: Request) -> dict[str, Any]:
    """List the models that are there: for chats, for vectors, for pictures.

    The one for chats is listed by the name that always means the newest release, and by its own.
    """
    await admit(request)
    site = site_of(request)
    names = await to_thread.run_sync(_names, request)
    return {"object": "list", "data": [_model(site, name) for name in names]}


@router.get("/models/{name:path}", summary="Describe a model")
async def model(request: Request, name: str) -> dict[str, Any]:
    """Describe the model of this name."""
    await admit(request)
    if name not in await to_thread.run_sync(_names, request):
        raise _unknown_model()
    return _model(site_of(request), name)


@router.post(
    "/chat/completions",
    summary="Answer a chat",
    response_class=JSONResponse,
    openapi_extra=JSON_BODY,
)
async def chat_completions(request: Request) -> Response:
    """Answer the last message, as one JSON object or (`stream: true`) as server-sent events.

    The member `sayso` of the answer (in a stream: of its first chunk) names the release and the
    posts that the answer draws on. They are named in the text too, for clients that show nothing
    else, unless the request says `{"sayso": {"cite": "separate"}}`.
    """
    caller = await admit(request)
    site = site_of(request)
    wish = chat_request.parse(await request.body())
    _check_model(site, wish.model)
    completion = Completion(site, wish, caller, citing_language=choose(request))
    if wish.stream:
        return EventStream(completion.events)
    body = await unless_gone(request.receive, completion.whole)
    # Without a body the client has gone: nobody reads this.
    return Response(status_code=499) if body is None else JSONResponse(body)


def _names(request: Request) -> list[str]:
    site = site_of(request)
    vectors, drawing = embedder(site.workspace), request.app.state.drawing.model
    names = (NEWEST, site.release, vectors and vectors.name, drawing and drawing.name)
    return list(dict.fromkeys(filter(None, names)))


def _check_model(site: Site, name: str) -> None:
    if name not in (NEWEST, site.release):
        raise _unknown_model()


def _unknown_model() -> ApiError:
    return ApiError(
        f"there is no model of this name here; use '{NEWEST}', which is always the newest",
        404,
        "model_not_found",
        "model",
    )


def _model(site: Site, name: str) -> dict[str, Any]:
    since = site.board.released_at(site.release) or site.started_at
    return {"id": name, "object": "model", "created": int(since.timestamp()), "owned_by": OWNER}
