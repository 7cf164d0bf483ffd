"""`caseledger demo`: an invented history in an empty ledger, and a key for each role."""

import heapq
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from itertools import count
from typing import Any, Final

from caseledger.demo_firms import FIRMS, Step, Story, Told
from caseledger.demo_stories import stories
from caseledger.errors import NotEmpty
from caseledger.wiring import System, catch_up
from domain.events import GateDecided
from ledger.ledger import Ledger, Recording

HOLDERS: Final[tuple[dict[str, Any], ...]] = (
    {"role": "regulator", "name": "demo regulator", "authority": "MIIT", "scopes": ["personal:read"]},
    {"role": "carrier", "name": "demo carrier", "carrier": "CHINA_TELECOM"},
    {"role": "auditor", "name": "demo auditor"},
    {"role": "intake", "name": "demo intake"},
    {"role": "public", "name": "demo public"},
)


@dataclass(frozen=True, slots=True)
class Filled:
    """What a demonstration recorded, and its keys as (role, whom it speaks for, key)."""

    events: int
    enterprises: int
    keys: list[tuple[str, str, str]]


def fill(system: System) -> Filled:
    """Tells every story in the order of its dates. Raises NotEmpty when the ledger holds more than its rulebook."""
    ledger = system.ledger
    before = ledger.recorder.head()
    if before > len(ledger.rulebook.versions):
        raise NotEmpty(
            f"This ledger has {before} events, and a demonstration is for an empty one: set CASELEDGER_HOME to a folder "
            "that is new, or CASELEDGER_SCHEMA to a name that is."
        )
    told = sum(len(recording.events) for recording in tell(ledger, ledger.today))
    catch_up(system)
    return Filled(told, len(FIRMS), list(_keys(system)))


def tell(ledger: Ledger, today: date) -> Iterator[Recording]:
    """Records the stories step by step, the earliest step of all first, and gives what came of each."""
    numbers = count(1)
    waiting: list[tuple[date, int, Step, Story]] = []

    def wait(place: int, story: Story, told: Told | None) -> None:
        with suppress(StopIteration):
            step = next(story) if told is None else story.send(told)
            heapq.heappush(waiting, (step.on, place, step, story))

    for place, story in enumerate(stories(today)):
        wait(place, story, None)
    while waiting:
        _, place, step, story = heapq.heappop(waiting)
        recording = _record(ledger, step, f"demo-{next(numbers)}")
        yield recording
        wait(place, story, _told(recording))


def _record(ledger: Ledger, step: Step, key: str) -> Recording:
    if step.asked:
        kind, request = step.asked
        recording = ledger.decide_gate(step.by, key, {kind: request}, str(step.on))
    else:
        recording = ledger.record(step.by, key, list(_dated(step)))
    if recording.refusals:
        raise ValueError(f"a story is wrong on {step.on}: {[one.text.en for one in recording.refusals]}")
    return recording


def _dated(step: Step) -> Iterable[tuple[str, dict[str, Any]]]:
    return ((name, {"effectiveOn": str(step.on), **fields}) for name, fields in step.facts)


def _told(recording: Recording) -> Told:
    positions = tuple(event.position for event in recording.events)
    made = recording.events[0].event
    return Told(positions, made.decision_id, made.outcome) if isinstance(made, GateDecided) else Told(positions)


def _keys(system: System) -> Iterator[tuple[str, str, str]]:
    for holder in HOLDERS:
        key, made = system.keys.create(**holder)
        yield made.role.value, made.authority or made.carrier or "", key
