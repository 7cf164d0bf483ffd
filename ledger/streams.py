"""Reading what a decision has to know: folds of tags at one head, with the busiest kept in memory.

A kept fold is never changed in place: what has come since is folded into a copy, so that whoever holds the older one
goes on seeing its own head. Keeping is only quickness: every read asks the log for what is newer than the fold.
"""

from collections import OrderedDict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from threading import Lock
from typing import Final, Protocol

from eventsourcing.dcb.api import DCBSequencedEvent

from domain.facts import Facts
from domain.recorded import Recorded
from ledger.entry import read_entry
from ledger.snapshots import EVERY, Snapshots

KEPT_BYTES: Final = 96 * 1024 * 1024
"""How much memory the folds that are kept take, about; processes of one server share it out."""
FOLD_BYTES: Final = 500
FACT_BYTES: Final = 730
"""What a fold takes as measured: so much, and so much for each of its facts."""
SNAPPED: Final = "enterprise:"
"""The tags of which snapshots are kept: the others' histories are short."""


class Log(Protocol):
    """What streams need of a recorder."""

    def read_streams(
        self, wanted: Mapping[str, int], upto: int | None = None
    ) -> tuple[int, list[DCBSequencedEvent]]: ...


class Streams:
    def __init__(self, log: Log, snapshots: Snapshots | None = None, most: int = KEPT_BYTES) -> None:
        self._log = log
        self._most = most
        self._snapshots = snapshots
        self._size = 0
        self._kept: OrderedDict[str, Facts] = OrderedDict()
        self._lock = Lock()
        self._lately: tuple[int, dict[str, Facts]] = (0, {})
        self._at_hand: Mapping[int, Recorded] = {}

    def read(self, tags: Collection[str]) -> tuple[int, dict[str, Facts]]:
        """The head and the folds of all the tags at that head, from one statement. Raises UnreadableEntry."""
        folds = self._recall(tags)
        held = dict(folds)
        head, newer = self._log.read_streams({tag: facts.position for tag, facts in folds.items()})
        fresh: set[str] = set()
        at_hand = self._at_hand
        for found in newer:
            recorded = at_hand.get(found.position) or read_entry(found)
            for tag in recorded.tags:
                if tag in folds and folds[tag].position < recorded.position:
                    if tag not in fresh:
                        folds[tag] = folds[tag].copy()
                        fresh.add(tag)
                    folds[tag].evolve(recorded)
        self._keep({tag: folds[tag] for tag in fresh})
        self._snap({tag: folds[tag] for tag in fresh if folds[tag].size - held[tag].size >= EVERY})
        return head, folds

    def upto(self, batch: Sequence[Recorded], tags: Collection[str]) -> dict[str, Facts]:
        """The folds of tags that know every event up to the end of a batch, and maybe later ones.

        Asked again for a batch of the same end they are those of the first time, without a look at the log: whoever works
        on a batch asks once, whatever number of projections it is for. For one thread.
        """
        (at, known), position = self._lately, batch[-1].position
        if at != position:
            known = {}
            self._lately = position, known
            # What was read for the batch need not be read once more.
            self._at_hand = {recorded.position: recorded for recorded in batch}
        if missing := [tag for tag in tags if tag not in known]:
            known.update(self.read(missing)[1])
        return {tag: known[tag] for tag in tags}

    def at(self, tags: Iterable[str], known_at: int) -> tuple[dict[str, Facts], int]:
        """The folds of tags from the log alone, up to a position, and how many events were read."""
        folds = {tag: Facts() for tag in tags}
        _, found = self._log.read_streams(dict.fromkeys(folds, 0), known_at)
        for recorded in _opened(found):
            for tag in recorded.tags:
                if tag in folds and folds[tag].position < recorded.position:
                    folds[tag].evolve(recorded)
        return folds, len(found)

    def _recall(self, tags: Collection[str]) -> dict[str, Facts]:
        """What is kept of each tag: in memory, else as a snapshot, else nothing yet."""
        with self._lock:
            folds = {tag: self._kept[tag] for tag in tags if tag in self._kept}
            for tag in folds:
                self._kept.move_to_end(tag)
        missing = [tag for tag in tags if tag not in folds]
        snapped = [tag for tag in missing if tag.startswith(SNAPPED)]
        if snapped and self._snapshots:
            loaded = self._snapshots.load(snapped)
            self._keep(loaded)
            folds.update(loaded)
        return {tag: folds.get(tag) or Facts() for tag in tags}

    def _snap(self, folds: Mapping[str, Facts]) -> None:
        """Keeps a snapshot of what took long to fold."""
        if self._snapshots:
            self._snapshots.keep({tag: facts for tag, facts in folds.items() if tag.startswith(SNAPPED)})

    def _keep(self, folds: Mapping[str, Facts]) -> None:
        with self._lock:
            for tag, facts in folds.items():
                kept = self._kept.get(tag)
                if kept is None or kept.position < facts.position:
                    self._size += _bytes(facts) - (_bytes(kept) if kept else 0)
                    self._kept[tag] = facts
                    self._kept.move_to_end(tag)
            while self._size > self._most and len(self._kept) > 1:
                _, dropped = self._kept.popitem(last=False)
                self._size -= _bytes(dropped)


def _bytes(facts: Facts) -> int:
    return FOLD_BYTES + FACT_BYTES * facts.size


def opened_all(found: Iterable[DCBSequencedEvent]) -> list[Recorded]:
    return list(_opened(found))


def _opened(found: Iterable[DCBSequencedEvent]) -> Iterator[Recorded]:
    return map(read_entry, found)
