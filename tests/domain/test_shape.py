"""The shape of facts: every field of every event with what it may and may not hold (§2, “Codes of refusals”)."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from domain.commands import Code, Refusal, command
from domain.events import RECORDABLE, ComplaintReceived, ListEntryMade, NumberFiled, PenaltyImposed
from domain.shape import Field, fields_of, parse
from given import (
    EVERY_EVENT,
    NOW,
    TODAY,
    A,
    Fields,
    Stated,
    amended,
    assert_said_in_both_languages,
    complained,
    filed,
    granted,
    inspected,
    licence_refused,
    licensed,
    listed,
    number_filed,
    punished,
    registered,
    renamed,
    voided,
)

ALL_FIELDS = [
    pytest.param(name, field, id=f"{name}.{field.sent_as}")
    for name, cls in RECORDABLE.items()
    for field in fields_of(cls)
]
LISTS = [pytest.param(*one.values, id=one.id) for one in ALL_FIELDS if one.values[1].many]  # type: ignore[union-attr]


def flaws(stated: Stated, now: datetime = NOW) -> list[Refusal]:
    made, refusals = command(*stated, now)
    assert (made is None) == bool(refusals)
    assert all(one.code is Code.INVALID for one in refusals)
    for one in refusals:
        assert_said_in_both_languages(one)
    return refusals


def paths(stated: Stated, now: datetime = NOW) -> set[str]:
    return {one.path for one in flaws(stated, now)}


def with_(name: str, /, **fields: Any) -> Stated:
    """A well-formed fact of the type with some fields replaced."""
    return Stated(name, {**EVERY_EVENT[name].fields, **fields})


# ── every field ──────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", RECORDABLE)
def test_a_fact_with_every_field_well_formed_has_no_flaw(name: str) -> None:
    assert paths(Stated(name, {**EVERY_EVENT[name].fields, "effectiveOn": "2020-06-18"})) == set()


@pytest.mark.parametrize("name", RECORDABLE)
def test_a_fact_with_its_required_fields_only_has_no_flaw(name: str) -> None:
    fields = EVERY_EVENT[name].fields
    needed = {field.sent_as for field in fields_of(RECORDABLE[name]) if field.required}
    needed |= {"fine", "confiscated"} if name == "penaltyImposed" else set()
    needed |= {"use"} if name == "numberFilingAmended" else set()
    assert paths(Stated(name, {key: value for key, value in fields.items() if key in needed})) == set()


@pytest.mark.parametrize(("name", "field"), ALL_FIELDS)
def test_a_field_that_is_left_out_or_null_is_missing_if_it_is_required(name: str, field: Field) -> None:
    left_out = dict(EVERY_EVENT[name].fields)
    left_out.pop(field.sent_as)
    for fields in (left_out, {**left_out, field.sent_as: None}):
        needed = field.required or field.sent_as in ("fine", "confiscated")
        assert paths(Stated(name, fields)) == ({field.sent_as} if needed else set())


WRONG_TYPES: dict[str, list[object]] = {
    "Boolean": [0, 1, "true", "", [], {}],
    "Int": ["2020", 2020.5, True, [], {}],
    "Position": ["1", 1.5, True, 2**53, [], {}],
    "Yuan": ["x", -1, "0.005", "1e3", 1.5, True, [], {}],
    "Date": ["2020-02-30", "20200618", "1948-12-31", 20200618, True, [], {}],
    "DateTime": ["2020-06-18", "2020-06-18T09:30:00", 0, True, [], {}],
    "USCC": ["", "9111", A[:17] + "0", 9, True, [], {}],
    "ServiceNumber": ["", "9501", "10086", 95012, True, [], {}],
}
TEXTS: list[object] = [1, True, 1.5, [], {}, "\ud800", "a\0b"]
BLANK: list[object] = ["", "   "]


def bad_values(field: Field) -> list[object]:
    if field.sent_as == "displayedNumber":
        return [*TEXTS, "x" * 65]
    if field.vocabulary:
        member = next(iter(field.vocabulary)).value
        return ["", member.lower(), f"{member} ", "NO_SUCH", 1, True, [], {}]
    return WRONG_TYPES.get(field.scalar) or [*TEXTS, *BLANK, "x" * 2_001, "x" * 2**20]


@pytest.mark.parametrize(("name", "field"), ALL_FIELDS)
def test_a_bad_value_is_refused_at_its_own_place(name: str, field: Field) -> None:
    good = EVERY_EVENT[name].fields[field.sent_as]
    for bad in bad_values(field):
        value, path = ([*good, bad], f"{field.sent_as}.{len(good)}") if field.many else (bad, field.sent_as)
        assert paths(with_(name, **{field.sent_as: value})) == {path}, ascii(bad)[:80]


@pytest.mark.parametrize(("name", "field"), LISTS)
def test_a_list_is_a_list_of_at_most_1000(name: str, field: Field) -> None:
    good = EVERY_EVENT[name].fields[field.sent_as]
    for bad in (good[0], {"0": good[0]}, 1, True, good * 1_001):
        assert paths(with_(name, **{field.sent_as: bad})) == {field.sent_as}
    assert paths(with_("listEntryMade", basis=[1] * 1_000)) == set()


LISTS_OF_SOME = {("numberFiled", "carriers"), ("numberFilingAmended", "carriers"), ("penaltyImposed", "kinds")}


@pytest.mark.parametrize(("name", "field"), LISTS)
def test_only_carriers_and_kinds_of_penalty_may_not_be_empty(name: str, field: Field) -> None:
    expected = {field.sent_as} if (name, field.sent_as) in LISTS_OF_SOME else set()
    assert paths(with_(name, **{field.sent_as: []})) == expected


def test_each_bad_element_of_a_list_has_a_path_of_its_own() -> None:
    assert paths(filed(carriers=["CHINA_TELECOM", "x", "CHINA_MOBILE", 1, None])) == {
        *("carriers.1", "carriers.3", "carriers.4"),
    }
    assert paths(amended(carriers=["CHINA_TELECOM", "x"])) == {"carriers.1"}
    assert paths(inspected(violations=["OTHER", "other"])) == {"violations.1"}
    assert paths(listed(basis=[1, 1.5, "2"])) == {"basis.1", "basis.2"}
    assert paths(licensed(provinces=["11", "99"])) == {"provinces.1"}


@pytest.mark.parametrize("name", RECORDABLE)
def test_an_unknown_field_is_refused_by_its_name(name: str) -> None:
    assert paths(with_(name, colour="red", valid_to=None)) == {"colour", "valid_to"}


@pytest.mark.parametrize("name", [name for name, cls in RECORDABLE.items() if not cls.gated])
def test_only_licences_numbers_and_accesses_can_be_historical(name: str) -> None:
    assert paths(with_(name, historical=True)) == {"historical"}


def test_what_the_ledger_adds_to_a_void_is_not_stated() -> None:
    assert paths(Stated("eventVoided", {**voided(1).fields, "type": "GateDecided", "uscc": A})) == {"type", "uscc"}


@pytest.mark.parametrize("sent", [None, [], "x", 1, True])
def test_a_fact_is_an_object(sent: object) -> None:
    made, refusals = command("enterpriseRenamed", sent, NOW)
    assert made is None
    assert [(one.code, one.path) for one in refusals] == [(Code.INVALID, "")]


def test_all_flaws_of_a_fact_are_reported_together() -> None:
    wrong = punished(
        uscc="9", authority="CA-00", kinds=["FINE", "fine"], fine="-1", becauseOf=None, effectiveOn="x", a=1
    )
    assert paths(wrong) == {"uscc", "authority", "kinds.1", "fine", "becauseOf", "effectiveOn", "a"}


def test_no_message_repeats_personal_data() -> None:
    bad = [
        complained(complainantPhone=13800001111, summary=["推销贷款"]),
        complained(complainantPhone=["13800001111"], summary={"推销贷款": 1}),
        registered(legalRepresentative=["张三丰"]),
    ]
    for stated in bad:
        for one in flaws(stated):
            assert not any(secret in said for said in one.text for secret in ("13800001111", "推销贷款", "张三丰"))


def test_messages_name_what_was_got_and_what_is_legal() -> None:
    [number] = flaws(filed(number="10086"))
    assert "10086" in number.text.zh
    assert "10086" in number.text.en
    [route] = flaws(licensed(route="standard"))
    assert "STANDARD, COMMITMENT" in route.text.en
    assert "standard" in route.text.zh
    [unknown] = flaws(renamed(nom="x"))
    assert "name" in unknown.text.en


# ── what is made of good values ──────────────────────────────────────────────────────────────────────────────────


def test_values_are_kept_in_their_one_normal_form() -> None:
    event, found = parse(PenaltyImposed, punished(uscc=f" {A.lower()} ", fine=2000, basis=" 第二十条 ").fields)
    assert found == []
    assert event is not None
    assert (event.uscc, event.fine, event.basis) == (A, "2000.00", "第二十条")
    complaint, _ = parse(ComplaintReceived, complained(calledAt="2020-01-02T07:00:00+08:00").fields)
    assert complaint is not None
    assert (complaint.called_at, complaint.called_on) == ("2020-01-01T23:00:00.000000Z", date(2020, 1, 2))


def test_what_is_left_out_has_its_default() -> None:
    filing, _ = parse(NumberFiled, number_filed().fields)
    assert filing is not None
    assert (filing.outbound_undertaking, filing.decision_id, filing.justification) == (False, None, None)
    entry, _ = parse(ListEntryMade, {**listed().fields, "basis": None})
    assert entry is not None
    assert entry.basis == ()


# ── effectiveOn and historical ───────────────────────────────────────────────────────────────────────────────────


def test_effective_on_is_by_default_the_legal_date_of_recording() -> None:
    for now, legal in (
        (datetime(2026, 5, 31, 15, 59, 59, tzinfo=UTC), date(2026, 5, 31)),
        (datetime(2026, 5, 31, 16, tzinfo=UTC), date(2026, 6, 1)),
    ):
        for fields in (renamed().fields, {**renamed().fields, "effectiveOn": None}):
            made, _ = command("enterpriseRenamed", fields, now)
            assert made is not None
            assert made.effective_on == legal


def test_effective_on_lies_at_most_366_days_ahead_and_in_any_past() -> None:
    last = TODAY + timedelta(days=366)
    assert paths(renamed(last.isoformat())) == set()
    assert paths(renamed((last + timedelta(days=1)).isoformat())) == {"effectiveOn"}
    assert paths(renamed("1949-01-01")) == set()
    assert paths(renamed("1948-12-31")) == {"effectiveOn"}


@pytest.mark.parametrize("value", ["2020-02-30", "20200618", "tomorrow", "", 0, True, []])
def test_effective_on_is_a_date(value: object) -> None:
    assert paths(Stated("enterpriseRenamed", {**renamed().fields, "effectiveOn": value})) == {"effectiveOn"}


@pytest.mark.parametrize("value", [0, 1, "true", []])
def test_historical_is_a_flag(value: object) -> None:
    assert paths(filed(historical=value)) == {"historical"}


def test_a_fact_is_live_unless_it_is_said_to_be_historical() -> None:
    for value, historical in ((None, False), (False, False), (True, True)):
        made, _ = command(*filed(historical=value), NOW)
        assert made is not None
        assert made.historical is historical


@pytest.mark.parametrize("name", ["licenceGranted", "numberFiled", "accessGranted"])
def test_a_historical_fact_has_no_decision_and_no_justification(name: str) -> None:
    assert paths(with_(name, historical=True)) == {"decisionId", "justification"}
    assert paths(with_(name, historical=True, decisionId=None)) == {"justification"}
    assert paths(with_(name, historical=True, justification=None)) == {"decisionId"}
    assert paths(with_(name, historical=False)) == set()


# ── between the fields of one fact ───────────────────────────────────────────────────────────────────────────────


def test_a_licence_may_end_on_the_day_it_begins_and_not_before() -> None:
    assert paths(granted(validFrom="2020-06-18", validTo="2020-06-18")) == set()
    assert paths(granted(validFrom="2020-06-18", validTo="2020-06-17")) == {"validTo"}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"kinds": ["FINE"]}, {"fine"}),
        ({"kinds": ["FINE"], "fine": "0"}, {"fine"}),
        ({"kinds": ["FINE"], "fine": "0.00"}, {"fine"}),
        ({"kinds": ["FINE"], "fine": "0.01"}, set()),
        ({"kinds": ["FINE"], "fine": 1}, set()),
        ({"kinds": ["CONFISCATION"]}, {"confiscated"}),
        ({"kinds": ["CONFISCATION"], "confiscated": "0"}, set()),
        ({"kinds": ["CONFISCATION", "FINE"]}, {"fine", "confiscated"}),
        ({"kinds": ["WARNING"], "fine": "5", "confiscated": "5"}, set()),
        ({"kinds": ["WARNING"], "fine": "0"}, set()),
    ],
)
def test_a_fine_needs_an_amount_above_0_and_a_confiscation_any_amount(fields: Fields, expected: set[str]) -> None:
    assert paths(punished(**fields)) == expected


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, {""}),
        ({"carriers": None, "use": None, "directions": None, "outboundUndertaking": None}, {""}),
        ({"carriers": ["CHINA_UNICOM"]}, set()),
        ({"use": "热线"}, set()),
        ({"directions": "INBOUND"}, set()),
        ({"outboundUndertaking": False}, set()),
        ({"outboundUndertaking": True}, set()),
        ({"carriers": []}, {"carriers"}),
        ({"use": ""}, {"use"}),
    ],
)
def test_an_amendment_gives_at_least_one_field(fields: Fields, expected: set[str]) -> None:
    assert paths(amended(**fields)) == expected


def test_a_call_is_not_after_its_recording() -> None:
    assert paths(complained(calledAt="2026-06-01T02:00:00Z")) == set()
    assert paths(complained(calledAt="2026-06-01T10:00:00+08:00")) == set()
    assert paths(complained(calledAt="2026-06-01T02:00:00.000001Z")) == {"calledAt"}
    assert paths(complained(calledAt="2026-06-01T10:00:01+08:00")) == {"calledAt"}


@pytest.mark.parametrize(
    ("stated", "path"),
    [
        (with_("selfReportFiled", campaign=2019), "campaign"),
        (with_("selfReportFiled", campaign=2021), "campaign"),
        (with_("licenceGranted", business="B24-2"), "business"),
        (with_("annualReportFiled", year=1948), "year"),
        (with_("rulebookAdopted", sha256="A" * 64), "sha256"),
        (registered(province="71"), "province"),
        (registered(name="甲" * 201), "name"),
        (registered(legalRepresentative=""), "legalRepresentative"),
        (licence_refused(falseMaterial="yes"), "falseMaterial"),
        (licensed(licenceNo="L\u200b1"), "licenceNo"),
        (licensed(licenceNo="x" * 65), "licenceNo"),
        (listed(entryId="E\n1"), "entryId"),
        (complained(displayedNumber="x" * 65), "displayedNumber"),
        (complained(uscc="91110000100012345M"), "uscc"),
        (inspected(drawId="R\u2028\u0031"), "drawId"),
        (punished(inspectionId="x" * 65), "inspectionId"),
        (with_("accessGranted", contractNo="K\0"), "contractNo"),
    ],
)
def test_values_that_their_field_does_not_allow(stated: Stated, path: str) -> None:
    assert paths(stated) == {path}
