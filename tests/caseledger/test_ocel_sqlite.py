"""OCEL 2.0 as SQLite: the relational constraints of the standard, one test each, and what the log says.

The constraints are those of the standard's relational schema, in its order: which tables and columns there are, which
are typed how, and which keys they have. Over that: what a key says holds for every row.
"""

from collections import Counter
from collections.abc import Iterator

import pytest
import r4pm
from r4pm import bindings

from caseledger.ocel import OBJECT_TYPES
from domain.events import EVENTS
from ocel_logs import INDEPENDENT, Log, exported
from running import System


@pytest.fixture(scope="module")
def log(told: System, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Log]:
    found = exported(told, tmp_path_factory.mktemp("ocel") / "log.sqlite")
    yield found
    found.database.close()


def test_01_the_tables_that_no_type_has_are_there(log: Log) -> None:
    assert {name for (name,) in log.rows("SELECT name FROM sqlite_master WHERE type = 'table'")} > set(INDEPENDENT)


def test_02_each_object_type_that_is_mapped_has_a_table_and_no_other_is_there(log: Log) -> None:
    assert log.tables("object") == set(log.typed("object"))


def test_03_each_event_type_that_is_mapped_has_a_table_and_no_other_is_there(log: Log) -> None:
    assert log.tables("event") == set(log.typed("event"))


@pytest.mark.parametrize("table", ["event_map_type", "object_map_type", "event", "object"])
def test_04_the_type_is_a_column(log: Log, table: str) -> None:
    assert "ocel_type" in log.columns(table)


@pytest.mark.parametrize("table", ["event_map_type", "object_map_type"])
def test_05_the_name_in_the_table_of_a_type_is_a_column(log: Log, table: str) -> None:
    assert list(log.columns(table)) == ["ocel_type", "ocel_type_map"]


@pytest.mark.parametrize("table", ["event", "object"])
def test_06_the_id_is_a_column(log: Log, table: str) -> None:
    assert list(log.columns(table)) == ["ocel_id", "ocel_type"]


@pytest.mark.parametrize("table", ["event_object", "object_object"])
def test_07_the_qualifier_is_a_column(log: Log, table: str) -> None:
    assert "ocel_qualifier" in log.columns(table)


def test_08_an_event_and_an_object_are_related(log: Log) -> None:
    assert list(log.columns("event_object")) == ["ocel_event_id", "ocel_object_id", "ocel_qualifier"]


def test_09_an_object_and_an_object_are_related(log: Log) -> None:
    assert list(log.columns("object_object")) == ["ocel_source_id", "ocel_target_id", "ocel_qualifier"]


def test_10_tables_of_object_types_have_the_id(log: Log) -> None:
    assert {"ocel_id" in log.columns(table) for table in log.typed("object")} == {True}


def test_11_tables_of_event_types_have_the_id(log: Log) -> None:
    assert {"ocel_id" in log.columns(table) for table in log.typed("event")} == {True}


def test_12_the_time_of_an_objects_value_is_a_timestamp(log: Log) -> None:
    assert {log.columns(table)["ocel_time"] for table in log.typed("object")} == {"TIMESTAMP"}
    assert {"ocel_changed_field" in log.columns(table) for table in log.typed("object")} == {True}


def test_13_the_time_of_an_event_is_a_timestamp(log: Log) -> None:
    assert {log.columns(table)["ocel_time"] for table in log.typed("event")} == {"TIMESTAMP"}


@pytest.mark.parametrize("table", ["event_map_type", "object_map_type"])
def test_14_a_type_is_mapped_once(log: Log, table: str) -> None:
    assert log.key(table) == ["ocel_type"]


@pytest.mark.parametrize("table", ["event", "object"])
def test_15_an_id_is_there_once(log: Log, table: str) -> None:
    assert log.key(table) == ["ocel_id"]


def test_16_an_event_has_an_object_in_a_role_once(log: Log) -> None:
    assert log.key("event_object") == ["ocel_event_id", "ocel_object_id", "ocel_qualifier"]


def test_17_an_object_is_related_to_another_in_a_role_once(log: Log) -> None:
    assert log.key("object_object") == ["ocel_source_id", "ocel_target_id", "ocel_qualifier"]


def test_18_an_event_is_in_the_table_of_its_type_once(log: Log) -> None:
    assert {tuple(log.key(table)) for table in log.typed("event")} == {("ocel_id",)}


def test_19_an_events_type_is_mapped(log: Log) -> None:
    assert log.foreign("event") == {("ocel_type", "event_map_type", "ocel_type")}


def test_20_an_objects_type_is_mapped(log: Log) -> None:
    assert log.foreign("object") == {("ocel_type", "object_map_type", "ocel_type")}


def test_21_what_an_event_is_related_to_is_there(log: Log) -> None:
    assert log.foreign("event_object") == {
        ("ocel_event_id", "event", "ocel_id"),
        ("ocel_object_id", "object", "ocel_id"),
    }


def test_22_what_an_object_is_related_to_is_there(log: Log) -> None:
    assert log.foreign("object_object") == {
        ("ocel_source_id", "object", "ocel_id"),
        ("ocel_target_id", "object", "ocel_id"),
    }


def test_23_a_row_of_an_event_type_is_of_an_event(log: Log) -> None:
    assert {tuple(log.foreign(table)) for table in log.typed("event")} == {(("ocel_id", "event", "ocel_id"),)}


def test_24_a_row_of_an_object_type_is_of_an_object(log: Log) -> None:
    assert {tuple(log.foreign(table)) for table in log.typed("object")} == {(("ocel_id", "object", "ocel_id"),)}


def test_every_row_keeps_every_key(log: Log) -> None:
    assert log.rows("PRAGMA foreign_key_check") == []
    assert log.rows("PRAGMA integrity_check") == [("ok",)]


@pytest.mark.parametrize("kind", ["event", "object"])
def test_a_row_is_in_the_table_of_its_own_type(log: Log, kind: str) -> None:
    for name, count in log.rows(f"SELECT ocel_type, count(*) FROM {kind} GROUP BY 1"):
        own = f'SELECT count(DISTINCT ocel_id) FROM "{kind}_{name}" JOIN {kind} USING (ocel_id) WHERE ocel_type = ?'
        assert log.rows(own, name) == [(count,)], name


def test_every_type_of_event_and_object_is_in_it_by_its_full_name(log: Log) -> None:
    assert {name for (name,) in log.rows("SELECT ocel_type FROM event_map_type")} == set(EVENTS)
    assert {name for (name,) in log.rows("SELECT ocel_type FROM object_map_type")} == {
        each.name for each in OBJECT_TYPES
    }


def test_every_declared_type_is_one_of_the_standard(log: Log) -> None:
    tables = [*log.typed("event"), *log.typed("object")]
    found = {type_ for table in tables for type_ in log.columns(table).values()}
    assert found == {"TEXT", "TIMESTAMP", "INTEGER", "REAL", "BOOLEAN"}


def test_it_counts_what_it_holds_and_what_it_left_out(log: Log, told: System) -> None:
    recorded = Counter(event.type for event in told.log())
    assert log.counts.voided == recorded["EventVoided"] == 1
    assert log.counts.events == told.head - 1
    assert log.counts[:4] == tuple(log.rows(f"SELECT count(*) FROM {name}")[0][0] for name in INDEPENDENT[2:])
    kept = dict(log.rows("SELECT ocel_type, count(*) FROM event GROUP BY 1"))
    (gone,) = recorded - Counter(kept)
    assert recorded[gone] - kept[gone] == 1


def test_r4pm_reads_what_was_written(log: Log) -> None:
    read = r4pm.import_item("OCEL", str(log.path))
    assert (bindings.num_events(read), bindings.num_objects(read)) == log.counts[:2]
    types = bindings.ocel_type_stats(read)
    assert types["event_type_counts"] == dict(log.rows("SELECT ocel_type, count(*) FROM event GROUP BY 1"))
    assert types["object_type_counts"] == dict(log.rows("SELECT ocel_type, count(*) FROM object GROUP BY 1"))


def test_no_personal_field_and_no_inspector_is_in_it(log: Log) -> None:
    names = {name.lower() for table in [*log.typed("event"), *log.typed("object")] for name in log.columns(table)}
    assert not names & {"legalrepresentative", "complainantphone", "summary", "inspectors", "drawn", "request"}
    content = log.path.read_bytes()
    assert b"sealed:" not in content
    assert "检查员甲".encode() not in content
