"""The libraries in the pages are what was chosen, and their licences are told."""

import hashlib
import json

from sayso.web.app import STATIC
from tests.conftest import ROOT

VENDOR = STATIC / "vendor"


def test_the_files_are_those_that_were_fetched() -> None:
    known = json.loads((VENDOR / "sha256.json").read_text())
    there = {
        file.relative_to(VENDOR).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in VENDOR.rglob("*")
        if file.is_file() and file.name != "sha256.json"
    }
    assert there == known


def test_each_has_its_licence() -> None:
    chosen = json.loads((ROOT / "tools/vendored.json").read_text())
    listed = (ROOT / "docs/third-party.md").read_text("utf-8")
    files = {name for package in chosen.values() for name in package.get("files", {}).values()}
    licences = set()
    for name, package in chosen.items():
        assert f"| {name} | {package['version']} | {package['licence']} |" in listed
        licence = f"licences/{name.replace('@', '').replace('/', '-')}.txt"
        assert len((VENDOR / licence).read_text()) > 400, name
        licences.add(licence)
    assert set(json.loads((VENDOR / "sha256.json").read_text())) == files | licences
