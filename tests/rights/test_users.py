"""Users: passwords that are not kept, names that are not taken over, sessions that end."""

from datetime import timedelta

import pytest
from argon2 import PasswordHasher
from sqlalchemy import select, update

from sayso.errors import UsageError
from sayso.rights import accesses, ledger, passwords, sessions, users
from sayso.rights.database import now
from sayso.rights.tables import sessions as sessions_table
from sayso.rights.tables import users as table

PASSWORD = "several words that are long"
ISSUER = "https://id.example"


def begin(town, name: str) -> str:
    with town.rights.writing() as connection:
        return sessions.begin(connection, town.rights, name)


def stored(town, name: str) -> str:
    with town.rights.reading() as connection:
        query = select(table.c.password_hash).where(table.c.name == name)
        return connection.execute(query).scalar_one()


def admit(town, subject: str, account: str, role="member") -> users.User:
    with town.rights.writing() as connection:
        return users.admit(connection, ISSUER, subject, account, role)


def test_a_password_fits_itself_alone_and_is_not_kept(town):
    users.add(town.rights, "captain", "operator", PASSWORD)
    assert stored(town, "captain").startswith("$argon2id$v=19$")
    found = users.check(town.rights, "captain", PASSWORD)
    assert found is not None
    assert (found.name, found.role) == ("captain", "operator")
    for wrong in ("", PASSWORD + " ", PASSWORD.upper(), "x" * 100_000, "\udcff"):
        assert users.check(town.rights, "captain", wrong) is None
    assert users.check(town.rights, "Captain", PASSWORD) is None


def test_the_same_letters_are_the_same_password_however_they_are_encoded(town):
    users.add(town.rights, "captain", "operator", "Fährmann über Fluss")
    assert users.check(town.rights, "captain", "Fa\u0308hrmann u\u0308ber Fluss")


def test_a_check_is_made_whether_there_is_a_user_or_not(town, monkeypatch):
    users.add(town.rights, "captain", "operator", PASSWORD)
    admit(town, "s-1", "member-1@square")
    passwords.fits("warmed up", "")
    checked: list[str] = []
    verify = PasswordHasher.verify

    def counted(self, encoded, password):
        checked.append(encoded.partition("$m=")[2].partition("$")[0])
        return verify(self, encoded, password)

    monkeypatch.setattr(PasswordHasher, "verify", counted)
    for name in ("captain", "nobody", "member-1@square"):
        assert users.check(town.rights, name, "some other long password") is None
    # As much memory, as many rounds.
    assert len(checked) == 3
    assert len(set(checked)) == 1


def test_a_user_without_a_password_has_none_that_fits(town):
    admit(town, "s-1", "member-1@square")
    for password in ("", PASSWORD):
        assert users.check(town.rights, "member-1@square", password) is None


def test_an_older_hash_is_renewed_at_the_next_sign_in(town):
    users.add(town.rights, "captain", "operator", PASSWORD)
    older = PasswordHasher(time_cost=1, memory_cost=1024).hash(PASSWORD)
    with town.rights.writing() as connection:
        connection.execute(update(table).values(password_hash=older))
    assert users.check(town.rights, "captain", "wrong") is None
    assert stored(town, "captain") == older
    assert users.check(town.rights, "captain", PASSWORD)
    assert not passwords.is_outdated(stored(town, "captain"))
    assert users.check(town.rights, "captain", PASSWORD)


@pytest.mark.parametrize("name", ["", "a b", "member-1@square", "x" * 65, "a\n"])
def test_a_name_is_a_plain_word(town, name):
    with pytest.raises(UsageError):
        users.add(town.rights, name, "operator", PASSWORD)


def test_what_cannot_be_is_refused(town):
    users.add(town.rights, "captain", "operator", PASSWORD)
    for wrong in (
        lambda: users.add(town.rights, "captain", "auditor", PASSWORD),
        lambda: users.add(town.rights, "mate", "member", PASSWORD),
        lambda: users.add(town.rights, "mate", "operator", "short"),
        lambda: users.set_role(town.rights, "captain", "member"),
        lambda: users.disable(town.rights, "nobody"),
        lambda: users.remove(town.rights, "nobody"),
    ):
        with pytest.raises(UsageError):
            wrong()
    assert [user.name for user in users.list_all(town.rights)] == ["captain"]


def test_sessions_end_with_their_user_their_use_and_their_age(town, monkeypatch):
    users.add(town.rights, "captain", "operator", PASSWORD)
    token = begin(town, "captain")
    assert sessions.find(town.rights, token)
    assert sessions.find(town.rights, token[:-1]) is None
    users.disable(town.rights, "captain")
    users.enable(town.rights, "captain")
    assert sessions.find(town.rights, token) is None
    token, start = begin(town, "captain"), now()
    for hours, there in ((20, True), (40, True), (65, False)):
        moment = start + timedelta(hours=hours)
        monkeypatch.setattr(sessions, "now", lambda moment=moment: moment)
        found = sessions.find(town.rights, token)
        assert bool(found) is there
        if found:
            assert sessions.is_due(town.rights, found)
            sessions.prolong(town.rights, found)
    monkeypatch.setattr(sessions, "now", lambda: start)
    token = begin(town, "captain")
    for hours in range(0, 24 * 14, 12):
        moment = start + timedelta(hours=hours)
        monkeypatch.setattr(sessions, "now", lambda moment=moment: moment)
        found = sessions.find(town.rights, token)
        assert found
        sessions.prolong(town.rights, found)
    monkeypatch.setattr(sessions, "now", lambda: start + timedelta(days=14))
    assert sessions.find(town.rights, token) is None
    begin(town, "captain")  # which clears away what is over
    with town.rights.reading() as connection:
        assert len(connection.execute(select(sessions_table)).all()) == 1


def test_the_token_is_not_kept(town):
    users.add(town.rights, "captain", "operator", PASSWORD)
    token = begin(town, "captain")
    with town.rights.reading() as connection:
        (row,) = connection.execute(select(sessions_table)).all()
    assert token not in str(row)
    assert len(token) == 43


def test_the_person_is_whose_the_account_is_now(town):
    token_of = {}
    users.add(town.rights, "one", "member", PASSWORD, "member-1@square")
    users.add(town.rights, "two", "operator", PASSWORD)
    for name in ("one", "two"):
        token_of[name] = begin(town, name)

    def person(name: str) -> str:
        found = sessions.find(town.rights, token_of[name])
        assert found
        return found.person

    assert (person("one"), person("two")) == ("member-1@square", "")
    town.told("member-1@square", person="p:1")
    assert (person("one"), person("two")) == ("p:1", "")


def test_the_ledger_tells_what_was_done_and_names_nobody(town):
    users.add(town.rights, "captain", "operator", PASSWORD)
    users.set_role(town.rights, "captain", "auditor")
    with town.rights.writing() as connection:
        for about in ("OBJ-20260131-1A2B3C4D", "member-1@square", "MEMBER-1", "12345678"):
            accesses.note(connection, town.rights, "captain", "looked at", about)
    with town.rights.reading() as connection:
        entries = [e.body for e in ledger.read(connection) if e.kind == accesses.KIND]
    assert [entry["act"] for entry in entries[:2]] == ["added a user", "made a user auditor"]
    assert entries[2]["about"] == "OBJ-20260131-1A2B3C4D"
    assert not {"captain", "member-1@square", "MEMBER-1", "12345678"} & {
        value for entry in entries for value in entry.values()
    }
    assert entries[0]["about"] == entries[2]["actor"]
