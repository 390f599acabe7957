"""The columns of the Lance tables."""

from typing import Final

import pyarrow as pa

_MOMENT: Final = pa.timestamp("us", tz="UTC")

RECORDS: Final = pa.schema(
    [
        ("id", pa.string()),
        ("key", pa.uint64()),  # pseudonym of the id
        ("rev", pa.int64()),
        ("service", pa.string()),
        ("surface", pa.string()),
        ("author", pa.string()),
        ("account_key", pa.uint64()),  # 0 = no author
        ("co_authors", pa.int32()),
        ("audience", pa.string()),
        ("audience_source", pa.string()),
        ("created_at", _MOMENT),
        ("ingested_at", _MOMENT),
        ("date_state", pa.string()),
        ("edited_at", _MOMENT),
        ("language", pa.string()),
        ("text", pa.string()),
        ("content_warning", pa.string()),
        ("sensitive", pa.bool_()),
        ("media", pa.string()),  # JSON
        ("reply_to", pa.string()),
        ("reply_key", pa.uint64()),
        ("quote_of", pa.string()),
        ("quote_key", pa.uint64()),
        ("container", pa.string()),
        ("mentions", pa.list_(pa.string())),
        ("tags", pa.list_(pa.string())),
        ("url", pa.string()),
        ("train_signal", pa.string()),
        ("print_key", pa.uint64()),  # its row in the fingerprints
        ("license", pa.string()),
        ("source", pa.string()),
    ]
)

# Kept when a record goes, or else an objection would bring a copied text back (keyed: no text).
FINGERPRINTS: Final = pa.schema(
    [
        ("key", pa.uint64()),
        ("account_key", pa.uint64()),
        ("exact", pa.uint64()),
        ("signature", pa.list_(pa.uint32(), 64)),
        ("long", pa.bool_()),
    ]
)

INTERACTIONS: Final = pa.schema(
    [
        ("key", pa.uint64()),
        ("account_key", pa.uint64()),  # of who reacted
        ("verb", pa.string()),
        ("object_key", pa.uint64()),
        ("value", pa.float64()),
        ("unit", pa.string()),
        ("at", _MOMENT),
    ]
)

CORPUS: Final = pa.schema(
    [
        ("key", pa.uint64()),
        ("rev", pa.int64()),
        ("account_key", pa.uint64()),
        ("service", pa.string()),
        ("written", _MOMENT),
        ("language", pa.string()),
        ("text", pa.string()),
        ("masked", pa.string()),  # JSON: counts by kind
        ("exact", pa.uint64()),
        ("treatment", pa.uint64()),  # which names were masked; 0 = none
    ]
)

RETRIEVAL: Final = pa.schema(
    [
        ("key", pa.uint64()),
        ("rev", pa.int64()),
        ("account_key", pa.uint64()),
        ("id", pa.string()),
        ("handle", pa.string()),
        ("service", pa.string()),
        ("written", _MOMENT),
        ("language", pa.string()),
        ("text", pa.string()),
        ("treatment", pa.uint64()),
        ("url", pa.string()),
        ("terms", pa.string()),  # what the text is found by, see `corpus/terms`
    ]
)


def vectors(width: int) -> pa.Schema:
    """Return the columns of the vectors' table: what pieces of answerable texts mean.

    A vector tells roughly what a text says, so it is personal data and goes with its record.
    """
    return pa.schema(
        [
            ("key", pa.uint64()),  # of the record; each piece of its text has a row
            ("rev", pa.int64()),
            ("account_key", pa.uint64()),
            ("treatment", pa.uint64()),
            ("piece", pa.int32()),
            ("model", pa.string()),
            ("vector", pa.list_(pa.float16(), width)),  # of length 1
        ]
    )
