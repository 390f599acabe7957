"""Cells, adapters and releases: text training to the bit."""

import os

# tqdm reads it when torch imports it; we show progress of our own.
os.environ.setdefault("TQDM_DISABLE", "1")
