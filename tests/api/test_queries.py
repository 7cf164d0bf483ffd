"""Query: node, enterprise, enterprises, ledger — what is found, what is null, what is refused."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from given import (
    A,
    B,
    C,
    Stated,
    access,
    accessed,
    amended,
    complained,
    ended,
    exposed,
    filed,
    inspected,
    interviewed,
    licensed,
    listed,
    ordered,
    punished,
    registered,
    renamed,
    renewed,
    resolved,
    self_reported,
    site_inspected,
    voided,
    withdrawn,
)
from ledger.merkle import leaf_hash
from running import ADOPTED, System, code, started

LISTED = "{ totalCount edges { node { uscc } } }"
REGISTER = """
{ id uscc name province
  licences { licenceNo validFrom validTo inForce then: inForce(asOf: "2018-06-01") endedBy route authority position }
  numbers { number carriers use directions filedOn withdrawnOn position }
  accesses { accessId carrier number directions state grantedOn position } }
"""


def enterprise(system: System, fields: str, uscc: str = A, **how: Any) -> Any:
    return system.ask(f'{{ enterprise(uscc: "{uscc}") {{ {fields} }} }}', **how)["enterprise"]


def history(system: System, arguments: str = "", uscc: str = A, named: str = "history") -> list[tuple[int, str]]:
    found = enterprise(system, f"{named}{arguments} {{ edges {{ node {{ position effectiveOn }} }} }}", uscc)[named]
    return [(edge["node"]["position"] - ADOPTED, edge["node"]["effectiveOn"]) for edge in found["edges"]]


# One enterprise


LICENCES = [
    {
        "licenceNo": "L-1",
        "validFrom": "2018-01-01",
        "validTo": "2030-12-31",
        "inForce": True,
        "then": True,
        "endedBy": None,
        "route": "STANDARD",
        "authority": "CA-11",
        "position": ADOPTED + 3,
    },
    {
        "licenceNo": "L-2",
        "validFrom": "2019-06-01",
        "validTo": "2024-05-31",
        "inForce": False,
        "then": False,
        "endedBy": "LicenceRevoked",
        "route": "COMMITMENT",
        "authority": "CA-11",
        "position": ADOPTED + 4,
    },
]
FILINGS = [
    {
        "number": "95012",
        "carriers": ["CHINA_UNICOM"],
        "use": "热线",
        "directions": "INBOUND",
        "filedOn": "2018-02-01",
        "withdrawnOn": None,
        "position": ADOPTED + 8,
    },
    {
        "number": "96345",
        "carriers": ["CHINA_TELECOM", "CHINA_MOBILE"],
        "use": "客服",
        "directions": "INBOUND",
        "filedOn": "2018-02-01",
        "withdrawnOn": "2020-01-01",
        "position": ADOPTED + 10,
    },
]
ACCESSES = [
    {
        "accessId": "A-1",
        "carrier": "CHINA_UNICOM",
        "number": "95012",
        "directions": "INBOUND",
        "state": "RESTRICTED",
        "grantedOn": "2018-03-01",
        "position": ADOPTED + 12,
    }
]


def test_an_enterprise_shows_its_register(system: System) -> None:
    system.record(
        registered(province="31"),
        renamed("2019-01-01"),
        licensed(),
        licensed("2019-06-01", licenceNo="L-2", validFrom="2019-06-01", validTo="2024-05-31", route="COMMITMENT"),
        renewed("2026-05-01"),
        ended("Cancelled", "2020-01-01", licenceNo="L-2"),
        ended("Revoked", "2019-12-31", licenceNo="L-2"),
        filed(),
        amended("2019-01-01", carriers=["CHINA_UNICOM"], use="热线"),
        filed(number="96345"),
        withdrawn("2020-01-01", number="96345"),
        accessed(carrier="CHINA_UNICOM"),
        access("Restricted", "2026-05-31", carrier="CHINA_UNICOM"),
    )
    shown = system.ask(f'{{ enterprise(uscc: "{A}") {REGISTER} }}')["enterprise"]
    assert (shown["id"], shown["uscc"]) == (f"enterprise-{A}", A)
    assert (shown["name"], shown["province"]) == ("乙呼叫中心", "31")
    assert shown["licences"] == LICENCES
    assert shown["numbers"] == FILINGS
    assert shown["accesses"] == ACCESSES


def test_an_enterprise_without_a_visible_registration_is_null(system: System) -> None:
    tomorrow = str(system.ledger.today + timedelta(days=1))
    (first, _) = system.known(registered(), registered(tomorrow, uscc=B))
    for uscc in (B, C):
        assert enterprise(system, "name", uscc) is None
        assert system.ask(f'{{ node(id: "enterprise-{uscc}") {{ id }} }}') == {"node": None}
    system.clock.now += timedelta(days=1)
    assert enterprise(system, "name", B) == {"name": "甲呼叫中心"}
    system.record(voided(first.position))
    assert enterprise(system, "name", A) is None
    assert system.ask(f"{{ enterprises {LISTED} }}")["enterprises"]["edges"] == [{"node": {"uscc": B}}]


def test_an_enterprise_is_found_whatever_the_case_and_blanks_of_its_code(system: System) -> None:
    system.record(registered())
    assert enterprise(system, "uscc", "9111 0000-100012345l") == {"uscc": A}


def test_a_name_of_the_future_is_not_the_name_of_today(system: System) -> None:
    tomorrow = system.ledger.today + timedelta(days=1)
    system.record(registered(), renamed(str(tomorrow)))
    assert enterprise(system, "name") == {"name": "甲呼叫中心"}
    system.clock.now += timedelta(days=1)
    assert enterprise(system, "name") == {"name": "乙呼叫中心"}


def test_a_node_is_found_by_its_id(system: System) -> None:
    system.record(registered())
    found = enterprise(system, "id")["id"]
    query = f'{{ node(id: "{found}") {{ id __typename ... on Enterprise {{ name }} }} }}'
    assert system.ask(query)["node"] == {"id": found, "__typename": "Enterprise", "name": "甲呼叫中心"}


@pytest.mark.parametrize("unknown", ["", "nothing-1", "decision-1", "decision-\\u0000", "Enterprise-" + A])
def test_an_unknown_node_is_null(shared: System, unknown: str) -> None:
    assert shared.ask(f'{{ node(id: "{unknown}") {{ id }} }}') == {"node": None}


def test_what_was_just_recorded_is_shown_at_once(system: System) -> None:
    system.record(registered())
    for number in range(20):
        position = system.send(renamed(name=f"名{number}"))["head"]
        shown = enterprise(system, "name history(first: 1) { edges { node { position } } }")
        assert shown == {"name": f"名{number}", "history": {"edges": [{"node": {"position": position}}]}}


# History


def test_a_history_is_newest_first_by_date_then_position(system: System) -> None:
    system.known(
        registered("2017-01-01"),
        interviewed("2020-01-01"),
        renamed("2018-01-01"),
        exposed("2020-01-01"),
        self_reported("2026-12-31"),
    )
    assert history(system) == [
        (5, "2026-12-31"),
        (4, "2020-01-01"),
        (2, "2020-01-01"),
        (3, "2018-01-01"),
        (1, "2017-01-01"),
    ]


def test_a_history_bears_what_happened_to_the_enterprise_whoever_is_named(system: System) -> None:
    system.known(registered(), registered(uscc=B), filed(), complained("2020-01-03"), resolved("2020-02-01"))
    system.known(filed(uscc=B, number="96345"), complained("2020-01-04", complaintId="C-2", uscc=B), voided(10))
    assert [position for position, _ in history(system)] == [5, 4, 3, 1]
    assert {position for position, _ in history(system, uscc=B)} == {2, 6, 7, 8}


def test_voided_events_stay_in_a_history_and_say_what_voided_them(system: System) -> None:
    recorded = system.known(registered(), interviewed("2020-01-01"), voided(ADOPTED + 2, "2021-01-01"))
    shown = enterprise(system, "history { totalCount edges { node { position type voidedBy } } }")["history"]
    void, interview, registration = (recorded[place].position for place in (2, 1, 0))
    assert shown["totalCount"] == 3
    assert [edge["node"] for edge in shown["edges"]] == [
        {"position": void, "type": "EventVoided", "voidedBy": None},
        {"position": interview, "type": "InterviewHeld", "voidedBy": void},
        {"position": registration, "type": "EnterpriseRegistered", "voidedBy": None},
    ]


def test_a_history_is_narrowed_by_areas_and_dates(system: System) -> None:
    system.known(registered("2017-01-01"), filed("2018-01-01"), interviewed("2019-01-01"), exposed("2020-01-01"))
    assert [position for position, _ in history(system, "(areas: [NUMBER, EXPOSURE])")] == [4, 2]
    assert [position for position, _ in history(system, "(areas: [])")] == []
    assert [position for position, _ in history(system, '(from: "2018-01-01", to: "2019-01-01")')] == [3, 2]
    assert [position for position, _ in history(system, '(from: "2019-01-02")')] == [4]
    assert [position for position, _ in history(system, '(areas: [REGISTER], to: "2016-12-31")')] == []


def test_the_enforcement_history_has_what_enforces_and_nothing_else(system: System) -> None:
    enforcing = (
        inspected("2020-01-01"),
        interviewed("2020-01-02"),
        ordered("2020-01-03"),
        Stated("rectificationConfirmed", {"uscc": A, "orderId": "O-1", "effectiveOn": "2020-01-04"}),
        exposed("2020-01-05"),
        punished("2020-01-06"),
        listed("2020-01-07"),
    )
    others = (registered(), site_inspected("2020-01-02"), self_reported("2020-01-03"), licensed(), filed(), accessed())
    system.known(*others, *enforcing)
    shown = history(system, named="enforcementHistory")
    assert [position for position, _ in shown] == list(range(13, 6, -1))
    narrowed = history(system, '(from: "2020-01-02", to: "2020-01-03")', named="enforcementHistory")
    assert [position for position, _ in narrowed] == [9, 8]


def test_complaints_are_counted_by_the_day_they_were_received(system: System) -> None:
    system.known(
        registered(),
        filed(),
        complained("2020-01-03"),
        complained("2020-01-03", complaintId="C-2"),
        complained("2020-01-05", complaintId="C-3"),
        complained("2026-12-31", complaintId="C-4"),
        resolved("2020-01-10"),
    )
    counts = 'complaintCounts(from: "2020-01-01", to: "2027-01-01") { date received substantiated }'
    assert enterprise(system, counts)["complaintCounts"] == [
        {"date": "2020-01-03", "received": 2, "substantiated": 1},
        {"date": "2020-01-05", "received": 1, "substantiated": 0},
    ]


# Search

NAMES = {
    1: "北京云呼科技有限公司",
    2: "上海云呼信息服务有限公司",
    3: "Acme Call 中心 (Beijing)",
    4: "100% 通信_服务",
    5: 'O\'Reilly "话务" \\ 公司',
    6: "acme telecom",
    8: "ＡＢＣ通信 Électricité ΩМ",
}


@pytest.fixture(scope="module")
def registry(database: str) -> Iterator[System]:
    """Seven enterprises, found by their last digits; the second has filed 95012 and is watched, the third 950123."""
    with started(database) as system:
        system.known(
            *(registered(uscc=code(n), name=name, province="31" if n == 2 else "11") for n, name in NAMES.items()),
            filed(uscc=code(2)),
            filed(uscc=code(3), number="950123"),
            filed(uscc=code(4), number="96345"),
            withdrawn("2020-01-01", uscc=code(4), number="96345"),
            interviewed("2026-05-01", uscc=code(2)),
            renamed("2026-06-02", uscc=code(6), name="明日新名"),
            registered("2026-06-02", uscc=code(7), name="北京未来公司"),
        )
        yield system


def found(system: System, **asked: Any) -> list[int]:
    """The enterprises that a search finds, by the last digits of their codes."""
    query = f"""query ($search: String, $status: CreditStatus, $province: String) {{
        enterprises(search: $search, status: $status, province: $province, first: 100) {LISTED} }}"""
    page = system.ask(query, asked, key=asked.pop("key", "miit"))["enterprises"]
    assert page["totalCount"] == len(page["edges"])
    return [int(edge["node"]["uscc"][8:17]) for edge in page["edges"]]


@pytest.mark.parametrize(
    ("search", "expected"),
    [
        ("云呼", [1, 2]),
        ("云", [1, 2]),
        ("公司", [1, 2, 5]),
        ("云呼信息", [2]),
        ("云信息", []),
        ("呼云", []),
        ("acme", [3, 6]),
        ("ACME", [3, 6]),
        ("e c", [3]),
        ("  acme call  ", [3]),
        ("acmecall", []),
        ("ＡＢＣ", [8]),
        ("ａｂｃ", [8]),
        ("électricité", [8]),
        ("ÉLECTRICITÉ", [8]),
        ("ωм", [8]),
        ("(beijing)", [3]),
        ("%", [4]),
        ("0%", [4]),
        ("_", [4]),
        ("\\", [5]),
        ("'", [5]),
        ('"话务"', [5]),
        ("o'r", [5]),
        (";", []),
        ("明日", []),
        ("未来", []),
        ("有", [1, 2]),
        ("", [1, 2, 3, 4, 5, 6, 8]),
        ("   ", [1, 2, 3, 4, 5, 6, 8]),
        (None, [1, 2, 3, 4, 5, 6, 8]),
        (code(3), [3]),
        (code(3).lower(), [3]),
        (code(3)[3:12], [1, 2, 3, 4, 5, 6, 8]),
        (code(5)[10:], [5]),
        ("9111 0000 0000-0000 1", []),
        ("91110000 000000001", [1]),
        ("95012", [2, 3]),
        ("950123", [3]),
        ("9501", [2, 3]),
        ("5012", []),
        ("96345", []),
        ("9", [1, 2, 3, 4, 5, 6, 8]),
        ("😀", []),
        ("x" * 200, []),
    ],
)
def test_a_search_finds_codes_names_and_numbers(registry: System, search: str | None, expected: list[int]) -> None:
    assert found(registry, search=search) == expected


def test_a_search_is_narrowed_by_status_and_province(registry: System) -> None:
    assert found(registry, status="WATCH") == [2]
    assert found(registry, status="GOOD") == [1, 3, 4, 5, 6, 8]
    assert found(registry, status="DISHONEST") == []
    assert found(registry, status="UNKNOWN") == []
    assert found(registry, province="31") == [2]
    assert found(registry, province="11", search="云呼") == [1]
    assert found(registry, province="44") == []
    assert found(registry, status="GOOD", province="11", search="acme") == [3, 6]


def test_a_search_looks_at_today(registry: System) -> None:
    today = registry.clock.now
    try:
        registry.clock.now += timedelta(days=1)
        assert found(registry, search="明日") == [6]
        assert found(registry, search="acme") == [3]
        assert found(registry, search="未来") == [7]
        registry.clock.now += timedelta(days=400)
        assert found(registry, status="WATCH") == []
    finally:
        registry.clock.now = today


def test_a_carrier_finds_nobody_by_a_number(registry: System) -> None:
    assert found(registry, search="95012", key="telecom") == []
    assert found(registry, search="云呼", key="telecom") == [1, 2]


def test_the_order_is_that_of_the_codes(registry: System) -> None:
    edges = registry.ask(f"{{ enterprises {LISTED} }}")["enterprises"]["edges"]
    assert [edge["node"]["uscc"] for edge in edges] == sorted(code(n) for n in NAMES)


@pytest.mark.parametrize("search", ["\u0000", "a\u0000b", "\u200b"])
def test_a_search_for_characters_that_no_name_has_finds_nobody_or_says_why(registry: System, search: str) -> None:
    answer = registry.post("query ($s: String) { enterprises(search: $s) { totalCount } }", {"s": search}).json()
    said = [error["extensions"]["code"] for error in answer.get("errors", [])]
    assert said == ["INVALID"] or answer["data"]["enterprises"]["totalCount"] == 0


# The ledger


@pytest.fixture(scope="module")
def log(database: str) -> Iterator[System]:
    """A short log: two enterprises, a penalty that is voided, a complaint, a licence."""
    with started(database) as system:
        system.known(registered(), registered(uscc=B), filed(), punished(), complained())
        system.known(voided(ADOPTED + 4), renamed(), licensed())
        yield system


def positions(system: System, arguments: str = "") -> list[int]:
    events = system.ask(f"{{ ledger {{ events{arguments} {{ position }} }} }}")["ledger"]["events"]
    return [event["position"] - ADOPTED for event in events]


def test_the_ledger_gives_its_events_in_order(log: System) -> None:
    assert positions(log) == list(range(1 - ADOPTED, 9))
    assert positions(log, f"(after: {ADOPTED + 2}, first: 3)") == [3, 4, 5]
    assert positions(log, f"(after: {ADOPTED + 8})") == []
    assert positions(log, "(after: 9007199254740991)") == []


def test_events_are_narrowed_by_type_and_enterprise(log: System) -> None:
    assert positions(log, '(types: ["EnterpriseRegistered", "EventVoided"])') == [1, 2, 6]
    assert positions(log, '(types: ["EnterpriseRegistered"], first: 1)') == [1]
    assert positions(log, f'(types: ["EnterpriseRegistered"], after: {ADOPTED + 1})') == [2]
    assert positions(log, "(types: [])") == []
    assert positions(log, f'(uscc: "{A}")') == [1, 3, 4, 5, 6, 7, 8]
    assert positions(log, f'(uscc: "{A}", types: ["PenaltyImposed", "EventVoided"])') == [4, 6]
    assert positions(log, f'(uscc: "{A}", after: {ADOPTED + 3}, first: 2)') == [4, 5]
    assert positions(log, f'(uscc: "{C}")') == []


def test_a_type_that_is_named_twice_gives_each_event_once(log: System) -> None:
    assert positions(log, '(types: ["EnterpriseRegistered", "EnterpriseRegistered"])') == [1, 2]


def test_one_event_is_found_by_its_position(log: System) -> None:
    query = "query ($at: Position!) { ledger { event(position: $at) { position type voidedBy leafHash } } }"
    entry = next(iter(log.recorder.read(after=ADOPTED + 3, limit=1))).event.data
    assert log.ask(query, {"at": ADOPTED + 4})["ledger"]["event"] == {
        "position": ADOPTED + 4,
        "type": "PenaltyImposed",
        "voidedBy": ADOPTED + 6,
        "leafHash": leaf_hash(entry).hex(),
    }
    assert log.ask(query, {"at": log.head + 1})["ledger"]["event"] is None
    assert log.ask(query, {"at": 0})["ledger"]["event"] is None


def test_the_head_is_the_last_position(log: System) -> None:
    assert log.ask("{ ledger { head } }", key=None)["ledger"]["head"] == ADOPTED + 8 == log.head


# Malformed arguments

INVALID = [
    'enterprise(uscc: "91110000100012345X") { name }',
    "enterprise(uscc: 91110000) { name }",
    'enterprise(uscc: "") { name }',
    'node(id: "enterprise-1") { id }',
    'enterprises(province: "71") { totalCount }',
    'enterprises(search: "' + "x" * 201 + '") { totalCount }',
    "enterprises(first: 0) { totalCount }",
    "enterprises(first: 101) { totalCount }",
    "enterprises(first: -1) { totalCount }",
    "ledger { events(after: -1) { position } }",
    'ledger { events(after: "1") { position } }',
    "ledger { events(after: 1.5) { position } }",
    "ledger { events(after: 9007199254740992) { position } }",
    "ledger { events(after: true) { position } }",
    "ledger { events(first: 1001) { position } }",
    "ledger { events(first: 0) { position } }",
    'ledger { events(types: ["Nothing"]) { position } }',
    'ledger { events(uscc: "1") { position } }',
    "ledger { event(position: -1) { position } }",
    *(
        f'enterprise(uscc: "{A}") {{ {asked} }}'
        for asked in (
            'credit(asOf: "2020-13-01") { status }',
            'credit(asOf: "1948-12-31") { status }',
            'credit(asOf: "2036-06-02") { status }',
            "credit(asOf: 20200101) { status }",
            "credit(knownAt: -1) { status }",
            'history(from: "yesterday") { totalCount }',
            'history(from: "2020-01-02", to: "2020-01-01") { totalCount }',
            "history(first: 101) { totalCount }",
            "history(first: 0) { totalCount }",
            'complaintCounts(from: "2020-01-01", to: "2020-1-2") { date }',
            'complaintCounts(from: "2020-01-02", to: "2020-01-01") { date }',
            'licences { inForce(asOf: "soon") }',
        )
    ),
]


@pytest.mark.parametrize("asked", INVALID, ids=[asked[:50] for asked in INVALID])
def test_a_malformed_argument_is_an_error_invalid(log: System, asked: str) -> None:
    ((said, message),) = log.errors(f"{{ {asked} }}")
    assert said == "INVALID"
    assert len(message) < 1_500


def test_a_refused_argument_is_named_with_what_is_legal_in_both_languages(shared: System) -> None:
    answer = shared.post("{ enterprises(first: 101) { totalCount } }").json()["errors"][0]
    assert (answer["message"], answer["path"]) == ("first: this is 1 to 100; got 101", ["enterprises"])
    assert answer["extensions"] == {"code": "INVALID", "argument": "first"}
    (chinese,) = shared.errors("{ enterprises(first: 101) { totalCount } }", language="zh")
    assert chinese == ("INVALID", "first：应为 1 至 100，收到 101")


@pytest.mark.parametrize(
    "query",
    [
        "{ enterprises { colour } }",
        "{ enterprises(status: SPLENDID) { totalCount } }",
        "{ enterprises(colour: 1) { totalCount } }",
        "{ enterprise { name } }",
        "{ history }",
        "{ enterprises(first: 3000000000) { totalCount } }",
        "query ($s: Strin) { enterprises(search: $s) { totalCount } }",
        "{ enterprises",
        "{ ledger { event(position: null) { position } } }",
    ],
)
def test_unknown_names_and_values_are_graphql_errors(shared: System, query: str) -> None:
    assert shared.codes(query) == ["BAD_DOCUMENT"]
