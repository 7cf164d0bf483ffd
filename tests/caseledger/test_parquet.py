"""Parquet: what the two tables hold, how they are laid out, and what their schema says of itself."""

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq  # type: ignore[import-untyped]  # the library has no types
import pytest

from caseledger import parquet
from caseledger.parquet import EVENTS, TIMELINES, Column, Partitions, write_events, write_timelines
from domain.credit import Span
from domain.recorded import Recorded
from domain.vocabulary import CreditStatus
from given import A
from ledger.sealing import personal_names
from projections.reads import Reads
from running import System


@pytest.fixture(scope="module")
def folder(told: System, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("parquet")
    rows = write_events(told.pool, folder / "events", 0, told.head)
    assert (rows.rows, rows.files) == (told.head, len(files(folder / "events")))
    spans = write_timelines(told.pool, folder / "credit_timelines", 0, told.head)
    assert spans.rows == len(table(folder / "credit_timelines")) > 0
    return folder


def files(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.parquet"))


def table(folder: Path) -> list[dict[str, Any]]:
    """The rows of all files in their order, without the partition."""
    return [row for file in files(folder) for row in pq.ParquetFile(file).read().to_pylist()]


@pytest.fixture(scope="module")
def events(folder: Path) -> list[dict[str, Any]]:
    return table(folder / "events")


def test_each_event_is_a_row_with_what_its_entry_says(events: list[dict[str, Any]], told: System) -> None:
    log = told.log()
    assert [_columns(event) for event in log] == [
        {name: row[name] for name in row if name not in ("voided_by", "authority", "carrier", "number", "data")}
        for row in events
    ]


def _columns(event: Recorded) -> dict[str, Any]:
    return {
        "position": event.position,
        "id": event.id,
        "type": event.type,
        "area": event.event.area.value,
        "uscc": event.uscc,
        "effective_on": event.effective_on,
        "recorded_at": event.recorded_at,
        "recorded_by": event.recorded_by,
        "historical": event.historical,
    }


def test_what_was_voided_is_there_and_says_by_what(events: list[dict[str, Any]]) -> None:
    voids = {json.loads(row["data"])["position"]: row["position"] for row in events if row["type"] == "EventVoided"}
    assert {row["position"]: row["voided_by"] for row in events if row["voided_by"]} == voids != {}


def test_a_void_that_came_later_is_not_known(told: System, tmp_path: Path) -> None:
    by = next(event.position for event in told.log() if event.type == "EventVoided")
    write_events(told.pool, tmp_path / "events", 0, by - 1)
    assert {row["voided_by"] for row in table(tmp_path / "events")} == {None}


def test_data_are_the_fields_by_their_contract_names_without_personal_ones(
    events: list[dict[str, Any]], told: System
) -> None:
    for row, recorded in zip(events, told.log(), strict=True):
        data = json.loads(row["data"])
        assert all(row[name] == data.get(name) for name in ("authority", "carrier", "number"))
        hidden = {field for field in recorded.event.__struct_encode_fields__ if field in _personal(recorded)}
        assert not hidden & set(data)
    assert any(_personal(recorded) for recorded in told.log())
    assert not any("sealed:" in row["data"] for row in events)


def _personal(recorded: Recorded) -> set[str]:
    cls = type(recorded.event)
    names = dict(zip(cls.__struct_fields__, cls.__struct_encode_fields__, strict=True))
    return {names[name] for name in personal_names(cls)}


def test_timelines_are_those_of_every_enterprise_at_every_position(folder: Path, told: System) -> None:
    rows = table(folder / "credit_timelines")
    usccs = sorted({row["uscc"] for row in rows})
    for known_at in (10, 100, 200, told.head):
        for uscc, timeline in Reads(told.pool).timelines(usccs, known_at).items():
            known = [
                row
                for row in rows
                if row["uscc"] == uscc and row["known_from"] <= known_at < (row["known_to"] or told.head + 1)
            ]
            spans = [Span(row["valid_from"], CreditStatus(row["status"])) for row in known]
            assert (spans or [Span(None, CreditStatus.UNKNOWN)]) == list(timeline)
            assert [row["valid_to"] for row in known[:-1]] == [row["valid_from"] for row in known[1:]]


def test_timelines_say_when_they_became_known(folder: Path, told: System) -> None:
    log = told.log()
    rows = table(folder / "credit_timelines")
    assert all(row["recorded_at"] == log[row["known_from"] - 1].recorded_at for row in rows)


def test_timelines_as_known_at_an_earlier_end_are_open_there(folder: Path, told: System, tmp_path: Path) -> None:
    closed = min(row["known_to"] for row in table(folder / "credit_timelines") if row["known_to"])
    write_timelines(told.pool, tmp_path / "spans", 0, closed - 1)
    assert {row["known_to"] for row in table(tmp_path / "spans")} == {None}


def test_a_part_of_the_ledger_has_what_was_recorded_in_it(told: System, tmp_path: Path) -> None:
    write_events(told.pool, tmp_path / "events", 100, 110)
    assert [row["position"] for row in table(tmp_path / "events")] == list(range(101, 111))
    write_timelines(told.pool, tmp_path / "spans", 100, told.head)
    assert min(row["known_from"] for row in table(tmp_path / "spans")) > 100


def test_enterprises_may_be_left_out_of_the_timelines(folder: Path, told: System, tmp_path: Path) -> None:
    usccs = {row["uscc"] for row in table(folder / "credit_timelines")}
    left_out = min(usccs)
    write_timelines(told.pool, tmp_path / "spans", 0, told.head, [left_out])
    assert {row["uscc"] for row in table(tmp_path / "spans")} == usccs - {left_out}


@pytest.mark.parametrize(("name", "columns"), [("events", EVENTS), ("credit_timelines", TIMELINES)])
def test_each_column_has_its_type_and_says_what_it_is_in_both_languages(
    folder: Path, name: str, columns: tuple[Column, ...], told: System
) -> None:
    schema = pq.read_schema(files(folder / name)[0])
    assert schema.names == [column.name for column in columns]
    for column in columns:
        field = schema.field(column.name)
        assert (field.type, field.nullable) == (column.type, column.nullable)
        assert field.metadata[b"description"].decode() == column.description
        assert field.metadata[b"description_zh"].decode() == column.description_zh
    assert (schema.metadata[b"after"], schema.metadata[b"upto"]) == (b"0", str(told.head).encode())


# ── layout ──────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def months(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """12 rows of three months, in files of 4 rows and row groups of 2."""
    monkeypatch.setattr(parquet, "ROW_GROUP", 2)
    monkeypatch.setattr(parquet, "ROWS_OF_A_FILE", 4)
    with Partitions(tmp_path / "spans", TIMELINES, {}) as partitions:
        for number, month in enumerate([4] * 5 + [5] * 6 + [7]):
            at = datetime(2026, month, 1, tzinfo=UTC)
            partitions.add(at, (A, number, None, at, None, date(2026, 1, 1), "GOOD"))
        assert partitions.written == (12, 5)
    yield tmp_path / "spans"


def test_files_are_by_the_month_of_recording_and_of_bounded_length(months: Path) -> None:
    assert {str(file.relative_to(months)): pq.read_metadata(file).num_rows for file in files(months)} == {
        "recorded_month=2026-04/part-0000.parquet": 4,
        "recorded_month=2026-04/part-0001.parquet": 1,
        "recorded_month=2026-05/part-0000.parquet": 4,
        "recorded_month=2026-05/part-0001.parquet": 2,
        "recorded_month=2026-07/part-0000.parquet": 1,
    }
    assert [row["known_from"] for row in table(months)] == list(range(12))


def test_row_groups_are_bounded_and_compressed(months: Path) -> None:
    for file in files(months):
        found = pq.read_metadata(file)
        for group in range(found.num_row_groups):
            assert found.row_group(group).num_rows <= 2
            assert found.row_group(group).column(0).compression == "ZSTD"


def test_a_month_is_that_of_utc(tmp_path: Path) -> None:
    at = datetime.fromisoformat("2026-05-31T23:59:59.999999+00:00")
    with Partitions(tmp_path / "spans", TIMELINES, {}) as partitions:
        partitions.add(at, (A, 1, None, at, None, None, "GOOD"))
        assert partitions.written.files == 1
    assert [file.parent.name for file in files(tmp_path / "spans")] == ["recorded_month=2026-05"]


def test_a_table_without_rows_is_a_table_still(told: System, tmp_path: Path) -> None:
    assert write_timelines(told.pool, tmp_path / "spans", told.head, told.head) == (0, 1)
    (file,) = files(tmp_path / "spans")
    assert pq.read_schema(file).names == [column.name for column in TIMELINES]
    assert table(tmp_path / "spans") == []
