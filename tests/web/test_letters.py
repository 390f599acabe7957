"""Letters say what happens in their reader's language, and nothing that somebody else typed."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from sayso.rights import contacts, deadlines, objections, steps
from sayso.rights.database import Rights, now
from sayso.rights.outbox import Letter
from sayso.rights.post import Post
from sayso.settings import Mail, Serving, Settings
from sayso.web.languages import LANGUAGES
from sayso.web.telling import Telling
from sayso.workspace import Workspace
from tests.rights.receivers import Letterbox, letterbox
from tests.web.conftest import KnownAssistant, Running, add_account, serving

URL = "https://ai.example"
MEMBER = "member-1@mail.example"
ACCOUNT = "member-1@forum"
FORM = {"accounts": ACCOUNT, "confirmed": "true", "email": MEMBER, "own_words": "Buy at x.example"}


class Writing(Running):
    """A site whose letters arrive in a letterbox."""

    box: Letterbox

    def new_letters(self) -> list[str]:
        """Send what is due, and return each letter: its subject and its text."""
        self.box.letters.clear()
        post = Post(self.rights, Telling(self.rights))
        while post.send_due():
            pass
        return [f"{letter['Subject']}\n{letter.get_content()}" for letter in self.box.letters]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Writing]:
    with letterbox() as box:
        mail = Mail(
            host="127.0.0.1", port=box.port, security="none", sender="sayso@ai.example", url=URL
        )
        settings = Settings(community="Test harbour", serving=Serving(parallel=1), mail=mail)
        workspace = Workspace.create(tmp_path_factory.mktemp("letters") / "home", settings)
        assistant = KnownAssistant()
        with serving(workspace, assistant) as address:
            made = Writing(address, assistant, workspace)
            made.box = box
            add_account(made.rights, ACCOUNT, "p:1")
            with made.rights.writing() as connection:
                contacts.put(connection, made.rights, ACCOUNT, MEMBER)
            yield made


def test_the_link_of_a_letter_confirms_and_each_step_is_told(site: Writing) -> None:
    with site.browser(**{"accept-language": "de"}) as browser:
        browser.post("/object", data=FORM)
        made = objections.list_all(site.rights)[-1]
        (letter,) = site.new_letters()
        assert letter.startswith("Bitte bestätige deinen Widerspruch\n")
        assert all(part in letter for part in (made.number, "Test harbour"))
        assert not re.search(r"x\.example|@forum|p:1", letter)  # nothing that somebody typed
        (link,) = re.findall(rf"^{URL}(\S+)$", letter, re.MULTILINE)
        assert 'name="code"' in browser.get(link).text
        assert objections.find(site.rights, made.number).state == "pending"  # looking is harmless
        browser.post("/object/confirm", data={"code": link.partition("code=")[2]})
    bound = objections.find(site.rights, made.number)
    assert (bound.state, bound.confirmed_by) == ("confirmed", "e-mail")
    steps.removed(site.rights, bound.bound_seq)
    with site.rights.writing() as connection:
        deadlines.extend_in(connection, site.rights, made.number, 1, "Many at once.", "staff")
    steps.cleared(site.rights, bound.bound_seq, "sayso-0123456789ab", "ab" * 32, complete=False)
    # Of the second model without them people hear by the last letter alone.
    steps.cleared(site.rights, bound.bound_seq, "sayso-ba9876543210", "cd" * 32, complete=True)
    told = site.new_letters()
    assert [letter.partition("\n")[0] for letter in told] == [
        "Was wir von dir hatten, ist gelöscht",
        "Wir brauchen länger für deinen Widerspruch",
        "Ein Modell ohne dich ist im Einsatz",
        "Dein Widerspruch ist erledigt",
    ]
    assert "Many at once." in told[1]
    assert "\nsayso-0123456789ab" in told[2].replace(" ", "\n")
    assert "ab" * 32 in told[2]
    assert all(f"{URL}/object/{made.number}\n" in letter for letter in told)
    objections.withdraw(site.rights, made.number)
    assert [letter[:13] for letter in site.new_letters()] == ["Dein Widerspr"]


def test_an_address_that_somebody_typed_hears_of_it_once(site: Writing) -> None:
    with site.browser() as browser:
        browser.post("/object", data=FORM | {"email": "member-2@mail.example"})
    (letter,) = site.new_letters()
    assert letter.startswith("Please confirm your objection\n")
    made = next(o for o in objections.list_all(site.rights) if o.number in letter)
    with site.rights.writing() as connection:
        steps.note(connection, site.rights, made, "lapsed", now())
    assert site.new_letters() == []


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("about", ["own", "depicted"])
def test_every_letter_can_be_written(tmp_path: Path, language: str, about: str) -> None:
    settings = Settings(community="Ahoi & <Meer>", mail=Mail(url=f"{URL}/"))
    writer = Telling(Rights(Workspace.create(tmp_path / "home", settings)))
    states = [{"letter": "step", "state": state} for state in (*steps.ORDER, "withdrawn", "lapsed")]
    kinds = [*states, {"letter": "extended", "because": "a\nb"}, {"letter": "confirm", "code": "c"}]
    due = {"number": "OBJ-1", "due_at": "2026-12-25T09:30:00+00:00", "about": about}
    for kind in kinds:
        payload = {"language": language, **due, **kind}
        mail = writer.mail(Letter(1, "r", "mail", MEMBER, payload, now(), 0))
        assert mail.subject and "\n" not in mail.subject
        assert "Ahoi & <Meer>" in " ".join(mail.text.split())
        assert all(len(line) <= 72 for line in mail.text.splitlines() if URL not in line)
        assert f"\n{URL}/object/" in mail.text
        assert "%(" not in mail.text
    assert ("your" in mail.text) == (language == "en")
