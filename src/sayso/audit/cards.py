"""Publishing a release: a standard PEFT adapter with its card, and a note of who got it."""

import shutil
from pathlib import Path

import msgspec

from sayso.errors import SaysoError, UsageError
from sayso.rights import ledger
from sayso.rights.database import Rights
from sayso.training import releases
from sayso.training.releases import Release
from sayso.workspace import Workspace, write_atomically

_CARD = """---
library_name: peft
license: other
tags: [lora, sayso]
---
# {name}

A LoRA adapter over `{base_name}`, trained on {examples} admitted texts of {community} in {cells}
cells, as of {at}. Served as base + λ·ΣB·A with λ = {weight:.4f} (folded into B).

- tensor hash (BLAKE2b-256 of the canonical bytes): `{hash}`
- base (SHA-256 over weights, configuration and tokenizer): `{base}`
- load it with `peft.PeftModel.from_pretrained(base, folder)`; llama.cpp takes `adapter.gguf`
- When a member objects, this release is withdrawn: ask the operator for the next one and delete
  this copy. The operator's ledger notes who received it.
"""


def publish(workspace: Workspace, folder: Path, recipient: str) -> Release:
    """Copy the current release, checked against its hash, to a folder that must not exist.

    Raises:
        SaysoError: there is no release.
        UsageError: the folder exists.
        IntegrityError: the release is damaged.
    """
    release = releases.current(workspace)
    if release is None:
        raise SaysoError("there is no release to publish", "run `sayso train` first")
    if folder.exists():
        raise UsageError(f"{folder} exists already", "name a new folder")
    releases.check(workspace, release)
    settings = workspace.settings
    card = _CARD.format(
        name=release.name,
        base_name=settings.training.base,
        examples=release.examples,
        community=settings.community,
        cells=len(release.trained_on),
        at=release.at,
        weight=release.merge_weight,
        hash=release.hash,
        base=release.base,
    )
    with Rights(workspace).writing() as connection:
        # Copies are recipients (GDPR Art. 19): noted before the first byte leaves.
        body = {"release": release.name, "hash": release.hash, "to": recipient}
        ledger.append(connection, "published", body)
    shutil.copytree(workspace.releases / release.name, folder)
    # Which cells exist is the operator's business; the card says what others need.
    (folder / releases.NOTE).unlink()
    write_atomically(folder / "README.md", card.encode())
    write_atomically(folder / "sayso.json", msgspec.json.encode({"hash": release.hash}))
    return release
