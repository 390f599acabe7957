"""The chat within other pages: a small page for a frame, which `static/widget.js` opens.

Who may show it is said by [web] embed_origins, as with the pages under /embed/. It needs no cookie,
and sets none: browsers refuse those of other sites' frames anyway.
"""

from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from starlette.responses import Response

from sayso.web.languages import choose
from sayso.web.pages import chat
from sayso.web.site import site_of

router = APIRouter(include_in_schema=False)


@router.get("/widget")
def widget(request: Request) -> Response:
    """Show the empty chat."""
    return _without_cookies(
        chat.show(request, "widget.html", _action(request), **_origins(request))
    )


@router.post("/widget")
async def ask(request: Request, question: Annotated[str, Form()] = "") -> Response:
    """Answer one question without the page's script."""
    answer = await chat.answered(
        request, question, "widget.html", _action(request), **_origins(request)
    )
    return _without_cookies(answer)


def _action(request: Request) -> str:
    return f"/widget?lang={choose(request)}"


def _origins(request: Request) -> dict[str, Any]:
    return {"origins": site_of(request).workspace.settings.web.embed_origins}


def _without_cookies(response: Response) -> Response:
    del response.headers["set-cookie"]
    return response
