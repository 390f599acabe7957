"""What the forms of objections say of fields that they share."""

from starlette.requests import Request

from sayso.errors import UsageError
from sayso.rights.requests import checked_email
from sayso.web import objecting
from sayso.web.rendering import translate
from sayso.web.site import site_of


def services_problem(request: Request, scope: str, services: tuple[str, ...]) -> dict[str, str]:
    """Return what a form says of single services that are none, or that are unknown here."""
    if scope != "some":
        return {}
    if not services:
        return {"services": translate(request, "Please choose at least one service.")}
    if set(services) - set(objecting.services(site_of(request))):
        return {"services": translate(request, "Please choose among the services shown.")}
    return {}


def address_problem(request: Request, email: str) -> dict[str, str]:
    """Return what a form says of an e-mail address that is none."""
    try:
        if email.strip():
            checked_email(email)
    except UsageError:
        return {"email": translate(request, "This is no e-mail address.")}
    return {}
