"""What a request carries: who asks, in which language, and the parts of the system that answer."""

from collections.abc import Callable, Collection, Hashable
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, TypeVar

import strawberry

from api.answers import AtHead
from domain.callers import Caller
from domain.facts import Facts
from domain.identifiers import legal_date_of
from domain.text import Language
from ledger.erasure import Erasure
from ledger.ledger import Ledger, Recording
from ledger.sealing import Sealer
from ledger.tree import Proofs
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
    marks_head: bool = False
    """Whether the head is told apart in the answer, which is going to be kept."""
    reads_made: list[tuple[int, Collection[str]]] = field(default_factory=list)
    """The folds that were read: the head that each knew, and its tags."""
    _memo: dict[Hashable, Any] = field(default_factory=dict)

    @property
    def today(self) -> date:
        return legal_date_of(self.now)

    def folds(self, tags: Collection[str]) -> tuple[int, dict[str, Facts]]:
        """The head and the folds of all the tags at that head."""
        head, found = self.ledger.streams.read(tags)
        self.reads_made.append((head, tags))
        return AtHead(head) if self.marks_head else head, found

    def once(self, key: Hashable, load: Callable[[], T]) -> T:
        """The same look-up is made once a request, whoever asks first."""
        if key not in self._memo:
            self._memo[key] = load()
        found: T = self._memo[key]
        return found

    def wake_for(self, made: Recording) -> None:
        """Says to the read models that something was recorded, if it was now."""
        if made.events and not made.replayed:
            self.runner.wake()

    def settle(self, seconds: float = WAIT_SECONDS) -> int:
        """Waits until the read models know what the head was when the request first asked; gives their position."""
        return self.once("settled", lambda: self.runner.wait_for(self.ledger.recorder.head(), seconds))
