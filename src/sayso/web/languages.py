"""The pages' languages: which one a reader gets, and the gettext catalogues."""

from functools import lru_cache
from gettext import GNUTranslations
from io import BytesIO
from pathlib import Path
from typing import Final

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from starlette.requests import Request

LANGUAGES: Final = {"en": "English", "de": "Deutsch"}
DEFAULT: Final = "en"
COOKIE: Final = "lang"
LOCALE: Final = Path(__file__).parent / "locale"


def choose(request: Request) -> str:
    """Return the reader's language: by `?lang=`, else by cookie, else by Accept-Language."""
    for wish in (request.query_params.get("lang"), request.cookies.get(COOKIE)):
        if wish in LANGUAGES:
            return wish
    return accepted(request.headers.get("accept-language", ""))


def accepted(header: str) -> str:
    """Return the language that an Accept-Language header likes best (RFC 9110, 12.5.4)."""
    best, weight = DEFAULT, 0.0
    for part in header.split(","):
        tag, _, parameter = part.strip().partition(";")
        language = tag.partition("-")[0].lower()
        try:
            quality = float(parameter.strip().removeprefix("q=")) if parameter else 1.0
        except ValueError:
            continue
        if language in LANGUAGES and quality > weight:
            best, weight = language, quality
    return best


@lru_cache
def translations(language: str) -> GNUTranslations:
    """Return a language's catalogue, compiled in memory from its .po file."""
    path = LOCALE / language / "LC_MESSAGES" / "messages.po"
    compiled = BytesIO()
    with path.open("rb") as file:
        write_mo(compiled, read_po(file, locale=language, abort_invalid=True))
    compiled.seek(0)
    return GNUTranslations(compiled)
