"""Which policy is in force, which were, and what another one would change.

Nothing here changes the policy: `sayso policy use` does, by whoever has the machine.
"""

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Annotated, Final

import anyio
import msgspec
from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, HTTPException, Request
from fastapi import Path as InPath
from starlette.responses import Response

from sayso.errors import SaysoError
from sayso.gate import history
from sayso.gate import policy as policies
from sayso.gate.history import Version
from sayso.training.compare import Difference, Move
from sayso.web.pages.operator import door
from sayso.web.rendering import translate
from sayso.web.site import site_of
from sayso.workspace import Workspace

router = APIRouter(prefix="/operator/policy")
LONGEST_FILE: Final = 64 * 1024
PATIENCE: Final = 300
ELSEWHERE: Final = "try `sayso policy diff FILE` on the machine itself"
# It reads all records and loads the tokenizer: one at a time, in a process of its own.
COMPARING: Final = CapacityLimiter(1)


@router.get("")
def current(request: Request) -> Response:
    """Show the policy in use and its history."""
    door.reader(request)
    return _shown(request)


@router.get("/{digest}")
def version(request: Request, digest: Annotated[str, InPath(pattern="^[0-9a-f]{32}$")]) -> Response:
    """Show a policy that is or was in use, as its file was."""
    door.reader(request)
    site = site_of(request)
    with site.rights.reading() as connection:
        found = [v for v in history.versions(connection) if v.hash == digest]
    if not found:
        raise HTTPException(404, "no policy of this hash was ever in use")
    return door.show(request, "operator_policy_text.html", version=found[-1])


@router.post("")
async def compare(request: Request) -> Response:
    """Say what a policy file would change: verdicts by rule, and cells. Nothing is changed."""
    _, fields, data = await door.uploaded(request, LONGEST_FILE)
    if not data:
        problem = translate(request, "Please choose a file.")
        return await to_thread.run_sync(_shown, request, problem)
    name = fields["name"] or "policy.toml"
    try:
        policies.parse(data, name)
        difference = await _in_turn(site_of(request).workspace.home, data)
    except SaysoError as error:
        return await to_thread.run_sync(_shown, request, door.problem_of(error))
    return await to_thread.run_sync(_shown, request, "", difference, name)


async def _in_turn(home: Path, data: bytes) -> Difference:
    try:
        COMPARING.acquire_nowait()
    except anyio.WouldBlock:
        raise HTTPException(
            429, "another policy is compared right now", {"Retry-After": "30"}
        ) from None
    try:
        return await to_thread.run_sync(_compared, home, data)
    finally:
        COMPARING.release()


def _compared(home: Path, data: bytes) -> Difference:
    """Compare in a process of its own, by the same command as on the machine itself."""
    command = [sys.executable, "-m", "sayso", "--home", str(home), "policy", "diff", "--json"]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "policy.toml"
        file.write_bytes(data)
        try:
            ended = subprocess.run(
                [*command, str(file)], capture_output=True, timeout=PATIENCE, check=False
            )
        except subprocess.TimeoutExpired:
            raise SaysoError(
                f"the comparison took more than {PATIENCE} seconds", ELSEWHERE
            ) from None
    if ended.returncode:
        said = " ".join(ended.stderr.decode("utf-8", "replace").split())
        raise SaysoError(said or "the comparison did not succeed", ELSEWHERE)
    told = msgspec.json.decode(ended.stdout)
    moves = [(move["from"], move["to"], move["records"]) for move in told.pop("changes")]
    named = [dict(zip(Move.__struct_fields__, move, strict=True)) for move in moves]
    return msgspec.convert(told | {"moves": named}, Difference)


def _shown(
    request: Request, problem: str = "", difference: Difference | None = None, name: str = ""
) -> Response:
    site = site_of(request)
    # As the settings name it now: it may have been changed since the pages were started.
    used = Workspace.open(site.workspace.home).settings.policy
    with site.rights.reading() as connection:
        versions: list[Version] = history.versions(connection)
    return door.show(
        request,
        "operator_policy.html",
        status=422 if problem else 200,
        policy=policies.load(used),
        versions=list(reversed(versions)),
        problem=problem,
        difference=difference,
        name=name,
    )
