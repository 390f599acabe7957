"""`sayso serve`: web, assistant and worker together."""

import gc
import logging
import multiprocessing
import signal
import sys
import threading
from collections.abc import Callable

import uvicorn

from sayso import worker
from sayso.assistant.chat import Assistant
from sayso.errors import SaysoError
from sayso.rights.database import Rights
from sayso.rights.outbox import MAIL, WEBHOOK
from sayso.rights.post import Post
from sayso.web.app import create_app
from sayso.web.telling import Telling
from sayso.workspace import Workspace

FOLLOW_SECONDS = 0.1
RESTART_SECONDS = 2.0
# What is being sent when it ends goes out again after the next start, under the same name.
ENDING_SECONDS = 5.0
LETTING_GO_SECONDS = 30.0
# Threads that write give the interpreter up at each statement, and would wait 5 ms to get it back.
SWITCH_SECONDS = 0.0005
log = logging.getLogger("sayso.serve")


def serve(
    workspace: Workspace,
    host: str,
    port: int,
    ready: Callable[[str], None] = lambda address: None,
) -> None:
    """Serve until interrupted; a worker in a process of its own acts on the rows."""
    # uvicorn ends gracefully and then raises the signal again: we still have to clean up.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    sys.setswitchinterval(SWITCH_SECONDS)
    assistant = Assistant.start(workspace)
    stop = threading.Event()
    follower = threading.Thread(target=_follow, args=(assistant, stop), daemon=True)
    keeper = threading.Thread(target=_keep_working, args=(workspace, stop), daemon=True)
    rights = Rights(workspace)
    post = Post(rights, Telling(rights))
    # Letters do not wait for programs that do not answer.
    senders = [
        threading.Thread(target=post.run, args=(kind, stop), name=f"{kind}s", daemon=True)
        for kind in (MAIL, WEBHOOK)
    ]
    app = create_app(workspace, assistant)
    proxies = list(workspace.settings.web.trusted_proxies)
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        log_level="warning",
        proxy_headers=bool(proxies),
        forwarded_allow_ips=proxies,
        server_header=False,
        http="h11",  # httptools, its quicker choice, takes headers without end
    )
    server = _Server(config, ready)
    # What is there from the start stays: the collector need not go through it again and again.
    gc.collect()
    gc.freeze()
    follower.start()
    keeper.start()
    for sender in senders:
        sender.start()
    try:
        server.run()
    except KeyboardInterrupt:
        log.info("interrupted; ending")
    finally:
        stop.set()
        keeper.join()
        follower.join()
        for sender in senders:
            sender.join(ENDING_SECONDS)
        assistant.engine.close()


def _keep_working(workspace: Workspace, stop: threading.Event) -> None:
    """Run the worker in its own process; if it dies, say so and start another."""
    context = multiprocessing.get_context("spawn")
    while not stop.is_set():
        process = context.Process(target=worker.run, args=(workspace.home,), name="sayso-worker")
        process.start()
        while process.is_alive() and not stop.wait(FOLLOW_SECONDS):
            pass
        if stop.is_set():
            process.terminate()
            process.join(LETTING_GO_SECONDS)
            process.kill()
            process.join()
        else:
            log.error("the worker ended with code %s; starting another", process.exitcode)
            stop.wait(RESTART_SECONDS)


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, ready: Callable[[str], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[object] | None = None) -> None:  # type: ignore[override]
        await super().startup(sockets)  # type: ignore[arg-type]
        if self.started:
            host, port = self.servers[0].sockets[0].getsockname()[:2]
            self._ready(f"http://{host}:{port}")


def _follow(assistant: Assistant, stop: threading.Event) -> None:
    """Load each new release as soon as it is current."""
    pause = FOLLOW_SECONDS
    while not stop.wait(pause):
        try:
            if assistant.follow():
                log.info("now serving %s", assistant.release)
            pause = FOLLOW_SECONDS
        except SaysoError as error:
            log.error("cannot serve the newest release: %s", error.problem)  # noqa: TRY400
            pause = min(2 * pause, RESTART_SECONDS)
