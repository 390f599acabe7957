"""What was purged shows its steps to everybody, and to its person what is left to decide."""

from datetime import timedelta

from sayso.rights import objections, retention, steps
from sayso.rights.database import now
from sayso.rights.objection import Objection
from tests.web.conftest import Running
from tests.web.signing import sign_in

LATER = timedelta(days=4 * 365)


def purged(site: Running) -> Objection:
    (made,) = objections.receive(site.rights, "member-1@forum", reason="My words are mine.")
    steps.cleared(site.rights, made.bound_seq, "sayso-0123456789ab", "ab" * 16, complete=True)
    assert retention.purge(site.rights, now() + LATER) == 1
    return made


def test_its_person_still_owns_it_and_strangers_do_not(site: Running) -> None:
    made = purged(site)
    page = f"/object/{made.number}"
    with site.browser() as stranger:
        shown = stranger.get(page)
        assert (shown.status_code, made.number in shown.text) == (200, True)
        for account in (
            "member-1@forum",
            "p:1",
            "",
            site.rights.workspace.pseudonyms.name("person", "p:1"),
        ):
            for form in ({"account": account}, {"account": account, "print": "true"}):
                assert stranger.post(f"{page}/receipt", data=form).status_code == 403
        assert 'action="/object/' not in shown.text  # there is no receipt to ask for
        sign_in(site, stranger, "other", person="p:2")
        assert f'href="{page}/withdraw"' not in stranger.get(page).text
    with site.browser() as member:
        csrf = sign_in(site, member, "member-1", person="p:1")
        shown = member.get(page)
        assert shown.status_code == 200
        assert f'href="{page}/withdraw"' in shown.text
        assert [member.get(f"{page}/receipt{more}").status_code for more in ("", "/print")] == [
            410
        ] * 2
        member.post(f"{page}/withdraw", data={"csrf": csrf})
    found = objections.find(site.rights, made.number)
    assert found is not None and found.withdrawn_at is not None


def test_who_types_a_pseudonym_gives_nobody_a_claim(site: Running) -> None:
    typed = site.rights.workspace.pseudonyms.name("person", "p:1")
    (made,) = objections.receive(site.rights, typed)
    with site.browser() as member:
        sign_in(site, member, "member-1", person="p:1")
        assert (
            f'href="/object/{made.number}/withdraw"'
            not in member.get(f"/object/{made.number}").text
        )
