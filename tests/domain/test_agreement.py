"""The real domain and ledger against the naive model, written from the rulebook alone: one answer to every question.

`CASELEDGER_EXAMPLES` sets how many histories each test tries; without it the tests are quick and always the same.
"""

import datetime as dt
import os
from collections.abc import Mapping, Sequence
from typing import Any
from unittest.mock import patch

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import agreement
from agreement import NOW, TODAY, Folds, folded, log, replayed
from domain.callers import Caller, Role
from domain.facts import Facts, Moment
from domain.facts_format import dumped, loaded
from domain.recorded import Recorded
from domain.rulebook import VERSIONS
from domain.vocabulary import PenaltyKind
from ledger.streams import FACT_BYTES, KEPT_BYTES, Streams
from lives import lives
from naive import histories, model, owed, refusals, rules
from naive.histories import USCCS
from naive.model import E

EXAMPLES = os.environ.get("CASELEDGER_EXAMPLES")
LONGEST = 30 if EXAMPLES else 15
thoroughly = settings(
    max_examples=int(EXAMPLES or 25),
    deadline=None,
    derandomize=EXAMPLES is None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.large_base_example, HealthCheck.data_too_large],
)
a_history = st.one_of(lives(LONGEST), histories.histories(TODAY, LONGEST))
together = st.lists(st.integers(1, 5), min_size=1, max_size=4)


def asked(data: st.DataObject, events: Sequence[E], times: int = 4) -> list[tuple[dt.date, int]]:
    """Some (D, P), mostly on the edges of what the events say."""
    near = [date for e in events for date in dates_of(e)]
    return [data.draw(histories.questions(len(events), TODAY, near)) for _ in range(times)]


def dates_of(e: E) -> list[dt.date]:
    """The dates that an event names."""
    named = [e.data[name] for name in ("dueOn", "validFrom", "validTo") if name in e.data]
    return [e.effective_on, *[dt.date.fromisoformat(date) for date in named]]


# ── what is recorded ─────────────────────────────────────────────────────────────────────────────────────────────


@thoroughly
@given(a_history)
def test_a_fact_is_refused_for_the_same_reasons_or_recorded_alike(history: list[histories.Candidate]) -> None:
    both = replayed(history)
    recorded = log(both.ledger)
    assert [agreement.written(one) for one in recorded] == [both.known(e, both.events) for e in both.events]


@thoroughly
@given(a_history, together)
def test_facts_of_one_request_read_those_before_them(history: list[histories.Candidate], sizes: list[int]) -> None:
    replayed(history, sizes)


SPOILT = {
    "uscc": ("91310112087994932E", "9131011208799493", "9131011208799493IF"),
    "authority": ("CA-99", "MIIt", "CA-"),
    "carrier": ("china", "C", "1CHINA"),
    "carriers": ([], ["china"]),
    "number": ("94012", "9501", "9501234"),
    "province": ("71", "上海"),
    "provinces": (["31", "99"],),
    "kinds": ([],),
    "business": ("B24-2",),
    "campaign": (2021,),
    "effectiveOn": ("2027-10-02",),
}


@thoroughly
@given(a_history, st.data())
def test_a_malformed_field_is_invalid_before_any_state_is_looked_at(
    history: list[histories.Candidate], data: st.DataObject
) -> None:
    facts = [(name, fact) for name, fact in history if name not in ("decideGate", "eventVoided")]
    name, fact = data.draw(st.sampled_from(facts))
    fact = histories.resolve(fact, {})
    field = data.draw(st.sampled_from([*[n for n in SPOILT if n in fact], "effectiveOn"]))
    spoilt = {**fact, field: data.draw(st.sampled_from(SPOILT[field]))}
    both = agreement.fresh()
    assert not both.offer([(name, spoilt)])


ROLES = [
    refusals.Recorder("regulator", authority="MIIT"),
    refusals.Recorder("regulator", authority="CA-11"),
    refusals.Recorder("carrier", carrier="CHINA_TELECOM"),
    refusals.Recorder("intake"),
    refusals.Recorder("auditor"),
    refusals.Recorder("public"),
]


@thoroughly
@given(a_history, st.sampled_from(ROLES))
def test_a_role_may_record_the_same_facts(history: list[histories.Candidate], who: refusals.Recorder) -> None:
    caller = Caller(Role(who.role), "tests", who.authority, who.carrier)
    ledger = agreement.fresh().ledger
    for index, (name, candidate) in enumerate(history):
        fact = histories.resolve(candidate, {})
        if name == "decideGate" or refusals.shape(name, fact, now=NOW):
            continue
        refused = ledger.record(caller, f"key-{index}", [(name, fact)]).refusals
        assert ("FORBIDDEN" in {one.code for one in refused}) == refusals.forbidden(who, name, fact), (name, fact)


# ── what follows ─────────────────────────────────────────────────────────────────────────────────────────────────


@thoroughly
@given(a_history, st.data())
def test_the_status_and_its_reasons_agree(history: list[histories.Candidate], data: st.DataObject) -> None:
    both = replayed(history)
    folds = folded(log(both.ledger))
    for on, at in asked(data, both.events, 8):
        for uscc in USCCS:
            assert agreement.status(folds, uscc, Moment(on, at)) == rules.status(both.events, uscc, on, at)


@thoroughly
@given(a_history, st.data())
def test_timelines_agree_and_so_do_the_statuses_on_their_edges(
    history: list[histories.Candidate], data: st.DataObject
) -> None:
    both = replayed(history)
    folds = folded(log(both.ledger))
    for at in {both.head, both.head - data.draw(st.integers(0, both.head))}:
        for uscc in USCCS:
            spans = agreement.spans(folds, uscc, at)
            assert spans == rules.timeline(both.events, uscc, at)
            begins = [begin for begin, _ in spans[1:] if begin is not None]
            for on in [day for begin in begins for day in (begin - dt.timedelta(days=1), begin)]:
                status = [status for begin, status in spans if begin is None or begin <= on][-1]
                assert agreement.status(folds, uscc, Moment(on, at))[0] == status


@thoroughly
@given(a_history)
def test_the_same_events_change_a_timeline(history: list[histories.Candidate]) -> None:
    both = replayed(history[:30])
    folds = folded(log(both.ledger))
    changed = [
        (uscc, e.position, agreement.spans(folds, uscc, e.position))
        for e in both.events
        for uscc in USCCS
        if agreement.spans(folds, uscc, e.position) != agreement.spans(folds, uscc, e.position - 1)
    ]
    assert changed == rules.credit_changes(both.events)


@thoroughly
@given(a_history, st.lists(histories.requests(), min_size=4, max_size=8), st.data())
def test_gates_agree_under_every_version(
    history: list[histories.Candidate], requests: list[tuple[str, dict[str, Any]]], data: st.DataObject
) -> None:
    both = replayed(history)
    folds = folded(log(both.ledger))
    made = [(e.data["gate"], e.data["request"]) for e in both.events if e.type == "GateDecided"]
    for on, at in asked(data, both.events):
        for gate, request in [*requests, *made]:
            for version in (None, *[v.version for v in VERSIONS]):
                real = agreement.gate(folds, gate, request, Moment(on, at), version)
                assert real == rules.gate(both.events, gate, request, on, at, version)


@thoroughly
@given(a_history)
def test_a_recorded_decision_is_the_naive_answer_at_its_date_and_position(history: list[histories.Candidate]) -> None:
    both = replayed(history)
    for one in log(both.ledger):
        if one.type == "GateDecided":
            *_, data = agreement.written(one)
            on, at = dt.date.fromisoformat(data["asOf"]), data["knownAt"]
            assert (on, at) == (one.effective_on, one.position - 1)
            outcome, fired = rules.gate(both.events, data["gate"], data["request"], on, at)
            reasons = [{"rule": r, "outcome": o, "positions": p} for r, o, p in fired]
            assert (data["outcome"], data["reasons"]) == (outcome, reasons)


@thoroughly
@given(a_history, st.data())
def test_the_register_agrees(history: list[histories.Candidate], data: st.DataObject) -> None:
    both = replayed(history)
    folds = folded(log(both.ledger))
    for on, at in asked(data, both.events, 8):
        for uscc in USCCS:
            real = agreement.enterprise(folds, uscc, Moment(on, at))
            assert real == model.enterprise(both.events, uscc, on, at)


@thoroughly
@given(a_history, st.data())
def test_complaints_are_counted_alike(history: list[histories.Candidate], data: st.DataObject) -> None:
    both = replayed(history)
    folds = folded(log(both.ledger))
    for on, at in asked(data, both.events):
        for uscc in USCCS:
            real = agreement.complaint_counts(folds, uscc, Moment(on, at))
            assert real == model.complaint_counts(both.events, uscc, dt.date.min, dt.date.max, on, at)


@thoroughly
@given(a_history, st.data())
def test_obligations_agree(history: list[histories.Candidate], data: st.DataObject) -> None:
    both = replayed(history)
    folds = folded(log(both.ledger))
    for on, at in asked(data, both.events, 8):
        for uscc in USCCS:
            assert agreement.owed(folds, uscc, Moment(on, at)) == owed.obligations(both.events, uscc, on, at)


@thoroughly
@given(a_history, st.data())
def test_findings_agree(history: list[histories.Candidate], data: st.DataObject) -> None:
    both = replayed(history)
    folds = folded(log(both.ledger))
    for on, at in asked(data, both.events):
        for uscc in USCCS:
            assert agreement.found(folds, uscc, Moment(on, at)) == owed.findings(both.events, uscc, on, at)


@thoroughly
@given(a_history, st.data())
def test_list_entries_agree(history: list[histories.Candidate], data: st.DataObject) -> None:
    both = replayed(history)
    folds = folded(log(both.ledger))
    for on, at in asked(data, both.events, 8):
        real = [entry for uscc in USCCS for entry in agreement.listed(folds, uscc, Moment(on, at))]
        naive = model.list_entries(both.events, None, on, at)
        # The rulebook knows no name of an enterprise without one; the contract wants a text.
        named = [{**entry, "name": entry["name"] or entry["uscc"]} for entry in naive]
        assert sorted(real, key=lambda entry: entry["position"]) == sorted(named, key=lambda entry: entry["position"])


@st.composite
def publicities(draw: st.DrawFn) -> list[histories.Candidate]:
    """A penalty that was publicised, perhaps annulled, on the edges of credit repair and of the days of publicity."""
    penalty = {"uscc": USCCS[0], "authority": "MIIT", "documentNo": "P-1"}
    kinds = draw(st.lists(st.sampled_from([kind.value for kind in PenaltyKind]), min_size=1, max_size=3, unique=True))
    said = {"kinds": kinds, "fine": "1.00", "confiscated": "0.00", "violation": "骚扰", "basis": "办法"}
    imposed = VERSIONS[-1].in_force_from + dt.timedelta(
        days=draw(st.sampled_from(TERMS)) - draw(st.sampled_from(TERMS))
    )
    after = [imposed + dt.timedelta(days=draw(st.sampled_from(TERMS))) for _ in range(2)]
    latest = TODAY + dt.timedelta(days=366)
    facts: list[tuple[str, str, dict[str, Any]]] = [
        ("enterpriseRegistered", histories.EARLY, {"uscc": USCCS[0], "name": "甲", "province": "31"}),
        ("penaltyImposed", str(min(imposed, latest)), {**penalty, **said, "becauseOf": "OTHER"}),
        ("penaltyPublicised", str(min(after[0], latest)), penalty),
        ("penaltyAnnulled", str(min(after[1], latest)), {**penalty, "reason": "复议"}),
    ]
    return [(name, {**fact, "effectiveOn": on}) for name, on, fact in facts[: draw(st.integers(3, 4))]]


TERMS = (0, 1, 7, 89, 90, 91, 364, 365, 366, 1094, 1095, 1096)


@thoroughly
@given(st.one_of(publicities(), a_history), st.data())
def test_public_penalties_agree(history: list[histories.Candidate], data: st.DataObject) -> None:
    both = replayed(history)
    folds = folded(log(both.ledger))
    ends = [e.effective_on + dt.timedelta(days=n) for e in both.events for n in TERMS]
    for on, at in [*asked(data, both.events), *[(on, both.head) for on in ends]]:
        for uscc in USCCS:
            real = agreement.publicised(folds, uscc, Moment(on, at))
            assert real == model.public_penalties(both.events, uscc, on, at)


# ── folds ────────────────────────────────────────────────────────────────────────────────────────────────────────


def answers(folds: Folds, at: Moment) -> list[Any]:
    """Everything that the domain says of all enterprises at (D, P)."""
    questions = (
        agreement.status,
        agreement.enterprise,
        agreement.complaint_counts,
        agreement.owed,
        agreement.found,
        agreement.listed,
        agreement.publicised,
    )
    timelines = [agreement.spans(folds, uscc, at.known_at) for uscc in USCCS]
    return [timelines, *[question(folds, uscc, at) for question in questions for uscc in USCCS]]


@thoroughly
@given(a_history, st.data())
def test_what_came_after_a_position_does_not_change_what_was_known_at_it(
    history: list[histories.Candidate], data: st.DataObject
) -> None:
    both = replayed(history)
    recorded = log(both.ledger)
    for on, at in asked(data, both.events):
        known = answers(folded(recorded[:at]), Moment(on, at))
        assert answers(folded(recorded), Moment(on, at)) == known
        assert answers(folded(recorded[:at]), Moment(on)) == known


def folded_in_copies(recorded: Sequence[Recorded]) -> list[Folds]:
    """The folds after each event, where every event was folded into a copy."""
    states = [Folds(Facts)]
    for one in recorded:
        state = Folds(Facts, states[-1])
        for tag in one.tags:
            state[tag] = state[tag].copy()
            state[tag].evolve(one)
        states.append(state)
    return states


@thoroughly
@given(a_history, st.data())
def test_folding_into_copies_leaves_every_earlier_state_as_it_was(
    history: list[histories.Candidate], data: st.DataObject
) -> None:
    both = replayed(history)
    recorded = log(both.ledger)
    states = folded_in_copies(recorded)
    for _, at in [*asked(data, both.events), (TODAY, both.head)]:
        assert held(states[at]) == held(folded(recorded[:at]))


@thoroughly
@given(a_history, st.data())
def test_a_snapshot_goes_on_as_the_fold_that_it_was_taken_of(
    history: list[histories.Candidate], data: st.DataObject
) -> None:
    recorded = log(replayed(history).ledger)
    taken = data.draw(st.integers(0, len(recorded)))
    folds = Folds(Facts, {tag: loaded(dumped(facts)) for tag, facts in folded(recorded[:taken]).items()})
    for one in recorded[taken:]:
        for tag in one.tags:
            folds[tag].evolve(one)
    assert held(folds) == held(folded(recorded))


def held(folds: Mapping[str, Facts]) -> dict[str, Any]:
    """What folds hold: their facts, and how far they were folded."""
    return {tag: (facts.position, list(facts.all())) for tag, facts in folds.items()}


@thoroughly
@given(a_history, st.sampled_from([FACT_BYTES, KEPT_BYTES // 3]), st.data())
def test_streams_give_the_fold_of_the_log_whatever_they_keep(
    history: list[histories.Candidate], size: int, data: st.DataObject
) -> None:
    with patch("ledger.streams.FACT_BYTES", size):
        both = replayed(history)
        recorded = log(both.ledger)
        tags = sorted({tag for one in recorded for tag in one.tags})
        for streams in (both.ledger.streams, Streams(both.ledger.recorder)):
            head, folds = streams.read(tags)
            assert (head, held(folds)) == (both.head, held(folds_of(tags, recorded)))
        for _, at in asked(data, both.events, 2):
            past, count = both.ledger.streams.at(tags, at)
            assert (held(past), count) == (held(folds_of(tags, recorded[:at])), at)


def folds_of(tags: Sequence[str], recorded: Sequence[Recorded]) -> dict[str, Facts]:
    folds = folded(recorded)
    return {tag: folds[tag] for tag in tags}
