"""A member's settings: where their accounts stand, and objecting, signed in."""

import pytest

from sayso.rights import objections
from sayso.rights.objection import SUGGESTED_REASONS
from tests.web.conftest import Running
from tests.web.signing import sign_in

AI = "/settings/privacy/ai"


def test_settings_are_for_who_is_signed_in(site: Running) -> None:
    with site.browser() as browser:
        for path in ("/settings", "/settings/privacy", AI):
            asked = browser.get(path, follow_redirects=False)
            assert asked.headers["location"] == f"/sign-in?next={path}"
        assert browser.post(AI, follow_redirects=False).headers["location"] == "/sign-in"
        assert browser.post(f"{AI}/gpc", follow_redirects=False).status_code == 303
        staff = sign_in(site, browser, "captain", role="operator")
        assert "has no posts of their own" not in browser.get("/settings").text
        assert "has no posts of their own" in browser.get(AI).text
        assert browser.post(AI, data={"csrf": staff}).status_code == 403
    assert objections.list_all(site.rights) == []


def test_a_member_objects_for_all_services_and_it_is_in_effect(site: Running) -> None:
    with site.browser() as browser:
        token = sign_in(site, browser, "one", person="p:1")
        assert "you need to type nothing" in browser.get("/object?lang=en").text
        before = browser.get(f"{AI}?lang=de").text
        assert before.count("darf genutzt werden") == 2
        assert "Dein Browser bittet schon darum" in before.partition('id="gpc"')[2]
        assert "hidden" in before.partition('id="gpc"')[2].partition(">")[0]
        form = {"csrf": token, "reason": "3", "own_words": "Danke."}
        page = browser.post(f"{AI}?lang=de", data=form)
        (made,) = objections.list_all(site.rights)
        assert (made.person, made.service, made.state) == ("p:1", "*", "confirmed")
        assert (made.confirmed_by, made.channel) == ("member", "settings")
        assert made.reason == f"{SUGGESTED_REASONS['de'][3]} Danke."
        assert str(page.url).endswith(f"/object/{made.number}")
        assert "p:1" not in page.text  # an id that the member may never have seen
        assert 'href="/my-data">' in page.text.partition('id="receipt"')[2]
        assert made.receipt == browser.get(f"/object/{made.number}/receipt").text.strip()
        after = browser.get(f"{AI}?lang=en").text
        assert after.count("kept out since") == 2
        assert "You have objected for all services" in after
        assert f"/object/{made.number}/withdraw" in after
        # Whoever objects goes on asking the assistant, on the page and by its interface.
        assert "leaves at" in browser.post("/", data={"question": "When?"}).text
        asked = {"model": "sayso", "messages": [{"role": "user", "content": "When?"}]}
        answer = browser.post("/v1/chat/completions", json=asked).json()
        assert "leaves at" in answer["choices"][0]["message"]["content"]
        browser.post(f"/object/{made.number}/withdraw", data={"csrf": token})
        assert browser.get(AI).text.count("may be used") == 2


def test_single_services_stand_each_for_itself(site: Running) -> None:
    with site.browser() as browser:
        token = sign_in(site, browser, "one", person="p:1")
        some = {"csrf": token, "scope": "some", "services": ["net"]}
        browser.post(AI, data=some)
        page = browser.get(AI).text
        assert (page.count("kept out since"), page.count("may be used")) == (1, 1)
        assert 'value="forum"' in page
        assert 'value="net"' not in page
        for change, complaint in (
            ({"services": []}, "Please choose at least one service."),
            ({"services": ["nowhere"]}, "Please choose among the services shown."),
            ({"own_words": "x" * 2001}, "Please use at most"),
        ):
            refused = browser.post(AI, data=some | change)
            assert refused.status_code == 422
            assert complaint in refused.text
    assert [o.service for o in objections.list_all(site.rights)] == ["net"]


@pytest.mark.parametrize("header", [{"Sec-GPC": "1"}, {}])
def test_what_the_browser_asks_for_becomes_an_objection_by_one_click(
    site: Running, header: dict[str, str]
) -> None:
    with site.browser(**header) as browser:
        token = sign_in(site, browser, "one", person="p:1")
        offer = browser.get(AI).text.partition('id="gpc"')[2].partition(">")[0]
        assert ("hidden" in offer) == (not header)
        assert objections.list_all(site.rights) == []  # asking is not yet objecting
        browser.post(f"{AI}/gpc", data={"csrf": token})
    (made,) = objections.list_all(site.rights)
    assert (made.service, made.confirmed_by) == ("*", "member")
    assert "Global Privacy Control" in made.evidence
    assert ('"read":"Sec-GPC"' in made.evidence) == bool(header)


def test_nobody_objects_in_anothers_session(site: Running) -> None:
    with site.browser() as one, site.browser() as two:
        sign_in(site, one, "one", person="p:1")
        token = sign_in(site, two, "two", person="p:2")
        for path in (AI, f"{AI}/gpc"):
            assert one.post(path, data={"csrf": token}).status_code == 403
            assert one.post(path).status_code == 403
    assert objections.list_all(site.rights) == []
