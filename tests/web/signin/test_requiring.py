"""What pages of other rooms rely on: roles, ways to sign in, forms of one's own."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.exceptions import HTTPException
from starlette.requests import Request

from sayso.web.signin import SignedIn, check_csrf, require, safe_next

TOKEN = "0123abcd"


def request(path: str, role: str = "", method: str = "GET", **headers: str) -> Request:
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": b"a=1&b=2",
        "headers": [(name.replace("_", "-").encode(), v.encode()) for name, v in headers.items()],
        "server": ("ai.example", 443),
        "scheme": "https",
    }
    made = Request(scope)
    if role:
        made.state.signed_in = SignedIn("captain", role, "", TOKEN, "s", True)
    return made


def refusal(call) -> HTTPException:
    with pytest.raises(HTTPException) as error:
        call()
    return error.value


def test_nobody_is_led_to_sign_in_and_back_but_programs_are_told():
    error = refusal(lambda: require(request("/operator/cases")))
    where = error.headers["Location"]
    assert (error.status_code, where) == (303, "/sign-in?next=/operator/cases%3Fa%3D1%26b%3D2")
    assert refusal(lambda: require(request("/operator", method="POST"))).headers == {
        "Location": "/sign-in"
    }
    assert refusal(lambda: require(request("/api/cases"))).status_code == 401


@pytest.mark.parametrize("path", ["/operator", "/api/cases"])
def test_the_role_must_be_one_of_those_asked_for(path):
    assert refusal(lambda: require(request(path, "member"), "operator")).status_code == 403
    assert refusal(lambda: require(request(path, "auditor"), "operator")).status_code == 403
    assert require(request(path, "auditor"), "operator", "auditor").role == "auditor"
    assert require(request(path, "member")).name == "captain"


def test_a_form_or_a_script_must_bring_the_sessions_token():
    for token in ("", TOKEN[:-1], TOKEN + "0", TOKEN.upper(), "é", "\udcff"):
        assert refusal(lambda t=token: check_csrf(request("/x", "member"), t)).status_code == 403
    assert check_csrf(request("/x", "member"), TOKEN)
    assert check_csrf(request("/x", "member", x_csrf_token=TOKEN))
    assert refusal(lambda: check_csrf(request("/api/x"), TOKEN)).status_code == 401


@given(st.text(alphabet="/\\.:@?#a \t\n\r%0é") | st.text())
def test_it_leads_back_to_this_site_or_nowhere(target):
    from urllib.parse import urljoin, urlsplit

    if kept := safe_next(target):
        # As browsers read it: '\\' is '/', tabs and line breaks are nothing.
        read = "".join(c for c in kept.replace("\\", "/") if c not in "\t\r\n")
        assert urlsplit(urljoin("https://ai.example/sign-in", read)).netloc == "ai.example"
        assert kept == target


def test_a_path_of_this_site_is_kept():
    for path in ("/", "/my-data?x=1#y", "/object/OBJ-20260131-1A2B3C4D", "/a//b", "/é"):
        assert safe_next(path) == path
