"""How the command line shows results: tables for people, one JSON object for programs.

Results go to stdout; progress and logs go to stderr.
"""

from sayso.report.console import (
    as_object,
    as_text,
    bytes_progress,
    cells_progress,
    err,
    log_to_stderr,
    out,
    plain,
    table,
)
from sayso.report.objections import (
    doubtful,
    objected,
    objection_list,
    reasons,
    receipt,
    reviewed,
)
from sayso.report.results import (
    explanation,
    imported,
    overview,
    policy,
    policy_diff,
    policy_history,
    serving,
    trained,
    verdict,
    verdicts,
)

__all__ = [
    "as_object",
    "as_text",
    "bytes_progress",
    "cells_progress",
    "doubtful",
    "err",
    "explanation",
    "imported",
    "log_to_stderr",
    "objected",
    "objection_list",
    "out",
    "overview",
    "plain",
    "policy",
    "policy_diff",
    "policy_history",
    "reasons",
    "receipt",
    "reviewed",
    "serving",
    "table",
    "trained",
    "verdict",
    "verdicts",
]
