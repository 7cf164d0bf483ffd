from datetime import date

import pytest

from domain.facts import HEAD
from domain.obligations import Obligation, duties
from domain.vocabulary import ObligationState
from given import (
    A,
    Stated,
    confirmed,
    d,
    ended,
    licensed,
    ordered,
    renewed,
    report_demanded,
    report_filed,
    self_reported,
    voided,
)
from owing import MET, MET_LATE, OPEN, OVERDUE, enterprise, owed, said, state

# OBL-RECTIFY


def test_the_enterprise_rectifies_by_the_day_that_the_order_names() -> None:
    book = enterprise(ordered("2021-03-01", dueOn="2021-04-01"))
    assert owed(book, "RECTIFY", "2021-03-01") == [
        Obligation("OBL-RECTIFY", A, A, date(2021, 4, 1), ObligationState.OPEN, None, 2)
    ]
    assert (state(book, "RECTIFY", "2021-04-01"), state(book, "RECTIFY", "2021-04-02")) == (OPEN, OVERDUE)


@pytest.mark.parametrize(("on", "expected"), [("2021-04-01", MET), ("2021-04-02", MET_LATE)])
def test_a_confirmation_meets_its_order_and_no_other(on: str, expected: str) -> None:
    book = enterprise(
        ordered("2021-03-01", dueOn="2021-04-01"),
        ordered("2021-03-01", dueOn="2021-05-01", orderId="O-2"),
        confirmed(on),
    )
    assert said(owed(book, "RECTIFY", "2021-04-10")) == [f"2021-04-01 {expected} {on}", "2021-05-01 OPEN"]


def test_a_voided_confirmation_opens_the_row_again() -> None:
    book = enterprise(ordered("2021-03-01", dueOn="2021-04-01"), confirmed("2021-03-05"), voided(3))
    assert (state(book, "RECTIFY", "2021-03-06"), state(book, "RECTIFY", "2021-03-06", 3)) == (OPEN, MET)


# OBL-REPORT


def test_the_enterprise_files_its_report_by_the_day_demanded() -> None:
    book = enterprise(report_demanded("2024-01-01", year=2023, dueOn="2024-03-31"))
    assert owed(book, "REPORT", "2024-03-31") == [
        Obligation("OBL-REPORT", A, A, date(2024, 3, 31), ObligationState.OPEN, None, 2)
    ]
    assert state(book, "REPORT", "2024-04-01") == OVERDUE


@pytest.mark.parametrize(("on", "expected"), [("2024-03-31", MET), ("2024-04-01", MET_LATE)])
def test_a_filing_for_the_year_meets_it(on: str, expected: str) -> None:
    book = enterprise(
        report_demanded("2024-01-01", year=2023, dueOn="2024-03-31"),
        report_filed("2024-01-02", year=2022),
        report_filed(on, year=2023),
    )
    assert said(owed(book, "REPORT", "2024-05-01")) == [f"2024-03-31 {expected} {on}"]


def test_a_filing_before_the_demand_meets_it_on_the_filings_own_date() -> None:
    book = enterprise(
        report_filed("2023-12-15", year=2023),
        report_demanded("2024-01-01", year=2023, dueOn="2024-03-31"),
        report_filed("2024-02-01", year=2023),
    )
    assert owed(book, "REPORT", "2023-12-31") == []
    assert said(owed(book, "REPORT", "2024-01-01")) == ["2024-03-31 MET 2023-12-15"]


def test_an_earlier_filing_after_a_due_day_already_past_is_late() -> None:
    book = enterprise(
        report_filed("2023-12-15", year=2022), report_demanded("2024-01-01", year=2022, dueOn="2023-06-30")
    )
    assert said(owed(book, "REPORT", "2024-01-01")) == ["2023-06-30 MET_LATE 2023-12-15"]


def test_each_demand_for_a_year_is_a_row() -> None:
    book = enterprise(
        report_demanded("2024-01-01", year=2023, dueOn="2024-03-31"),
        report_demanded("2024-04-01", year=2023, dueOn="2024-04-30"),
        report_filed("2024-04-15", year=2023),
    )
    assert said(owed(book, "REPORT", "2024-05-01")) == [
        "2024-03-31 MET_LATE 2024-04-15",
        "2024-04-30 MET 2024-04-15",
    ]


# OBL-SELF


def test_who_held_a_licence_on_the_day_of_the_notice_owes_a_self_report_from_that_day_on() -> None:
    book = enterprise(licensed("2018-01-01"))
    assert owed(book, "SELF", "2020-06-17") == []
    assert owed(book, "SELF", "2020-06-18") == [
        Obligation("OBL-SELF", A, A, date(2020, 7, 30), ObligationState.OPEN, None, 2)
    ]
    assert (state(book, "SELF", "2020-07-30"), state(book, "SELF", "2020-07-31")) == (OPEN, OVERDUE)


@pytest.mark.parametrize(("on", "expected"), [("2020-07-30", MET), ("2020-07-31", MET_LATE)])
def test_the_self_report_meets_it(on: str, expected: str) -> None:
    book = enterprise(licensed("2018-01-01"), self_reported("2021-01-01"), self_reported(on))
    assert said(owed(book, "SELF", "2022-01-01")) == [f"2020-07-30 {expected} {on}"]


@pytest.mark.parametrize(
    "facts",
    [
        (licensed("2020-06-19", validFrom="2018-01-01"),),
        (licensed("2018-01-01", validTo="2020-06-17"),),
        (licensed("2018-01-01", validFrom="2020-06-19"),),
        (licensed("2018-01-01"), ended("Cancelled", "2020-06-18")),
        (licensed("2018-01-01", validTo="2020-06-17"), renewed("2020-06-19")),
    ],
)
def test_a_licence_not_in_force_on_that_day_owes_none(facts: tuple[Stated, ...]) -> None:
    assert owed(enterprise(*facts), "SELF", "2021-01-01") == []


@pytest.mark.parametrize(
    "facts",
    [
        (licensed("2018-01-01", validTo="2020-06-18"),),
        (licensed("2020-06-18", validFrom="2020-06-18"),),
        (licensed("2018-01-01"), ended("Revoked", "2020-06-19")),
        (licensed("2018-01-01", validTo="2020-06-17"), renewed("2020-06-18")),
    ],
)
def test_a_licence_in_force_on_that_day_owes_one_for_good(facts: tuple[Stated, ...]) -> None:
    assert state(enterprise(*facts), "SELF", "2026-01-01") == OVERDUE


def test_two_licences_owe_one_report_and_it_arises_from_the_earliest_grant() -> None:
    book = enterprise(licensed("2019-01-01"), licensed("2018-05-01", licenceNo="L-2"))
    assert [row.arises_from for row in owed(book, "SELF", "2021-01-01")] == [3]
    assert [row.arises_from for row in owed(book, "SELF", "2021-01-01", known_at=2)] == [2]


def test_the_earliest_grant_is_one_that_was_in_force_then() -> None:
    book = enterprise(licensed("2018-01-01", validTo="2019-12-31"), licensed("2019-01-01", licenceNo="L-2"))
    assert [row.arises_from for row in owed(book, "SELF", "2021-01-01")] == [3]


def test_a_voided_grant_owes_no_self_report() -> None:
    book = enterprise(licensed("2018-01-01"), voided(2))
    assert (state(book, "SELF", "2021-01-01"), state(book, "SELF", "2021-01-01", 2)) == (None, OVERDUE)


# OBL-RENEW


def test_a_licence_is_renewed_90_days_before_its_term_ends() -> None:
    book = enterprise(licensed("2021-01-01", validFrom="2021-01-01", validTo="2025-12-31"))
    assert owed(book, "RENEW", "2021-01-01") == [
        Obligation("OBL-RENEW", A, A, date(2025, 10, 2), ObligationState.OPEN, None, 2)
    ]
    assert (state(book, "RENEW", "2025-10-02"), state(book, "RENEW", "2025-10-03")) == (OPEN, OVERDUE)


@pytest.mark.parametrize(("on", "expected"), [("2025-10-02", MET), ("2025-10-03", MET_LATE)])
def test_a_renewal_meets_the_term_before_it_and_opens_its_own(on: str, expected: str) -> None:
    book = enterprise(
        licensed("2021-01-01", validFrom="2021-01-01", validTo="2025-12-31"), renewed(on, validTo="2030-12-31")
    )
    assert state(book, "RENEW", "2025-10-01") == OPEN
    assert said(owed(book, "RENEW", "2026-01-01")) == [f"2025-10-02 {expected} {on}", "2030-10-02 OPEN"]
    assert [row.arises_from for row in owed(book, "RENEW", "2026-01-01")] == [2, 3]


def test_each_term_is_met_by_the_one_after_it_in_legal_order() -> None:
    book = enterprise(
        licensed("2021-01-01", validFrom="2021-01-01", validTo="2022-12-31"),
        renewed("2023-06-01", validTo="2026-12-31"),
        renewed("2022-09-01", validTo="2024-12-31"),
    )
    assert [(row.arises_from, row.met_on) for row in owed(book, "RENEW", "2024-01-01")] == [
        (2, d("2022-09-01")),
        (4, d("2023-06-01")),
        (3, None),
    ]
    assert [(row.arises_from, row.met_on) for row in owed(book, "RENEW", "2024-01-01", known_at=3)] == [
        (2, d("2023-06-01")),
        (3, None),
    ]


def test_a_cancellation_meets_the_term_and_the_row_stays() -> None:
    book = enterprise(
        licensed("2021-01-01", validFrom="2021-01-01", validTo="2025-12-31"), ended("Cancelled", "2023-05-01")
    )
    assert said(owed(book, "RENEW", "2024-01-01")) == ["2025-10-02 MET 2023-05-01"]


def test_a_term_after_a_cancellation_has_no_row() -> None:
    book = enterprise(
        licensed("2021-01-01", validFrom="2021-01-01", validTo="2022-12-31"),
        renewed("2022-09-01", validTo="2024-12-31"),
        ended("Cancelled", "2022-08-01"),
    )
    assert said(owed(book, "RENEW", "2023-01-01")) == ["2022-10-02 MET 2022-08-01"]
    assert len(owed(book, "RENEW", "2023-01-01", known_at=3)) == 2


def test_a_renewal_of_the_cancellations_day_recorded_before_it_is_a_term() -> None:
    book = enterprise(
        licensed("2021-01-01", validFrom="2021-01-01", validTo="2022-12-31"),
        renewed("2022-09-01", validTo="2024-12-31"),
        ended("Cancelled", "2022-09-01"),
    )
    assert said(owed(book, "RENEW", "2023-01-01")) == ["2022-10-02 MET 2022-09-01", "2024-10-02 MET 2022-09-01"]


@pytest.mark.parametrize("by", ["Revoked", "Annulled"])
def test_revocation_and_annulment_end_all_rows_of_the_licence_met_ones_too(by: str) -> None:
    book = enterprise(
        licensed("2021-01-01", validFrom="2021-01-01", validTo="2022-12-31"),
        licensed("2021-01-01", validFrom="2021-01-01", validTo="2023-12-31", licenceNo="L-2"),
        renewed("2022-09-01", validTo="2024-12-31"),
        ended(by, "2023-01-01"),
    )
    assert len(owed(book, "RENEW", "2022-12-31")) == 3
    assert [row.arises_from for row in owed(book, "RENEW", "2023-01-01")] == [3]


def test_a_revocation_filed_late_before_a_renewal_leaves_that_term_no_row() -> None:
    book = enterprise(
        licensed("2021-01-01", validFrom="2021-01-01", validTo="2022-12-31"),
        renewed("2022-09-01", validTo="2024-12-31"),
        ended("Revoked", "2022-08-01"),
    )
    assert [(duty.arises_from, duty.steps[-1].due_on) for duty in duties(book.enterprise(), A, HEAD)] == [(2, None)]


def test_rows_of_a_licence_whose_grant_was_voided_are_gone_renewals_too() -> None:
    book = enterprise(
        licensed("2021-01-01", validFrom="2021-01-01", validTo="2022-12-31"),
        renewed("2022-09-01", validTo="2024-12-31"),
        voided(2),
    )
    assert owed(book, "RENEW", "2023-01-01") == []
    assert len(owed(book, "RENEW", "2023-01-01", known_at=3)) == 2


def test_a_voided_renewal_opens_the_term_before_it_again() -> None:
    book = enterprise(
        licensed("2021-01-01", validFrom="2021-01-01", validTo="2022-12-31"),
        renewed("2022-09-01", validTo="2024-12-31"),
        voided(3),
    )
    assert said(owed(book, "RENEW", "2023-01-01")) == ["2022-10-02 OVERDUE"]
