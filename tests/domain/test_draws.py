"""The draw (rulebook §9): keys, order, inspectors, publicity; and that it favours no one beyond the tickets."""

from collections import Counter
from datetime import date
from hashlib import sha256
from itertools import product
from typing import Any, Final

import pytest
from hypothesis import given as given_any
from hypothesis import strategies as st
from msgspec import to_builtins

from domain.callers import Caller, Role
from domain.draws import DrawRequest, Member, drawn, may_draw, parse_draw, public_from, tickets
from domain.facts import HEAD
from domain.identifiers import PROVINCES
from domain.rulebook import RULEBOOK
from domain.vocabulary import CreditStatus
from drawing import INSPECTORS, TICKETS, drawn_naively
from given import A, B, Drawn, assert_said_in_both_languages, d, given, inspected, licensed, registered, voided
from running import code

VERSION: Final = RULEBOOK.in_force_on(date(2026, 6, 1))
ROOT: Final = "ab" * 32
SENT: Final = {"drawId": "D-1", "authority": "MIIT", "count": 2, "inspectors": list(INSPECTORS)}
RANKED: Final = (CreditStatus.GOOD, CreditStatus.WATCH, CreditStatus.ADVERSE, CreditStatus.DISHONEST)
FALLS_BELOW: Final = {3: 16.27, 30: 59.70}
"""The chi-square that one in a thousand exceeds by chance, by degrees of freedom."""
SIMULATED: Final = 10_000


def request(**given: Any) -> DrawRequest:
    made, refusals = parse_draw({**SENT, **given})
    assert made, refusals
    return made


def test_tickets_are_those_of_the_version() -> None:
    assert {each.value: tickets(Member("", each), VERSION) for each in RANKED} == TICKETS


@given_any(
    st.dictionaries(st.sampled_from([code(n) for n in range(40)]), st.sampled_from(RANKED), min_size=1),
    st.integers(1, 50),
    st.integers(1, 3),
    st.text("D编号 -", min_size=1, max_size=9).filter(str.strip),
)
def test_a_draw_is_that_of_the_naive_reading(
    pool: dict[str, CreditStatus], how_many: int, each: int, name: str
) -> None:
    asked = request(count=how_many, perInspection=each, drawId=name)
    found = drawn(asked, ROOT, [Member(*one) for one in pool.items()], VERSION)
    naive = {uscc: status.value for uscc, status in pool.items()}
    naively = drawn_naively(ROOT, name.strip(), naive, how_many, INSPECTORS, each)
    assert [to_builtins(one) | {"inspectors": [*one.inspectors]} for one in found] == naively


def test_the_order_of_the_pool_and_of_the_inspectors_does_not_matter() -> None:
    pool = [Member(code(n), RANKED[n % 4]) for n in range(30)]
    turned = request(inspectors=list(reversed(INSPECTORS)), count=7)
    assert drawn(request(count=7), ROOT, pool, VERSION) == drawn(turned, ROOT, list(reversed(pool)), VERSION)


def test_who_may_draw() -> None:
    def said(role: Role, own: str | None, **given: Any) -> list[str]:
        refusals = may_draw(Caller(role, "k", own), request(**given))
        for each in refusals:
            assert_said_in_both_languages(each)
        return [f"{each.code} {each.path}".rstrip() for each in refusals]

    assert said(Role.REGULATOR, None, authority="CA-11") == said(Role.REGULATOR, "MIIT", provinces=["31", "11"]) == []
    assert said(Role.REGULATOR, "CA-11", authority="CA-31") == ["FORBIDDEN authority"]
    assert said(Role.REGULATOR, "MIIT", authority="CA-11", provinces=["11", "31"]) == ["FORBIDDEN provinces.1"]
    assert said(Role.AUDITOR, None) == ["FORBIDDEN"]


@pytest.mark.parametrize(
    ("sent", "paths"),
    [
        ([], [""]),
        ({}, ["drawId", "authority", "count", "inspectors"]),
        ({**SENT, "count": True}, ["count"]),
        ({**SENT, "statuses": ["FINE"]}, ["statuses.0"]),
        ({**SENT, "inspectors": ["a", "a", "a"], "perInspection": 4}, ["inspectors.1", "inspectors.2", "inspectors"]),
        ({**SENT, "seed": 1}, ["seed"]),
    ],
)
def test_every_flaw_of_a_request_is_said_with_its_path(sent: object, paths: list[str]) -> None:
    made, refusals = parse_draw(sent)
    assert (made, [each.path for each in refusals]) == (None, paths)
    for each in refusals:
        assert each.code == "INVALID"
        assert_said_in_both_languages(each)


def test_a_draw_is_public_when_its_last_inspection_is_held_or_after_180_days() -> None:
    def held(n: int, uscc: str, on: str) -> Any:
        return inspected(on, uscc=uscc, inspectionId=f"I-{n}", drawId="D-1")

    book = given(registered(), registered(uscc=B), licensed(), Drawn("D-1", (A, B), d("2026-01-01")))
    assert public_from(book.facts("draw:D-1"), HEAD) == d("2026-06-30")
    book.add(held(1, A, "2026-03-01"))
    assert public_from(book.facts("draw:D-1"), HEAD) == d("2026-06-30")
    second = book.add(held(2, B, "2026-02-01"))
    book.add(held(3, B, "2026-05-01"))
    assert public_from(book.facts("draw:D-1"), HEAD) == d("2026-03-01")
    assert public_from(book.facts("draw:D-1"), second.position - 1) == d("2026-06-30")
    book.add(voided(second.position))
    assert public_from(book.facts("draw:D-1"), HEAD) == d("2026-05-01")
    assert public_from(book.facts("draw:D-2"), HEAD) is None


def chi_square(found: Counter[str], expected: dict[str, float]) -> float:
    assert set(found) <= set(expected)
    return sum((found[each] - wanted) ** 2 / wanted for each, wanted in expected.items())


@pytest.fixture(scope="module")
def simulated() -> tuple[list[tuple[str, Member]], Counter[str]]:
    """An enterprise of each status in each province, and how often each came first in draws from other roots."""
    pool = [
        (province, Member(code(n, f"{province}0000"), status))
        for n, (province, status) in enumerate(product(PROVINCES, RANKED))
    ]
    members, asked = [member for _, member in pool], request(count=1)
    roots = (sha256(b"seed %d" % n).hexdigest() for n in range(SIMULATED))
    return pool, Counter(drawn(asked, root, members, VERSION)[0].uscc for root in roots)


def test_each_status_is_drawn_in_proportion_to_its_tickets(
    simulated: tuple[list[tuple[str, Member]], Counter[str]],
) -> None:
    pool, won = simulated
    found = Counter[str]()
    for _, member in pool:
        found[member.status.value] += won[member.uscc]
    expected = {status: SIMULATED * count / sum(TICKETS.values()) for status, count in TICKETS.items()}
    assert chi_square(found, expected) < FALLS_BELOW[len(expected) - 1]
    favoured = {status: SIMULATED / len(TICKETS) for status in TICKETS}
    assert chi_square(found, favoured) > FALLS_BELOW[len(expected) - 1], "a draw without tickets would be told apart"


def test_no_province_is_favoured(simulated: tuple[list[tuple[str, Member]], Counter[str]]) -> None:
    pool, won = simulated
    found = Counter[str]()
    for province, member in pool:
        found[province] += won[member.uscc]
    expected = {province: SIMULATED / len(PROVINCES) for province in PROVINCES}
    assert chi_square(found, expected) < FALLS_BELOW[len(expected) - 1]


def test_no_inspector_is_favoured() -> None:
    pool = [Member(code(n), CreditStatus.GOOD) for n in range(3_000)]
    named = [f"检查员{n}" for n in range(31)]
    found = Counter(
        name for one in drawn(request(inspectors=named, count=3_000), ROOT, pool, VERSION) for name in one.inspectors
    )
    # Two of a list without repeats scatter a little less than the chi-square allows, never more.
    assert chi_square(found, dict.fromkeys(named, 6000 / 31)) < FALLS_BELOW[30]
