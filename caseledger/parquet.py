"""Parquet: the events and the credit timelines as two tables, a folder each, partitioned by the month of recording (UTC).

events/recorded_month=2026-06/part-0000.parquet             an event a row, voided ones too
credit_timelines/recorded_month=2026-06/part-0000.parquet   a span of dates of a timeline a row, for a span of knowledge

What most questions ask of an event is a column; the rest of its fields are the JSON object `data`, by the names of the
GraphQL schema. Columns say in the schema what they are, in English (`description`) and Chinese (`description_zh`).
No personal field is in it. Positions and months rise together, so that one file is open at a time; in memory is a row group.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final, NamedTuple, Self

import pyarrow as pa  # type: ignore[import-untyped]  # the library has no types
import pyarrow.parquet as pq  # type: ignore[import-untyped]  # the library has no types
from msgspec.structs import replace

from domain.recorded import Recorded
from ledger.entries import Kept, kept_entries
from ledger.entry import canonical, data_of
from ledger.migrations import Pool
from ledger.sealing import personal_names
from ledger.verify import Progress
from projections.credit import Timeline, loaded

ROW_GROUP: Final = 50_000
"""Rows that are compressed together, and the most that are in memory."""
ROWS_OF_A_FILE: Final = 2_000_000
CHANGES_AT_A_TIME: Final = 1_000
NO_MONTH: Final = "__HIVE_DEFAULT_PARTITION__"
"""What readers of partitioned folders take for null."""
Row = tuple[Any, ...]


class Column(NamedTuple):
    name: str
    type: pa.DataType
    description: str
    description_zh: str
    nullable: bool = False

    @property
    def field(self) -> pa.Field:
        metadata = {"description": self.description, "description_zh": self.description_zh}
        return pa.field(self.name, self.type, self.nullable, metadata)


_INSTANT: Final = pa.timestamp("us", tz="UTC")
EVENTS: Final = (
    Column("position", pa.int64(), "1, 2, 3 … in the order of recording", "位置：按记录顺序 1、2、3……"),
    Column("id", pa.string(), "random id of the event", "事件的随机标识"),
    Column("type", pa.string(), "type of the event, as in the GraphQL schema", "事件类型，同 GraphQL"),
    Column("area", pa.string(), "area of the type", "事件所属领域"),
    Column("uscc", pa.string(), "the enterprise that the event bears", "事件所涉企业的统一社会信用代码", True),
    Column("effective_on", pa.date32(), "legal date (Asia/Shanghai) of the fact", "事实生效的法定日期（北京时间）"),
    Column("recorded_at", _INSTANT, "when it was recorded", "记录时刻（UTC）"),
    Column("recorded_by", pa.string(), "role, authority or carrier, and key that recorded it", "记录者：角色、机关或企业、密钥"),
    Column("historical", pa.bool_(), "recorded as a fact of the past, exempt from the gates", "是否作为历史事实补录"),
    Column("voided_by", pa.int64(), "position of the void that takes it out", "使其作废的事件的位置", True),
    Column("authority", pa.string(), "MIIT or CA-nn", "机关：MIIT 或 CA-nn", True),
    Column("carrier", pa.string(), "carrier code", "电信企业代码", True),
    Column("number", pa.string(), "service number", "服务号码", True),
    Column("data", pa.string(), "all fields of the event but personal ones: a JSON object", "除个人信息外的全部字段（JSON 对象）"),
)  # fmt: skip
TIMELINES: Final = (
    Column("uscc", pa.string(), "the enterprise", "企业的统一社会信用代码"),
    Column("known_from", pa.int64(), "position from which on this is known", "自该位置起为已知"),
    Column("known_to", pa.int64(), "position from which on it is otherwise known; null: still so", "至该位置（不含）为止；空表示仍然有效", True),
    Column("recorded_at", _INSTANT, "when the event at known_from was recorded", "known_from 处事件的记录时刻（UTC）"),
    Column("valid_from", pa.date32(), "first legal date of the status; null: since ever", "状态的首个法定日期；空表示自始", True),
    Column("valid_to", pa.date32(), "legal date from which on it is another; null: for good", "至该法定日期（不含）为止；空表示此后一直", True),
    Column("status", pa.string(), "credit status: UNKNOWN, GOOD, WATCH, ADVERSE, DISHONEST", "信用状态"),
)  # fmt: skip
_OF_DATA: Final = ("authority", "carrier", "number")


class Written(NamedTuple):
    """Rows and files of a table."""

    rows: int
    files: int


def write_events(
    pool: Pool, folder: Path, after: int, upto: int, progress: Progress = lambda done, of: None
) -> Written:
    """Writes the events with after < position ≤ upto into a new folder. Raises UnreadableEntry, OSError."""
    with Partitions(folder, EVENTS, {"after": after, "upto": upto}) as partitions:
        for part in kept_entries(pool, after, upto):
            for kept in part:
                partitions.add(kept.recorded.recorded_at, _event(kept))
            progress(len(part), upto - after)
        return partitions.written


def write_timelines(pool: Pool, folder: Path, after: int, upto: int, without: Sequence[str] = ()) -> Written:
    """Writes the credit timelines that became known after a position, up to another, into a new folder.

    `without`: enterprises that are left out. The read model `credit_changes` must have come to `upto`.
    """
    with Partitions(folder, TIMELINES, {"after": after, "upto": upto}) as partitions:
        for known in _changes(pool, after, upto, without):
            for row in _spans(known):
                partitions.add(known.recorded_at, row)
        return partitions.written


class Known(NamedTuple):
    """A credit timeline, and from which position to which it was known so."""

    position: int
    uscc: str
    until: int | None
    recorded_at: datetime
    timeline: Timeline


def _event(kept: Kept) -> Row:
    recorded = kept.recorded
    data = shown(recorded)
    return (
        recorded.position,
        recorded.id,
        recorded.type,
        recorded.event.area.value,
        recorded.uscc,
        recorded.effective_on,
        recorded.recorded_at,
        recorded.recorded_by,
        recorded.historical,
        kept.voided_by,
        *(data.get(name) for name in _OF_DATA),
        canonical(data).decode(),
    )


def shown(recorded: Recorded) -> dict[str, Any]:
    """The fields of an event by their contract names, without personal ones and those that were not given."""
    event = recorded.event
    hidden = personal_names(type(event))
    return data_of(replace(event, **dict.fromkeys(hidden)) if hidden else event)


def _changes(pool: Pool, after: int, upto: int, without: Sequence[str]) -> Iterator[Known]:
    last = (after + 1, "")
    while True:
        parameters = {
            "position": last[0],
            "uscc": last[1],
            "upto": upto,
            "without": list(without),
            "limit": CHANGES_AT_A_TIME,
        }
        with pool.connection() as database:
            rows = database.execute(_CHANGES, parameters).fetchall()
        for position, uscc, until, recorded_at, timeline in rows:
            yield Known(position, uscc, until, recorded_at, loaded(timeline))
        if not rows:
            return
        last = rows[-1][0], rows[-1][1]


def _spans(known: Known) -> Iterator[Row]:
    ends = [span.begins for span in known.timeline[1:]]
    for span, end in zip(known.timeline, [*ends, None], strict=True):
        yield known.uscc, known.position, known.until, known.recorded_at, span.begins, end, span.status.value


@dataclass
class Partitions:
    """Rows as files of a folder, by the month in which they were recorded, which never falls. A context manager."""

    folder: Path
    columns: Sequence[Column]
    range: Mapping[str, int]
    _rows: list[Row] = field(default_factory=list)
    _month: str = ""
    _writer: pq.ParquetWriter | None = None
    _in_file: int = 0
    _of_month: int = 0
    _total: int = 0
    _files: int = 0

    def __post_init__(self) -> None:
        named = {"title": "caseledger", **{name: str(value) for name, value in self.range.items()}}
        self._schema = pa.schema([column.field for column in self.columns], metadata=named)

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True)
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    @property
    def written(self) -> Written:
        """What there is when all rows are in. Nothing may be added afterwards."""
        self._flush()
        if not self._files:
            # A table without rows is a table still: who reads it finds its columns.
            self._month = NO_MONTH
            self._opened()
        return Written(self._total, self._files)

    def add(self, recorded_at: datetime, row: Row) -> None:
        month = f"{recorded_at:%Y-%m}"
        if month != self._month:
            self._flush()
            self._close()
            self._month, self._of_month = month, 0
        self._rows.append(row)
        if len(self._rows) == ROW_GROUP:
            self._flush()

    def _flush(self) -> None:
        if not self._rows:
            return
        arrays = [
            pa.array(values, column.type)
            for values, column in zip(zip(*self._rows, strict=True), self.columns, strict=True)
        ]
        writer = self._writer or self._opened()
        writer.write_table(pa.Table.from_arrays(arrays, schema=self._schema), row_group_size=ROW_GROUP)
        self._total += len(self._rows)
        self._in_file += len(self._rows)
        self._rows.clear()
        if self._in_file >= ROWS_OF_A_FILE:
            self._close()

    def _opened(self) -> pq.ParquetWriter:
        partition = self.folder / f"recorded_month={self._month}"
        partition.mkdir(exist_ok=True)
        name = partition / f"part-{self._of_month:04}.parquet"
        self._writer = pq.ParquetWriter(name, self._schema, compression="zstd")
        self._of_month += 1
        self._files += 1
        return self._writer

    def _close(self) -> None:
        if self._writer:
            self._writer.close()
        self._writer, self._in_file = None, 0


_CHANGES: Final = """
SELECT c.position, c.uscc, (
    SELECT min(later.position) FROM credit_changes later
    WHERE later.uscc = c.uscc AND later.position > c.position AND later.position <= %(upto)s
), event.recorded_at, c.timeline::text
FROM credit_changes c JOIN events event ON event.position = c.position
WHERE (c.position, c.uscc) > (%(position)s, %(uscc)s) AND c.position <= %(upto)s AND c.uscc <> ALL (%(without)s::text[])
ORDER BY c.position, c.uscc LIMIT %(limit)s
"""
