"""[ingest], [inbox]: how posts come in by HTTP."""

from typing import Annotated

from msgspec import Meta, Struct


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
