"""The real domain and ledger against the naive model, written from the rulebook alone: one answer to every question.

`CASELEDGER_EXAMPLES` sets how many histories each test tries; without it the tests are quick and always the same.
"""

import datetime as dt
import os
from collections.abc import Sequence
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import agreement
from agreement import NOW, TODAY, Both, Folds, folded, log, replayed
from domain.callers import Caller, Role
from domain.facts import Facts, Moment
from domain.recorded import Recorded
from domain.rulebook import VERSIONS
from ledger.streams import Streams
from naive import histories, model, owed, refusals, rules
from naive.histories import USCCS
from naive.model import E

EXAMPLES = os.environ.get("CASELEDGER_EXAMPLES")
LONGEST = 30 if EXAMPLES else 15
thoroughly = settings(
    max_examples=int(EXAMPLES or 60),
    deadline=None,
    derandomize=EXAMPLES is None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.large_base_example, HealthCheck.data_too_large],
)
a_history = histories.histories(TODAY, LONGEST)
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
    both = replayed(history[:40])
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


@thoroughly
@given(a_history, st.data())
def test_public_penalties_agree(history: list[histories.Candidate], data: st.DataObject) -> None:
    both = replayed(history)
    folds = folded(log(both.ledger))
    for on, at in asked(data, both.events, 8):
        for uscc in USCCS:
            assert agreement.publicised(folds, uscc, Moment(on, at)) == model.public_penalties(
                both.events, uscc, on, at
            )


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
        whole = folded(recorded[:at])
        assert {tag: (list(f.all()), f.position) for tag, f in states[at].items()} == {
            tag: (list(f.all()), f.position) for tag, f in whole.items()
        }


@thoroughly
@given(a_history, st.data())
def test_streams_give_the_fold_of_the_log_whatever_they_kept(
    history: list[histories.Candidate], data: st.DataObject
) -> None:
    both: Both = replayed(history)
    recorded = log(both.ledger)
    tags = sorted({tag for one in recorded for tag in one.tags})
    head, kept = both.ledger.streams.read(tags)
    _, anew = Streams(both.ledger.recorder).read(tags)
    whole = folded(recorded)
    assert head == both.head
    for tag in tags:
        assert list(kept[tag].all()) == list(anew[tag].all()) == list(whole[tag].all())
    for _, at in asked(data, both.events, 2):
        past, _ = Streams(both.ledger.recorder).at(tags, at)
        before = folded(recorded[:at])
        assert all(list(past[tag].all()) == list(before[tag].all()) for tag in tags)
