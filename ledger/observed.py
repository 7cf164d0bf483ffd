"""What the program tells whoever measures it: metrics (`api.measures`) and traces (`caseledger.traces`) listen.

An observer is told after the work and in the thread that did it. It must be quick and must not raise: what it is told of
is done, and who did it waits.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import Final


class Outcome(StrEnum):
    """What came of an append."""

    APPENDED = "appended"
    CONFLICT = "conflict"
    REPEATED = "repeated"
    """Its key was kept already: what was appended then is the answer."""
    OVERLOADED = "overloaded"
    FAILED = "failed"


class Observer:
    """Takes no notice. Times are in seconds, and end with the call."""

    def appended(self, outcome: Outcome, events: int, seconds: float) -> None:
        """One append, from its arrival in the queue until it was durable or refused."""

    def committed(self, appends: int, seconds: float) -> None:
        """One group of appends, written as one transaction."""

    def projected(self, events: int, upto: int, seconds: float) -> None:
        """One batch that was applied to the read models, up to a position."""


class Observers(Observer):
    """Tells several."""

    def __init__(self, observers: Sequence[Observer]) -> None:
        self._observers = observers

    def appended(self, outcome: Outcome, events: int, seconds: float) -> None:
        for each in self._observers:
            each.appended(outcome, events, seconds)

    def committed(self, appends: int, seconds: float) -> None:
        for each in self._observers:
            each.committed(appends, seconds)

    def projected(self, events: int, upto: int, seconds: float) -> None:
        for each in self._observers:
            each.projected(events, upto, seconds)


UNOBSERVED: Final = Observer()
