"""Calls that tell agents of their requests' steps, by the protocol that each request came by."""

import msgspec

from sayso.rights import agent_requests
from sayso.rights.calls import Call
from sayso.rights.database import Rights
from sayso.rights.outbox import Letter
from sayso.web.drp import status as drp
from sayso.web.opendsr import certificate
from sayso.web.opendsr import status as opendsr


def written(rights: Rights, letter: Letter) -> Call | None:
    """Return what a call to an agent says: how far its request has come by now.

    None for calls about requests that no agent made.
    """
    with rights.reading() as connection:
        asked = agent_requests.find(connection, letter.request)
        if asked is None:
            return None
        standing = agent_requests.standing(connection, asked.request)
    if asked.protocol == "drp":
        url = rights.workspace.settings.mail.url.rstrip("/")
        return Call(msgspec.json.encode(drp.told(asked, standing, url)))
    told = opendsr.told(asked, standing) | {"status_callback_url": letter.target}
    body = msgspec.json.encode(told)
    headers = certificate.processor(rights.workspace).headers(body)
    return Call(body, tuple(headers.items()))
