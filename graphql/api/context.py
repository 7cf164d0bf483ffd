"""What a request carries: who asks, in which language, and the parts of the system that answer."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, TypeVar

import strawberry

from domain.callers import Caller
from domain.identifiers import legal_date_of
from domain.text import Language
from ledger.erasure import Erasure
from ledger.ledger import Ledger, Recording
from ledger.sealing import Sealer
from ledger.tree import Proofs
from projections.feeds import Feeds
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
    place: Place = field(default_factory=Place)
    _memo: dict[Hashable, Any] = field(default_factory=dict)

    @property
    def today(self) -> date:
        return legal_date_of(self.now)

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
