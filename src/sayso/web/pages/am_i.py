"""Anybody may ask whether a text, or a post, is or was in the model; nothing of it is kept.

Questions come by POST alone, so that they are in no address, log or referrer. The answer is one of
three words, whatever the question, and says nothing of whose the text is: see `audit.trained`.
"""

from typing import Annotated, Final, Literal

from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, Form, HTTPException, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.background import BackgroundTask
from starlette.responses import Response

from sayso.audit import trained
from sayso.audit.trained import Answer, Trained
from sayso.web.rates import Rates, client
from sayso.web.rendering import page, translate
from sayso.web.site import site_of
from sayso.workspace import Workspace

AT_ONCE: Final = 2  # each takes some milliseconds of a core
LONGEST_LINK: Final = 2048
router = APIRouter(include_in_schema=False)
api = APIRouter(prefix="/api", tags=["am I in it?"])


class Asking:
    """What answers need: the fingerprints, and who asked how often.

    Args:
        workspace: whose.
    """

    def __init__(self, workspace: Workspace) -> None:
        self.trained = Trained(workspace)
        self.limiter = CapacityLimiter(AT_ONCE)
        self._rates = Rates(workspace.settings.asking.per_minute)

    def count(self, request: Request) -> None:
        """Count a question; kept in memory, by the pseudonym of where it came from.

        Raises:
            HTTPException: 429; too many came from there.
        """
        self._rates.take(client(request))
        site_of(request).meter.asked()


class Question(BaseModel):
    """A text, or a post's address or id; one of the two."""

    text: str = Field(
        default="",
        max_length=trained.LONGEST,
        description=f"The whole text of a post: at least {trained.LEAST_WORDS} words or "
        f"{trained.LEAST_CHARACTERS} characters.",
    )
    link: str = Field(
        default="", max_length=LONGEST_LINK, description="A post's address or its id."
    )


class Answered(BaseModel):
    """The answer; it tells nothing else, and the question is not kept."""

    answer: Literal["now", "before", "never"] = Field(
        description="`now`: it is in the model that is served now. `before`: it was in earlier "
        "ones and is no longer. `never`: neither, as far as what anybody could read goes."
    )
    release: str = Field(description="The model that is served now; empty before the first.")


@router.get("/am-i-in-it")
def ask(request: Request) -> Response:
    """Show the form."""
    response = _page(request)
    # The first question need not wait for the fingerprints to be read.
    response.background = BackgroundTask(_asking(request).trained.warm)
    return response


@router.post("/am-i-in-it")
async def answer(
    request: Request,
    text: Annotated[str, Form()] = "",
    link: Annotated[str, Form()] = "",
) -> Response:
    """Answer; what was typed comes back only where something is amiss with it."""
    text, link = text.strip(), link.strip()
    problem = _problem(request, text, link)
    if problem:
        return _page(request, status=422, text=text, link=link, problem=problem)
    return _page(request, found=await _answer(request, text, link))


@api.post("/am-i-in-it", summary="Ask whether a text or a post is in the model")
async def answer_program(request: Request, question: Question) -> Response:
    """Say whether this text, or nearly the same, is in the model; no login, nothing is kept."""
    text, link = question.text.strip(), question.link.strip()
    if problem := _problem(request, text, link):
        raise HTTPException(422, problem)
    found = await _answer(request, text, link)
    body = Answered(answer=found, release=site_of(request).release)
    return JSONResponse(body.model_dump(), headers={"Cache-Control": "no-store"})


async def _answer(request: Request, text: str, link: str) -> Answer:
    asking = _asking(request)
    asking.count(request)
    how = asking.trained.of_text if text else asking.trained.of_link
    return await to_thread.run_sync(how, text or link, limiter=asking.limiter)


def _problem(request: Request, text: str, link: str) -> str:
    """Say what is amiss with a question; '' if nothing is."""
    if bool(text) == bool(link):
        return translate(request, "Please paste a text or a link, one of the two.")
    if len(text) > trained.LONGEST or len(link) > LONGEST_LINK:
        return translate(request, "This is too long: paste one post.")
    if text and not trained.is_enough(text):
        return translate(
            request,
            "This is too short to be anybody’s own: paste at least %(words)s words or "
            "%(characters)s characters.",
            words=trained.LEAST_WORDS,
            characters=trained.LEAST_CHARACTERS,
        )
    return ""


def _page(
    request: Request,
    *,
    status: int = 200,
    text: str = "",
    link: str = "",
    problem: str = "",
    found: Answer | None = None,
) -> Response:
    return page(
        request,
        "am_i.html",
        status=status,
        text=text,
        link=link,
        problem=problem,
        found=found,
        longest=trained.LONGEST,
        longest_link=LONGEST_LINK,
    )


def _asking(request: Request) -> Asking:
    asking: Asking = request.app.state.asking
    return asking
