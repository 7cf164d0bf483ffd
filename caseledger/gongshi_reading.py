"""双公示 files: a table of penalties or of licences, read to its end before its first row is given.

So a file that cannot be read whole, or lacks a column, changes nothing; a row knows of another with its document number,
wherever that stands; and an enterprise that is new is registered as of the earliest decision about it. What was read
waits in a temporary file that has no name, which takes as much room as the file's text; memory stays constant.
"""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from tempfile import TemporaryFile
from typing import IO, Any, Final, NamedTuple

import msgspec

from caseledger import gongshi
from caseledger.cells import Cell, Numeric
from caseledger.errors import Unreadable
from caseledger.gongshi import Refused, Stated
from caseledger.gongshi_columns import NEEDED, REPEATABLE, SHOWN, Kind, Named, column_of, label_of
from caseledger.gongshi_settling import COUNTED, settling
from caseledger.items import Format, Item
from caseledger.lines import Source
from caseledger.reporting import note
from caseledger.sheets import DELIMITERS, ZIP, Row, sheet_of, text_of, text_rows
from domain.commands import Code, Refusal, refusal
from domain.text import Text, shown
from ledger.entry import canonical

HEADER_WITHIN: Final = 10
"""The header is one of the first rows that are not empty, so many at most: titles may stand above it."""
HEADER_HAS: Final = 3
"""Known columns by which a row is taken for the header."""
WATCHED: Final = 500
"""Rows after which a reader lets its progress be seen."""


class Header(NamedTuple):
    """What the columns of a file are."""

    row: int
    kind: Kind
    keys: tuple[str | None, ...]
    """The key of each column; None where it is not known."""
    older: bool
    unknown: tuple[str, ...]


class Kept(msgspec.Struct, array_like=True):
    """A row that waits for the file's end."""

    number: int
    sent: dict[str, str] | None
    """None where nothing of the row may be kept."""
    refusals: list[tuple[str, str, str, str]]
    document_no: str = ""
    enterprise: dict[str, Any] = {}
    fact: dict[str, Any] = {}


def fits(beginning: bytes) -> bool:
    """Whether a file begins as a table with columns of the 双公示; any ZIP is taken for a workbook."""
    return beginning.startswith(ZIP) or max(_known(beginning).values()) >= HEADER_HAS


def items(source: Source) -> Iterator[Item]:
    """The rows of a file. Raises Unreadable before the first, or never."""
    source.went = "nothing was recorded"
    try:
        with TemporaryFile() as spool, TemporaryIndex() as index:
            reading = _Reading(source, spool, index)
            reading.read_all()
            yield from reading.items()
    except (OSError, sqlite3.OperationalError) as error:
        said = getattr(error, "strerror", None) or "the temporary folder is full or cannot be written"
        raise Unreadable(
            f"{source.name} cannot be unfolded in the temporary folder ({said}): make room, or give another by TMPDIR."
        ) from None


GONGSHI: Final = Format("gongshi", fits, items, settling, COUNTED)


# The header


def _known(beginning: bytes) -> dict[str, int]:
    """How many known columns the best of the first lines has, by each delimiter."""
    lines = text_of(beginning).splitlines()[: 3 * HEADER_WITHIN]
    return {delimiter: max((_known_in(line.split(delimiter)) for line in lines), default=0) for delimiter in DELIMITERS}


def _known_in(cells: Sequence[Cell]) -> int:
    return len({named.column.key for named in _named(cells) if named})


def _named(cells: Sequence[Cell]) -> list[Named | None]:
    return [column_of(cell.strip().strip('"')) if isinstance(cell, str) else None for cell in cells]


def header_of(name: str, row: Row) -> Header:
    """What the cells of a header say. Raises Unreadable where they do not make a file of one kind."""
    named = _named(row.cells)
    kinds = [each.column.kind for each in named if each]
    kind = max(Kind, key=kinds.count)
    keys = tuple(each.column.key if each and each.column.kind in (kind, None) else None for each in named)
    if twice := sorted({key for key in keys if key and key not in REPEATABLE and keys.count(key) > 1}):
        raise _unfit(name, f"its column {label_of(kind, twice[0])} comes twice: leave one of the two")
    if any(each and each.in_yuan for each in named):
        raise _unfit(
            name,
            "its amounts are headed 元, and the standard's are in 万元 (10,000 yuan): convert them, and the header",
        )
    if missing := [group for group in NEEDED[kind] if not any(key in keys for key in group)]:
        lacks = ", ".join(" or ".join(label_of(kind, key) for key in group) for group in missing)
        raise _unfit(name, f"it lacks the column {lacks}; {_found(row)}")
    unknown = tuple(str(cell) for cell, key in zip(row.cells, keys, strict=True) if key is None and _text(cell))
    return Header(row.number, kind, keys, any(each.older for each in named if each), unknown)


def _unfit(name: str, why: str) -> Unreadable:
    return Unreadable(f"{name} cannot be imported as 双公示: {why}. Nothing was recorded.")


def _found(row: Row) -> str:
    texts = [text for cell in row.cells if (text := _text(cell))]
    return f"line {row.number} has {', '.join(shown(text, 20) for text in texts[:40])}"


def _text(cell: Cell) -> str:
    return cell.text if isinstance(cell, Numeric) else str(cell).strip()


# The rows


class TemporaryIndex:
    """What one row has to know of the others: which line has a number, and the earliest decision about an enterprise."""

    def __init__(self) -> None:
        self._database = sqlite3.connect("", isolation_level=None)
        for statement in ("PRAGMA journal_mode = off", "PRAGMA synchronous = off", _NUMBERS, _DECISIONS):
            self._database.execute(statement)

    def __enter__(self) -> "TemporaryIndex":
        return self

    def __exit__(self, *_: object) -> None:
        self._database.close()

    def first_with(self, number: bytes, line: int, content: bytes) -> tuple[int, bytes]:
        """The line that came first with a number, and its content: this one, if none came before."""
        self._database.execute("INSERT INTO numbers VALUES (?, ?, ?) ON CONFLICT DO NOTHING", (number, line, content))
        found: tuple[int, bytes] = self._database.execute(
            "SELECT line, content FROM numbers WHERE number = ?", [number]
        ).fetchone()
        return found

    def decided(self, uscc: str, on: str) -> None:
        self._database.execute(_DECIDED, (uscc, on))

    def earliest(self, uscc: str) -> str:
        """The date of the earliest decision about an enterprise."""
        (on,) = self._database.execute("SELECT day FROM decisions WHERE uscc = ?", [uscc]).fetchone()
        return str(on)


_NUMBERS: Final = (
    "CREATE TABLE numbers (number BLOB PRIMARY KEY, line INTEGER NOT NULL, content BLOB NOT NULL) WITHOUT ROWID"
)
_DECISIONS: Final = "CREATE TABLE decisions (uscc TEXT PRIMARY KEY, day TEXT NOT NULL) WITHOUT ROWID"
_DECIDED: Final = "INSERT INTO decisions VALUES (?, ?) ON CONFLICT (uscc) DO UPDATE SET day = min(day, excluded.day)"


class _Reading:
    """One file: first all of it into the spool, then the items out of it."""

    def __init__(self, source: Source, spool: IO[bytes], index: TemporaryIndex) -> None:
        self._source = source
        self._spool = spool
        self._index = index
        self._header: Header | None = None
        self._merged: list[tuple[int, int]] = []
        self._authorities: dict[str, tuple[str, int]] = {}
        """By code the authority, and by authority the code, each with the line that said so first."""

    def read_all(self) -> None:
        beginning = self._source.beginning()
        if beginning.startswith(ZIP):
            with sheet_of(self._source) as sheet:
                self._take(sheet.rows())
                self._merged = sheet.merged
            if sheet.others:
                note(f"Only the sheet {shown(sheet.name)} is read; there are also {_list(sheet.others)}.")
        else:
            known = _known(beginning)
            self._take(text_rows(self._source, max(known, key=known.__getitem__)))
        if self._header is None:
            raise _unfit(self._source.name, "it is empty")
        if any(first <= self._header.row <= last for first, last in self._merged):
            raise _unfit(self._source.name, f"cells of its header, row {self._header.row}, are merged: split them")
        if self._header.unknown:
            note(f"These columns are not known and are left out: {_list(self._header.unknown)}.")

    def items(self) -> Iterator[Item]:
        self._spool.seek(0)
        for line in self._spool:
            kept = msgspec.json.decode(line, type=Kept)
            if any(first <= kept.number <= last for first, last in self._merged):
                kept.refusals = [_said(_MERGED)]
            yield self._item(kept)

    def _take(self, rows: Iterator[Row]) -> None:
        above: list[Row] = []
        taken = 0
        for row in rows:
            if self._header is None:
                self._header = self._header_in(row, above)
            elif row.number <= self._header.row + 2 and _known_in(row.cells) >= HEADER_HAS:
                continue  # A second header: codes under labels.
            else:
                self._spool.write(msgspec.json.encode(self._kept(row, self._header)) + b"\n")
                taken += 1
                if taken % WATCHED == 0:
                    self._source.watch()
        if self._header is None and above:
            raise self._no_header(above)
        self._source.rows = taken

    def _header_in(self, row: Row, above: list[Row]) -> Header | None:
        if _known_in(row.cells) >= HEADER_HAS:
            if row.flaw:
                raise _unfit(self._source.name, f"its header cannot be read: {row.flaw.text.en}")
            return header_of(self._source.name, row)
        above.append(row)
        if len(above) == HEADER_WITHIN:
            raise self._no_header(above)
        return None

    def _no_header(self, above: Sequence[Row]) -> Unreadable:
        needed = "; ".join(
            f"{kind.value}: {', '.join(label_of(kind, group[0]) for group in groups)}"
            for kind, groups in NEEDED.items()
        )
        found = max(above, key=lambda row: len([cell for cell in row.cells if _text(cell)]))
        return _unfit(
            self._source.name,
            f"none of its first {HEADER_WITHIN} rows is a header with columns by code or Chinese label ({needed}); {_found(found)}",
        )

    def _kept(self, row: Row, header: Header) -> Kept:
        if row.flaw:
            return Kept(row.number, None, [_said(row.flaw)])
        if more := [cell for cell in row.cells[len(header.keys) :] if _text(cell)]:
            return Kept(row.number, None, [_said(_too_wide(len(header.keys), len(more)))])
        cells = _by_key(header, row.cells)
        found = gongshi.read(header.kind, cells, older=header.older)
        if isinstance(found, Stated):
            refusals = self._beside_others(row.number, found)
            if not refusals:
                self._index.decided(found.uscc, found.on.isoformat())
                return Kept(row.number, _shown(header, cells), [], found.document_no, found.enterprise, found.fact)
            found = Refused(refusals)
        sent = None if found.private else _shown(header, cells)
        return Kept(row.number, sent, list(map(_said, found.refusals)))

    def _beside_others(self, line: int, stated: Stated) -> tuple[Refusal, ...]:
        """What is wrong with a row in the light of those before it."""
        if stated.authority_code:
            pairs = ((stated.authority, stated.authority_code), (stated.authority_code, stated.authority))
            for one, other in pairs:
                said, first = self._authorities.setdefault(one, (other, line))
                if said != other:
                    return (_other_authority(label_of(stated.kind, "authorityCode"), one, said, first),)
        content = sha256(canonical(stated.fact)).digest()
        number = "\0".join((stated.kind, "" if stated.kind is Kind.LICENCE else stated.authority, stated.number))
        first, same = self._index.first_with(sha256(number.encode()).digest(), line, content)
        return () if same == content else (_other_line(label_of(stated.kind, "documentNo"), stated.number, first),)

    def _item(self, kept: Kept) -> Item:
        sent = msgspec.UNSET if kept.sent is None else kept.sent
        if kept.refusals:
            refusals = (Refusal(Code(code), path, Text(zh, en)) for code, path, zh, en in kept.refusals)
            return Item(kept.number, sent, refusals=tuple(refusals))
        registered = {**kept.enterprise, "effectiveOn": self._index.earliest(kept.enterprise["uscc"])}
        assert self._header
        name = "penaltyImposed" if self._header.kind is Kind.PENALTY else "licenceGranted"
        identity = "\0".join((self._header.kind, kept.fact["authority"], kept.document_no, kept.fact["uscc"]))
        facts = (("enterpriseRegistered", registered), (name, kept.fact))
        return Item(kept.number, sent, facts, content=f"gongshi\0{identity}".encode(), unique=True)


def _by_key(header: Header, cells: Sequence[Cell]) -> dict[str, Cell]:
    """The cells of the known columns; of columns that come more than once the first that is not empty."""
    found: dict[str, Cell] = {}
    for key, cell in zip(header.keys, cells, strict=False):
        if key and (key not in found or not _text(found[key])):
            found[key] = cell
    return found


def _shown(header: Header, cells: Mapping[str, Cell]) -> dict[str, str]:
    return {
        label_of(header.kind, key): text[:200] for key, cell in cells.items() if key in SHOWN and (text := _text(cell))
    }


def _list(texts: Sequence[str]) -> str:
    more = f" and {len(texts) - 20} more" if len(texts) > 20 else ""
    return ", ".join(shown(text, 30) for text in texts[:20]) + more


def _said(one: Refusal) -> tuple[str, str, str, str]:
    return one.code.value, one.path, one.text.zh, one.text.en


_MERGED: Final = refusal(
    Code.INVALID,
    "",
    "该行有合并单元格，其值属于哪一行不确定；请取消合并并逐行填写",
    "Cells of this row are merged, so that it is not sure which row they are of: split them and fill each row in",
)


def _too_wide(columns: int, more: int) -> Refusal:
    return refusal(
        Code.INVALID,
        "",
        f"该行的单元格比表头的 {columns} 列多 {more} 个：可能有未加引号的分隔符",
        f"It has {more} cells more than the {columns} columns of the header: a delimiter in a cell without quotation marks, maybe",
    )


def _other_authority(label: str, one: str, said: str, line: int) -> Refusal:
    return refusal(
        Code.INVALID,
        label,
        f"第 {line} 行中与 {one} 对应的是 {said}，该行不同：机关名称与代码应前后一致",
        f"In line {line}, {said} goes with {one}, and here another does: name and code of an authority are the same everywhere",
    )


def _other_line(label: str, number: str, line: int) -> Refusal:
    return refusal(
        Code.ALREADY_EXISTS,
        label,
        f"{shown(number)}已在第 {line} 行出现，且内容不同；请保留正确的一行",
        f"{shown(number)} stands in line {line} with other content: leave the row that is right",
    )
