"""The real PostgreSQL of the tests: one for all tests and workers, a schema of its own for each test."""

import gc
import hashlib
import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import certifi
import psycopg
import pytest
import structlog
from psycopg import sql

from caseledger.postgres import CarriedPostgres
from ledger.migrations import LEDGER_MIGRATIONS, Migration, Pool, open_pool
from ledger.recorder import PostgresRecorder
from places import KEPT, make_files_in_memory
from schemas import drop, drop_kept, migrated


def pytest_configure(config: pytest.Config) -> None:
    """Spares what takes longer than many a test: the disk's work, and the authorities whose certificates clients read."""
    if not hasattr(config, "workerinput"):  # Workers inherit it.
        make_files_in_memory()
        authority, end, _ = Path(certifi.where()).read_text(encoding="utf-8").partition("-----END CERTIFICATE-----\n")
        _shared_home().mkdir(exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=_shared_home(), delete=False) as written:
            written.write(authority + end)
        os.environ["SSL_CERT_FILE"] = str(Path(written.name).replace(_shared_home() / "authority.pem"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long tests begin first, so that none is left over when all workers but one are done."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


def pytest_collection_finish() -> None:
    """What was collected stays until the end: Python need not go through it again whenever it looks for garbage."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _logs_as_before() -> Iterator[None]:
    """Commands that run in this process configure what is logged, and to where, for the tests after them too."""
    before, root = structlog.get_config(), logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    structlog.configure(**before)
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture(scope="session")
def database() -> Iterator[str]:
    """Conninfo of the carried PostgreSQL 18, as the owner of the ledgers in it."""
    with CarriedPostgres(_shared_home() / "18") as postgres:
        _hasten(postgres.conninfo)
        _drop_left_over(postgres.conninfo)
        yield postgres.conninfo
        drop_kept(postgres.conninfo)


@pytest.fixture(scope="session")
def database16() -> Iterator[str]:
    """Conninfo of the carried PostgreSQL 16, as the owner of the ledgers in it."""
    with CarriedPostgres(_shared_home() / "16", version=16) as postgres:
        _hasten(postgres.conninfo)
        _drop_left_over(postgres.conninfo)
        yield postgres.conninfo
        drop_kept(postgres.conninfo)


@pytest.fixture
def migrations() -> tuple[Migration, ...]:
    """What a fresh schema gets; a folder of tests overrides it to have more."""
    return LEDGER_MIGRATIONS


@pytest.fixture
def schema(database: str, migrations: tuple[Migration, ...]) -> Iterator[str]:
    """Name of a fresh, migrated schema in ``database``."""
    with migrated(database, migrations) as name:
        yield name


@pytest.fixture
def schema16(database16: str, migrations: tuple[Migration, ...]) -> Iterator[str]:
    """Name of a fresh, migrated schema in ``database16``."""
    with migrated(database16, migrations) as name:
        yield name


@pytest.fixture
def pool(database: str, schema: str) -> Iterator[Pool]:
    """A pool that acts as the runtime role in ``schema``."""
    with open_pool(database, schema, max_size=12) as opened:
        yield opened


@pytest.fixture
def recorder(pool: Pool) -> PostgresRecorder:
    return PostgresRecorder(pool)


@pytest.fixture
def home() -> Iterator[Path]:
    """An empty home for a PostgreSQL of the test's own.

    Not a tmp_path: pytest takes the traverse bit, which the service user needs, from the folder above those again.
    """
    folder = Path(tempfile.mkdtemp(prefix="caseledger-home-"))
    yield folder
    shutil.rmtree(folder)


def _shared_home() -> Path:
    # One for this checkout and user, kept from run to run: all workers find it, and a run that was killed leaves
    # nothing behind but what the next one takes over.
    checkout = hashlib.sha256(os.fsencode(Path(__file__).resolve().parent)).hexdigest()[:8]
    return KEPT / f"caseledger-tests-{os.getuid()}-{checkout}"


def _hasten(conninfo: str) -> None:
    """Spares the disk: no test pulls the plug of the machine, and those of kills have a PostgreSQL of their own."""
    with psycopg.connect(conninfo, autocommit=True, user="postgres", dbname="postgres") as conn:
        for setting in ("fsync", "full_page_writes", "synchronous_commit"):
            conn.execute(sql.SQL("ALTER SYSTEM SET {} = off").format(sql.Identifier(setting)))
        conn.execute("SELECT pg_reload_conf()")


def _drop_left_over(conninfo: str) -> None:
    """Drop the schemas of runs that were killed."""
    with psycopg.connect(conninfo, autocommit=True) as conn:
        names = conn.execute(r"SELECT nspname FROM pg_namespace WHERE nspname ~ '^test_\d+_\d+$'").fetchall()
    for (name,) in names:
        try:
            os.kill(int(name.split("_")[1]), 0)
        except ProcessLookupError:
            with suppress(psycopg.Error):  # Another worker drops it too.
                drop(conninfo, name)
