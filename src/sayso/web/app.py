"""The web application: routers, static files, errors, and what every request passes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException

from sayso import __version__
from sayso.assistant import images
from sayso.assistant.chat import Assistant
from sayso.errors import SaysoError
from sayso.web import (
    actor,
    api,
    inbox,
    ingest,
    openai,
    openai_embeddings,
    openai_images,
    service,
    ticketing,
)
from sayso.web.answering import BusyError
from sayso.web.callers import Callers
from sayso.web.channels import routes as messengers
from sayso.web.channels.running import Channels
from sayso.web.drp import routes as drp
from sayso.web.failures import ApiError, Failsafe, respond, response_for
from sayso.web.inbox import Box
from sayso.web.ingest import Door
from sayso.web.intake import Intake
from sayso.web.openai_images import Drawing
from sayso.web.opendsr import routes as opendsr
from sayso.web.pages import (
    account,
    am_i,
    arriving,
    chat,
    confirming,
    depicted,
    embedding,
    my_data,
    objection,
    operator,
    settings,
    signing,
    status,
    transparency,
    widget,
    withdrawal,
)
from sayso.web.rates import Rates
from sayso.web.security import Guard, SecurityHeaders, embedders
from sayso.web.signin.sessions import Sessions
from sayso.web.site import Site
from sayso.web.throttle import Throttle
from sayso.workspace import Workspace

STATIC: Final = Path(__file__).parent / "static"
HANDLED: Final[tuple[type[Exception], ...]] = (
    HTTPException,
    RequestValidationError,
    SaysoError,
    BusyError,
    ApiError,
)
DESCRIPTION: Final = """\
Objections to AI training, and an OpenAI-compatible chat with the community's assistant.

An objection needs no login and no reason. It is accepted at once, answered with a signed
receipt, and its number tells from then on how far it has come."""


def create_app(workspace: Workspace, assistant: Assistant) -> FastAPI:
    """Make the web application of one installation.

    Args:
        workspace: whose rights and ledger it shows, and writes objections to.
        assistant: answers questions; read from several threads.
    """
    app = FastAPI(
        title=f"Sayso of {workspace.settings.community}",
        description=DESCRIPTION,
        version=__version__,
        # The ready-made documentation pages load scripts from other hosts.
        docs_url=None,
        redoc_url=None,
        lifespan=_running,
    )
    for kind in HANDLED:
        app.add_exception_handler(kind, respond)
    site = app.state.site = Site.make(workspace, assistant)
    intake = Intake(workspace, site.rights)
    app.state.door = Door(workspace.settings.ingest, site.rights, intake)
    app.state.callers = Callers(workspace.settings.api, site.rights)
    app.state.drawing = Drawing(images.model(workspace))
    app.state.asking = am_i.Asking(workspace)
    app.state.throttle = Throttle(workspace.settings.claims, workspace.pseudonyms)
    app.state.ticket_rates = Rates(workspace.settings.sign_in.tickets_per_minute)
    app.state.agent_rates = Rates(workspace.settings.agents.requests_per_minute)
    signing.prepare(app.state, site)
    my_data.prepare(app.state)
    app.add_middleware(Sessions)
    app.add_middleware(Guard, refuse=response_for)
    app.add_middleware(Failsafe)
    app.add_middleware(SecurityHeaders, embedders=embedders(workspace.settings.web))
    # They are tried in this order, so what comes by the hundred is first.
    for router in (
        api.router,
        openai.router,
        openai_embeddings.router,
        openai_images.router,
        ingest.router,
        ticketing.router,
        drp.router,
        chat.router,
        widget.router,
        objection.router,
        depicted.router,
        confirming.router,
        status.router,
        withdrawal.router,
        settings.router,
        embedding.router,
        arriving.router,
        transparency.router,
        am_i.router,
        am_i.api,
        operator.router,
        signing.router,
        account.router,
        my_data.router,
        service.router,
    ):
        app.include_router(router)
    for prefix in opendsr.PREFIXES:
        app.include_router(
            opendsr.router, prefix=prefix, include_in_schema=prefix == opendsr.PREFIX
        )
    channels = app.state.channels = Channels(site)
    app.include_router(messengers.router(channels.doors, channels.desk))
    if workspace.settings.inbox.enabled:
        app.state.inbox = Box(workspace.settings.inbox, site.rights, intake)
        app.include_router(inbox.router)
        app.include_router(actor.router)
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    return app


@asynccontextmanager
async def _running(app: FastAPI) -> AsyncIterator[None]:
    """Let what the application does by itself run as long as it serves."""
    async with app.state.channels.running():
        yield
