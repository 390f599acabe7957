"""Files that people send along: fetched from the platform itself, and taken if they are readable.

Pictures, sounds and films are not fetched: the assistant cannot read them yet.
"""

import logging
from typing import Final, Protocol

from anyio import to_thread

from sayso.assistant import uploads
from sayso.assistant.conversation import Inbound, Upload
from sayso.errors import SaysoError
from sayso.settings import Uploads

MOST_FILES: Final = 3
UNREAD: Final = ("image/", "audio/", "video/")
log = logging.getLogger("sayso.channels")


class Fetching(Protocol):
    """Fetches files of a platform."""

    async def fetch(self, upload: Upload, most: int) -> bytes:
        """Return a file of at most so many bytes."""


async def taken(
    message: Inbound, platform: Fetching, limits: Uploads
) -> tuple[uploads.Upload, ...]:
    """Return the files of a message that the assistant can read.

    Args:
        message: what was sent.
        platform: where from.
        limits: the section [uploads] of the settings.
    """
    found = []
    for upload in message.uploads[:MOST_FILES]:
        if not upload.name or upload.media_type.startswith(UNREAD):
            continue
        try:
            data = await platform.fetch(upload, limits.max_bytes)
            found.append(await to_thread.run_sync(uploads.accept, upload.name, data, limits))
        except SaysoError as error:
            log.info("a file on %s was not taken: %s", message.channel, error.problem)
    return tuple(found)
