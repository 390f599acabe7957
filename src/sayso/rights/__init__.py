"""People, their accounts, their objections, and the ledger of what was done."""
