"""The staff's pages: what is to be done until when, and doing it.

Operators act, auditors read; nobody else comes in. Each act, and each look at what is about one
person, is an entry of the ledger (`sayso.rights.accesses`).
"""

from fastapi import APIRouter

from sayso.web.pages.operator import (
    acts,
    entering,
    importing,
    objections,
    overview,
    policies,
    review,
    suppressions,
)

router = APIRouter(include_in_schema=False)
for part in (overview, objections, acts, review, entering, importing, suppressions, policies):
    router.include_router(part.router)
