"""Charts as pictures, drawn in a process of their own.

A chart stands in an answer, and somebody may have made the assistant repeat it. vl-convert reads
pictures from any address or file that one names, and knows no limits: so what names an address is
refused, and what takes too long or too much memory is ended.
"""

import contextlib
import sysconfig
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import msgspec

from sayso.assistant import sandbox
from sayso.assistant.sandbox.confining import PYTHON, confined
from sayso.assistant.sandbox.watching import watched
from sayso.settings import Sandbox

LARGEST: Final = 5 * 1024 * 1024  # bytes of a picture that every platform takes
SECONDS: Final = 20.0
MEMORY_MB: Final = 1024
Draw = Callable[[dict[str, Any]], bytes]
# As the page's script refuses them (static/chat/charts.js).
_REFUSED: Final = frozenset(
    {"url", "href", "sequence", "graticule", "sphere", "keyvals", "usermeta"}
)
_MIB: Final = 1024 * 1024
_ADDRESSES_MB: Final = 1024 * 1024  # V8 sets aside far more than it uses; what it uses is watched
_FONTS: Final = Path("/usr/share/fonts")
_PACKAGES: Final = tuple(dict.fromkeys(sysconfig.get_path(n) for n in ("purelib", "platlib")))
_CODE: Final = (
    f"import sys; sys.path[:0] = {list(_PACKAGES)!r}; import vl_convert; "
    "sys.stdout.buffer.write(vl_convert.vegalite_to_png("
    "sys.stdin.buffer.read().decode(), scale=2.0, allowed_base_urls=[]))"
)


def drawing() -> Draw | None:
    """Return what makes a PNG of a Vega-Lite chart; None if vl-convert-python is not installed."""
    return draw if find_spec("vl_convert") else None


def draw(spec: dict[str, Any]) -> bytes:
    """Return a Vega-Lite chart as PNG; where there is a sandbox it is drawn there.

    Raises:
        ValueError: it is no chart, names an address, or costs too much.
    """
    _check(spec)
    program: Sequence[str] = [PYTHON, "-I", "-B", "-c", _CODE]
    descriptors: Sequence[int] = ()
    with contextlib.ExitStack() as held:
        if sandbox.available() is None:
            limits = Sandbox(
                cpu_seconds=2 * int(SECONDS),
                memory_mb=_ADDRESSES_MB,
                disk_mb=1,
                processes=64,
                open_files=256,
            )
            shown = [*map(Path, _PACKAGES), *([_FONTS] if _FONTS.is_dir() else [])]
            program, descriptors = held.enter_context(confined(program, limits, shown=shown))
        watch = held.enter_context(
            watched(
                program, descriptors, seconds=SECONDS, memory_bytes=MEMORY_MB * _MIB, talks=True
            )
        )
        pipe_in, pipe_out = watch.process.stdin, watch.process.stdout
        assert pipe_in is not None
        assert pipe_out is not None
        with contextlib.suppress(BrokenPipeError):
            pipe_in.write(msgspec.json.encode(spec))
            pipe_in.close()
        picture = pipe_out.read(LARGEST + 1)
    if not picture.startswith(b"\x89PNG") or len(picture) > LARGEST:
        raise ValueError("the chart cannot be drawn")
    return picture


def _check(part: Any) -> None:
    """Refuse what names an address, or makes endless data from nothing; rows are data alone."""
    if isinstance(part, dict):
        if refused := _REFUSED & part.keys():
            raise ValueError(f"not drawn here: {min(refused)}")
        part = [value for name, value in part.items() if name != "values"]
    if isinstance(part, list):
        for value in part:
            _check(value)
