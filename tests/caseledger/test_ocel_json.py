"""OCEL 2.0 as JSON: valid by the standard's schema, and the same log as the database that it was made from.

The published schema (ocel20-schema-json.json) is not carried along: what it asks is stated here anew, member by member.
"""

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import pytest
import r4pm
from jsonschema import Draft7Validator  # type: ignore[import-untyped]  # the library has no types
from r4pm import bindings

from caseledger.ocel_json import write_ocel_json
from ocel_logs import Log, exported
from running import System

TEXT: Final = {"type": "string"}
INSTANT: Final = {"type": "string", "format": "date-time"}


def objects(required: str, optional: str = "", **members: Any) -> dict[str, Any]:
    """A list of objects: members are text unless they are given."""
    names = [*required.split(), *optional.split()]
    described = {name: members.get(name, TEXT) for name in names}
    return {"type": "array", "items": {"type": "object", "properties": described, "required": required.split()}}


RELATIONS: Final = objects("objectId qualifier")
TYPES: Final = objects("name attributes", attributes=objects("name type"))
SCHEMA: Final = {
    "type": "object",
    "required": ["eventTypes", "objectTypes", "events", "objects"],
    "properties": {
        "eventTypes": TYPES,
        "objectTypes": TYPES,
        "events": objects(
            "id type time",
            "attributes relationships",
            time=INSTANT,
            attributes=objects("name value"),
            relationships=RELATIONS,
        ),
        "objects": objects(
            "id type",
            "attributes relationships",
            attributes=objects("name value time", time=INSTANT),
            relationships=RELATIONS,
        ),
    },
}


@pytest.fixture(scope="module")
def log(told: System, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Log]:
    found = exported(told, tmp_path_factory.mktemp("ocel") / "log.sqlite")
    yield found
    found.database.close()


@pytest.fixture(scope="module")
def file(log: Log) -> Path:
    path = log.path.with_suffix(".json")
    with path.open("wb") as out:
        write_ocel_json(log.path, out)
    return path


@pytest.fixture(scope="module")
def document(file: Path) -> Any:
    return json.loads(file.read_bytes())


def test_it_is_valid_by_the_schema_of_the_standard(document: Any) -> None:
    assert list(Draft7Validator(SCHEMA).iter_errors(document)) == []
    assert list(document) == ["eventTypes", "objectTypes", "events", "objects"]


@pytest.mark.parametrize("name", ["eventTypes", "objectTypes", "events", "objects"])
def test_the_schema_finds_what_is_wrong(document: Any, name: str) -> None:
    spoilt = [{**document[name][0], "attributes": [{"name": "x", "value": 1, "type": 1}]}]
    assert list(Draft7Validator(SCHEMA).iter_errors({**document, name: spoilt})) != []


def test_times_are_of_utc(document: Any) -> None:
    times = [each["time"] for each in document["events"]]
    times += [value["time"] for each in document["objects"] for value in each["attributes"]]
    assert {time[-1] for time in times} == {"Z"}
    assert all(datetime.fromisoformat(time) for time in times)


def test_each_type_declares_what_its_own_have(document: Any) -> None:
    for types, elements in (("eventTypes", "events"), ("objectTypes", "objects")):
        declared = {each["name"]: {one["name"] for one in each["attributes"]} for each in document[types]}
        used: dict[str, set[str]] = {name: set() for name in declared}
        for each in document[elements]:
            used[each["type"]] |= {one["name"] for one in each["attributes"]}
        assert all(used[name] <= declared[name] for name in declared)
        kinds = {one["type"] for each in document[types] for one in each["attributes"]}
        assert kinds <= {"string", "time", "integer", "float", "boolean"}


def test_whom_it_relates_to_is_there_and_ids_are_once(document: Any) -> None:
    ids = [each["id"] for each in (*document["events"], *document["objects"])]
    assert len(set(ids)) == len(ids)
    named = {
        one["objectId"] for name in ("events", "objects") for each in document[name] for one in each["relationships"]
    }
    assert named <= {each["id"] for each in document["objects"]}


def test_events_come_in_the_order_of_the_ledger(document: Any) -> None:
    positions = [int(each["id"].removeprefix("event:")) for each in document["events"]]
    assert positions == sorted(positions)


def test_it_says_what_the_database_says(document: Any, log: Log) -> None:
    relations = {name: sum(len(each["relationships"]) for each in document[name]) for name in ("events", "objects")}
    assert (len(document["events"]), len(document["objects"]), *relations.values()) == log.counts[:4]
    (fine,) = {
        each["value"]
        for one in document["objects"]
        for each in one["attributes"]
        if (each["name"], one["id"]) == ("fine", _fined(log))
    }
    assert log.rows('SELECT fine FROM "object_Penalty" WHERE ocel_id = ?', _fined(log))[0] == (float(fine),)
    flags = {each["value"] for one in document["events"] for each in one["attributes"] if each["name"] == "historical"}
    assert flags == {"true", "false"}


def _fined(log: Log) -> str:
    return str(log.rows('SELECT min(ocel_id) FROM "object_Penalty" WHERE fine IS NOT NULL')[0][0])


def test_r4pm_reads_the_same_from_both(file: Path, log: Log, tmp_path: Path) -> None:
    read = [r4pm.import_item("OCEL", str(path)) for path in (file, log.path)]
    counts = [(bindings.num_events(each), bindings.num_objects(each)) for each in read]
    assert counts[0] == counts[1] == log.counts[:2]
    written = []
    for number, each in enumerate(read):
        r4pm.export_item(each, str(tmp_path / f"{number}.json"))
        written.append(json.loads((tmp_path / f"{number}.json").read_bytes()))
    assert _relations(written[0]) == _relations(written[1])
    assert tuple(map(len, _relations(written[0]))) == log.counts[2:4]
    assert _times(written[0]) == _times(written[1])


def _relations(document: Any) -> tuple[set[Any], set[Any]]:
    return tuple(  # type: ignore[return-value]  # two of them
        {(each["id"], one["objectId"], one["qualifier"]) for each in document[name] for one in each["relationships"]}
        for name in ("events", "objects")
    )


def _times(document: Any) -> set[Any]:
    values = {(each["id"], one["name"], one["time"]) for each in document["objects"] for one in each["attributes"]}
    return values | {(each["id"], each["type"], each["time"]) for each in document["events"]}


def test_a_log_without_events_is_valid_too(told: System, tmp_path: Path) -> None:
    empty = exported(told, tmp_path / "log.sqlite", after=told.head)
    with (tmp_path / "log.json").open("wb") as out:
        write_ocel_json(empty.path, out)
    found = json.loads((tmp_path / "log.json").read_bytes())
    assert found == {"eventTypes": [], "objectTypes": [], "events": [], "objects": []}
    assert empty.counts[:4] == (0, 0, 0, 0)
    assert bindings.num_events(r4pm.import_item("OCEL", str(tmp_path / "log.json"))) == 0
