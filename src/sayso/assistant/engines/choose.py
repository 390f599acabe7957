"""The engine that the settings choose."""

from pathlib import Path

from sayso.assistant.engine import Engine
from sayso.errors import MissingPartError, UsageError
from sayso.settings import Serving
from sayso.training import base
from sayso.workspace import Workspace


def start(workspace: Workspace) -> Engine:
    """Return the engine of `[serving] engine`, which serves nothing yet.

    Raises:
        MissingPartError: something that it needs is not installed, or the base has no such form.
        UsageError: a setting that it needs is missing.
    """
    serving = workspace.settings.serving
    match serving.engine:
        case "remote":
            return _remote(workspace, serving)
        case "transformers":
            from sayso.assistant.engines.transformers import TransformersEngine

            return TransformersEngine(
                base.prepare(workspace).folder,
                threads=serving.threads,
                parallel=serving.parallel,
                context_tokens=serving.context_tokens,
            )
        case _:
            from sayso.assistant.engines.llama import LlamaEngine

            gguf = base.find_gguf(workspace.settings.training.base)
            if gguf is None:
                raise MissingPartError(
                    "the base model is a Hugging Face folder, and llama.cpp needs it as GGUF",
                    'set [training] base to a GGUF file, or [serving] engine = "transformers"',
                )
            return LlamaEngine(
                gguf,
                threads=serving.threads,
                parallel=serving.parallel,
                context_tokens=serving.context_tokens,
            )


def _remote(workspace: Workspace, serving: Serving) -> Engine:
    from sayso.assistant.engines.remote import RemoteEngine
    from sayso.assistant.engines.remote_server import Remote

    if not serving.remote_url or not serving.remote_model:
        raise UsageError(
            "the remote engine needs [serving] remote_url and remote_model", "see docs/engines.md"
        )
    key = ""
    if serving.remote_key_file:
        key = _first_line(workspace.home / serving.remote_key_file)
    return RemoteEngine(
        Remote(serving.remote_url, key),
        serving.remote_model,
        adapters=serving.remote_adapters,
        holds=serving.remote_release,
        owner=workspace.pseudonyms.name("remote-owner", "")[:12],
        folder=serving.remote_folder,
    )


def _first_line(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").partition("\n")[0].strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read {path}", "check [serving] remote_key_file") from error
