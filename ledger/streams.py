"""Reading what a decision has to know: folds of tags at one head, with the busiest kept in memory.

A kept fold is never changed in place: what has come since is folded into a copy, so that whoever holds the older one
goes on seeing its own head. Keeping is only quickness: every read asks the log for what is newer than the fold.
"""

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from threading import Lock
from typing import Final, Protocol

from eventsourcing.dcb.api import DCBSequencedEvent

from domain.facts import Facts
from domain.recorded import Recorded
from ledger.entry import opened

KEPT: Final = 20_000
"""How many folds are kept in memory; at some kilobytes each this stays below 100 MB."""
LARGEST_KEPT: Final = 2_000
"""The most facts of a fold that is kept."""


class Log(Protocol):
    """What streams need of a recorder."""

    def read_streams(
        self, wanted: Mapping[str, int], upto: int | None = None
    ) -> tuple[int, list[DCBSequencedEvent]]: ...


class Streams:
    def __init__(self, log: Log) -> None:
        self._log = log
        self._kept: OrderedDict[str, Facts] = OrderedDict()
        self._lock = Lock()

    def read(self, tags: Iterable[str]) -> tuple[int, dict[str, Facts]]:
        """The head and the folds of all the tags at that head, from one statement."""
        folds = self._recall(tags)
        head, newer = self._log.read_streams({tag: facts.position for tag, facts in folds.items()})
        fresh: set[str] = set()
        for sequenced in newer:
            recorded = opened(sequenced.event.data)
            for tag in recorded.tags:
                if tag in folds and folds[tag].position < recorded.position:
                    if tag not in fresh:
                        folds[tag] = folds[tag].copy()
                        fresh.add(tag)
                    folds[tag].evolve(recorded)
        self._keep({tag: folds[tag] for tag in fresh})
        return head, folds

    def at(self, tags: Iterable[str], known_at: int) -> tuple[dict[str, Facts], int]:
        """The folds of tags from the log alone, up to a position, and how many events were read."""
        folds = {tag: Facts() for tag in tags}
        _, found = self._log.read_streams(dict.fromkeys(folds, 0), known_at)
        for sequenced in found:
            recorded = opened(sequenced.event.data)
            for tag in recorded.tags:
                if tag in folds:
                    folds[tag].evolve(recorded)
        return folds, len(found)

    def _recall(self, tags: Iterable[str]) -> dict[str, Facts]:
        with self._lock:
            return {tag: self._kept.get(tag) or Facts() for tag in tags}

    def _keep(self, folds: Mapping[str, Facts]) -> None:
        with self._lock:
            for tag, facts in folds.items():
                kept = self._kept.get(tag)
                if facts.size <= LARGEST_KEPT and (kept is None or kept.position < facts.position):
                    self._kept[tag] = facts
                    self._kept.move_to_end(tag)
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)


def opened_all(found: Iterable[DCBSequencedEvent]) -> list[Recorded]:
    return [opened(sequenced.event.data) for sequenced in found]
