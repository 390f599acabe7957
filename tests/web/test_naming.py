"""What people type to name an account."""

from pathlib import Path

import pytest

from sayso.content.events import AccountUpdate
from sayso.rights import people
from sayso.rights.database import Rights
from sayso.settings import Settings
from sayso.web import naming
from sayso.workspace import Workspace


def test_names_stand_one_a_line_or_between_commas() -> None:
    text = " member-1@forum, member-2@net;member-1@forum\r\n\n https://social.example/@member-3 ,"
    assert naming.listed(text) == (
        "member-1@forum",
        "member-2@net",
        "https://social.example/@member-3",
    )
    assert naming.listed(" \n ,") == ()


@pytest.mark.parametrize(
    ("typed", "plain"),
    [
        ("member-1@forum", "member-1@forum"),
        (" @member-1@Social.Example ", "member-1@social.example"),
        ("acct:member-1@social.example", "member-1@social.example"),
        ("https://social.example/@member-1", "member-1@social.example"),
        ("https://social.example/users/member-1/", "member-1@social.example"),
        ("social.example/@member-1/1234", "member-1@social.example"),
        ("https://www.reddit.com/user/member-1?x=1#y", "member-1@reddit.com"),
        ("https://bsky.app/profile/did:plc:abc", "did:plc:abc"),
        ("https://bsky.app/profile/member-1.example", "member-1.example"),
        ("https://one.example/@member-1@two.example", "member-1@two.example"),
        ("@member-1", "member-1"),
        ("p:1", "p:1"),
        ("http://[", "http://["),
        ("@", "@"),
    ],
)
def test_an_account_is_called_the_same_however_it_is_typed(typed: str, plain: str) -> None:
    assert naming.plain(typed) == plain


def test_what_is_typed_finds_the_account_that_is_known(tmp_path: Path) -> None:
    workspace = Workspace.create(tmp_path, Settings())
    rights = Rights(workspace)
    known = [
        AccountUpdate("member-1@forum", service="forum", person="p:1"),
        AccountUpdate("acct:member-2@social.example", service="mastodon"),
        AccountUpdate("acct:member-3@reddit.com", service="reddit"),
        AccountUpdate("did:plc:abc", service="bluesky", handle="member-4.example"),
    ]
    with rights.writing() as connection:
        for change in known:
            people.apply(connection, workspace.pseudonyms, change)
    expected = {
        "@member-1@forum": "member-1@forum",
        "p:1": "p:1",
        "https://social.example/@Member-2": "acct:member-2@social.example",
        "member-2@mastodon": "acct:member-2@social.example",
        "member-3@reddit": "acct:member-3@reddit.com",
        "member-3@net": "member-3@net",
        "https://bsky.app/profile/member-4.example": "did:plc:abc",
        # Not known yet: as they will be called when they come.
        "@member-9@social.example": "acct:member-9@social.example",
        "member-9@forum": "member-9@forum",
    }
    with rights.reading() as connection:
        assert {typed: naming.resolve(connection, typed) for typed in expected} == expected
