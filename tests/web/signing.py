"""Signing in quickly: a user and a session as the real ones, without the slow password."""

import httpx2
from sqlalchemy import insert, select

from sayso.rights import sessions
from sayso.rights.database import now
from sayso.rights.tables import users
from sayso.web.signin.sessions import NAME
from tests.web.conftest import Running


def sign_in(
    site: Running, browser: httpx2.Client, name: str, role: str = "member", person: str = ""
) -> str:
    """Sign a browser in; returns what its forms bring along as `csrf`.

    The user is made if there is none of this name; for a browser of playwright see `token`.
    """
    made = token(site, name, role, person)
    keep(browser, made)
    session = sessions.find(site.rights, made)
    assert session is not None
    return sessions.csrf(site.rights, session)


def keep(browser: httpx2.Client, made: str) -> None:
    """Give a browser the token of a session, in place of another, as the server does."""
    browser.cookies.set(NAME, made, domain=browser.base_url.host)


def token(site: Running, name: str, role: str = "member", person: str = "") -> str:
    """Return the token of a new session, to be set as the cookie `sayso_session`."""
    with site.rights.writing() as connection:
        if connection.execute(select(users).where(users.c.name == name)).first() is None:
            user = {"name": name, "role": role, "person": person, "created_at": now()}
            connection.execute(insert(users).values(user))
        return sessions.begin(connection, site.rights, name)
