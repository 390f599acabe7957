"""HTML from templates, in the reader's language."""

from datetime import UTC, datetime, time
from functools import lru_cache
from typing import Any, Final

from babel.dates import format_date, format_datetime
from babel.numbers import format_decimal, format_percent
from babel.units import format_unit
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse

from sayso.web.languages import COOKIE, LANGUAGES, choose, translations
from sayso.web.signin import SignedIn, signed_in
from sayso.web.site import site_of

A_YEAR: Final = 365 * 24 * 3600
UNITS: Final = (("day", 86400), ("hour", 3600), ("minute", 60))


@lru_cache
def environment(language: str) -> Environment:
    """Return the template environment of a language."""
    made = Environment(
        loader=PackageLoader("sayso.web"),
        extensions=["jinja2.ext.i18n"],
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.install_gettext_translations(  # type: ignore[attr-defined]
        translations(language), newstyle=True
    )
    made.globals |= {"language": language, "languages": LANGUAGES}

    def moment(value: datetime) -> Markup:
        pattern = "d. MMMM y, HH:mm" if language == "de" else "d MMMM y, HH:mm"
        text = format_datetime(value, pattern, locale=language)
        return Markup('<time datetime="{}">{} UTC</time>').format(value.isoformat(), text)

    def number(value: float) -> str:
        return format_decimal(value, locale=language)

    def day(value: datetime) -> str:
        return format_date(value, "long", locale=language)

    def came(value: datetime) -> Markup | str:
        # Of a letter only the day is known; it is kept as that day's first moment (UTC).
        return moment(value) if value.astimezone(UTC).time() != time() else day(value)

    made.filters |= {"moment": moment, "number": number, "day": day, "came": came}
    made.filters["percent"] = lambda share: format_percent(share, locale=language)
    made.filters["duration"] = lambda seconds: duration(seconds, language)
    return made


def duration(seconds: float, language: str) -> str:
    """Return a length of time in its largest fitting unit: '1.4 seconds', '3 hours'."""
    for unit, length in UNITS:
        if seconds >= length:
            return format_unit(round(seconds / length, 1), unit, locale=language)
    return format_unit(round(seconds, 1), "second", locale=language)


def page(
    request: Request, template: str, *, status: int = 200, path: str = "", **context: Any
) -> HTMLResponse:
    """Render a page.

    Args:
        request: whose language and site it is for.
        template: the template's file name.
        status: HTTP status.
        path: where the language switch leads; the request's own path if empty.
        context: what the template needs beyond the common parts.
    """
    language, site, signed = choose(request), site_of(request), signed_in(request)
    html = (
        environment(language)
        .get_template(template)
        .render(
            community=site.community,
            release=site.release,
            path=path or request.url.path,
            section=request.url.path,
            status=status,
            **{"signed_in": signed, "csrf_field": csrf_field(signed)} | context,
        )
    )
    response = HTMLResponse(
        html,
        status,
        headers={
            "Content-Language": language,
            "Vary": "Accept-Language, Cookie",
            "Cache-Control": "no-store",
        },
    )
    if request.query_params.get("lang") == language:
        response.set_cookie(COOKIE, language, max_age=A_YEAR, samesite="lax", httponly=True)
    return response


def csrf_field(signed: SignedIn | None) -> Markup:
    """Return the hidden field for forms of who is signed in; see `check_csrf`."""
    if signed is None:
        return Markup()
    return Markup('<input type="hidden" name="csrf" value="{}">').format(signed.csrf)


def translate(request: Request, message: str, **values: object) -> str:
    """Return a message in the reader's language, with its values filled in."""
    return translations(choose(request)).gettext(message) % values
