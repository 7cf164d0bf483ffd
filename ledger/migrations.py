"""The ledger's tables and how they come about: forward-only migrations, the runtime role, and pools that use both.

A migration's SQL lies in files, one object a file, named as the object. It runs as the owner in one transaction with
``search_path`` set to the ledger's schema, so names are unqualified and several ledgers fit in one database. Each
file grants what the runtime role may do with its object: ``GRANT SELECT, INSERT ON … TO caseledger_runtime``. Tables
that only grow have a trigger that executes ``refuse_change()``.

A program's level is how many migrations it has: each release only adds some, so a newer program's level is higher. A
migration says which level a program must have to run beside it, and the database keeps that; so programs of two releases
serve one database while one takes the place of the other.
"""

from __future__ import annotations

import hashlib
import re
import select
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import psycopg
from psycopg import Connection, errors, sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import TupleRow
from psycopg_pool import ConnectionPool

from ledger.deadlines import TimedPool

DEFAULT_SCHEMA = "caseledger"
RUNTIME_ROLE = "caseledger_runtime"
CONNECT_SECONDS = 3
RECONNECT_SECONDS = 2
CHECKOUT_SECONDS = 10
LOCK_SECONDS = 600
"""Longest wait of a migration for another process that migrates the same schema."""

Database: TypeAlias = Connection[TupleRow]
Pool: TypeAlias = ConnectionPool[Database]

_RACES = 5

# 50 characters leave room in an identifier's 63 for what is named after the schema: its channel, its locks.
_SCHEMA = re.compile(r"(?!pg_)[a-z_][a-z0-9_]{0,49}")


class MigrationError(Exception):
    """The database cannot be brought to this program's state; the message says why and what to do."""


@dataclass(frozen=True)
class Migration:
    """One step of the schema. ``name`` is its lasting identity; ``files`` are executed in their order.

    ``compatible_from`` is the lowest level of a program that may go on, and start, beside it; None where no program
    without this migration may. Columns with a default, tables and indexes that are added leave older programs alone;
    what is taken away, renamed or newly required does not.

    Once released a migration is never edited, moved to another name or taken away: what it made is changed by a
    later one.
    """

    name: str
    files: tuple[Path, ...]
    compatible_from: int | None = None

    @property
    def script(self) -> str:
        """The SQL of all files, each headed by its name."""
        return "\n".join(f"-- {file.name}\n{file.read_text(encoding='utf-8')}" for file in self.files)

    @property
    def sha256(self) -> str:
        """SHA-256 of the script, lower-case hex."""
        return hashlib.sha256(self.script.encode()).hexdigest()


_SQL = Path(__file__).parent / "sql"
_OBJECTS = (
    "refuse_change",
    "head",
    "events",
    "events_type_position",
    "events_append_only",
    "tags",
    "tags_append_only",
    "idempotency",
    "snapshots",
)

_SUBJECTS = ("master_key", "subjects", "subjects_master", "refuse_held", "subjects_held")
_TREE = ("nodes", "nodes_append_only", "checkpoints", "checkpoints_append_only", "log_key")
_RUNS = ("node_runs", "node_runs_append_only")
_COSIGNATURES = ("cosignatures", "cosignatures_append_only", "cosignatures_by_witness")
_MAP = (
    "map_segments",
    "map_segments_append_only",
    "refuse_unless_superseded",
    "map_segments_superseded",
    "map_tiles",
    "map_tiles_by_key",
    "map_tiles_append_only",
    "map_tiles_superseded",
    "map_notes",
    "map_notes_append_only",
)
BEFORE_MAP = 17
"""The level of the programs without a map: its tables are beside all that they read and write, and so are new indexes."""

LEDGER_MIGRATIONS: tuple[Migration, ...] = (
    Migration("ledger_0001", tuple(_SQL / f"{name}.sql" for name in _OBJECTS)),
    Migration("ledger_0002", tuple(_SQL / f"{name}.sql" for name in _TREE)),
    Migration("ledger_0003", tuple(_SQL / f"{name}.sql" for name in _SUBJECTS)),
    Migration("ledger_0004", tuple(_SQL / f"{name}.sql" for name in _RUNS)),
    Migration("ledger_0005", tuple(_SQL / f"{name}.sql" for name in _COSIGNATURES)),
    Migration("ledger_map", tuple(_SQL / f"{name}.sql" for name in _MAP), compatible_from=BEFORE_MAP),
    Migration("ledger_upper_nodes", (_SQL / "node_runs_upper.sql",), compatible_from=BEFORE_MAP),
)
"""The event store's own. Other packages add theirs: ``migrate(conninfo, schema, LEDGER_MIGRATIONS + OTHERS)``."""


def migrate(conninfo: str, schema: str, migrations: Sequence[Migration]) -> list[str]:
    """Bring the schema to the given migrations, in their order, and return the names of those applied now.

    Connects as the owner: it needs CREATE on the database, and CREATEROLE the first time. Any number of processes
    may call this at once. Raises MigrationError when an applied migration differs from the code's, when a newer
    program migrated and this one may not run beside it, when the runtime role cannot be had, or when another process
    migrates for too long; psycopg.Error from a migration's own SQL, of which nothing is kept.
    """
    names = [migration.name for migration in migrations]
    if len(set(names)) < len(names):
        raise ValueError(f"migrations must have names of their own, got {names}")
    with psycopg.connect(_session(conninfo, schema), autocommit=True) as conn:
        _lock(conn, schema)
        _ensure_runtime_role(conn)
        _ensure_schema(conn, schema)
        missing = _missing(conn, migrations)
        for migration in missing:
            _apply(conn, migration)
    return [migration.name for migration in missing]


def misfit(migrations: Sequence[Migration], applied: Mapping[str, int | None]) -> str | None:
    """Why a program may not go on with a database; None where it may.

    ``applied`` has the ``compatible_from`` of each migration that the database knows. What the database lacks is no
    misfit, unless a newer program migrated it: that one has all of an older one's.
    """
    names = {migration.name for migration in migrations}
    newer = sorted(applied.keys() - names)
    if not newer:
        return None
    known = f"The database knows migrations that this program does not: {', '.join(newer)}. "
    if lacking := sorted(names - applied.keys()):
        return (
            f"{known}It lacks {', '.join(lacking)}, so it was migrated by a program that does not descend from this one. "
            "Run that one or a later."
        )
    needed = [applied[name] for name in newer]
    if None in needed:
        return f"{known}It was migrated by a newer program, beside which no older one may run: run that one or a later."
    level = max(each for each in needed if each is not None)
    if level > len(names):
        return (
            f"{known}It was migrated by a newer program, beside which one with at least {level} migrations may run; this "
            f"one has {len(names)}: run that one or a later."
        )
    return None


def open_pool(
    conninfo: str,
    schema: str = DEFAULT_SCHEMA,
    *,
    role: str | None = RUNTIME_ROLE,
    min_size: int = 1,
    max_size: int = 8,
) -> Pool:
    """Open a pool of autocommit connections that act as ``role`` (None: as who connects) in ``schema``.

    What is asked under a deadline is cancelled with it (`ledger.deadlines`).

    The pool outlives a restart of the database: dead connections are found when they are taken out and replaced.
    It returns at once, whether the database answers or not; taking a connection raises psycopg_pool.PoolTimeout
    when none can be had within 10 seconds.
    """

    def check(connection: Connection[TupleRow]) -> None:
        if is_silent(connection):
            return
        try:
            ConnectionPool.check_connection(connection)
        except psycopg.OperationalError:
            # What ended this connection ended its neighbours too: replace all now, and not one at each taking out,
            # between which the pool pauses ever longer.
            pool.check()
            raise

    pool: Pool = TimedPool(
        _session(conninfo, schema, role),
        kwargs={"autocommit": True},
        check=check,
        min_size=min_size,
        max_size=max_size,
        timeout=CHECKOUT_SECONDS,
        # The pool waits twice as long after each failure: give up early, so that whoever asks next tries afresh.
        reconnect_timeout=RECONNECT_SECONDS,
        open=True,
    )
    return pool


def open_pool_beside(pool: Pool, beside: str, max_size: int = 4) -> Pool:
    """Open a pool like another, whose names are looked up in the schema ``beside`` before that of the other."""
    if callable(pool.conninfo) or callable(pool.kwargs):
        raise ValueError("the pool's conninfo must be a text and its kwargs a mapping, as open_pool gives them")
    given = conninfo_to_dict(pool.conninfo)
    options = re.sub(r"(?<=-c search_path=)", f"{beside},", str(given.get("options") or ""))
    # What is made beside is made anew after a crash; the commit that puts it in its place flushes all of it to the disk.
    options += " -c synchronous_commit=off"
    return open_pool_like(make_conninfo(pool.conninfo, options=options), max_size)


def open_pool_like(conninfo: str, max_size: int = 4) -> Pool:
    """Open a pool of autocommit connections by the ``conninfo`` of another pool of this module, as it is."""
    return ConnectionPool(conninfo, kwargs={"autocommit": True}, min_size=1, max_size=max_size, open=True)


def _session(conninfo: str, schema: str, role: str | None = None) -> str:
    """The conninfo with the session's settings added to what options it has."""
    if not _SCHEMA.fullmatch(schema):
        raise ValueError(
            f"schema must be 1 to 50 of a-z, 0-9 and _, not begin with a digit or pg_; got {schema!r}. Rename it."
        )
    settings = {
        "search_path": schema,
        "timezone": "UTC",
        # Every statement of an append must see what was committed while it waited for its turn.
        "default_transaction_isolation": "read committed",
        # A process that stands still while it holds the head would hold up every other one.
        "idle_in_transaction_session_timeout": "60s",
    }
    if role is not None:
        settings["role"] = role
    given = conninfo_to_dict(conninfo)
    options = [str(given.get("options") or "")]
    options += [f"-c {name}={_escaped(value)}" for name, value in settings.items()]
    timeout = given.get("connect_timeout") or CONNECT_SECONDS
    return make_conninfo(conninfo, options=" ".join(options).strip(), connect_timeout=timeout, client_encoding="UTF8")


def _escaped(value: str) -> str:
    return re.sub(r"([\\\s])", r"\\\1", value)


def is_silent(connection: Connection[TupleRow]) -> bool:
    """Whether nothing has come from the server since the last answer.

    A server that shuts down, crashes or ends the session leaves a message or an end of file on the socket, so this
    finds it out without a round trip.
    """
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN | select.POLLHUP | select.POLLERR)
    return not poll.poll(0)


def _lock(conn: Connection[TupleRow], schema: str) -> None:
    conn.execute(sql.SQL("SET lock_timeout = {}").format(f"{LOCK_SECONDS}s"))
    try:
        # Held until the connection ends.
        conn.execute("SELECT pg_advisory_lock(hashtextextended('caseledger migrations ' || %s, 0))", [schema])
    except errors.LockNotAvailable:
        raise MigrationError(
            f"Another process has been migrating the schema {schema} for {LOCK_SECONDS} seconds. "
            "Wait until it is done, or end it; then start again."
        ) from None


def _ensure_runtime_role(conn: Connection[TupleRow]) -> None:
    role = sql.Identifier(RUNTIME_ROLE)
    user = sql.Identifier(conn.info.user).as_string()
    try:
        for _ in range(_RACES):
            if _may_act(conn):
                return
            # The role is the cluster's and the lock is the database's: another one's migration may be here as well.
            with suppress(errors.DuplicateObject, errors.UniqueViolation, errors.InternalError_):
                if not _has_role(conn):
                    conn.execute(sql.SQL("CREATE ROLE {} NOLOGIN").format(role))
                conn.execute(sql.SQL("GRANT {} TO CURRENT_USER").format(role))
    except errors.InsufficientPrivilege:
        pass
    raise MigrationError(
        f"The role {RUNTIME_ROLE}, which the program acts as, is missing or not granted to {user}, and {user} may "
        f"not do that itself. Let a database administrator run: CREATE ROLE {RUNTIME_ROLE} NOLOGIN; (if it is "
        f"missing) GRANT {RUNTIME_ROLE} TO {user};"
    )


def _has_role(conn: Connection[TupleRow]) -> bool:
    return _is_true(conn, "SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = %s)", [RUNTIME_ROLE])


def _may_act(conn: Connection[TupleRow]) -> bool:
    """Whether the runtime role exists and this user may become it."""
    # Since PostgreSQL 16 membership alone does not say so: who made the role is a member that may only grant it.
    privilege = "SET" if conn.info.server_version >= 160000 else "MEMBER"
    return _has_role(conn) and _is_true(conn, "SELECT pg_has_role(current_user, %s, %s)", [RUNTIME_ROLE, privilege])


def _ensure_schema(conn: Connection[TupleRow], schema: str) -> None:
    if _is_true(conn, "SELECT to_regclass('migrations') IS NOT NULL", []):
        # The table is older than the column.
        if not _is_true(conn, _HAS_LEVELS, []):
            conn.execute("ALTER TABLE migrations ADD COLUMN compatible_from integer")
        return
    # The search_path is the schema alone, and PostgreSQL asks for the right to make it even where it exists.
    if not _is_true(conn, "SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = %s)", [schema]):
        conn.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(schema)))
    with conn.transaction():
        conn.execute(
            sql.SQL("GRANT USAGE ON SCHEMA {} TO {}").format(sql.Identifier(schema), sql.Identifier(RUNTIME_ROLE))
        )
        conn.execute(
            'CREATE TABLE migrations (name text COLLATE "C" PRIMARY KEY, sha256 text NOT NULL, '
            "applied_at timestamptz NOT NULL DEFAULT now(), compatible_from integer)"
        )
        conn.execute(sql.SQL("GRANT SELECT ON migrations TO {}").format(sql.Identifier(RUNTIME_ROLE)))


def _missing(conn: Connection[TupleRow], migrations: Sequence[Migration]) -> list[Migration]:
    rows = conn.execute("SELECT name, sha256, compatible_from FROM migrations").fetchall()
    applied = {name: sha256 for name, sha256, _ in rows}
    missing = []
    for migration in migrations:
        sha256 = applied.get(migration.name)
        if sha256 is None:
            missing.append(migration)
        elif sha256 != migration.sha256:
            raise MigrationError(
                f"The migration {migration.name} was applied with the SHA-256 {sha256} and has {migration.sha256} in "
                "this program. A released migration must not be edited: restore it and put the change in a new one."
            )
    if why := misfit(migrations, {name: level for name, _, level in rows}):
        raise MigrationError(why)
    return missing


def _apply(conn: Connection[TupleRow], migration: Migration) -> None:
    with conn.transaction():
        conn.execute(migration.script.encode())
        conn.execute(
            "INSERT INTO migrations (name, sha256, compatible_from) VALUES (%s, %s, %s)",
            [migration.name, migration.sha256, migration.compatible_from],
        )


_HAS_LEVELS = """
SELECT EXISTS (
    SELECT FROM pg_attribute
    WHERE attrelid = 'migrations'::regclass AND attname = 'compatible_from' AND NOT attisdropped
)
"""


def _is_true(conn: Connection[TupleRow], query: str, parameters: Sequence[str]) -> bool:
    row = conn.execute(query.encode(), parameters).fetchone()
    return row is not None and row[0] is True
