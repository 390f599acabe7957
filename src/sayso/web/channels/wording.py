"""What messengers are told besides answers: who speaks, where to object, what cannot be read."""

from typing import Final

from sayso.assistant.markdown import in_line
from sayso.assistant.retrieval import Source
from sayso.web.languages import LANGUAGES, translations

MOST_SOURCES: Final = 3


class Words:
    """The sentences of one installation.

    Args:
        community: its name.
        url: the address of its pages.
        language: where a platform tells no language that there are sentences in.
    """

    def __init__(self, community: str, url: str, language: str) -> None:
        self._community = community
        self._url = url.rstrip("/")
        self._default = language

    def language(self, told: str) -> str:
        """Return the language for somebody of whom a platform tells one, as 'de-at'."""
        first = told.replace("_", "-").partition("-")[0].lower()
        return first if first in LANGUAGES else self._default

    def greeting(self, language: str) -> str:
        """Say, before anything else, that an AI speaks (AI Act, Art. 50(1)); and how to object."""
        _ = translations(language).gettext
        said = _(
            "I am an AI, the assistant of %(community)s: I answer from what members posted, and "
            "can be wrong. What you write to me trains nothing. If your posts shall stay out of "
            "the AI, object in a minute: %(link)s"
        )
        return said % {"community": self._community, "link": self._link(language)}

    def help(self, language: str) -> str:
        """Say what one can ask for."""
        _ = translations(language).gettext
        return "\n\n".join(
            (
                _("Ask me anything about what members of %(community)s posted.")
                % {"community": self._community},
                "\n".join(
                    (
                        "- /object: " + _("keep your posts out of the AI"),
                        "- /new: " + _("begin anew; what was said before is forgotten"),
                        "- /help: " + _("this list"),
                    )
                ),
            )
        )

    def objecting(self, language: str) -> str:
        """Say where to object."""
        _ = translations(language).gettext
        said = _(
            "Object here, in a minute, without a login and without a reason: %(link)s – you get "
            "a receipt at once, and the AI forgets your posts."
        )
        return said % {"link": self._link(language)}

    def anew(self, language: str) -> str:
        """Say that a talk was forgotten."""
        return translations(language).gettext("All right, we begin anew.")

    def unreadable(self, language: str) -> str:
        """Say that something is of a kind that cannot be read."""
        _ = translations(language).gettext
        return _(
            "I cannot read pictures and sounds yet, nor files without a question written to them: "
            "please write it in words."
        )

    def slow_down(self, language: str) -> str:
        """Say that somebody writes faster than is answered."""
        _ = translations(language).gettext
        return _("That is more than I can answer in a minute: please write again a little later.")

    def too_long(self, language: str) -> str:
        """Say that a question is too long."""
        return translations(language).gettext("That is too long for me: please ask in fewer words.")

    def failed(self, language: str) -> str:
        """Say that there is no answer now."""
        _ = translations(language).gettext
        return _("I cannot answer right now: please try again in a few minutes.")

    def sources(self, sources: list[Source], language: str) -> str:
        """Return a line that names the posts of an answer: author, service, day, and the link."""
        named = " · ".join(_named(source) for source in sources[:MOST_SOURCES])
        return f"{translations(language).gettext('Sources')}: {named}" if named else ""

    def _link(self, language: str) -> str:
        return f"{self._url}/object?lang={language}"


def _named(source: Source) -> str:
    said = in_line(f"@{source.handle.removeprefix('@')} ({source.service}, {source.date[:10]})")
    return f"{said} <{source.link}>" if _is_address(source.link) else said


def _is_address(name: str) -> bool:
    return name.startswith("https://") and not any(sign in name for sign in "<> \n")
