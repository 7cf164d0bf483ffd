"""The read log through the API: what is noted, as what, and who may look at it."""

import json
from collections.abc import Iterator
from typing import Any, Final

import pytest

from api.noted import MOST_READS
from given import A, B, complained, registered, renamed
from ledger.read_log import ReadLog, ReadLogFull
from running import System, code, started
from subscribing import socket, streaming

READS: Final = """query ($uscc: USCC, $from: Date, $to: Date, $first: Int, $after: String) {
  reads(uscc: $uscc, from: $from, to: $to, first: $first, after: $after) { totalCount pageInfo { hasNextPage endCursor }
    edges { cursor node { readAt role reader field operation uscc everyEnterprise } } } }"""
PERSON: Final = "司马光明"
Noted = tuple[str, str | None]


@pytest.fixture(scope="module")
def life(database: str) -> Iterator[System]:
    with started(database) as system:
        system.known(
            registered(legalRepresentative=PERSON),
            registered(uscc=B),
            renamed(name="新名"),
            complained(complainantPhone="13800001111", displayedNumber="none"),
        )
        yield system


@pytest.fixture
def first(life: System) -> int:
    """The position of the first event."""
    return life.head - 3


def reads(system: System, **asked: Any) -> list[Any]:
    return [edge["node"] for edge in system.ask(READS, asked, key="auditor")["reads"]["edges"]]


def fresh(system: System) -> str:
    """The name of a key of its own, so that what it reads is known by it."""
    name = f"reader-{len(system.secrets)}"
    system.secrets[name], info = system.keys.create("regulator", authority="MIIT", scopes=["personal:read"])
    system.callers[name] = info.caller
    return name


OF_A: Final = f'{{ enterprise(uscc: "{A}") {{ SEL }} }}'
NOTED: Final[dict[str, tuple[str, set[Noted]]]] = {
    "history": (OF_A.replace("SEL", "history { totalCount }"), {("Enterprise.history", A)}),
    "enforcement": (OF_A.replace("SEL", "enforcementHistory { totalCount }"), {("Enterprise.enforcementHistory", A)}),
    "events of one": (f'{{ ledger {{ events(uscc: "{A}") {{ position }} }} }}', {("Ledger.events", A)}),
    "events of all": ("{ ledger { events(first: 100) { position } } }", {("Ledger.events", A), ("Ledger.events", B)}),
    "event": ("{ ledger { event(position: FIRST) { position } } }", {("Ledger.event", A)}),
    "receipt": ("{ ledger { receipt(position: FIRST) { entry } } }", {("Receipt.entry", A)}),
    "data": (
        "{ ledger { event(position: FIRST) { data } } }",
        {("Ledger.event", A), ("EnterpriseRegistered.legalRepresentative", A)},
    ),
    "personal field": (
        "{ ledger { event(position: FIRST) { ... on EnterpriseRegistered { legalRepresentative } } } }",
        {("Ledger.event", A), ("EnterpriseRegistered.legalRepresentative", A)},
    ),
    "personal field of nobody's complaint": (
        "{ ledger { event(position: LAST) { ... on ComplaintReceived { complainantPhone summary } } } }",
        {("ComplaintReceived.complainantPhone", None)},
    ),
    "name and credit": (OF_A.replace("SEL", "name credit { status } licences { licenceNo }"), set()),
    "a search": ("{ enterprises { totalCount } }", set()),
    "an enterprise without history": ("{ ledger { event(position: 1) { position } } }", set()),
}


@pytest.mark.parametrize("what", NOTED)
def test_histories_events_and_personal_fields_are_noted_and_nothing_else(life: System, first: int, what: str) -> None:
    query, expected = NOTED[what]
    query = query.replace("FIRST", str(first)).replace("LAST", str(life.head))
    key = fresh(life)
    life.ask(query, key=key)
    own = [each for each in reads(life, first=100) if each["reader"] == life.callers[key].signature]
    assert {(each["field"], each["uscc"]) for each in own} == expected
    assert len(own) == len(expected)


def test_a_read_says_who_when_what_and_by_which_operation(life: System) -> None:
    key = fresh(life)
    life.ask(f"query Look {OF_A.replace('SEL', 'history { totalCount } h: history { totalCount }')}", key=key)
    (own,) = [each for each in reads(life, uscc=A, first=100) if each["reader"] == life.callers[key].signature]
    assert own == {
        "readAt": life.clock.now.isoformat(timespec="microseconds").replace("+00:00", "Z"),
        "role": "regulator",
        "reader": f"regulator:MIIT:{life.callers[key].holder}",
        "field": "Enterprise.history",
        "operation": "Look",
        "uscc": A,
        "everyEnterprise": False,
    }


def test_of_a_long_name_of_an_operation_the_beginning_is_kept(life: System) -> None:
    key = fresh(life)
    life.ask(f"query {'L' * 3_000} {OF_A.replace('SEL', 'history { totalCount }')}", key=key)
    (own,) = [each for each in reads(life, uscc=A, first=100) if each["reader"] == life.callers[key].signature]
    assert own["operation"] == "L" * 100


def test_a_masked_field_and_what_is_refused_are_not_noted(life: System, first: int) -> None:
    def personal() -> list[Any]:
        return [each for each in reads(life, first=100) if each["field"].startswith("EnterpriseRegistered")]

    before = len(personal())
    life.ask(f"{{ ledger {{ event(position: {first}) {{ data }} }} }}", key="miit")
    assert len(personal()) == before
    for key in ("telecom", "intake", None):
        life.post(OF_A.replace("SEL", "history { totalCount }"), key=key)
    assert all(each["role"] not in ("carrier", "intake", "public") for each in reads(life, first=100))


def test_a_subscription_is_noted_when_it_begins_and_its_personal_fields_when_they_are_shown(life: System) -> None:
    one, every = fresh(life), fresh(life)
    query = f'subscription Follow {{ events(uscc: "{A}") {{ data }} }}'
    with streaming(life.url, query, headers=life.bearer(one)) as stream:
        assert PERSON in next(stream.events())["data"]
    with socket(life.url, life.bearer(every)["authorization"]) as opened:
        opened.subscribe("subscription { events { position } }")
        opened.results(3)
    found = reads(life, uscc=A, first=100)
    own = [each for each in found if each["reader"] == life.callers[one].signature]
    assert {(each["field"], each["operation"], each["everyEnterprise"]) for each in own} == {
        ("Subscription.events", "Follow", False),
        ("EnterpriseRegistered.legalRepresentative", "Follow", False),
    }
    (own,) = [each for each in found if each["reader"] == life.callers[every].signature]
    assert (own["field"], own["uscc"], own["everyEnterprise"]) == ("Subscription.events", None, True)
    assert own in reads(life, uscc=code(50), first=100)


def test_entries_by_tile_are_noted(life: System) -> None:
    key = fresh(life)
    width = life.head
    answer = life.http.get(f"/tlog/tile/entries/000.p/{width}", headers=life.bearer(key))
    assert answer.status_code == 200
    own = [each for each in reads(life, first=100) if each["reader"] == life.callers[key].signature]
    assert {(each["field"], each["uscc"]) for each in own} == {("/tlog/tile/entries", A), ("/tlog/tile/entries", B)}


def test_the_log_is_for_auditors(life: System) -> None:
    for key in ("miit", "officer", "telecom", "intake", None):
        assert life.codes(READS, key=key) == ["FORBIDDEN"]


def test_the_log_is_paged_and_filtered(life: System) -> None:
    key = fresh(life)
    for _ in range(3):
        life.ask(OF_A.replace("SEL", "history { totalCount }"), key=key)
    everything = life.ask(READS, {"first": 100}, key="auditor")["reads"]
    pages, after = [], None
    while True:
        page = life.ask(READS, {"first": 2, "after": after}, key="auditor")["reads"]
        pages += page["edges"]
        if not page["pageInfo"]["hasNextPage"]:
            break
        after = page["pageInfo"]["endCursor"]
    assert pages == everything["edges"]
    assert len(pages) == everything["totalCount"]
    today = life.ledger.today
    assert reads(life, **{"from": str(today), "to": str(today), "first": 100})
    assert reads(life, to="2026-01-01") == []
    assert reads(life, uscc=code(51)) == [each for each in reads(life, first=100) if each["everyEnterprise"]]


@pytest.mark.parametrize(
    "asked",
    [
        {"uscc": "x"},
        {"from": "2026-02-01", "to": "2026-01-01"},
        {"first": MOST_READS + 1},
        {"first": 0},
        {"after": "x"},
        {"after": "MjAyNi0wNi0wMQp4"},
        {"after": "MjAyNi0wNi0wMQowMDAwMDAwMC0wMDAwLTAwMDAtMDAwMC0wMDAwMDAwMDAwMDA"},
    ],
)
def test_arguments_that_are_none_are_invalid(life: System, asked: dict[str, Any]) -> None:
    assert life.codes(READS, asked, key="auditor") == ["INVALID"]


def test_a_read_that_cannot_be_noted_is_not_answered_and_others_are(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    system.known(registered(legalRepresentative=PERSON))

    def full(*_: object) -> None:
        raise ReadLogFull

    monkeypatch.setattr(ReadLog, "note", full)
    query = OF_A.replace("SEL", "history { edges { node { data } } }")
    answer = system.post(query, key="officer")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert [error["extensions"]["code"] for error in answer.json()["errors"]] == ["UNAVAILABLE"]
    assert PERSON not in answer.text and A not in answer.text
    assert system.ask(OF_A.replace("SEL", "name"), key="officer")
    assert system.http.get("/tlog/tile/entries/000.p/2", headers=system.bearer("auditor")).status_code == 503
    with streaming(system.url, "subscription { events { data } }", headers=system.bearer("officer")) as stream:
        (error,) = json.loads(next(stream.events())["data"])["errors"]
    assert error["extensions"]["code"] == "UNAVAILABLE"
