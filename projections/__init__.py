"""What is read: read models and the runner that keeps them. Imports ledger and domain."""
