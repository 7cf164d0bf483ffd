"""Who may see what (rulebook §8): a field that a role may never see is FORBIDDEN, rows that it may not see are left out."""

from base64 import b64decode
from collections.abc import Iterator
from typing import Any, Final

import pytest

from domain.callers import Role
from domain.matrix import FIELDS as ROWS
from domain.matrix import Reach
from drawing import draw
from gating import cooperation, decide
from given import (
    A,
    B,
    C,
    access,
    accessed,
    complained,
    filed,
    inspected,
    interviewed,
    licensed,
    listed,
    penalty,
    punished,
    registered,
    resolved,
    unlisted,
)
from ledger.entry import opened
from running import HOLDERS, System, started

PHONE, SUMMARY, PERSON = "13800001111", "推销贷款", "张三"
ROLES: Final = {"miit": Role.REGULATOR, "auditor": Role.AUDITOR, "telecom": Role.CARRIER, "intake": Role.INTAKE}

ENTERPRISE: Final = f'enterprise(uscc: "{A}")'
FIELDS: Final[dict[str, str]] = {
    "Query.enterprise": f"{{ {ENTERPRISE} {{ name }} }}",
    "Query.enterprises": "{ enterprises { totalCount } }",
    "Query.creditStatus": f'{{ creditStatus(uscc: "{A}") {{ status }} }}',
    "Query.creditStatuses": f'{{ creditStatuses(usccs: ["{A}"]) {{ status }} }}',
    "Query.creditChanges": "{ creditChanges { position } }",
    "Query.previewGate": f'{{ previewGate(request: {{ cooperation: {{ uscc: "{A}", carrier: "CHINA_TELECOM" }} }}) {{ outcome }} }}',
    "Query.decision": '{ decision(id: "decision-1") { outcome } }',
    "Query.decisions": "{ decisions { totalCount } }",
    "Query.node": f'{{ node(id: "enterprise-{A}") {{ id }} }}',
    "Query.obligations": "{ obligations { totalCount } }",
    "Query.findings": "{ findings { totalCount } }",
    "Draw.followUp": '{ draw(drawId: "D-1") { followUp { drawn } } }',
    "Drawn.inspections": '{ draw(drawId: "D-1") { drawn { inspections { position } } } }',
    "Enterprise.licences": f"{{ {ENTERPRISE} {{ licences {{ licenceNo }} }} }}",
    "Enterprise.numbers": f"{{ {ENTERPRISE} {{ numbers {{ number }} }} }}",
    "Enterprise.accesses": f"{{ {ENTERPRISE} {{ accesses {{ accessId }} }} }}",
    "Enterprise.history": f"{{ {ENTERPRISE} {{ history {{ totalCount }} }} }}",
    "Enterprise.enforcementHistory": f"{{ {ENTERPRISE} {{ enforcementHistory {{ totalCount }} }} }}",
    "Enterprise.complaintCounts": f'{{ {ENTERPRISE} {{ complaintCounts(from: "2020-01-01", to: "2020-02-01") {{ date }} }} }}',
    "Enterprise.obligations": f"{{ {ENTERPRISE} {{ obligations {{ rule }} }} }}",
    "Enterprise.findings": f"{{ {ENTERPRISE} {{ findings {{ rule }} }} }}",
    "Ledger.events": "{ ledger { events { position } } }",
    "Ledger.event": "{ ledger { event(position: 5) { position } } }",
}
"""A query of each field that some role may not see."""
PUBLIC: Final = (
    "{ ledger { head } }",
    "{ listEntries { totalCount } }",
    "{ penalties { totalCount } }",
    "{ rulebooks { version } }",
    "{ draws { totalCount } }",
    '{ draw(drawId: "D-1") { drawn { uscc } } }',
)


@pytest.fixture(scope="module")
def life(database: str) -> Iterator[System]:
    """An enterprise with two numbers, three accesses of two carriers, complaints, an interview and a penalty."""
    with started(database) as system:
        system.known(
            registered(legalRepresentative=PERSON),
            registered(uscc=B),
            licensed(),
            filed(carriers=["CHINA_TELECOM"]),
            filed(number="96345", carriers=["CHINA_MOBILE"]),
            accessed(),
            accessed(accessId="A-2", carrier="CHINA_MOBILE", number="96345"),
            accessed(accessId="A-3", carrier="CHINA_MOBILE"),
            access("Restricted", accessId="A-3", carrier="CHINA_MOBILE"),
            complained(complainantPhone=PHONE, summary=SUMMARY),
            resolved(),
            interviewed(),
            punished(),
        )
        system.known(registered(uscc=C, province="31"), licensed(uscc=C, licenceNo="L-C"))
        draw(system, provinces=["31"])
        system.known(inspected(uscc=C, drawId="D-1"))
        yield system


@pytest.mark.parametrize("field", FIELDS)
def test_a_field_is_shown_to_its_roles_and_forbidden_to_the_others(life: System, field: str) -> None:
    allowed = {role for role in Role if ROWS[field].reach(role) is not Reach.NONE}
    for key, role in [*ROLES.items(), (None, Role.PUBLIC)]:
        answer = life.post(FIELDS[field], key=key)
        codes = [error["extensions"]["code"] for error in answer.json().get("errors", [])]
        assert codes == ([] if role in allowed else ["FORBIDDEN"]), (field, key, answer.text)
        assert role in allowed or A not in answer.text


def test_the_public_and_intake_see_what_is_public_and_nothing_else(life: System) -> None:
    for key in (None, "intake"):
        for query in PUBLIC:
            assert life.codes(query, key=key) == []
        for query in FIELDS.values():
            assert life.codes(query, key=key) == ["FORBIDDEN"]


def test_each_sees_the_receipts_of_the_events_that_it_sees_elsewhere(database: str) -> None:
    with started(database) as system:
        system.known(
            registered(legalRepresentative=PERSON),
            licensed(),
            filed(carriers=["CHINA_TELECOM"]),
            accessed(),
            accessed(accessId="A-3", carrier="CHINA_MOBILE"),
            listed("2026-05-01", entryId="E-1"),
            listed("2026-05-01", entryId="E-2"),
            unlisted("2026-05-02", entryId="E-2"),
            punished("2026-05-01", kinds=["CLOSURE"]),
            penalty("Publicised", "2026-05-02"),
            punished("2026-05-01", documentNo="2020-2"),
        )
        decide(system, cooperation(), key="telecom")
        system.settle()
        seen = {key: _receipts(system, key) for key in (None, "intake", "telecom", "auditor", "miit")}
        head = system.head
    first = seen["miit"][0][0]
    everything = [position for position, _ in seen["miit"]]
    assert everything == list(range(first, head + 1))
    assert seen["auditor"] == seen["miit"]
    public = {"ListEntryMade", "PenaltyImposed"}
    assert [type_ for _, type_ in seen[None]] == ["ListEntryMade", "PenaltyImposed"]
    assert seen["intake"] == seen[None]
    own = [each for each in seen["telecom"] if each[1] not in public]
    assert [type_ for _, type_ in own] == ["NumberFiled", "AccessGranted", "GateDecided"]
    assert [each for each in seen["telecom"] if each[1] in public] == seen[None]


def test_a_receipt_that_may_not_be_seen_is_forbidden_as_one_that_is_not_there(life: System) -> None:
    for position in (1, life.head + 1, 0):
        assert life.codes(f"{{ ledger {{ receipt(position: {position}) {{ position }} }} }}", key=None) == ["FORBIDDEN"]


def _receipts(system: System, key: str | None) -> list[tuple[int, str]]:
    """Position and type of every entry whose receipt this key gets."""
    found = []
    for position in range(1, system.head + 1):
        answer = system.post(f"{{ ledger {{ receipt(position: {position}) {{ entry }} }} }}", key=key).json()
        if given := answer["data"]["ledger"]["receipt"]:
            found.append((position, opened(b64decode(given["entry"])).type))
    return found


def test_what_is_forbidden_is_said_in_both_languages(life: System) -> None:
    query = FIELDS["Ledger.events"]
    assert life.errors(query, key=None) == [("FORBIDDEN", "This key may not see Ledger.events; use a key that may")]
    assert life.errors(query, key=None, language="zh") == [
        ("FORBIDDEN", "当前密钥无权查看 Ledger.events；请使用有权限的密钥")
    ]


def test_a_carrier_sees_its_own_accesses_and_the_filings_that_name_it(life: System) -> None:
    query = f"{{ {ENTERPRISE} {{ name credit {{ status }} numbers {{ number }} accesses {{ accessId }} }} }}"

    def seen(key: str) -> Any:
        return life.ask(query, key=key)["enterprise"]

    assert seen("telecom")["numbers"] == [{"number": "95012"}]
    assert seen("telecom")["accesses"] == [{"accessId": "A-1"}]
    assert seen("mobile")["numbers"] == [{"number": "96345"}]
    assert seen("mobile")["accesses"] == [{"accessId": "A-2"}, {"accessId": "A-3"}]
    assert len(seen("auditor")["accesses"]) == 3
    assert seen("telecom")["credit"]["status"] == "WATCH"


def test_a_carrier_may_ask_only_its_own_gates(life: System) -> None:
    query = """query ($request: GateRequest!) { previewGate(request: $request) { outcome } }"""
    own, other = ({"cooperation": {"uscc": A, "carrier": carrier}} for carrier in ("CHINA_TELECOM", "CHINA_MOBILE"))
    licence = {
        "uscc": A, "form": "CALL_CENTRE", "route": "STANDARD", "marketingOutbound": False, "undertakingFiled": True,
    }  # fmt: skip
    assert life.codes(query, {"request": own}, key="telecom") == []
    assert life.codes(query, {"request": other}, key="telecom") == ["FORBIDDEN"]
    assert life.codes(query, {"request": {"licence": licence}}, key="telecom") == ["FORBIDDEN"]
    assert life.codes(query, {"request": {"licence": licence}}, key="auditor") == []


PERSONAL: Final = """{ ENTERPRISE { history(first: 100) { edges { node { data
    ... on EnterpriseRegistered { legalRepresentative } ... on ComplaintReceived { complainantPhone summary } } } } }
    ledger { events(first: 100) { data
    ... on EnterpriseRegistered { legalRepresentative } ... on ComplaintReceived { complainantPhone summary } } } }
""".replace("ENTERPRISE", ENTERPRISE)


@pytest.mark.parametrize("key", ["miit", "beijing", "auditor"])
def test_personal_fields_are_masked(life: System, key: str) -> None:
    text = life.post(PERSONAL, key=key).text
    assert text.count('"***"') == 12
    for secret in (PHONE, SUMMARY, PERSON):
        assert secret not in text


def test_personal_fields_are_shown_to_who_may_read_them(life: System) -> None:
    text = life.post(PERSONAL, key="officer").text
    assert "***" not in text
    for secret in (PHONE, SUMMARY, PERSON):
        assert text.count(f'"{secret}"') == 4


def test_a_personal_field_that_was_not_given_is_null_and_not_masked(life: System) -> None:
    query = f'{{ enterprise(uscc: "{B}") {{ history {{ edges {{ node {{ data ... on EnterpriseRegistered {{ legalRepresentative }} }} }} }} }} }}'
    (edge,) = life.ask(query)["enterprise"]["history"]["edges"]
    assert edge["node"]["legalRepresentative"] is None
    assert "legalRepresentative" not in edge["node"]["data"]


def test_personal_fields_are_masked_when_a_request_is_replayed(system: System) -> None:
    fact = registered(legalRepresentative=PERSON)
    assert system.send(fact, once="once")["events"][0]["data"]["legalRepresentative"] == "***"
    again = system.send(fact, once="once")
    assert (again["replayed"], again["events"][0]["data"]["legalRepresentative"]) == (True, "***")


def test_every_role_has_a_key_here() -> None:
    assert {held["role"] for held in HOLDERS.values()} == {role.value for role in Role} - {"public"}
