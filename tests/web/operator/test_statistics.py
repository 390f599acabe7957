"""How objections were met, on the public page and for programs."""

import json
from datetime import timedelta

from sayso.rights import objections, steps
from sayso.rights.database import now
from tests.web.conftest import Running, poll

TABLES = ("by_month", "by_channel", "by_service")


def told(site: Running, received: int) -> dict:
    """What the page for programs says once it has counted so many."""
    with site.browser() as browser:
        page = "/transparency.json"
        poll(lambda: browser.get(page).json()["objections"]["received"] == received)
        return browser.get(page).json()["objections"]


def test_numbers_are_told_but_not_of_few(site: Running) -> None:
    with site.browser() as browser:
        assert "No objection has come yet" in browser.get("/transparency").text
        for n in range(4):
            objections.receive(site.rights, f"member-{n}@net", services=["net"])
        few = told(site, 4)
        assert [few[name] for name in TABLES] == [[], [], []]
        assert few["seconds_to_training_stopped"] == {"median": None, "p95": None}
        assert few["overdue"] == {"count": 0}
        made = [
            objections.receive(site.rights, f"person-{n}@forum", channel="letter")[0]
            for n in range(12)
        ]
        with site.rights.writing() as connection:
            for objection in made[:5]:
                at = now() + timedelta(hours=2)
                steps.note(connection, site.rights, objection, "models_cleared", at, "r", "h")
                steps.note(connection, site.rights, objection, "closed", at)
        many = told(site, 16)
        # The four others would follow from the sum, so the twelve are not told either.
        assert many["by_channel"] == [
            {"name": "command line", "count": None, "fewer_than": 5},
            {"name": "letter", "count": None},
        ]
        assert [row["count"] for row in many["by_month"]] == [16]
        assert many["answered_within_a_month"] == 1.0
        assert 7200 <= many["seconds_to_all_models_cleared"]["median"] < 7300
        page = browser.get("/transparency", params={"lang": "en"}).text
        for words in ("fewer than 5", "not told", "half of them within 2 hours", "100%"):
            assert words in page
        for text in (page, json.dumps(many)):
            assert "member-" not in text and "person-" not in text and "OBJ-" not in text
