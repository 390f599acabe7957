"""The parts of a message: text, and files that come along within the request.

A file is `{"type": "file", "file": {"filename": "…", "file_data": "data:<type>;base64,…"}}`, as in
OpenAI's API (openapi.json, 2026-08). Nothing is ever fetched from an address.
"""

import base64
import binascii
import re
from collections.abc import Sequence
from typing import Any, Final

from sayso.assistant.uploads import Upload, accept
from sayso.errors import InputError
from sayso.settings import Uploads
from sayso.web.failures import ApiError

MOST_FILES: Final = 16
Content = str | list[dict[str, Any]] | None
_DATA: Final = re.compile(r"data:[\w.+/-]*(?:;[\w=.+-]*)*;base64,")


def text(content: Content, param: str) -> str:
    """Return what a message says.

    Args:
        content: text, or parts.
        param: its place, for errors.

    Raises:
        ApiError: 400; a part is no text and no file.
    """
    if isinstance(content, list):
        said = [_said(part, param) for part in content]
        return "\n".join(part for part in said if part is not None)
    return content or ""


def files(content: Content) -> list[dict[str, Any]]:
    """Return the parts that are files."""
    parts = content if isinstance(content, list) else []
    return [part for part in parts if part.get("type") in ("file", "input_file")]


def uploads(contents: Sequence[Content], limits: Uploads) -> tuple[Upload, ...]:
    """Return the files of all messages, each once; clients send them again with each question.

    Raises:
        ApiError: 400; one is not given within the request, or not accepted.
    """
    found: dict[Upload, None] = {}
    for index, content in enumerate(contents):
        for part in files(content):
            found[_upload(part, f"messages[{index}].content", limits)] = None
    if len(found) > MOST_FILES:
        raise ApiError(f"more than {MOST_FILES} files in a conversation", param="messages")
    return tuple(found)


def _said(part: dict[str, Any], param: str) -> str | None:
    match part:
        case {"type": "text" | "input_text" | "refusal"}:
            said = part.get("refusal" if part["type"] == "refusal" else "text")
            if isinstance(said, str):
                return said
            raise ApiError(f"`{param}`: a text part needs `text`, a string", param=param)
        case {"type": "file" | "input_file"}:
            return None
        case {"type": "image_url" | "input_image" | "image"}:
            raise ApiError(
                f"`{param}`: this model reads text only, got a picture: send text parts",
                param=param,
            )
        case _:
            raise ApiError(f"`{param}`: expected parts of the types 'text', 'file'", param=param)


def _upload(part: dict[str, Any], param: str, limits: Uploads) -> Upload:
    match part:
        case {"file": {"filename": str(name), "file_data": str(data)}}:
            pass
        case {"filename": str(name), "file_data": str(data)}:
            pass
        case _:
            raise ApiError(
                f"`{param}`: a file needs `filename` and `file_data`, a data: address; files are "
                "neither kept here nor fetched",
                param=param,
            )
    begun = _DATA.match(data)
    try:
        if begun is None:
            raise ApiError(f"`{param}`: expected `file_data` as data:<type>;base64,…", param=param)
        raw = base64.b64decode(data[begun.end() :], validate=True)
        return accept(name, raw, limits)
    except (binascii.Error, ValueError) as error:
        raise ApiError(f"`{param}`: `file_data` is not valid base64", param=param) from error
    except InputError as error:
        hint = f"; {error.hint}" if error.hint else ""
        raise ApiError(f"`{param}`: {error.problem}{hint}", param=param) from error
