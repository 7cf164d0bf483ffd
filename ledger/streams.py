"""Reading what a decision has to know: folds of tags at one head, with the busiest kept in memory.

A kept fold is never changed in place: what has come since is folded into a copy, so that whoever holds the older one
goes on seeing its own head. Keeping is only quickness: every read asks the log for what is newer than the fold.
"""

from collections import OrderedDict, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from threading import Lock
from typing import Final, Protocol

from eventsourcing.dcb.api import DCBSequencedEvent

from domain.facts import Facts
from domain.recorded import Recorded
from ledger.entry import read_entry
from ledger.snapshots import EVERY, Snapshots

KEPT_BYTES: Final = 96 * 1024 * 1024
"""How much memory the folds that are kept take, about; processes of one server share it out."""
KEPT_BYTES_FAR: Final = 144 * 1024 * 1024
"""The same of a process that takes much into the log or out of it: to read a fold again costs about what a fact does else."""
FOLD_BYTES: Final = 500
FACT_BYTES: Final = 620
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
        self._lately = _Lately([])

    def read(self, tags: Collection[str]) -> tuple[int, dict[str, Facts]]:
        """The head and the folds of all the tags at that head, from one statement. Raises UnreadableEntry."""
        folds = self._recall(tags)
        head, newer = self._log.read_streams({tag: facts.position for tag, facts in folds.items()})
        return head, self._brought(folds, map(read_entry, newer))

    def keep(self, folds: Mapping[str, Facts]) -> None:
        """Keeps folds that were brought on elsewhere, by what the log has by now. They are not to be changed any more.

        Those that have grown by much are left to the next who reads them, by whom they get a snapshot.
        """
        with self._lock:
            held = {tag: kept.size if (kept := self._kept.get(tag)) else 0 for tag in folds}
        self._keep({tag: facts for tag, facts in folds.items() if facts.size - held[tag] < EVERY})

    def upto(self, batch: Sequence[Recorded], tags: Collection[str]) -> dict[str, Facts]:
        """The folds of tags that know every event up to the end of a batch, and maybe later ones.

        Asked again for a batch of the same end they are those of the first time, without a look at the log: whoever works
        on a batch asks once, whatever number of projections it is for. For one thread.
        """
        if batch[-1].position != self._lately.upto:
            self._lately = _Lately(batch)
        lately = self._lately
        if missing := [tag for tag in tags if tag not in lately.known]:
            lately.known.update(self._upto(lately, missing) if lately.is_whole else self.read(missing)[1])
        return {tag: lately.known[tag] for tag in tags}

    def _upto(self, lately: "_Lately", tags: Collection[str]) -> dict[str, Facts]:
        """The folds of tags at the end of a batch that lacks nothing: the log is asked for what was before it alone."""
        folds = self._recall(tags)
        wanted = {tag: facts.position for tag, facts in folds.items() if facts.position < lately.after}
        _, older = self._log.read_streams(wanted, lately.after) if wanted else (0, [])
        folds = self._brought(folds, map(read_entry, older))
        fresh: dict[str, Facts] = {}
        for tag, facts in folds.items():
            for recorded in lately.by_tag.get(tag, ()):
                if recorded.position > facts.position:
                    if tag not in fresh:
                        facts = fresh[tag] = facts.copy()
                    facts.evolve(recorded)
        return self._changed(folds, fresh)

    def _brought(self, folds: dict[str, Facts], newer: Iterable[Recorded]) -> dict[str, Facts]:
        """The folds with what is newer, which comes in order; those that it changes are kept."""
        fresh: dict[str, Facts] = {}
        for recorded in newer:
            for tag in recorded.tags:
                facts = fresh.get(tag) or folds.get(tag)
                if facts is not None and facts.position < recorded.position:
                    if tag not in fresh:
                        facts = fresh[tag] = facts.copy()
                    facts.evolve(recorded)
        return self._changed(folds, fresh)

    def _changed(self, folds: dict[str, Facts], fresh: dict[str, Facts]) -> dict[str, Facts]:
        """The folds with those that are fresh in their place, which are kept."""
        self._keep(fresh)
        self._snap({tag: facts for tag, facts in fresh.items() if facts.size - folds[tag].size >= EVERY})
        return folds | fresh if fresh else folds

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


class _Lately:
    """The batch that is worked on, and the folds that were asked for."""

    def __init__(self, batch: Sequence[Recorded]) -> None:
        self.known: dict[str, Facts] = {}
        self._batch = batch
        self.after = batch[0].position - 1 if batch else 0
        self.upto = batch[-1].position if batch else 0
        self.is_whole = self.upto - self.after == len(batch)
        """Whether the batch is all that the log has from its first event to its last."""

    @cached_property
    def by_tag(self) -> Mapping[str, list[Recorded]]:
        """The events of the batch by tag, in order."""
        found: defaultdict[str, list[Recorded]] = defaultdict(list)
        for recorded in self._batch:
            for tag in recorded.tags:
                found[tag].append(recorded)
        return found


def _bytes(facts: Facts) -> int:
    return FOLD_BYTES + FACT_BYTES * facts.size


def opened_all(found: Iterable[DCBSequencedEvent]) -> list[Recorded]:
    return list(_opened(found))


def _opened(found: Iterable[DCBSequencedEvent]) -> Iterator[Recorded]:
    return map(read_entry, found)
