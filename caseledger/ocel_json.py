"""OCEL 2.0 as JSON, streamed from the same log as an SQLite database: nothing is in memory but one event or object.

Attribute values are text, whatever type they are declared of: the published JSON schema allows nothing else. They come
in the order of the ledger, one event or object a line.
"""

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, BinaryIO, Final

import msgspec

ADVANCED_BY: Final = 1_000
"""Events of which the progress is told together."""
_TYPES: Final = {"TEXT": "string", "TIMESTAMP": "time", "INTEGER": "integer", "REAL": "float", "BOOLEAN": "boolean"}
_FIXED: Final = ("ocel_id", "ocel_time", "ocel_changed_field")
_encode: Final = msgspec.json.Encoder().encode
Columns = dict[str, str]
"""The attributes of a type, each with its OCEL type."""


def write_ocel_json(log: Path, out: BinaryIO, progress: Callable[[int], None] = lambda done: None) -> None:
    """Writes the log of an OCEL 2.0 database as JSON; `progress` is told of events that were written."""
    with closing(sqlite3.connect(f"{log.resolve().as_uri()}?mode=ro", uri=True)) as database:
        database.execute("PRAGMA cache_size = -32768")
        events, objects = _types(database, "event"), _types(database, "object")
        out.write(b'{"eventTypes":' + _described(events) + b',\n"objectTypes":' + _described(objects))
        _array(out, "events", _events(database, events), progress)
        _array(out, "objects", _objects(database, objects))
        out.write(b"}\n")


def _types(database: sqlite3.Connection, kind: str) -> dict[str, Columns]:
    names = database.execute(f"SELECT ocel_type FROM {kind}_map_type ORDER BY rowid").fetchall()  # noqa: S608  # names of tables are the program's own
    return {name: _columns(database, f"{kind}_{name}") for (name,) in names}


def _columns(database: sqlite3.Connection, table: str) -> Columns:
    declared = database.execute("SELECT name, type FROM pragma_table_info(?)", (table,))
    return {name: _TYPES[type_] for name, type_ in declared if name not in _FIXED}


def _described(types: Mapping[str, Columns]) -> bytes:
    return _encode(
        [
            {"name": name, "attributes": [{"name": each, "type": type_} for each, type_ in columns.items()]}
            for name, columns in types.items()
        ]
    )


def _array(
    out: BinaryIO, name: str, elements: Iterator[Mapping[str, Any]], progress: Callable[[int], None] = lambda done: None
) -> None:
    out.write(b',\n"' + name.encode() + b'":[')
    written = 0
    for written, element in enumerate(elements, 1):
        out.write((b",\n" if written > 1 else b"\n") + _encode(element))
        if written % ADVANCED_BY == 0:
            progress(ADVANCED_BY)
    progress(written % ADVANCED_BY)
    out.write(b"\n]" if written else b"]")


def _events(database: sqlite3.Connection, types: Mapping[str, Columns]) -> Iterator[Mapping[str, Any]]:
    """The events in their order: each type's rows are in it too, so that a cursor a type goes along."""
    rows = {name: database.execute(f'SELECT * FROM "event_{name}" ORDER BY rowid') for name in types}  # noqa: S608  # names of tables are the program's own
    for id_, name in database.execute("SELECT ocel_id, ocel_type FROM event ORDER BY rowid"):
        _, time, *values = next(rows[name])
        yield {
            "id": id_,
            "type": name,
            "time": time,
            "attributes": [
                {"name": each, "value": _text(value, type_)}
                for (each, type_), value in zip(types[name].items(), values, strict=True)
                if value is not None
            ],
            "relationships": _related(database, _OBJECTS_OF_EVENT, id_),
        }


def _objects(database: sqlite3.Connection, types: Mapping[str, Columns]) -> Iterator[Mapping[str, Any]]:
    for id_, name in database.execute("SELECT ocel_id, ocel_type FROM object ORDER BY rowid"):
        statement = f'SELECT * FROM "object_{name}" WHERE ocel_id = ? ORDER BY ocel_time'  # noqa: S608  # names of tables are the program's own
        yield {
            "id": id_,
            "type": name,
            "attributes": [
                {"name": each, "value": _text(value, type_), "time": time}
                for _, time, _, *values in database.execute(statement, (id_,))
                for (each, type_), value in zip(types[name].items(), values, strict=True)
                if value is not None
            ],
            "relationships": _related(database, _OBJECTS_OF_OBJECT, id_),
        }


def _related(database: sqlite3.Connection, statement: str, id_: str) -> list[Mapping[str, str]]:
    return [{"objectId": other, "qualifier": qualifier} for other, qualifier in database.execute(statement, (id_,))]


def _text(value: Any, type_: str) -> str:
    if type_ == "boolean":
        return "true" if value else "false"
    return str(value)


_OBJECTS_OF_EVENT: Final = "SELECT ocel_object_id, ocel_qualifier FROM event_object WHERE ocel_event_id = ?"
_OBJECTS_OF_OBJECT: Final = "SELECT ocel_target_id, ocel_qualifier FROM object_object WHERE ocel_source_id = ?"
