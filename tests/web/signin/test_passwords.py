"""Signing in by a password, out again, and the account's page."""

import re
from collections.abc import Iterator

import httpx2
import pytest

from sayso.rights import accesses, ledger, users
from sayso.settings import Settings, SignIn
from sayso.web.signin.sessions import NAME
from sayso.workspace import Workspace
from tests.web.conftest import KnownAssistant, Running, serving
from tests.web.signin.conftest import PASSWORD
from tests.web.signing import keep, sign_in


@pytest.fixture
def browser(here: Running) -> Iterator[httpx2.Client]:
    with here.browser(**{"accept-language": "en"}) as browser:
        yield browser


def enter(browser: httpx2.Client, name: str, password: str = PASSWORD, **more: str) -> int:
    form = {"name": name, "password": password} | more
    return browser.post("/sign-in", data=form, follow_redirects=False).status_code


def acts(site: Running) -> list[tuple[str, str]]:
    with site.rights.reading() as connection:
        entries = [e for e in ledger.read(connection) if e.kind == accesses.KIND]
    return [(entry.body["actor"], entry.body["act"]) for entry in entries]


def csrf_of(page: str) -> str:
    found = re.search(r'name="csrf" value="(\w+)"', page)
    assert found
    return found[1]


def test_a_password_opens_a_session_whose_cookie_no_script_reads(here, browser):
    form = {"name": " captain ", "password": PASSWORD, "next": "/transparency?x=1"}
    response = browser.post("/sign-in", data=form, follow_redirects=False)
    assert (response.status_code, response.headers["location"]) == (303, "/transparency?x=1")
    cookie = response.headers["set-cookie"]
    assert re.fullmatch(rf"{NAME}=[\w-]{{43}}; HttpOnly; Path=/; SameSite=lax", cookie)
    assert "captain" in browser.get("/account").text
    assert (accesses.pseudonym(here.rights, "captain"), "signed in") in acts(here)


@pytest.mark.parametrize(
    ("name", "password"),
    [("captain", "wrong"), ("nobody", PASSWORD), ("", ""), ("captain", ""), ("\x00\udcff", "x")],
)
def test_what_does_not_fit_is_answered_alike(here, browser, name, password):
    form = f"name={name}&password={password}".encode("utf-8", "surrogateescape")
    kind = {"content-type": "application/x-www-form-urlencoded"}
    response = browser.post("/sign-in", content=form, headers=kind)
    assert response.status_code == 403
    assert "Name and password do not fit together" in response.text
    assert NAME not in browser.cookies
    if name:
        assert (accesses.pseudonym(here.rights, name), "failed to sign in") in acts(here) or not (
            name.isprintable()
        )


def test_a_disabled_user_is_out_at_once_and_stays_out(here, browser):
    users.add(here.rights, "mate", "auditor", PASSWORD)
    assert enter(browser, "mate") == 303
    users.disable(here.rights, "mate")
    assert browser.get("/account", follow_redirects=False).status_code == 303
    assert enter(browser, "mate") == 403
    users.enable(here.rights, "mate")
    assert enter(browser, "mate") == 303


def test_signing_in_again_ends_the_session_before(here, browser):
    assert enter(browser, "captain") == 303
    first = browser.cookies[NAME]
    assert enter(browser, "member-1") == 303
    assert browser.cookies[NAME] != first
    keep(browser, first)
    assert browser.get("/account", follow_redirects=False).status_code == 303


def test_signing_out_needs_the_sessions_own_form_and_ends_it(here, browser):
    csrf = sign_in(here, browser, "captain", "operator")
    token = browser.cookies[NAME]
    for wrong in ("", "0" * 64, "é"):
        assert browser.post("/sign-out", data={"csrf": wrong}).status_code == 403
    assert browser.get("/account").status_code == 200
    assert browser.post("/sign-out", data={"csrf": csrf}).url.path == "/"
    assert NAME not in browser.cookies
    keep(browser, token)
    assert browser.get("/account", follow_redirects=False).status_code == 303
    assert browser.post("/sign-out").url.path == "/"


def test_the_form_of_one_session_is_not_taken_from_another(here, browser):
    with here.browser() as other:
        csrf = sign_in(here, other, "captain")
        sign_in(here, browser, "captain")
        path = "/account/sign-out-everywhere"
        assert browser.post(path, data={"csrf": csrf}).status_code == 403
        assert other.post(path, data={"csrf": csrf}).status_code == 200
    assert browser.get("/account", follow_redirects=False).status_code == 303


def test_another_password_ends_the_other_sessions(here, browser):
    users.add(here.rights, "cook", "auditor", PASSWORD)
    assert enter(browser, "cook") == 303
    with here.browser() as other:
        sign_in(here, other, "cook")
        csrf = csrf_of(browser.get("/account").text)
        form = {"csrf": csrf, "current": PASSWORD, "new": "quite another long one"}
        path = "/account/password"
        assert browser.post(path, data=form | {"current": "x"}).status_code == 403
        assert browser.post(path, data=form | {"new": "too short"}).status_code == 422
        assert browser.post(path, data=form | {"csrf": ""}).status_code == 403
        changed = browser.post(path, data=form)
        assert "Your password is changed" in changed.text
        assert other.get("/account", follow_redirects=False).status_code == 303
    assert enter(browser, "cook") == 403
    assert enter(browser, "cook", "quite another long one") == 303


def test_the_page_shows_the_role_and_the_way_to_ones_own_data(here, browser):
    assert enter(browser, "member-1") == 303
    page = browser.get("/account").text
    assert "/my-data" in page
    sign_in(here, browser, "captain", "operator")
    page = browser.get("/account?lang=de").text
    assert "/my-data" not in page
    assert "captain" in page


@pytest.mark.parametrize("target", ["//evil.example", "https://evil.example", "/\\evil", "x", ""])
def test_it_leads_nowhere_else(browser, target):
    form = {"name": "captain", "password": PASSWORD, "next": target}
    response = browser.post("/sign-in", data=form, follow_redirects=False)
    assert response.headers["location"] == "/account"


def test_tries_are_limited_for_a_name_and_from_an_address(tmp_path):
    limits = SignIn(per_name=2, per_address=4)
    workspace = Workspace.create(tmp_path / "home", Settings(sign_in=limits))
    with serving(workspace, KnownAssistant()) as address:
        site = Running(address, KnownAssistant(), workspace)
        users.add(site.rights, "captain", "operator", PASSWORD)
        with site.browser() as browser:
            assert [enter(browser, "captain", "x") for _ in range(2)] == [403, 403]
            refused = browser.post("/sign-in", data={"name": "captain", "password": PASSWORD})
            assert refused.status_code == 429
            assert 0 < int(refused.headers["retry-after"]) <= 900
            assert enter(browser, "nobody", "x") == 403
            assert enter(browser, "somebody", "x") == 429
