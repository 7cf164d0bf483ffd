"""What is kept: the event store. Imports domain only."""
