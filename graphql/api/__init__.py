"""What is asked: the GraphQL API. Imports projections, ledger and domain."""
