"""The folder that holds everything Sayso keeps, its keys, and its pseudonyms."""

import contextlib
import fcntl
import hashlib
import os
import secrets
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

from sayso import settings as settings_module
from sayso.errors import UsageError, WorkspaceError
from sayso.settings import Settings

KEY_BYTES = 32


class Pseudonyms:
    """Keyed BLAKE2b hashes: the only ids of people and records used past the gate (RFC 7693).

    Args:
        key: 32 bytes, one per installation.
    """

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise WorkspaceError(
                f"the pseudonym key has {len(key)} bytes, expected {KEY_BYTES}",
                "restore keys/pseudonym.key from a back-up",
            )
        self._key = key
        self._hashes: dict[str, hashlib.blake2b] = {}

    def number(self, kind: str, value: str) -> int:
        """Return a 64-bit pseudonym of `value`; `kind` keeps people, accounts, records apart."""
        begun = self._hashes.get(kind)
        if begun is None:
            # The key fills a block of its own; it is hashed once, not for every name.
            begun = hashlib.blake2b(digest_size=8, key=self._key, person=kind.encode())
            self._hashes[kind] = begun
        digest = begun.copy()
        digest.update(value.encode("utf-8", "surrogatepass"))
        return int.from_bytes(digest.digest(), "big")

    def name(self, kind: str, value: str) -> str:
        """Return the pseudonym as 16 hexadecimal digits, for logs and the ledger."""
        return f"{self.number(kind, value):016x}"


class Workspace:
    """Paths of one installation (`SAYSO_HOME`).

    Args:
        home: the folder; made by `Workspace.create`.
    """

    def __init__(self, home: Path) -> None:
        self.home = home
        self.settings_file = home / "sayso.toml"
        self.content = home / "content"
        self.models = home / "models"
        self.releases = home / "releases"
        self.rejects = home / "rejects"
        self.keys = home / "keys"

    @classmethod
    def create(
        cls, home: Path, settings: Settings | None = None, pseudonym_key: bytes | None = None
    ) -> "Workspace":
        """Make a workspace, or open it if it is there already (its settings then stay)."""
        workspace = cls(home)
        workspace._check_key()
        try:
            for folder in (home, workspace.content, workspace.models, workspace.releases):
                folder.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError) as error:
            raise UsageError(
                f"{home} cannot be a workspace: it is, or lies below, a file", "set SAYSO_HOME"
            ) from error
        workspace.keys.mkdir(mode=0o700, exist_ok=True)
        if not (workspace.keys / "pseudonym.key").exists():
            key = pseudonym_key or secrets.token_bytes(KEY_BYTES)
            write_atomically(workspace.keys / "pseudonym.key", key, mode=0o600)
        if not workspace.settings_file.exists():
            write_atomically(workspace.settings_file, settings_module.dump(settings or Settings()))
        return workspace

    @classmethod
    def open(cls, home: Path) -> "Workspace":
        """Open an existing workspace.

        Raises:
            WorkspaceError: there is none at `home`.
        """
        workspace = cls(home)
        if not workspace.settings_file.exists():
            raise WorkspaceError(
                f"no workspace at {home} (sayso.toml is missing)",
                "make one with `sayso import PATH`, or set SAYSO_HOME",
            )
        workspace._check_key()
        return workspace

    def _check_key(self) -> None:
        """A new key would make every objection match nothing, so a lost one is never replaced."""
        if self.settings_file.exists() and not (self.keys / "pseudonym.key").exists():
            raise WorkspaceError(
                f"the pseudonym key of {self.home} is gone; without it objections match nobody",
                "restore keys/pseudonym.key from a back-up",
            )

    @cached_property
    def settings(self) -> Settings:
        """The settings as they stood when first read."""
        return settings_module.load(self.settings_file)

    @cached_property
    def secret(self) -> bytes:
        """The key of all pseudonyms and keyed hashes, as it stood when first read."""
        return (self.keys / "pseudonym.key").read_bytes()

    @cached_property
    def pseudonyms(self) -> Pseudonyms:
        """This installation's pseudonyms."""
        return Pseudonyms(self.secret)

    @property
    def database_url(self) -> str:
        """SQLAlchemy URL of rights and ledger."""
        return self.settings.database or f"sqlite:///{self.home / 'rights.db'}"

    @contextlib.contextmanager
    def lock(self, name: str, *, wait: bool = False) -> Iterator[None]:
        """Hold an exclusive lock that dies with the process.

        Raises:
            WorkspaceError: another process holds it, and `wait` is not set.
        """
        with (self.home / f"{name}.lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            except BlockingIOError as error:
                raise WorkspaceError(
                    f"another process holds {name}.lock in {self.home}",
                    "wait for it to end; `sayso status` shows what runs",
                ) from error
            yield


def write_atomically(path: Path, data: bytes, mode: int = 0o644) -> None:
    """Write a file so that a crash leaves the old bytes or the new ones, nothing between."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make renames in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
