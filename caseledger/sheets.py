"""Rows of a table: delimited text in UTF-8 or GB18030, or the first sheet of an XLSX workbook; in constant memory.

Numbers of a sheet are taken as the shortest decimal that reads back as the same binary number, which is what was typed
in: 0.2 and not 0.200000000000000011. A part of a workbook that could declare entities is refused.
"""

import csv
import mmap
import zlib
from array import array
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from tempfile import TemporaryFile
from typing import IO, Any, Final, Literal, NamedTuple
from xml.etree.ElementTree import iterparse
from zipfile import BadZipFile, ZipFile

from openpyxl.cell.text import Text as CellText
from openpyxl.reader.excel import ExcelReader
from openpyxl.styles.stylesheet import apply_stylesheet
from openpyxl.utils import column_index_from_string, get_column_letter
from openpyxl.utils.datetime import from_excel
from openpyxl.worksheet._reader import INLINE_STRING, MERGE_TAG, ROW_TAG, VALUE_TAG, WorkSheetParser
from openpyxl.worksheet.merge import MergeCells
from openpyxl.xml.constants import SHARED_STRINGS, SHEET_MAIN_NS

from caseledger.cells import Cell, Numeric
from caseledger.errors import Unreadable
from caseledger.lines import GLANCE, LONGEST, Source
from domain.commands import Code, Refusal, refusal

DELIMITERS: Final = (",", ";", "\t", "|")
ZIP: Final = b"PK\x03\x04"
LAST_SERIAL: Final = 110_000
"""The greatest number that is looked at as a day: in the year 2201."""

_MARK: Final = b"\xef\xbb\xbf"
_WIDE_MARKS: Final = (b"\xff\xfe", b"\xfe\xff")
_NAMES: Final = {"utf-8": "UTF-8", "gb18030": "GB18030"}


class Row(NamedTuple):
    number: int
    """The line that it begins in, or its row in the sheet; from 1 on."""
    cells: Sequence[Cell]
    flaw: Refusal | None = None
    """Why it cannot be read, if it cannot."""


# Text


def encoding_of(beginning: bytes) -> str | None:
    """UTF-8 or GB18030, whichever most lines of a beginning are in; None where all is ASCII so far."""
    whole = beginning.rpartition(b"\n")[0] or beginning
    lines = [line for line in whole.split(b"\n") if not line.isascii()]
    if not lines:
        return None
    return "utf-8" if beginning.startswith(_MARK) or sum(map(_is_utf8, lines)) * 2 >= len(lines) else "gb18030"


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


def text_of(beginning: bytes) -> str:
    """A beginning as text, to look at."""
    return beginning.removeprefix(_MARK).decode(encoding_of(beginning) or "utf-8", "replace")


def text_rows(source: Source, delimiter: str) -> Iterator[Row]:
    """The rows of delimited text that are not empty. Raises Unreadable."""
    if source.beginning().startswith(_WIDE_MARKS):
        raise Unreadable(f"{source.name} is UTF-16: save it as CSV in UTF-8 (or GB18030). Nothing was recorded.")
    lines = _Lines(source)
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    with source.reading():
        while True:
            first = reader.line_num + 1
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                lines.flaws.clear()
                yield Row(first, (), _misquoted(source, first, str(error)))
                continue
            flaw = next(iter(lines.flaws.values()), None)
            lines.flaws.clear()
            if any(map(str.strip, cells)) or flaw:
                yield Row(first, cells, flaw)


def _misquoted(source: Source, line: int, said: str) -> Refusal:
    if "unexpected end of data" in said or "field larger" in said:
        raise Unreadable(
            f"{source.name}: a quotation mark that is opened in line {line} is not closed, so that the rows after it cannot be "
            "told apart. Close it, and import the file again; nothing was recorded."
        )
    return refusal(
        Code.INVALID,
        "",
        "引号使用有误：含引号的单元格应整体用引号括起，其中的引号写两次",
        "Its quotation marks are wrong: a cell with some in it is quoted as a whole, and those in it are doubled",
    )


class _Lines:
    """The lines of a file as text. `flaws`: what is wrong with those that were taken, by number."""

    def __init__(self, source: Source) -> None:
        self.flaws: dict[int, Refusal] = {}
        self._opened = source.opened
        self._encoding = encoding_of(source.beginning())
        self._number = 0

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        line = self._opened.readline(LONGEST)
        self._number += 1
        if not line:
            raise StopIteration
        if self._number == 1:
            line = line.removeprefix(_MARK)
        if line.isascii():
            return line.decode()
        self._encoding = self._encoding or encoding_of(line) or "utf-8"
        try:
            if self._encoding == "gb18030" and _is_surely_utf8(line):
                raise UnicodeError
            return line.decode(self._encoding)
        except UnicodeError:
            self.flaws[self._number] = _other_encoding(self._number, _NAMES[self._encoding])
            return line.decode(self._encoding, "replace")


def _is_surely_utf8(line: bytes) -> bool:
    """Whether a line is Chinese in UTF-8; a few characters of GB18030 may look like others of it by chance."""
    if not _is_utf8(line):
        return False
    strange = [character for character in line.decode() if not character.isascii()]
    return len(strange) >= 4 and any("\u4e00" <= character <= "\u9fff" for character in strange)


def _other_encoding(line: int, encoding: str) -> Refusal:
    return refusal(
        Code.INVALID,
        "",
        f"第 {line} 行不是 {encoding} 编码，而文件其他部分是；请统一编码后再导入",
        f"Line {line} is not in {encoding}, as the rest of the file is: let all of it be in one encoding",
    )


# Sheets


class Sheet:
    """The first visible sheet of a workbook. `merged` is complete when the rows were read."""

    def __init__(self, source: str, reader: "_Reader") -> None:
        visible = [part for part in reader.sheets if part.state == "visible"]
        if not visible:
            raise KeyError("worksheet")
        self._source = source
        self._reader = reader
        self._part = visible[0]
        self.name = self._part.name
        self.others = [part.name for part in reader.sheets if part is not self._part]
        self.merged: list[tuple[int, int]] = []
        """The first and the last row of each merged range."""

    def rows(self) -> Iterator[Row]:
        """The rows that are not empty. Raises Unreadable."""
        with _reading(self._source), self._reader.archive.open(self._part.path) as xml:
            parser = _Parser(
                xml,
                self._reader.shared_strings,
                epoch=self._reader.wb.epoch,
                date_formats=self._reader.wb._date_formats,
                timedelta_formats=self._reader.wb._timedelta_formats,
            )
            for number, found in parser.parse():
                parser.row_dimensions.clear()
                row = self._row(number, found)
                if row.flaw or any(row.cells):
                    yield row
        if parser.merged_cells is not None:
            self.merged = [(each.min_row, each.max_row) for each in parser.merged_cells.mergeCell]

    def _row(self, number: int, found: Sequence[dict[str, Any]]) -> Row:
        cells: list[Cell] = [""] * max((cell["column"] for cell in found), default=0)
        flaw = None
        for cell in found:
            if cell["data_type"] in ("f", "e"):
                flaw = flaw or _no_value(number, cell)
            elif cell["value"] is not None:
                cells[cell["column"] - 1] = self._cell(cell["value"])
        return Row(number, cells, flaw)

    def _cell(self, value: Any) -> Cell:
        if isinstance(value, str):
            return value
        if isinstance(value, datetime):
            return value.date()
        if isinstance(value, date):
            return value
        if isinstance(value, bool) or not isinstance(value, int | float):
            return str(value).upper()
        return Numeric(_decimal(value), self._day(value))

    def _day(self, value: float) -> date | None:
        if not 1 <= value < LAST_SERIAL:
            return None
        found = from_excel(value, self._reader.wb.epoch)
        return found.date() if isinstance(found, datetime) else None


def _elements(xml: IO[bytes], *events: Literal["start", "end"]) -> Iterator[tuple[str, Any]]:
    """The elements of a workbook's part, by the parser that is written in C: the library's takes ten times as long.

    Raises ValueError where entities could be declared; what comes after so long a prologue is bounded by expat itself.
    """
    beginning = xml.read(GLANCE)
    xml.seek(0)
    if b"<!DOCTYPE" in beginning or b"\0" in beginning:
        raise ValueError("a document type")
    return iterparse(xml, events)  # noqa: S314  # entities are refused above


class _Parser(WorkSheetParser):  # type: ignore[misc]  # the library has no types
    """Reads rows and merged cells alone."""

    def parse(self) -> Iterator[tuple[int, list[dict[str, Any]]]]:
        for _, element in _elements(self.source, "end"):
            if element.tag == ROW_TAG:
                yield self.parse_row(element)
                element.clear()
            elif element.tag == MERGE_TAG:
                self.merged_cells = MergeCells.from_tree(element)

    def parse_cell(self, element: Any) -> dict[str, Any]:
        place, only = element.get("r"), element[0] if len(element) == 1 else None
        if place is None or only is None:
            return dict(super().parse_cell(element))
        if element.get("t") == "s" and only.tag == VALUE_TAG:
            value = self.shared_strings[int(only.text)]
        elif only.tag == INLINE_STRING and len(only) == 1 and only[0].tag == _TEXT:
            value = only[0].text or ""
        else:
            return dict(super().parse_cell(element))
        self.col_counter = _column(place.rstrip("0123456789"))
        return {"row": self.row_counter, "column": self.col_counter, "value": value, "data_type": "s"}


_TEXT: Final = f"{{{SHEET_MAIN_NS}}}t"
_column = cache(column_index_from_string)


def _decimal(value: float) -> str:
    """A number's shortest decimal, written out unless that would be a line of zeros."""
    exact = Decimal(repr(value))
    return format(exact, "f") if -30 < exact.adjusted() < 30 else str(exact)


def _no_value(row: int, cell: dict[str, Any]) -> Refusal:
    place = f"{get_column_letter(cell['column'])}{row}"
    if cell["data_type"] == "e":
        return refusal(Code.INVALID, "", f"单元格 {place} 的值是错误值", f"Cell {place} holds an error and no value")
    return refusal(
        Code.INVALID,
        "",
        f"单元格 {place} 是公式；请改为数值后再导入（复制，选择性粘贴为数值）",
        f"Cell {place} is a formula: let it be its value (copy, paste values) and import again",
    )


@contextmanager
def sheet_of(source: Source) -> Iterator[Sheet]:
    """The sheet of a workbook. Raises Unreadable."""
    with source.seekable() as file, TemporaryFile() as spool:
        with _reading(source.name):
            with ZipFile(file) as archive:
                # No more is taken of any part of it than it says here.
                parts = archive.infolist()
                source.unpacking.check(
                    source.name, sum(part.file_size for part in parts), sum(part.compress_size for part in parts)
                )
            file.seek(0)
            reader = _Reader(file, spool)
            reader.read()
            sheet = Sheet(source.name, reader)
        yield sheet


@contextmanager
def _reading(name: str) -> Iterator[None]:
    """Says in words, as Unreadable, why a workbook cannot be read or not on."""
    try:
        yield
    except (BadZipFile, zlib.error, EOFError):
        raise Unreadable(f"{name} is a damaged XLSX or ZIP file: get it anew. Nothing was recorded.") from None
    except OSError as error:
        raise Unreadable(f"{name} cannot be read on: {error.strerror or 'it is damaged'}.") from None
    except (AttributeError, ImportError, LookupError, TypeError, ValueError, SyntaxError) as error:
        # What the library says of a workbook that it cannot read; a parse error is a SyntaxError.
        raise Unreadable(
            f"{name} is no XLSX workbook that can be read ({type(error).__name__}): save it again as XLSX, or as CSV. "
            "Nothing was recorded."
        ) from None


class _Part(NamedTuple):
    name: str
    state: str
    path: str


class _Reader(ExcelReader):  # type: ignore[misc]  # the library has no types
    """Reads what a workbook says of its sheets, and keeps its texts in a file: the library reads each sheet once to measure it,
    and keeps the texts, which are most of a workbook, in memory."""

    def __init__(self, file: IO[bytes], spool: IO[bytes]) -> None:
        super().__init__(file, read_only=True, keep_links=False)
        self._spool = spool

    def read(self) -> None:
        self.read_manifest()
        self.read_strings()
        self.read_workbook()
        apply_stylesheet(self.archive, self.wb)
        self.sheets = [
            _Part(str(sheet.name), str(sheet.state), rel.target)
            for sheet, rel in self.parser.find_sheets()
            if rel.target in self.valid_files and "chartsheet" not in rel.Type
        ]

    def read_strings(self) -> None:
        found = self.package.find(SHARED_STRINGS)
        if found is not None:
            with self.archive.open(found.PartName[1:]) as xml:
                self.shared_strings = _Texts(xml, self._spool)


class _Texts:
    """The shared texts of a workbook, by number."""

    def __init__(self, xml: IO[bytes], spool: IO[bytes]) -> None:
        self._ends = array("Q", [0])
        for text in _texts(xml):
            self._ends.append(self._ends[-1] + spool.write(text.encode("utf-8", "surrogatepass")))
        spool.flush()
        self._bytes: mmap.mmap | bytes = (
            mmap.mmap(spool.fileno(), 0, access=mmap.ACCESS_READ) if self._ends[-1] else b""
        )

    def __getitem__(self, number: int) -> str:
        return self._bytes[self._ends[number] : self._ends[number + 1]].decode("utf-8", "surrogatepass")


def _texts(xml: IO[bytes]) -> Iterator[str]:
    root = None
    for event, node in _elements(xml, "start", "end"):
        root = node if root is None else root
        if event == "end" and node.tag == f"{{{SHEET_MAIN_NS}}}si":
            is_plain = len(node) == 1 and node[0].tag == _TEXT
            yield node[0].text or "" if is_plain else str(CellText.from_tree(node).content)
            root.clear()
