"""The random draw by the API: what is drawn, what is refused, who sees it when, and what followed (rulebook §9)."""

from datetime import timedelta
from hashlib import sha256
from typing import Any

import pytest

from drawing import INSPECTORS, draw, drawn_naively, licensees, refused
from given import TODAY, ended, inspected, interviewed, listed, ordered, registered, voided
from naive.tree import root_of
from running import System, at_once, code
from subscribing import EVENTS, streaming

DRAWS = "{ draws { totalCount edges { node { drawId } } pageInfo { hasNextPage } } }"
SEEN = '{ draw(drawId: "D-1") { drawId } }'
FOLLOW_UP = """
{ draw(drawId: "D-1") {
  followUp { drawn inspected notInspected withViolations open overdue met metLate }
  drawn { uscc inspections { inspectionId heldOn violations followUp followUpDueOn followedOn } }
} }
"""
NUMBERS = range(1, 9)


@pytest.fixture
def pool(system: System) -> System:
    """Eight licence holders, two of another province, one on each list; one that lost its licence, one without any."""
    system.record(*licensees(NUMBERS, {7: "31", 8: "31"}))
    system.record(*licensees([20]), ended("Revoked", uscc=code(20), licenceNo="L-20"), registered(uscc=code(21)))
    system.record(listed("2026-05-01", uscc=code(1), entryId="E-1", list="DISHONESTY"))
    system.record(listed("2026-05-01", uscc=code(2), entryId="E-2"), interviewed("2026-05-01", uscc=code(3)))
    return system


def statuses() -> dict[str, str]:
    given = {1: "DISHONEST", 2: "ADVERSE", 3: "WATCH"}
    return {code(number): given.get(number, "GOOD") for number in NUMBERS}


def leaves(system: System, size: int) -> list[bytes]:
    return [sha256(b"\x00" + each.event.data).digest() for each in system.recorder.read()][:size]


def test_a_draw_is_what_the_rulebook_says_of_the_root_and_the_pool(pool: System) -> None:
    head = pool.head
    made = draw(pool, count=5)
    assert made["errors"] == []
    found = made["draw"]
    assert found["knownAt"] == head == found["position"] - 1
    assert found["root"] == root_of(leaves(pool, head)).hex()
    assert (found["poolSize"], found["asOf"], found["id"]) == (8, str(TODAY), "draw-D-1")
    names = [each.pop("name") for each in found["drawn"]]
    assert found["drawn"] == drawn_naively(found["root"], "D-1", statuses(), 5, INSPECTORS, 2)
    assert names == [f"企业{1 + list(statuses()).index(each['uscc'])}" for each in found["drawn"]]
    event = pool.log()[-1]
    assert (event.type, event.effective_on, event.tags) == ("InspectionDrawn", TODAY, ("draw:D-1",))


def test_a_count_above_the_pool_draws_all_of_it(pool: System) -> None:
    assert {each["uscc"] for each in draw(pool, count=2_000_000_000)["draw"]["drawn"]} == set(statuses())


@pytest.mark.parametrize(
    ("narrowed", "numbers"),
    [
        ({"provinces": ["31"]}, {7, 8}),
        ({"statuses": ["ADVERSE", "WATCH"]}, {2, 3}),
        ({"provinces": ["11"], "statuses": ["GOOD"]}, {4, 5, 6}),
        ({"provinces": [], "statuses": []}, set(NUMBERS)),
        ({"authority": "CA-31"}, {7, 8}),
        ({"authority": "CA-11", "provinces": ["11"]}, {1, 2, 3, 4, 5, 6}),
    ],
)
def test_a_pool_is_narrowed_as_asked(pool: System, narrowed: dict[str, Any], numbers: set[int]) -> None:
    drawn = draw(pool, count=100, **narrowed)["draw"]["drawn"]
    assert {each["uscc"] for each in drawn} == {code(number) for number in numbers}


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"count": 0}, {"INVALID count"}),
        ({"count": -3}, {"INVALID count"}),
        ({"drawId": " "}, {"INVALID drawId"}),
        ({"authority": "CA-99"}, {"INVALID authority"}),
        ({"provinces": ["11", "99"]}, {"INVALID provinces.1"}),
        ({"inspectors": []}, {"INVALID inspectors"}),
        ({"inspectors": ["检查员甲"]}, {"INVALID inspectors"}),
        ({"inspectors": ["检查员甲", "检查员乙", " 检查员甲 "]}, {"INVALID inspectors.2"}),
        ({"inspectors": ["检查员甲", ""]}, {"INVALID inspectors.1"}),
        ({"perInspection": 0}, {"INVALID perInspection"}),
        ({"perInspection": 4}, {"INVALID inspectors"}),
        ({"idempotencyKey": ""}, {"INVALID idempotencyKey"}),
        ({"statuses": ["UNKNOWN"]}, {"INVALID"}),
        ({"provinces": ["44"]}, {"INVALID"}),
        ({"authority": "CA-11", "provinces": ["11", "31"]}, {"FORBIDDEN provinces.1"}),
        ({"count": 0, "drawId": "", "inspectors": ["检查员甲", "检查员甲"]}, {"INVALID count", "INVALID drawId"}),
    ],
)
def test_what_cannot_be_drawn_is_refused_with_its_path(pool: System, asked: dict[str, Any], said: set[str]) -> None:
    assert refused(pool, **asked) == said


def test_who_may_not_draw_is_forbidden(pool: System) -> None:
    for key in ("auditor", "telecom", "intake"):
        assert refused(pool, key=key) == {"FORBIDDEN"}
    assert refused(pool, key="beijing") == {"FORBIDDEN authority"}
    assert refused(pool, key="beijing", authority="CA-11", provinces=["31"]) == {"FORBIDDEN provinces.0"}
    assert draw(pool, key="beijing", authority="CA-11")["draw"]["poolSize"] == 6


def test_a_draw_id_is_used_once_whatever_was_drawn(pool: System) -> None:
    position = draw(pool)["draw"]["position"]
    errors = draw(pool, statuses=["UNKNOWN"])["errors"]
    assert [(error["code"], error["path"]) for error in errors] == [("ALREADY_EXISTS", "drawId")]
    assert f"position {position}" in errors[0]["message"]


def test_a_draw_that_is_sent_again_is_answered_as_the_first_time(pool: System) -> None:
    first = draw(pool, idempotencyKey="again")
    pool.record(listed("2026-05-01", uscc=code(4), entryId="E-4"))
    second = draw(pool, idempotencyKey="again")
    assert (first["replayed"], second["replayed"], second["draw"]) == (False, True, first["draw"])
    assert refused(pool, idempotencyKey="again", count=3) == {"IDEMPOTENCY_MISMATCH idempotencyKey"}


def test_of_draws_under_one_id_at_once_one_is_made(pool: System) -> None:
    made = at_once([lambda: draw(pool) for _ in range(6)])
    assert sorted(each["draw"] is not None for each in made) == [False] * 5 + [True]
    assert {error["code"] for each in made for error in each["errors"]} == {"ALREADY_EXISTS"}


def test_no_draw_is_made_on_a_pool_that_something_came_after(pool: System) -> None:
    def change(number: int) -> None:
        for n in range(4):
            pool.record(*licensees([100 + 10 * number + n]))

    work = [lambda n=number: change(n) for number in range(3)]
    work += [lambda n=number: draw(pool, drawId=f"D-{n}", count=1_000) for number in range(4)]
    made = [each["draw"] for each in at_once(work) if each]
    assert all(made)
    for found in made:
        known = [event for event in pool.log() if event.position < found["position"]]
        licensed = {event.uscc for event in known if event.type == "LicenceGranted"} - {code(20)}
        assert {each["uscc"] for each in found["drawn"]} == licensed
        assert found["root"] == root_of(leaves(pool, found["knownAt"])).hex()


def test_what_no_pool_rests_on_may_come_meanwhile(pool: System) -> None:
    pool.settle()
    pool.runner.stop()
    pool.record(inspected(uscc=code(4)))
    assert draw(pool)["draw"]["knownAt"] == pool.head - 1


def test_a_pool_that_is_not_known_in_time_is_a_conflict(pool: System, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("projections.pools.WAIT_SECONDS", 0.01)
    pool.settle()
    pool.runner.stop()
    pool.record(*licensees([30]))
    assert refused(pool) == {"CONFLICT"}


def test_no_pool_is_told_while_an_enterprise_of_it_is_parked(pool: System) -> None:
    with pool.pool.connection() as database:
        database.execute(
            "INSERT INTO parked (projection, uscc, position, event_type, fault, since)"
            " VALUES ('draws', %s, 9, 'LicenceGranted', 'LookupError', now())",
            [code(4)],
        )
    asked = {"idempotencyKey": "k", "drawId": "D-1", "authority": "MIIT", "count": 1, "inspectors": list(INSPECTORS)}
    query = "mutation ($input: DrawInspectionInput!) { drawInspection(input: $input) { replayed } }"
    assert pool.codes(query, {"input": asked}) == ["STALE"]


def shown(system: System, key: str | None) -> bool:
    """Whether a caller sees the draw D-1: wherever it may be asked for, all say the same."""
    by_id = system.ask(SEEN, key=key)["draw"] is not None
    listed_ = system.ask(DRAWS, key=key)["draws"]
    assert (listed_["totalCount"] == 1) is (len(listed_["edges"]) == 1) is by_id
    if key not in (None, "intake"):
        node = system.ask('{ node(id: "draw-D-1") { id } }', key=key)["node"] is not None
        assert node is by_id
    return by_id


INSIDE = ("beijing", "miit", "auditor")
OUTSIDE = ("shanghai", "telecom", "intake", None)


@pytest.fixture
def inside(pool: System) -> System:
    """A draw of Beijing's of two enterprises, and a regulator of Shanghai."""
    pool.secrets["shanghai"], _ = pool.keys.create("regulator", name="shanghai", authority="CA-31")
    draw(pool, key="beijing", authority="CA-11", count=2)
    return pool


def drawn_codes(system: System) -> list[str]:
    found = system.ask('{ draw(drawId: "D-1") { drawn { uscc } } }')["draw"]["drawn"]
    return [each["uscc"] for each in found]


def held(n: int, uscc: str, on: str = "2026-06-01", **given: Any) -> Any:
    return inspected(on, uscc=uscc, inspectionId=f"I-{n}", drawId="D-1", authority="CA-11", manner="RANDOM", **given)


def test_a_draw_is_seen_by_its_authority_and_auditors_until_its_inspections_are_held(inside: System) -> None:
    assert all(shown(inside, key) for key in INSIDE)
    assert not any(shown(inside, key) for key in OUTSIDE)
    first, second = drawn_codes(inside)
    inside.record(held(1, first))
    assert not shown(inside, None)
    (last,) = inside.record(held(2, second))
    assert all(shown(inside, key) for key in (*INSIDE, *OUTSIDE))
    inside.record(voided(last.position))
    assert not shown(inside, None)


@pytest.mark.parametrize(("days", "public"), [(179, False), (180, True)])
def test_a_draw_is_public_after_180_days(inside: System, days: int, public: bool) -> None:
    inside.clock.now += timedelta(days=days)
    assert shown(inside, None) is public


def test_an_inspection_of_a_later_day_makes_a_draw_public_on_that_day(inside: System) -> None:
    first, second = drawn_codes(inside)
    inside.record(held(1, first), held(2, second, "2026-06-03"))
    inside.clock.now += timedelta(days=1)
    assert not shown(inside, None)
    inside.clock.now += timedelta(days=1)
    assert shown(inside, None)


def test_a_draw_that_may_not_be_seen_is_like_one_that_is_not_there(inside: System) -> None:
    unseen = inside.post(SEEN, key=None).json()
    assert unseen == inside.post(SEEN.replace("D-1", "D-0"), key=None).json()
    assert inside.ask('{ draw(drawId: "\\u0000") { drawId } }') == {"draw": None}


def test_draws_are_paged_newest_first(pool: System) -> None:
    for number in range(1, 4):
        draw(pool, drawId=f"D-{number}")
    query = "query ($after: String) { draws(first: 2, after: $after) { edges { cursor node { drawId } } pageInfo { hasNextPage } } }"
    first = pool.ask(query)["draws"]
    assert [edge["node"]["drawId"] for edge in first["edges"]] == ["D-3", "D-2"]
    draw(pool, drawId="D-4")
    second = pool.ask(query, {"after": first["edges"][-1]["cursor"]})["draws"]
    assert [edge["node"]["drawId"] for edge in second["edges"]] == ["D-1"]
    assert (first["pageInfo"]["hasNextPage"], second["pageInfo"]["hasNextPage"]) == (True, False)
    assert pool.codes("{ draws(first: 101) { totalCount } }") == ["INVALID"]


def test_it_is_said_of_each_drawn_enterprise_what_followed(pool: System) -> None:
    draw(pool, authority="CA-11", count=3)
    first, second, third = drawn_codes(pool)
    pool.record(
        held(1, first, violations=["NO_CONSENT"]),
        held(2, second, violations=[]),
        held(3, first, violations=["OTHER"]),
        ordered(uscc=first, orderId="O-9", authority="CA-11", inspectionId="I-1"),
    )
    found = pool.ask(FOLLOW_UP)["draw"]
    assert found["followUp"] == {
        "drawn": 3, "inspected": 2, "notInspected": 1, "withViolations": 1, "open": 1, "overdue": 0, "met": 1, "metLate": 0,
    }  # fmt: skip
    followed = {each["uscc"]: each["inspections"] for each in found["drawn"]}
    assert followed[third] == []
    assert [(each["inspectionId"], each["followUp"]) for each in followed[second]] == [("I-2", None)]
    assert [(each["inspectionId"], each["followUp"], each["followedOn"]) for each in followed[first]] == [
        ("I-1", "MET", "2026-06-01"),
        ("I-3", "OPEN", None),
    ]
    pool.clock.now += timedelta(days=91)
    assert pool.ask(FOLLOW_UP)["draw"]["followUp"]["overdue"] == 1


def test_what_followed_is_shown_to_regulators_and_auditors_alone(inside: System) -> None:
    inside.clock.now += timedelta(days=180)
    assert inside.codes(FOLLOW_UP, key="shanghai") == []
    for key in ("telecom", None):
        assert set(inside.codes(FOLLOW_UP, key=key)) == {"FORBIDDEN"}


def test_the_event_of_a_draw_is_seen_where_the_draw_is_and_left_out_elsewhere(inside: System) -> None:
    inside.record(registered(uscc=code(60)))
    head = inside.head
    events = "{ ledger { events(after: %d, first: %d) { position } event(position: %d) { type } } }"
    receipt = "{ ledger { receipt(position: %d) { position } } }"
    for holder, seen in (*((each, True) for each in INSIDE), ("shanghai", False)):
        found = inside.ask(events % (head - 3, 2, head - 1), key=holder)["ledger"]
        assert [each["position"] for each in found["events"]] == ([head - 2, head - 1] if seen else [head - 2, head])
        assert (found["event"] is not None) is seen
        assert inside.codes(receipt % (head - 1), key=holder) == ([] if seen else ["FORBIDDEN"])
    assert inside.codes(receipt % head, key="shanghai") == []
    assert inside.codes(receipt % (head - 1), key=None) == ["FORBIDDEN"]
    inside.clock.now += timedelta(days=180)
    for key in ("shanghai", None):
        assert inside.codes(receipt % (head - 1), key=key) == []


def test_a_bundle_of_entries_is_not_given_to_another_authority_while_it_holds_a_draw(inside: System) -> None:
    def status(key: str) -> int:
        path = f"/tlog/tile/entries/000.p/{inside.head}"
        return inside.http.get(path, headers=inside.bearer(key)).status_code

    assert [status(key) for key in (*INSIDE, "shanghai")] == [200, 200, 200, 403]
    inside.clock.now += timedelta(days=180)
    assert status("shanghai") == 200


def test_a_subscriber_is_told_of_the_draws_that_it_may_see(inside: System) -> None:
    inside.known(registered(uscc=code(60)))
    drawn, after = inside.head - 1, {"after": inside.head - 3}
    for holder, seen in (("beijing", True), ("auditor", True), ("shanghai", False)):
        with streaming(inside.url, EVENTS, after, headers=inside.bearer(holder)) as stream:
            found = [each["position"] for each in stream.results(3 if seen else 2)]
            assert found == ([drawn - 1, drawn, drawn + 1] if seen else [drawn - 1, drawn + 1])
            draw(inside, key="beijing", authority="CA-11", drawId=f"D-{holder}")
            (later,) = inside.record(listed("2026-05-01", uscc=code(60), entryId=holder))
            assert [each["position"] for each in stream.results(1)] == [later.position - seen]
        after, drawn = {"after": inside.head - 3}, inside.head - 1
