"""How imports, verdicts, trainings, checks and policies are shown."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
import numpy as np
import polars as pl
from rich.table import Table
from rich.text import Text

from sayso.audit.verify import Verdict
from sayso.corpus import admission
from sayso.corpus.admission import Judged
from sayso.corpus.imported import Report
from sayso.gate import gate
from sayso.gate.gate import Finding
from sayso.gate.history import Version
from sayso.gate.policy import Policy
from sayso.report.console import as_object, err, out, plain
from sayso.rights.database import now
from sayso.training.compare import Difference
from sayso.training.train import Outcome
from sayso.workspace import Workspace

LISTED_CELLS = 12


def imported(workspace: Workspace, done: Report, *, as_json: bool) -> None:
    """Report an import with the verdicts on the records it named."""
    judged = admission.judge_all(workspace, now())
    named = pl.Series(np.frombuffer(done.keys, np.uint64)).implode()
    mine = judged.records.filter(pl.col("key").is_in(named))
    counts = gate.counts(mine)
    allowed = sum(counts["allowed"].values())
    if as_json:
        fields = {n: getattr(done, n) for n in Report.__struct_fields__ if n != "keys"}
        rejected = [{"file": r.file, "where": r.where, "reason": r.reason} for r in done.rejected]
        verdicts = {"allowed": allowed, "denied": counts["denied"], "held": counts["held"]}
        as_object(fields | verdicts | {"rejected": rejected})
        return
    out.print(
        f"{done.source}: {done.read} items from {done.files} file(s): "
        f"[b]{done.stored}[/b] records stored, {done.updated} updated, "
        f"{done.unchanged} known already; {done.interactions} interactions, "
        f"{done.deletions} deletions, {done.accounts} account updates"
    )
    for kind, number in done.refused.items():
        out.print(f"refused at the door, nothing of it stored: {number} ({kind})")
    for kind, number in done.skipped.items():
        out.print(f"skipped: {number} ({kind})")
    _verdict_table(counts)
    if done.rejected:
        told = f"{len(done.rejected)} items rejected, noted in {done.rejects_file}"
        out.print(told, markup=False)
        for line in done.rejected[:5]:
            out.print(f"  {line.file}, {line.where}: {line.reason}", markup=False)


def verdicts(judged: Judged, *, as_json: bool) -> None:
    """Report the verdicts on all records."""
    counts = judged.counts
    if as_json:
        as_object(
            {
                "at": judged.at,
                "policy": judged.policy.name,
                "records": sum(n for group in counts.values() for n in group.values()),
                "allowed": sum(counts["allowed"].values()),
                "denied": counts["denied"],
                "held": counts["held"],
            }
        )
        return
    _verdict_table(counts, f"policy {judged.policy.name}, {judged.at:%Y-%m-%d %H:%M} UTC")


def _verdict_table(counts: Mapping[str, Mapping[str, int]], title: str = "") -> None:
    table = Table(title=title or None, title_justify="left", box=None, pad_edge=False)
    table.add_column("verdict")
    table.add_column("records", justify="right")
    table.add_column("rule")
    table.add_column("reason", style="dim")
    colours = {"allowed": "green", "denied": "red", "held": "yellow"}
    for verdict, rules in counts.items():
        for rule, number in rules.items():
            reason = _absent_reasons.get(rule) or gate.reason(rule)
            table.add_row(f"[{colours[verdict]}]{verdict}[/]", str(number), rule, reason)
    out.print(table)


_absent_reasons = {
    "deleted": "it was deleted on its service",
    "account-deleted": "its account was deleted on its service",
}


def explanation(rule: str, findings: Sequence[Finding], *, as_json: bool) -> None:
    """Report how the rules looked at one record."""
    deciding = next((f for f in findings if f.rule == rule), None)
    verdict = deciding.verdict if deciding else "allowed"
    if as_json:
        as_object({"verdict": verdict, "rule": rule, "rules": findings})
        return
    reason = deciding.reason if deciding else gate.reason(rule)
    out.print(f"[b]{verdict}[/b]: {rule}: {reason}")
    for finding in findings:
        mark = "→" if finding.rule == rule else ("also" if finding.fired else "")
        shown = ", ".join(f"{k}={_show(v)}" for k, v in finding.evidence.items())
        out.print(f"  {mark:<5}{finding.rule:<22}{shown}", markup=False)


def _show(value: object) -> str:
    return f"{value:%Y-%m-%d %H:%M}" if isinstance(value, datetime) else str(value)


def trained(outcome: Outcome, *, as_json: bool) -> None:
    """Report a training run."""
    if as_json:
        fields = {n: getattr(outcome, n) for n in Outcome.__struct_fields__ if n != "built"}
        as_object(fields)
        return
    if outcome.interim:
        out.print(
            f"what went is gone: release {outcome.interim.name} after "
            f"{outcome.seconds_to_interim:.1f} s"
        )
    out.print(
        f"release [b]{outcome.release.name}[/b]: {outcome.cells} cells, {outcome.examples} "
        f"examples; {outcome.cells_built} cells trained ({outcome.tokens_trained} tokens), "
        f"{outcome.pruned} old ones removed, {outcome.seconds:.1f} s"
    )


def verdict(found: Verdict, *, as_json: bool) -> None:
    """Report a verification or an audit."""
    if as_json:
        as_object({"passed": found.passed, "rebuilt": found.rebuilt, "checks": found.checks})
        return
    for check in found.checks:
        mark = "[green]ok  [/green]" if check.passed else "[red]FAIL[/red]"
        out.print(mark, Text(f" {check.step}: {check.detail}"))


def policy(shown: Policy, source: bytes, *, as_json: bool) -> None:
    """Show a policy."""
    if as_json:
        as_object(shown)
    else:
        out.print(source.decode(), markup=False, end="")


def policy_diff(found: Difference, as_json: bool) -> None:
    """Show what another policy would change."""
    if as_json:
        changes = [{"from": m.before, "to": m.after, "records": m.records} for m in found.moves]
        fields = msgspec.structs.asdict(found)
        del fields["moves"]
        as_object(fields | {"changes": changes})
        return
    for move in found.moves:
        out.print(f"{move.records:>8}  {move.before} → {move.after}", markup=False)
    if not found.moves:
        out.print("no record's verdict would change")
    out.print(f"allowed: {found.allowed_before} → {found.allowed_after} records")
    for what, names in (
        ("new", found.appear),
        ("gone", found.vanish),
        ("trained anew or continued otherwise", found.changed),
    ):
        out.print(f"cells {what}: {len(names)}  {' '.join(names[:LISTED_CELLS])}", markup=False)
    out.print(
        f"to train: {found.cells_to_train} of {found.cells} cells, {found.examples_to_train} "
        f"examples, {found.tokens_to_train} tokens"
    )


def policy_history(versions: Sequence[Version], as_json: bool) -> None:
    """Show which policies were in use since when."""
    if as_json:
        as_object({"versions": versions})
        return
    for v in versions:
        told = f"{v.at:%Y-%m-%d %H:%M} UTC  {v.hash[:16]}  {v.name}"
        out.print(f"{told}  {v.because}".rstrip(), markup=False)


def overview(fields: Mapping[str, Any], as_json: bool) -> None:
    """Report what a workspace holds, and how its listeners are."""
    if as_json:
        as_object(fields)
        return
    plain({name: value for name, value in fields.items() if name != "listeners"}, as_json)
    for listener in fields["listeners"]:
        lag, at = listener["lag_seconds"], listener["last_event_at"]
        latest = f"last event {at:%Y-%m-%d %H:%M:%S} UTC, lag {lag:.1f} s, " if at else ""
        told = f" (last: {listener['last_error']})" if listener["errors"] else ""
        out.print(
            f"listener {listener['name']}: {listener['state']}; {latest}"
            f"{listener['stored']} stored, {listener['errors']} errors{told}",
            markup=False,
        )


def serving(address: str) -> None:
    """Say where the pages are."""
    err.print(f"\n[b]Sayso is at {address}[/b]  (chat; /object to object; /v1 for OpenAI clients)")
    err.print("Ctrl-C ends it.")
