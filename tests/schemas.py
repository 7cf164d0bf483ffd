"""Schemas of a test's own. One whose tables are as they were made is emptied and handed on under another name.

To make and to drop one takes ten times as long. A name is never used twice, so whatever goes on after its test meets no
other test's tables; and a schema in which anything but rows was changed is dropped.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from os import getpid
from typing import Final

import psycopg
from psycopg import sql

from ledger.migrations import Database, Migration, is_silent, migrate

_numbers = count(1)

_SHAPE: Final = """
WITH space AS (SELECT oid, nspowner, nspacl FROM pg_namespace WHERE nspname = %s),
relations AS (SELECT pg_class.* FROM pg_class, space WHERE relnamespace = space.oid),
marks (what, who, mark) AS (
    SELECT 'space', 0, concat_ws(' ', nspowner, nspacl) FROM space
    UNION ALL SELECT 'relation', oid, concat_ws(' ', relname, relkind, relowner, relacl, reloptions, relpersistence,
        relam, relrowsecurity, relforcerowsecurity, relreplident, relispartition) FROM relations
    UNION ALL SELECT 'attribute', attrelid, count(*) || ' ' || sum(xmin::text::bigint)
        FROM pg_attribute WHERE attrelid IN (SELECT oid FROM relations) GROUP BY attrelid
    UNION ALL SELECT 'default', adrelid, count(*) || ' ' || sum(xmin::text::bigint)
        FROM pg_attrdef WHERE adrelid IN (SELECT oid FROM relations) GROUP BY adrelid
    UNION ALL SELECT 'index', indexrelid, concat_ws(' ', indrelid, indisvalid, indisready, indisunique)
        FROM pg_index WHERE indrelid IN (SELECT oid FROM relations)
    UNION ALL SELECT 'trigger', oid, xmin::text FROM pg_trigger WHERE tgrelid IN (SELECT oid FROM relations)
    UNION ALL SELECT 'rule', oid, xmin::text FROM pg_rewrite WHERE ev_class IN (SELECT oid FROM relations)
    UNION ALL SELECT 'policy', oid, xmin::text FROM pg_policy WHERE polrelid IN (SELECT oid FROM relations)
    UNION ALL SELECT 'sequence', seqrelid, pg_sequence.xmin::text
        FROM pg_sequence WHERE seqrelid IN (SELECT oid FROM relations)
    UNION ALL SELECT 'constraint', pg_constraint.oid, pg_constraint.xmin::text
        FROM pg_constraint, space WHERE connamespace = space.oid
    UNION ALL SELECT 'type', pg_type.oid, pg_type.xmin::text FROM pg_type, space WHERE typnamespace = space.oid
    UNION ALL SELECT 'statistics', pg_statistic_ext.oid, pg_statistic_ext.xmin::text
        FROM pg_statistic_ext, space WHERE stxnamespace = space.oid
    UNION ALL SELECT 'function', pg_proc.oid, concat_ws(' ', proname, proowner, proacl, proconfig, prosecdef, prosrc)
        FROM pg_proc, space WHERE pronamespace = space.oid
)
SELECT md5(string_agg(concat_ws(' ', what, who, mark), E'\\n' ORDER BY what, who)) FROM marks
"""
"""A digest of all that makes the schema but its rows; NULL where it is gone."""

_FILLED: Final = """
SELECT relname, pg_relation_size(oid) FROM pg_class
WHERE relnamespace = %s::regnamespace AND relkind = 'r' AND pg_relation_size(oid) > 0
"""
_SEQUENCES: Final = """
SELECT setval(format('%%I.%%I', schemaname, sequencename)::regclass, start_value, false)
FROM pg_sequences WHERE schemaname = %s AND last_value IS NOT NULL
"""
_GUARDS: Final = """
SELECT proname, pg_get_functiondef(oid) FROM pg_proc
WHERE pronamespace = %s::regnamespace AND prorettype = 'trigger'::regtype
"""
_UNGUARDED: Final = sql.SQL(
    "CREATE OR REPLACE FUNCTION {}() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN OLD; END'"
)
_SMALL: Final = 1 << 16
"""The bytes of a table from which on it is quicker to make its file anew than to delete its rows."""


@dataclass(frozen=True)
class _Made:
    """A schema as it was made: its name, its shape, and the rows of each table that has any."""

    name: str
    shape: object
    rows: dict[str, bytes]


_kept: dict[tuple[str, tuple[Migration, ...]], list[_Made]] = defaultdict(list)
_owners: dict[str, Database] = {}


@contextmanager
def unused(conninfo: str) -> Iterator[str]:
    """A name of a schema that is yet to be made; it is gone afterwards."""
    yield (name := _name())
    drop(conninfo, name)


@contextmanager
def migrated(conninfo: str, migrations: Sequence[Migration]) -> Iterator[str]:
    """The name of an unused schema with the tables of these migrations, which is gone afterwards."""
    kept = _kept[conninfo, tuple(migrations)]
    made = kept.pop() if kept else _made(conninfo, migrations)
    yield made.name
    if emptied := _emptied(_owner(conninfo), made):
        kept.append(emptied)
    else:
        drop(conninfo, made.name)


def drop(conninfo: str, name: str) -> None:
    with psycopg.connect(conninfo, autocommit=True, options="-c client_min_messages=warning") as conn:
        conn.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(name)))


def drop_kept(conninfo: str) -> None:
    """Drop the schemas that were to be handed on."""
    for kind in [kind for kind in _kept if kind[0] == conninfo]:
        for made in _kept.pop(kind):
            drop(conninfo, made.name)
    if conninfo in _owners:
        _owners.pop(conninfo).close()


def _name() -> str:
    return f"test_{getpid()}_{next(_numbers)}"


def _owner(conninfo: str) -> Database:
    """A connection of the superuser: the owner of the tables is kept from emptying them."""
    owner = _owners.get(conninfo)
    # A test may have killed the PostgreSQL.
    if owner is None or owner.closed or not is_silent(owner):
        options = "-c session_replication_role=replica -c plan_cache_mode=force_generic_plan -c lock_timeout=20s"
        owner = _owners[conninfo] = psycopg.connect(conninfo, autocommit=True, user="postgres", options=options)
    return owner


def _made(conninfo: str, migrations: Sequence[Migration]) -> _Made:
    name, owner = _name(), _owner(conninfo)
    migrate(conninfo, name, migrations)
    rows = {table: _copied(owner, name, table) for table, _ in _filled(owner, name)}
    return _Made(name, _shape(owner, name), rows)


def _emptied(owner: Database, made: _Made) -> _Made | None:
    """The schema with no rows but those that it was made with, under a new name; None where it is not as it was made."""
    old, new = sql.Identifier(made.name), _name()
    with owner.transaction():
        if _shape(owner, made.name) != made.shape:
            return None
        _empty(owner, made.name)
        for table, rows in made.rows.items():
            with owner.cursor().copy(sql.SQL("COPY {} FROM STDIN").format(sql.Identifier(made.name, table))) as copy:
                copy.write(rows)
        owner.execute(_SEQUENCES, [made.name], prepare=True)
        owner.execute(sql.SQL("ALTER SCHEMA {} RENAME TO {}").format(old, sql.Identifier(new)))
    return _Made(new, made.shape, made.rows)


def _empty(owner: Database, schema: str) -> None:
    """Takes all rows away, past the functions that refuse it, which are as before afterwards."""
    guards = owner.execute(_GUARDS, [schema], prepare=True).fetchall()
    for name, _ in guards:
        owner.execute(_UNGUARDED.format(sql.Identifier(schema, str(name))))
    for table, size in _filled(owner, schema):
        how = "DELETE FROM {}" if size <= _SMALL else "TRUNCATE {} CASCADE"
        owner.execute(sql.SQL(how).format(sql.Identifier(schema, table)))
    for _, definition in guards:
        owner.execute(str(definition).encode())


def _shape(owner: Database, schema: str) -> object:
    (digest,) = owner.execute(_SHAPE, [schema], prepare=True).fetchone() or (None,)
    return digest


def _filled(owner: Database, schema: str) -> list[tuple[str, int]]:
    """The tables with a file that is not empty, and its bytes."""
    return [(str(table), int(str(size))) for table, size in owner.execute(_FILLED, [schema], prepare=True)]


def _copied(owner: Database, schema: str, table: str) -> bytes:
    with owner.cursor().copy(sql.SQL("COPY {} TO STDOUT").format(sql.Identifier(schema, table))) as copy:
        return b"".join(bytes(part) for part in copy)
