"""What members ask for becomes a typed call, or nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sayso.assistant.abilities import (
    OFFERS,
    Analyse,
    Help,
    Imagine,
    Run,
    Summarise,
    Translate,
    from_command,
    from_function,
    functions,
    offered,
)
from sayso.assistant.wishes import from_wish


@pytest.mark.parametrize(
    ("words", "call"),
    [
        ("What did I miss?", Summarise("week")),
        ("what's new today", Summarise("today")),
        ("What happened yesterday?", Summarise("yesterday")),
        ("What are people talking about at the moment?", Summarise("week")),
        ("Was habe ich diesen Monat verpasst?", Summarise("month")),
        ("Was gibt es Neues über die Fähre?", Summarise("week", "Fähre")),
        ("Fass mir bitte die Woche zusammen", Summarise("week")),
        ("Translate into German: good morning", Translate("good morning", "German")),
        ("translate good morning to German", Translate("good morning", "German")),
        ("Übersetze „guten Morgen“ ins Englische", Translate("guten Morgen", "Englische")),
        ("Draw me a red boat", Imagine("a red boat")),
        ("Generate an image of a harbour.", Imagine("a harbour")),
        ("Zeichne ein Boot", Imagine("ein Boot")),
        ("male mir ein Bild von einem Hafen", Imagine("einem Hafen")),
        ("run this:\n```python\nprint(1)\n```", Run("print(1)")),
        ("Führe das aus:\n```\nprint(1)\n```", Run("print(1)")),
        ("Wie viele Beiträge gab es je Dienst?", Analyse("Wie viele Beiträge gab es je Dienst?")),
        ("posts per language", Analyse("posts per language")),
        ("Was kannst du alles?", Help()),
        ("Draw a conclusion from this", None),
        ("What is on this week?", None),
        ("When does the ferry leave?", None),
        ("Write a poem about the news", None),
        ("Explain:\n```python\nprint(1)\n```", None),
        ("I miss the old days. " * 20 + "What did I miss?", None),
        ("", None),
    ],
)
def test_plain_wishes(words, call):
    assert from_wish(words) == call


@pytest.mark.parametrize(
    ("words", "call"),
    [
        ("/summary", Summarise()),
        ("/summary today ferry times", Summarise("today", "ferry times")),
        ("/zusammenfassung letzten Monat", Summarise("month")),
        ("/summary https://square.example/1", Summarise(link="https://square.example/1")),
        ("/translate German: it is 5: time", Translate("it is 5: time", "German")),
        ("/übersetze See you at 5: bring the rope", Translate("See you at 5: bring the rope")),
        ("/sql select 1", Analyse("```sql\nselect 1\n```")),
        ("/auswerten Umsatz je Stadt", Analyse("Umsatz je Stadt")),
        ("/bild ein Boot", Imagine("ein Boot")),
        ("/RUN ```python\nprint('a')\n```", Run("print('a')")),
        ("/run print(1)\nprint(2)", Run("print(1)\nprint(2)")),
        ("/help", Help()),
        ("/unknown thing", None),
        ("and/or /help", None),
        ("/", None),
    ],
)
def test_commands(words, call):
    assert from_command(words) == call


def test_every_command_that_is_offered_is_understood():
    for language, name in (("en", "english"), ("de-AT", "german")):
        shown = offered(language)
        assert [entry["command"] for entry in shown] == [f"/{getattr(o, name)}" for o in OFFERS]
        for entry, offer in zip(shown, OFFERS, strict=True):
            assert isinstance(from_command(f"{entry['command']} a b"), offer.call)
            assert entry["about"]


def test_functions_are_described_and_taken_strictly():
    names = {function["function"]["name"] for function in functions()}
    assert names == {"summary", "translate", "analyse", "imagine", "run"}
    for function in functions():
        parameters = function["function"]["parameters"]
        assert function["function"]["description"]
        assert parameters["additionalProperties"] is False
        assert all(part["description"] for part in parameters["properties"].values())
    assert from_function("summary", '{"period": "today"}') == Summarise("today")
    assert from_function("summary", "") == Summarise()
    for name, arguments in (
        ("summary", '{"period": "century"}'),
        ("summary", '{"since": 1}'),
        ("run", "{}"),
        ("run", '{"code": 1}'),
        ("imagine", "no json"),
        ("object", "{}"),
    ):
        assert from_function(name, arguments) is None


@given(st.text(max_size=300))
def test_any_words_are_read_without_an_error(words):
    from_wish(words)
    from_command(words)
    from_command("/" + words)
