"""The pages in a real browser that runs no scripts."""

from pathlib import Path

from playwright.sync_api import Browser, expect

from sayso.rights import objections
from tests.web.browsing import BROWSER, context
from tests.web.conftest import Running

pytestmark = BROWSER


def test_everything_works_without_scripts(chromium: Browser, site: Running) -> None:
    with context(chromium, site, java_script_enabled=False) as made:
        page = made.new_page()
        page.goto("/")
        page.get_by_role("button", name="What is on this week?").click()
        expect(page.locator(".asked .words")).to_have_text("What is on this week?")
        expect(page.locator(".answered .words")).to_contain_text("The **ferry** leaves")
        page.locator(".sources summary").click()
        expect(page.locator(".answered blockquote").first).to_be_visible()
        page.get_by_label("Your question").fill("And back?")
        page.get_by_role("button", name="Ask", exact=True).click()
        expect(page.locator(".asked .words")).to_have_text("And back?")
        page.get_by_role("link", name="Objection").click()
        page.get_by_label("Your accounts").fill("member-1@forum")
        page.get_by_label("The accounts are mine").check()
        page.get_by_role("button", name="Object now").click()
        expect(page.locator(".timeline .done").first).to_contain_text("UTC")
        with page.expect_download() as download:
            page.get_by_role("link", name="Download the receipt").click()
        (stored,) = objections.list_all(site.rights)
        assert Path(download.value.path()).read_text().strip() == stored.receipt
