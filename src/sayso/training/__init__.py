"""Cells, adapters and releases: text training to the bit."""
