"""Both languages are complete, current, and given to who wants them."""

import re
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sayso.rights.objection import SUGGESTED_REASONS
from sayso.web import catalogues
from sayso.web.languages import LANGUAGES, accepted, translations
from sayso.web.rendering import duration, environment
from tests.web.conftest import Running


@pytest.mark.parametrize("language", LANGUAGES)
def test_catalogues_are_current_and_complete(language: str) -> None:
    """If this fails: `python -m sayso.web.catalogues`, then translate what is empty."""
    known = {message.id: message for message in catalogues.read(language) if message.id}
    assert set(known) == {message.id for message in catalogues.extracted(language) if message.id}
    for message in known.values():
        strings = message.string if isinstance(message.string, tuple) else (message.string,)
        assert all(strings), f"not translated into {language}: {message.id}"
        assert not message.fuzzy
        identifiers = message.id if isinstance(message.id, tuple) else (message.id,)
        for identifier, string in zip(identifiers, strings, strict=True):
            holes = re.findall(r"%\(\w+\)s", identifier)
            assert sorted(re.findall(r"%\(\w+\)s", string)) == sorted(holes)


def test_reasons_exist_in_each_language() -> None:
    assert {language: len(SUGGESTED_REASONS[language]) for language in LANGUAGES} == {
        "en": 4,
        "de": 4,
    }


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "en"),
        ("de", "de"),
        ("de-CH,de;q=0.9,en;q=0.8", "de"),
        ("en;q=0.5, DE-at;q=0.6", "de"),
        ("fr, it;q=0.9", "en"),
        ("de;q=0", "en"),
        ("de;q=high, en;q=0.1", "en"),
    ],
)
def test_accept_language(header: str, language: str) -> None:
    assert accepted(header) == language


@given(st.text())
def test_any_header_gives_a_language(header: str) -> None:
    assert accepted(header) in LANGUAGES


def test_wish_is_remembered(site: Running) -> None:
    with site.browser(**{"Accept-Language": "en"}) as browser:
        assert 'lang="en"' in browser.get("/object").text
        german = browser.get("/object?lang=de")
        assert "Jetzt widersprechen" in german.text
        assert german.headers["content-language"] == "de"
        assert "Jetzt widersprechen" in browser.get("/object").text
        # An unknown wish changes nothing.
        assert "Jetzt widersprechen" in browser.get("/object?lang=xx").text
        assert 'href="/object?lang=en"' in german.text


def test_every_page_speaks_both_languages(site: Running) -> None:
    for path in ("/", "/object", "/transparency", "/nothing-here"):
        with site.browser() as browser:
            pages = {
                language: browser.get(f"{path}?lang={language}").text for language in LANGUAGES
            }
        for language, text in pages.items():
            assert f'<html lang="{language}">' in text
        words = {code: set(re.findall(r">([^<>{}]{12,})<", text)) for code, text in pages.items()}
        shared = {w.strip() for w in words["en"] & words["de"]}
        assert not {w for w in shared if " " in w} - {"Test harbour", "Chat · Test harbour"}, path


def test_durations() -> None:
    assert duration(1.44, "en") == "1.4 seconds"
    assert duration(1.44, "de") == "1,4 Sekunden"
    assert duration(90, "en") == "1.5 minutes"
    assert duration(3600, "de") == "1 Stunde"
    assert duration(86400 * 3, "en") == "3 days"
    assert translations("de").gettext("Chat") == "Chat"


def test_what_came_on_a_day_has_no_hour() -> None:
    shown = environment("de").from_string("{{ at | came }}")
    assert shown.render(at=datetime(2026, 11, 25, tzinfo=UTC)) == "25. November 2026"
    assert "09:30" in shown.render(at=datetime(2026, 11, 25, 9, 30, tzinfo=UTC))
