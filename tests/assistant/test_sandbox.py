"""What code in the sandbox can and, above all, cannot do."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import psutil
import pytest

from sayso.assistant import sandbox
from sayso.assistant.sandbox import confining
from sayso.errors import InputError, MissingPartError
from sayso.settings import Sandbox
from tests.conftest import ROOT

needs_bwrap = pytest.mark.skipif(shutil.which("bwrap") is None, reason="needs bubblewrap")
QUICK = Sandbox(seconds=1.5, memory_mb=256, disk_mb=8, output_bytes=10_000)


def ran(code: str, limits: Sandbox = QUICK) -> sandbox.Ran:
    return sandbox.run(dedent(code), limits=limits)


def said(code: str) -> str:
    found = ran(code)
    assert (found.exit_code, found.stderr, found.stopped) == (0, "", "")
    return found.stdout.strip()


@needs_bwrap
def test_it_is_available_where_bubblewrap_is():
    assert sandbox.available() is None


@needs_bwrap
def test_what_a_program_prints_and_how_it_ends_is_told():
    found = ran("import sys; print('ä', 6 * 7); sys.stderr.write('oh'); sys.exit(3)")
    assert (found.stdout, found.stderr, found.exit_code, found.stopped) == ("ä 42\n", "oh", 3, "")
    assert 0 < found.seconds < 5
    assert sandbox.run("echo $((6 * 7))", "sh", limits=QUICK).stdout == "42\n"


@needs_bwrap
def test_a_signal_that_ends_it_is_told():
    assert ran("import os; os.abort()").exit_code == -6


@needs_bwrap
@pytest.mark.parametrize(
    "path", [str(ROOT), str(Path.home()), "/etc/passwd", "/home", "/var", "/run", "/sys", "/opt"]
)
def test_nothing_of_ours_is_there(path):
    # Folders on the way to Python's own may be named, and are empty but for it.
    below = confining.PYTHON.startswith(path + "/")
    assert said(f"import os; print(os.path.exists({path!r}))") == str(below)
    if below:
        (only,) = said(f"import os; print(*os.listdir({path!r}))").split()
        assert confining.PYTHON.startswith(f"{path}/{only}")


@needs_bwrap
def test_what_is_shown_is_seen_wherever_it_lies(tmp_path):
    tmp_path.chmod(0o755)
    (tmp_path / "a.txt").write_text("seen")
    code = f"print(open({str(tmp_path / 'a.txt')!r}).read()); open('/tmp/own', 'w')"
    program = [confining.PYTHON, "-I", "-c", code]
    with confining.confined(program, QUICK, shown=[tmp_path]) as (command, descriptors):
        done = subprocess.run(
            command, pass_fds=descriptors, env={}, capture_output=True, check=False, timeout=30
        )
    assert (done.returncode, done.stdout) == (0, b"seen\n")


@needs_bwrap
def test_it_knows_nothing_of_the_servers_environment(monkeypatch):
    monkeypatch.setenv("SAYSO_SECRET", "hush")
    seen = said("""
        import glob, os
        print(sorted(os.environ))
        for path in glob.glob("/proc/[0-9]*/environ"):
            try:
                print(open(path).read())
            except OSError:
                pass
        """)
    assert "hush" not in seen
    assert "SAYSO" not in seen


@needs_bwrap
def test_it_sees_no_process_but_its_own_and_can_signal_none():
    pids = said("import os; print(*[p for p in os.listdir('/proc') if p.isdigit()])").split()
    assert len(pids) <= 3
    code = f"""
        import os, signal
        for pid in [{os.getpid()}, {os.getppid()}, os.getppid(), 1]:
            try:
                os.kill(pid, signal.SIGKILL)
            except OSError:
                pass
        os.kill(-1, signal.SIGKILL)
        """
    ran(code)
    assert psutil.pid_exists(os.getpid())  # and so does the test


@needs_bwrap
@pytest.mark.parametrize("address", [("1.1.1.1", 53), ("127.0.0.1", 22), ("169.254.169.254", 80)])
def test_there_is_no_network(address):
    found = ran(f"import socket; socket.create_connection({address!r}, 1)")
    assert found.exit_code == 1
    assert "unreachable" in found.stderr or "refused" in found.stderr
    assert said("import socket; print(*[n for _, n in socket.if_nameindex()])") == "lo"


@needs_bwrap
def test_servers_of_this_machine_are_not_reached():
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        found = ran(f"import socket; socket.create_connection(('127.0.0.1', {port}), 1)")
    assert "refused" in found.stderr


@needs_bwrap
@pytest.mark.parametrize(
    "path", ["/x", "/usr/x", "/usr/lib/x", "/etc/x", "/dev/x", "/dev/shm/x", "/proc/sys/x", "/code"]
)
def test_only_tmp_can_be_written(path):
    assert ran(f"open({path!r}, 'w').write('x')").exit_code == 1
    assert said("open('/tmp/x', 'w').write('y'); print(open('/tmp/x').read())") == "y"


@needs_bwrap
@pytest.mark.parametrize("name", ["kernel/core_pattern", "kernel/hostname", "vm/drop_caches"])
def test_the_kernels_switches_cannot_be_turned(name):
    assert ran(f"open('/proc/sys/{name}', 'w').write('1')").exit_code == 1


@needs_bwrap
def test_links_lead_nowhere_and_nothing_stays():
    code = """
        import os
        os.symlink('/etc/shadow', '/tmp/link')
        os.symlink('/proc/1/root', '/tmp/root')
        for path in ('/tmp/link', '/tmp/root/etc/shadow', '/proc/1/cwd/etc/shadow'):
            try:
                open(path).read()
            except OSError as error:
                print(type(error).__name__)
        """
    assert set(said(code).split()) <= {"FileNotFoundError", "PermissionError"}
    mark = Path("/tmp") / f"sayso-{os.getpid()}"
    assert said(f"open({str(mark)!r}, 'w').close(); print(1)") == "1"
    assert not mark.exists()
    assert said("import os; print(os.listdir('/tmp'))") == "[]"


@needs_bwrap
def test_it_cannot_become_more_than_it_is():
    seen = said("""
        import ctypes, os
        libc = ctypes.CDLL(None, use_errno=True)
        calls = {
            "ptrace": lambda: libc.ptrace(16, 1, 0, 0),
            "unshare": lambda: libc.unshare(0x10000000),
            "mount": lambda: libc.mount(b"none", b"/tmp", b"tmpfs", 0, 0),
            "chroot": lambda: libc.chroot(b"/tmp"),
            "setns": lambda: libc.setns(0, 0),
            "setuid": lambda: libc.setuid(0) if os.getuid() else -1,
            "memfd": lambda: libc.memfd_create(b"x", 0),
            "personality": lambda: libc.personality(0x0040000),
        }
        print(*[name for name, call in calls.items() if call() != -1])
        for line in open("/proc/self/status"):
            if line.startswith(("Cap", "NoNewPrivs", "Seccomp:")):
                print(line.split()[1].lstrip("0") or "0", end=" ")
        """)
    assert seen.split() == ["0"] * 5 + ["1", "2"]


@needs_bwrap
def test_its_limits_cannot_be_raised():
    found = ran("""
        import resource
        soft, hard = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (hard * 2, hard * 2))
        """)
    assert found.exit_code == 1


@needs_bwrap
def test_a_fork_bomb_is_held_and_ended():
    before = len(psutil.pids())
    found = ran("""
        import os
        while True:
            try:
                os.fork()
            except OSError:
                pass
        """)
    assert found.stopped in ("time", "memory")
    assert found.seconds < 5
    assert len(psutil.pids()) < before + 100


@needs_bwrap
def test_processes_are_counted():
    code = """
        import os, time
        made = 0
        try:
            while True:
                if not os.fork():
                    time.sleep(60)
                made += 1
        except OSError:
            print(made)
        """
    found = ran(code, Sandbox(memory_mb=4096))
    assert 1 < int(found.stdout) < Sandbox().processes


@needs_bwrap
def test_one_process_gets_no_more_memory():
    found = ran("held = []\nwhile True: held.append(bytes(1 << 24))")
    assert found.exit_code == 1
    assert found.stderr.endswith("MemoryError\n")


@needs_bwrap
def test_all_processes_together_get_no_more_memory():
    limits = Sandbox(seconds=20, memory_mb=64)
    found = ran(
        """
        import os, time
        for _ in range(6):
            if not os.fork():
                held = b"x" * 20_000_000
                time.sleep(60)
        time.sleep(60)
        """,
        limits,
    )
    assert found.stopped == "memory"


@needs_bwrap
def test_the_disk_is_small():
    one = "open('/tmp/one', 'wb').write(bytes(9 << 20))"
    many = "[open(f'/tmp/{n}', 'wb').write(bytes(1 << 20)) for n in range(20)]"
    assert all("OSError" in ran(code).stderr for code in (one, many))


@needs_bwrap
@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_endless_output_ends_it(stream):
    found = ran(f"import sys\nwhile True: sys.{stream}.write('x' * 1000)")
    assert found.stopped == "output"
    assert len(getattr(found, stream)) == QUICK.output_bytes
    assert found.seconds < QUICK.seconds


@needs_bwrap
@pytest.mark.parametrize(
    "code",
    [
        "while True: pass",
        "import os, time; os.close(1); os.close(2); time.sleep(60)",
        "import signal, time\nfor n in range(1, 60):\n  try: signal.signal(n, signal.SIG_IGN)\n"
        "  except (OSError, ValueError): pass\ntime.sleep(60)",
    ],
)
def test_its_time_ends(code):
    found = ran(code, Sandbox(seconds=0.7))
    assert found.stopped == "time"
    assert found.seconds < 5


@needs_bwrap
def test_its_processor_time_ends():
    assert ran("while True: pass", Sandbox(seconds=30, cpu_seconds=1)).stopped == "time"


@needs_bwrap
def test_children_do_not_outlive_it():
    before = {p.pid for p in psutil.process_iter()}
    found = ran("""
        import os, time
        if not os.fork():
            os.setsid()
            if not os.fork():
                os.close(1); os.close(2)
                time.sleep(61.25)
        """)
    assert (found.exit_code, found.stopped) == (0, "")
    new = [p for p in psutil.process_iter() if p.pid not in before]
    assert not [p for p in new if _is(p, "/code")]


def _is(process: psutil.Process, word: str) -> bool:
    try:
        return word in process.cmdline()
    except psutil.Error:
        return False


@needs_bwrap
def test_it_ends_with_the_server():
    code = (
        "import sayso.assistant.sandbox as s; from sayso.settings import Sandbox;"
        "s.run('import time; print(1); time.sleep(60)', limits=Sandbox(seconds=60))"
    )
    with subprocess.Popen([sys.executable, "-c", code], start_new_session=True) as server:
        inside: list[psutil.Process] = []
        while not inside and server.poll() is None:
            inside = [
                p for p in psutil.Process(server.pid).children(recursive=True) if _is(p, "/code")
            ]
        server.kill()
    gone, alive = psutil.wait_procs(inside, timeout=10)
    assert gone
    assert not alive


def test_without_a_sandbox_nothing_runs(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "apt-get install bubblewrap" in str(sandbox.available())
    with pytest.raises(MissingPartError) as caught:
        sandbox.run("print(1)")
    assert "apt-get" in caught.value.hint


def test_it_can_be_turned_off():
    with pytest.raises(MissingPartError):
        sandbox.run("print(1)", limits=Sandbox(enabled=False))


@pytest.mark.parametrize(("code", "language"), [("1", "perl"), ("x" * 400_000, "python")])
def test_what_cannot_be_run_is_refused(code, language):
    with pytest.raises(InputError) as caught:
        sandbox.run(code, language)
    assert code not in caught.value.problem or len(code) == 1


def test_output_stays_in_its_block():
    shown = sandbox.markdown(sandbox.Ran("a\n```\n# out\n````\n\x1b[2J", "", 0, 0.1, ""))
    body = shown.split("\n\n", 1)[1]
    assert body.startswith("`````text\n")
    assert body.endswith("\n`````")
    assert "\x1b" not in body
    assert "exit code 2" in sandbox.markdown(sandbox.Ran("", "", 2, 0.1, ""))
    assert "Zeit" in sandbox.markdown(sandbox.Ran("", "", -9, 0.1, "time"), "de")
