"""Admitted records, cleaned, grouped into cells."""
