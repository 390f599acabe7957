"""How far a request has come, as OpenDSR says it (section 8)."""

from datetime import UTC, datetime
from typing import Any, Final, Literal

from pydantic import BaseModel, Field

from sayso.rights.agent_requests import AgentRequest, Standing, State

VERSION: Final = "3.0"
Status = Literal["pending", "in_progress", "completed", "cancelled"]
STATUSES: Final[dict[State, Status]] = {
    "waiting": "pending",
    "working": "in_progress",
    "done": "completed",
    "withdrawn": "cancelled",
    "lapsed": "cancelled",
}


class RequestStatus(BaseModel):
    """The status of a request (section 8.3)."""

    controller_id: str = Field(description="The agent's id here.")
    expected_completion_time: str = Field(description="The latest day of the answer (RFC 3339).")
    subject_request_id: str = Field(description="What the controller calls the request.")
    request_status: Status = Field(description="See docs/rights-api.md.")
    api_version: str = Field(default=VERSION, description="The version of the answer's shape.")
    results_url: None = Field(default=None, description="Nothing is handed out here.")


def told(asked: AgentRequest, standing: Standing) -> dict[str, Any]:
    """Return a request's status as JSON has it."""
    return RequestStatus(
        controller_id=asked.agent,
        expected_completion_time=moment(standing.due_at),
        subject_request_id=asked.called,
        request_status=STATUSES[standing.state],
    ).model_dump(mode="json")


def moment(at: datetime) -> str:
    """Return a moment in the form that RFC 3339 has."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
