"""One group of appends as one transaction: who may append is decided for all of them under the head lock.

The transaction takes its turn by locking the one-row table `head` and holds it until it has committed, so positions are
given out in commit order and whoever follows `position > n` misses nothing. What its conditions ask is looked up for
the whole group at once; conflicts between its members are found in memory.

A process that appended last knows the head. It writes at once, by statements that write nothing unless the head is still
there and every condition holds; else it takes its turn first and looks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from typing import Final, NamedTuple, Protocol, TypeAlias

from eventsourcing.dcb.api import DCBAppendCondition
from eventsourcing.persistence import IntegrityError, ProgrammingError
from psycopg import Pipeline

from ledger import prepared
from ledger.append_statements import DESTROY, LOCK_HEAD, Kept, Statement, Writing, asking_failing, asking_kept
from ledger.appends import AlreadyAppended, Append, Appended, Clock, Result, Seal
from ledger.merkle import Frontier
from ledger.migrations import Database
from ledger.prepared import Line
from ledger.tree import Growth

PART: Final = 256
"""Events that are written by one statement."""
FIRST_PART: Final = 16
"""The same of the first of several statements: the sooner it is sent, the sooner the database has something to do. Each of
those that follow has four times as many, up to PART: while the database writes one, the next is made."""


class Tree(Protocol):
    """What is kept beside the entries in the same transaction (`ledger.tree`)."""

    def edge_at(self, database: Database, size: int) -> Frontier:
        """Its right edge as it is kept, of the size that the ledger has."""

    def grow(self, edge: Frontier, entries: Sequence[bytes], recorded_at: datetime) -> Growth:
        """What the entries that follow the edge bring to it. It proves nothing before it is committed with them."""


@dataclass(frozen=True, slots=True)
class Head:
    """The last position given out and its instant."""

    position: int
    recorded_at: datetime
    edge: Frontier | None = field(default=None, compare=False)
    """The tree's right edge there, where it is at hand."""


Admitted: TypeAlias = "range | AlreadyAppended | IntegrityError"
"""The positions that an append is to get, or why it gets none."""


@dataclass
class _Turn:
    """What a group knows of the head that it appends to, and what becomes of its members."""

    before: Head
    recorded_at: datetime
    position: int
    kept: dict[tuple[str, str], AlreadyAppended] = field(default_factory=dict)
    failing: set[int] = field(default_factory=set)
    accepted: list[tuple[int, Append]] = field(default_factory=list)
    tags: set[str] = field(default_factory=set)
    """What the events that are accepted bear, but for those of the group's last append."""
    growth: Growth | None = None

    @property
    def is_large(self) -> bool:
        """Whether its events are more than one statement writes."""
        return self.position - self.before.position > PART

    @property
    def root(self) -> bytes | None:
        """Of the tree, where it leaves the head."""
        return self.growth.checkpoint.root if self.growth else None

    @property
    def head(self) -> Head:
        """Where it leaves the head."""
        if not self.accepted:
            return self.before
        return Head(self.position, self.recorded_at, self.growth.after if self.growth else None)


class Sent(NamedTuple):
    """A group whose statement is under way."""

    turn: _Turn
    admitted: Sequence[Admitted]


class Appender:
    """Appends groups, one after the other. Of one thread; any number of processes may have theirs.

    `append` does so and waits. Several may be under way with `send` and `receive`: who relies on the group before it writes
    nothing where that one did not.
    """

    def __init__(self, seal: Seal, clock: Clock, tree: Tree | None) -> None:
        self._seal = seal
        self._clock = clock
        self._tree = tree
        self._left: Head | None = None
        """Where this process left the head."""
        self._alone = True
        """Whether it was found there when it was looked at last."""
        self.may_be_kept = False
        """Whether a group that failed may be durable all the same: it failed no sooner than at its commit."""

    def append(self, database: Database, group: Sequence[Append]) -> list[Result]:
        """Appends what may be appended of a group, in its order, and says for each what came of it.

        Durable once it returns. Raises psycopg.Error when the database fails: then nothing of the group was kept, or,
        where the connection was lost at the commit, it is unknown whether all of it was.
        """
        self.may_be_kept = False
        results = self._append_at_once(database, group)
        return self._append_in_turn(database, group) if results is None else results

    def _append_at_once(self, database: Database, group: Sequence[Append]) -> list[Result] | None:
        """Without a look before, or None where nothing was written: the head has moved, or not all may be appended."""
        known = self._known(self._left, group)
        if known is None:
            return None
        turn, admitted = known
        statements = self._statements(turn, turn.before.edge, unless=group)
        if turn.is_large:
            written = self._write_parts(database, turn, statements)
        else:
            written = self._write_one(database, *statements)
        if not written:
            return None
        self._left = turn.head
        return _results(turn, admitted)

    def _known(self, left: Head | None, group: Sequence[Append]) -> Sent | None:
        """What becomes of a group that is written at once behind a head; None where it must take its turn first."""
        if left is None or not self._alone or (self._tree and left.edge is None) or _destroyed(group):
            return None
        turn = self._turn(left)
        admitted = _admit(turn, group)
        return Sent(turn, admitted) if turn.accepted else None

    def send(self, line: Line, group: Sequence[Append], behind: Sent | None) -> Sent | None:
        """Sends what writes a group, behind the one that was sent last if there is one.

        None, and nothing is sent, where it must be appended by itself. Raises psycopg.Error.
        """
        self.may_be_kept = False
        sent = self._known(behind.turn.head if behind else self._left, group)
        if sent is None or sent.turn.is_large:
            return None
        root = behind.turn.root if behind else None
        (statement,) = self._statements(sent.turn, sent.turn.before.edge, group, root)
        self.may_be_kept = True
        line.send(*statement)
        line.commit()
        return sent

    def receive(self, line: Line, sent: Sent) -> list[Result] | None:
        """What came of the eldest group that was sent, or None where nothing was written, as `append` finds it.

        Raises psycopg.Error when the database fails: unless it is what the database itself says, it is unknown whether
        the group was kept.
        """
        if line.receive() != 1:
            return None
        self._left = sent.turn.head
        return _results(*sent)

    def _write_one(self, database: Database, statement: Statement) -> bool:
        """One statement as a transaction of its own, by one round trip."""
        self.may_be_kept = True
        written = prepared.run(database, *statement) == 1
        self.may_be_kept = False
        return written

    def _write_parts(self, database: Database, turn: _Turn, statements: Iterator[Statement]) -> bool:
        """Several, of which each is sent when it is made; the proofs for the receipts are made while they are committed."""
        line = Line(database)
        try:
            for statement in statements:
                line.send(*statement)
            self.may_be_kept = True
            line.commit()
            if turn.growth:
                turn.growth.prove()
            written = line.receive()
            self.may_be_kept = False
        finally:
            line.leave()
        return written == 1

    def _append_in_turn(self, database: Database, group: Sequence[Append]) -> list[Result]:
        # Two round trips: what takes the turn and looks, then what writes and commits. Each statement has a snapshot of
        # its own, so those behind the lock see all that was committed before it was had.
        with database.pipeline() as pipeline, database.transaction():
            turn = self._take_turn(database, pipeline, group)
            stayed = self._left is None or turn.before == self._left
            admitted = _admit(turn, group)
            if turn.accepted:
                for statement in self._statements(turn, self._edge(database, turn.before)):
                    database.execute(*statement)
                for subject in _destroyed([append for _, append in turn.accepted]):
                    database.execute(DESTROY, [subject])
            self.may_be_kept = True
        self.may_be_kept = False
        if turn.accepted or turn.before != self._left:
            self._left = turn.head
        # Where another process appends too, writing at once would mostly be in vain.
        self._alone = stayed
        return _results(turn, admitted)

    def _edge(self, database: Database, before: Head) -> Frontier | None:
        if self._tree is None:
            return None
        at_hand = self._left.edge if before == self._left else None
        return at_hand or self._tree.edge_at(database, before.position)

    def _turn(self, head: Head) -> _Turn:
        recorded_at = max(head.recorded_at.astimezone(UTC), self._clock().astimezone(UTC))
        return _Turn(before=head, recorded_at=recorded_at, position=head.position)

    def _take_turn(self, database: Database, pipeline: Pipeline, group: Sequence[Append]) -> _Turn:
        locked = database.execute(LOCK_HEAD)
        onces = [append.once for append in group if append.once]
        kept = database.execute(*asking_kept(onces)) if onces else None
        asking = asking_failing(group)
        failing = database.execute(*asking, binary=True) if asking else None
        # Not a mere flush: only after a sync does the database count a writer that stands still as idle and end it.
        pipeline.sync()
        row = locked.fetchone()
        if row is None:
            raise ProgrammingError("the table head has no row: the schema is not as its migrations left it")
        turn = self._turn(Head(*row))
        turn.kept = {(holder, key): AlreadyAppended(*rest) for holder, key, *rest in kept.fetchall()} if kept else {}
        turn.failing = {place for (place,) in failing.fetchall()} if failing else set()
        return turn

    def _statements(
        self, turn: _Turn, edge: Frontier | None, unless: Sequence[Append] = (), root: bytes | None = None
    ) -> Iterator[Statement]:
        """The statements that write what was accepted; the first writes nothing if `unless`, the head or the root forbid it.

        Many events are written in parts, whose others rely on the first: while the database writes one, the next is made
        ready, the tree's last.
        """
        events = [event for _, append in turn.accepted for event in append.events]
        bounds = _bounds(len(events))
        entries: list[bytes] = []
        for begin, end in pairwise(bounds):
            part, after = events[begin:end], turn.before.position + begin
            new = [self._seal(event, position, turn.recorded_at) for position, event in enumerate(part, after + 1)]
            entries += new
            writing = Writing(turn.recorded_at)
            if begin == 0:
                writing.take_turn(turn.before.position, turn.before.recorded_at, turn.position, unless, root)
            else:
                writing.rely_on_turn()
            writing.add_events(after, part, new)
            if begin == 0:
                writing.add_keys(_kept(turn))
            if edge is not None and len(bounds) == 2:
                writing.add_growth(self._grow(turn, edge, entries))
            yield writing.statement
        if edge is not None and len(bounds) > 2:
            writing = Writing(turn.recorded_at)
            writing.rely_on_turn()
            writing.add_growth(self._grow(turn, edge, entries))
            yield writing.statement

    def _grow(self, turn: _Turn, edge: Frontier, entries: Sequence[bytes]) -> Growth:
        assert self._tree is not None
        turn.growth = self._tree.grow(edge, entries, turn.recorded_at)
        return turn.growth


def _results(turn: _Turn, admitted: Sequence[Admitted]) -> list[Result]:
    return [Appended(each.start, each.stop - 1, turn.growth) if isinstance(each, range) else each for each in admitted]


def _kept(turn: _Turn) -> list[Kept]:
    return [Kept(append.once, at, at + len(append.events) - 1) for at, append in turn.accepted if append.once]


def _destroyed(group: Sequence[Append]) -> list[str]:
    return [append.destroys for append in group if append.destroys]


def _bounds(events: int) -> list[int]:
    """Where the parts of so many events begin, and the end of the last."""
    bounds, part = [0], PART if events <= PART else FIRST_PART
    while bounds[-1] < events:
        bounds.append(min(events, bounds[-1] + part))
        part = min(PART, 4 * part)
    return bounds


def _admit(turn: _Turn, group: Sequence[Append]) -> list[Admitted]:
    admitted = []
    for place, append in enumerate(group):
        admitted.append(_admit_one(turn, place, append))
        # Nobody asks what the last one bears, and most large appends are alone.
        if place + 1 < len(group) and isinstance(admitted[-1], range):
            for event in append.events:
                turn.tags.update(event.tags)
    return admitted


def _admit_one(turn: _Turn, place: int, append: Append) -> Admitted:
    """Gives an append its positions, or says why it gets none."""
    once = append.once
    if once and (earlier := turn.kept.get((once.holder, once.key))):
        return earlier
    if append.condition and (place in turn.failing or _meets(turn, append.condition)):
        return IntegrityError(f"an event after position {append.condition.after or 0} matches the append condition")
    first = turn.position + 1
    turn.accepted.append((first, append))
    turn.position += len(append.events)
    if once:
        turn.kept[once.holder, once.key] = AlreadyAppended(first, turn.position, once.input_sha256)
    return range(first, turn.position + 1)


def _meets(turn: _Turn, condition: DCBAppendCondition) -> bool:
    """Whether the condition matches an event that the same group appends before it."""
    if not turn.accepted or (condition.after or 0) >= turn.position:
        return False
    items = condition.fail_if_events_match.items
    if not items:
        return True
    others = []
    for item in items:
        if item.types or len(item.tags) != 1:
            others.append(item)
        elif item.tags[0] in turn.tags:
            return True
    return bool(others) and any(
        (not item.types or event.type in item.types) and set(item.tags) <= set(event.tags)
        for item in others
        for _, append in turn.accepted
        for event in append.events
    )
