"""Figures are taken when the machine has nothing else to do."""

import os
import time


def wait_until_quiet(minutes: float, most: float = 1.2) -> float:
    """Wait for other programs to end; return the load average (1 minute) it began with."""
    ends = time.monotonic() + minutes * 60
    while os.getloadavg()[0] > most and time.monotonic() < ends:
        time.sleep(5)
    return round(os.getloadavg()[0], 2)
