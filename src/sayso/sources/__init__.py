"""Readers: each turns what a platform gives into events and rejects, streaming."""
