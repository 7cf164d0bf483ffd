"""OCEL 2.0 as an SQLite database, written as a stream: what is in memory is one part of the log.

A table comes into being with the first event or object of its type, since the standard's map tables list the types that
the log has. Keys and foreign keys are those of the standard's relational schema; over it, an object's attribute has one
value at a time, which is a unique index. SQLite checks foreign keys only for who asks: `PRAGMA foreign_key_check`.
"""

import sqlite3
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple

from caseledger.ocel import (
    ALWAYS,
    BASIS,
    BOOLEAN,
    ENTERPRISE,
    FIRST_DAY,
    FLOAT,
    INTEGER,
    OBJECT_TYPES,
    RESTS_ON,
    STRING,
    TIME,
    Attribute,
    Named,
    ObjectType,
    Told,
    attributes_of,
    event_id,
    time_of,
    told,
)
from domain.complaints import attribution, candidates
from domain.events import EVENTS, ComplaintReceived
from domain.facts import Facts
from domain.identifiers import legal_date_of
from ledger.entries import Kept, kept_entries
from ledger.migrations import Pool
from ledger.streams import Streams
from ledger.verify import Progress
from projections.reads import Reads

DECLARED: Final = {STRING: "TEXT", TIME: "TIMESTAMP", INTEGER: "INTEGER", FLOAT: "REAL", BOOLEAN: "BOOLEAN"}
"""The column types of the standard by its attribute types."""
ENTERPRISES_AT_A_TIME: Final = 1_000
Row = tuple[Any, ...]


class Counts(NamedTuple):
    """What a log holds: the same by whichever reader. `voided` events were left out."""

    events: int
    objects: int
    event_object: int
    object_object: int
    voided: int = 0


@dataclass
class _Rows:
    """Rows of one part of the log by the statement that writes them, in the order in which statements came."""

    by_statement: dict[str, list[Row]] = field(default_factory=lambda: defaultdict(list))

    def add(self, statement: str, row: Row) -> None:
        self.by_statement[statement].append(row)

    def write(self, database: sqlite3.Connection) -> None:
        for statement, rows in self.by_statement.items():
            database.executemany(statement, rows)
        self.by_statement.clear()


def write_ocel(
    pool: Pool,
    streams: Streams,
    out: Path,
    after: int,
    upto: int,
    progress: Progress = lambda done, of: None,
    without: Collection[str] = (),
) -> Counts:
    """Writes the events with after < position ≤ upto into a database, which is new or empty.

    Credit statuses are those of the read model `credit_changes`, which must have come to `upto`, but for the enterprises
    of `without`. Raises UnreadableEntry, sqlite3.Error, and psycopg.Error when the ledger's database is away.
    """
    with closing(sqlite3.connect(out, isolation_level=None)) as database:
        # What fails is written anew, so nothing has to be rolled back.
        database.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -32768")
        database.executescript(_SCHEMA)
        database.execute("BEGIN")
        writer = _Writer(database, streams)
        for part in kept_entries(pool, after, upto):
            writer.write(part)
            progress(len(part), upto - after)
        writer.finish(Reads(pool), upto, frozenset(without))
        database.execute("COMMIT")
        return counts(database)._replace(voided=writer.voided)


def counts(database: sqlite3.Connection) -> Counts:
    """What a log's tables hold, by the order of the fields."""
    tables = ("event", "object", "event_object", "object_object")
    return Counts(*(database.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in tables))  # noqa: S608  # names of tables are the program's own


class _Writer:
    def __init__(self, database: sqlite3.Connection, streams: Streams) -> None:
        self.voided = 0
        self._database = database
        self._streams = streams
        self._rows = _Rows()
        self._made: set[str] = set()
        self._seen: set[str] = set()
        self._last_day = date.min

    def write(self, part: list[Kept]) -> None:
        numbers = self._numbers(part)
        for kept in part:
            if kept.voided_by is None:
                self._event(told(kept.recorded, numbers.get(kept.recorded.position)))
            else:
                self.voided += 1
        self._rows.write(self._database)
        self._seen.clear()
        self._last_day = legal_date_of(part[-1].recorded.recorded_at)

    def finish(self, reads: Reads, upto: int, without: Collection[str]) -> None:
        """Writes what rests on more than one event: bases of list entries, and credit statuses."""
        if ENTERPRISE.name in self._made:
            for usccs in self._enterprises():
                self._statuses(reads, [uscc for uscc in usccs if uscc not in without], upto)
        for statement in _BASES:
            self._database.execute(statement)

    def _numbers(self, part: list[Kept]) -> dict[int, str]:
        """By position, the number by whose filing a complaint belongs to its enterprise (§5)."""
        asked = {
            kept.recorded.position: (event, candidates(event))
            for kept in part
            if isinstance(event := kept.recorded.event, ComplaintReceived) and kept.recorded.uscc
        }
        tags = {tag for _, own in asked.values() for tag in own}
        _, folds = self._streams.read(tags) if tags else (0, dict[str, Facts]())
        found = {}
        for position, (event, own) in asked.items():
            belongs = attribution(event, [folds[tag] for tag in own], position - 1)
            if belongs and belongs.filing:
                found[position] = belongs.filing.filed.event.number
        return found

    def _event(self, event: Told) -> None:
        add = self._rows.add
        insert = self._event_table(event.type)
        add(_EVENT, (event.id, event.type))
        add(insert, (event.id, event.time, *event.attributes.values()))
        for named in event.objects:
            self._object(named)
            add(_EVENT_OBJECT, (event.id, named.id, named.role))
        for link in event.links():
            add(_OBJECT_OBJECT, link)
        if event.fixed:
            own = event.objects[0]
            add(_fix(own.type), (own.id, ALWAYS, *own.key, *event.fixed.values()))
        for change in event.changes:
            add(_change(change.object.type, change.attribute), (change.object.id, event.time, change.value))
        for position in event.basis:
            add(_BASIS, (event.id, event.objects[0].id, event_id(position)))

    def _object(self, named: Named) -> None:
        if named.id in self._seen:
            return
        self._seen.add(named.id)
        self._object_table(named.type)
        self._rows.add(_OBJECT, (named.id, named.type.name))
        self._rows.add(_begin(named.type), (named.id, ALWAYS, *named.key))

    def _event_table(self, name: str) -> str:
        """The statement that inserts into a type's table, which is made if it is not there."""
        if name not in self._made:
            self._made.add(name)
            attributes = attributes_of(EVENTS[name])
            self._database.execute(_MAP.format("event"), (name, name))
            self._database.execute(
                f'CREATE TABLE "event_{name}" (ocel_id TEXT NOT NULL PRIMARY KEY REFERENCES event (ocel_id),'
                f" ocel_time TIMESTAMP NOT NULL{_declared(attributes)})"
            )
        return _insert_event(name)

    def _object_table(self, type_: ObjectType) -> None:
        if type_.name in self._made:
            return
        self._made.add(type_.name)
        self._database.execute(_MAP.format("object"), (type_.name, type_.name))
        self._database.execute(
            f'CREATE TABLE "object_{type_.name}" (ocel_id TEXT NOT NULL REFERENCES object (ocel_id),'
            f" ocel_time TIMESTAMP NOT NULL, ocel_changed_field TEXT{_declared(type_.columns)})"
        )
        self._database.execute(
            f'CREATE UNIQUE INDEX "object_{type_.name}_one_value_at_a_time" ON "object_{type_.name}" {_ONE_VALUE}'
        )

    def _enterprises(self) -> Iterator[list[str]]:
        last = ""
        while found := self._database.execute(_ENTERPRISES, (last, ENTERPRISES_AT_A_TIME)).fetchall():
            yield [uscc for _, uscc in found]
            last = found[-1][0]

    def _statuses(self, reads: Reads, usccs: list[str], upto: int) -> None:
        """The credit timelines as known at the end; of days after it was recorded nothing has come about yet."""
        for uscc, timeline in reads.timelines(usccs, upto).items():
            for span in timeline:
                id_, status = ENTERPRISE.id(uscc), span.status.value
                if span.begins is None or span.begins <= FIRST_DAY:
                    self._rows.add(_set_from_the_beginning(ENTERPRISE, "creditStatus"), (id_, ALWAYS, status))
                elif span.begins <= self._last_day:
                    self._rows.add(_change(ENTERPRISE, "creditStatus"), (id_, time_of(span.begins), status))
        self._rows.write(self._database)


def _declared(attributes: Iterable[Attribute]) -> str:
    return "".join(f', "{each.name}" {DECLARED[each.type]}' for each in attributes)


def _insert(table: str, columns: Iterable[str], conflict: str = "") -> str:
    names = list(columns)
    marks = ", ".join("?" * len(names))
    return f'INSERT INTO "{table}" ({", ".join(map(_quoted, names))}) VALUES ({marks}){conflict}'  # noqa: S608  # names of tables are the program's own


@cache
def _insert_event(name: str) -> str:
    attributes = attributes_of(EVENTS[name])
    return _insert(f"event_{name}", ["ocel_id", "ocel_time", *(each.name for each in attributes)])


def _quoted(name: str) -> str:
    return f'"{name}"'


@cache
def _begin(type_: ObjectType) -> str:
    """Inserts what an object's id says of it, once."""
    return _always(type_, (), type_.key)


@cache
def _fix(type_: ObjectType) -> str:
    """Puts in what an object's first event says of it for good."""
    return _always(type_, type_.fixed, type_.key)


@cache
def _set_from_the_beginning(type_: ObjectType, attribute: str) -> str:
    return _always(type_, (Attribute(attribute),))


def _always(type_: ObjectType, replaced: Sequence[Attribute], kept: Sequence[Attribute] = ()) -> str:
    """Writes into an object's one row of what it has from its beginning; `kept` is what is there already."""
    names = ["ocel_id", "ocel_time", *(each.name for each in (*kept, *replaced))]
    values = ", ".join(f'"{each.name}" = excluded."{each.name}"' for each in replaced)
    then = f"UPDATE SET {values}" if values else "NOTHING"
    return _insert(f"object_{type_.name}", names, f" ON CONFLICT {_ONE_VALUE} DO {then}")


@cache
def _change(type_: ObjectType, attribute: str) -> str:
    return (
        f'INSERT INTO "object_{type_.name}" (ocel_id, ocel_time, ocel_changed_field, "{attribute}")'  # noqa: S608  # names of tables are the program's own
        f" VALUES (?, ?, '{attribute}', ?)"
    )


_SCHEMA: Final = """
CREATE TABLE event_map_type (ocel_type TEXT NOT NULL PRIMARY KEY, ocel_type_map TEXT NOT NULL UNIQUE);
CREATE TABLE object_map_type (ocel_type TEXT NOT NULL PRIMARY KEY, ocel_type_map TEXT NOT NULL UNIQUE);
CREATE TABLE event (
    ocel_id TEXT NOT NULL PRIMARY KEY,
    ocel_type TEXT NOT NULL REFERENCES event_map_type (ocel_type)
);
CREATE TABLE object (
    ocel_id TEXT NOT NULL PRIMARY KEY,
    ocel_type TEXT NOT NULL REFERENCES object_map_type (ocel_type)
);
CREATE TABLE event_object (
    ocel_event_id TEXT NOT NULL REFERENCES event (ocel_id),
    ocel_object_id TEXT NOT NULL REFERENCES object (ocel_id),
    ocel_qualifier TEXT NOT NULL,
    PRIMARY KEY (ocel_event_id, ocel_object_id, ocel_qualifier)
) WITHOUT ROWID;
CREATE TABLE object_object (
    ocel_source_id TEXT NOT NULL REFERENCES object (ocel_id),
    ocel_target_id TEXT NOT NULL REFERENCES object (ocel_id),
    ocel_qualifier TEXT NOT NULL,
    PRIMARY KEY (ocel_source_id, ocel_target_id, ocel_qualifier)
) WITHOUT ROWID;
CREATE TEMP TABLE basis (event_id TEXT, entry_id TEXT, basis_id TEXT);
"""
_ONE_VALUE: Final = "(ocel_id, ifnull(ocel_changed_field, ''), ocel_time)"
_MAP: Final = "INSERT INTO {}_map_type VALUES (?, ?)"
_EVENT: Final = "INSERT INTO event VALUES (?, ?)"
_OBJECT: Final = "INSERT OR IGNORE INTO object VALUES (?, ?)"
_EVENT_OBJECT: Final = "INSERT OR IGNORE INTO event_object VALUES (?, ?, ?)"
_OBJECT_OBJECT: Final = "INSERT OR IGNORE INTO object_object VALUES (?, ?, ?)"
_BASIS: Final = "INSERT INTO temp.basis VALUES (?, ?, ?)"
_ENTERPRISES: Final = """
SELECT ocel_id, uscc FROM "object_Enterprise"
WHERE ocel_changed_field IS NULL AND ocel_id > ? ORDER BY ocel_id LIMIT ?
"""
_OWN: Final = ", ".join(f"'{each.own}'" for each in OBJECT_TYPES if each is not ENTERPRISE)
_BASES: Final = tuple(
    f"INSERT OR IGNORE INTO {table} SELECT basis.{of}, own.ocel_object_id, '{qualifier}' FROM temp.basis"  # noqa: S608  # names of tables are the program's own
    f" JOIN event_object own ON own.ocel_event_id = basis.basis_id AND own.ocel_qualifier IN ({_OWN})"
    for table, of, qualifier in (("event_object", "event_id", BASIS), ("object_object", "entry_id", RESTS_ON))
)
"""What an entry rests on may have been recorded after it: so it is looked up when all is in."""
