"""Who comes in, who may act, and what all of the staff's pages share."""

from collections.abc import Callable
from functools import partial
from typing import Any, Final, TypeVar

from anyio import to_thread
from fastapi import HTTPException
from fastapi.responses import RedirectResponse
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import Response

from sayso.errors import SaysoError
from sayso.rights import accesses, staff, users
from sayso.web.rendering import page
from sayso.web.signin import SignedIn, check_csrf, require, signed_in
from sayso.web.site import Site, site_of

PATH: Final = "/operator"
_T = TypeVar("_T")


def reader(request: Request) -> SignedIn:
    """Return who reads: an operator or an auditor.

    Raises:
        HTTPException: see `require`.
    """
    return require(request, "operator", "auditor")


def actor(request: Request, csrf: str) -> SignedIn:
    """Return who acts: an operator, by a form of their own.

    Raises:
        HTTPException: see `require` and `check_csrf`.
    """
    require(request, "operator")
    return check_csrf(request, csrf)


def may_act(request: Request) -> bool:
    """Whether who is signed in is an operator: auditors are shown no names and no words."""
    signed = signed_in(request)
    return signed is not None and signed.role == "operator"


def show(request: Request, template: str, *, status: int = 200, **context: Any) -> Response:
    """Render one of the staff's pages."""
    return page(request, template, status=status, may_act=may_act(request), **context)


async def write(request: Request, act: Callable[..., _T], *arguments: Any) -> _T:
    """Do an act that writes, in its turn."""
    limiter = site_of(request).writer
    return await to_thread.run_sync(partial(act, *arguments), limiter=limiter)


def back(path: str) -> Response:
    """Lead on to a page after an act, so that loading it again does not repeat the act."""
    return RedirectResponse(f"{PATH}{path}", 303)


def called(site: Site) -> dict[str, str]:
    """Return the names of the staff by the pseudonyms that the ledger has for them."""
    names = [staff.COMMAND_LINE, *(user.name for user in users.list_all(site.rights))]
    return {accesses.pseudonym(site.rights, name): name for name in names}


async def uploaded(request: Request, most: int) -> tuple[SignedIn, dict[str, str], bytes]:
    """Read a form with one file, which only operators may send.

    Args:
        request: the form, with its field `csrf` and the file `file`.
        most: the most bytes that the file, or another field, may have.

    Returns:
        Who sent it, the other fields with the file's name as `name`, and the file.

    Raises:
        HTTPException: see `actor`; 413, something is too long.
    """
    require(request, "operator")  # before anything of it is read
    async with request.form(max_files=1, max_fields=8, max_part_size=2 * most) as form:
        fields = {key: value for key, value in form.items() if isinstance(value, str)}
        signed = actor(request, fields.get("csrf", ""))
        file = form.get("file")
        data = await file.read(most + 1) if isinstance(file, UploadFile) else b""
        if isinstance(file, UploadFile):
            fields["name"] = (file.filename or "").rpartition("/")[2].rpartition("\\")[2][:100]
    if len(data) > most:
        raise HTTPException(413, f"the file is longer than {most} bytes")
    return signed, fields, data


def problem_of(error: SaysoError) -> str:
    """Return what an error says; the staff read the program's own words."""
    return f"{error.problem}; {error.hint}" if error.hint else error.problem
