"""Objections as their pages show them: the steps that were taken, and who sees whose they are."""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from fastapi import HTTPException
from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response

from sayso.rights import contacts, objections, receipts, requests, steps
from sayso.rights.objection import Objection, Step
from sayso.rights.requests import Request as Asked
from sayso.web import naming, objecting
from sayso.web.signin import signed_in
from sayso.web.site import Site, site_of

COOKIE: Final = "receipt"
# Here nobody types whose objection it is: the person's own id would tell them nothing.
UNTYPED: Final = ("settings", "my data", "embedded page")
A_DAY: Final = 24 * 3600
_NUMBER: Final = re.compile(objecting.NUMBER)
# Of several objections together, the state that most is missing in is that of all.
_FROM_LEAST: Final = ("pending", "confirmed", "closed", "withdrawn", "lapsed")


class Case(Struct, frozen=True):
    """One objection and its steps.

    `name` is as it was typed; '' where nobody typed one, and for whom that is not shown to.
    """

    objection: Objection
    taken: tuple[Step, ...]
    name: str = ""

    @property
    def state(self) -> str:
        """'pending', 'confirmed', 'closed', 'withdrawn' or 'lapsed'."""
        if self.objection.withdrawn_at is not None:
            return "withdrawn"
        return "closed" if self.at("closed") else self.objection.state

    @property
    def models(self) -> list[Step]:
        """The steps at which a release was without the person."""
        return [step for step in self.taken if step.state == "models_cleared" and step.release]

    def at(self, state: str) -> datetime | None:
        """When a step was first taken; None while it is to come."""
        return next((step.at for step in self.taken if step.state == state), None)


class Together(Struct, frozen=True):
    """All objections of one request, the one that was asked for first."""

    cases: tuple[Case, ...]
    asked: Asked | None

    @property
    def state(self) -> str:
        """The state of the one that most is missing of."""
        return min((case.state for case in self.cases), key=_FROM_LEAST.index)

    @property
    def mark(self) -> str:
        """Changes whenever the page does."""
        mailed = self.asked is not None and self.asked.mailed_at is not None
        return "-".join([*(f"{len(c.taken)}{c.state}" for c in self.cases), str(int(mailed))])

    @property
    def final(self) -> bool:
        """Whether nothing more will come."""
        return all(case.state in steps.LAST for case in self.cases)


def is_number(text: str) -> bool:
    """Whether a text is an objection's number; copies carried over to linked accounts have none."""
    return _NUMBER.match(text) is not None


def find(site: Site, number: str) -> Objection:
    """Return an objection by its number.

    Raises:
        HTTPException: 404; there is none.
    """
    objection = objections.find(site.rights, number) if is_number(number) else None
    if objection is None:
        raise HTTPException(404, "there is no objection of this number")
    return objection


def together(site: Site, objection: Objection, *, named: bool) -> Together:
    """Return an objection with those of the same request; `named` shows whom they are about."""
    others = [
        other
        for other in objections.of_request(site.rights, objection.request)
        if other.number != objection.number and is_number(other.number)
    ]
    with site.rights.reading() as connection:
        asked = requests.find(connection, objection.request) if objection.request else None
        cases = tuple(
            Case(
                each,
                tuple(steps.of(connection, each.number)),
                name_of(site, each) if named and each.channel not in UNTYPED else "",
            )
            for each in (objection, *others)
        )
    return Together(cases, asked)


def claims_of(site: Site, objection: Objection) -> dict[str, Any]:
    """Return what an objection's receipt says.

    Raises:
        HTTPException: 410; it is not kept any more (`retention.purge`).
    """
    if not objection.receipt:
        raise _gone()
    receipts.signing_key(site.workspace)
    return receipts.verify(objection.receipt, site.workspace.keys / "receipts.pub.jwk")


def name_of(site: Site, objection: Objection) -> str:
    """Return whose objection it is as its receipt says it: as it was typed, for claims.

    '' where the receipt is not kept any more.
    """
    return str(claims_of(site, objection)["person"]) if objection.receipt else ""


def keep(request: Request, response: Response, made: Sequence[Objection]) -> None:
    """Let this browser have the receipts of what it has sent."""
    site = site_of(request)
    for objection in made:
        response.set_cookie(
            COOKIE,
            objecting.token(site, _request_of(objection)),
            max_age=A_DAY,
            path=f"/object/{objection.number}",
            samesite="lax",
            httponly=True,
            secure=request.url.scheme == "https",
        )


def sent_here(request: Request, objection: Objection) -> bool:
    """Whether this browser has sent the objection."""
    token = request.cookies.get(COOKIE)
    return objecting.holds_token(site_of(request), _request_of(objection), token)


def owns(request: Request, objection: Objection) -> bool:
    """Whether the person who is signed in is the one that an objection is about."""
    signed = signed_in(request)
    if signed is None or not signed.person:
        return False
    if signed.person == objection.person or _was_purged_of(request, objection, signed.person):
        return True
    with site_of(request).rights.reading() as connection:
        return contacts.is_behind(connection, objection.person, signed.person)


def is_named(site: Site, objection: Objection, typed: str) -> bool:
    """Whether a name is the one on the receipt; other accounts of the person do not count.

    Else a claim would tell a stranger which accounts belong together.
    """
    name = naming.plain(name_of(site, objection)).lower()
    return bool(name) and naming.plain(typed).lower() == name


def _was_purged_of(request: Request, objection: Objection, person: str) -> bool:
    """Whether no more than the pseudonym of this person is kept with an objection.

    Those with a receipt are named in full: who objects in the name of a pseudonym is nobody.
    """
    pseudonym = site_of(request).workspace.pseudonyms.name("person", person)
    return not objection.receipt and objection.person == pseudonym


def _gone() -> HTTPException:
    return HTTPException(410, "this receipt is not kept any more; a copy of it stays valid")


def _request_of(objection: Objection) -> str:
    return objection.request or objection.number


def file(text: str, name: str) -> Response:
    """Return a signed text as a file of this name.

    Raises:
        HTTPException: 410; it is empty: not kept any more.
    """
    if not text:
        raise _gone()
    return Response(
        text + "\n",
        media_type="application/jose",
        headers={
            "Content-Disposition": f'attachment; filename="{name}"',
            "Cache-Control": "no-store",
        },
    )
