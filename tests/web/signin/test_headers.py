"""Who may frame which page, what holds under HTTPS, and whom a proxy speaks for."""

import threading
from collections.abc import Iterator

import httpx2
import pytest
import uvicorn

from sayso.errors import UsageError
from sayso.rights import api_keys, tickets, users
from sayso.settings import Settings, SignIn, Web
from sayso.web.app import create_app
from sayso.web.rates import place
from sayso.web.security import embedders
from sayso.web.signin.sessions import NAME
from sayso.workspace import Workspace
from tests.web.conftest import KnownAssistant, Running, add_account, poll
from tests.web.signin.conftest import PASSWORD

ORIGINS = ("https://forum.example", "https://net.example:8443")


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server that believes a proxy on this machine, as `sayso serve` does."""
    settings = Settings(web=Web(embed_origins=ORIGINS), sign_in=SignIn(tickets_per_minute=9))
    workspace = Workspace.create(tmp_path_factory.mktemp("behind") / "home", settings)
    app = create_app(workspace, KnownAssistant())
    config = uvicorn.Config(
        app, port=0, log_level="critical", lifespan="off", forwarded_allow_ips=["127.0.0.1"]
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    poll(lambda: server.started)
    port = server.servers[0].sockets[0].getsockname()[1]
    site = Running(f"http://127.0.0.1:{port}", KnownAssistant(), workspace)
    users.add(site.rights, "captain", "operator", PASSWORD)
    add_account(site.rights, "member-1@forum", "p:1")
    yield site
    server.should_exit = True
    thread.join(20)


def test_only_the_named_services_may_frame_and_only_their_pages(behind):
    with behind.browser() as browser:
        inside, outside = browser.get("/embed/x").headers, browser.get("/embedded").headers
    policy = inside["content-security-policy"]
    assert policy.endswith("frame-ancestors https://forum.example https://net.example:8443")
    assert inside["cross-origin-resource-policy"] == "cross-origin"
    assert "x-frame-options" not in inside
    assert outside["content-security-policy"].endswith("frame-ancestors 'none'")
    assert outside["x-frame-options"] == "DENY"
    assert embedders(Web()) == "'none'"


@pytest.mark.parametrize(
    "origin",
    ["*", "", "forum.example", "http://forum.example", "https://a b", "https://a.example/path",
     "https://a.example; script-src *", "https://u@a.example", "https://[", "javascript:x",
     "https://*"],
)  # fmt: skip
def test_what_is_no_origin_does_not_reach_the_policy(origin):
    with pytest.raises(UsageError):
        embedders(Web(embed_origins=(origin,)))


def test_under_https_the_cookie_is_bound_to_this_host_and_http_is_over(behind):
    form = {"name": "captain", "password": PASSWORD}
    with httpx2.Client(base_url=behind.address, headers={"x-forwarded-proto": "https"}) as browser:
        response = browser.post("/sign-in", data=form)
        cookie = response.headers["set-cookie"]
        assert cookie.startswith(f"__Host-{NAME}=")
        assert cookie.endswith("; HttpOnly; Path=/; SameSite=lax; Secure")
        assert "domain" not in cookie.lower()
        assert response.headers["strict-transport-security"] == "max-age=31536000"
        # A cookie without the prefix, as a sibling host could set it, is not looked at.
        token = cookie.partition("=")[2].partition(";")[0]
        own, planted = f"__Host-{NAME}={token}", f"{NAME}={token}"
        assert browser.get("/account", headers={"cookie": own}).status_code == 200
        assert browser.get("/account", headers={"cookie": planted}).status_code == 303


def test_addresses_are_counted_by_household_and_only_as_pseudonyms():
    assert place("2001:db8:1:2:3::1") == place("2001:db8:1:2::9") == "2001:db8:1:2::/64"
    assert place("2001:db8:1:3::1") != place("2001:db8:1:2::1")
    assert place("::ffff:192.0.2.7") == place("192.0.2.7") == "192.0.2.7"
    assert place("fe80::1%eth0") == "fe80::/64"
    assert place("no address") == "no address"


def test_a_ticket_is_for_accounts_of_the_keys_service(behind):
    key = api_keys.add(behind.rights, "forum", ["forum"])
    revoked = api_keys.add(behind.rights, "gone")
    api_keys.revoke(behind.rights, "gone")
    wanted = {"account": "member-1@forum", "purpose": "my-data"}

    def post(key: str, **changed: str) -> httpx2.Response:
        head = {"authorization": f"Bearer {key}"} if key else {}
        return httpx2.post(f"{behind.address}/api/tickets", headers=head, json=wanted | changed)

    made = post(key)
    assert made.status_code == 201
    assert made.json()["url"] == f"/embed/my-data?ticket={made.json()['ticket']}"
    ticket = tickets.redeem(behind.rights, made.json()["ticket"])
    assert (ticket.person, ticket.purpose, ticket.key) == ("p:1", "my-data", "forum")
    assert ticket.until.isoformat().startswith(made.json()["until"].removesuffix("Z"))
    for wrong in ("", "sayso_x", revoked):
        refused = post(wrong)
        assert refused.status_code == 401
        assert refused.headers["www-authenticate"] == "Bearer"
    assert post(key, account="member-9@net").status_code == 403
    assert post(key, account="nobody").status_code == 403
    assert post(key, purpose="operator").status_code == 422
    assert post(key, account="a b@forum").status_code == 422
    while (last := post(key)).status_code == 201:
        pass
    assert last.status_code == 429
    assert last.headers["content-type"] == "application/problem+json"
