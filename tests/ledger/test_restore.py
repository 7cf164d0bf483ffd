"""A dump that is restored into a fresh cluster verifies, shows what it showed, and goes on."""

from pathlib import Path
from typing import Final

import psycopg

import carried
from caseledger.postgres import CarriedPostgres
from domain.callers import Caller, Role
from given import B, complained, registered
from ledger.entry import seal
from ledger.ledger import Ledger
from ledger.merkle import verify_consistency
from ledger.migrations import LEDGER_MIGRATIONS, RUNTIME_ROLE, Pool, migrate, open_pool
from ledger.recorder import PostgresRecorder
from ledger.sealing import KeyPlace, Sealer
from ledger.streams import opened_all
from ledger.tree import LedgerTree, Proofs, signer_at
from ledger.verify_database import verify_database

REGULATOR: Final = Caller(role=Role.REGULATOR, holder="test", authority="MIIT")


def ledger_on(pool: Pool, keys: Path) -> Ledger:
    tree = LedgerTree(signer_at(pool, keys / "signing.key"))
    return Ledger(PostgresRecorder(pool, seal=seal, tree=tree), Sealer(pool, KeyPlace(keys / "master.key")))


def test_a_dump_in_a_fresh_cluster_verifies_and_goes_on(
    database: str, schema: str, pool: Pool, home: Path, tmp_path: Path
) -> None:
    old, phone = ledger_on(pool, tmp_path), complained(complainantPhone="13800001111")
    facts = [(fact.name, fact.fields) for fact in (registered(), phone)]
    before = old.record(REGULATOR, "once", facts)
    assert before.head == 2
    signed = Proofs(pool).checkpoint()
    dump = carried.run("pg_dump", "-d", database, "-n", schema)
    with CarriedPostgres(home) as fresh:
        with psycopg.connect(fresh.conninfo, autocommit=True) as conn:
            conn.execute(f"CREATE ROLE {RUNTIME_ROLE} NOLOGIN".encode())
        carried.run("psql", "-q", "-v", "ON_ERROR_STOP=1", "-d", fresh.conninfo, sent=dump)
        assert migrate(fresh.conninfo, schema, LEDGER_MIGRATIONS) == []
        with open_pool(fresh.conninfo, schema) as restored:
            ledger = ledger_on(restored, tmp_path)
            assert verify_database(restored) == verify_database(pool)
            # The same key is answered as before, and what comes next continues the same tree.
            assert ledger.record(REGULATOR, "once", facts).entries == before.entries
            fact = registered(uscc=B)
            assert ledger.record(REGULATOR, "next", [(fact.name, fact.fields)]).head == 3
            newest, _ = verify_database(restored)
            assert newest is not None
            assert signed is not None
            proof = Proofs(restored).consistency(2, 3)
            assert verify_consistency(2, 3, signed.root, newest.root, proof)
            assert isinstance(ledger.sealer, Sealer)
            (event,) = ledger.sealer.open(opened_all(ledger.recorder.read_positions([2])))
            assert getattr(event, "complainant_phone", None) == "13800001111"
