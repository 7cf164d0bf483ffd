import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from psycopg import errors
from psycopg.conninfo import make_conninfo
from psycopg_pool import PoolTimeout

from caseledger.postgres import CarriedPostgres
from ledger.migrations import (
    LEDGER_MIGRATIONS,
    RUNTIME_ROLE,
    Migration,
    MigrationError,
    Pool,
    migrate,
    open_pool,
)
from schemas import unused

APPEND_ONLY = ["events", "tags"]
CHANGES = {
    "UPDATE": "UPDATE {} SET position = position",
    "UPDATE of nothing": "UPDATE {} SET position = 1 WHERE false",
    "DELETE": "DELETE FROM {}",
    "TRUNCATE": "TRUNCATE {}",
}


@pytest.fixture
def bare(database: str) -> Iterator[str]:
    """Name of a schema that does not exist yet."""
    with unused(database) as name:
        yield name


@pytest.fixture
def owner(database: str, schema: str) -> Iterator[Pool]:
    """A pool that acts as the owner of the tables, which hold one event."""
    with open_pool(database, schema, role=None) as pool:
        with pool.connection() as conn:
            conn.execute("INSERT INTO events VALUES (1, 'A', '{a}', '', now())")
            conn.execute("INSERT INTO tags VALUES ('a', 1)")
        yield pool


@pytest.fixture
def make_migration(tmp_path: Path) -> Callable[..., Migration]:
    def make(name: str, script: str, compatible_from: int | None = None) -> Migration:
        (tmp_path / f"{name}.sql").write_text(script)
        return Migration(name, (tmp_path / f"{name}.sql",), compatible_from)

    return make


def tables(conninfo: str, schema: str) -> set[str]:
    with psycopg.connect(conninfo) as conn:
        rows = conn.execute("SELECT tablename FROM pg_tables WHERE schemaname = %s", [schema]).fetchall()
    return {name for (name,) in rows}


def test_every_file_is_named_as_the_one_object_that_it_makes() -> None:
    for migration in LEDGER_MIGRATIONS:
        for file in migration.files:
            made = [line for line in file.read_text().splitlines() if line.startswith("CREATE ")]
            assert len(made) == 1
            assert file.stem in made[0].replace("(", " ").split()


def test_a_fresh_schema_gets_every_migration_and_a_migrated_one_none(database: str, bare: str) -> None:
    assert migrate(database, bare, LEDGER_MIGRATIONS) == [migration.name for migration in LEDGER_MIGRATIONS]
    assert tables(database, bare) == {
        "events", "tags", "head", "idempotency", "snapshots", "node_runs", "checkpoints", "cosignatures", "log_key",
        "master_key", "subjects", "migrations", "map_segments", "map_tiles", "map_notes",
    }  # fmt: skip
    assert migrate(database, bare, LEDGER_MIGRATIONS) == []


def test_another_packages_migration_is_added_and_may_grant_and_refuse_changes(
    database: str, schema: str, make_migration: Callable[..., Migration]
) -> None:
    script = f"""
        CREATE TABLE notes (note text);
        GRANT SELECT, INSERT ON notes TO {RUNTIME_ROLE};
        CREATE TRIGGER notes_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON notes
        FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
    """
    added = (*LEDGER_MIGRATIONS, make_migration("notes_0001", script))
    assert migrate(database, schema, added) == ["notes_0001"]
    with open_pool(database, schema) as pool, pool.connection() as conn:
        conn.execute("INSERT INTO notes VALUES ('x')")
        with pytest.raises(errors.InsufficientPrivilege):
            conn.execute("DELETE FROM notes")
    refused = pytest.raises(errors.InsufficientPrivilege, match="notes is append-only: DELETE is refused")
    with open_pool(database, schema, role=None) as pool, pool.connection() as conn, refused:
        conn.execute("DELETE FROM notes")


def test_a_migration_that_fails_leaves_nothing_of_itself(
    database: str, schema: str, make_migration: Callable[..., Migration]
) -> None:
    good = make_migration("good", "CREATE TABLE good (x int);")
    bad = make_migration("bad", "CREATE TABLE half (x int); SELECT 1 / 0;")
    with pytest.raises(errors.DivisionByZero):
        migrate(database, schema, (*LEDGER_MIGRATIONS, good, bad))
    assert "good" in tables(database, schema)
    assert "half" not in tables(database, schema)
    mended = make_migration("bad", "CREATE TABLE half (x int);")
    assert migrate(database, schema, (*LEDGER_MIGRATIONS, good, mended)) == ["bad"]


def test_an_applied_migration_that_was_edited_is_refused(
    database: str, schema: str, make_migration: Callable[..., Migration]
) -> None:
    edited = make_migration(LEDGER_MIGRATIONS[0].name, "SELECT 1;")
    with pytest.raises(MigrationError, match="ledger_0001 was applied with the SHA-256"):
        migrate(database, schema, (edited, *LEDGER_MIGRATIONS[1:]))


def test_a_database_of_a_newer_program_beside_which_no_other_may_run_is_refused(
    database: str, schema: str, make_migration: Callable[..., Migration]
) -> None:
    migrate(database, schema, (*LEDGER_MIGRATIONS, make_migration("ledger_9999", "SELECT 1;")))
    with pytest.raises(MigrationError, match="does not: ledger_9999"):
        migrate(database, schema, LEDGER_MIGRATIONS)


def test_an_older_program_runs_beside_a_newer_one_whose_migrations_say_so(
    database: str, schema: str, make_migration: Callable[..., Migration]
) -> None:
    older = LEDGER_MIGRATIONS
    added = make_migration("newer_0001", "ALTER TABLE snapshots ADD COLUMN newer int;", compatible_from=len(older))
    assert migrate(database, schema, (*older, added)) == ["newer_0001"]
    assert migrate(database, schema, older) == []
    # And the newer one after it.
    assert migrate(database, schema, (*older, added)) == []


def test_of_several_migrations_the_strictest_says_who_may_run_beside(
    database: str, schema: str, make_migration: Callable[..., Migration]
) -> None:
    level = len(LEDGER_MIGRATIONS)
    first = make_migration("newer_0001", "SELECT 1;", compatible_from=level)
    second = make_migration("newer_0002", "SELECT 1;", compatible_from=level + 1)
    migrate(database, schema, (*LEDGER_MIGRATIONS, first, second))
    with pytest.raises(MigrationError) as caught:
        migrate(database, schema, LEDGER_MIGRATIONS)
    assert str(caught.value) == (
        "The database knows migrations that this program does not: newer_0001, newer_0002. It was migrated by a newer "
        f"program, beside which one with at least {level + 1} migrations may run; this one has {level}: run that one or "
        "a later."
    )
    assert migrate(database, schema, (*LEDGER_MIGRATIONS, first)) == []


def test_a_program_that_does_not_descend_from_the_older_one_is_refused_and_nothing_is_applied(
    database: str, schema: str, make_migration: Callable[..., Migration]
) -> None:
    theirs = make_migration("theirs_0001", "SELECT 1;", compatible_from=1)
    ours = make_migration("ours_0001", "CREATE TABLE ours (x int);", compatible_from=1)
    migrate(database, schema, (*LEDGER_MIGRATIONS, theirs))
    with pytest.raises(
        MigrationError, match=r"It lacks ours_0001, so it was migrated by a program that does not descend"
    ):
        migrate(database, schema, (*LEDGER_MIGRATIONS, ours))
    assert "ours" not in tables(database, schema)


def test_a_ledger_of_before_migrations_said_who_may_run_beside_them_says_it_from_the_next_start_on(
    database: str, schema: str, make_migration: Callable[..., Migration]
) -> None:
    with psycopg.connect(database, autocommit=True) as conn:
        conn.execute(f"ALTER TABLE {schema}.migrations DROP COLUMN compatible_from".encode())
    assert migrate(database, schema, LEDGER_MIGRATIONS) == []
    added = make_migration("newer_0001", "SELECT 1;", compatible_from=len(LEDGER_MIGRATIONS))
    migrate(database, schema, (*LEDGER_MIGRATIONS, added))
    assert migrate(database, schema, LEDGER_MIGRATIONS) == []


def test_two_migrations_of_one_name_are_refused(database: str, bare: str) -> None:
    with pytest.raises(ValueError, match="names of their own"):
        migrate(database, bare, (*LEDGER_MIGRATIONS, replace(LEDGER_MIGRATIONS[0])))


@pytest.mark.parametrize("name", ["", "Upper", "a-b", 'a"; DROP', "pg_mine", "1a", "a" * 51])
def test_a_schema_name_that_would_need_quoting_is_refused(database: str, name: str) -> None:
    with pytest.raises(ValueError, match="schema must be 1 to 50 of a-z"):
        migrate(database, name, LEDGER_MIGRATIONS)
    with pytest.raises(ValueError, match="schema must be 1 to 50 of a-z"):
        open_pool(database, name)


@pytest.mark.parametrize("version", [18, 16])
def test_eight_starts_at_once_on_a_fresh_cluster_apply_each_migration_once(home: Path, version: int) -> None:
    with CarriedPostgres(home, version=version) as postgres:
        barrier = threading.Barrier(8)

        def start(number: int) -> list[str]:
            barrier.wait()
            return migrate(postgres.conninfo, f"ledger_{number % 2}", LEDGER_MIGRATIONS)

        with ThreadPoolExecutor(8) as threads:
            applied = sorted(name for names in threads.map(start, range(8)) for name in names)
        assert applied == sorted(2 * [migration.name for migration in LEDGER_MIGRATIONS])
        with open_pool(postgres.conninfo, "ledger_0") as pool, pool.connection() as conn:
            assert conn.execute("SELECT current_user::text, position FROM head").fetchone() == (RUNTIME_ROLE, 0)


@pytest.mark.parametrize("version", [18, 16])
def test_an_owner_who_may_not_make_the_role_is_told_what_an_administrator_must_run(home: Path, version: int) -> None:
    with CarriedPostgres(home, version=version) as postgres:
        clerk = make_conninfo(postgres.conninfo, user="clerk")
        with psycopg.connect(postgres.conninfo, autocommit=True) as administrator:
            administrator.execute("CREATE ROLE clerk LOGIN")
            administrator.execute("CREATE SCHEMA theirs")
            administrator.execute("GRANT ALL ON SCHEMA theirs TO clerk WITH GRANT OPTION")
            with pytest.raises(MigrationError, match="administrator run: ") as caught:
                migrate(clerk, "theirs", LEDGER_MIGRATIONS)
            told = str(caught.value).partition("administrator run: ")[2].replace("(if it is missing)", "")
            administrator.execute(told.encode())
        assert migrate(clerk, "theirs", LEDGER_MIGRATIONS) == [migration.name for migration in LEDGER_MIGRATIONS]
        with open_pool(clerk, "theirs") as pool, pool.connection() as conn:
            assert conn.execute("SELECT current_user::text, position FROM head").fetchone() == (RUNTIME_ROLE, 0)


@pytest.mark.parametrize("table", APPEND_ONLY)
@pytest.mark.parametrize("change", CHANGES)
def test_the_owner_may_not_change_what_was_recorded(owner: Pool, table: str, change: str) -> None:
    with owner.connection() as conn:
        with pytest.raises(
            errors.InsufficientPrivilege, match=f"{table} is append-only: {change.split()[0]} is refused"
        ):
            conn.execute(CHANGES[change].format(table).encode())
        assert conn.execute(f"SELECT count(*) FROM {table}".encode()).fetchone() == (1,)


@pytest.mark.parametrize("table", APPEND_ONLY)
@pytest.mark.parametrize("change", CHANGES)
def test_the_runtime_role_may_not_change_what_was_recorded(pool: Pool, owner: Pool, table: str, change: str) -> None:
    with pool.connection() as conn:
        with pytest.raises(errors.InsufficientPrivilege, match=f"permission denied for table {table}"):
            conn.execute(CHANGES[change].format(table).encode())
        assert conn.execute(f"SELECT count(*) FROM {table}".encode()).fetchone() == (1,)


@pytest.mark.parametrize("table", APPEND_ONLY)
def test_an_upsert_does_not_get_round_the_refusal(owner: Pool, table: str) -> None:
    upsert = {
        "events": "INSERT INTO events VALUES (1, 'B', '{}', '', now()) ON CONFLICT (position) DO UPDATE SET type = 'B'",
        "tags": "INSERT INTO tags VALUES ('a', 1) ON CONFLICT (tag, position) DO UPDATE SET tag = 'b'",
    }
    with owner.connection() as conn, pytest.raises(errors.InsufficientPrivilege, match="append-only"):
        conn.execute(upsert[table].encode())


def test_the_runtime_role_has_these_rights_and_no_others(database: str, schema: str) -> None:
    with psycopg.connect(database) as conn:
        rows = conn.execute(
            "SELECT table_name, privilege_type FROM information_schema.table_privileges "
            "WHERE table_schema = %s AND grantee = %s",
            [schema, RUNTIME_ROLE],
        ).fetchall()
    rights: dict[str, set[str]] = {}
    for table, right in rows:
        rights.setdefault(table, set()).add(right)
    assert rights == {
        "events": {"SELECT", "INSERT"},
        "tags": {"SELECT", "INSERT"},
        "head": {"SELECT", "UPDATE"},
        "idempotency": {"SELECT", "INSERT"},
        "snapshots": {"SELECT", "INSERT", "UPDATE", "DELETE"},
        "node_runs": {"SELECT", "INSERT"},
        "checkpoints": {"SELECT", "INSERT"},
        "cosignatures": {"SELECT", "INSERT"},
        "map_segments": {"SELECT", "INSERT", "DELETE"},
        "map_tiles": {"SELECT", "INSERT", "DELETE"},
        "map_notes": {"SELECT", "INSERT"},
        "log_key": {"SELECT", "INSERT"},
        "master_key": {"SELECT", "INSERT", "UPDATE"},
        "subjects": {"SELECT", "INSERT", "DELETE"},
        "migrations": {"SELECT"},
    }


def test_a_pool_acts_as_the_runtime_role_in_its_schema_alone(pool: Pool, schema: str) -> None:
    with pool.connection() as conn:
        assert conn.autocommit
        seen = conn.execute(
            "SELECT current_user::text, current_schemas(false)::text[], current_setting('transaction_isolation')"
        ).fetchone()
        assert seen == (RUNTIME_ROLE, [schema], "read committed")
        with pytest.raises(errors.InsufficientPrivilege):
            conn.execute("CREATE TABLE mine (x int)")


def test_a_pool_keeps_the_options_that_the_conninfo_has(database: str, schema: str) -> None:
    limited = make_conninfo(database, options="-c statement_timeout=1234")
    with open_pool(limited, schema) as pool, pool.connection() as conn:
        seen = conn.execute("SELECT current_setting('statement_timeout'), current_user::text").fetchone()
    assert seen == ("1234ms", RUNTIME_ROLE)


def test_a_pool_replaces_connections_that_were_ended(database: str, schema: str) -> None:
    named = make_conninfo(database, application_name=schema)
    with open_pool(named, schema, min_size=4, max_size=4) as pool, psycopg.connect(database) as conn:
        pool.wait()
        # With a timeout, which waits for the end itself: the signal alone may take effect after the next check.
        ended = conn.execute(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE application_name = %s", [schema]
        ).fetchall()
        assert ended == 4 * [(True,)]
        for _ in range(8):
            with pool.connection(timeout=5) as fresh:
                assert fresh.execute("SELECT position FROM head").fetchone() == (0,)


def test_a_pool_without_a_database_fails_in_bounded_time_and_works_once_there_is_one(home: Path) -> None:
    postgres = CarriedPostgres(home)
    with postgres:
        conninfo = postgres.conninfo
        migrate(conninfo, "ledger", LEDGER_MIGRATIONS)
    with open_pool(conninfo, "ledger") as pool:
        with pytest.raises(PoolTimeout), pool.connection(timeout=0.5):
            pass
        with postgres, pool.connection() as conn:
            assert conn.execute("SELECT position FROM head").fetchone() == (0,)


def test_files_end_their_lines_alike_on_every_system(make_migration: Callable[..., Migration]) -> None:
    unix = make_migration("a", "SELECT 1;\nSELECT 2;\n").sha256
    file = make_migration("a", "").files[0]
    file.write_bytes(b"SELECT 1;\r\nSELECT 2;\r\n")
    assert Migration("a", (file,)).sha256 == unix
