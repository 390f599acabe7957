"""Fixed sentences of the assistant, in English and German."""

from typing import Final

_PHRASES: Final = {
    "unknown": (
        "I do not know: no post here says so.",
        "Das weiß ich nicht: Kein Beitrag hier sagt etwas dazu.",
    ),
    "withheld": (
        "*The rest is withheld by this community's rules.*",
        "*Der Rest wird nach den Regeln dieser Community nicht gezeigt.*",
    ),
    "refused": (
        "This community's rules do not allow me to answer that.",
        "Die Regeln dieser Community erlauben mir nicht, das zu beantworten.",
    ),
    "nothing_posted": (
        "Nothing was posted {when}.",
        "{When} wurde nichts geschrieben.",
    ),
    "nothing_about": (
        "I found no post about “{topic}” {when}.",
        "{When} finde ich keinen Beitrag zu „{topic}“.",
    ),
    "posted": (
        "**{posts} {when}** by {people}:",
        "**{posts} {when}** von {people}:",
    ),
    "posts_1": ("One post", "Ein Beitrag"),
    "posts_n": ("{n} posts", "{n} Beiträge"),
    "newest_1": ("The newest post", "Der neueste Beitrag"),
    "newest_n": ("The newest {n} posts", "Die neuesten {n} Beiträge"),
    "people_1": ("one person", "einer Person"),
    "people_n": ("{n} people", "{n} Personen"),
    "today": ("today", "heute"),
    "yesterday": ("yesterday", "gestern"),
    "week": ("in the last seven days", "in den letzten sieben Tagen"),
    "month": ("in the last 30 days", "in den letzten 30 Tagen"),
    "thread": ("in this thread", "in diesem Thread"),
    "no_thread": (
        "I do not know this link, or may not read that post.",
        "Diesen Link kenne ich nicht, oder ich darf den Beitrag nicht lesen.",
    ),
    "no_pictures": (
        "I cannot draw here yet: no image model has been trained in this community.",
        "Zeichnen kann ich hier noch nicht: In dieser Community ist kein Bildmodell trainiert.",
    ),
    "say_what": (
        "Tell me more after the command. An example: `{example}`",
        "Schreib hinter den Befehl, worum es geht. Ein Beispiel: `{example}`",
    ),
    "no_code": (
        "I cannot run programs here: {reason}.",
        "Programme kann ich hier nicht ausführen: {reason}.",
    ),
    "small_translation": (
        "From the small model that is built in: it hardly knows any language but English.",
        "Vom kleinen eingebauten Modell: Es kann kaum eine Sprache außer Englisch.",
    ),
    "failed": ("That did not work: {problem}.", "Das ging nicht: {problem}."),
    "help": (
        "I answer questions from what members post here and name the posts; I help with writing "
        "and code. I can also:",
        "Ich antworte aus dem, was Mitglieder hier schreiben, und nenne die Beiträge; ich helfe "
        "beim Schreiben und beim Programmieren. Außerdem:",
    ),
    "help_end": (
        "I am a program and can be wrong. What members wrote I have learned from; whoever does not "
        "want that [objects in a minute](/object) and keeps me all the same.",
        "Ich bin ein Programm und kann mich irren. Aus dem, was Mitglieder schreiben, habe ich "
        "gelernt; wer das nicht will, [widerspricht in einer Minute](/object) und behält mich "
        "trotzdem.",
    ),
    "english": ("English", "Englisch"),
    "german": ("German", "Deutsch"),
}


def say(language: str, phrase: str, **values: object) -> str:
    """Return a sentence in German where `language` is German, else in English."""
    text = _PHRASES[phrase][language.startswith("de")]
    capital = {name.capitalize(): _capital(str(value)) for name, value in values.items()}
    return text.format(**capital | values)


def counted(language: str, phrase: str, number: int) -> str:
    """Return a number of things, as 'One post' or '12 posts'."""
    return say(language, f"{phrase}_{1 if number == 1 else 'n'}", n=number)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
