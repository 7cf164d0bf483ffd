"""The permission matrix, cell by cell and both ways: what is allowed really answers, what is not is FORBIDDEN or absent.

The queries are made from the published schema: a new field is asked for here without a line of its own, and one without a
row in the matrix does not start. What is expected is the matrix; that it is the rulebook's is said in test_permissions and
by the sentences of §8 at the end.
"""

import json
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import pytest
from graphql import GraphQLField, GraphQLInterfaceType, GraphQLObjectType, build_schema, get_named_type, is_leaf_type

from api.permissions import guard
from api.schema import SCHEMA
from domain import events, matrix
from domain.callers import Caller, Role
from domain.matrix import FIELDS, GATES, PERSONAL, Reach
from domain.rulebook import Gate
from domain.shape import fields_of
from drawing import draw
from gating import GATES as ASKED
from gating import decide
from given import (
    EVERY_EVENT,
    A,
    B,
    C,
    Stated,
    access,
    accessed,
    amended,
    complained,
    confirmed,
    filed,
    inspected,
    interviewed,
    licensed,
    listed,
    ordered,
    penalty,
    punished,
    registered,
    resolved,
    self_reported,
    unlisted,
)
from running import HOLDERS, System, code, started
from statements import Statements, look_up_once
from subscribing import streaming

PHONE, SUMMARY, PERSON, NAME = "13800007777", "绝密的投诉", "司马光明", "秘密企业有限公司"
HIDDEN: Final = (A, NAME, PHONE, SUMMARY, PERSON, "A-MOBILE", "96345")
"""What who sees nothing of A must never get to read; the last two are another carrier's."""
OTHERS: Final = ("A-MOBILE", "96345")
DRAWN: Final = code(31)
"""The one enterprise of a draw that is public, since it was inspected."""
WHO: Final[dict[str | None, str]] = {
    **{name: held["role"] for name, held in HOLDERS.items()},
    "unicom": "carrier",
    None: "public",
}
"""The role of each key; `unicom` is a carrier that nothing names."""
OWN_FACTS: Final[dict[str, Stated]] = {
    "regulator": Stated("enterpriseRenamed", {"uscc": C, "name": "新名"}),
    "carrier": access("Restricted", accessId="A-TELECOM"),
    "intake": complained(complaintId="C-own"),
}


class Life(NamedTuple):
    """A system with a rich history, and the positions that queries name."""

    system: System
    published: int
    registered: int

    def caller(self, key: str | None) -> Caller:
        return self.system.callers[key] if key else Caller()


@pytest.fixture(scope="module")
def life(database: str) -> Iterator[Life]:
    """A is seen by insiders alone but for what carriers may know; of B an entry and a penalty are published."""
    with started(database) as system:
        system.secrets["unicom"], info = system.keys.create("carrier", carrier="CHINA_UNICOM")
        system.callers["unicom"] = info.caller
        (first, *_) = system.record(
            registered(name=NAME, legalRepresentative=PERSON),
            registered(uscc=B),
            registered(uscc=C),
            licensed(),
            filed(carriers=["CHINA_TELECOM"]),
            filed(number="96345", carriers=["CHINA_MOBILE"]),
            amended(number="96345", use="客服"),
            accessed(accessId="A-TELECOM"),
            accessed(accessId="A-MOBILE", carrier="CHINA_MOBILE", number="96345"),
            accessed("2021-03-01", accessId="A-wrong", carrier="CHINA_MOBILE"),
            access("Restricted", accessId="A-MOBILE", carrier="CHINA_MOBILE"),
            complained(complainantPhone=PHONE, summary=SUMMARY),
            complained(complaintId="C-erased", complainantPhone="13800008888"),
            resolved(),
            inspected("2026-05-01"),
            self_reported(),
            interviewed("2026-05-02"),
            ordered("2026-05-03"),
            ordered("2026-05-03", orderId="O-2"),
            confirmed("2026-05-04", orderId="O-2"),
            punished("2026-05-05"),
        )
        (entry, *_) = system.record(
            listed("2026-05-01", uscc=B, entryId="E-public"),
            listed("2026-05-01", uscc=A, entryId="E-removed"),
            unlisted("2026-05-02", uscc=A, entryId="E-removed"),
            punished("2026-05-01", uscc=B, documentNo="P-public", kinds=["CLOSURE"]),
            penalty("Publicised", "2026-05-02", uscc=B, documentNo="P-public"),
        )
        for key in ("telecom", "mobile", "miit"):
            carrier = "CHINA_MOBILE" if key == "mobile" else "CHINA_TELECOM"
            made = decide(system, {"cooperation": {"uscc": A, "carrier": carrier}}, key=key)
            assert made["errors"] == []
        system.record(registered(uscc=DRAWN, province="31"), licensed(uscc=DRAWN, licenceNo="L-drawn"))
        draw(system, provinces=["31"])
        system.record(inspected(uscc=DRAWN, drawId="D-1", inspectionId="I-drawn"))
        for role, fact in OWN_FACTS.items():
            key = {"regulator": "miit", "carrier": "telecom", "intake": "intake"}[role]
            assert system.send(fact, key=key, once="own")["errors"] == []
        system.settle()
        # Somebody has looked, before whoever is asked about it.
        system.ask(f"{{ {_in(OF_A, 'history { totalCount }')} }}")
        yield Life(system, entry.position, first.position)


# Every field has a row, every row a field


def published_types() -> dict[str, GraphQLObjectType | GraphQLInterfaceType]:
    found = SCHEMA._schema.type_map.items()
    return {
        name: type_
        for name, type_ in found
        if isinstance(type_, (GraphQLObjectType, GraphQLInterfaceType)) and not name.startswith("__")
    }


TYPES: Final = {name: type_ for name, type_ in published_types().items() if name not in events.EVENTS}


def test_every_field_of_the_schema_has_a_row_and_every_row_a_field() -> None:
    assert set(FIELDS) == {f"{owner}.{name}" for owner, type_ in TYPES.items() for name in type_.fields}


@pytest.mark.parametrize("sdl", ["type Query { newField: Int }", "type Query { ledger: New } type New { x: Int }"])
def test_a_field_without_a_row_does_not_start(sdl: str) -> None:
    with pytest.raises(KeyError, match=r"Query\.newField|New\.x"):
        guard(build_schema(sdl))


def test_every_event_type_and_every_gate_has_a_row_and_personal_fields_are_those_that_are_annotated() -> None:
    assert set(matrix.EVENTS) == set(events.EVENTS)
    assert set(GATES) == set(Gate)
    annotated = {f"{name}.{f.sent_as}" for name, cls in events.EVENTS.items() for f in fields_of(cls) if f.personal}
    assert set(PERSONAL) == annotated


# Fields


def record(key: str | None, selection: str, fact: Stated | None = None) -> str:
    """What a key recorded in `life`, again: the same input, so nothing new is recorded."""
    own = fact or OWN_FACTS.get(WHO[key], OWN_FACTS["regulator"])
    fields = ", ".join(f"{name}: {_written(name, value)}" for name, value in own.fields.items() if value is not None)
    return f'mutation {{ record(input: {{ idempotencyKey: "own", facts: [{{ {own.name}: {{ {fields} }} }}] }}) {{ {selection} }} }}'


def _written(name: str, value: Any) -> str:
    is_enum = name in ("channel", "category")
    return str(value) if is_enum else json.dumps(value, ensure_ascii=False)


COOPERATION: Final = f'{{ cooperation: {{ uscc: "{A}", carrier: "CHINA_TELECOM" }} }}'
DECIDE: Final = f'decideGate(input: {{ idempotencyKey: "again", request: {COOPERATION} }}) {{ SEL }}'
DRAW: Final = """drawInspection(input: { idempotencyKey: "again", drawId: "D-1", authority: "MIIT", count: 1,
    inspectors: ["one", "two"] }) { SEL }"""
ERASE: Final = 'eraseSubject(input: { idempotencyKey: "e", subject: { complaintId: "C-erased" }, ground: "g" }) { SEL }'
HOLD: Final = 'holdSubject(input: { subject: { complaintId: "C-1" }, reason: "r" }) { SEL }'
RELEASE: Final = 'releaseSubject(subject: { complaintId: "C-1" }) { SEL }'
OF_A: Final = f'enterprise(uscc: "{A}") {{ SEL }}'


def _in(outer: str, inner: str) -> str:
    return outer.replace("SEL", inner)


def _connected(field: str, node: str) -> dict[str, str]:
    return {
        f"{node}Connection": field,
        f"{node}Edge": _in(field, "edges { SEL }"),
        node: _in(field, "edges { node { SEL } }"),
    }


ENTRY: Final[dict[str, str]] = {
    "Query": "SEL",
    **_connected("enterprises { SEL }", "Enterprise"),
    **_connected(f'decisions(uscc: "{A}") {{ SEL }}', "Decision"),
    **_connected("obligations { SEL }", "Obligation"),
    **_connected("findings { SEL }", "Finding"),
    **_connected("listEntries { SEL }", "ListEntry"),
    **_connected("penalties { SEL }", "Penalty"),
    **_connected(_in(OF_A, "history { SEL }"), "Event"),
    **_connected("reads { SEL }", "Read"),
    **_connected("draws { SEL }", "Draw"),
    "Drawn": "draws { edges { node { drawn { SEL } } } }",
    "PoolPage": "draws { edges { node { pool { SEL } } } }",
    "PoolMember": "draws { edges { node { pool { members { SEL } } } } }",
    "PoolShare": 'drawPool(authority: "MIIT") { SEL }',
    "DrawFollowUp": "draws { edges { node { followUp { SEL } } } }",
    "DrawnInspection": "draws { edges { node { drawn { inspections { SEL } } } } }",
    "Enterprise": OF_A,
    "Node": f'node(id: "enterprise-{A}") {{ SEL }}',
    "Ledger": "ledger { SEL }",
    "LedgerEvent": "ledger { events(first: 100) { SEL } }",
    "Checkpoint": "ledger { checkpoint { SEL } }",
    "Receipt": "ledger { receipt(position: PUBLISHED) { SEL } }",
    "CreditReport": f'creditStatus(uscc: "{A}") {{ SEL }}',
    "CreditSpan": f'creditStatus(uscc: "{A}") {{ timeline {{ SEL }} }}',
    "Reason": f'creditStatus(uscc: "{A}") {{ reasons {{ SEL }} }}',
    "CreditChange": "creditChanges { SEL }",
    "GateAnswer": f"previewGate(request: {COOPERATION}) {{ SEL }}",
    "Replay": f'decisions(uscc: "{A}") {{ edges {{ node {{ replay {{ SEL }} }} }} }}',
    "Rulebook": "rulebooks { SEL }",
    "PageInfo": "listEntries { pageInfo { SEL } }",
    "ReadModel": "ledger { readModels { SEL } }",
    "ApiKey": "keys { SEL }",
    "Activity": _in(OF_A, "activity { SEL }"),
    "Licence": _in(OF_A, "licences { SEL }"),
    "NumberFiling": _in(OF_A, "numbers { SEL }"),
    "Access": _in(OF_A, "accesses { SEL }"),
    "ComplaintCount": _in(OF_A, 'complaintCounts(from: "2019-01-01", to: "2027-01-01") { SEL }'),
    "EraseSubjectPayload": f"mutation {{ {ERASE} }}",
    "SubjectPayload": f"mutation {{ {HOLD} }}",
    "DecideGatePayload": f"mutation {{ {DECIDE} }}",
    "DrawInspectionPayload": f"mutation {{ {DRAW} }}",
}
"""How each type is reached; the walk puts its fields in the place of SEL."""
ARGUMENTS: Final = {
    "Query.node": f'(id: "enterprise-{A}")',
    "Query.enterprise": f'(uscc: "{A}")',
    "Query.creditStatus": f'(uscc: "{A}")',
    "Query.creditStatuses": f'(usccs: ["{A}"])',
    "Query.previewGate": f"(request: {COOPERATION})",
    "Query.decision": '(id: "decision-x")',
    "Query.draw": '(drawId: "D-1")',
    "Query.drawPool": '(authority: "MIIT")',
    "Enterprise.complaintCounts": '(from: "2019-01-01", to: "2027-01-01")',
    "Ledger.event": "(position: REGISTERED)",
    "Ledger.headOn": '(date: "2026-05-31")',
    "Ledger.receipt": "(position: PUBLISHED)",
    "Ledger.consistencyProof": "(from: 1, to: 2)",
}
MUTATIONS: Final = {
    "decideGate": DECIDE,
    "drawInspection": DRAW,
    "eraseSubject": ERASE,
    "holdSubject": HOLD,
    "releaseSubject": RELEASE,
}
MAY_BE_NULL: Final = frozenset(
    ("Query.decision", "Licence.endedBy", "NumberFiling.withdrawnOn", "Reason.outcome", "Reason.remedy",
     "CreditSpan.from", "Obligation.metOn", "ListEntry.removedOn", "Penalty.fine", "Penalty.confiscated",
     "Penalty.publicUntil", "LedgerEvent.uscc", "LedgerEvent.voidedBy", "PageInfo.startCursor", "PageInfo.endCursor",
     "SubjectPayload.hold", "Read.operation", "Read.uscc", "DecideGatePayload.decision",
     "DrawInspectionPayload.draw", "DrawnInspection.followUp", "DrawnInspection.followUpDueOn",
     "DrawnInspection.followedOn", "ApiKey.carrier", "ApiKey.authority", "ApiKey.revokedAt", "ApiKey.expiresAt",
     "ApiKey.lastUsedAt", "PoolPage.next")
)  # fmt: skip
"""Fields whose value is null in some answer of who may see them."""


def selection(named: str, field: GraphQLField) -> str:
    asked = named.partition(".")[2] + ARGUMENTS.get(named, "")
    return asked if is_leaf_type(get_named_type(field.type)) else f"{asked} {{ __typename }}"


def query_of(life: Life, key: str | None, owner: str, name: str) -> str:
    named = f"{owner}.{name}"
    asked = selection(named, TYPES[owner].fields[name])
    if named == "Mutation.record":
        return record(key, "errors { code }")
    if owner == "Mutation":
        return f"mutation {{ {_in(MUTATIONS[name], '__typename')} }}"
    if owner == "RecordPayload":
        return record(key, asked)
    if owner == "RecordError":
        return record(key, f"errors {{ {asked} }}", Stated("enterpriseRenamed", {"uscc": code(99), "name": "x"}))
    if owner == "LedgerEvent" and WHO[key] in ("carrier", "intake"):
        return record(key, f"events {{ {asked} }}")
    query = _in(ENTRY[owner], asked).replace("PUBLISHED", str(life.published))
    query = query.replace("REGISTERED", str(life.registered))
    return query if query.startswith("mutation") else f"{{ {query} }}"


def values(data: Any, name: str) -> Iterator[Any]:
    """The values of a field wherever it is in an answer."""
    if isinstance(data, dict):
        if name in data:
            yield data[name]
        for inner in data.values():
            yield from values(inner, name)
    elif isinstance(data, list):
        for inner in data:
            yield from values(inner, name)


FIELD_CELLS: Final = [
    (owner, name) for owner, type_ in TYPES.items() if owner != "Subscription" for name in type_.fields
]


@pytest.mark.parametrize(("owner", "name"), FIELD_CELLS)
def test_a_field_answers_to_whom_its_row_allows_and_to_no_other(life: Life, owner: str, name: str) -> None:
    named = f"{owner}.{name}"
    for key in WHO:
        answer = life.system.post(query_of(life, key, owner, name), key=key)
        body = answer.json()
        codes = [error["extensions"]["code"] for error in body.get("errors", [])]
        where = (named, key, answer.text[:600])
        match life.caller(key).reach(FIELDS[named]):
            case Reach.NONE:
                assert refused(named, body), where
                assert all(hidden not in answer.text for hidden in HIDDEN), where
            case Reach.OWN if key == "unicom" or ((owner, name) == ("GateAnswer", name) and key == "mobile"):
                assert set(codes) <= {"FORBIDDEN"}, where
                assert all(hidden not in answer.text for hidden in OTHERS), where
            case Reach.OWN if key != "mobile":
                assert answered(named, body), where
                assert all(hidden not in answer.text for hidden in OTHERS), where
            case Reach.ALL:
                assert answered(named, body), where


def refused(named: str, body: Any) -> bool:
    if named == "Mutation.record":
        return [error["code"] for error in body["data"]["record"]["errors"]] == ["FORBIDDEN"]
    if named in ("Mutation.decideGate", "Mutation.drawInspection"):
        return bool(body["data"][named.partition(".")[2]])
    codes = {error["extensions"]["code"] for error in body.get("errors", [])}
    return codes == {"FORBIDDEN"} and not list(_shown(body.get("data"), named))


def _shown(data: Any, named: str) -> Iterator[Any]:
    return (value for value in values(data, named.partition(".")[2]) if value not in (None, [], {}))


def answered(named: str, body: Any) -> bool:
    """Without errors, and with a value of the field that is not null; a list that may be empty is there."""
    found = list(values(body.get("data"), named.partition(".")[2]))
    return "errors" not in body and bool(found) and (None not in found or named in MAY_BE_NULL)


# Subscriptions


@pytest.mark.parametrize("name", TYPES["Subscription"].fields)
def test_a_subscription_goes_on_for_whom_its_row_allows_and_for_no_other(life: Life, name: str) -> None:
    for key in WHO:
        with streaming(
            life.system.url, f"subscription {{ {name} {{ position }} }}", headers=life.system.bearer(key)
        ) as s:
            first = json.loads(next(s.events())["data"])
        if life.caller(key).reach(FIELDS[f"Subscription.{name}"]) is Reach.NONE:
            assert [error["extensions"]["code"] for error in first["errors"]] == ["FORBIDDEN"], (name, key)
        else:
            assert first["data"][name]["position"] >= 1, (name, key)


# Events


@pytest.mark.parametrize("name", EVERY_EVENT)
def test_an_event_is_recorded_by_whom_its_row_allows_and_by_no_other(life: Life, name: str) -> None:
    fact = EVERY_EVENT[name]
    row = matrix.EVENTS[name[0].upper() + name[1:]].records
    for key in WHO:
        # What is well-formed and lacks what it rests on is refused for that, and nothing is recorded.
        payload = life.system.send(_without_ground(fact), key=key)
        codes = {error["code"] for error in payload["errors"]}
        assert ("FORBIDDEN" in codes) is (life.caller(key).reach(row) is Reach.NONE or _of_another(key, fact)), (
            key,
            codes,
        )


def _without_ground(fact: Stated) -> Stated:
    stranger = {"uscc": code(77)} if "uscc" in fact.fields else {}
    unknown: dict[str, Any] = {"complaintId": "C-none"} if fact.name == "complaintResolved" else {}
    unknown |= {"displayedNumber": ""} if fact.name == "complaintReceived" else {}
    unknown |= {"position": 9_999} if fact.name == "eventVoided" else {}
    unknown |= {"version": "2020.1"} if fact.name == "rulebookAdopted" else {}
    unknown |= {"province": "99"} if fact.name == "enterpriseRegistered" else {}
    return Stated(fact.name, {**fact.fields, **stranger, **unknown})


def _of_another(key: str | None, fact: Stated) -> bool:
    """A fact that names another authority or carrier than the key's own."""
    held = HOLDERS.get(key or "", {"carrier": "CHINA_UNICOM"} if key == "unicom" else {})
    if fact.fields.get("authority") and held.get("authority", "MIIT") != "MIIT":
        return bool(fact.fields["authority"] != held["authority"])
    return "carrier" in held and fact.fields.get("carrier", held["carrier"]) != held["carrier"]


def test_an_event_is_seen_by_whom_its_row_allows_and_by_no_other(life: Life) -> None:
    system = life.system
    log = system.log()
    types = {each.type for each in log}
    for key in WHO:
        caller, seen = life.caller(key), set()
        for each in log:
            answer = system.post(f"{{ ledger {{ receipt(position: {each.position}) {{ entry }} }} }}", key=key).json()
            if answer["data"]["ledger"]["receipt"]:
                seen.add(each.type)
            else:
                assert [error["extensions"]["code"] for error in answer["errors"]] == ["FORBIDDEN"]
        reaching = {name for name in types if caller.reach(matrix.EVENTS[name].sees) is not Reach.NONE}
        named_nowhere = {"NumberFiled", "AccessGranted", "GateDecided"} if key == "unicom" else set()
        assert seen == reaching - named_nowhere, key


# Gates


@pytest.mark.parametrize("gate", Gate)
@pytest.mark.parametrize("asks", ["previews", "decides"])
def test_a_gate_answers_to_whom_its_row_allows_and_to_no_other(life: Life, gate: Gate, asks: str) -> None:
    request = ASKED[gate]()
    for key in WHO:
        reach = life.caller(key).reach(getattr(GATES[gate], asks))
        allowed = reach is Reach.ALL or (reach is Reach.OWN and key == "telecom")
        if asks == "decides":
            codes = [error["code"] for error in decide(life.system, request, key=key)["errors"]]
        else:
            query = "query ($r: GateRequest!) { previewGate(request: $r) { outcome } }"
            codes = life.system.codes(query, {"r": request}, key=key)
        assert codes == ([] if allowed else ["FORBIDDEN"]), (gate, asks, key)


# Personal fields


@pytest.mark.parametrize("field", sorted(PERSONAL))
def test_a_personal_field_is_masked_for_all_but_holders_of_its_scope(life: Life, field: str) -> None:
    owner, _, name = field.partition(".")
    secret = {"legalRepresentative": PERSON, "complainantPhone": PHONE, "summary": SUMMARY}[name]
    queries = (
        f'{{ ledger {{ events(first: 100, types: ["{owner}"]) {{ data ... on {owner} {{ {name} }} }} }} }}',
        f"{{ {_in(OF_A, f'history {{ edges {{ node {{ data ... on {owner} {{ {name} }} }} }} }}')} }}",
    )
    for key in WHO:
        for query in queries:
            answer = life.system.post(query, key=key)
            shown = secret in answer.text
            assert shown is life.caller(key).sees_personal, (field, key)
            seen = life.caller(key).reach(FIELDS["Ledger.events"]) is not Reach.NONE
            assert ('"***"' in answer.text) is (seen and not shown)
        with streaming(
            life.system.url,
            f'subscription {{ events(types: ["{owner}"], uscc: "{A}") {{ data }} }}',
            headers=life.system.bearer(key),
        ) as stream:
            assert (secret in next(stream.events())["data"]) is life.caller(key).sees_personal


# What is there and what is not


NOT_SEEN: Final = {
    "decision": ('{{ decision(id: "{}") {{ outcome }} }}', None),
    "node": ('{{ node(id: "{}") {{ id }} }}', None),
    "receipt": ("{{ ledger {{ receipt(position: {}) {{ position }} }} }}", "FORBIDDEN"),
}


@pytest.mark.parametrize("what", NOT_SEEN)
def test_what_is_not_seen_takes_the_same_statements_as_what_is_not_there(life: Life, what: str) -> None:
    system = life.system
    template, _ = NOT_SEEN[what]
    hidden: list[Any]
    if what == "receipt":
        hidden = [each.position for each in system.log() if each.position > life.registered - 1]
        absent: Any = system.head + 1_000
    else:
        edges = system.ask("{ decisions(first: 100) { edges { node { id requestedBy } } } }")["decisions"]["edges"]
        hidden = [e["node"]["id"] for e in edges if "telecom" not in e["node"]["requestedBy"].lower()]
        absent = "decision-of-nobody"
    system.runner.stop()
    try:
        nothing = _way(system, template.format(absent))
        ways = {_way(system, template.format(each)) for each in hidden}
    finally:
        system.runner.start()
    assert nothing in ways
    assert {way for way in ways if way[0] == nothing[0]} == {nothing}


def _way(system: System, query: str) -> tuple[str, tuple[str, ...]]:
    """The answer of a carrier that nothing names, and the statements that it took."""
    with pytest.MonkeyPatch.context() as patch:
        look_up_once(patch, system)
        system.ask("{ ledger { head } listEntries { totalCount } }", key="unicom")
        statements = Statements(patch, system)
        answer = system.post(query, key="unicom").text
        return answer, tuple(statements.texts)


def test_another_carriers_access_is_refused_as_one_that_is_not_there(life: Life) -> None:
    said = []
    for id_ in ("A-MOBILE", "A-nobody"):
        (error,) = life.system.send(access("Restricted", accessId=id_), key="telecom")["errors"]
        said.append((error["code"], error["message"].replace(id_, "ID")))
    assert said[0] == said[1]
    assert said[0][0] == "NOT_FOUND"


def test_a_search_and_its_count_say_nothing_of_numbers_to_a_carrier(life: Life) -> None:
    query = '{ enterprises(search: "96345") { totalCount edges { node { uscc } } } }'
    assert life.system.ask(query, key="mobile")["enterprises"] == {"totalCount": 0, "edges": []}
    assert life.system.ask(query, key="auditor")["enterprises"]["totalCount"] == 1


def test_counts_and_cursors_of_decisions_know_a_carriers_own_alone(life: Life) -> None:
    query = "{ decisions { totalCount pageInfo { hasNextPage } edges { node { requestedBy } } } }"
    found = life.system.ask(query, key="mobile")["decisions"]
    assert found["totalCount"] == len(found["edges"]) >= 1
    assert all(edge["node"]["requestedBy"].startswith("carrier:CHINA_MOBILE:") for edge in found["edges"])
    assert life.system.ask(query, key="unicom")["decisions"]["totalCount"] == 0


# The rulebook's sentences (§8, §3)


def names(owner: str, role: Role, *reaches: Reach) -> set[str]:
    return {name for name in TYPES[owner].fields if FIELDS[f"{owner}.{name}"].reach(role) in reaches}


def test_public_and_intake_ask_the_published_lists_and_draws_the_rulebooks_and_the_ledgers_evidence() -> None:
    for role in (Role.PUBLIC, Role.INTAKE):
        assert names("Query", role, Reach.ALL) == {"listEntries", "penalties", "rulebooks", "ledger"}
        assert names("Query", role, Reach.OWN) == {"draw", "draws"}
        assert names("Ledger", role, Reach.ALL) == {"head", "headOn", "checkpoint", "consistencyProof"}
        assert names("Ledger", role, Reach.OWN) == {"receipt"}


def test_carriers_see_names_and_credit_of_all_and_else_their_own() -> None:
    assert names("Enterprise", Role.CARRIER, Reach.ALL) == {"id", "uscc", "name", "province", "credit"}
    assert names("Enterprise", Role.CARRIER, Reach.OWN) == {"numbers", "accesses"}
    assert names("Ledger", Role.CARRIER, Reach.NONE) == {"events", "event", "recordedLately", "readModels"}
    assert names("Subscription", Role.CARRIER, Reach.ALL) == {"creditChanges"}


def test_regulators_and_auditors_see_everything_but_what_needs_a_scope() -> None:
    for role in (Role.REGULATOR, Role.AUDITOR):
        for named, row in FIELDS.items():
            if (
                row.scope is None
                and not named.startswith("Mutation.")
                and row not in (matrix.ANSWERED, matrix.AUDITORS, matrix.REGULATORS)
            ):
                assert row.reach(role) is Reach.ALL, named


def test_regulators_alone_see_who_holds_a_key() -> None:
    assert {name for name, row in FIELDS.items() if row == matrix.REGULATORS and name.startswith("Query")} == {
        "Query.keys"
    }


def test_auditors_alone_see_who_looked() -> None:
    assert {name for name, row in FIELDS.items() if row == matrix.AUDITORS and name.startswith("Query")} == {
        "Query.reads"
    }
    assert {role for role in Role if FIELDS["Query.reads"].reach(role) is Reach.ALL} == {Role.AUDITOR}


def test_who_records_and_decides() -> None:
    def may(role: Role) -> set[str]:
        return {name for name, row in matrix.EVENTS.items() if row.records.reach(role) is not Reach.NONE}

    recordable = {name[0].upper() + name[1:] for name in EVERY_EVENT}
    assert may(Role.REGULATOR) == recordable
    assert may(Role.CARRIER) == {"AccessGranted", "AccessRestricted", "AccessRestored", "AccessTerminated"}
    assert may(Role.INTAKE) == {"ComplaintReceived", "ComplaintResolved"}
    assert may(Role.AUDITOR) == may(Role.PUBLIC) == set()
