"""Bodies that programs send: inflated, limited, and cut into lines."""

import zlib
from collections.abc import AsyncIterator, Iterator
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request

from sayso.sources.lines import LONGEST_LINE
from sayso.sources.packed import HIGHEST_RATIO, NEVER_A_BOMB

PIECE: Final = 64 * 1024
_BOM: Final = b"\xef\xbb\xbf"
_GZIP: Final = 16 + zlib.MAX_WBITS


async def chunks(request: Request, limit: int) -> AsyncIterator[bytes]:
    """Yield a body's bytes as they come, gzip undone (RFC 1952).

    Args:
        request: whose body it is.
        limit: the most bytes, once inflated.

    Raises:
        HTTPException: 413, it is longer or packed as only bombs are; 415, it is packed in another
            way; 400, it is damaged.
    """
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("", "identity", "gzip", "x-gzip"):
        raise HTTPException(415, "unknown Content-Encoding; expected gzip or none")
    gzip = _Gzip() if "gzip" in encoding else None
    packed = inflated = 0
    async for chunk in request.stream():
        packed += len(chunk)
        for part in gzip.feed(chunk) if gzip else (chunk,):
            inflated += len(part)
            if inflated > limit:
                raise HTTPException(413, f"the body is longer than {limit} bytes")
            if inflated > NEVER_A_BOMB and inflated > HIGHEST_RATIO * packed:
                raise HTTPException(413, f"the body is packed more than {HIGHEST_RATIO}:1")
            yield part
    if gzip and packed and not gzip.ended:
        raise HTTPException(400, "the gzip body ends too early")


async def whole(request: Request, limit: int) -> bytes:
    """Return a body; raises as `chunks` does."""
    return b"".join([chunk async for chunk in chunks(request, limit)])


class Lines:
    """Cuts chunks into lines with their numbers; blank ones are left out.

    A line that is longer than any may be comes as None, and its bytes are not kept.
    """

    def __init__(self) -> None:
        self._rest = bytearray()
        self._too_long = False
        self._number = 0

    def feed(self, chunk: bytes) -> Iterator[tuple[int, bytes | None]]:
        """Yield the lines that end in this chunk."""
        *ending, rest = chunk.split(b"\n")
        for part in ending:
            if part or self._rest or self._too_long:
                self._add(part)
                yield from self.end()
            else:
                self._number += 1
        self._add(rest)

    def end(self) -> Iterator[tuple[int, bytes | None]]:
        """Yield the line that is not ended yet: it ends here."""
        self._number += 1
        line = bytes(self._rest)
        if self._number == 1:
            line = line.removeprefix(_BOM)
        line = line.strip()
        if self._too_long:
            yield self._number, None
        elif line:
            yield self._number, line
        self._rest.clear()
        self._too_long = False

    def _add(self, part: bytes) -> None:
        self._too_long |= len(self._rest) + len(part) > LONGEST_LINE
        if self._too_long:
            self._rest.clear()
        else:
            self._rest += part


class _Gzip:
    """Inflates piece by piece, so that no chunk becomes larger than what was allowed for it."""

    def __init__(self) -> None:
        self._inflate = zlib.decompressobj(_GZIP)

    @property
    def ended(self) -> bool:
        return self._inflate.eof

    def feed(self, data: bytes) -> Iterator[bytes]:
        while data:
            if self._inflate.eof:  # several members in a row are one file
                self._inflate = zlib.decompressobj(_GZIP)
            try:
                part = self._inflate.decompress(data, PIECE)
            except zlib.error as error:
                raise HTTPException(400, "the body is no gzip, or it is damaged") from error
            data = self._inflate.unconsumed_tail or self._inflate.unused_data
            yield part
