"""The reason of an objection, as forms ask for it: a ready sentence, own words, both or neither."""

from typing import Final

from starlette.requests import Request

from sayso.rights.objection import LONGEST_REASON, SUGGESTED_REASONS
from sayso.web.languages import choose
from sayso.web.rendering import translate

LONGEST_OWN_WORDS: Final = (
    LONGEST_REASON
    - 1
    - max(len(reason) for reasons in SUGGESTED_REASONS.values() for reason in reasons)
)


def ready(request: Request) -> tuple[str, ...]:
    """Return the ready sentences in the reader's language."""
    return SUGGESTED_REASONS[choose(request)]


def cleaned(own_words: str) -> str:
    """Return own words as they are counted: browsers send a line break as two characters."""
    return own_words.replace("\r\n", "\n").strip()


def complaint(request: Request, own_words: str) -> dict[str, str]:
    """Return what a form says where own words are too long; nothing else is ever wrong."""
    if len(own_words) <= LONGEST_OWN_WORDS:
        return {}
    text = translate(request, "Please use at most %(count)s characters.", count=LONGEST_OWN_WORDS)
    return {"own_words": text}


def joined(request: Request, chosen: str, own_words: str) -> str:
    """Return the reason; `chosen` is the number of a ready sentence, or anything else for none."""
    sentences = ready(request)
    said = [sentences[int(chosen)]] if chosen in map(str, range(len(sentences))) else []
    return " ".join([*said, own_words]).strip()
