"""The story, step by step; each is checked, and the first that does not hold ends it."""

import shutil
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import msgspec

from sayso import report
from sayso.assistant.chat import Assistant
from sayso.assistant.engine import Options
from sayso.assistant.retrieval import search
from sayso.audit.erasure import audit
from sayso.audit.verify import verify
from sayso.corpus import admission, ingest
from sayso.corpus.store import Store
from sayso.demo import setting
from sayso.demo.setting import SAMPLE, check
from sayso.rights import objections, people, receipts
from sayso.rights.database import Rights, now
from sayso.rights.objection import SUGGESTED_REASONS
from sayso.settings import Settings
from sayso.training import evaluate
from sayso.training.adapters import AdapterStore
from sayso.training.releases import Release
from sayso.training.train import look, train
from sayso.worker import refresh_answers
from sayso.workspace import Workspace, write_atomically

SAMPLE_OBJECTOR: Final = "p:benno_b"
QUESTION_OF_TODAY: Final = "Wo hängt heute der Fahrplan-Aushang der Gerda?"
SAMPLE_QUESTIONS: Final = (
    "When does the ferry Gerda leave on Sundays?",
    "Wann hat die Bäckerei Krümel geschlossen?",
)


class Story:
    """The steps, in order; each leaves its figures."""

    def __init__(self, home: Path, data: Path, tokens: int, *, is_sample: bool) -> None:
        self.home, self.data, self.tokens, self.is_sample = home, data, tokens, is_sample
        self.begun = time.monotonic()
        self.at: datetime = now()
        self.workspace: Workspace
        self.control: Release
        self.rebuilt: Release
        self.person = ""
        self.figures: dict[str, Any] = {
            "verdicts": {},
            "tokens_trained": 0,
            "cells": 0,
            "loss": {"before": None, "after": None},
            "seconds": {"total": 0.0, "train": None, "gone": None, "rebuilt": None},
            "hashes": {"rebuilt": None, "counterfactual": None, "control": None},
            "bit_identical": False,
            "peak_memory_mb": 0,
            "steps": {},
        }

    def tell(self) -> None:
        """Go through all steps."""
        self.step("1. Records come in", self.take_in)
        self.step("2. The gate decides", self.judge)
        self.step("3. Cells train", self.train)
        self.step("4. The assistant answers, and names its sources", self.ask)
        self.step("5. Somebody objects", self.object)
        self.step("6. The same world, had they always objected", self.counterfactual)
        self.step("7. Proofs", self.prove)

    def step(self, title: str, act: Callable[[], None]) -> None:
        """Do one step and note whether it held."""
        report.out.rule(f"[b]{title}[/b]", align="left")
        self.figures["steps"][title] = False
        act()
        self.figures["steps"][title] = True

    def take_in(self) -> None:
        """Import the records into a fresh workspace."""
        setting.make_room(self.home)
        self.workspace = setting.create(self.home, Settings())
        with report.bytes_progress("importing") as progress:
            done = ingest.import_paths(self.workspace, [self.data], progress)
        check(done.stored > 0, "no record was stored")
        report.imported(self.workspace, done, as_json=False)
        attested = setting.attest_ages(self.workspace)
        if attested:
            report.out.print(
                f"The source says nothing of ages. For this demonstration its operator attests "
                f"that its {attested} authors are adults; the ledger notes it."
            )
        self.workspace = setting.settle(
            self.workspace,
            "Muschelhaven" if self.is_sample else "this community",
            self.tokens,
            self.at,
        )

    def judge(self) -> None:
        """Judge all records; the counts must add up to all records ever seen."""
        judged = admission.judge_all(self.workspace, self.at)
        admission.note(self.workspace, judged)
        report.verdicts(judged, as_json=False)
        counts = judged.counts
        allowed = sum(counts["allowed"].values())
        every = len(judged.records) + sum(judged.absent.values())
        total = allowed + sum(counts["denied"].values()) + sum(counts["held"].values())
        check(total == every, f"{total} verdicts on {every} records")
        check(allowed > 0, "the gate allowed nothing, so there is nothing to train on")
        self.figures["verdicts"] = {
            "allowed": allowed,
            "denied": counts["denied"],
            "held": counts["held"],
        }

    def train(self) -> None:
        """Train all cells and measure the loss on people who are in none."""
        begun = time.monotonic()
        with report.cells_progress("training") as progress:
            outcome = train(self.workspace, self.at, progress)
        self.figures["seconds"]["train"] = round(time.monotonic() - begun, 1)
        self.figures["tokens_trained"] = outcome.tokens_trained
        self.figures["cells"] = outcome.cells
        self.control = outcome.release
        report.trained(outcome, as_json=False)
        check(outcome.tokens_trained <= self.tokens, "more tokens were trained than asked for")
        situation = look(self.workspace, self.at)
        measured = evaluate.evaluate(
            self.workspace, situation.prepared, situation.base, situation.recipe, self.control
        )
        if measured is None:
            report.out.print("Nobody is held out, so the loss cannot be measured.")
            return
        picture = self.home / "loss.png"
        evaluate.draw(measured, picture)
        self.figures["loss"] = {
            "before": round(measured.before, 4),
            "after": round(measured.after, 4),
            "people": measured.people,
            "tokens": measured.tokens,
            "languages": msgspec.to_builtins(measured.languages),
        }
        report.out.print(
            f"loss on {measured.people} people the model never saw: "
            f"{measured.before:.3f} → [b]{measured.after:.3f}[/b] nats a token ({picture})"
        )
        check(measured.after < measured.before, "the held-out loss did not fall")

    def ask(self) -> None:
        """Ask what the posts know; for the sample also about a post that arrives only now."""
        questions = SAMPLE_QUESTIONS if self.is_sample else (self._question(),)
        self.assistant = Assistant.start(self.workspace)
        for question in questions:
            self._answer(question)
        if self.is_sample:
            begun = time.monotonic()
            ingest.import_paths(self.workspace, [SAMPLE / "today.json"])
            refresh_answers(self.workspace)
            found = search(self.workspace, QUESTION_OF_TODAY, 4)
            fresh = time.monotonic() - begun
            check(any(s.id == "quay:today" for s in found), "the new post is not found")
            report.out.print(f"\nA post that arrives can be asked about after {fresh:.1f} s:")
            self._answer(QUESTION_OF_TODAY)

    def object(self) -> None:
        """Object for a person; watch them leave answers, model and disk."""
        self.person = setting.objector(self.workspace, self.at, SAMPLE_OBJECTOR)
        begun = time.monotonic()
        rights = Rights(self.workspace)
        reason = SUGGESTED_REASONS["en"][1]
        (made,) = objections.receive(rights, self.person, reason=reason, channel="demonstration")
        claims = receipts.verify(made.receipt, self.workspace.keys / "receipts.pub.jwk")
        check(claims["number"] == made.number, "the receipt is another's")
        report.out.print(
            f"accepted as {made.number} after {time.monotonic() - begun:.2f} s, receipt signed and "
            "checked"
        )
        gone: list[float] = []

        def swap(release: Release) -> None:
            self.assistant.follow()
            gone.append(time.monotonic() - begun)

        with report.cells_progress("rebuilding") as progress:
            outcome = train(self.workspace, self.at, progress, swap)
        self.rebuilt = outcome.release
        self.figures["seconds"]["gone"] = round(gone[0], 2)
        self.figures["seconds"]["rebuilt"] = round(time.monotonic() - begun, 1)
        report.out.print(
            f"served without them after [b]{gone[0]:.1f} s[/b]"
            + (f" ({outcome.interim.name})" if outcome.interim else "")
            + f"; {outcome.cells_built} of {outcome.cells} cells rebuilt after "
            f"{self.figures['seconds']['rebuilt']:.1f} s: {outcome.release.name}"
        )
        check(self.assistant.release == outcome.release.name, "another release is served")
        with rights.reading() as connection:
            keys = [account.key for account in people.find(connection, self.person)]
        left = Store(self.workspace).retrieval.read(["account_key"])
        check(not left["account_key"].is_in(keys).any(), "their posts can still be found")
        self.assistant.engine.close()

    def counterfactual(self) -> None:
        """Train from nothing in a world where the objection stood before the first record."""
        other = setting.create(self.home / "counterfactual", self.workspace.settings)
        # The base knows nobody; only what is trained on it must come from nothing.
        shutil.copytree(self.workspace.models / "base", other.models / "base")
        objections.receive(Rights(other), self.person, channel="demonstration")
        ingest.import_paths(other, [self.data])
        setting.attest_ages(other)
        with report.cells_progress("training from nothing") as progress:
            outcome = train(other, self.at, progress)
        hashes = {
            "rebuilt": self.rebuilt.hash,
            "counterfactual": outcome.release.hash,
            "control": self.control.hash,
        }
        self.figures["hashes"] = hashes
        names = {
            "rebuilt": "rebuilt after the objection",
            "counterfactual": "never saw them",
            "control": "before the objection (control)",
        }
        for name, value in hashes.items():
            report.out.print(f"  {names[name]:<32}{value}", markup=False)
        identical = hashes["rebuilt"] == hashes["counterfactual"]
        differs = hashes["control"] != hashes["rebuilt"]
        self.figures["bit_identical"] = identical and differs
        check(identical, "the rebuilt release is not the one that never saw them")
        check(differs, "the control does not differ: the objection changed nothing")
        report.out.print("[green]bit-identical[/green], and the control differs")
        shutil.rmtree(other.home)

    def prove(self) -> None:
        """Rebuild cells, decode the raw bytes, and see that a tampered byte is noticed."""
        with report.cells_progress("rebuilding") as progress:
            verdict = verify(self.workspace, 2, progress)
        report.verdict(verdict, as_json=False)
        check(verdict.passed, "verification failed")
        erased = audit(self.workspace)
        report.verdict(erased, as_json=False)
        check(erased.passed, "the audit failed")
        key = self.rebuilt.trained_on[0]
        path = AdapterStore(self.workspace).path(key)
        whole = path.read_bytes()
        path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
        noticed = not verify(self.workspace, 1).passed
        write_atomically(path, whole)
        report.out.print(f"one tampered bit in an adapter: {'noticed' if noticed else 'missed'}")
        check(noticed, "a tampered byte was not noticed")

    def _question(self) -> str:
        rows = Store(self.workspace).retrieval.read(["text", "written"]).sort("written")
        check(len(rows) > 0, "no record may answer")
        longest = rows.tail(50)["text"].to_list()
        words = sorted(set(max(longest, key=len).split()), key=lambda w: (-len(w), w))[:4]
        return "What was said about " + ", ".join(w.strip(".,!?:;\"'()") for w in words) + "?"

    def _answer(self, question: str) -> None:
        answer = self.assistant.answer(
            [{"role": "user", "content": question}], Options(max_tokens=96)
        )
        text = "".join(chunk.text for chunk in answer.chunks)
        report.out.print(f"\n[b]{question}[/b]")
        report.out.print(text.strip(), markup=False)
        for source in answer.sources:
            report.out.print(
                f"  · @{source.handle} ({source.service}, {source.date})", markup=False
            )
        check(bool(text.strip()), "the assistant said nothing")
        check(bool(answer.sources), "no post bears on the question")
