"""What an objection is (GDPR Art. 21), and what is handed in to make one."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from msgspec import Struct
from sqlalchemy import Row

from sayso.errors import UsageError
from sayso.rights.requests import Contact

ALL_SERVICES: Final = "*"
LONGEST_REASON: Final = 2000
# GDPR Art. 12(3): one month to say what was done. The effect itself does not wait for it.
ANSWER_WITHIN: Final = timedelta(days=30)
# What came longer ago than this was hardly meant to wait: rather a slip in the date.
OLDEST: Final = timedelta(days=366)
# Stands in the numbers of copies, behind that of the objection that they were made of.
COPY_MARK: Final = "-R"
# A claim becomes an objection for each name and service, and each is signed four times.
MOST_OF_ONE_CLAIM: Final = 100
OWN: Final = "own"
ITEMS: Final = "items"
DEPICTED: Final = "depicted"

# The reasons that people commonly give, as suggestions; none is judged, none is required.
SUGGESTED_REASONS: Final[dict[str, tuple[str, ...]]] = {
    "de": (
        "Ich bin kreativ tätig und möchte nicht, dass meine Werke kommerzieller KI dienen.",
        "Ich möchte aus Gründen des Datenschutzes nicht, dass meine Daten für KI genutzt werden.",
        "Ich fürchte, dass meine Worte oder Bilder durch KI missbraucht werden.",
        "Ich habe die Inhalte selbst geschaffen und erteile für KI-Training keine Lizenz.",
    ),
    "en": (
        "I do creative work and do not want it to serve commercial AI.",
        "For reasons of data protection I do not want my data to be used for AI.",
        "I fear that my words or pictures will be misused through AI.",
        "I am the author of my content and give no licence for AI training.",
    ),
}


class Objection(Struct, frozen=True):
    """One objection as `tables.objections` has it; `service` is '*' for all services."""

    number: str
    request: str
    person: str
    service: str
    about: str
    reason: str
    channel: str
    received_at: datetime
    due_at: datetime
    state: str
    confirmed_at: datetime | None
    confirmed_by: str
    bound_seq: int
    withdrawn_at: datetime | None
    evidence: str
    receipt: str

    @property
    def is_copy(self) -> bool:
        """Whether it was made of another for an account that this one holds for since."""
        return COPY_MARK in self.number

    @property
    def stands(self) -> bool:
        """Whether it was neither withdrawn nor has lapsed."""
        return self.withdrawn_at is None and self.state != "lapsed"

    @classmethod
    def of(cls, row: Row[*tuple[Any, ...]]) -> "Objection":
        """Return the objection of a row of `tables.objections`."""
        fields = dict(row._mapping)
        return cls(**fields | {"received_at": fields["received_at"].astimezone(UTC)})


class Step(Struct, frozen=True):
    """One step; `release` and its hash only where models were cleared."""

    number: str
    state: str
    release: str
    release_hash: str
    at: datetime
    signature: str


class Given(Struct, frozen=True, kw_only=True):
    """What somebody hands in.

    `name` is a person's id or any of their accounts; unknown ones are accepted too and hold for
    whatever arrives later. `others` are further names, each with objections of its own within the
    same request; `typed` is how all of them were typed, which is all that a claim's receipt tells.
    `reason` is one sentence, recorded, never judged, and may be empty.
    `confirmed_by` says who showed that it comes from the person: 'member' (signed in), 'service'
    (of the operator, by its key), 'operator', 'agent', 'signal'; '' for nobody yet. `contact` is
    whom to tell of its steps. `received_at` is when it came, if earlier than now, as with a letter:
    the deadline counts from there.
    """

    name: str
    others: tuple[str, ...] = ()
    typed: tuple[str, ...] = ()
    services: tuple[str, ...] = (ALL_SERVICES,)
    about: str = OWN
    reason: str = ""
    channel: str = "command line"
    confirmed_by: str = "operator"
    evidence: str = ""
    contact: Contact = Contact()
    received_at: datetime | None = None

    @property
    def names(self) -> tuple[tuple[str, str], ...]:
        """Each name once, with how it was typed; two ways to type one name stay two."""
        names = (self.name, *self.others)
        return tuple(dict.fromkeys(zip(names, self.typed or names, strict=True)))

    def check(self) -> None:
        """Raise UsageError if there is no name or service, or the reason is too long."""
        if not all(name.strip() for name in (self.name, *self.others)):
            raise UsageError("an objection needs the person's id or account, got an empty name")
        if len(self.reason) > LONGEST_REASON:
            raise UsageError(
                f"the reason has {len(self.reason)} characters, at most {LONGEST_REASON} fit"
            )
        if not self.services or not all(self.services):
            raise UsageError("an objection names its services, or '*' for all; got none")
        if not self.confirmed_by and len(self.names) * len(self.services) > MOST_OF_ONE_CLAIM:
            raise UsageError(
                f"more than {MOST_OF_ONE_CLAIM} objections at once", "name '*' for all services"
            )
        if self.received_at is not None:
            _check_received(self.received_at)


def _check_received(at: datetime) -> None:
    if at.tzinfo is None:
        raise UsageError("the moment that an objection came needs its zone", "as in …T09:30+00:00")
    present = datetime.now(UTC)
    if not present - OLDEST <= at <= present:
        raise UsageError(
            "an objection came at most a year ago, and not later than now", "check the date"
        )
