"""The rows of draws, the days of licences, and the pool that is read from them."""

from datetime import date, timedelta
from typing import Any

import pytest

from chance import Chance
from domain import credit, register
from domain.draws import DrawRequest, parse_draw
from domain.facts import Moment
from domain.vocabulary import CreditStatus
from drawing import INSPECTORS, draw, licensees
from given import TODAY, A, d, ended, inspected, licensed, registered, renewed, voided
from projections.pools import Pools
from running import System, code

EVER = date.max


def spans(system: System, uscc: str = A) -> list[tuple[date, date]]:
    with system.pool.connection() as database:
        statement = "SELECT valid_from, valid_to FROM licence_spans WHERE uscc = %s ORDER BY valid_from"
        return database.execute(statement, [uscc]).fetchall()


def public(system: System) -> list[tuple[Any, ...]]:
    with system.pool.connection() as database:
        return database.execute("SELECT draw_id, authority, public_from FROM draws ORDER BY position").fetchall()


def asked(**given: Any) -> DrawRequest:
    sent = {"drawId": "D-9", "authority": "MIIT", "count": 1, "inspectors": list(INSPECTORS), **given}
    request, refusals = parse_draw(sent)
    assert request, refusals
    return request


def test_a_licence_is_in_force_from_its_grant_to_the_day_that_it_was_renewed_to_inclusive(system: System) -> None:
    system.known(registered(), licensed("2018-01-01", validFrom="2018-06-01", validTo="2019-05-31"))
    assert spans(system) == [(d("2018-06-01"), d("2019-06-01"))]
    system.known(renewed("2019-07-01", validTo="2020-05-31"))
    assert spans(system) == [(d("2018-06-01"), d("2019-06-01")), (d("2019-07-01"), d("2020-06-01"))]
    (last,) = system.known(ended("Revoked", "2019-08-01"))
    assert spans(system) == [(d("2018-06-01"), d("2019-06-01")), (d("2019-07-01"), d("2019-08-01"))]
    system.known(voided(last.position))
    assert spans(system)[-1] == (d("2019-07-01"), d("2020-06-01"))


def test_two_licences_that_follow_each_other_are_one_span(system: System) -> None:
    system.known(registered(), licensed("2018-01-01", licenceNo="1", validFrom="2018-01-01", validTo="2018-12-31"))
    system.known(licensed("2018-06-01", licenceNo="2", validFrom="2019-01-01", validTo="9999-12-31"))
    assert spans(system) == [(d("2018-01-01"), EVER)]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_pool_is_what_the_facts_say_on_any_day(system: System, seed: int) -> None:
    system.record(*licensees(range(500, 504), {500: "31", 501: "31"}))
    Chance(system, seed).happen(120)
    system.settle()
    usccs = {event.uscc for event in system.log() if event.type == "EnterpriseRegistered" and event.uscc}
    head, folds = system.ledger.streams.read([f"enterprise:{uscc}" for uscc in usccs])
    for on in (TODAY + timedelta(days=days) for days in range(-2_000, 1_000, 97)):
        found = Pools(system.runner).pool(asked(), on)
        assert found and found.head == head
        expected = {}
        for uscc in usccs:
            facts, at = folds[f"enterprise:{uscc}"], Moment(on, head)
            status = credit.credit(facts, at).status
            if status is not CreditStatus.UNKNOWN and register.licences_in_force(facts, at):
                expected[uscc] = status
        assert dict(found.members) == expected
        assert [member.uscc for member in found.members] == sorted(expected)


def test_a_draw_has_one_row_and_is_public_from_its_last_inspection_on(system: System) -> None:
    system.record(*licensees([1]))
    draw(system, count=1)
    system.settle()
    assert public(system) == [("D-1", "MIIT", TODAY + timedelta(days=180))]
    (held,) = system.known(inspected("2026-06-05", uscc=code(1), drawId="D-1"))
    assert public(system) == [("D-1", "MIIT", d("2026-06-05"))]
    system.known(voided(held.position))
    assert public(system) == [("D-1", "MIIT", TODAY + timedelta(days=180))]
