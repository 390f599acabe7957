"""Words that questions about tables are made of, German and English, in one spelling."""

import re
import unicodedata
from collections.abc import Iterable
from typing import Final

from msgspec import Struct

_TOKEN: Final = re.compile(
    r'"(?P<a>[^"]*)"|„(?P<b>[^„“”"]*)[“”"]|“(?P<c>[^“”"]*)[”"]|»(?P<d>[^»«]*)«|\'(?P<e>[^\']+)\''
    r"|(?P<day>\d{4}-\d\d-\d\d|\d{1,2}\.\d{1,2}\.\d{4})(?!\d)"
    r"|(?P<number>(?<![\w.])[-+]?\d(?:[\d.,]*\d)?(?![^\W\d]))"
    r"|(?P<sign>[<>!=]=|[<>=&,])|(?P<word>\w+)"
)


_ENDINGS: Final = ("e", "er", "es", "en", "em")


class Token(Struct, frozen=True):
    """A word, number, day, sign or quotation of a question; `key` is its one spelling."""

    text: str
    key: str
    kind: str


def fold(text: str) -> str:
    """Return a text in one spelling: no case, no accents, ä, ae and a alike."""
    plain = unicodedata.normalize("NFKD", text.casefold().replace("ß", "ss"))
    plain = "".join(letter for letter in plain if not unicodedata.combining(letter))
    return plain.replace("ae", "a").replace("oe", "o").replace("ue", "u")


def stem(key: str) -> str:
    """Return a folded word without the endings of plurals and cases."""
    if key.endswith("ies") and len(key) > 4:
        return key[:-3] + "y"
    for ending in ("innen", "ern", "en", "er", "es", "e", "n", "s"):
        if key.endswith(ending) and len(key) - len(ending) >= 3:
            return key[: -len(ending)]
    return key


def tokens(text: str) -> list[Token]:
    """Cut a text into tokens; all else in it means nothing."""
    found = []
    for match in _TOKEN.finditer(text):
        kind = match.lastgroup or ""
        inner = match.group(kind)
        found.append(Token(inner, fold(inner), "quoted" if len(kind) == 1 else kind))
    return found


def parts(name: str) -> list[str]:
    """Return the folded words that a column's name is made of."""
    spaced = re.sub(r"(?<=[a-zäöüß])(?=[A-ZÄÖÜ])", " ", name)
    return [fold(word) for word in re.findall(r"[^\W_]+", spaced)]


def _set(words: str) -> frozenset[str]:
    return frozenset(fold(word) for word in words.split())


def _inflected(words: str) -> frozenset[str]:
    """German adjectives in all their forms: 'höchst' for höchste, höchster, höchsten …"""
    return frozenset(fold(word + end) for word in words.split() for end in ("", *_ENDINGS))


def _stems(words: str) -> frozenset[str]:
    return frozenset(stem(fold(word)) for word in words.split())


# Words for the same thing; a word may be in several groups.
SYNONYMS: Final = tuple(
    _stems(group)
    for group in (
        "umsatz revenue sales einnahmen erlös turnover verkaufserlös",
        "preis price stückpreis",
        "kosten cost costs expenses ausgaben",
        "gewinn profit ertrag",
        "betrag amount summe wert value",
        "menge quantity qty stückzahl stück units anzahl",
        "stadt city ort town",
        "land country staat",
        "datum date tag day",
        "kunde customer client käufer",
        "produkt product artikel item ware",
        "kategorie category",
        "geschlecht gender sex",
        "alter age",
        "dienst service plattform platform netzwerk network",
        "sprache language",
        "beitrag post posts beiträge nachricht posting postings",
        "art kind type typ surface",
        "abteilung department",
        "gehalt salary lohn wage",
        "note grade",
        "gewicht weight",
        "größe size",
        "bewertung rating",
        "punkte points score",
        "mitarbeiter employee angestellte",
        "filiale store branch laden shop",
        "bestellung order auftrag",
        "widerspruch objection einspruch",
        "kanal channel",
        "jahr year",
        "monat month",
        "woche week",
        "einwohner population inhabitants bevölkerung",
    )
)

# Languages by their codes (ISO 639-1), which nobody asks by.
LANGUAGES: Final = {
    code: tuple(fold(word) for word in words.split())
    for code, words in {
        "ar": "arabisch arabic",
        "da": "dänisch danish",
        "de": "deutsch deutscher german",
        "en": "englisch englischer english",
        "es": "spanisch spanish",
        "fi": "finnisch finnish",
        "fr": "französisch french",
        "it": "italienisch italian",
        "ja": "japanisch japanese",
        "nl": "niederländisch dutch",
        "pl": "polnisch polish",
        "pt": "portugiesisch portuguese",
        "ru": "russisch russian",
        "sv": "schwedisch swedish",
        "tr": "türkisch turkish",
        "uk": "ukrainisch ukrainian",
        "zh": "chinesisch chinese",
    }.items()
}

# What adds up: of these "the highest" is that of a sum, of others that of one row.
ADDITIVE: Final = _stems(
    "umsatz revenue sales einnahmen erlös turnover kosten cost expenses ausgaben gewinn profit "
    "menge quantity qty anzahl population einwohner inhabitants bevölkerung "
    "units betrag amount posts beiträge count stück total"
)

OPERATIONS: Final = {
    word: name
    for name, words in {
        "count": "count anzahl number zahl",
        "sum": "sum summe total totals insgesamt zusammen overall altogether",
        "mean": "average avg mean durchschnitt mittelwert schnitt",
        "median": "median zentralwert",
        "min": "min minimum lowest smallest earliest",
        "max": "max maximum highest largest biggest greatest latest newest",
        "share": "share percentage percent proportion fraction anteil anteile prozent prozentsatz",
        "different": "different distinct unique",
    }.items()
    for word in _set(words)
} | {
    word: name
    for name, words in {
        "sum": "gesamt",
        "mean": "durchschnittlich mittler",
        "min": "minimal kleinst niedrigst geringst frühest",
        "max": "maximal höchst größt spätest neuest",
        "share": "prozentual",
        "different": "verschieden unterschiedlich",
    }.items()
    for word in _inflected(words)
}
# German puts some of these before the noun, in one word.
PREFIXES: Final = {
    fold(prefix): fold(word)
    for prefix, word in {
        "gesamt": "summe",
        "durchschnitts": "durchschnitt",
        "höchst": "höchste",
        "maximal": "maximum",
        "minimal": "minimum",
        "mindest": "minimum",
    }.items()
}
MOST: Final = _set("most highest largest biggest greatest best frequent common") | _inflected(
    "meist höchst größt best häufigst stärkst teuerst"
)
LEAST: Final = _set("least fewest lowest smallest worst rarest") | _inflected(
    "wenigst niedrigst kleinst geringst schlechtest seltenst"
)
# Of these the most are those with the most rows; 'the largest' or 'the best' are so by something.
BY_COUNT: Final = _set("most fewest least frequent common rarest top bottom flop") | _inflected(
    "meist häufigst wenigst seltenst"
)
WHICH: Final = _set("which welche welcher welches welchem welchen")
WHO: Final = _set("who whose wer wessen where wo")
GROUP: Final = _set("by per je pro nach jede jeden jedem jeder jedes each every across")
AND: Final = _set("und and oder or sowie , &")
NOT: Final = _set("nicht not kein keine keinen keiner außer except ohne without !=")
IS: Final = _set("is ist are sind was war were waren = == gleich equals heißt named named lautet")
ARTICLES: Final = _set("the der die das dem den des a an ein eine einer eines einem einen")
ROWS: Final = _set(
    "rows row records record entries entry lines line zeilen zeile einträge eintrag datensätze "
    "datensatz mal times"
)
UNITS: Final = {
    fold(word): unit
    for unit, words in {
        "day": "tag tage tagen tages day days",
        "week": "woche wochen week weeks kalenderwoche",
        "month": "monat monate monaten monats month months",
        "quarter": "quartal quartale quarter quarters quartalsweise",
        "year": "jahr jahre jahren jahres year years",
    }.items()
    for word in words.split()
}
# One word for 'by month'.
ADVERBS: Final = {
    word: unit
    for unit, german, english in (
        ("day", "täglich", "daily"),
        ("week", "wöchentlich", "weekly"),
        ("month", "monatlich", "monthly"),
        ("quarter", "vierteljährlich quartalsweise", "quarterly"),
        ("year", "jährlich", "yearly annually annual"),
    )
    for word in _inflected(german) | _set(english)
}
OF: Final = _set("of von")
IN: Final = _set("in im aus von vom from of for für bei at on auf")
MONTHS: Final = {
    fold(word): number
    for number, words in enumerate(
        [
            *("januar january jan jänner", "februar february feb feber", "märz march mrz"),
            *("april apr", "mai may", "juni june jun", "juli july jul", "august aug"),
            *("september sept sep", "oktober october okt oct", "november nov"),
            "dezember december dez dec",
        ],
        1,
    )
    for word in words.split()
}
COMPARISONS: Final = tuple(
    sorted(
        (
            (tuple(fold(word) for word in phrase.split()), sign)
            for sign, phrases in {
                ">": "über|mehr als|größer als|höher als|over|above|more than|greater than|"
                "higher than|larger than|>",
                "<": "unter|weniger als|kleiner als|niedriger als|under|below|less than|fewer than|"
                "lower than|smaller than|<",
                ">=": "mindestens|ab|at least|>=",
                "<=": "höchstens|maximal|bis zu|at most|up to|<=",
            }.items()
            for phrase in phrases.split("|")
        ),
        key=lambda pair: -len(pair[0]),
    )
)
# They change nothing of what is asked. No negation and no comparison may be among them.
FILLERS: Final = (
    _set(
        "wie was what how which welche welcher welches who wer hoch groß large big high viel "
        "viele much many is ist are sind war were waren wird werden wurde wurden will be been hat "
        "haben hatte hatten has have had habe do does did gibt gab es there it the der die das "
        "dem den des a an ein eine einer eines einem einen of von vom in im ins am auf at on for "
        "für fürs aus from bei beim to zu zum zur mit with where wo denen whose deren dessen if "
        "wenn that please bitte zeig zeige zeigt show me mir uns us gib give list liste nenne "
        "name tell sag sage calculate berechne compute find finde and und all alle allen every "
        "overall insgesamt so denn eigentlich mal once da diese dieser dieses diesem this these "
        "our unsere unserer unser i ich wir we can kannst could du you per sich auch make mache "
        "chart diagramm grafik graph plot table tabelle tabellarisch data daten datei file euro "
        "eur dollar usd entfallen entfällt verteilt verteilung distribution verteilen posted "
        "gepostet geschrieben written made gemacht liegt beträgt verkauft sold nur only"
    )
    - NOT
)


def same(words: Iterable[str]) -> list[frozenset[str]]:
    """Return the groups of synonyms that hold one of these stems."""
    wanted = set(words)
    return [group for group in SYNONYMS if group & wanted]
