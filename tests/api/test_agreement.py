"""The running system against the naive model, which was written from the rulebook alone: one answer to every question.

`CASELEDGER_EXAMPLES` sets how many histories are tried; without it the test is quick and always the same.
"""

import datetime as dt
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import asked
from agreement import NOW, TODAY
from asked import LATEST, VERSIONS, Names, Sides
from naive import histories, model, owed, rules
from naive.model import E
from running import System, started
from seldom import wholes

EXAMPLES = os.environ.get("CASELEDGER_EXAMPLES")
LONGEST = 20 if EXAMPLES else 12
SERVED = 50
"""How many histories one system serves: with more, the lists of all enterprises grow long."""
QUESTIONS = 4


class Server:
    """Sides of its own for each history, on a system that is replaced before it grows large."""

    def __init__(self, database: str, stack: ExitStack) -> None:
        self._database = database
        self._stack = stack
        self._served = SERVED
        self._system: System | None = None

    def __call__(self) -> Sides:
        if self._served == SERVED:
            self._stack.close()
            self._system, self._served = self._stack.enter_context(started(self._database)), 0
            self._system.clock.now = NOW
        assert self._system
        self._served += 1
        return Sides(self._system, Names(self._served))


@pytest.fixture(scope="module")
def sides(database: str) -> Iterator[Callable[[], Sides]]:
    with ExitStack() as stack:
        yield Server(database, stack)


@settings(
    max_examples=int(EXAMPLES or 6),
    deadline=None,
    derandomize=EXAMPLES is None,
    suppress_health_check=list(HealthCheck),
)
@given(
    wholes(LONGEST),
    st.lists(st.integers(1, 5), min_size=1, max_size=4),
    st.lists(histories.requests(), min_size=1, max_size=3),
    st.data(),
)
def test_the_server_and_the_naive_model_give_the_same_answers(
    sides: Callable[[], Sides],
    history: list[histories.Candidate],
    together: list[int],
    requests: list[tuple[str, dict[str, Any]]],
    data: st.DataObject,
) -> None:
    both = sides()
    both.play(history, together)
    points = _points(data, both)
    for on, at in points:
        _compare_credit(both, on, at)
        _compare_owed(both, on, at)
        _compare_lists(both, on, at)
        _compare_gates(both, on, at, requests)
    for on in {TODAY, *(on for on, _ in points), *data.draw(st.lists(st.sampled_from(_ends(both)), max_size=3))}:
        _compare_penalties(both, on)
    for uscc in both.names.usccs:
        _compare_enterprise(both, uscc)
    _compare_changes(both, data.draw(st.sampled_from((1, 3, 1000))))
    _compare_decisions(both)


def _points(data: st.DataObject, both: Sides) -> list[tuple[dt.date, int]]:
    """Some (D, P), mostly on the edges of what the events say; one of them at the head."""
    dues = [row[3] for uscc in both.names.usccs for row in owed.obligations(both.events, uscc, TODAY, both.head)]
    near = [*dues, *(on for e in both.made for on in dates_of(e))]
    drawn = [data.draw(histories.questions(len(both.made), TODAY, near)) for _ in range(QUESTIONS)]
    start = both.head - len(both.made)
    points = [(min(on, LATEST), start + at) for on, at in drawn]
    return [(points[0][0], both.head), *points[1:]]


def _ends(both: Sides) -> list[dt.date]:
    """Days about the ends of publicity."""
    announced = [e.effective_on for e in both.made if e.type == "PenaltyPublicised"]
    ends = [on + dt.timedelta(days=days + n) for on in announced for days in (90, 365, 1095) for n in (-1, 0)]
    return [model.CREDIT_REPAIR_FROM, *(min(on, LATEST) for on in ends)]


def dates_of(e: E) -> list[dt.date]:
    """The dates that an event names."""
    named = [e.data[name] for name in ("dueOn", "validFrom", "validTo") if name in e.data]
    return [e.effective_on, *[dt.date.fromisoformat(on) for on in named]]


def _compare_credit(both: Sides, on: dt.date, at: int) -> None:
    usccs = both.names.usccs
    for uscc, (status, reasons, timeline) in zip(usccs, asked.credit(both.system, usccs, on, at), strict=True):
        assert (status, reasons) == rules.status(both.events, uscc, on, at), (on, at)
        assert timeline == rules.timeline(both.events, uscc, at), at


def _compare_owed(both: Sides, on: dt.date, at: int) -> None:
    for uscc in both.names.usccs:
        assert asked.owed(both.system, uscc, on, at) == owed.obligations(both.events, uscc, on, at), (on, at)
        assert asked.found(both.system, uscc, on, at) == owed.findings(both.events, uscc, on, at), (on, at)


def _compare_lists(both: Sides, on: dt.date, at: int) -> None:
    entries = model.list_entries(both.events, None, on, at)
    # The rulebook knows no name of an enterprise without one; the contract wants a text.
    named = sorted(({**e, "name": e["name"] or e["uscc"]} for e in entries), key=lambda e: int(e["position"]))
    assert asked.listed(both.system, both.names.usccs, on, at) == named, (on, at)


def _compare_gates(both: Sides, on: dt.date, at: int, requests: Sequence[tuple[str, dict[str, Any]]]) -> None:
    made = [(e.data["gate"], e.data["request"]) for e in both.made if e.type == "GateDecided"]
    for gate, request in [*((gate, both.names.fact(request)) for gate, request in requests), *made[-2:]]:
        naive = [rules.gate(both.events, gate, request, on, at, version) for version in VERSIONS]
        assert asked.previews(both.system, gate, request, on, at) == naive, (gate, request, on, at)


def _compare_penalties(both: Sides, on: dt.date) -> None:
    for uscc in both.names.usccs:
        assert asked.shown(both.system, uscc, on) == model.public_penalties(both.events, uscc, on, both.head), on


def _compare_enterprise(both: Sides, uscc: str) -> None:
    events, head = both.events, both.head
    made = asked.enterprise(both.system, uscc)
    naive = model.enterprise(events, uscc, TODAY, head)
    assert (made and made.register) == naive
    if made is not None:
        in_force = [e.position for e in model.licences_in_force(events, uscc, TODAY, head)]
        assert made.in_force == in_force
        assert made.complaints == model.complaint_counts(events, uscc, dt.date.min, dt.date.max, TODAY, head)
        assert made.history == model.history(events, uscc, head)


def _compare_changes(both: Sides, first: int) -> None:
    start = both.head - len(both.made)
    bearing = [(str(model.bearer(both.events, e)), e.position) for e in both.made]
    known = {uscc: rules.timeline(both.events, uscc, start) for uscc in both.names.usccs}
    expected = []
    for uscc, at in bearing:
        timeline = rules.timeline(both.events, uscc, at)
        if uscc in known and timeline != known[uscc]:
            known[uscc] = timeline
            expected.append((uscc, at, timeline))
    assert asked.changes(both.system, start, first) == expected


def _compare_decisions(both: Sides) -> None:
    decided = [e for e in both.made if e.type == "GateDecided"]
    for uscc in {str(e.data["uscc"]) for e in decided}:
        mine = [e for e in reversed(decided) if e.data["uscc"] == uscc]
        for changed in (None, True, False):
            nodes = asked.pages(both.system, "decisions", {"uscc": ("USCC", uscc), "changed": ("Boolean", changed)})
            naive = [e for e in mine if changed in (None, rules.changed(both.events, e, TODAY, both.head))]
            assert [node["position"] for node in nodes] == [e.position for e in naive]
            now = [rules.gate(both.events, e.data["gate"], e.data["request"], TODAY, both.head) for e in naive]
            assert [(n["now"]["outcome"], asked.fired(n["now"]["reasons"])) for n in nodes] == now
    for e in decided[-3:]:
        _compare_replays(both, e)


def _compare_replays(both: Sides, e: E) -> None:
    gate, request, data = e.data["gate"], e.data["request"], e.data
    for version in VERSIONS:
        for at in (None, both.head):
            again = asked.replay(both.system, data["decisionId"], version, at)
            known = data["knownAt"] if at is None else at
            outcome, fired = rules.gate(both.events, gate, request, e.effective_on, known, version)
            same = (outcome, fired) == (
                data["outcome"],
                [(r["rule"], r["outcome"], r["positions"]) for r in data["reasons"]],
            )
            assert again == (outcome, fired, same), (version, at)
