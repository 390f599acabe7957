"""robots.txt that shuts out the crawlers of those who train (RFC 9309).

It addresses strangers: on a service of one's own it is for the operator to say whether it counts
(`Readings.signals` without 'robots-bots').
"""

from typing import Final

from sayso.rights.signals import robots
from sayso.rights.signals.model import Statement, said

# Agents that gather for training, by what their makers say of them.
AGENTS: Final = frozenset(
    "ai2bot amazonbot anthropic-ai applebot-extended bytespider ccbot claude-web claudebot"
    " cohere-ai cohere-training-data-crawler diffbot facebookbot google-extended gptbot img2dataset"
    " meta-externalagent omgili omgilibot pangubot timpibot velenpublicwebcrawler webzio-extended"
    " sayso".split()
)


def robots_txt(data: bytes, path: str = "/") -> list[Statement]:
    """Return a no for each such agent that is named and may not read a path; there is no yes."""
    found = robots.groups(data)
    named = {agent for group in found for agent in group.agents} & AGENTS
    return [
        said(
            "robots-bots", "deny", where="robots.txt", raw=f"User-agent: {agent}\nDisallow: {path}"
        )
        for agent in sorted(named)
        if _is_shut(robots.rules_for(found, agent), path)
    ]


def _is_shut(rules: list[robots.Rule], path: str) -> bool:
    """Whether the longest rule shuts a path; of equal ones that which allows counts."""
    listed = [(r.value, r.name) for r in rules if r.name in ("allow", "disallow") and r.value]
    best = robots.best(listed, path)
    return bool(best) and all(name == "disallow" for _, name in best)
