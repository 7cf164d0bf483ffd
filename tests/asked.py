"""The running system beside the naive model: both are offered the same facts, answers over GraphQL have one form.

One system serves many histories. Each gets codes, numbers and ids of its own, so that no two meet; its positions begin
where the one before it ended, and a sentinel in the naive model's list makes both sides count alike.
"""

import datetime as dt
import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from agreement import FIELDS, LEFT_OUT, NOW, TODAY, Codes, Written, request_of
from agreement import plain as plain_request
from naive import histories, refusals
from naive.histories import NUMBERS, USCCS, Candidate
from naive.model import E, bearer, day
from naive.owed import Found, Row
from naive.rules import Reason, Timeline
from running import System, code

LATEST: Final = TODAY.replace(year=TODAY.year + 10)
"""The last date that may be asked about."""
MOST: Final = 1_000
"""How many histories have numbers of their own."""
IDS: Final = {
    "licenceNo", "accessId", "complaintId", "inspectionId", "orderId", "exposureId", "entryId", "documentNo"
}  # fmt: skip

REASONS: Final = "reasons { rule outcome positions }"
RECORD: Final = f"""
mutation ($input: RecordInput!) {{
  record(input: $input) {{
    head
    events {{ position type effectiveOn historical uscc data voidedBy }}
    errors {{ code path message {REASONS} }}
  }}
}}
"""
DECIDE: Final = f"""
mutation ($input: DecideGateInput!) {{
  decideGate(input: $input) {{
    decision {{
      id gate uscc outcome request asOf knownAt position
      rulebook {{ version }}
      {REASONS}
    }}
    errors {{ code path message }}
  }}
}}
"""

_keys = (f"agreement-{number}" for number in itertools.count(1))


class Names:
    """What the codes, numbers and ids of a generated history are called in the n-th history of a system."""

    def __init__(self, n: int) -> None:
        if n >= MOST:
            raise ValueError(f"a system has numbers for {MOST} histories, asked for number {n}: start another system")
        self.usccs = tuple(code(len(USCCS) * n + place) for place in range(len(USCCS)))
        self._stems = {"95012": f"95{n:03d}", "96345": f"96{n:03d}"}
        self.numbers = tuple(self._number(number) for number in NUMBERS)
        self._prefix = f"{n}-"

    def fact(self, fact: Mapping[str, Any]) -> dict[str, Any]:
        """A fact or a request by the names of this history."""
        return {name: self._put(name, value) for name, value in fact.items()}

    def _put(self, name: str, value: Any) -> Any:
        if isinstance(value, dict):
            return self.fact(value)
        if name == "uscc" and value in USCCS:
            return self.usccs[USCCS.index(value)]
        if name in ("number", "displayedNumber"):
            return self._number(value)
        return self._prefix + value if name in IDS else value

    def _number(self, shown: str) -> str:
        return re.sub("95012|96345", lambda found: self._stems[found[0]], shown)


@dataclass
class Sides:
    """A running system and a list of events that were offered the same facts; equal as long as the two agree."""

    system: System
    names: Names
    events: list[E] = field(default_factory=list)

    def __post_init__(self) -> None:
        # It bears nobody and is read by no rule: it only says how far the ledger is.
        self.events.append(E(self.system.head, "RulebookAdopted", dt.date.min, NOW, False, {}))

    @property
    def head(self) -> int:
        return self.events[-1].position

    @property
    def made(self) -> list[E]:
        """The events of this history."""
        return self.events[1:]

    def play(self, candidates: Sequence[Candidate], together: Sequence[int] = (1,)) -> None:
        """Sends a history; facts go so many a request in turn, where no decision comes between."""
        positions: dict[int, int] = {}
        decisions: dict[int, str] = {}
        for indices in _requests(candidates, itertools.cycle(together)):
            if candidates[indices[0]][0] == "decideGate":
                asked = self.names.fact(candidates[indices[0]][1])
                decided = self.decide(asked["gate"], asked["request"], asked["asOf"])
                if decided is not None:
                    positions[indices[0]], decisions[indices[0]] = self.head, decided
                continue
            places = {index: self.head + n for n, index in enumerate(indices, 1)}
            known = {**positions, **places}
            facts = [(candidates[i][0], histories.resolve(candidates[i][1], known, decisions)) for i in indices]
            if self.offer([(name, self.names.fact(fact)) for name, fact in facts]):
                positions |= places

    def offer(self, facts: Sequence[tuple[str, dict[str, Any]]]) -> bool:
        """Sends facts in one request, and says whether both sides accepted them."""
        refused, events, rules = self._expected(facts)
        sent = {"idempotencyKey": next(_keys), "facts": [{name: fact} for name, fact in facts]}
        answer = self.system.ask(RECORD, {"input": sent})["record"]
        assert _codes(answer["errors"]) == refused, (facts, answer["errors"])
        assert [[r["rule"] for r in e["reasons"]] for e in answer["errors"] if e["code"] == "GATE_REFUSED"] == rules
        assert answer["head"] == (self.head if refused else events[-1].position)
        known = [] if refused else [written(e, events) for e in events[len(self.events) :]]
        for one, other in itertools.zip_longest(map(_written, answer["events"]), known):
            assert one == other, f"recorded {one}, naive {other}"
        self.events = self.events if refused else events
        return not refused

    def _expected(
        self, facts: Sequence[tuple[str, dict[str, Any]]]
    ) -> tuple[dict[int, Codes], list[E], list[list[str]]]:
        """The refusals of the first fact refused, by its place, or the events; and the rules that refused, if any."""
        events = list(self.events)
        for place, (name, fact) in enumerate(facts):
            codes = refusals.shape(name, fact, now=NOW) or refusals.state(events, name, fact, now=NOW)
            if codes:
                refuses = any(refused == "GATE_REFUSED" for refused, _ in codes)
                rules = [refusals.refusing_rules(events, name, fact, now=NOW)] if refuses else []
                return {place: codes}, events, rules
            events.append(refusals.recorded(events, name, fact, now=NOW))
        return {}, events, []

    def decide(self, gate: str, request: dict[str, Any], as_of: str) -> str | None:
        """Decides a gate on both sides; the decision's id, or None if both refuse."""
        sent = {"idempotencyKey": next(_keys), "request": {FIELDS[gate]: request}, "asOf": as_of}
        answer = self.system.ask(DECIDE, {"input": sent})["decideGate"]
        assert {(e["code"], e["path"]) for e in answer["errors"]} == refusals.refuse_decision(day(as_of), now=NOW)
        decision = answer["decision"]
        if decision is None:
            return None
        decided = refusals.decided(self.events, gate, request, day(as_of), now=NOW, decision_id=str(decision.pop("id")))
        expected = {name: decided.data[name] for name in ("gate", "uscc", "outcome", "reasons", "asOf", "knownAt")}
        assert decision == {
            **expected,
            "request": plain_request(request_of(gate, request)),
            "rulebook": {"version": decided.data["rulebook"]},
            "position": decided.position,
        }
        self.events.append(decided)
        return str(decided.data["decisionId"])


def _requests(candidates: Sequence[Candidate], sizes: Iterator[int]) -> Iterator[list[int]]:
    """The indices of the candidates that go into one request each."""
    waiting: list[int] = []
    wanted = next(sizes)
    for index, (name, _) in enumerate(candidates):
        if name == "decideGate":
            yield from [waiting] if waiting else []
            yield [index]
            waiting = []
            continue
        waiting.append(index)
        if len(waiting) >= wanted:
            yield waiting
            waiting, wanted = [], next(sizes)
    yield from [waiting] if waiting else []


def _codes(errors: Sequence[Mapping[str, Any]]) -> dict[int, Codes]:
    """(code, field at fault) of the errors by the place of their fact; list indexes are left out."""
    found: dict[int, Codes] = {}
    for error in errors:
        _, place, _, *path = error["path"].split(".")
        fields = [part for part in path if not part.isdigit()]
        found.setdefault(int(place), set()).add((error["code"], fields[-1] if fields else ""))
    return found


def written(e: E, events: Sequence[E]) -> Written:
    """An event of the naive model: position, type, effectiveOn, historical, whose it is, and its data but who asked."""
    data = {**LEFT_OUT.get(e.type, {}), **e.data}
    if e.type == "GateDecided":
        del data["requestedBy"]
        data["request"] = plain_request(request_of(data["gate"], data["request"]))
    return e.position, e.type, e.effective_on, e.historical, bearer(events, e), data


def _written(event: Mapping[str, Any]) -> Written:
    data = {name: value for name, value in event["data"].items() if name != "requestedBy"}
    return event["position"], event["type"], day(event["effectiveOn"]), event["historical"], event["uscc"], data


# ── questions over GraphQL, answered in the form of the naive model's ────────────────────────────────────────────

CONNECTIONS: Final = {
    "obligations": "rule uscc owedBy dueOn state metOn arisesFrom",
    "findings": f"rule position effectiveOn {REASONS}",
    "listEntries": "entryId list uscc name authority ground from removedOn position",
    "penalties": "position publicUntil",
    "decisions": f"id position outcome uscc now {{ outcome {REASONS} }}",
}


def pages(
    system: System, named: str, arguments: Mapping[str, tuple[str, Any]] | None = None, *, first: int = 100
) -> list[Any]:
    """All nodes of a connection of Query, read page by page; arguments by their names and types, as GraphQL has them.

    pages(system, "findings", {"uscc": ("USCC", A)})
    """
    given = arguments or {}
    types = {"first": "Int", "after": "String", **{name: type_ for name, (type_, _) in given.items()}}
    heading = ", ".join(f"${name}: {type_}" for name, type_ in types.items())
    passing = ", ".join(f"{name}: ${name}" for name in types)
    query = (
        f"query ({heading}) {{ {named}({passing}) "
        f"{{ totalCount pageInfo {{ hasNextPage endCursor }} edges {{ node {{ {CONNECTIONS[named]} }} }} }} }}"
    )
    variables = {"first": first, **{name: value for name, (_, value) in given.items()}}
    nodes: list[Any] = []
    while True:
        found = system.ask(query, variables)[named]
        nodes += [edge["node"] for edge in found["edges"]]
        if not found["pageInfo"]["hasNextPage"]:
            assert len(nodes) == found["totalCount"]
            return nodes
        variables["after"] = found["pageInfo"]["endCursor"]


def _date(on: dt.date) -> tuple[str, str]:
    return "Date", on.isoformat()


CREDIT: Final = """
query ($usccs: [USCC!]!, $asOf: Date, $knownAt: Position) {
  creditStatuses(usccs: $usccs, asOf: $asOf, knownAt: $knownAt) {
    uscc status asOf knownAt reasons { rule positions } timeline { from status }
  }
}
"""
Credit = tuple[str, list[tuple[str, list[int]]], Timeline]


def credit(system: System, usccs: Sequence[str], on: dt.date, at: int) -> list[Credit]:
    """Status, reasons and timeline of each code."""
    asked = {"usccs": list(usccs), "asOf": on.isoformat(), "knownAt": at}
    reports = system.ask(CREDIT, asked)["creditStatuses"]
    assert [(r["uscc"], r["asOf"], r["knownAt"]) for r in reports] == [(uscc, on.isoformat(), at) for uscc in usccs]
    return [
        (r["status"], [(one["rule"], one["positions"]) for one in r["reasons"]], timeline_of(r["timeline"]))
        for r in reports
    ]


def timeline_of(spans: Sequence[Mapping[str, Any]]) -> Timeline:
    return [(day(span["from"]) if span["from"] else None, span["status"]) for span in spans]


def fired(reasons: Sequence[Mapping[str, Any]]) -> list[Reason]:
    return [(r["rule"], r["outcome"], r["positions"]) for r in reasons]


PREVIEW: Final = f"""
query ($request: GateRequest!, $asOf: Date, $knownAt: Position) {{
  now: previewGate(request: $request, asOf: $asOf, knownAt: $knownAt) {{ ...answer }}
  v17: previewGate(request: $request, asOf: $asOf, knownAt: $knownAt, rulebook: "2017.1") {{ ...answer }}
  v18: previewGate(request: $request, asOf: $asOf, knownAt: $knownAt, rulebook: "2018.1") {{ ...answer }}
  v20: previewGate(request: $request, asOf: $asOf, knownAt: $knownAt, rulebook: "2020.1") {{ ...answer }}
  v26: previewGate(request: $request, asOf: $asOf, knownAt: $knownAt, rulebook: "2026.1") {{ ...answer }}
}}
fragment answer on GateAnswer {{ outcome {REASONS} }}
"""
VERSIONS: Final = (None, "2017.1", "2018.1", "2020.1", "2026.1")


def previews(
    system: System, gate: str, request: dict[str, Any], on: dt.date, at: int
) -> list[tuple[str, list[Reason]]]:
    """The answers under the version in force on the date and under each of VERSIONS."""
    asked = {"request": {FIELDS[gate]: request}, "asOf": on.isoformat(), "knownAt": at}
    answers = system.ask(PREVIEW, asked)
    return [(answers[alias]["outcome"], fired(answers[alias]["reasons"])) for alias in answers]


def owed(system: System, uscc: str, on: dt.date, at: int) -> list[Row]:
    """Obligations in the order of the naive model."""
    rows = pages(system, "obligations", {"uscc": ("USCC", uscc), "asOf": _date(on), "knownAt": ("Position", at)})
    found: list[Row] = [
        (
            r["rule"], r["uscc"], r["owedBy"], day(r["dueOn"]),
            r["state"], day(r["metOn"]) if r["metOn"] else None, r["arisesFrom"],
        )
        for r in rows
    ]  # fmt: skip
    return sorted(found, key=lambda r: (r[3], r[0], r[6]))


def found(system: System, uscc: str, on: dt.date, at: int) -> list[Found]:
    """Findings in the order of the naive model."""
    nodes = pages(system, "findings", {"uscc": ("USCC", uscc), "asOf": _date(on), "knownAt": ("Position", at)})
    rows: list[Found] = [(f["rule"], f["position"], day(f["effectiveOn"]), fired(f["reasons"])) for f in nodes]
    return sorted(rows, key=lambda f: (f[2], f[1], f[0]))


def listed(system: System, usccs: Sequence[str], on: dt.date, at: int) -> list[dict[str, Any]]:
    """The active entries of these codes, by position."""
    nodes = pages(system, "listEntries", {"activeOn": _date(on), "knownAt": ("Position", at)})
    return sorted([node for node in nodes if node["uscc"] in usccs], key=lambda node: int(node["position"]))


def shown(system: System, uscc: str, on: dt.date) -> list[tuple[int, dt.date | None]]:
    """(position, publicUntil) of the public penalties at the head."""
    nodes = pages(system, "penalties", {"uscc": ("USCC", uscc), "activeOn": _date(on)})
    until = [(node["position"], node["publicUntil"] and day(node["publicUntil"])) for node in nodes]
    return sorted(until, key=lambda row: int(row[0]))


REGISTER: Final = """
query ($uscc: USCC!, $after: String) {
  enterprise(uscc: $uscc) {
    uscc name province
    licences { licenceNo validFrom validTo endedBy route authority position inForce }
    numbers { number carriers use directions filedOn withdrawnOn position }
    accesses { accessId carrier number directions state grantedOn position }
    complaintCounts(from: "1949-01-01", to: "2049-12-31") { date received substantiated }
    history(first: 100, after: $after) {
      pageInfo { hasNextPage endCursor } edges { node { position voidedBy } }
    }
  }
}
"""


@dataclass(frozen=True)
class Shown:
    """What an enterprise shows at (today, head)."""

    register: dict[str, Any]
    in_force: list[int]
    complaints: list[tuple[dt.date, int, int]]
    history: list[tuple[int, int | None]]


def enterprise(system: System, uscc: str) -> Shown | None:
    """The enterprise, or None where there is none."""
    made = system.ask(REGISTER, {"uscc": uscc})["enterprise"]
    if made is None:
        return None
    events, page = made.pop("history"), {}
    nodes = [edge["node"] for edge in events["edges"]]
    while events["pageInfo"]["hasNextPage"]:
        page = {"uscc": uscc, "after": events["pageInfo"]["endCursor"]}
        events = system.ask(REGISTER, page)["enterprise"]["history"]
        nodes += [edge["node"] for edge in events["edges"]]
    counts = made.pop("complaintCounts")
    in_force = [licence["position"] for licence in made["licences"] if licence.pop("inForce")]
    return Shown(
        made,
        in_force,
        [(day(row["date"]), row["received"], row["substantiated"]) for row in counts],
        [(node["position"], node["voidedBy"]) for node in nodes],
    )


def changes(system: System, after: int, first: int) -> list[tuple[str, int, Timeline]]:
    """Every credit change after a position, read `first` at a time."""
    query = "query ($after: Position!, $first: Int) { creditChanges(after: $after, first: $first) { uscc position timeline { from status } } }"
    found: list[tuple[str, int, Timeline]] = []
    while page := system.ask(query, {"after": after, "first": first})["creditChanges"]:
        found += [(one["uscc"], one["position"], timeline_of(one["timeline"])) for one in page]
        after = page[-1]["position"]
    return found


REPLAY: Final = f"""
query ($id: ID!, $rulebook: String, $knownAt: Position) {{
  decision(id: $id) {{ replay(rulebook: $rulebook, knownAt: $knownAt) {{ outcome matches {REASONS} }} }}
}}
"""


def replay(
    system: System, decision_id: str, version: str | None, known_at: int | None
) -> tuple[str, list[Reason], bool]:
    """Outcome, rules that fired, and whether a decision asked again matches itself."""
    variables = {"id": decision_id, "rulebook": version, "knownAt": known_at}
    made = system.ask(REPLAY, variables)["decision"]["replay"]
    return made["outcome"], fired(made["reasons"]), made["matches"]
