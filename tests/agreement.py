"""The real ledger and the naive model side by side: both are offered the same facts, and answers have one form."""

import datetime as dt
import itertools
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import msgspec

from domain.callers import Caller, Role
from domain.commands import Refusal
from domain.complaints import complaints
from domain.credit import credit, timeline
from domain.events import ComplaintReceived, FiredRule
from domain.facts import Facts, Moment
from domain.findings import (
    Finding,
    gate_findings,
    live_findings,
    outbound_finding,
    reads_of_gate_findings,
    reads_of_live_findings,
    reads_of_outbound_finding,
)
from domain.live import ask
from domain.obligations import obligations
from domain.publicity import list_entries, public_penalties
from domain.recorded import Recorded
from domain.register import accesses, filings, licences, name, province
from domain.requests import BY_GATE, REQUESTS, Request
from domain.rulebook import RULEBOOK
from domain.shape import parse
from domain.vocabulary import Gate
from ledger.entry import canonical, data_of, opened
from ledger.ledger import Ledger
from ledger.recorder import PostgresRecorder
from ledger.sealing import Discarding
from memory import MemoryRecorder
from naive import histories, refusals
from naive.model import E, bearer, day
from naive.owed import Found, Row
from naive.rules import Reason, Timeline

NOW = dt.datetime(2026, 9, 30, 4, tzinfo=dt.UTC)
TODAY = dt.date(2026, 9, 30)
FIELDS = {cls.gate.value: field for field, cls in REQUESTS.items()}
"""The field of the contract's GateRequest that asks a gate."""
MIIT = Caller(Role.REGULATOR, "tests", authority="MIIT")
LEFT_OUT: dict[str, dict[str, Any]] = {
    "NumberFiled": {"outboundUndertaking": False},
    "ListEntryMade": {"basis": []},
}
"""What the ledger writes for a field that was left out and has a default."""

Codes = set[tuple[str, str]]
Folds = defaultdict[str, Facts]
Written = tuple[int, str, dt.date, bool, str | None, dict[str, Any]]


@dataclass
class Both:
    """A ledger and a list of events that were offered the same facts; equal as long as the two agree."""

    ledger: Ledger
    events: list[E] = field(default_factory=list)
    _asked: int = 0

    @property
    def head(self) -> int:
        return len(self.events)

    def _key(self) -> str:
        self._asked += 1
        return f"key-{self._asked}"

    def offer(self, facts: Sequence[tuple[str, dict[str, Any]]]) -> bool:
        """Records the facts together on both sides if both accept them; says whether they did."""
        refused, events = self._expected(facts)
        result = self.ledger.record(MIIT, self._key(), facts)
        assert _codes(result.refusals) == refused, (facts, [r.text.en for r in result.refusals])
        assert result.head == (self.head if refused else events[-1].position)
        self._compare_reasons(facts, result.refusals)
        if not refused:
            _same([written(one) for one in result.events], [self.known(e, events) for e in events[self.head :]])
            self.events = events
        return not refused

    def _expected(self, facts: Sequence[tuple[str, dict[str, Any]]]) -> tuple[dict[int, Codes], list[E]]:
        """The refusals of the first fact refused, by its place, and the events if there are none."""
        events = list(self.events)
        for place, (fact_name, fact) in enumerate(facts):
            codes = refusals.shape(fact_name, fact, now=NOW) or refusals.state(events, fact_name, fact, now=NOW)
            if codes:
                return {place: codes}, events
            events.append(refusals.recorded(events, fact_name, fact, now=NOW))
        return {}, events

    def _compare_reasons(self, facts: Sequence[tuple[str, dict[str, Any]]], refused: Sequence[Refusal]) -> None:
        for refusal in refused:
            place = int(refusal.path.split(".")[1])
            if refusal.code == "GATE_REFUSED":
                _, before = self._expected(facts[:place])
                rules = refusals.refusing_rules(before, *facts[place], now=NOW)
                assert [reason.rule for reason in refusal.reasons] == rules
            else:
                assert not refusal.reasons

    def decide(self, gate: str, request: dict[str, Any], as_of: dt.date) -> str | None:
        """Decides a gate on both sides; the decision's id, or None if both refuse."""
        result = self.ledger.decide_gate(MIIT, self._key(), {FIELDS[gate]: request}, as_of.isoformat())
        codes = {(refusal.code.value, refusal.path) for refusal in result.refusals}
        assert codes == refusals.refuse_decision(as_of, now=NOW)
        if codes:
            return None
        [decided] = result.events
        decision_id = plain(decided.event)["decisionId"]
        e = refusals.decided(self.events, gate, request, as_of, now=NOW, decision_id=decision_id)
        self.events.append(e)
        _same([written(decided)], [self.known(e, self.events)])
        return str(decision_id)

    def known(self, e: E, events: Sequence[E]) -> Written:
        """An event of the naive model, in the form of `written`."""
        data = {**LEFT_OUT.get(e.type, {}), **e.data}
        if e.type == "GateDecided":
            del data["requestedBy"]
            data["request"] = plain(request_of(data["gate"], data["request"]))
        return e.position, e.type, e.effective_on, e.historical, bearer(events, e), data


def _same(real: Sequence[Written], naive: Sequence[Written]) -> None:
    for one, other in zip(real, naive, strict=True):
        assert one == other, f"recorded {one}, naive {other}"


def fresh() -> Both:
    """An empty ledger beside an empty list, both at NOW."""
    recorder = cast(PostgresRecorder, MemoryRecorder(clock=lambda: NOW))
    return Both(Ledger(recorder, Discarding(), clock=lambda: NOW))


def replayed(candidates: Sequence[histories.Candidate], together: Sequence[int] = (1,)) -> Both:
    """Both sides after a history; facts are recorded so many together in turn, where no decision comes between."""
    both, sizes = fresh(), itertools.cycle(together)
    positions: dict[int, int] = {}
    decisions: dict[int, str] = {}
    waiting: list[int] = []
    wanted = next(sizes)
    for index, (fact_name, candidate) in enumerate(candidates):
        if fact_name == "decideGate":
            _record(both, candidates, waiting, positions, decisions)
            waiting = []
            decision = both.decide(candidate["gate"], candidate["request"], day(candidate["asOf"]))
            if decision is not None:
                positions[index], decisions[index] = both.head, decision
            continue
        waiting.append(index)
        if len(waiting) >= wanted:
            _record(both, candidates, waiting, positions, decisions)
            waiting, wanted = [], next(sizes)
    _record(both, candidates, waiting, positions, decisions)
    return both


def _record(
    both: Both,
    candidates: Sequence[histories.Candidate],
    indices: Sequence[int],
    positions: dict[int, int],
    decisions: dict[int, str],
) -> None:
    if not indices:
        return
    places = {index: both.head + n for n, index in enumerate(indices, 1)}
    given = [
        (candidates[i][0], histories.resolve(candidates[i][1], {**positions, **places}, decisions)) for i in indices
    ]
    if both.offer(given):
        positions |= places


def _codes(refused: Sequence[Refusal]) -> dict[int, Codes]:
    """(code, field at fault) of refusals by the place of their fact; list indexes are left out."""
    found: dict[int, Codes] = {}
    for refusal in refused:
        _, place, _, *path = refusal.path.split(".")
        fields = [part for part in path if not part.isdigit()]
        found.setdefault(int(place), set()).add((refusal.code.value, fields[-1] if fields else ""))
    return found


def request_of(gate: str, request: dict[str, Any]) -> Request:
    """The request that the inner object of the contract states."""
    asked, flaws = parse(BY_GATE[Gate(gate)], request)
    assert asked is not None, flaws
    return asked


def plain(stated: msgspec.Struct) -> dict[str, Any]:
    """The fields of an event or a request as JSON has them."""
    return cast(dict[str, Any], msgspec.json.decode(canonical(data_of(stated))))


def written(recorded: Recorded) -> Written:
    """A recorded event: position, type, effectiveOn, historical, whose it is, and its data without who asked."""
    data = plain(recorded.event)
    data.pop("requestedBy", None)
    return recorded.position, recorded.type, recorded.effective_on, recorded.historical, recorded.uscc, data


# ── the real answers, in the form of the naive model's ───────────────────────────────────────────────────────────


def log(ledger: Ledger) -> list[Recorded]:
    """Every recorded event."""
    return [opened(sequenced.event.data) for sequenced in ledger.recorder.read()]


def folded(recorded: Sequence[Recorded]) -> Folds:
    """The folds of all tags."""
    folds: Folds = defaultdict(Facts)
    for one in recorded:
        for tag in one.tags:
            folds[tag].evolve(one)
    return folds


def of(folds: Folds, uscc: str) -> Facts:
    """The fold of an enterprise."""
    return folds[f"enterprise:{uscc}"]


def status(folds: Folds, uscc: str, at: Moment) -> tuple[str, list[tuple[str, list[int]]]]:
    found = credit(of(folds, uscc), at)
    return found.status.value, [(reason.rule, list(reason.positions)) for reason in found.reasons]


def spans(folds: Folds, uscc: str, known_at: int) -> Timeline:
    return [(span.begins, span.status.value) for span in timeline(of(folds, uscc), known_at)]


def fired(reasons: Sequence[FiredRule]) -> list[Reason]:
    return [(reason.rule, reason.outcome.value, list(reason.positions)) for reason in reasons]


def gate(
    folds: Folds, which: str, request: dict[str, Any], at: Moment, version: str | None = None
) -> tuple[str, list[Reason]]:
    answer = ask(request_of(which, request), at, folds, RULEBOOK, RULEBOOK.named(version or ""))
    return answer.outcome.value, fired(answer.reasons)


def enterprise(folds: Folds, uscc: str, at: Moment) -> dict[str, Any] | None:
    """The register view of an enterprise; None when no registration is visible."""
    facts = of(folds, uscc)
    if name(facts, at) is None:
        return None
    return {
        "uscc": uscc,
        "name": name(facts, at),
        "province": province(facts, at),
        "licences": [
            {
                **_picked(one.granted.event, "licenceNo", "validFrom", "route", "authority"),
                "validTo": one.valid_to.isoformat(),
                "endedBy": one.ended_by,
                "position": one.granted.position,
            }
            for one in licences(facts, at)
        ],
        "numbers": [
            {
                "number": one.filed.event.number,
                "carriers": list(one.carriers),
                "use": one.use,
                "directions": one.directions.value,
                "filedOn": one.filed.effective_on.isoformat(),
                "withdrawnOn": withdrawn and withdrawn.isoformat(),
                "position": one.filed.position,
            }
            for one, withdrawn in filings(facts, at)
        ],
        "accesses": [
            {
                **_picked(one.granted.event, "accessId", "carrier", "number", "directions"),
                "state": one.state,
                "grantedOn": one.granted.effective_on.isoformat(),
                "position": one.granted.position,
            }
            for one in accesses(facts, at)
        ],
    }


def _picked(event: Any, *names: str) -> dict[str, Any]:
    return {n: v for n, v in plain(event).items() if n in names}


def complaint_counts(folds: Folds, uscc: str, at: Moment) -> list[tuple[dt.date, int, int]]:
    """(date, received, substantiated) of every day with a complaint."""
    found: dict[dt.date, tuple[int, int]] = {}
    for tag in [tag for tag in folds if tag.startswith(f"complaints:{uscc}:")]:
        for complaint in complaints(folds[tag], at):
            on = complaint.received.effective_on
            received, substantiated = found.get(on, (0, 0))
            found[on] = received + 1, substantiated + complaint.is_substantiated()
    return [(on, *found[on]) for on in sorted(found)]


def owed(folds: Folds, uscc: str, at: Moment) -> list[Row]:
    rows = obligations(of(folds, uscc), uscc, at)
    return [(r.rule, r.uscc, r.owed_by, r.due_on, r.state.value, r.met_on, r.arises_from) for r in rows]


def found(folds: Folds, uscc: str, at: Moment) -> list[Found]:
    """All findings of an enterprise, each asked with no other folds than those that it says it reads."""
    facts = of(folds, uscc)
    of_gates = {tag: folds[tag] for tag in reads_of_gate_findings(facts)}
    of_accesses = {tag: folds[tag] for tag in reads_of_live_findings(facts, at)}
    outbound = [one for tag in list(folds) if tag.startswith("complaint:") for one in _outbound(folds, tag, at)]
    findings = [
        *gate_findings(facts, of_gates, at),
        *live_findings(facts, of_accesses, at),
        *[finding for finding in outbound if finding.uscc == uscc],
    ]
    rows = [(f.rule, f.position, f.effective_on, _grounds(f)) for f in findings]
    return sorted(rows, key=lambda f: (f[2], f[1], f[0]))


def _outbound(folds: Folds, tag: str, at: Moment) -> list[Finding]:
    received = folds[tag].ever(ComplaintReceived)[0]
    numbers = [folds[number] for number in reads_of_outbound_finding(received.event)]
    finding = outbound_finding(folds[tag], numbers, at)
    return [finding] if finding else []


def _grounds(finding: Finding) -> list[Reason]:
    return [(g.rule, g.outcome and g.outcome.value, list(g.positions)) for g in finding.reasons]


def listed(folds: Folds, uscc: str, at: Moment) -> list[dict[str, Any]]:
    return [
        {
            "entryId": one.entry_id,
            "list": one.list.value,
            "uscc": one.uscc,
            "authority": one.authority,
            "ground": one.ground.value,
            "name": one.name,
            "from": one.begins.isoformat(),
            "removedOn": one.removed_on and one.removed_on.isoformat(),
            "position": one.position,
        }
        for one in list_entries(of(folds, uscc), at)
    ]


def publicised(folds: Folds, uscc: str, at: Moment) -> list[tuple[int, dt.date | None]]:
    shown = public_penalties(of(folds, uscc), at)
    return sorted([(one.position, one.public_until) for one in shown], key=lambda row: row[0])
