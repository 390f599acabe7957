"""Attempts to object for somebody else, to learn of others, and to flood; each must fail."""

import json
from concurrent.futures import ThreadPoolExecutor

import httpx2
import pytest
from sqlalchemy import insert

from sayso.rights import ledger, objections, receipts, sessions, staff, suppressions, users
from sayso.rights.objection import Objection
from sayso.rights.sessions import Role
from sayso.rights.tables import accounts
from sayso.settings import Oidc
from sayso.web.signin.oidc import vouched
from sayso.web.signin.trying import Tries
from tests.web.conftest import Running, add_account
from tests.web.signing import sign_in

VICTIM = "member-1@forum"


def of(site: Running, person: str = "p:1") -> list[Objection]:
    return objections.of_person(site.rights, person)


def claim(browser: httpx2.Client, account: str, **said: object) -> httpx2.Response:
    return browser.post("/api/objections", json={"account": account} | said)


def test_a_name_with_an_at_before_it_is_another_members(site: Running) -> None:
    """People write @name for name; whoever is vouched for is called exactly as they are."""
    with site.service("forum", "forum") as service:
        assert claim(service, f"@{VICTIM}").status_code == 201
        wanted = {"account": f"@{VICTIM}", "purpose": "object"}
        path = service.post("/api/tickets", json=wanted).json()["url"]
    with site.browser() as browser:
        form = browser.get(path).text.partition('name="form" value="')[2].partition('"')[0]
        assert browser.post("/embed/object", data={"form": form}).status_code == 200
        csrf = sign_in(site, browser, f"@{VICTIM}", person=f"@{VICTIM}")
        assert browser.post("/settings/privacy/ai", data={"csrf": csrf}).status_code == 200
    assert of(site) == []
    assert [o.state for o in of(site, f"@{VICTIM}")] == ["confirmed"] * 3


def test_who_is_called_like_a_person_who_comes_later_does_not_become_them(site: Running) -> None:
    with site.rights.writing() as connection:
        users.admit(connection, "https://id.example", "7", "p:9", "member")
        token = sessions.begin(connection, site.rights, "p:9")
    assert sessions.find(site.rights, token).person == "p:9"  # nobody else's
    add_account(site.rights, "member-9@forum", "p:9")
    assert sessions.find(site.rights, token).person == ""


def test_a_name_that_its_bearer_gave_up_is_nobodys_until_the_operator_says_so(
    site: Running,
) -> None:
    def admit(subject: str, account: str) -> users.User:
        with site.rights.writing() as connection:
            return users.admit(connection, "https://id.example", subject, account, "member")

    admit("1", VICTIM)
    admit("1", "member-7@forum")
    for _ in range(2):
        with pytest.raises(users.NotAdmittedError):
            admit("2", VICTIM)
    admit("1", VICTIM)  # back again
    admit("1", "member-8@forum")
    users.remove(site.rights, VICTIM)
    assert admit("2", VICTIM).name == VICTIM


def test_a_ticket_never_leads_to_the_staffs_pages(site: Running) -> None:
    def admit(role: Role) -> None:
        with site.rights.writing() as connection:
            users.admit(connection, "https://id.example", "1", VICTIM, role)

    def arrive() -> str:
        with site.rights.writing() as connection:
            users.vouched(connection, "forum", VICTIM)
            return sessions.begin(connection, site.rights, VICTIM)

    by_ticket = arrive()
    admit("operator")  # who came by a ticket before may sign in by their service
    assert sessions.find(site.rights, by_ticket) is None
    with pytest.raises(users.NotAdmittedError):
        arrive()
    admit("member")
    by_ticket = arrive()
    assert sessions.find(site.rights, by_ticket) is not None
    admit("operator")
    assert sessions.find(site.rights, by_ticket) is None


def test_using_up_the_claims_for_a_name_like_it_keeps_nobody_from_claiming(site: Running) -> None:
    with site.browser() as browser:
        for _ in range(12):
            claim(browser, VICTIM.upper().replace("FORUM", "forum"))
            claim(browser, VICTIM, services=["net"])
        answer = claim(browser, VICTIM)
        assert answer.status_code == 201, answer.text
    (whole,) = [o for o in of(site) if o.service == "*"]
    assert whole.state == "pending"


def test_one_claim_names_only_so_many_accounts_and_services(site: Running) -> None:
    for number in range(40):
        add_account(site.rights, f"x@service-{number}", f"x@service-{number}")
    everywhere = [f"service-{number}" for number in range(40)]
    names = ", ".join(f"member-{number}@forum" for number in range(20))
    said = {"accounts": names, "scope": "some", "services": everywhere, "confirmed": "true"}
    with site.browser() as browser:
        assert browser.post("/object", data=said).status_code == 422
        # Those are all of them, so it says the same.
        answer = claim(browser, VICTIM, services=["*", *everywhere])
        assert [each["service"] for each in answer.json()["objections"]] == ["*"]


def test_whose_an_objection_is_cannot_be_found_by_trying_names(site: Running) -> None:
    with site.browser() as mine, site.browser() as stranger:
        number = claim(mine, VICTIM).json()["number"]
        path = f"/object/{number}/receipt"
        tried = [stranger.post(path, data={"account": f"member-{n}@forum"}) for n in range(50, 90)]
        assert tried[0].status_code == 403
        assert tried[-1].status_code == 429
        assert stranger.post(path, data={"account": VICTIM}).status_code == 429


def test_a_handle_that_anybody_may_choose_does_not_stand_for_another(site: Running) -> None:
    handle, did = "member.harbour.example", "did:plc:member"
    with site.rights.writing() as connection:
        for number, account in enumerate(("acct:m@elsewhere.example", did)):
            row = {"account": account, "key": number, "service": "net", "person": account}
            connection.execute(insert(accounts).values(row | {"handle": handle}))
    with site.browser() as browser:
        claim(browser, handle)
    assert [o.person for o in of(site, did)] == [did]


def test_what_the_staff_look_up_is_not_in_the_ledger(site: Running) -> None:
    name = "0123456789abcdef"  # as some services number their accounts
    suppressions.add(site.rights, name, actor="captain")
    staff.looked(site.rights, "captain", "asked whether somebody stays out", name)
    suppressions.remove(site.rights, name, actor="captain")
    with site.rights.reading() as connection:
        told = [json.dumps(entry.body) for entry in ledger.read(connection)]
    assert told
    assert name not in "".join(told)


def from_elsewhere(site: Running, host: str) -> httpx2.Client:
    """A client at another address of this machine."""
    transport = httpx2.HTTPTransport(local_address=host)
    return httpx2.Client(base_url=site.address, transport=transport, timeout=20)


def test_one_address_keeps_nobody_from_signing_in(site: Running) -> None:
    limits = site.workspace.settings.sign_in
    tries = Tries(site.rights)
    for _ in range(10 * limits.per_address):
        tries.wait("captain", "somewhere")
    assert tries.wait("captain", "somewhere")
    assert not tries.wait("captain", "elsewhere")
    # However many addresses try, it ends.
    assert [tries.wait("captain", str(n)) > 0 for n in range(200)].count(False) < 100


def test_who_waits_for_a_training_does_not_stop_the_pages(site: Running) -> None:
    form = {"links": "https://forum.example/t/1", "confirmed": "true"}

    def object_from(host: str) -> int:
        with from_elsewhere(site, host) as browser:
            return browser.post("/object/depicted", data=form).status_code

    with ThreadPoolExecutor(48) as pool, site.browser() as browser:
        with site.workspace.lock("content", wait=True):
            sent = [pool.submit(object_from, f"127.0.0.{2 + n % 3}") for n in range(48)]
            assert {browser.get("/healthz").status_code for _ in range(100)} == {200}
        assert {each.result() for each in sent} == {303}


def test_a_receipt_says_whether_anybody_showed_whose_it_is(site: Running) -> None:
    key = site.workspace.keys / "receipts.pub.jwk"
    with site.browser() as anybody, site.service() as service:
        for browser, by in ((anybody, ""), (service, "service")):
            said = receipts.verify(claim(browser, VICTIM).json()["receipt"], key)
            assert said["confirmed_by"] == by


def test_an_address_of_a_service_is_the_one_that_people_type() -> None:
    settings = Oidc(account="{claim}@forum", role_claim="groups", operators=("staff",))
    told = {"sub": "1", "preferred_username": "member-1", "email_verified": True}
    told |= {"groups": [{"name": "staff"}]}
    # The first letter is a Kelvin sign, which is a k to who writes it in small letters.
    for email, wanted in (
        ("\u212aate@mail.example", ""),
        ("kate@b\u00fccher.example", "kate@xn--bcher-kva.example"),
    ):
        found = vouched(settings, told | {"email": email})
        assert (found.email, found.role) == (wanted, "member")
