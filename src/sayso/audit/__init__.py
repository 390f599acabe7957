"""Proofs: rebuilt cells, intact ledger, erased bytes. Reads everything, changes nothing."""
