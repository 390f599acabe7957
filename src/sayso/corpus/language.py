"""The language of a text: what its author declared, else what CLD2 detects.

CLD2 (Compact Language Detector 2, through pycld2) knows 145 languages and needs no download.
`bench/language_id.py` measures it beside fastText's lid.176: see there why it stands alone.
"""

import re
from functools import lru_cache
from typing import Final, Literal

import msgspec
import pycld2

UNDETERMINED: Final = "und"
# CLD2's score is normalised by length (about 1000 = typical text of the language). Three quarters
# of the sentences in languages it does not know stay below 350; of the others, one in fifty does.
LOWEST_SCORE: Final = 350
LONGEST_DETECTED: Final = 4000
# Of Latin texts shorter than this ('ok', 'Danke!') more than half would be named wrongly.
FEWEST_LATIN_LETTERS: Final = 8

# ISO 639-2 (T and B) beside ISO 639-1: BCP 47 wants the shorter code (RFC 5646, section 2.2.1).
_ISO_639: Final = (
    "aaraa abkab afraf akaak albsq amham araar argan armhy asmas avaav aveae aymay azeaz "
    "bakba bambm baqeu belbe benbn bihbh bisbi bodbo bosbs brebr bulbg burmy catca cescs "
    "chach chece chizh chucu chvcv corkw cosco crecr cymcy czecs danda deude divdv dutnl "
    "dzodz ellel engen epoeo estet euseu eweee faofo fasfa fijfj finfi frafr frefr fryfy "
    "fulff geoka gerde glagd glega glggl glvgv greel grngn gujgu hatht hauha hbssh hebhe "
    "herhz hinhi hmoho hrvhr hunhu hyehy iboig iceis idoio iiiii ikuiu ileie inaia indid "
    "ipkik islis itait javjv jpnja kalkl kankn kasks katka kaukr kazkk khmkm kikki kinrw "
    "kirky komkv konkg korko kuakj kurku laolo latla lavlv limli linln litlt ltzlb lublu "
    "luglg macmk mahmh malml maomi marmr mayms mkdmk mlgmg mltmt monmn mrimi msams myamy "
    "nauna navnv nblnr ndend ndong nepne nldnl nnonn nobnb norno nyany ocioc ojioj orior "
    "ormom ossos panpa perfa plipi polpl porpt pusps quequ rohrm ronro rumro runrn rusru "
    "sagsg sansa sinsi slksk slosk slvsl smese smosm snasn sndsd somso sotst spaes sqisq "
    "srdsc srpsr sswss sunsu swasw swesv tahty tamta tattt telte tgktg tgltl thath tibbo "
    "tirti tonto tsntn tsots tuktk turtr twitw uigug ukruk urdur uzbuz venve vievi volvo "
    "welcy wlnwa wolwo xhoxh yidyi yoryo zhaza zhozh zulzu "
)
_TWO_LETTERS: Final = {pair[:3]: pair[3:] for pair in _ISO_639.split()}
_KNOWN: Final = frozenset(_TWO_LETTERS.values())
_RENAMED: Final = {"in": "id", "iw": "he", "ji": "yi", "jw": "jv", "mo": "ro"}
# Special and private-use codes (ISO 639-2: mis, mul, und, zxx, qaa-qtz) say no language.
_NO_LANGUAGE: Final = re.compile(r"mis|mul|und|zxx|q[a-t][a-z]")
_TAG: Final = re.compile(r"([A-Za-z]{2,3})(?:[-_][A-Za-z0-9]{1,8})*")

_TOYS: Final = frozenset({"tlh", "zzp"})  # CLD2 also knows Klingon and Pig Latin
_NOT_WORDS: Final = re.compile(r"https?://\S+|[@＠]\S+")
_UNREADABLE: Final = re.compile(
    r"[\x00-\x08\x0b\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef"
    + "".join(
        f"{chr(plane + 0xFFFE)}{chr(plane + 0xFFFF)}" for plane in range(0, 0x110000, 0x10000)
    )
    + "]"
)
_SWEDISH_LETTERS: Final = re.compile("[äöÄÖ]")


class Identified(msgspec.Struct, frozen=True):
    """A language and where it is known from.

    `code` is a BCP 47 primary language subtag, 'und' when unsure.
    """

    code: str
    source: Literal["declared", "detected", "none"]


def identify(text: str, declared: str = "") -> Identified:
    """Return the language of a text; a valid declared tag wins, anything else is detected.

    Args:
        text: the text, masked or not.
        declared: a BCP 47 tag such as 'de-AT', or what a source gave in its place.
    """
    if code := primary_subtag(declared):
        return Identified(code, "declared")
    code = _detect(text)
    return Identified(code, "none" if code == UNDETERMINED else "detected")


@lru_cache(maxsize=4096)
def primary_subtag(tag: str) -> str:
    """Return the normalised primary language subtag of a BCP 47 tag (RFC 5646), '' if it has none.

    Case, underscores, ISO 639-2 codes and withdrawn codes are normalised: 'GER_at' becomes 'de'.
    """
    match = _TAG.fullmatch(tag.strip())
    if match is None:
        return ""
    code = match[1].lower()
    code = _TWO_LETTERS.get(code, _RENAMED.get(code, code))
    if len(code) == 2:
        return code if code in _KNOWN else ""
    return "" if _NO_LANGUAGE.fullmatch(code) else code


def _detect(text: str) -> str:
    text = text[:LONGEST_DETECTED]
    if "://" in text or "@" in text or "＠" in text:
        text = _NOT_WORDS.sub(" ", text)
    if len(text) < 3 * FEWEST_LATIN_LETTERS and _is_too_short(text):
        return UNDETERMINED
    try:
        code, score = _best(text)
    except (pycld2.error, UnicodeEncodeError):
        # CLD2 refuses control characters, non-characters and lone surrogates.
        code, score = _best(_UNREADABLE.sub(" ", text))
    # Norwegian and Danish write æ and ø; CLD2 takes short Swedish for them.
    if code in ("no", "nn", "da") and _SWEDISH_LETTERS.search(text):
        code = "sv"
    return code if score >= LOWEST_SCORE else UNDETERMINED


def _is_too_short(text: str) -> bool:
    letters = [sign for sign in text if sign.isalpha()]
    return len(letters) < FEWEST_LATIN_LETTERS and all(sign < "\u0370" for sign in letters)


def _best(text: str) -> tuple[str, float]:
    """CLD2's first guess as a primary subtag, and its score."""
    # bestEffort: without it CLD2 gives up on most texts under about 25 characters.
    _, _, guesses = pycld2.detect(text, isPlainText=True, bestEffort=True)
    _, tag, _, score = guesses[0]
    if tag == "un" or tag in _TOYS or tag.startswith("xx-"):
        return UNDETERMINED, 0.0
    return primary_subtag(tag), float(score)
