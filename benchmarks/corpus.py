"""A country's ledger made up: `python -m benchmarks.corpus --events 10000000 --out FILE` or `--home FOLDER`.

Lives of invented enterprises by blocks of a thousand, each block in the order of its dates. Every hundredth enterprise has
2,000 complaints and every ten-thousandth 200,000, so that most events are of few enterprises, as they are in life. The
same seed gives the same facts. `--out` writes FactInput lines for `caseledger import`, compressed where the name ends in
.gz and to standard output for `-`; `--home` appends them to the ledger of that home, weighing nothing: for the size alone.
"""

import gzip
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from datetime import date, timedelta
from heapq import merge
from itertools import chain, count, islice
from operator import attrgetter
from pathlib import Path
from random import Random
from typing import IO, Annotated, Final

import msgspec
import typer
from rich.console import Console
from rich.progress import track

from benchmarks.enterprises import append, complained, life
from caseledger.settings import Settings
from caseledger.wiring import open_system
from ledger.entry import Draft

BLOCK: Final = 1_000
"""Enterprises whose lives run beside each other."""
HEAVY: Final = {10_000: 200_000, 100: 2_000}
"""Complaints about every so many-th enterprise."""
COMPLAINED_FROM: Final = date(2019, 1, 1)
COMPLAINED_FOR: Final = 2_400
"""Days on which complaints come."""
AT_A_TIME: Final = 10_000


def corpus(events: int, seed: int = 0) -> Iterator[Draft]:
    """So many events as drafts that are ready to be appended."""
    return islice(chain.from_iterable(_block(first, seed) for first in count(1, BLOCK)), events)


def _block(first: int, seed: int) -> Iterator[Draft]:
    lives = (_life(number, Random(f"{seed} {number}")) for number in range(first, first + BLOCK))  # noqa: S311
    return merge(*lives, key=attrgetter("effective_on"))


def _life(number: int, chance: Random) -> Iterator[Draft]:
    """One enterprise's events in the order of their dates."""
    own = sorted(life(number, chance), key=attrgetter("effective_on"))
    heavy = next((complaints for every, complaints in HEAVY.items() if number % every == 0), 0)
    return merge(own, _complaints(number, heavy), key=attrgetter("effective_on"))


def _complaints(number: int, complaints: int) -> Iterator[Draft]:
    for place in range(complaints):
        on = COMPLAINED_FROM + timedelta(days=place * COMPLAINED_FOR // complaints)
        yield from complained(number, f"H-{number}-{place}", on)


def line(made: Draft) -> bytes:
    """The FactInput that states what a draft does."""
    fact = {**msgspec.json.decode(made.data), "effectiveOn": str(made.effective_on)}
    if made.historical:
        fact["historical"] = True
    return msgspec.json.encode({made.type[0].lower() + made.type[1:]: fact}) + b"\n"


def main(
    events: Annotated[int, typer.Option(min=1, help="How many events.")] = 10_000_000,
    seed: Annotated[int, typer.Option(help="Another one gives another country.")] = 0,
    out: Annotated[
        str | None, typer.Option(help="A file of FactInput lines; .gz packs it, - is standard output.")
    ] = None,
    home: Annotated[Path | None, typer.Option(help="The home of a ledger to append to.")] = None,
) -> None:
    """Writes the made-up facts to a file, or appends them to a ledger."""
    if (out is None) == (home is None):
        raise typer.BadParameter("give either --out FILE or --home FOLDER")
    drafts = corpus(events, seed)
    if home:
        _record(home, drafts, events)
    else:
        with _opened(out or "-") as file:
            for part in _parts(events):
                file.writelines(map(line, islice(drafts, part)))


def _record(home: Path, drafts: Iterator[Draft], events: int) -> None:
    with open_system(Settings(home=home)) as system:
        for part in _parts(events):
            append(system.ledger.recorder, islice(drafts, part))


def _parts(events: int) -> Iterable[int]:
    """The sizes of the parts, with a bar on standard error while they are gone through."""
    sizes = [min(AT_A_TIME, events - begin) for begin in range(0, events, AT_A_TIME)]
    return track(sizes, "events", console=Console(stderr=True), transient=True)


@contextmanager
def _opened(out: str) -> Iterator[IO[bytes] | gzip.GzipFile]:
    if out == "-":
        with nullcontext(sys.stdout.buffer) as standard:
            yield standard
    elif out.endswith(".gz"):
        with gzip.GzipFile(out, "wb", compresslevel=3) as packed:
            yield packed
    else:
        with Path(out).open("wb") as plain:
            yield plain


if __name__ == "__main__":
    typer.run(main)
