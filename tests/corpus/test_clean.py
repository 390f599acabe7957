"""Cleaning: what is masked, what is not, and that it costs linear time and is done once."""

import json
import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sayso.content.record import normalise_text
from sayso.corpus.clean import Cleaned, clean
from sayso.corpus.identifiers import IBAN_LENGTHS
from tests.conftest import COMMUNITY, needs_community

MASKED = [
    ("Mail an member-1@mail.example.org bitte.", "Mail an [E-MAIL] bitte."),
    ("member-1 (at) example (dot) org", "[E-MAIL]"),
    ("member-1[at]example.org", "[E-MAIL]"),
    ("ｍｅｍｂｅｒ＠ｅｘａｍｐｌｅ．ｃｏｍ", "[E-MAIL]"),
    ("mailto:member-1@bücher.example", "mailto:[E-MAIL]"),
    ("0301234567@example.org", "[E-MAIL]"),
    ("+49 170 1234567", "[PHONE]"),
    ("(+49 30 1234567)", "([PHONE])"),
    ("+49 (0)30 1234-567", "[PHONE]"),
    ("+43/1/2345678", "[PHONE]"),
    ("0049 30 123456", "[PHONE]"),
    ("00 1 607 5550123", "[PHONE]"),
    ("+1 (555) 123-4567", "[PHONE]"),
    ("+44 20 7946 0958", "[PHONE]"),
    ("030/1234567", "[PHONE]"),
    ("(030) 123 45 67", "[PHONE]"),
    ("089 / 12 34 56", "[PHONE]"),
    ("0170-1234567, 01701234567", "[PHONE], [PHONE]"),
    ("030 1234567/0170 7654321", "[PHONE]/[PHONE]"),
    ("0664 1234567 und 044 123 45 67", "[PHONE] und [PHONE]"),
    ("(01) 234 56 78, 01/53115-0", "[PHONE], [PHONE]"),
    ("(555) 123-4567 or 555.123.4567", "[PHONE] or [PHONE]"),
    ("1-800-555-0199", "[PHONE]"),
    ("020 7946 0958, 07700 900123", "[PHONE], [PHONE]"),
    ("Tel. 44 67 89, call me at 555 1234", "Tel. [PHONE], call me at [PHONE]"),
    ("Handy: 151 23456789", "Handy: [PHONE]"),
    ("+٤٩ ١٧٠ ١٢٣٤٥٦٧", "[PHONE]"),
    ("０３０－１２３４５６７", "[PHONE]"),
    ("030\u00a0123\u202f45\u202f67", "[PHONE]"),
    ("DE89 3704 0044 0532 0130 00", "[IBAN]"),
    ("IBAN: DE 89 370400440532013000, danke", "IBAN: [IBAN], danke"),
    ("de89370400440532013000", "[IBAN]"),
    ("GB29 NWBK 6016 1331 9268 19", "[IBAN]"),
    ("FR14 2004 1010 0505 0001 3M02 606", "[IBAN]"),
    ("4111 1111 1111 1111", "[CARD]"),
    ("5500-0000-0000-0004", "[CARD]"),
    ("3782 822463 10005, 378282246310005", "[CARD], [CARD]"),
    ("４１１１ １１１１ １１１１ １１１１", "[CARD]"),
    ("server 192.0.2.17.", "server [IP]."),
    ("10.0.0.1-10.0.0.9, http://192.0.2.1:80/", "[IP]-[IP], http://[IP]:80/"),
    ("2001:db8::1 und fe80::1ff:fe23:4567:890a.", "[IP] und [IP]."),
    ("2001:db8::17: down", "[IP]: down"),
    ("::ffff:192.0.2.128", "[IP]"),
    ("Meine Steuer-ID ist 12 345 678 901", "Meine Steuer-ID ist [ID]"),
    ("Ausweis L01X00T471, Reisepass: C01X00T47", "Ausweis [ID], Reisepass: [ID]"),
    ("passport no. 123456789", "passport no. [ID]"),
    ("123-45-6789", "[ID]"),
    ("SSN 123 45 6789", "SSN [ID]"),
    ("Danke @member_1 und @member-2@mast.example!", "Danke [MENTION] und [MENTION]!"),
    ("cc @member.bsky.example. @müller", "cc [MENTION]. [MENTION]"),
    ("@田中さん", "[MENTION]"),
    ("https://video.example/@member1", "https://video.example/[MENTION]"),
]

KEPT = [
    "Am 11-13 September 2026 um 07:15 bei 2.31 m, 4,120 euros",
    "2026-09-11 07:15:30 und 11.09.2026, 09/11/2026, 01.02.2026 12:30",
    "vom 03.09. bis 05.09., 01.-03.10.2026, 03/09 - 05/09",
    "2026-09-11T07:15:00+02:00 und /meeting+2010-04-21",
    "01/2026 - 12/2026; 09-2026; 2024/25; 2024-2026",
    "von 0800-1730 Uhr, 08.00-12.00 13.00-17.00, 09.30 - 17.00",
    "high water 07.15 4.2 m, 19.40 4.5 m; HW 0715 1940",
    "ISBN 978-3-16-148410-0, ISBN 0-306-40615-2, ISBN 0306406152, 9783161484100",
    "Version 1.2.3.4, v1.10.0.2, 3.11.7, Browser 120.0.6099.109, 12.30.1",
    "1.000.000 Euro, 12 345 678 Einwohner, 1 234 567 890 123, 3,14159265358979",
    "1990 1991 1992 1993, 2001 2002 2003 2004, ISO 400 800 1600",
    "a[::1], std::abc::def, dead::beef, 12:30:45",
    "@19:30 @5pm @ 5, SETI@home, 5 @ 2 Euro, ~@._|@@_|",
    "Tel. 12.09.2026, call at 10.30, phone 2024-2026, Handy 1.000.000 mal",
    "Der Pass ist 1987 m hoch. Pass 2.31 m. ID 12.",
    "at 12 more were seen then here and 345 came",
    "GB28 NWBK 6016 1331 9268 19 und 4111 1111 1111 1112",  # wrong check digits
    "999.1.1.1, 1.2.3, 192.168.1.1.5",
    "Art. 17 DSGVO, § 44b UrhG, 50 km/h, 3/4, 1:0, -0.5, +10 %",
    "a > b, 3 < 5\n-> so",
    "Eins.\n\n\nZwei.",
]

# Strings that make careless patterns slow; each is repeated to a long text.
UNITS = [
    "a", "4", "0", "1 ", "41 ", "@", "a@", "@a", "@田", "@_", "a.", "a@b.", "x@y.dea@", "a(at)",
    "a (at) b.", "+", "(0", "+49 ", "00 1", "０1 ", "0301234567:", "030 1234567/", "555-123-4567-",
    "1.", "1.2.3.4:", "1.2.3.4@home@", "::", "a:", "fe80::1.", "2001:db8::1:", "fe80::DE89@v",
    "DE89 ", "DE89 3704 0044 0532 0130 00", "4111 1111 1111 1111 ", "ID 1", "ID 123456 ",
    "tel. 1", "call me at ", "tel. 123-45-678949", " \n", "\n> a",
]  # fmt: skip
FRAGMENTS = st.sampled_from([*UNITS, "[PHONE]", "[", "]", ">", "&gt;", "\n", " ", "-", "x", "é"])
TEXTS = st.text().map(normalise_text)


@pytest.mark.parametrize(("text", "expected"), MASKED)
def test_masks_what_reaches_or_identifies_a_person(text: str, expected: str) -> None:
    assert clean(text, "de").text == expected
    assert clean(f"Hallo, {text} - danke", "en").text == f"Hallo, {expected} - danke"


@pytest.mark.parametrize("text", KEPT)
def test_keeps_dates_times_prices_and_other_numbers(text: str) -> None:
    assert clean(text, "de") == Cleaned(text, {})


def test_counts_by_kind() -> None:
    text = "a@b.example, c@d.example oder 030 1234567, @member_1"
    assert clean(text, "de").masked == {"E-MAIL": 2, "PHONE": 1, "MENTION": 1}


def test_some_languages_write_telephone_numbers_their_own_way() -> None:
    assert clean("06 12 34 56 78", "fr-FR").text == "[PHONE]"
    assert clean("612 345 678", "gl").text == "[PHONE]"
    assert clean("612 345 678 Einwohner", "de").text == "612 345 678 Einwohner"


def test_cuts_quotes_of_others_and_closes_gaps() -> None:
    text = "> their words\n  &gt; and more\n＞ 言葉\nI agree.\n\n \n\n\nYes.\n>\n"
    assert clean(text, "en").text == "I agree.\n\nYes."
    assert clean("> all of it", "en").text == ""


@given(TEXTS)
def test_text_without_identifiers_is_unchanged(text: str) -> None:
    plain = "".join(c for c in text if not (c.isdigit() or c in "@＠>＞(（[［{｛\n"))
    assert clean(plain, "en") == Cleaned(plain, {})


@given(TEXTS | st.lists(FRAGMENTS).map("".join), st.sampled_from(["de", "en", "fr", "gl", ""]))
@example("tel. 123-45-6789ID 0170xv12::DE89@c.d[PHONE]v-", "fr")
@settings(max_examples=500)
def test_cleaning_again_changes_nothing(text: str, language: str) -> None:
    once = clean(text, language)
    assert clean(once.text, language) == Cleaned(once.text, {})


LABELS = st.text("abcdefghijklmnopqrstuvwxyz0123456789", min_size=1, max_size=10)
EMAILS = st.tuples(LABELS, LABELS, st.sampled_from(["example", "org", "de"])).map(
    lambda parts: f"{parts[0]}@{parts[1]}.{parts[2]}"
)


@st.composite
def ibans(draw: st.DrawFn) -> str:
    country, length = draw(st.sampled_from(sorted(IBAN_LENGTHS.items())))
    alphabet = draw(st.sampled_from(["0123456789", "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"]))
    rest = draw(st.text(alphabet, min_size=length - 4, max_size=length - 4))
    number = "".join(str(int(sign, 36)) for sign in f"{rest}{country}00")
    iban = f"{country}{98 - int(number) % 97:02}{rest}"
    iban = iban.lower() if draw(st.booleans()) else iban
    if draw(st.booleans()):
        iban = " ".join(iban[at : at + 4] for at in range(0, length, 4))
    return iban


@st.composite
def cards(draw: st.DrawFn) -> str:
    prefix = draw(st.sampled_from(["4", "34", "51", "2221", "2720", "6011", "3530", "2200"]))
    length = draw(st.integers(13, 19))
    size = length - 1 - len(prefix)
    body = prefix + draw(st.text("0123456789", min_size=size, max_size=size))
    doubled = [int(d) * 2 for d in body[-1::-2]]
    total = sum(d - 9 if d > 9 else d for d in doubled) + sum(int(d) for d in body[-2::-2])
    card = body + str(-total % 10)
    sign = draw(st.sampled_from(["", " ", "-"]))
    return sign.join(card[at : at + 4] for at in range(0, length, 4))


@given(TEXTS, EMAILS | ibans() | cards(), TEXTS, st.sampled_from(["de", "en", "es"]))
@example("12", "4111111111111111", "34", "de")
@example("abc", "DE89370400440532013000", "def", "de")
@settings(max_examples=500)
def test_no_inserted_identifier_survives(before: str, secret: str, after: str, language: str):
    assert secret not in clean(normalise_text(before + secret + after), language).text


def seconds(text: str) -> float:
    start = time.perf_counter()
    clean(text, "es")
    return time.perf_counter() - start


@given(st.sampled_from(UNITS) | st.lists(FRAGMENTS, min_size=1, max_size=5).map("".join))
@settings(max_examples=80, deadline=None)
def test_time_grows_linearly(unit: str) -> None:
    half = unit * (10_000 // len(unit) + 1)
    # Quadratic time would take four times as long, and minutes for texts of this size.
    assert seconds(half + half) < 6 * seconds(half) + 10.0


@needs_community
def test_hardly_anything_is_masked_in_real_posts_without_addresses() -> None:
    lines = (COMMUNITY / "records.jsonl").read_text("utf-8").splitlines()
    posts = [json.loads(line) for line in lines]
    found: dict[str, int] = {}
    for post in posts:
        for kind, count in clean(post.get("text") or "", post["language"]).masked.items():
            found[kind] = found.get(kind, 0) + count
    assert found.pop("MENTION") > 200
    assert sum(found.values()) < 20  # of 12,000 posts full of dates, versions and prices
