from dataclasses import replace

import pytest

from domain.facts import HEAD, Moment
from domain.obligations import Duty, Step, duties, obligations
from domain.rulebook import RULEBOOK, RULES, Term
from given import (
    A,
    B,
    Book,
    confirmed,
    d,
    ended,
    given,
    inspected,
    licensed,
    listed,
    ordered,
    penalty,
    punished,
    registered,
    renewed,
    report_demanded,
    report_filed,
    self_reported,
    unlisted,
    voided,
)
from owing import OVERDUE, enterprise, owed, said, second, state


def test_rows_of_an_enterprise_whose_registration_is_voided_stay() -> None:
    book = enterprise(ordered("2021-03-01", dueOn="2021-04-01"), voided(1))
    assert state(book, "RECTIFY", "2021-05-01") == OVERDUE


def test_rows_come_by_due_day_then_rule_then_position() -> None:
    book = enterprise(
        ordered("2021-01-01", dueOn="2021-02-01"),
        ordered("2021-01-01", dueOn="2021-01-31", orderId="O-2"),
        report_demanded("2021-01-01", year=2020, dueOn="2021-01-31"),
        ordered("2021-01-01", dueOn="2021-01-31", orderId="O-3"),
        punished("2021-01-01"),
    )
    found = obligations(book.enterprise(), A, Moment(d("2021-01-10")))
    assert [(row.rule, row.arises_from) for row in found] == [
        ("OBL-PUBLICITY", 6),
        ("OBL-LIST", 6),
        ("OBL-RECTIFY", 3),
        ("OBL-RECTIFY", 5),
        ("OBL-REPORT", 4),
        ("OBL-RECTIFY", 2),
    ]


def test_another_enterprises_facts_owe_nothing_here() -> None:
    book = given(registered(), registered(uscc=B), punished("2021-03-01", uscc=B))
    assert obligations(book.enterprise(A), A, Moment(d("2021-03-02"))) == []
    assert {row.uscc for row in obligations(book.enterprise(B), B, Moment(d("2021-03-02")))} == {B}


def test_a_term_is_read_from_the_rule_and_is_no_constant() -> None:
    shorter = replace(RULEBOOK.rule("OBL-LIST"), term=Term(10))
    rulebook = replace(RULEBOOK, rules=tuple(shorter if rule.id == "OBL-LIST" else rule for rule in RULES))
    book = enterprise(punished("2021-03-01"))
    assert said(owed(book, "LIST", "2021-03-02", rulebook=rulebook)) == ["2021-03-11 OPEN"]


def test_a_rule_that_lost_its_term_or_due_day_says_so() -> None:
    without_term = replace(RULEBOOK.rule("OBL-LIST"), term=None)
    without_due_day = replace(RULEBOOK.rule("OBL-SELF"), due_on=None)
    facts = enterprise(licensed("2018-01-01"), punished("2021-03-01")).enterprise()
    for bare in (without_term, without_due_day):
        rulebook = replace(RULEBOOK, rules=tuple(bare if rule.id == bare.id else rule for rule in RULES))
        with pytest.raises(LookupError, match=f"rule {bare.id}"):
            duties(facts, A, HEAD, rulebook)


# Duties


def everything() -> Book:
    return enterprise(
        licensed("2018-01-01", validTo="2021-12-31"),
        inspected("2020-07-01"),
        punished("2020-08-01", inspectionId="I-1"),
        listed("2020-08-10", basis=[4]),
        penalty("Publicised", "2020-08-20"),
        punished("2020-12-01", **second()),
        renewed("2021-09-01", validTo="2026-12-31"),
        penalty("Annulled", "2021-02-01", **second()),
        penalty("Annulled", "2021-03-01"),
        unlisted("2021-03-02"),
        self_reported("2020-08-05"),
        ordered("2021-05-01", dueOn="2021-06-01"),
        confirmed("2021-06-02"),
        report_demanded("2021-01-01", year=2020, dueOn="2021-03-31"),
        report_filed("2020-12-20", year=2020),
        ended("Cancelled", "2022-05-01"),
        voided(9),
        ended("Annulled", "2022-04-01"),
    )


def test_a_duty_is_told_from_all_others_by_rule_origin_and_what_it_is_about() -> None:
    book = everything()
    for known_at in range(book.head + 1):
        keys = [(duty.rule, duty.arises_from, duty.about) for duty in duties(book.enterprise(), A, known_at)]
        assert len(set(keys)) == len(keys)


def test_the_steps_of_a_duty_ascend_and_differ_from_their_neighbours() -> None:
    book = everything()
    for known_at in range(book.head + 1):
        for duty in duties(book.enterprise(), A, known_at):
            begins = [step.begins for step in duty.steps]
            assert begins == sorted(set(begins))
            assert all(one[1:] != other[1:] for one, other in zip(duty.steps, duty.steps[1:], strict=False))
            assert duty.steps[0].due_on is not None


def test_a_duty_says_nothing_before_it_begins_and_after_it_is_gone() -> None:
    duty = Duty("OBL-LIST", A, "MIIT", 7, 7, (Step(d("2021-01-01"), d("2021-01-31")), Step(d("2021-02-02"), None)))
    assert [duty.on(d(day)) is None for day in ("2020-12-31", "2021-01-01", "2021-02-01", "2021-02-02")] == [
        True,
        False,
        False,
        True,
    ]


def test_the_facts_known_at_p_are_all_that_duties_at_p_rest_on() -> None:
    book = everything()
    for known_at in range(book.head + 1):
        known = Book(book.history[:known_at])
        assert duties(book.enterprise(), A, known_at) == duties(known.enterprise(), A, HEAD)
