"""The gate: record by record, allowed, denied or held, by named rules and a policy file."""
