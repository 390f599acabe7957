"""How far a request has come, as the Data Rights Protocol says it (sections 3.02 and 3.03)."""

from datetime import datetime
from typing import Any, Final, Literal
from uuid import UUID

from pydantic import BaseModel, Field

from sayso.rights.agent_requests import AgentRequest, Standing, State
from sayso.rights.claims import LAPSES_AFTER

# Other statuses and reasons of section 3.02 are never given here: nothing is `open`, since what
# comes is acted on at once; nobody is denied for `no_match`, since an objection of an unknown
# account holds for what arrives later.
Status = Literal["in_progress", "fulfilled", "revoked", "denied"]
Reason = Literal["need_user_verification", "insuf_verification"]
STATUSES: Final[dict[State, tuple[Status, Reason | None, str]]] = {
    "waiting": (
        "in_progress",
        "need_user_verification",
        "Nothing new is trained on from now on. The models forget once the person shows that the "
        "account is theirs: by the letter, or by signing in at user_verification_url.",
    ),
    "working": (
        "in_progress",
        None,
        "Confirmed. Nothing is trained on any more, and what the models learned is taken out.",
    ),
    "done": ("fulfilled", None, "The model is one without this person, and stays so."),
    "withdrawn": ("revoked", None, "The objection was withdrawn."),
    "lapsed": (
        "denied",
        "insuf_verification",
        "Nobody showed in time that the account is theirs. The person may object again.",
    ),
}
NOT_CALLED: Final = " The status_callback is at no host of this agent's: it is not called."


class ExerciseStatus(BaseModel):
    """The status of a request (section 3.03); fields that do not apply are left out."""

    request_id: str = Field(description="Names the request here.")
    agent_request_id: str | None = Field(default=None, description="What the agent calls it.")
    received_at: datetime = Field(description="It holds from this moment.")
    expected_by: datetime = Field(description="The latest day of the answer (GDPR Art. 12(3)).")
    status: Status = Field(description="See docs/rights-api.md.")
    reason: Reason | None = Field(default=None, description="Why it waits, or was denied.")
    processing_details: str = Field(description="The same for people.")
    user_verification_url: str | None = Field(
        default=None,
        description="Where the person signs in and confirms; only while that is missing.",
    )
    expires_at: datetime | None = Field(default=None, description="Until when they may confirm.")


def told(
    asked: AgentRequest, standing: Standing, address: str, *, called: bool = True
) -> dict[str, Any]:
    """Return a request's status as JSON has it.

    Args:
        asked: the request.
        standing: how far it has come.
        address: where our pages are; '' where that is not known.
        called: whether its status callback is one that may be called.
    """
    status, reason, details = STATUSES[standing.state]
    if standing.because and standing.state == "working":
        details = f"{details} It takes longer: {standing.because}"
    is_waiting = standing.state == "waiting"
    said = ExerciseStatus(
        request_id=str(UUID(asked.request)),
        agent_request_id=asked.called or None,
        received_at=standing.received_at,
        expected_by=standing.due_at,
        status=status,
        reason=reason,
        processing_details=details + ("" if called else NOT_CALLED),
        user_verification_url=f"{address}/object/{standing.number}"
        if is_waiting and address
        else None,
        expires_at=standing.received_at + LAPSES_AFTER if is_waiting else None,
    )
    return said.model_dump(mode="json", exclude_none=True)
