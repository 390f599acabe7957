"""Chat without scripts, transparency, errors, and what the operator watches."""

import re

import httpx2

from sayso import __version__
from sayso.assistant.engine import NotLoadedError
from sayso.gate.rules import BY_NAME
from sayso.web.app import create_app
from tests.web.conftest import RELEASE, KnownAssistant, Running, gate_entry, release_entry


def test_chat_answers_without_scripts(site: Running) -> None:
    site.assistant.pieces = ["<b>bold</b> & ", "plain"]
    with site.browser() as browser:
        page = browser.post("/?lang=de", data={"question": " Wann fährt die <Fähre>? "})
    assert page.status_code == 200
    assert "Wann fährt die &lt;Fähre&gt;?" in page.text
    assert "&lt;b&gt;bold&lt;/b&gt; &amp; plain" in page.text
    assert "@member-1" in page.text
    assert "Zum Beitrag</a>" not in page.text
    assert '<blockquote lang="de" dir="auto">Die Fähre fährt auch sonntags.' in page.text
    assert site.assistant.asked == [[{"role": "user", "content": "Wann fährt die <Fähre>?"}]]
    assert site.assistant.closed.is_set()
    site.assistant.pieces = ["> The ferry & we\n", ">\n> @member-1"]
    with site.browser() as browser:
        page = browser.post("/", data={"question": "x"})
    assert ">The ferry &amp; we\n\n@member-1</blockquote>" in page.text


def test_pictures_and_charts_need_no_scripts(site: Running) -> None:
    picture = "data:image/png;base64,iVBORw0KGgo="
    rows = '{"data":{"values":[{"day":"<b>","rides":1},{"rides":2}]},"mark":"bar"}'
    site.assistant.pieces = [
        f"A ![green <one>]({picture}) B\n\n```vega-lite\n{rows}\n```\n\n",
        "![far](https://evil.example/x.png) ```vega-lite\nno\n",
    ]
    with site.browser() as browser:
        page = browser.post("/", data={"question": "/analyse"}).text
    assert page.count("<img") == 2  # with the page's own mark
    assert f'<img src="{picture}" alt="green &lt;one&gt;">' in page
    assert "<td>&lt;b&gt;</td><td>1</td></tr><tr><td></td><td>2</td>" in page
    assert "![far](https://evil.example/x.png) ```vega-lite\nno" in page


def test_chat_without_a_question_shows_the_beginning(site: Running) -> None:
    with site.browser() as browser:
        first, empty = browser.get("/"), browser.post("/", data={"question": "  "})
    assert "Ask Test harbour" in first.text
    assert first.text.count('<button name="question"') == 3
    assert empty.text == first.text
    assert not site.assistant.asked


def test_chat_says_so_when_there_is_no_model(site: Running) -> None:
    site.assistant.error = NotLoadedError("no release is being served", "run `sayso train`")
    with site.browser() as browser:
        page = browser.post("/", data={"question": "x"})
    assert page.status_code == 503
    assert "The service is not ready" in page.text
    site.assistant.error = RuntimeError("member-1's words")
    with site.browser() as browser:
        page = browser.post("/?lang=de", data={"question": "x"})
    assert page.status_code == 500
    assert "Etwas ist schiefgegangen" in page.text
    assert "member-1" not in page.text


def test_transparency_before_anything_happened(site: Running) -> None:
    with site.browser() as browser:
        page = browser.get("/transparency").text
    assert "The gate has not run yet." in page
    assert "No model has been released yet." in page
    assert "<b>0</b> objections" in page
    assert "It has 0 entries." in page
    assert "posts that were not made for everybody" in page


def test_transparency_shows_the_ledger(site: Running) -> None:
    site.note("gate", gate_entry(1, {"minor": 1}, {"waiting": 1}))
    site.note("gate", gate_entry(1200, {"objection": 10, "minor": 20}, {"waiting": 4}))
    with site.service() as service:
        number = service.post("/api/objections", json={"account": "member-1@forum"}).json()
    numbers = [number["number"]]
    site.note("release", release_entry("r-1", "interim", 3, numbers))
    site.note("release", release_entry("r-2", "full", 3))
    with site.browser() as browser:
        page = browser.get("/transparency?lang=de").text
    cells = re.findall(r'<td class="amount">([^<]*)</td>', page)
    assert cells == ["1.200", "30", "4"]
    assert "hat das Tor über 1.234 Einträge entschieden, nach der Richtlinie „strict“" in page
    assert "<b>1</b> Widerspruch" in page
    assert "<b>2</b> Modelle veröffentlicht" in page
    assert re.search(r"<b>0(,\d)? Sekunden</b> von einem Widerspruch", page)
    assert page.index("r-2") < page.index("r-1")
    assert "Es hat 5 Einträge." in page
    assert re.search(r'<code class="seal">[0-9a-f]{64}</code>', page)
    assert page.index("der Autor ist minderjährig: 20") < page.index("widersprochen: 10")
    assert "die Wartezeit läuft noch: 4" in page
    assert "member-1" not in page
    assert "p:1" not in page


def test_every_rule_of_the_gate_has_words(site: Running) -> None:
    rules = [*BY_NAME, "deleted"]
    site.note("gate", gate_entry(1, dict.fromkeys(rules, 1), {}))
    with site.browser() as browser:
        page = browser.get("/transparency").text
    assert not re.findall(rf"<li>({'|'.join(rules)}): 1</li>", page.replace("<li>deleted", ""))
    assert page.count(": 1</li>") == len(rules)


def test_private_posts_are_only_promised_out_where_the_policy_keeps_them_out(site: Running) -> None:
    settings = site.workspace.settings_file
    settings.write_text(settings.read_text().replace('policy = "strict"', 'policy = "article"'))
    workspace = type(site.workspace).open(site.workspace.home)
    app = create_app(workspace, KnownAssistant())
    policy = app.state.site.policy
    assert policy.name == "article"
    transport = httpx2.ASGITransport(app=app)

    async def get() -> str:
        async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
            return (await client.get("/transparency")).text

    import anyio

    page = anyio.run(get)
    assert "posts that were not made for everybody" not in page
    assert "posts of which it is not known who could see them" in page


def test_unknown_address_has_a_page(site: Running) -> None:
    with site.browser(**{"Accept-Language": "de"}) as browser:
        page = browser.get("/nothing/here")
        wrong_method = browser.put("/object")
    assert page.status_code == 404
    assert "Unter dieser Adresse gibt es nichts" in page.text
    assert wrong_method.status_code == 405
    assert wrong_method.headers["allow"]


def test_health_and_metrics(site: Running) -> None:
    with site.browser() as browser:
        assert browser.get("/healthz").json() == {"ok": True, "release": RELEASE}
        browser.post("/", data={"question": "x"})
        site.assistant.error = NotLoadedError("no release", "")
        browser.post("/", data={"question": "x"})
        with site.service() as service:
            service.post("/api/objections", json={"account": "member-1@forum"})
        site.note("release", release_entry("r", "full", 1))
        response = browser.get("/metrics")
    assert response.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    lines = response.text.splitlines()
    assert "sayso_releases_total 1" in lines
    assert "sayso_objections_total 1" in lines
    assert "sayso_objections_standing 1" in lines
    assert 'sayso_answers_total{outcome="done"} 1' in lines
    assert 'sayso_answers_total{outcome="failed"} 1' in lines
    assert "sayso_answer_tokens_total 3" in lines
    assert 'sayso_messages{kind="mail",state="given_up"} 0' in lines
    assert 'sayso_message_failures_total{kind="webhook"} 0' in lines
    assert any(line.startswith("sayso_objection_seconds_median 0.") for line in lines)
    assert "member-" not in response.text
    for line in lines:
        assert re.fullmatch(r'# (HELP|TYPE) \w+ .+|\w+(\{(,?\w+="\w+")+\})? [0-9.e+-]+', line)


def test_the_interface_is_described(site: Running) -> None:
    with site.browser() as browser:
        description = browser.get("/openapi.json").json()
    assert description["info"]["version"] == __version__
    post = description["paths"]["/api/objections"]["post"]
    assert post["summary"] == "Object to AI training"
    for name in ("NewObjection", "AcceptedAll", "Status", "Step"):
        properties = description["components"]["schemas"][name]["properties"]
        assert all("description" in field for field in properties.values()), name
