"""Every error Sayso raises on purpose.

SaysoError                  exit 1   a step failed
├── UsageError              exit 2   the call or the settings are wrong
├── InputError              exit 3   a file or line could not be taken (all of it, or some)
│   └── RefusedError        exit 3   a source holds nothing but private messages
├── IntegrityError          exit 4   a hash, signature or chain does not match
├── MissingPartError        exit 5   a package or model that this step needs is not installed
├── WorkspaceError          exit 6   the workspace is missing, busy or made by another version
└── SupersededError         exit 7   work was given up for something more urgent; nothing is lost
"""


class SaysoError(Exception):
    """Base of all errors: what was got, what was expected, and the next command.

    Args:
        problem: what was got and what was expected; never holds a member's words or names.
        hint: the next thing to do, preferably a command.
    """

    exit_code = 1

    def __init__(self, problem: str, hint: str = "") -> None:
        super().__init__(problem)
        self.problem = problem
        self.hint = hint


class UsageError(SaysoError):
    """The call or the settings are wrong."""

    exit_code = 2


class InputError(SaysoError):
    """Something handed in could not be taken."""

    exit_code = 3


class RefusedError(InputError):
    """A source holds nothing but private messages; nothing of it was stored."""


class IntegrityError(SaysoError):
    """A hash, signature or chain does not match what it should."""

    exit_code = 4


class MissingPartError(SaysoError):
    """A package or model that this step needs is not installed."""

    exit_code = 5


class WorkspaceError(SaysoError):
    """The workspace is missing, busy or was made by another version."""

    exit_code = 6


class SupersededError(SaysoError):
    """Work was given up for something more urgent; what was finished is kept."""

    exit_code = 7
