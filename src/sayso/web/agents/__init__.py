"""What the protocols for agents share: who calls, what is accepted, how far it has come."""
