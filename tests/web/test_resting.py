"""Counting anew costs a tenth of the time at most, and nobody waits for what is there."""

import threading
import time

import pytest

from sayso.web.resting import Resting
from tests.web.conftest import DEADLINE, poll


def test_it_counts_again_when_it_has_rested():
    calls = iter(range(1000))
    resting = Resting(lambda: next(calls))
    assert resting() == 0
    poll(lambda: resting() > 0)


def test_while_one_counts_others_get_what_was_counted_last():
    go, begun, calls = threading.Event(), threading.Event(), []

    def count():
        calls.append(1)
        if len(calls) == 2:
            begun.set()
            assert go.wait(DEADLINE)
        return len(calls)

    resting = Resting(count)
    assert resting() == 1
    slow = threading.Thread(target=lambda: poll(lambda: resting() == 2))
    slow.start()
    assert begun.wait(DEADLINE)
    before = time.monotonic()
    assert resting() == 1
    assert time.monotonic() - before < DEADLINE / 4
    go.set()
    slow.join(DEADLINE)
    assert not slow.is_alive()
    assert len(calls) == 2


def test_a_failed_count_is_tried_again():
    failing = [True]

    def count():
        if failing.pop() if failing else False:
            raise RuntimeError
        return 1

    resting = Resting(count)
    with pytest.raises(RuntimeError):
        resting()
    assert resting() == 1
