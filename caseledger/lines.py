"""Lines of a file: plain or gzip, whichever its first bytes say, or of standard input; in constant memory."""

import gzip
import sys
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple, cast

from caseledger.errors import Unreadable
from domain.text import shown

LONGEST: Final = 8 * 1024 * 1024
"""Bytes of a line that are kept; a longer one is cut there, and what is left is no JSON."""

_GZIP: Final = b"\x1f\x8b"
_MARK: Final = b"\xef\xbb\xbf"
_FORMATS: Final = {
    b"PK\x03\x04": "a ZIP or XLSX file",
    b"PAR1": "a Parquet file",
    b"SQLite format 3": "an SQLite database",
    b"%PDF": "a PDF",
    b"\xd0\xcf\x11\xe0": "an old Excel or Word file",
    b"\x28\xb5\x2f\xfd": "compressed with zstd: decompress it first",
    b"BZh": "compressed with bzip2: decompress it first",
    b"\xfd7zXZ": "compressed with xz: decompress it first",
    b"[": "a JSON array: write one fact a line instead",
}


class Line(NamedTuple):
    number: int
    """From 1 on, empty lines counted."""
    text: bytes


@contextmanager
def open_source(name: str) -> "Iterator[Source]":
    """The file of that name, or standard input for `-`. Raises Unreadable when it cannot be opened."""
    if name == "-":
        yield Source("standard input", sys.stdin.buffer)
        return
    with ExitStack() as stack:
        try:
            raw = stack.enter_context(Path(name).open("rb"))
        except OSError as error:
            raise Unreadable(f"{name} cannot be read: {error.strerror}.") from None
        yield Source(name, raw, Path(name).stat().st_size)


class Source:
    """Bytes that are read once, as lines. `size`: how many they are, None where that is not known."""

    def __init__(self, name: str, raw: BinaryIO, size: int | None = None) -> None:
        self.name = name
        self.size = size
        self._raw = raw

    @property
    def read(self) -> int:
        """Bytes read of the file, of `size`."""
        return 0 if self.size is None else self._raw.tell()

    def lines(self) -> Iterator[Line]:
        """The lines that are not empty, without their line ends.

        Raises Unreadable when it cannot be read on, after the lines that could be.
        """
        try:
            # Standard input and files are buffered: both can look ahead.
            beginning: bytes = self._raw.peek(2)[:2]  # type: ignore[attr-defined]
            opened = gzip.GzipFile(fileobj=self._raw) if beginning == _GZIP else self._raw
            yield from _numbered(cast(BinaryIO, opened))
        except EOFError:
            raise Unreadable(
                f"{self.name} is a gzip file that ends too early: the lines before the cut are in. Get the whole file "
                "and import it again."
            ) from None
        except (gzip.BadGzipFile, zlib.error):
            raise Unreadable(
                f"{self.name} is a damaged gzip file: the lines before the damage are in. Get the file anew and import "
                "it again."
            ) from None
        except OSError as error:
            raise Unreadable(f"{self.name} cannot be read on: {error.strerror}.") from None


def _numbered(opened: BinaryIO) -> Iterator[Line]:
    number = 0
    while text := opened.readline(LONGEST):
        number += 1
        _skip_the_rest(opened, text)
        text = text.removeprefix(_MARK).strip() if number == 1 else text.strip()
        if text:
            yield Line(number, text)


def _skip_the_rest(opened: BinaryIO, text: bytes) -> None:
    while len(text) == LONGEST and not text.endswith(b"\n"):
        text = opened.readline(LONGEST)


def other_format(name: str, text: bytes) -> Unreadable:
    """What to say of a file whose lines are no JSON objects, from its first line."""
    known = next((said for beginning, said in _FORMATS.items() if text.startswith(beginning)), None)
    begins = f"it is {known}" if known else f"it begins with {shown(text.decode('utf-8', 'replace'))}"
    return Unreadable(
        f"{name} is not JSON Lines ({begins}). Write one fact a line, as "
        '{"enterpriseRegistered": {"uscc": "…", "name": "…", "province": "11"}}; nothing was recorded.'
    )
