"""Signing in at a service: a real provider, and all that may come back in its place."""

import base64
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey
from sqlalchemy import select

from sayso.errors import UsageError
from sayso.rights import contacts, users
from sayso.rights.tables import users as table
from sayso.settings import Oidc, Settings
from sayso.web.signin.oidc import ProviderError, checked, vouched
from sayso.web.signin.sessions import NAME
from sayso.workspace import Workspace
from tests.web.conftest import KnownAssistant, Running, add_account, serving
from tests.web.signin.provider import Provider, providing

KEY = RSAKey.generate_key(2048, {"kid": "another"})
TOKEN, DISCOVERY = "/oauth2/token", "/.well-known/openid-configuration"


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with providing() as provider:
        yield provider


def home_for(issuer: str, folder: Path) -> Workspace:
    """A workspace whose members sign in there."""
    settings = Settings(
        oidc=Oidc(
            issuer=issuer,
            client_id="sayso",
            client_secret_file="keys/oidc.secret",
            account="{claim}@forum",
            role_claim="groups",
            operators=("ai-operators",),
            auditors=("works-council",),
        )
    )
    workspace = Workspace.create(folder / "home", settings)
    (workspace.keys / "oidc.secret").write_text("secret\n")
    return workspace


@pytest.fixture(scope="module")
def there(provider: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    workspace = home_for(provider.issuer, tmp_path_factory.mktemp("service"))
    with serving(workspace, KnownAssistant()) as address:
        site = Running(address, KnownAssistant(), workspace)
        add_account(site.rights, "member-1@forum", "p:1")
        yield site


@pytest.fixture
def browser(there: Running, provider: Provider) -> Iterator[httpx2.Client]:
    provider.changes.clear()
    provider.down = False
    with httpx2.Client(base_url=there.address, timeout=20) as browser:
        yield browser


def ask(browser: httpx2.Client, target: str = "") -> str:
    """Begin; returns where the browser is sent."""
    response = browser.get("/sign-in/service", params={"next": target} if target else {})
    assert response.status_code == 302
    return response.headers["location"]


def answer(address: str, subject: str) -> str:
    """Sign in at the provider; returns where it leads back to."""
    response = httpx2.post(address, data={"sub": subject})
    assert response.status_code == 302
    return response.headers["location"]


def enter(browser: httpx2.Client, subject: str, target: str = "") -> httpx2.Response:
    return browser.get(answer(ask(browser, target), subject))


def is_out(browser: httpx2.Client) -> bool:
    return NAME not in browser.cookies and browser.get("/account").status_code == 303


def test_a_member_comes_in_as_a_member_and_goes_where_they_wanted(there, provider, browser):
    provider.knows("s-1", preferred_username="member-1", email="one@forum.example",
                   email_verified=True)  # fmt: skip
    back = enter(browser, "s-1", "/transparency")
    assert (back.status_code, back.headers["location"]) == (303, "/transparency")
    page = browser.get("/account").text
    assert "member-1@forum" in page
    assert "/my-data" in page
    (user,) = [u for u in users.list_all(there.rights) if u.name == "member-1@forum"]
    assert (user.role, user.issuer) == ("member", provider.issuer)
    with there.rights.reading() as connection:
        assert contacts.persons(connection, there.rights, "ONE@forum.example") == {"p:1"}


def test_the_flow_has_a_state_a_nonce_and_pkce(provider, browser):
    provider.knows("s-1", preferred_username="member-1")
    provider.asked.clear()
    address = ask(browser)
    asked = {name: value for name, (value,) in parse_qs(urlsplit(address).query).items()}
    assert asked["response_type"] == "code"
    assert asked["code_challenge_method"] == "S256"
    assert len(asked["state"]) >= 20
    assert len(asked["nonce"]) >= 20
    assert browser.get(answer(address, "s-1")).status_code == 303
    (sent,) = [body for path, body in provider.asked if path == TOKEN]
    verifier = parse_qs(sent)["code_verifier"][0].encode()
    digest = base64.urlsafe_b64encode(hashlib.sha256(verifier).digest()).rstrip(b"=")
    assert digest.decode() == asked["code_challenge"]


@pytest.mark.parametrize(
    ("groups", "role"),
    [
        (["ai-operators", "works-council"], "operator"),
        ("works-council", "auditor"),
        (["AI-operators", "operator"], "member"),
        ({"ai-operators": True}, "member"),
        (None, "member"),
    ],
)
def test_only_the_named_values_make_staff(there, provider, browser, groups, role):
    provider.knows("s-2", preferred_username="member-2", groups=groups)
    assert enter(browser, "s-2").status_code == 303
    assert {u.name: u.role for u in users.list_all(there.rights)}["member-2@forum"] == role


def test_an_address_that_the_provider_has_not_checked_says_nothing(there, provider, browser):
    for number, word in enumerate((False, None, "true", 1)):
        address = f"other{number}@forum.example"
        provider.knows("s-1", preferred_username="member-1", email=address, email_verified=word)
        assert enter(browser, "s-1").status_code == 303
        with there.rights.reading() as connection:
            assert not contacts.accounts_of(connection, there.rights, address)


def test_an_answer_is_good_once(provider, browser):
    provider.knows("s-1", preferred_username="member-1")
    address = ask(browser)
    held = dict(browser.cookies)
    back = answer(address, "s-1")
    assert browser.get(back).status_code == 303
    # As somebody would who has seen all of it: the address, and the cookie.
    browser.cookies.clear()
    for cookies in ({}, held):
        browser.cookies.update(cookies)
        assert browser.get(back).status_code == 403
        assert is_out(browser)


def test_another_browsers_answer_is_refused(there, provider, browser):
    provider.knows("s-1", preferred_username="member-1")
    with httpx2.Client(base_url=there.address) as other:
        theirs = answer(ask(other), "s-1")
    assert browser.get(theirs).status_code == 403
    ask(browser)
    assert browser.get(theirs).status_code == 403
    assert is_out(browser)


@pytest.mark.parametrize("query", ["", "?code=x", "?state=x", "?error=access_denied&state=x"])
def test_what_nobody_asked_for_is_refused(browser, query):
    ask(browser)
    response = browser.get(f"/sign-in/back{query}")
    assert response.status_code == 403
    assert "did not succeed" in response.text
    assert is_out(browser)


def parts_of(token: str) -> tuple[dict[str, Any], list[str]]:
    parts = token.split(".")
    return json.loads(base64.urlsafe_b64decode(parts[1] + "==")), parts


def tampered(answer: dict[str, Any]) -> dict[str, Any]:
    """The ID token says another name, under the signature of what it said."""
    claims, parts = parts_of(answer["id_token"])
    body = json.dumps(claims | {"preferred_username": "captain"}).encode()
    parts[1] = base64.urlsafe_b64encode(body).rstrip(b"=").decode()
    return answer | {"id_token": ".".join(parts)}


def unsigned(answer: dict[str, Any]) -> dict[str, Any]:
    """The ID token says that it needs no signature (RFC 8725, section 2.1)."""
    _, parts = parts_of(answer["id_token"])
    head = base64.urlsafe_b64encode(b'{"alg":"none"}').rstrip(b"=").decode()
    return answer | {"id_token": f"{head}.{parts[1]}."}


def without_token(answer: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in answer.items() if name != "id_token"}


@pytest.mark.parametrize("change", [tampered, unsigned, without_token])
def test_a_token_that_its_issuer_did_not_sign_is_refused(provider, browser, change):
    provider.knows("s-1", preferred_username="member-1")
    provider.changes[TOKEN] = change
    response = enter(browser, "s-1")
    assert response.status_code == 403
    assert is_out(browser)


@pytest.mark.parametrize(
    "change",
    [
        {"nonce": "another"},
        {"nonce": None},
        {"iss": "http://127.0.0.1:1"},
        {"aud": "another-client"},
        {"aud": ["another-client"]},
        {"exp": 1_600_000_000},
        {"sub": 17},
        {"sub": None},
        {},
    ],
)
def test_a_well_signed_token_for_something_else_is_refused(provider, browser, change):
    """As another client of the provider, or an older sign-in, would have it."""
    provider.knows("s-1", preferred_username="member-1")

    def resigned(answer: dict[str, Any]) -> dict[str, Any]:
        claims, _ = parts_of(answer["id_token"])
        claims = {name: v for name, v in (claims | change).items() if v is not None}
        return answer | {"id_token": jwt.encode({"alg": "RS256", "kid": KEY.kid}, claims, KEY)}

    provider.changes[TOKEN] = resigned
    # The provider has changed its keys: they are read anew.
    provider.changes["/jwks"] = lambda keys: {"keys": [*keys["keys"], KEY.as_dict(private=False)]}
    response = enter(browser, "s-1")
    # The control: signed anew and otherwise unchanged, it is taken.
    assert response.status_code == (403 if change else 303)
    assert is_out(browser) is bool(change)


def test_an_answer_in_another_providers_name_is_refused(provider, browser):
    provider.knows("s-1", preferred_username="member-1")
    back = answer(ask(browser), "s-1")
    assert browser.get(f"{back}&iss=https://other.example").status_code == 403
    assert browser.get(f"{answer(ask(browser), 's-1')}&iss={provider.issuer}").status_code == 303


@pytest.mark.parametrize("claims", [{}, {"preferred_username": "x y"}, {"preferred_username": 1}])
def test_without_a_plain_name_nobody_comes_in(provider, browser, claims):
    provider.knows("s-3", **claims)
    assert enter(browser, "s-3").status_code == 403
    assert is_out(browser)


def test_who_takes_over_a_name_does_not_become_its_former_bearer(there, provider, browser):
    provider.knows("old", preferred_username="member-4")
    assert enter(browser, "old").status_code == 303
    session = browser.cookies[NAME]
    browser.cookies.clear()
    provider.knows("new", preferred_username="member-4")
    refused = enter(browser, "new")
    assert refused.status_code == 403
    assert "ask the operator" in refused.text
    assert is_out(browser)
    # Renamed, the first one follows; what they posted under the name stays theirs.
    provider.knows("old", preferred_username="member-5")
    with httpx2.Client(base_url=there.address) as other:
        assert enter(other, "old").status_code == 303
    browser.cookies.set(NAME, session, domain="127.0.0.1")
    assert "member-5@forum" in browser.get("/account").text
    browser.cookies.clear()
    assert enter(browser, "new").status_code == 403
    users.remove(there.rights, "member-4@forum")
    assert enter(browser, "new").status_code == 303


def test_whoever_is_disabled_here_stays_out(there, provider, browser):
    provider.knows("s-6", preferred_username="member-6")
    assert enter(browser, "s-6").status_code == 303
    users.disable(there.rights, "member-6@forum")
    assert browser.get("/account").status_code == 303
    browser.cookies.clear()
    assert enter(browser, "s-6").status_code == 403
    with there.rights.reading() as connection:
        row = connection.execute(select(table).where(table.c.name == "member-6@forum")).one()
    assert (row.subject, row.password_hash) == ("s-6", "")


def test_a_provider_that_is_down_is_said_to_be(provider, browser, tmp_path):
    provider.knows("s-1", preferred_username="member-1")
    back = answer(ask(browser), "s-1")
    provider.down = True
    response = browser.get(back)
    assert response.status_code == 503
    assert "does not answer right now" in response.text
    assert is_out(browser)
    # One that was down from the start, and then calls itself otherwise.
    workspace = home_for(provider.issuer, tmp_path)
    with (
        serving(workspace, KnownAssistant()) as address,
        httpx2.Client(base_url=address) as fresh,
    ):
        assert fresh.get("/sign-in/service").status_code == 503
        assert fresh.get("/sign-in").status_code == 200
        provider.down = False
        provider.changes[DISCOVERY] = lambda said: said | {"issuer": "https://other.example"}
        assert fresh.get("/sign-in/service").status_code == 403
        provider.changes.clear()
        assert fresh.get("/sign-in/service").status_code == 302


@pytest.mark.parametrize(
    "wrong",
    [
        {"issuer": "http://id.example"},
        {"issuer": "ftp://127.0.0.1"},
        {"client_id": ""},
        {"account": "all@forum"},
        {"scopes": "profile"},
    ],
)
def test_settings_that_cannot_be_right_are_refused(wrong):
    right = {"issuer": "https://id.example", "client_id": "sayso", "account": "{claim}@forum"}
    assert checked(Oidc(**right))
    with pytest.raises(UsageError):
        checked(Oidc(**right | wrong))


def test_a_persons_id_is_no_account(there):
    claims = {"sub": "s-7", "preferred_username": "p:1"}
    known = vouched(Oidc(account="{claim}"), claims)
    with there.rights.writing() as connection, pytest.raises(users.NotAdmittedError):
        users.admit(connection, "https://id.example", "s-7", known.account, "member")
    with pytest.raises(ProviderError):
        vouched(Oidc(account="{claim}"), {"sub": "s-7"})
