"""Errors as answers: OpenAI's shape under /v1, RFC 9457 for other programs, a page elsewhere."""

import logging
import traceback
from http import HTTPStatus
from typing import Any, Final

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sayso.assistant.engine import NotLoadedError, PromptTooLongError
from sayso.errors import InputError, MissingPartError, SaysoError, UsageError, WorkspaceError
from sayso.web.answering import BusyError
from sayso.web.rendering import page

# The first that fits counts.
STATUSES: Final[tuple[tuple[type[SaysoError], int], ...]] = (
    (UsageError, 400),
    (InputError, 400),
    (MissingPartError, 503),
    (WorkspaceError, 503),
    (NotLoadedError, 503),
    (SaysoError, 500),
)
RETRY_AFTER_SECONDS: Final = 5
PROGRAMS: Final = ("/api/", "/ingest/", "/inbox", "/actor", "/.well-known/", "/channels/")
_CODES: Final = {401: "invalid_api_key", 429: "rate_limit_exceeded"}
log = logging.getLogger("sayso.web")


class ApiError(Exception):
    """An error of the OpenAI-compatible API.

    Args:
        message: what was got and what was expected.
        status: the HTTP status; clients choose their exception class by it.
        code: a word for programs.
        param: the field of the request that it is about.
    """

    def __init__(
        self, message: str, status: int = 400, code: str | None = None, param: str | None = None
    ) -> None:
        super().__init__(message)
        self.message, self.status, self.code, self.param = message, status, code, param


def api_error_body(
    message: str, status: int, code: str | None, param: str | None
) -> dict[str, Any]:
    """Return an error in OpenAI's shape, all four keys always there."""
    kind = "invalid_request_error" if status < 500 else "server_error"
    if status == 429:
        kind = "rate_limit_error"
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def as_api_error(error: Exception) -> ApiError:
    """Return any error as one of the OpenAI-compatible API."""
    match error:
        case ApiError():
            return error
        case BusyError():
            return ApiError(_problem(error)[1], 429, "rate_limit_exceeded")
        case PromptTooLongError():
            return ApiError(_problem(error)[1], 400, "context_length_exceeded", "messages")
        case HTTPException(status_code=404):
            return ApiError(
                "unknown path: see /v1/models, /v1/chat/completions", 404, "unknown_url"
            )
        case HTTPException():
            return ApiError(error.detail, error.status_code, _CODES.get(error.status_code))
        case _:
            status, text = _problem(error)
            return ApiError(text, status)


async def respond(request: Request, error: Exception) -> Response:
    """Answer an error in the shape that its path's readers expect."""
    if isinstance(error, SaysoError) and _problem(error)[0] >= 500:
        log.error("%s. %s", error.problem, error.hint)
    return response_for(request, error)


class Failsafe:
    """Answers errors that nobody foresaw, and logs where they were but not what they said.

    An error's text may quote what people wrote: a database's quotes the row.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the application; no error of its leaves this layer."""
        started = False

        async def watched(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self.app(scope, receive, watched)
        except Exception as error:
            places = [f"{frame.name} ({frame.filename}:{frame.lineno})" for frame in _frames(error)]
            # Not with the exception itself, whose text would go along.
            log.error("%s in %s", type(error).__name__, " < ".join(reversed(places)))  # noqa: TRY400
            if not started and scope["type"] == "http":
                await response_for(Request(scope), error)(scope, receive, send)


def response_for(request: Request, error: Exception) -> Response:
    """Return the answer to an error."""
    headers = dict(getattr(error, "headers", None) or {})
    if isinstance(error, BusyError):
        headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    path = request.url.path
    if isinstance(error, HTTPException) and error.status_code == 303:  # to the page to sign in
        return Response(status_code=303, headers=headers)
    if path == "/v1" or path.startswith("/v1/"):
        known = as_api_error(error)
        body = api_error_body(known.message, known.status, known.code, known.param)
        return JSONResponse(body, known.status, headers)
    status, text = _problem(error)
    if path.startswith("/drp/"):  # the protocol's section 3.06
        fatal = {"fatal": True} if getattr(error, "fatal", False) else {}
        return JSONResponse({"code": str(status), "message": text} | fatal, status, headers)
    if path.startswith("/opendsr/"):  # the specification's section 7.6
        return JSONResponse({"error": {"code": status, "message": text}}, status, headers)
    if path.startswith(PROGRAMS):
        problem = {"title": HTTPStatus(status).phrase, "status": status, "detail": text}
        return JSONResponse(problem, status, headers, media_type="application/problem+json")
    response = page(request, "error.html", status=status, path="/")
    response.headers.update(headers)
    return response


def _problem(error: Exception) -> tuple[int, str]:
    match error:
        case HTTPException():
            return error.status_code, error.detail
        case RequestValidationError():
            first = error.errors()[0]
            if first["type"] == "json_invalid":
                return 400, "the body is not valid JSON"
            where = ".".join(str(part) for part in first["loc"] if part != "body")
            return 422, f"{where}: {first['msg']}" if where else str(first["msg"])
        case BusyError():
            return 429, "too many questions wait for an answer; try again in a few seconds"
        case SaysoError():
            status = next(status for kind, status in STATUSES if isinstance(error, kind))
            return status, f"{error.problem}; {error.hint}" if error.hint else error.problem
        case _:
            return 500, "an error happened here; it is in the operator's log"


def _frames(error: BaseException) -> list[traceback.FrameSummary]:
    """Return where an error was, and before it what led to it."""
    earlier = error.__cause__ or error.__context__
    return (_frames(earlier) if earlier else []) + traceback.extract_tb(error.__traceback__)
