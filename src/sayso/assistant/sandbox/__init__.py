"""A place where foreign code runs: no network, no files of ours, little memory and time.

`run` is for code that a member or a model wrote; `available` says whether there is such a place
here. Without it nothing runs. `docs/sandbox.md` says what holds it and what does not.
"""

from sayso.assistant.sandbox.confining import available
from sayso.assistant.sandbox.running import Ran, markdown, run

__all__ = ["Ran", "available", "markdown", "run"]
