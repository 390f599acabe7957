"""What identifies or reaches a person, found in text: addresses, numbers, names of accounts.

Each finder yields spans in rising order of their start. Every pattern is bounded or possessive, so
finding takes time linear in the text. Patterns expect ASCII digits, hyphens and spaces.
"""

import ipaddress
import re
from collections.abc import Callable, Iterator
from functools import lru_cache, partial
from itertools import accumulate
from typing import Final, NamedTuple

Spans = Iterator[tuple[int, int]]


class Finder(NamedTuple):
    """Finds one kind of identifier.

    A text without what `needs` finds has none of it, which saves time. A span does not count if
    what stands left of it matches `guard`.
    """

    kind: str
    needs: re.Pattern[str]
    find: Callable[[str], Spans]
    guard: re.Pattern[str] | None = None


def _matches(pattern: re.Pattern[str], plain: str) -> Spans:
    return (match.span("it") for match in pattern.finditer(plain))


# E-mail addresses (RFC 5322's dot-atoms as people write them), also as 'name (at) host (dot) org'.
_LOCAL: Final = r"(?<![\w.+%&=#~-])[\w.+%&=#~-]++"
_TOP: Final = r"[^\W\d_][\w-]{1,23}"
_EMAIL: Final = re.compile(rf"(?P<it>{_LOCAL}@(?:[\w-]{{1,63}}\.){{1,8}}{_TOP})")
_SPELT_EMAIL: Final = re.compile(
    rf"(?P<it>{_LOCAL} ?[(\[{{] ?at ?[)\]}}] ?"
    rf"(?:[\w-]{{1,63}}(?:\.| ?[(\[{{] ?(?:dot|punkt) ?[)\]}}] ?)){{1,8}}{_TOP})",
    re.IGNORECASE,
)

# @name and @name@server; '@19:30' and '@5pm' are times. Han and kana have no space that would end
# a name, so there it ends after 30 characters.
_NAME: Final = r"[^\W\u2e80-\U0010ffff]++(?:[.-][^\W\u2e80-\U0010ffff]++)*+"
_MENTION: Final = re.compile(
    r"(?=(?P<it>@(?=_*+[^\W_])(?!\d{1,4}(?![\w-]))(?!\d{1,2}(?:am|pm|h|Uhr)\b)"
    rf"(?:{_NAME}|\w{{1,30}})(?:@{_NAME})?+))"
)

# IBAN (ISO 13616): country, check digits, national part; the registry's lengths by country.
_IBAN: Final = re.compile(r"(?=([A-Za-z]{2})[ -]?[0-9][ -]?[0-9])")
IBAN_LENGTHS: Final = {
    entry[:2]: int(entry[2:])
    for entry in (
        "AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 "
        "DK18 DO28 EE20 EG29 ES24 FI18 FK18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HN28 HR21 HU28 "
        "IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 LB28 LC32 LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 "
        "MK19 MN20 MR27 MT31 MU30 NI28 NL18 NO15 OM23 PK24 PL28 PS29 PT25 QA29 RO24 RS22 RU33 SA24 "
        "SC31 SD18 SE24 SI19 SK24 SM27 SO23 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20 YE30"
    ).split()
}
_IBAN_PART: Final = re.compile(r"[A-Za-z0-9](?:[ -]?[A-Za-z0-9])*+")


def _ibans(plain: str) -> Spans:
    for match in _IBAN.finditer(plain):
        length, start = IBAN_LENGTHS.get(match[1].upper(), 0), match.start()
        # Each character may have one space or hyphen before it.
        written = _IBAN_PART.match(plain, start, start + 2 * length)
        places = [at for at in range(*written.span()) if plain[at] not in " -"] if written else []
        if not 0 < length <= len(places):
            continue
        end = places[length - 1] + 1
        if _is_iban(re.split("[ -]", plain[start:end].upper())):
            yield start, end


def _is_iban(groups: list[str]) -> bool:
    iban = "".join(groups)
    # Digits are grouped at will; letters only in fours, so that no row of words is taken for one.
    breaks = list(accumulate(map(len, groups)))[:-1]
    if not (iban[2:].isdigit() or all(at == 2 or at % 4 == 0 for at in breaks)):
        return False
    # ISO 7064 MOD 97-10 over the national part, the country and the check digits.
    number = "".join(str(int(sign, 36)) for sign in iban[4:] + iban[:4])
    return iban[2:4].isdigit() and int(number) % 97 == 1


# Payment cards (ISO/IEC 7812): an issuer's prefix, 13 to 19 digits, Luhn's check digit.
_DIGIT_RUN: Final = re.compile(r"[0-9](?:[ -]?[0-9]){12,}+")
_ISSUER: Final = re.compile(r"[3-6]|220[0-4]|22[2-9]|2[3-6]|27[0-2]|9792")
_DOUBLED: Final = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)


def _cards(plain: str) -> Spans:
    for run in _DIGIT_RUN.finditer(plain):
        places = [at for at in range(*run.span()) if plain[at] not in " -"]
        digits = [int(plain[at]) for at in places]
        # Luhn's sums up to each place, for check digits at even and at odd places.
        sums = [
            [0, *accumulate(d if at % 2 == odd else _DOUBLED[d] for at, d in enumerate(digits))]
            for odd in (0, 1)
        ]
        for first in range(len(digits) - 12):
            if not _ISSUER.match("".join(map(str, digits[first : first + 4]))):
                continue
            for last in range(min(first + 18, len(digits) - 1), first + 11, -1):
                start, end = places[first], places[last] + 1
                luhn = sums[last % 2][last + 1] - sums[last % 2][first]
                if luhn % 10 == 0 and _grouped_as_card(plain[start:end]):
                    yield start, end


def _grouped_as_card(written: str) -> bool:
    """Cards are written in one piece or in groups of three and more; lists of numbers are not."""
    sizes = [len(group) for group in re.split("[ -]", written)]
    return len(sizes) == 1 or (sizes[0] >= 4 and min(sizes[:-1]) >= 3)


_IPV4: Final = re.compile(r"(?<![0-9])(?=(?P<it>[0-9]{1,3}(?:\.[0-9]{1,3}){3}(?!\w|\.[0-9])))")
_IPV6: Final = re.compile(
    r"(?=(?:[0-9A-Fa-f]{0,4}:){2})(?=(?P<it>[0-9A-Fa-f:]{2,45}+(?:(?:\.[0-9]{1,3}){3})?+)(?![\w:]))"
)
_VERSION: Final = re.compile(r"\b(?:version|release|ver\.?|v\.?) ?\Z", re.IGNORECASE)
# '::1' and 'a::b' are rather code; the address of a machine has a digit and a group like this.
_LONG_GROUP: Final = re.compile(r"(?=[^0-9]*[0-9]).*[0-9A-Fa-f]{3}")


def _addresses(pattern: re.Pattern[str], plain: str) -> Spans:
    for start, end in _matches(pattern, plain):
        written = plain[start:end].rstrip(":")
        if _VERSION.search(plain, max(0, start - 9), start):
            continue
        try:
            version = ipaddress.ip_address(written).version
        except ValueError:
            continue
        if version == 4 or _LONG_GROUP.match(written):
            yield start, start + len(written)


# Identity numbers: after a word for them, and US social security numbers as they are written.
_ID: Final = re.compile(
    r"(?<![^\W\d_])(?:steuer-?(?:id|identifikationsnummer|nummer|nr)|idnr|(?:personal)?ausweis|perso"
    r"|(?:reise)?pass|passport|identity card|id(?: card)?|ssn|social security)"
    r"(?:-?(?:nummer|nr|no|number))?\b[.:#=]{0,2} ?"
    r"(?:(?:is|ist|lautet|nummer|number|nr\.?|no\.?|:) ?){0,3}"
    r"(?P<it>(?:[0-9]{2} [0-9]{3} [0-9]{3} [0-9]{3}|[0-9]{3}[ -][0-9]{2}[ -][0-9]{4}"
    r"|[0-9]{2,5}/[0-9]{3,5}(?:/[0-9]{3,5})?|(?=(?:[A-Z]{0,12}[0-9]){3})[A-Z0-9]{6,14})(?!\w))",
    re.IGNORECASE | re.ASCII,
)
_SSN: Final = re.compile(
    r"(?<![0-9])(?=(?P<it>(?!000|666)[0-9]{3}-(?!00)[0-9]{2}-(?!0000)[0-9]{4}(?![0-9])))"
)

# Telephone numbers. Between digits: a space, or one of - / . with spaces around it.
_MORE: Final = r"(?:\)?(?: ?[-/.] ?| )?\(?[0-9])"
_HHMM: Final = r"(?:[01][0-9]|2[0-3])[0-5][0-9]"
_PLUS: Final = re.compile(rf"(?=(?P<it>\+(?![0-9]{{4}}-[0-9]{{2}}-)[1-9]{_MORE}{{7,14}}(?![0-9])))")
_NATIONAL: Final = re.compile(
    rf"(?<![0-9])(?!{_HHMM} ?- ?{_HHMM}(?![0-9]))(?=(?P<it>"
    # 0049 30 123456; area codes of three digits and more, as two would be days or months
    rf"00 ?[1-9]{_MORE}{{7,14}}(?![0-9])|\(?0(?:\) ?)?[1-9][0-9]{_MORE}{{6,10}}(?![0-9])"
    # Vienna
    r"|\(?01\)? ?[/-]? ?(?!(?:19|20)[0-9]{2}(?![0-9]))[1-9][0-9]{2}(?:[ -]?[0-9]){3,6}(?![0-9])"
    # North America
    r"|(?:1[-. ])?(?:\([2-9][0-9]{2}\) ?[0-9]{3}[-. ]|[2-9][0-9]{2}[-.][0-9]{3}[-.]"
    r"|[2-9][0-9]{2} [0-9]{3}-)[0-9]{4}(?![0-9])))"
)
_FRENCH: Final = re.compile(
    r"(?<![0-9])(?=(?P<it>0[1-9]([ .-])[0-9]{2}(?:\2[0-9]{2}){3}(?![0-9])))"
)
_IBERIAN: Final = re.compile(
    r"(?<![0-9])(?=(?P<it>[26-9][0-9]{2}(?:[ -]?[0-9]{3}){2}(?![0-9])"
    r"|[6-9][0-9]{2}(?:[ -][0-9]{2}){3}(?![0-9])))"
)
_LOCAL_FORMS: Final = {"fr": _FRENCH} | dict.fromkeys(("ca", "es", "eu", "gl", "pt"), _IBERIAN)
# Any number after a word for it, but years, dates, times and amounts. (A digit before the word is
# no part of it: were it, one number could hide the next.)
_ANNOUNCED: Final = re.compile(
    r"(?<![^\W\d_])(?:tel(?:efon(?:nummer)?|ephone)?|fon|phone(?: number)?|fax"
    r"|handy(?:nummer)?|mobile?|mobil(?:nummer)?|cell|whatsapp|durchwahl|rufnummer"
    r"|call(?: me| us)?(?: at| on)?)\b[.:]? ?(?:(?:is|ist|unter|lautet|nr\.?|no\.?|:) ?){0,3}"
    r"(?!(?:19|20)[0-9]{2}(?:[-/ ](?:19|20)[0-9]{2})?(?![0-9]|[ /-][0-9])|[0-9]{4}-[0-9]{2}-"
    r"|[0-9]{1,2}([./-])[0-9]{1,2}\1|[0-9]{1,3}(?:[.,][0-9]{3})+(?![0-9])|[0-9]{1,2}[.:][0-9]{2}\b)"
    r"(?P<it>[1-9](?:(?: ?[-/.] ?| )?[0-9]){5,12}(?![0-9]))",
    re.IGNORECASE,
)
_BOOK: Final = re.compile(r"ISBN[-0-9]{0,3}:? ?\Z")


def _telephones(pattern: re.Pattern[str], plain: str) -> Spans:
    for start, end in _matches(pattern, plain):
        if not _BOOK.search(plain, max(0, start - 9), start):
            yield start, end


# A number does not begin within a word, or right after another number's point or colon.
_WITHIN: Final = re.compile(r"(?:\w|[0-9][.,:/-])\Z")
_IN_WORD: Final = re.compile(r"\w\Z")
_IN_ADDRESS: Final = re.compile(r"[\w:.]\Z")
_WITHIN_DOTTED: Final = re.compile(r"(?:\w|[0-9]\.)\Z")
_AFTER_NUMBER: Final = re.compile(r"[0-9] ?\Z")
# What a text must have for a finder to be tried on it.
_AT: Final = re.compile("@")
_SPELT_AT: Final = re.compile(r"[(\[{] ?at ?[)\]}]", re.IGNORECASE)
_DIGIT: Final = re.compile("[0-9]")
_DIGITS: Final = re.compile("[0-9](?:[^0-9]*+[0-9]){4}")  # five in all
_DOTS: Final = re.compile(r"[0-9]\.[0-9]")
_COLONS: Final = re.compile(":[0-9A-Fa-f]{0,4}:")


@lru_cache(maxsize=64)
def finders(language: str) -> tuple[Finder, ...]:
    """Return the finders for a language (a primary subtag).

    Of spans that overlap, the one that starts first counts, then the one of the earlier finder.
    """
    national = [_NATIONAL, _ANNOUNCED]
    if language in _LOCAL_FORMS:
        national.append(_LOCAL_FORMS[language])
    return (
        Finder("E-MAIL", _AT, partial(_matches, _EMAIL)),
        Finder("E-MAIL", _SPELT_AT, partial(_matches, _SPELT_EMAIL)),
        Finder("MENTION", _AT, partial(_matches, _MENTION), _IN_WORD),
        Finder("IBAN", _DIGIT, _ibans),
        Finder("CARD", _DIGITS, _cards),
        Finder("IP", _DOTS, partial(_addresses, _IPV4), _WITHIN_DOTTED),
        Finder("IP", _COLONS, partial(_addresses, _IPV6), _IN_ADDRESS),
        Finder("ID", _DIGIT, partial(_matches, _ID)),
        Finder("ID", re.compile("[0-9]-[0-9]"), partial(_matches, _SSN), _WITHIN),
        Finder("PHONE", re.compile(r"\+[1-9]"), partial(_matches, _PLUS), _AFTER_NUMBER),
        *(Finder("PHONE", _DIGITS, partial(_telephones, form), _WITHIN) for form in national),
    )
