"""Complaints: to whom they belong, and which of them are substantiated (rulebook §5, last paragraphs).

One enterprise may have them by the million, so they are not among an enterprise's facts: they are folded a day at a
time (`domain.recorded.complaint_day`), and a question reads the days it asks about.
"""

from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from typing import NamedTuple

from domain.credit import is_in_days_to
from domain.events import ComplaintReceived, ComplaintResolved
from domain.facts import Fact, Facts, Moment
from domain.identifiers import prefixes
from domain.recorded import complaint_day
from domain.register import Filing, filing
from domain.vocabulary import ComplaintOutcome


class Complaint(NamedTuple):
    """A visible complaint and its last visible resolution."""

    received: Fact[ComplaintReceived]
    resolved: Fact[ComplaintResolved] | None

    def is_substantiated(self) -> bool:
        return self.resolved is not None and self.resolved.event.outcome is ComplaintOutcome.SUBSTANTIATED


def complaints(facts: Facts, at: Moment) -> Iterator[Complaint]:
    """The visible complaints among the facts, in legal order."""
    last: dict[str, Fact[ComplaintResolved]] = {}
    for resolution in facts.visible(ComplaintResolved, at):
        last[resolution.event.complaint_id] = resolution
    for received in facts.visible(ComplaintReceived, at):
        yield Complaint(received, last.get(received.event.complaint_id))


def substantiated_positions(facts: Facts, at: Moment, days: int) -> tuple[int, list[int]]:
    """How many substantiated complaints took effect in the days to D, and the positions of them and what settled them."""
    found: list[int] = []
    count = 0
    for complaint in complaints(facts, at):
        recent = is_in_days_to(at.on, days, complaint.received.effective_on)
        if recent and complaint.resolved and complaint.is_substantiated():
            count += 1
            found += (complaint.received.position, complaint.resolved.position)
    return count, sorted(found)


def days_read(uscc: str, on: date, days: int) -> Iterable[str]:
    """The tags that hold an enterprise's complaints of the n days to D."""
    return (complaint_day(uscc, on - timedelta(days=n)) for n in range(days))


def candidates(event: ComplaintReceived) -> tuple[str, ...]:
    """The tags that say to whom a complaint without a name belongs: those of its number's possible service numbers."""
    return () if event.uscc else tuple(f"number:{number}" for number in prefixes(event.displayed_number))


class Attribution(NamedTuple):
    """To whom a complaint belongs, and by which filing if it named nobody."""

    uscc: str
    filing: Filing | None


def attribution(event: ComplaintReceived, numbers: Iterable[Facts], known_at: int) -> Attribution | None:
    """The enterprise it names, or that has the longest number filed on the legal date of the call.

    `numbers`: the folds of `candidates(event)`, in that order (longest first); `known_at`: the complaint's own position
    less one, since nothing recorded later moves it.
    """
    if event.uscc:
        return Attribution(event.uscc, None)
    for number in numbers:
        if held := filing(number, Moment(event.called_on, known_at)):
            return Attribution(held.uscc, held)
    return None
