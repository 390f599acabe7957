"""The command that puts a program into the sandbox (bubblewrap), and whether that works here."""

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from sayso.assistant.sandbox import syscalls
from sayso.settings import Sandbox

PYTHON: Final = str(Path(sys.executable).resolve())
MIB: Final = 1024 * 1024
_HINT: Final = "see docs/sandbox.md"
_FIRST_USER: Final = 2_000_000_000  # beyond what systems give to people and services
# The first process of the namespace: when it ends, so does all that the program left running, and
# bubblewrap ends after it. Its own first process would be outlived by what it should have ended.
_FIRST: Final = ["/bin/sh", "-c", 'exec 3>&2 2>/dev/null; "$@" 2>&3 3>&-; exit $?', "sh"]
_works: list[bool] = []


def available() -> str | None:
    """Return None where code can be run, else why not and what to do about it."""
    missing = [name for name in ("bwrap", "prlimit", "setpriv") if shutil.which(name) is None]
    if not sys.platform.startswith("linux"):
        return f"the sandbox needs Linux namespaces; {_HINT}"
    if missing:
        return f"{', '.join(missing)} is not installed: apt-get install bubblewrap util-linux"
    if not _works:  # asked once: what a system allows does not change under us
        with confined([PYTHON, "-I", "-c", ""], Sandbox()) as (command, descriptors):
            try:
                tried = subprocess.run(
                    command,
                    pass_fds=descriptors,
                    env={},
                    capture_output=True,
                    check=False,
                    timeout=60,
                )
            except subprocess.TimeoutExpired:
                return "the sandbox did not start within a minute: try again later"
        if tried.returncode:
            return f"this system lets no sandbox be made (namespaces are forbidden); {_HINT}"
        _works.append(True)
    return None


@contextlib.contextmanager
def confined(
    program: Sequence[str],
    limits: Sandbox,
    *,
    shown: Sequence[Path] = (),
    files: dict[str, bytes] | None = None,
) -> Iterator[tuple[list[str], list[int]]]:
    """Yield the command that runs a program confined, and the descriptors that it must inherit.

    Args:
        program: with its arguments.
        limits: of the processor's time, memory, processes, files.
        shown: more folders that it may read, at their own place.
        files: path within the sandbox to bytes, which it may read.
    """
    held = []
    try:
        command = ["bwrap", *_spaces(), "--die-with-parent", "--new-session", "--clearenv"]
        command += ["--setenv", "PATH", "/usr/bin:/bin", "--setenv", "LANG", "C.UTF-8"]
        command += ["--setenv", "HOME", "/tmp"]
        command += ["--perms", "0755", "--dir", "/usr"]
        for name in (
            "/lib",
            "/lib64",
            "/bin",
            "/usr/lib",
            "/usr/lib64",
            "/usr/bin",
            "/usr/local/lib",
        ):
            command += _system(Path(name))
        command += ["--ro-bind-try", "/etc/ld.so.cache", "/etc/ld.so.cache"]
        # Before what is shown, some of which may lie in it.
        command += ["--perms", "1777", "--size", str(limits.disk_mb * MIB), "--tmpfs", "/tmp"]
        for folder in (Path(sys.base_prefix).resolve(), *shown):
            if folder != Path("/usr"):
                command += [*_parents(folder), "--ro-bind", str(folder), str(folder)]
        command += ["--proc", "/proc", "--dev", "/dev", "--remount-ro", "/dev"]
        for path, data in (files or {}).items():
            held.append(_held(data))
            command += ["--perms", "0444", "--ro-bind-data", str(held[-1]), path]
        command += ["--remount-ro", "/", "--chdir", "/tmp"]
        if refused := syscalls.refusing():
            held.append(_held(refused))
            command += ["--seccomp", str(held[-1])]
        yield [*command, "--as-pid-1", "--", *_limited(limits), *_FIRST, *_nobody(), *program], held
    finally:
        for descriptor in held:
            os.close(descriptor)


def _spaces() -> list[str]:
    """Return namespaces of its own for everything.

    root needs none for users: it may make the others, and the program then is nobody (`_nobody`).
    In a namespace of users it would still be root to whoever looks at the files' owners.
    """
    if os.getuid():
        return ["--unshare-all", "--unshare-user", "--disable-userns", "--cap-drop", "ALL"]
    others = ["ipc", "pid", "net", "uts", "cgroup-try"]
    kept = ["CAP_SETUID", "CAP_SETGID", "CAP_SETPCAP"]
    return [
        *(f"--unshare-{name}" for name in others),
        *["--cap-drop", "ALL"],
        *(word for name in kept for word in ("--cap-add", name)),
    ]


def _nobody() -> list[str]:
    if os.getuid():
        return []
    # A user for each run: the limit of processes counts those of all runs of one user.
    user = _FIRST_USER + int.from_bytes(os.urandom(3), "big")
    return [
        "/usr/bin/setpriv",
        *[f"--reuid={user}", f"--regid={user}", "--clear-groups"],
        *["--inh-caps=-all", "--ambient-caps=-all", "--bounding-set=-all", "--no-new-privs", "--"],
    ]


def _limited(limits: Sandbox) -> list[str]:
    return [
        "/usr/bin/prlimit",
        f"--cpu={limits.cpu_seconds}:{limits.cpu_seconds + 1}",
        f"--as={limits.memory_mb * MIB}",
        f"--nproc={limits.processes}",
        f"--nofile={limits.open_files}",
        f"--fsize={limits.disk_mb * MIB}",
        *["--core=0", "--memlock=0", "--msgqueue=0", "--"],
    ]


def _system(path: Path) -> list[str]:
    """Show a folder of the system; /lib and the like are mostly links into /usr."""
    if path.is_symlink():
        return ["--symlink", str(path.readlink()), str(path)]
    return ["--ro-bind-try", str(path), str(path)]


def _parents(path: Path) -> list[str]:
    """Make the folders above one, for everybody to pass through: bubblewrap's are for root."""
    above = [str(parent) for parent in reversed(path.parents) if parent != Path("/")]
    return [word for name in above for word in ("--perms", "0755", "--dir", name)]


def _held(data: bytes) -> int:
    """Return a descriptor that reads these bytes, from memory."""
    descriptor = os.memfd_create("sayso")
    with os.fdopen(os.dup(descriptor), "wb") as file:
        file.write(data)
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor
