"""What every request passes: headers, the same-origin check, the body limit."""

import re
from pathlib import Path

import pytest
from starlette.datastructures import Headers

import sayso.web
from sayso.web.security import same_origin
from tests.web.conftest import Running

WEB = Path(sayso.web.__file__).parent


@pytest.mark.parametrize(
    "path", ["/", "/object", "/nothing", "/static/chat.js", "/v1/models", "/v1/x", "/healthz"]
)
def test_headers_on_everything(site: Running, path: str) -> None:
    with site.browser() as browser:
        headers = browser.get(path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert policy.endswith("frame-ancestors 'none'")
    assert headers["x-frame-options"] == "DENY"
    assert "strict-transport-security" not in headers
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"


def test_pages_need_nothing_that_the_policy_forbids_and_no_other_host() -> None:
    own = [file for file in WEB.glob("static/**/*.*") if "vendor" not in file.parts]
    for file in (*WEB.glob("templates/*.html"), *own):
        text = file.read_text("utf-8").replace('xmlns="http://www.w3.org/2000/svg"', "")
        assert not re.search(r"https?://", text), file
        scripts = r"<script(?![^>]* src=| type=\"application/json\")"
        assert not re.search(rf"<style|{scripts}|\sstyle=|\son\w+=", text), file
        assert "innerHTML" not in text, file


@pytest.mark.parametrize(
    ("headers", "ours"),
    [
        ({}, True),
        ({"sec-fetch-site": "same-origin"}, True),
        ({"sec-fetch-site": "none"}, True),
        ({"sec-fetch-site": "cross-site"}, False),
        ({"sec-fetch-site": "same-site"}, False),
        ({"origin": "http://here:8000"}, True),
        ({"origin": "https://here:8000"}, True),
        ({"origin": "http://here"}, False),
        ({"origin": "http://here:8000.evil.example"}, False),
        ({"origin": "http://evil.example"}, False),
        ({"origin": "null"}, False),
        ({"origin": ""}, False),
        ({"origin": "https://outside", "x-forwarded-host": "outside"}, True),
    ],
)
def test_same_origin(headers: dict[str, str], ours: bool) -> None:
    assert same_origin(Headers({"host": "here:8000"} | headers)) is ours


def test_other_sites_cannot_post(site: Running) -> None:
    form = {"accounts": "member-1@forum", "confirmed": "true"}
    with site.browser(origin="https://evil.example") as browser:
        page = browser.post("/object?lang=de", data=form)
        api = browser.post("/api/objections", json={"account": "member-1@forum"})
        chat = browser.post("/v1/chat/completions", json={})
    assert (page.status_code, api.status_code, chat.status_code) == (403, 403, 403)
    assert "von einer anderen Website" in page.text
    assert api.json()["title"] == "Forbidden"
    assert set(chat.json()["error"]) == {"message", "type", "param", "code"}
    with site.browser(origin=site.address) as browser:
        assert browser.post("/object", data=form).status_code == 200


@pytest.mark.parametrize("announced", [True, False])
def test_long_bodies_are_refused(site: Running, announced: bool) -> None:
    words = b"own_words=" + b"x" * (300 * 1024)
    content = words if announced else iter([words])
    with site.browser() as browser:
        response = browser.post(
            "/object",
            content=content,
            headers={"content-type": "application/x-www-form-urlencoded", "accept-language": "de"},
        )
    assert response.status_code == 413
    assert "Das war zu lang" in response.text
