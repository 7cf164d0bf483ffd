"""A schema that is handed on is as one that was just made: of the test before, neither rows nor a changed table are left."""

from contextlib import ExitStack
from typing import Final, LiteralString

import psycopg
import pytest
from psycopg import errors

from ledger.migrations import migrate, open_pool
from projecting import A_ROW_IN_EVERY_TABLE
from running import MIGRATIONS, fresh, running
from schemas import unused

LOOKS: Final[tuple[LiteralString, ...]] = (
    "SELECT relname, relkind, relowner, relacl, reloptions FROM pg_class WHERE relnamespace = {}",
    "SELECT attrelid::regclass::text, attname, atttypid::regtype::text, attnotnull, attidentity FROM pg_attribute"
    " WHERE attnum > 0 AND attrelid IN (SELECT oid FROM pg_class WHERE relnamespace = {})",
    "SELECT tgrelid::regclass::text, tgtype, tgenabled, CASE WHEN NOT tgisinternal THEN tgname END, tgfoid::regproc::text FROM pg_trigger"
    " WHERE tgrelid IN (SELECT oid FROM pg_class WHERE relnamespace = {})",
    "SELECT conrelid::regclass::text, conname, convalidated, pg_get_constraintdef(oid) FROM pg_constraint"
    " WHERE connamespace = {}",
    "SELECT replace(pg_get_functiondef(oid), current_schema(), ''), proowner, proacl FROM pg_proc WHERE pronamespace = {}",
    "SELECT sequencename, start_value, last_value FROM pg_sequences WHERE schemaname::regnamespace = {}",
)
"""What is so of a schema, whatever its name."""

CHANGES: Final[tuple[LiteralString, ...]] = (
    "ALTER TABLE tags DISABLE TRIGGER USER",
    "ALTER TABLE tags DROP CONSTRAINT tags_pkey",
    "ALTER TABLE history RENAME TO elsewhere",
    "CREATE INDEX ON tags (position)",
    "CREATE TABLE more ()",
    "CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
    "REVOKE SELECT ON head FROM caseledger_runtime",
)


def look(database: str, schema: str) -> list[list[str]]:
    """Everything about a schema and in it, but its name and when it was made."""
    with psycopg.connect(database, options=f"-c search_path={schema}") as conn:
        shape = [conn.execute(each.format("current_schema()::regnamespace").encode()).fetchall() for each in LOOKS]
        tables = conn.execute("SELECT tablename FROM pg_tables WHERE schemaname = current_schema()").fetchall()
        rows = [conn.execute(f"SELECT to_jsonb({t}) - 'applied_at' FROM {t}".encode()).fetchall() for (t,) in tables]
        # The rows of each table under its name.
        named = [[name, *sorted(map(str, found))] for (name,), found in zip(tables, rows, strict=True)]
    return [sorted(map(str, found)) for found in shape] + sorted(named)


def identity(database: str, schema: str) -> int:
    """What stays the same of a schema that gets another name."""
    with psycopg.connect(database) as conn:
        (found,) = conn.execute("SELECT %s::regnamespace::oid::int8", [schema]).fetchone() or (0,)
    return int(found)


def test_one_that_was_full_is_as_one_that_was_made(database: str) -> None:
    with fresh(database) as first:
        before = identity(database, first)
        with running(database, first) as system:
            system.known(*A_ROW_IN_EVERY_TABLE)
            assert any(system.tables().values())
    with fresh(database) as second, unused(database) as made:
        migrate(database, made, MIGRATIONS)
        assert (second != first, identity(database, second)) == (True, before)
        assert look(database, second) == look(database, made)


@pytest.mark.parametrize("change", CHANGES)
def test_one_that_was_changed_is_not_handed_on(database: str, change: str) -> None:
    with fresh(database) as first, psycopg.connect(database, options=f"-c search_path={first}") as owner:
        changed = identity(database, first)
        owner.execute(change.encode())
        owner.commit()
    with psycopg.connect(database) as conn:
        assert conn.execute("SELECT FROM pg_namespace WHERE oid = %s", [changed]).fetchall() == []


def test_who_goes_on_after_a_test_finds_no_table_of_another(database: str) -> None:
    position = "SELECT position FROM head"
    with ExitStack() as later:
        with fresh(database) as first:
            late = later.enter_context(open_pool(database, first, max_size=1))
            with late.connection() as conn:
                assert conn.execute(position, prepare=True).fetchall() == [(0,)]
            before = identity(database, first)
        with fresh(database) as second, late.connection() as conn:
            assert identity(database, second) == before
            with pytest.raises(errors.UndefinedTable):
                conn.execute(position, prepare=True)
