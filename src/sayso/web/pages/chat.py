"""The chat: streamed by the page's script, a plain form where scripts do not run."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Form, Request
from starlette.responses import Response

from sayso.assistant.engine import Options
from sayso.web.answering import unless_gone
from sayso.web.openai import handle
from sayso.web.rendering import page
from sayso.web.site import site_of

LONGEST_QUESTION: Final = 4000
router = APIRouter(include_in_schema=False)


@router.get("/")
def chat(request: Request) -> Response:
    """Show the empty chat."""
    return page(request, "chat.html", asked="", answer=None, longest_question=LONGEST_QUESTION)


@router.post("/")
async def ask(request: Request, question: Annotated[str, Form()] = "") -> Response:
    """Answer one question without the page's script."""
    question = question.strip()[:LONGEST_QUESTION]
    answer = None
    if question:
        answer = await unless_gone(request.receive, lambda: _answer(request, question))
    return page(
        request, "chat.html", asked=question, answer=answer, longest_question=LONGEST_QUESTION
    )


async def _answer(request: Request, question: str) -> dict[str, Any]:
    messages = [{"role": "user", "content": question}]
    async with site_of(request).answering.answer(messages, Options()) as reply:
        lines = "".join([piece async for piece in reply]).splitlines()
        # What is quoted comes as Markdown, which the page's script would render.
        quoted = bool(lines) and all(line.startswith(">") for line in lines)
        text = "\n".join(line.removeprefix(">").strip() if quoted else line for line in lines)
        sources = [(handle(source), source) for source in reply.sources]
        return {"text": text, "quoted": quoted, "sources": sources, "release": reply.release}
