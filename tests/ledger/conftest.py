"""A small signed ledger, to be verified."""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from given import A, B, interviewed, registered
from ledger.entry import seal
from ledger.ledger import Ledger
from ledger.migrations import Pool
from ledger.notes import Signer
from ledger.recorder import PostgresRecorder
from ledger.sealing import Discarding
from ledger.tree import LedgerTree, signer_at
from signed_ledger import record
from tampering import unguarded


@pytest.fixture
def signer(pool: Pool, tmp_path: Path) -> Signer:
    return signer_at(pool, tmp_path / "signing.key")


@pytest.fixture
def ledger(pool: Pool, signer: Signer) -> Ledger:
    made = Ledger(PostgresRecorder(pool, seal=seal, tree=LedgerTree(signer)), Discarding())
    record(made, registered(), registered(uscc=B))
    for number in range(9):
        record(made, interviewed(f"2020-01-0{number + 1}", uscc=A))
    return made


@pytest.fixture
def owner(database: str, schema: str) -> Iterator[psycopg.Connection]:
    """The owner of the tables, who has taken away what keeps them from being changed."""
    with unguarded(database, schema) as conn:
        yield conn
