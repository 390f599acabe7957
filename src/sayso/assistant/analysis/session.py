"""Tables that can be asked: a process of its own for each analysis, ended with it."""

import contextlib
import sysconfig
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

import sayso
from sayso.assistant import sandbox
from sayso.assistant.analysis.tables import Rows, Table
from sayso.assistant.sandbox.confining import PYTHON, confined
from sayso.assistant.sandbox.watching import Watched, watched
from sayso.assistant.uploads import Upload
from sayso.errors import InputError, MissingPartError
from sayso.settings import Analysis, Sandbox

_MIB: Final = 1024 * 1024
_PACKAGES: Final = tuple(dict.fromkeys(sysconfig.get_path(n) for n in ("purelib", "platlib")))
_SOURCE: Final = Path(sayso.__file__).resolve().parent
_LONGEST_REPLY: Final = 64 * _MIB
# Libraries set aside far more addresses than they use; what they use is watched.
_ADDRESSES_MB: Final = 16 * 1024


class _Wire(Struct):
    """What the other side sends; it is not trusted to be well-formed."""

    tables: tuple[Table, ...] = ()
    rows: Rows | None = None
    problem: str = ""
    hint: str = ""


class Session:
    """Tables in their process.

    Args:
        watch: the process.
        tables: what it has read.
    """

    def __init__(self, watch: Watched) -> None:
        self._watch = watch
        self.tables: tuple[Table, ...] = ()

    @property
    def has_ended(self) -> bool:
        """Whether its process is gone, so that nothing more can be asked."""
        return bool(self._watch.stopped) or self._watch.process.poll() is not None

    def query(self, sql: str, rows: int) -> Rows:
        """Run one SELECT and return its first rows.

        Raises:
            InputError: it is no single SELECT, names what is not there, reaches for what is not
                its own, or costs too much.
        """
        reply = self._ask(msgspec.msgpack.encode({"sql": sql, "rows": rows}))
        if reply.rows is None:
            raise self._ended()
        return reply.rows

    def load(self, uploads: Sequence[Upload], limits: Analysis) -> None:
        """Hand over the files; must come first.

        Raises:
            InputError: one cannot be read.
        """
        frame = msgspec.msgpack.encode({"uploads": list(uploads), "limits": limits})
        self.tables = self._ask(frame).tables

    def _ask(self, data: bytes) -> _Wire:
        pipe_in, pipe_out = self._watch.process.stdin, self._watch.process.stdout
        assert pipe_in is not None
        assert pipe_out is not None
        try:
            pipe_in.write(len(data).to_bytes(4, "big") + data)
            pipe_in.flush()
            length = int.from_bytes(pipe_out.read(4), "big")
            answer = pipe_out.read(length) if length <= _LONGEST_REPLY else b""
            reply = msgspec.msgpack.decode(answer, type=_Wire)
        except (BrokenPipeError, msgspec.DecodeError) as error:
            raise self._ended() from error
        if reply.problem:
            raise InputError(reply.problem, reply.hint)
        return reply

    def _ended(self) -> InputError:
        reasons = {
            "time": "the query took too long",
            "memory": "the query needs too much memory",
        }
        problem = reasons.get(self._watch.stopped, "the tables could not be read")
        return InputError(problem, "ask for less at once, or hand in less")


@contextlib.contextmanager
def session(uploads: Sequence[Upload], limits: Analysis) -> Iterator[Session]:
    """Read tables in a process that is ended when the block is left.

    Where there is a sandbox it runs there; else the process is locked by its own limits alone.

    Raises:
        InputError: a file cannot be read.
        MissingPartError: DuckDB is not installed.
    """
    if not uploads or not all(upload.is_table for upload in uploads):
        raise InputError("the file holds no table", "hand in CSV, XLSX, Parquet or JSON")
    if not _installed():
        raise MissingPartError("duckdb is not installed", "pip install 'sayso[serve]'")
    paths = [str(_SOURCE.parent), *_PACKAGES]
    code = (
        f"import sys; sys.path[:0] = {paths!r}; "
        "from sayso.assistant.analysis.process import main; main()"
    )
    program = [PYTHON, "-I", "-B", "-c", code]
    with contextlib.ExitStack() as held:
        descriptors: Sequence[int] = ()
        if sandbox.available() is None:
            confines = Sandbox(
                cpu_seconds=min(600, int(limits.seconds) + 1),
                memory_mb=_ADDRESSES_MB,
                disk_mb=1,
                processes=64,
                open_files=256,
            )
            shown = [_SOURCE, *map(Path, _PACKAGES)]
            program, descriptors = held.enter_context(confined(program, confines, shown=shown))
        # What it complains of may quote cells, and nobody reads it.
        watch = held.enter_context(
            watched(
                program,
                descriptors,
                seconds=limits.seconds,
                memory_bytes=limits.memory_mb * _MIB,
                talks=True,
            )
        )
        made = Session(watch)
        made.load(uploads, limits)
        yield made


def _installed() -> bool:
    from importlib.util import find_spec

    return find_spec("duckdb") is not None
