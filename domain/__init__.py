"""What is true: events, identifiers, facts, the rulebook and the gates. Pure: no I/O, no clock, no framework."""
