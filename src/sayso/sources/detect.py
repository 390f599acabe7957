"""Which files of a path are sources, told by their content, not by their names."""

from pathlib import Path

from sayso.errors import InputError

LOOKED_AT = 64 * 1024


def find_files(path: Path) -> tuple[list[Path], list[Path]]:
    """Return the JSON Lines files under `path`, in name order, and the files passed over.

    Raises:
        InputError: there is nothing at `path`, or a file that was named is no JSON Lines.
    """
    if path.is_file():
        if not is_jsonl(path):
            raise InputError(
                f"{path.name} is not JSON Lines: its first line is no JSON object",
                "see docs/import.md for the formats that can be imported",
            )
        return [path], []
    if not path.is_dir():
        raise InputError(f"nothing to import at {path}", "check the path")
    files = sorted(p for p in path.rglob("*") if p.is_file() and not p.is_symlink())
    sources = [p for p in files if p.suffix in (".jsonl", ".ndjson") and is_jsonl(p)]
    if not sources:
        raise InputError(f"no JSON Lines files (*.jsonl, *.ndjson) in {path}", "see docs/import.md")
    # What must be read first to judge the rest: accounts before their posts.
    sources.sort(key=lambda p: (p.stem != "accounts", p))
    return sources, sorted(set(files) - set(sources))


def is_jsonl(path: Path) -> bool:
    """Whether the file's first line opens a JSON object (or the file is empty)."""
    try:
        with path.open("rb") as file:
            head = file.read(LOOKED_AT).removeprefix(b"\xef\xbb\xbf").lstrip()
    except OSError as error:
        raise InputError(f"{path.name} cannot be read: {error.strerror}") from error
    return not head or head.startswith(b"{")
