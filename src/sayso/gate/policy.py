"""Policies: what the operator allows, as a TOML file."""

import hashlib
from importlib import resources
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from sayso.content.record import AGE_BANDS, AUDIENCES
from sayso.errors import UsageError

BUILT_IN = ("strict", "article")
NEVER = ("direct", "unknown")


class Policy(Struct, frozen=True, forbid_unknown_fields=True):
    """One policy. An objection, a minor and a private message are beyond its reach: always no."""

    name: str
    audiences: tuple[str, ...]
    surfaces: tuple[str, ...]
    kinds: tuple[str, ...]
    ages: tuple[str, ...]
    waiting_days: Annotated[int, Meta(ge=0, le=3650)]
    description: str = ""
    assistant_audiences: tuple[str, ...] = ()
    assistant_surfaces: tuple[str, ...] = ()
    adult_services: tuple[str, ...] = ()
    unknown_parents: Literal["held", "allowed"] = "held"
    waiting_from: Literal["published", "collected"] = "published"

    @property
    def digest(self) -> str:
        """Hash of everything the policy says."""
        return hashlib.blake2b(
            msgspec.json.encode(self, order="deterministic"), digest_size=16
        ).hexdigest()


def load(name_or_path: str) -> Policy:
    """Read a built-in policy by name, or one's own by path.

    Raises:
        UsageError: there is none, it is not valid, or it allows what no policy may.
    """
    return parse(source(name_or_path), name_or_path)


def parse(text: bytes | str, name_or_path: str) -> Policy:
    """Read the text of a policy.

    Raises:
        UsageError: it is not valid, or allows what no policy may.
    """
    try:
        policy = msgspec.toml.decode(text, type=Policy)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise UsageError(
            f"policy {name_or_path} is not valid: {error}", "compare with `sayso policy show`"
        ) from error
    unknown = {*policy.audiences, *policy.assistant_audiences} - set(AUDIENCES)
    forbidden = {*policy.audiences, *policy.assistant_audiences} & set(NEVER)
    if unknown or forbidden:
        raise UsageError(
            f"policy {policy.name} names audiences that no policy may allow: "
            f"{sorted(unknown | forbidden)}",
            f"choose from {[a for a in AUDIENCES if a not in NEVER]}",
        )
    if bad := set(policy.ages) - {"adult"}:
        raise UsageError(
            f"policy {policy.name} allows ages {sorted(bad & set(AGE_BANDS)) or sorted(bad)}",
            "only 'adult' can be allowed",
        )
    if not policy.audiences:
        raise UsageError(f"policy {policy.name} allows no audience at all", "name at least one")
    return policy


def source(name_or_path: str) -> bytes:
    """Return the text of a policy file."""
    if name_or_path in BUILT_IN:
        return resources.files("sayso.gate").joinpath(f"policies/{name_or_path}.toml").read_bytes()
    try:
        return Path(name_or_path).read_bytes()
    except (OSError, ValueError) as error:  # ValueError: no path can have a NUL in it
        raise UsageError(
            f"no policy {name_or_path}: neither a file nor one of {', '.join(BUILT_IN)}",
            "`sayso policy list` shows the built-in ones",
        ) from error
