"""What a server's processes hold of memory together, and what it may be."""

from contextlib import suppress
from pathlib import Path
from typing import Final

MOST: Final = 350.0
"""MiB of a server: of all its processes, without PostgreSQL's."""


def family(pid: int) -> list[int]:
    """A process and those that it started."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except FileNotFoundError:
        return []
    return [pid, *(each for child in children for each in family(int(child)))]


def held(pid: int) -> float:
    """MiB that a process and those that it started hold; a page that several hold is divided among them (PSS)."""
    return sum(map(_share, family(pid))) / 1_024


def _share(pid: int) -> int:
    with suppress(FileNotFoundError, ProcessLookupError):
        return int(Path(f"/proc/{pid}/smaps_rollup").read_text().partition("\nPss:")[2].split()[0])
    return 0
