"""Keeps the gettext catalogues in step with the pages: `python -m sayso.web.catalogues`."""

from pathlib import Path
from typing import Final

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

from sayso.web.languages import LANGUAGES, LOCALE

# Without dates and names, which would change with every update.
HEADER: Final = """\
msgid ""
msgstr ""
"Language: {language}\\n"
"Plural-Forms: {plurals}\\n"
"MIME-Version: 1.0\\n"
"Content-Type: text/plain; charset=utf-8\\n"
"Content-Transfer-Encoding: 8bit\\n"

"""
WEB: Final = Path(__file__).parent
TEMPLATES: Final = ("templates/**.html", "templates/**.txt")
METHODS: Final = [("**.py", "python"), *((pattern, "jinja2") for pattern in TEMPLATES)]
OPTIONS: Final = {pattern: {"silent": "false", "trimmed": "true"} for pattern in TEMPLATES}
# translate(request, message): the message is the second argument.
KEYWORDS: Final = {"_": None, "gettext": None, "ngettext": (1, 2), "translate": (2,)}


def extracted(language: str) -> Catalog:
    """Return all messages of pages and code, untranslated."""
    catalog = Catalog(locale=language, project="Sayso", charset="utf-8")
    found = extract_from_dir(WEB, METHODS, OPTIONS, keywords=KEYWORDS)
    for path, _line, message, comments, context in sorted(found, key=lambda row: row[:2]):
        # Without line numbers, so that a catalogue changes only where its messages do.
        catalog.add(message, locations=[(path, 0)], auto_comments=comments, context=context)
    return catalog


def path_of(language: str) -> Path:
    """Return where a language's catalogue lies."""
    return LOCALE / language / "LC_MESSAGES" / "messages.po"


def read(language: str) -> Catalog:
    """Return a language's catalogue as it lies on disk, empty if there is none."""
    path = path_of(language)
    if not path.exists():
        return Catalog(language)
    with path.open("rb") as file:
        return read_po(file, locale=language, abort_invalid=True)


def update() -> None:
    """Bring the catalogues up to date; new messages wait there for their translation."""
    for language in LANGUAGES:
        fresh, known, path = extracted(language), read(language), path_of(language)
        for message in fresh:
            if message.id and (old := known.get(message.id)) is not None:
                message.string = old.string
            if message.id and language == "en":
                # The pages are written in English.
                message.string = message.id
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            header = HEADER.format(language=language, plurals=fresh.plural_forms)
            file.write(header.encode())
            write_po(file, fresh, width=100, include_lineno=False, omit_header=True)


if __name__ == "__main__":
    update()
