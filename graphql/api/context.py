"""What a request carries: who asks, in which language, and the parts of the system that answer."""

from collections.abc import Callable, Collection, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import uuid4

import strawberry

from api.answers import AtHead
from api.credentials import Issuer
from api.errors import stale
from api.limits import DEFAULT_DOCUMENT_LIMITS, DocumentLimits
from domain.callers import Caller, Role
from domain.facts import Facts
from domain.identifiers import legal_date_of
from domain.matrix import FIELDS, Reach
from domain.text import Language
from ledger.erasure import Erasure
from ledger.keys import KeyInfo
from ledger.ledger import Ledger, Recording
from ledger.read_log import WAIT_SECONDS as NOTE_SECONDS
from ledger.read_log import Read, ReadLog
from ledger.sealing import Sealer
from ledger.tree import Proofs
from projections.feeds import Feeds
from projections.parking import Parked
from projections.reads import Reads
from projections.runner import Runner
from projections.supervision_reads import SupervisionReads

if TYPE_CHECKING:
    Info = strawberry.Info["Context", None]
else:
    Info = strawberry.Info

T = TypeVar("T")
WAIT_SECONDS = 2.0
"""Longest time that a query waits for the projections to reach what it asks about."""
LONGEST_NAME = 100
"""Characters of an operation's name that the read log keeps: a client may choose any."""


@dataclass(slots=True)
class Place:
    """Where a subscription is: the position that its client has all up to, and that of the item on its way."""

    delivered: int = 0
    under_way: int = 0

    def begin(self, after: int) -> int:
        """The position to go on from: that asked for, or a later one that the client had when it was cut off."""
        self.delivered = self.under_way = max(self.delivered, after)
        return self.delivered


@dataclass(slots=True)
class Context:
    caller: Caller
    language: Language
    ledger: Ledger
    reads: Reads
    supervision: SupervisionReads
    proofs: Proofs
    sealer: Sealer
    erasure: Erasure
    runner: Runner
    now: datetime
    feeds: Feeds
    read_log: ReadLog
    issuer: Issuer
    list_keys: Callable[[], Sequence[KeyInfo]] = tuple
    """Lists all keys; of a part of the system that has none, none."""
    limits: DocumentLimits = DEFAULT_DOCUMENT_LIMITS
    cost: int | None = None
    """What the operation costs; None before it was found valid."""
    place: Place = field(default_factory=Place)
    reads_rows: bool = False
    """Whether the answer rests on rows of the read models, in which parked enterprises stand still."""
    marks_head: bool = False
    """Whether the head is told apart in the answer, which is going to be kept."""
    reads_made: list[tuple[int, Collection[str]]] = field(default_factory=list)
    """The folds that were read: the head that each knew, and its tags."""
    noted: set[tuple[str, str | None, str | None, bool]] = field(default_factory=set)
    """Reads of this request that are not handed over yet: field, operation, enterprise, whether it is of all."""
    refusals: list[str] = field(default_factory=list)
    """The codes of facts that were refused, which the answer says as data."""
    _memo: dict[Hashable, Any] = field(default_factory=dict)

    @property
    def today(self) -> date:
        return legal_date_of(self.now)

    def folds(self, tags: Collection[str]) -> tuple[int, dict[str, Facts]]:
        """The head and the folds of all the tags at that head."""
        head, found = self.ledger.streams.read(tags)
        self.reads_made.append((head, tags))
        return AtHead(head) if self.marks_head else head, found

    def note(self, field: str, operation: str | None, usccs: Iterable[str | None], every: bool = False) -> None:
        """Notes a read. The public is shown nothing that is not published."""
        if self.caller.role is not Role.PUBLIC:
            named = operation and operation[:LONGEST_NAME]
            self.noted.update((field, named, uscc, every) for uscc in usccs)

    def hand_over(self, seconds: float = NOTE_SECONDS) -> None:
        """Gives the reads that were noted to the log. Raises ReadLogFull: then nothing may be answered."""
        if self.noted:
            at, role, reader = self.ledger.clock(), self.caller.role, self.caller.signature
            self.read_log.note([Read(uuid4(), at, role, reader, *each) for each in self.noted], seconds)
            self.noted.clear()

    def once(self, key: Hashable, load: Callable[[], T]) -> T:
        """The same look-up is made once a request, whoever asks first."""
        if key not in self._memo:
            self._memo[key] = load()
        found: T = self._memo[key]
        return found

    def wake_for(self, made: Recording) -> None:
        """Says to the read models that something was recorded, if it was now."""
        if made.entries and not made.replayed:
            self.runner.wake()

    def settle(self, *names: str, asked: int | None = None, seconds: float = WAIT_SECONDS) -> int:
        """Waits until these read models know a position, by default the head when the request first asked; gives theirs.

        Raises ApiError STALE where one of them was stopped by an event.
        """
        return self.once(("settled", names, asked), lambda: self._settled(names, asked, seconds))

    def _settled(self, names: tuple[str, ...], asked: int | None, seconds: float) -> int:
        wanted = self.once("head", self.ledger.recorder.head) if asked is None else asked
        # Looked at once for all read models that a request asks; again only where one of them was waited for.
        standing = self.once("standing", self.runner.parking.reached)
        reached = self.runner.reached(standing, names)
        if reached < wanted:
            reached = self.runner.wait_for(wanted, seconds, names)
            standing = self._memo["standing"] = self.runner.parking.reached()
            self._memo.pop("settled parked", None)
        for each in standing:
            if each.stopped and each.name in names:
                raise stale(each.stopped, self._sees_events)
        self._memo["parked"] = self.once("settled parked", self.runner.parking.parked)
        self.reads_rows = True
        return reached

    @property
    def parked(self) -> Sequence[Parked]:
        """What stands still in some read model: at the settling, or lately where nothing was settled."""
        found: Sequence[Parked] = self.once("parked", self.runner.parking.parked_lately)
        return found

    def require_current(self, *usccs: str) -> None:
        """Raises ApiError STALE where one of these enterprises stands still in any read model."""
        for parked in self.parked:
            if parked.uscc in usccs:
                raise stale(parked, self._sees_events)

    @property
    def _sees_events(self) -> bool:
        return self.caller.reach(FIELDS["Ledger.events"]) is Reach.ALL
