"""What files are taken as, and what is refused."""

import contextlib
import io
import zipfile

import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sayso.assistant import uploads
from sayso.assistant.uploads import accept
from sayso.errors import InputError
from sayso.settings import Uploads

PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + (10).to_bytes(4) + (10).to_bytes(4) + b"\x08\x02\0\0\0"


def parquet() -> bytes:
    data = io.BytesIO()
    pl.DataFrame({"a": [1]}).write_parquet(data)
    return data.getvalue()


def workbook(
    extra: dict[str, bytes] | None = None, compression: int = zipfile.ZIP_DEFLATED
) -> bytes:
    data = io.BytesIO()
    members = {"[Content_Types].xml": b"<Types/>", "xl/workbook.xml": b"<workbook/>"}
    with zipfile.ZipFile(data, "w", compression) as archive:
        for name, content in {**members, **(extra or {})}.items():
            archive.writestr(name, content)
    return data.getvalue()


@pytest.mark.parametrize(
    ("name", "data", "kind"),
    [
        ("a.csv", b"a,b\n1,2\n", uploads.CSV),
        ("A.CSV", "größe;ö\n1;2".encode("cp1252"), uploads.CSV),
        ("a.csv", "\ufeffa;b\n1;2".encode(), uploads.CSV),
        ("a.csv", "a;b\n1;2".encode("utf-16"), uploads.CSV),
        ("a.tsv", b"a\tb\n1\t2\n", uploads.TSV),
        ("a.json", b' [{"a": 1}]', uploads.JSON),
        ("a.jsonl", b'{"a": 1}\n{"a": 2}\n', uploads.NDJSON),
        ("a.txt", b"hello", uploads.TEXT),
        ("a.parquet", parquet(), uploads.PARQUET),
        ("a.xlsx", workbook(), uploads.XLSX),
        ("a.png", PNG, "image/png"),
        ("a.jpeg", b"\xff\xd8\xff\xe0rest", "image/jpeg"),
        ("a.webp", b"RIFF\0\0\0\0WEBPVP8 ", "image/webp"),
    ],
)
def test_files_are_taken_as_what_they_are(name, data, kind):
    found = accept(name, data)
    assert (found.name, found.media_type, found.data) == (name, kind, data)


def test_folders_are_cut_off_a_name():
    assert accept("../../etc/a.csv", b"a\n1").name == "a.csv"
    assert accept("C:\\Users\\me\\a.csv", b"a\n1").name == "a.csv"


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.csv", b""),
        ("a.exe", b"MZ"),
        ("a.html", b"<html>"),
        ("a.svg", b"<svg/>"),
        ("a", b"a,b"),
        ("a.csv", b"MZ\x90\0\x03"),
        ("a.csv", b"\x7fELF\x02\x01"),
        ("a.csv", b"#!/bin/sh\nrm -rf ~\n"),
        ("a.csv", b"<!DOCTYPE html><html>"),
        ("a.txt", b"  <!-- x --> <svg onload=alert(1)>"),
        ("a.txt", b'<?xml version="1.0"?><svg/>'),
        ("a.csv", parquet()),
        ("a.parquet", b"a,b\n1,2"),
        ("a.parquet", b"PAR1"),
        ("a.csv", workbook()),
        ("a.xlsx", b"a,b\n1,2"),
        ("a.png", b"a,b\n1,2"),
        ("a.jpg", PNG),
        ("a.csv", PNG),
        ("a.csv", b"%PDF-1.7\n\0"),
        ("a.jsonl", b"not json"),
        ("a.json", b"a,b"),
        ("a.json", b'"text"'),
        ("x" * 200 + ".csv", b"a"),
        ("a\u202evsc.csv", b"a"),
        ("a\n.csv", b"a"),
        ("", b"a"),
        ("a.png", PNG[:16] + (60000).to_bytes(4) * 2 + PNG[24:]),
    ],
)
def test_others_are_refused_without_quoting_them(name, data):
    with pytest.raises(InputError) as caught:
        accept(name, data)
    said = caught.value.problem + caught.value.hint
    assert name not in said or len(name) < 2
    assert data.decode("latin-1") not in said or len(data) < 2


def test_what_is_too_large_is_refused():
    with pytest.raises(InputError, match="larger than 10 bytes"):
        accept("a.csv", b"a" * 11, Uploads(max_bytes=10))


@pytest.mark.parametrize(
    "extra",
    [
        {"xl/vbaProject.bin": b"x"},
        {"xl/externalLinks/externalLink1.xml": b"<x/>"},
        {"xl/embeddings/object.docx": b"x"},
        {"xl/connections.xml": b"<x/>"},
        {"../evil.xml": b"x"},
        {"/evil.xml": b"x"},
        {"xl/worksheets/_rels/sheet1.xml.rels": b'<Relationship Id="1" Type="http://x/image" '
         b'Target="http://evil.example/x" TargetMode="External"/>'},
    ],
)  # fmt: skip
def test_workbooks_with_more_than_values_are_refused(extra):
    with pytest.raises(InputError):
        accept("a.xlsx", workbook(extra))


def test_links_to_click_are_no_harm():
    relation = (
        b'<Relationship Id="1" Type="http://schemas.openxmlformats.org/officeDocument/2006/'
        b'relationships/hyperlink" Target="https://forum.example" TargetMode="External"/>'
    )
    assert accept("a.xlsx", workbook({"xl/worksheets/_rels/sheet1.xml.rels": relation}))


def test_other_archives_are_no_workbooks():
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("word/document.xml", "x")
    with pytest.raises(InputError):
        accept("a.xlsx", data.getvalue())


def test_bombs_are_refused_before_they_go_off():
    bomb = workbook({"xl/worksheets/sheet1.xml": bytes(50_000_000)})
    assert len(bomb) < 100_000
    with pytest.raises(InputError, match="grows too large"):
        accept("a.xlsx", bomb)
    many = workbook({f"xl/sheet{n}.xml": b"x" * 1000 for n in range(20)})
    with pytest.raises(InputError, match="grows too large"):
        accept("a.xlsx", many, Uploads(max_inflated_bytes=10_000))


def test_a_header_that_lies_about_its_size_is_found_out():
    data = bytearray(workbook({"xl/sheet.xml": b"x" * 100_000}, zipfile.ZIP_DEFLATED))
    size = (100_000).to_bytes(4, "little")
    while (at := data.find(size)) >= 0:
        data[at : at + 4] = (10_000).to_bytes(4, "little")
    with pytest.raises(InputError):
        accept("a.xlsx", bytes(data))


@given(st.lists(st.tuples(st.floats(0, 0.999), st.integers(0, 255)), min_size=1, max_size=4))
@example([(0.044, 255)])
def test_a_workbook_with_wrong_bytes_is_taken_or_refused(changes):
    data = bytearray(workbook({"xl/sheet.xml": bytes(range(256)) * 2}))
    for place, byte in changes:
        data[int(place * len(data))] = byte
    with contextlib.suppress(InputError):
        accept("a.xlsx", bytes(data))


@given(
    data=st.binary(max_size=200), ending=st.sampled_from(["csv", "xlsx", "parquet", "json", "png"])
)
def test_whatever_comes_is_taken_or_refused(data, ending):
    for start in (b"", b"PK\x03\x04", b"PAR1", b"\x89PNG\r\n\x1a\n"):
        try:
            found = accept(f"a.{ending}", start + data)
        except InputError:
            continue
        assert found.data == start + data
