"""Counters in Prometheus' text format 0.0.4; sums only, nothing about a person."""

import threading
from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from sayso.rights import outbox
from sayso.rights.deadlines import Due
from sayso.web.progress import Overview


class Meter:
    """Counts answers and the seconds they took, by outcome: 'done', 'failed' or 'stopped'."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._answers: Counter[str] = Counter({"done": 0, "failed": 0, "stopped": 0})
        self._seconds = 0.0
        self._tokens = 0
        self._asked = 0

    def asked(self) -> None:
        """Count a question whether something is in the model; nothing else of it is counted."""
        with self._lock:
            self._asked += 1

    def answered(self, outcome: str, seconds: float, tokens: int) -> None:
        """Count one answer."""
        with self._lock:
            self._answers[outcome] += 1
            self._seconds += seconds
            self._tokens += tokens

    def text(
        self, overview: Overview, due: Due, messages: Sequence[outbox.Overview], at: datetime
    ) -> str:
        """Return all counters as a page for Prometheus to read."""
        with self._lock:
            answers, seconds, tokens = dict(self._answers), self._seconds, self._tokens
            asked = self._asked
        metrics: list[tuple[str, str, str, dict[str, float]]] = [
            ("releases_total", "counter", "Models released.", {"": overview.release_count}),
            ("objections_total", "counter", "Objections received.", {"": overview.objections}),
            (
                "objections_standing",
                "gauge",
                "Objections received that were not withdrawn and have not lapsed.",
                {"": overview.objections - overview.withdrawn - overview.lapsed},
            ),
            (
                "objections_open",
                "gauge",
                "Objections about which something is still to be done.",
                {"": due.open},
            ),
            (
                "objections_overdue",
                "gauge",
                "Objections still open after their deadline.",
                {"": due.overdue},
            ),
            (
                "messages",
                "gauge",
                "Letters (mail) and calls (webhook) about objections, by what became of them.",
                {
                    f'{{kind="{each.kind}",state="{state}"}}': count
                    for each in messages
                    for state, count in (
                        ("waiting", each.waiting),
                        ("sent", each.sent),
                        ("given_up", each.given_up),
                    )
                },
            ),
            (
                "message_failures_total",
                "counter",
                "Attempts to send one of them that failed.",
                {f'{{kind="{each.kind}"}}': each.failures for each in messages},
            ),
            (
                "answers_total",
                "counter",
                "Answers of the assistant, by outcome.",
                {f'{{outcome="{name}"}}': count for name, count in answers.items()},
            ),
            (
                "membership_questions_total",
                "counter",
                "Questions whether something is in the model.",
                {"": asked},
            ),
            ("answer_seconds_total", "counter", "Seconds spent answering.", {"": seconds}),
            ("answer_tokens_total", "counter", "Tokens generated.", {"": tokens}),
        ]
        if overview.median_seconds is not None:
            metrics.append(
                (
                    "objection_seconds_median",
                    "gauge",
                    "Seconds from an objection to the first release without the person.",
                    {"": overview.median_seconds},
                )
            )
        if due.nearest is not None:
            metrics.append(
                (
                    "objections_due_seconds",
                    "gauge",
                    "Seconds to the nearest deadline of an open objection; below 0 it is over.",
                    {"": round((due.nearest - at).total_seconds())},
                )
            )
        lines = []
        for name, kind, help_text, values in metrics:
            lines += [f"# HELP sayso_{name} {help_text}", f"# TYPE sayso_{name} {kind}"]
            lines += [f"sayso_{name}{labels} {value}" for labels, value in values.items()]
        return "\n".join(lines) + "\n"
