"""The read models' tables, and how they are made anew in a schema beside: empty, then filled, then indexed.

They are made as the live ones are by now, whatever migrations made them so.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from typing import Final, TypeVar

from psycopg import sql

from ledger.migrations import RUNTIME_ROLE
from projections.projection import Database

GivenT = TypeVar("GivenT")
DoneT = TypeVar("DoneT")

USCC: Final = "uscc"
NO_ENTERPRISE: Final = "NULL::text"
SUBJECT: Final = "split_part(subject, ':', 2)"
OF_COMPLAINT: Final = "(SELECT c.uscc FROM {schema}.complaints c WHERE c.complaint_id = row.complaint_id)"
TABLES: Final[Mapping[str, Mapping[str, str]]] = {
    "history": {"history": USCC},
    "register": {"register": USCC, "credit_spans": USCC, "filed_numbers": USCC},
    "credit_changes": {"credit_changes": USCC},
    "complaints": {"complaints": USCC, "complaint_days": USCC, "resolutions": OF_COMPLAINT},
    "decisions": {"decisions": USCC},
    "draws": {"draws": NO_ENTERPRISE, "licence_spans": USCC},
    "supervision": {
        "duties": SUBJECT,
        "listings": SUBJECT,
        "exhibits": SUBJECT,
        "live_accesses": SUBJECT,
        "findings": USCC,
    },
}
"""Each projection's tables, with what names the enterprise of a row."""
WHILE_FILLED: Final = frozenset(
    (
        *(f"{table}_of_subject" for table in ("duties", "listings", "exhibits", "findings", "live_accesses")),
        "credit_changes_of_enterprise",
        "filed_numbers_of_enterprise",
        "resolutions_of_complaint",
    )
)
"""The indexes, besides keys, by which rows are looked up while tables are filled. The others are made of the full tables,
at a fraction of the cost."""


def copy_table(owner: Database, schema: str, beside: str, table: str) -> None:
    """An empty table as the live one is, its constraints and indexes named the same."""
    live, new = sql.Identifier(schema, table), sql.Identifier(beside, table)
    owner.execute(sql.SQL("CREATE TABLE {} (LIKE {} INCLUDING ALL EXCLUDING INDEXES)").format(new, live))
    owner.execute(sql.SQL("GRANT SELECT, INSERT, UPDATE, DELETE ON {} TO {}").format(new, sql.Identifier(RUNTIME_ROLE)))
    constraints = owner.execute(
        "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint"
        " WHERE conrelid = %s::regclass AND contype IN ('p', 'u', 'x')",
        [live.as_string(owner)],
    ).fetchall()
    for name, definition in constraints:
        statement = sql.SQL("ALTER TABLE {} ADD CONSTRAINT {} {}")
        owner.execute(statement.format(new, sql.Identifier(name), sql.SQL(definition)))
    for name, definition in _indexes(owner, schema, table):
        if name in WHILE_FILLED:
            owner.execute(_moved(owner, definition, schema, beside))


def index(owners: Sequence[Database], schema: str, beside: str, names: Iterable[str]) -> None:
    """Makes the indexes that the tables of these projections were filled without, but those that are there already.

    On each connection one at a time.
    """
    missing = []
    for table in (table for name in names for table in TABLES[name]):
        made = {name for name, _ in _indexes(owners[0], beside, table)}
        for name, definition in _indexes(owners[0], schema, table):
            if name not in made:
                missing.append(_moved(owners[0], definition, schema, beside))
    side_by_side(owners, lambda owner, statement: owner.execute(statement), missing)


def side_by_side(
    connections: Sequence[Database], do: Callable[[Database, GivenT], DoneT], given: Iterable[GivenT]
) -> list[DoneT]:
    """What is done with each that is given, in their order, on whichever of the connections is idle."""
    idle = SimpleQueue[Database]()
    for connection in connections:
        idle.put(connection)

    def done(each: GivenT) -> DoneT:
        connection = idle.get()
        try:
            return do(connection, each)
        finally:
            idle.put(connection)

    with ThreadPoolExecutor(len(connections)) as threads:
        return list(threads.map(done, given))


def _indexes(owner: Database, schema: str, table: str) -> list[tuple[str, str]]:
    """The names of the indexes of a live table that are no constraint's, each with the statement that makes it."""
    return owner.execute(
        "SELECT relname, pg_get_indexdef(indexrelid)"
        " FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid LEFT JOIN pg_constraint ON conindid = indexrelid"
        " WHERE indrelid = %s::regclass AND pg_constraint.oid IS NULL ORDER BY 1",
        [sql.Identifier(schema, table).as_string(owner)],
    ).fetchall()


def _moved(owner: Database, definition: str, schema: str, beside: str) -> bytes:
    # It names the table with its schema where that is not on the search path alone.
    (quoted,) = owner.execute("SELECT quote_ident(%s)", [schema]).fetchone() or (schema,)
    return definition.replace(f" ON {quoted}.", f" ON {sql.Identifier(beside).as_string(owner)}.", 1).encode()
