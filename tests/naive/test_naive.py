"""Facts worked out by hand that the naive model must know before anything is compared with it."""

from typing import Any

import pytest

from naive import model, owed, rules
from naive.books import (
    CHECKED,
    ENTRY,
    FILED,
    GRANTED,
    HARASSING,
    INTERVIEW,
    LICENSED,
    ORDER,
    PENALTY,
    REGISTERED,
    TODAY,
    A,
    B,
    access,
    book,
    complaint,
    d,
    fact,
    resolved,
    row,
    status_of,
    void,
)
from naive.model import E

# ── time, knowledge, status ──────────────────────────────────────────────────────────────────────────────────────


def test_a_void_acts_for_every_date_but_only_for_those_who_know_it() -> None:
    events = book(REGISTERED, void(1, "2026-01-01"))
    assert status_of(events, "2016-01-04", at=1) == "GOOD"
    assert status_of(events, "2016-01-04", at=2) == "UNKNOWN"


def test_a_fact_is_seen_from_its_own_date_on() -> None:
    assert [status_of(book(REGISTERED), on) for on in ("2016-01-03", "2016-01-04")] == ["UNKNOWN", "GOOD"]


def test_a_signal_lasts_365_days_its_own_among_them() -> None:
    events = book(REGISTERED, INTERVIEW)
    assert [status_of(events, on) for on in ("2020-03-02", "2021-03-01", "2021-03-02")] == ["WATCH", "WATCH", "GOOD"]


def test_only_harassing_calls_are_a_signal() -> None:
    assert status_of(book(REGISTERED, PENALTY), "2020-03-02") == "GOOD"


def test_a_retracted_exposure_is_a_signal_until_its_retraction() -> None:
    exposure = fact("ExposurePublished", "2020-03-02", exposureId="X", becauseOf=HARASSING)
    events = book(REGISTERED, exposure, fact("ExposureRetracted", "2020-03-05", exposureId="X"))
    assert [status_of(events, on) for on in ("2020-03-04", "2020-03-05")] == ["WATCH", "GOOD"]


def test_an_order_is_overdue_the_day_after_its_due_date() -> None:
    events = book(REGISTERED, ORDER)
    assert [status_of(events, on) for on in ("2020-03-31", "2020-04-01")] == ["GOOD", "WATCH"]


def test_dishonesty_goes_before_adverse_and_gives_its_reasons_alone() -> None:
    dishonest = fact("ListEntryMade", "2020-03-11", entryId="F", list="DISHONESTY")
    events = book(REGISTERED, PENALTY, ENTRY, INTERVIEW, dishonest)
    assert rules.status(events, A, d("2020-03-10"), 99) == ("ADVERSE", [("CST-2", [3])])
    assert rules.status(events, A, d("2020-03-11"), 99) == ("DISHONEST", [("CST-1", [5])])


def test_watch_names_signals_and_overdue_orders_apart() -> None:
    events = book(REGISTERED, ORDER, INTERVIEW)
    assert rules.status(events, A, d("2020-04-01"), 99) == ("WATCH", [("CST-3", [3]), ("CST-4", [2])])


def test_an_entry_does_not_lapse_by_time_alone() -> None:
    assert status_of(book(REGISTERED, PENALTY, ENTRY), "2039-01-01") == "ADVERSE"


def test_of_two_removals_the_earlier_dated_counts() -> None:
    removed = [fact("ListEntryRemoved", on, entryId="E") for on in ("2020-09-01", "2020-05-01")]
    events = book(REGISTERED, PENALTY, ENTRY, *removed)
    assert rules.timeline(events, A, 4)[-1] == (d("2020-09-01"), "GOOD")
    assert rules.timeline(events, A, 5)[-1] == (d("2020-05-01"), "GOOD")


def test_the_timeline_says_what_time_alone_will_do() -> None:
    assert rules.timeline(book(REGISTERED, INTERVIEW), A, 99) == [
        (None, "UNKNOWN"),
        (d("2016-01-04"), "GOOD"),
        (d("2020-03-02"), "WATCH"),
        (d("2021-03-02"), "GOOD"),
    ]


def test_the_timeline_of_an_unregistered_code_is_one_span() -> None:
    assert rules.timeline(book(REGISTERED), B, 99) == [(None, "UNKNOWN")]


def test_only_events_that_change_the_timeline_are_credit_changes() -> None:
    events = book(REGISTERED, PENALTY, INTERVIEW, void(3))
    assert [(uscc, at) for uscc, at, _ in rules.credit_changes(events)] == [(A, 1), (A, 3), (A, 4)]


# ── numbers, licences, accesses, complaints ──────────────────────────────────────────────────────────────────────


def test_an_amendment_replaces_the_given_fields_only() -> None:
    amended = fact("NumberFilingAmended", "2020-01-01", number="95012", directions="INBOUND")
    found = model.filed(book(FILED, amended), "95012", d("2020-01-01"), 99)
    assert found is not None
    assert (found.terms["directions"], found.terms["carriers"]) == ("INBOUND", ["T"])


def test_a_new_filing_does_not_keep_the_old_amendments() -> None:
    amended = fact("NumberFilingAmended", "2020-01-01", number="95012", directions="INBOUND")
    withdrawn = fact("NumberWithdrawn", "2020-02-01", number="95012")
    events = book(FILED, amended, withdrawn, ("NumberFiled", "2020-03-01", True, FILED[3]))
    found = model.filed(events, "95012", d("2020-03-01"), 99)
    assert found is not None
    assert (found.filing.position, found.amendments) == (4, [])
    assert model.filed(events, "95012", d("2020-02-29"), 99) is None


def test_a_complaint_belongs_to_the_longest_number_filed_on_the_legal_date_of_the_call() -> None:
    longer = fact("NumberFiled", "2020-06-02", True, uscc=B, number="950123", carriers=["T"], directions="INBOUND")
    calls = [
        complaint(1, "2020-06-05", displayedNumber="95012399", calledAt="2020-06-01T15:59:59.999999Z"),
        complaint(2, "2020-06-05", displayedNumber="95012399", calledAt="2020-06-01T16:00:00.000000Z"),
        complaint(3, "2020-06-05", displayedNumber="+95012399"),
    ]
    events = book(FILED, longer, *calls)
    assert [model.complaint_owner(events, e) for e in events[2:]] == [A, B, None]


def test_a_complaint_keeps_the_owner_known_at_its_own_position() -> None:
    events = book(FILED, complaint(1, "2020-06-05"), void(1), complaint(2, "2020-06-05"), resolved(1, "2020-06-06"))
    owners = [model.bearer(events, events[i]) for i in (1, 3, 4)]
    assert owners == [A, None, A]


def test_a_void_bears_the_code_of_what_it_voids() -> None:
    events = book(REGISTERED, FILED, complaint(1, "2020-06-05"), void(3))
    assert model.history(events, A, 99) == [(4, None), (3, 4), (2, None), (1, None)]


def test_a_licence_is_in_force_from_its_first_to_its_last_day_as_renewed() -> None:
    renewed = fact("LicenceRenewed", "2026-10-01", licenceNo="L", validTo="2031-12-31")
    events = book(LICENSED, renewed)
    days = ("2016-01-03", "2016-01-04", "2026-12-31", "2031-12-31", "2032-01-01")
    assert [bool(model.licences_in_force(events, A, d(on), 2)) for on in days] == [False, True, True, True, False]
    assert not model.licences_in_force(events, A, d("2027-01-01"), 1)


def test_a_licence_ends_with_the_first_visible_ending() -> None:
    ends = [fact("LicenceCancelled", "2021-01-01", licenceNo="L"), fact("LicenceRevoked", "2020-01-01", licenceNo="L")]
    view = model.enterprise(book(REGISTERED, LICENSED, *ends), A, TODAY, 99)
    assert view is not None
    assert view["licences"][0]["endedBy"] == "LicenceRevoked"


def test_the_state_of_an_access_is_that_of_its_last_event_by_date() -> None:
    granted = fact("AccessGranted", "2020-01-01", True, accessId="A", carrier="T", number="95012", directions="INBOUND")
    turns = [
        fact(t, on, accessId="A") for t, on in (("AccessRestricted", "2020-03-01"), ("AccessTerminated", "2020-02-01"))
    ]
    events = book(granted, *turns)
    states = [model.access_state(events, "A", d(on), 99) for on in ("2019-12-31", "2020-02-01", "2020-03-01")]
    assert states == [None, "TERMINATED", "RESTRICTED"]


def test_complaints_are_counted_by_their_own_date_and_last_resolution() -> None:
    turned = [resolved(1, "2020-06-09"), resolved(2, "2020-06-07"), resolved(2, "2020-06-08", "WITHDRAWN")]
    events = book(FILED, complaint(1, "2020-06-05"), complaint(2, "2020-06-05"), *turned)
    counts = model.complaint_counts(events, A, d("2020-06-01"), d("2020-06-05"), TODAY, 99)
    assert counts == [(d("2020-06-05"), 2, 1)]


def test_a_list_entry_shows_a_removal_to_come_and_the_last_known_name() -> None:
    renamed = fact("EnterpriseRenamed", "2026-12-01", name="乙")
    events = book(REGISTERED, PENALTY, ENTRY, renamed, fact("ListEntryRemoved", "2020-09-01", entryId="E"))
    [shown] = model.list_entries(events, "ADVERSE", d("2020-08-31"), 99)
    assert (shown["name"], shown["removedOn"]) == ("乙", "2020-09-01")
    assert model.list_entries(events, "ADVERSE", d("2020-09-01"), 99) == []


def test_publicity_ends_by_itself_only_under_credit_repair() -> None:
    events = book(REGISTERED, PENALTY, fact("PenaltyPublicised", "2026-01-15", documentNo="P"))
    until = d("2026-04-14")
    days = ("2026-03-31", "2026-04-14", "2026-04-15")
    assert [model.public_penalties(events, None, d(on), 99) for on in days] == [[(2, None)], [(2, until)], []]


@pytest.mark.parametrize(
    ("kinds", "days"),
    [(["WARNING", "CRITICISM"], 90), (["WARNING", "FINE"], 365), (["FINE", "CLOSURE"], 1095), (["OTHER"], 365)],
)
def test_publicity_lasts_as_its_gravest_kind(kinds: list[str], days: int) -> None:
    assert model.publicity_days(kinds) == days


# ── gates ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("on", "version"),
    [
        ("2010-01-01", "2017.1"),
        ("2018-03-14", "2017.1"),
        ("2018-03-15", "2018.1"),
        ("2020-06-17", "2018.1"),
        ("2020-06-18", "2020.1"),
        ("2026-04-01", "2026.1"),
    ],
)
def test_a_version_is_in_force_from_its_date(on: str, version: str) -> None:
    assert rules.version_on(d(on)).version == version


def test_an_unregistered_code_gets_reg_1_alone() -> None:
    assert rules.gate([], "ACCESS", access(checked={"licence": False}), TODAY, 0) == (
        "REFUSE",
        [("REG-1", "REFUSE", [])],
    )


def test_nothing_fires_for_an_access_in_order() -> None:
    assert rules.gate(book(REGISTERED, LICENSED, FILED), "ACCESS", access(), TODAY, 99) == ("PERMIT", [])


def test_all_rules_that_fire_are_given_in_order_of_their_ids() -> None:
    asked = access(number="96345", checked={**CHECKED, "licence": False})
    outcome, fired = rules.gate(book(REGISTERED, ORDER), "ACCESS", asked, d("2020-06-18"), 99)
    assert outcome == "REFUSE"
    assert fired == [(r, "REFUSE", p) for r, p in (("ACC-1", []), ("ENF-2", [2]), ("LIC-1", []), ("NUM-1", []))]


def test_a_version_without_a_rule_does_not_ask_it_and_a_named_one_does() -> None:
    events = book(REGISTERED, LICENSED, FILED, ORDER)
    assert rules.gate(events, "ACCESS", access(carrier="U"), d("2020-06-17"), 99) == ("PERMIT", [])
    _, fired = rules.gate(events, "ACCESS", access(carrier="U"), d("2020-06-17"), 99, "2020.1")
    assert [r for r, _, _ in fired] == ["ENF-2", "NUM-2"]


def test_an_adverse_entry_is_weighed_by_licence_gates_only_since_2020() -> None:
    entry = fact("ListEntryMade", "2018-01-01", entryId="E", list="ADVERSE")
    asked = {"uscc": A, "route": "COMMITMENT", "marketingOutbound": False, "undertakingFiled": True}
    events = book(REGISTERED, entry)
    answers = [rules.gate(events, "LICENCE", asked, d(on), 99)[0] for on in ("2020-06-17", "2020-06-18")]
    assert answers == ["PERMIT", "REVIEW"]


def test_a_standard_licence_needs_a_passed_last_inspection() -> None:
    asked = {"uscc": A, "route": "STANDARD", "marketingOutbound": False, "undertakingFiled": True}
    visits = [
        fact("SiteInspected", "2021-01-01", result="PASSED"),
        fact("SiteInspected", "2021-02-01", result="FAILED"),
    ]
    events = book(REGISTERED, *visits)
    answers = [rules.gate(events, "LICENCE", asked, d(on), 99) for on in ("2020-12-31", "2021-01-31", "2021-02-01")]
    fired = [("REFUSE", [("ADM-1", "REFUSE", [])]), ("PERMIT", []), ("REFUSE", [("ADM-1", "REFUSE", [3])])]
    assert answers == fired


def test_false_material_bars_a_licence_for_365_days() -> None:
    asked = {"uscc": A, "route": "COMMITMENT", "marketingOutbound": False, "undertakingFiled": True}
    events = book(REGISTERED, fact("LicenceRefused", "2021-01-01", falseMaterial=True))
    answers = [rules.gate(events, "LICENCE", asked, d(on), 99)[0] for on in ("2021-12-31", "2022-01-01")]
    assert answers == ["REFUSE", "PERMIT"]


def test_num_3_rests_on_the_filing_and_every_amendment_of_directions() -> None:
    changes: list[dict[str, Any]] = [{"directions": "INBOUND"}, {"use": "回访"}, {"directions": "INBOUND"}]
    amended = [fact("NumberFilingAmended", "2021-01-01", number="95012", **change) for change in changes]
    events = book(REGISTERED, LICENSED, FILED, *amended)
    answer = rules.gate(events, "ACCESS", access(directions="INBOUND_AND_OUTBOUND"), TODAY, 99)
    assert answer == ("REFUSE", [("NUM-3", "REFUSE", [3, 4, 6])])


def test_a_number_filed_by_another_is_refused_at_both_gates() -> None:
    other = fact("NumberFiled", "2016-01-04", True, uscc=B, number="96345", carriers=["T"], directions="INBOUND")
    events = book(REGISTERED, LICENSED, other)
    filing = {"uscc": A, "number": "96345", "carriers": ["T"], "directions": "INBOUND_AND_OUTBOUND"}
    _, fired = rules.gate(events, "NUMBER_FILING", filing, TODAY, 99)
    assert fired == [("NUM-4", "REFUSE", [3]), ("NUM-5", "REFUSE", [])]
    assert rules.gate(events, "ACCESS", access(number="96345"), TODAY, 99)[1] == [("NUM-1", "REFUSE", [])]


def complaints_on(*days: str) -> list[E]:
    received = [f for n, on in enumerate(days) for f in (complaint(n, on), resolved(n, "2020-08-01"))]
    return book(REGISTERED, LICENSED, FILED, *received)


def test_ten_substantiated_complaints_in_30_days_call_for_review() -> None:
    events = complaints_on(*["2020-08-01"] * 10)
    asked = {"uscc": A, "carrier": "T"}
    answer = rules.gate(events, "COOPERATION", asked, d("2020-08-30"), 99)
    assert answer == ("REVIEW", [("CMP-1", "REVIEW", list(range(4, 24)))])
    assert rules.gate(events, "COOPERATION", asked, d("2020-08-31"), 99) == ("PERMIT", [])


def test_nine_complaints_in_the_window_and_one_before_it_do_not() -> None:
    events = complaints_on("2020-08-01", *["2020-08-02"] * 9)
    asked = {"uscc": A, "carrier": "T"}
    outcomes = [rules.gate(events, "COOPERATION", asked, d(on), 99)[0] for on in ("2020-08-30", "2020-08-31")]
    assert outcomes == ["REVIEW", "PERMIT"]


# ── obligations and findings ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("start", "count", "due"),
    [
        ("2020-03-02", 7, "2020-03-11"),  # plain weeks
        ("2020-09-25", 3, "2020-09-29"),  # Sunday 27 September 2020 was worked
        ("2020-09-30", 7, "2020-10-16"),  # 1 to 8 October off, Saturday 10 worked
        ("2026-02-13", 3, "2026-02-25"),  # Saturday 14 worked, 15 to 23 off
        ("2027-12-30", 3, "2028-01-04"),  # no calendar yet: Friday 31, Monday 3, Tuesday 4
        ("2028-12-29", 1, "2029-01-02"),  # no calendar yet: Monday 1 January is off
    ],
)
def test_working_days_follow_the_mainland_calendar(start: str, count: int, due: str) -> None:
    assert owed.after_working_days(d(start), count) == d(due)


def test_a_penalty_is_owed_a_list_entry_that_cites_it() -> None:
    late = ("ListEntryMade", "2020-04-02", False, {**ENTRY[3], "entryId": "F"})
    assert row(book(REGISTERED, PENALTY), "OBL-LIST", "2020-04-01") == ("2020-04-01", "OPEN", None)
    assert row(book(REGISTERED, PENALTY), "OBL-LIST", "2020-04-02") == ("2020-04-01", "OVERDUE", None)
    assert row(book(REGISTERED, PENALTY, late), "OBL-LIST", "2020-04-02") == ("2020-04-01", "MET_LATE", "2020-04-02")
    assert row(book(REGISTERED, PENALTY, late, ENTRY), "OBL-LIST", "2020-04-02") == ("2020-04-01", "MET", "2020-03-10")


def test_a_penalty_of_kind_other_alone_owes_publicity_only() -> None:
    other = ("PenaltyImposed", "2020-03-02", False, {**PENALTY[3], "kinds": ["OTHER"]})
    assert [r[0] for r in owed.obligations(book(REGISTERED, other), A, TODAY, 99)] == ["OBL-PUBLICITY"]


ANNULLED = fact("PenaltyAnnulled", "2020-04-30", documentNo="P")


def test_annulment_ends_what_the_penalty_owed_and_owes_the_withdrawal_of_its_entry() -> None:
    rows = owed.obligations(book(REGISTERED, PENALTY, ENTRY, ANNULLED), A, d("2020-05-09"), 99)
    assert rows == [
        ("OBL-WITHDRAW", A, "MIIT", d("2020-05-08"), "OVERDUE", None, 4),
        ("OBL-REVIEW", A, "MIIT", d("2021-03-10"), "OPEN", None, 3),
    ]


def test_an_entry_with_a_second_basis_or_removed_before_is_not_withdrawn() -> None:
    wide = ("ListEntryMade", "2020-03-10", False, {**ENTRY[3], "basis": [1, 2]})
    removed = fact("ListEntryRemoved", "2020-04-30", entryId="E")
    histories_ = [book(REGISTERED, PENALTY, wide, ANNULLED), book(REGISTERED, PENALTY, ENTRY, removed, ANNULLED)]
    assert all("OBL-WITHDRAW" not in [r[0] for r in owed.obligations(h, A, TODAY, 99)] for h in histories_)


def test_of_two_annulments_the_earlier_dated_owes_the_withdrawal() -> None:
    late = ("PenaltyAnnulled", "2020-04-01", False, ANNULLED[3])
    events = book(REGISTERED, PENALTY, ENTRY, ANNULLED, late)
    assert row(events, "OBL-WITHDRAW", "2020-05-01") == ("2020-04-07", "OVERDUE", None)


def test_a_removal_after_the_annulment_on_the_same_day_meets_the_withdrawal() -> None:
    events = book(REGISTERED, PENALTY, ENTRY, ANNULLED, fact("ListEntryRemoved", "2020-04-30", entryId="E"))
    assert row(events, "OBL-WITHDRAW", "2020-04-30") == ("2020-05-08", "MET", "2020-04-30")


def test_a_later_standing_penalty_restarts_the_review() -> None:
    again = fact("PenaltyImposed", "2020-06-01", documentNo="Q", kinds=["OTHER"], becauseOf="OTHER")
    undone = fact("PenaltyAnnulled", "2020-07-01", documentNo="Q")
    events = book(REGISTERED, PENALTY, ENTRY, again, undone)
    assert row(events, "OBL-REVIEW", "2020-06-30")[0] == "2021-06-01"
    assert row(events, "OBL-REVIEW", "2020-07-01")[0] == "2021-03-10"


def test_a_penalty_after_the_removal_restarts_nothing() -> None:
    again = fact("PenaltyImposed", "2020-06-01", documentNo="Q", kinds=["OTHER"], becauseOf="OTHER")
    events = book(REGISTERED, PENALTY, ENTRY, fact("ListEntryRemoved", "2020-05-01", entryId="E"), again)
    assert row(events, "OBL-REVIEW", "2020-07-01") == ("2021-03-10", "MET", "2020-05-01")


def test_an_earlier_report_meets_a_demand_on_its_own_date() -> None:
    events = book(
        REGISTERED,
        fact("AnnualReportFiled", "2020-01-15", year=2019),
        fact("AnnualReportDemanded", "2020-02-01", year=2019, dueOn="2020-03-31"),
    )
    assert row(events, "OBL-REPORT", "2020-02-01") == ("2020-03-31", "MET", "2020-01-15")


def test_violations_are_followed_up_by_the_first_measure_that_names_the_inspection() -> None:
    held = fact("InspectionHeld", "2020-01-01", inspectionId="I", violations=["OTHER"])
    clean = fact("InspectionHeld", "2020-01-01", inspectionId="J", violations=[])
    events = book(REGISTERED, held, clean, INTERVIEW, fact("InterviewHeld", "2020-03-31", inspectionId="I"))
    assert row(events, "OBL-FOLLOW", "2020-03-30") == ("2020-03-31", "OPEN", None)
    assert row(events, "OBL-FOLLOW", "2020-03-31") == ("2020-03-31", "MET", "2020-03-31")


def test_the_self_report_is_owed_once_and_only_since_the_notice() -> None:
    second = ("LicenceGranted", "2015-01-01", True, {**LICENSED[3], "licenceNo": "M"})
    events = book(REGISTERED, LICENSED, second)
    assert all(r[0] != "OBL-SELF" for r in owed.obligations(events, A, d("2020-06-17"), 99))
    assert row(events, "OBL-SELF", "2020-06-18") == ("2020-07-30", "OPEN", None)
    [self_report] = [r for r in owed.obligations(events, A, d("2020-07-31"), 99) if r[0] == "OBL-SELF"]
    assert self_report == ("OBL-SELF", A, A, d("2020-07-30"), "OVERDUE", None, 3)


def test_each_term_of_a_licence_is_to_be_renewed_in_time() -> None:
    renewed = fact("LicenceRenewed", "2026-10-01", licenceNo="L", validTo="2031-12-31")
    cancelled = fact("LicenceCancelled", "2027-01-01", licenceNo="L")
    after = fact("LicenceRenewed", "2027-02-01", licenceNo="L", validTo="2035-12-31")
    rows = owed.obl_renew(book(REGISTERED, LICENSED, renewed, after, cancelled), A, d("2027-02-01"), 99)
    assert [(str(r[3]), r[4], str(r[5]), r[6]) for r in rows] == [
        ("2026-10-02", "MET", "2026-10-01", 2),
        ("2031-10-02", "MET", "2027-01-01", 3),
    ]


def test_a_revocation_ends_the_terms_met_ones_too() -> None:
    renewed = fact("LicenceRenewed", "2020-10-01", licenceNo="L", validTo="2031-12-31")
    events = book(REGISTERED, LICENSED, renewed, fact("LicenceRevoked", "2021-01-01", licenceNo="L"))
    assert [len(owed.obl_renew(events, A, d(on), 99)) for on in ("2020-12-31", "2021-01-01")] == [2, 0]


def test_rows_stay_when_the_registration_is_voided() -> None:
    assert row(book(REGISTERED, ORDER, void(1)), "OBL-RECTIFY", "2020-04-01") == ("2020-03-31", "OVERDUE", None)


def test_a_historical_access_that_its_gate_refused_is_a_finding_for_good() -> None:
    licence_later = ("LicenceGranted", "2016-01-04", True, LICENSED[3])
    found = owed.findings(book(REGISTERED, FILED, GRANTED, licence_later), A, TODAY, 99)
    assert found == [
        ("FND-GATE", 2, d("2016-01-04"), [("LIC-1", "REFUSE", [])]),
        ("FND-GATE", 3, d("2021-01-01"), [("LIC-1", "REFUSE", [])]),
    ]


def test_a_live_fact_is_no_finding_of_the_gate() -> None:
    assert owed.fnd_gate(book(REGISTERED, ("AccessGranted", "2021-01-01", False, GRANTED[3])), A, TODAY, 99) == []


def test_an_access_is_a_finding_while_its_gate_would_refuse_it() -> None:
    events = book(REGISTERED, LICENSED, FILED, GRANTED)
    assert owed.findings(events, A, d("2026-12-31"), 99) == []
    assert owed.findings(events, A, d("2027-01-01"), 99) == [
        ("FND-LIVE", 4, d("2021-01-01"), [("LIC-1", "REFUSE", [])])
    ]


def test_marketing_from_a_number_filed_for_inbound_is_a_finding() -> None:
    amended = fact("NumberFilingAmended", "2020-06-05", number="95012", directions="INBOUND")
    calls = [complaint(1, "2020-06-05"), complaint(2, "2020-06-04"), complaint(3, "2020-06-05", uscc=A)]
    events = book(REGISTERED, FILED, amended, *calls, *[resolved(n, "2020-06-09") for n in (1, 2, 3)])
    assert owed.fnd_out(events, A, TODAY, 99) == [("FND-OUT", 4, d("2020-06-05"), [("FND-OUT", None, [2, 3, 4, 7])])]
    assert owed.fnd_out(events, A, d("2020-06-08"), 99) == []
