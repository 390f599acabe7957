"""The chat: streamed by the page's script, a plain form where scripts do not run."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Form, Request
from starlette.responses import Response

from sayso.assistant.abilities import offered
from sayso.assistant.engine import Options
from sayso.web.answering import unless_gone
from sayso.web.callers import admit
from sayso.web.chat_parts import MOST_FILES
from sayso.web.languages import choose
from sayso.web.pages.answer_parts import parts_of
from sayso.web.rendering import page, translate
from sayso.web.security import LONGEST_CHAT
from sayso.web.site import site_of

LONGEST_QUESTION: Final = 4000
# Files of one conversation go along with each of its questions, in base64 (four bytes for three);
# the rest is room for what is said.
MOST_FILE_BYTES: Final = (LONGEST_CHAT - 1024 * 1024) // 4 * 3
KINDS: Final = {
    "csv": "text/csv",
    "tsv": "text/tab-separated-values",
    "parquet": "application/vnd.apache.parquet",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "json": "application/json",
    "jsonl": "application/x-ndjson",
    "ndjson": "application/x-ndjson",
    "txt": "text/plain",
    "md": "text/markdown",
    "log": "text/plain",
}
router = APIRouter(include_in_schema=False)


@router.get("/")
def chat(request: Request) -> Response:
    """Show the empty chat."""
    return show(request, "chat.html", "/")


@router.post("/")
async def ask(request: Request, question: Annotated[str, Form()] = "") -> Response:
    """Answer one question without the page's script."""
    return await answered(request, question, "chat.html", "/")


async def answered(
    request: Request, question: str, template: str, action: str, **context: Any
) -> Response:
    """Answer one question and show it; see `show`."""
    question = question.strip()[:LONGEST_QUESTION]
    answer = None
    if question:
        answer = await unless_gone(request.receive, lambda: _answer(request, question))
    return show(request, template, action, asked=question, answer=answer, **context)


def show(
    request: Request,
    template: str,
    action: str,
    *,
    asked: str = "",
    answer: dict[str, Any] | None = None,
    **context: Any,
) -> Response:
    """Show a chat.

    Args:
        request: who reads it, and in which language.
        template: the page around it.
        action: where its plain form goes.
        asked: the question that was asked by the plain form.
        answer: its answer: `parts` (see `parts_of`), `sources` (handle, source), `release`.
        context: what the template needs besides.
    """
    settings = site_of(request).workspace.settings
    return page(
        request,
        template,
        action=action,
        asked=asked,
        answer=answer,
        longest_question=LONGEST_QUESTION,
        commands=offered(choose(request)),
        files={
            "kinds": KINDS,
            "accept": ",".join(f".{ending}" for ending in KINDS),
            "named": translate(request, "CSV, Parquet, Excel (xlsx), JSON and text"),
            "most": MOST_FILES,
            "most_bytes": min(settings.uploads.max_bytes, MOST_FILE_BYTES),
            "most_together": MOST_FILE_BYTES,
        },
        **context,
    )


async def _answer(request: Request, question: str) -> dict[str, Any]:
    messages = [{"role": "user", "content": question}]
    caller = await admit(request)
    with caller.answering():
        answering, language = site_of(request).answering, choose(request)
        async with answering.answer(messages, Options(), language=language) as reply:
            text = "".join([piece async for piece in reply])
            sources = [(f"@{source.handle.removeprefix('@')}", source) for source in reply.sources]
            return {"parts": parts_of(text), "sources": sources, "release": reply.release}
