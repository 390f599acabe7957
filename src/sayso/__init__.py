"""Sayso: a community's own AI that trains on what its members post, and on their say-so forgets."""

__version__ = "0.1.0"
