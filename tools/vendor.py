"""Fetches the libraries of the pages: `python tools/vendor.py`, after editing vendored.json.

tools/vendored.json names each package of the npm registry with its exact version and the hash of
its archive, the files that we take of it, and the packages that its authors built into them. From
this are written: the files into src/sayso/web/static/vendor/, as they are but for the `edits`;
every licence's text beside them; the files' hashes (sha256.json); docs/third-party.md.

It needs a network and is never run by a build or a test; what it wrote is in the repository.
"""

import base64
import hashlib
import json
import os
import shutil
import tarfile
import urllib.request
from io import BytesIO
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parents[1]
WANTED: Final = ROOT / "tools" / "vendored.json"
VENDOR: Final = ROOT / "src" / "sayso" / "web" / "static" / "vendor"
LISTED: Final = ROOT / "docs" / "third-party.md"
REGISTRY: Final = os.environ.get("NPM_CONFIG_REGISTRY", "https://registry.npmjs.org").rstrip("/")
HEAD: Final = """\
# Libraries in the pages

What the pages load besides Sayso's own scripts, from this server only. Written by
`python tools/vendor.py` from `tools/vendored.json`, which checks each archive against its hash; a
test checks the files against theirs (`static/vendor/sha256.json`). The licences' texts lie in
`static/vendor/licences/`. Of what was built into a package by its authors, the version is the one
whose licence is kept there.

| package | version | licence | what for |
|---|---|---|---|
"""


def fetch(name: str, package: dict[str, Any]) -> tarfile.TarFile:
    """Return a package's archive.

    Raises:
        SystemExit: it is not the one that was chosen.
    """
    file = f"{name.rpartition('/')[2]}-{package['version']}.tgz"
    with urllib.request.urlopen(f"{REGISTRY}/{name}/-/{file}", timeout=60) as response:
        archive = response.read()
    got = "sha512-" + base64.b64encode(hashlib.sha512(archive).digest()).decode()
    if got != package["integrity"]:
        raise SystemExit(f"{name} {package['version']}: expected {package['integrity']}, got {got}")
    return tarfile.open(fileobj=BytesIO(archive), mode="r:gz")


def read(archive: tarfile.TarFile, path: str) -> bytes:
    """Return one file of an archive."""
    file = archive.extractfile(f"package/{path}")
    assert file is not None, path
    return file.read()


def licence(archive: tarfile.TarFile) -> bytes:
    """Return the licence's text; every package has one."""
    names = [name.partition("/")[2] for name in archive.getnames()]
    return read(archive, next(name for name in names if name.upper().startswith("LICENSE")))


def main() -> None:
    """Write everything anew."""
    wanted = json.loads(WANTED.read_text())
    shutil.rmtree(VENDOR, ignore_errors=True)
    (VENDOR / "licences").mkdir(parents=True)
    rows = []
    for name, package in wanted.items():
        with fetch(name, package) as archive:
            for source, target in package.get("files", {}).items():
                content = read(archive, source)
                for old, new in package.get("edits", {}).items():
                    assert old.encode() in content, f"{name}: {old!r} is not there"
                    content = content.replace(old.encode(), new.encode())
                (VENDOR / target).parent.mkdir(exist_ok=True)
                (VENDOR / target).write_bytes(content)
            plain = name.replace("@", "").replace("/", "-")
            (VENDOR / "licences" / f"{plain}.txt").write_bytes(licence(archive))
        about = package.get("for") or f"built into {package['in']}"
        rows.append(f"| {name} | {package['version']} | {package['licence']} | {about} |\n")
    hashes = {
        file.relative_to(VENDOR).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(VENDOR.rglob("*"))
        if file.is_file()
    }
    (VENDOR / "sha256.json").write_text(json.dumps(hashes, indent=1) + "\n")
    LISTED.write_text(HEAD + "".join(rows))


if __name__ == "__main__":
    main()
