"""What events say in an object-centric log: objects, their roles and relations, and what changes of them when."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any, Final

import pytest

from caseledger.ocel import ALWAYS, LINKS, OBJECT_TYPES, attributes_of, time_of
from domain.events import EVENTS
from domain.identifiers import instant_text, legal_date_of
from given import (
    A,
    B,
    access,
    accessed,
    amended,
    complained,
    filed,
    inspected,
    interviewed,
    licensed,
    listed,
    punished,
    registered,
    renamed,
    renewed,
    resolved,
    unlisted,
    voided,
)
from ledger.sealing import personal_names
from ocel_logs import Log, exported
from running import System, started

DOCUMENT: Final = "京通罚〔2020〕1号"
STORY: Final = (
    registered("2019-01-01", name="甲", legalRepresentative="司马光明"),  # 5
    registered("2019-01-01", name="邻", uscc=B),
    renamed("2020-05-01", name="丙"),  # 7
    renamed("2019-06-01", name="乙"),
    licensed("2019-02-01"),  # 9
    renewed("2022-01-01"),
    filed("2019-03-01"),  # 11
    amended("2020-07-01", carriers=["CHINA_UNICOM"]),
    accessed("2019-04-01"),  # 13
    access("Restricted", "2020-02-01"),
    complained("2020-01-03", displayedNumber="9501288", complainantPhone="13800001111"),  # 15
    complained("2020-01-03", complaintId="C-2", uscc=B),
    complained("2020-01-03", complaintId="C-3", displayedNumber="12345"),  # 17
    resolved("2020-01-20"),
    inspected("2020-02-20"),  # 19
    interviewed("2020-03-01", inspectionId="I-1"),
    punished("2020-04-01", inspectionId="I-1", kinds=["FINE", "WARNING"], fine="10000.50"),  # 21
    listed("2020-04-10", basis=[21, 20]),
    unlisted("2021-04-10"),  # 23
    listed("2020-05-05", entryId="E-2"),
    voided(24),  # 25
)
ENTERPRISE: Final = f"enterprise:{A}"


@pytest.fixture(scope="module")
def system(database: str) -> Iterator[System]:
    with started(database) as system:
        system.known(*STORY)
        yield system


@pytest.fixture(scope="module")
def log(system: System, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Log]:
    found = exported(system, tmp_path_factory.mktemp("ocel") / "log.sqlite")
    yield found
    found.database.close()


def roles(log: Log, position: int) -> set[tuple[str, str]]:
    """The objects of an event, each with its role."""
    query = "SELECT ocel_object_id, ocel_qualifier FROM event_object WHERE ocel_event_id = ?"
    return set(log.rows(query, f"event:{position}"))


def related(log: Log, object_: str) -> set[tuple[str, str]]:
    query = "SELECT ocel_qualifier, ocel_target_id FROM object_object WHERE ocel_source_id = ?"
    return set(log.rows(query, object_))


def history(log: Log, type_: str, object_: str, attribute: str) -> list[tuple[str, Any]]:
    """The values of an object's attribute, each with the time from which it holds, in the order of time."""
    query = f'SELECT ocel_time, "{attribute}" FROM "object_{type_}" WHERE ocel_id = ? AND "{attribute}" IS NOT NULL'
    return log.rows(f"{query} ORDER BY ocel_time", object_)


def stated(log: Log, type_: str, position: int, *names: str) -> tuple[Any, ...]:
    columns = ", ".join(f'"{name}"' for name in names)
    return log.rows(f'SELECT {columns} FROM "event_{type_}" WHERE position = ?', position)[0]


def test_an_event_happens_at_midnight_in_shanghai_and_its_position_in_microseconds_later(
    log: Log, system: System
) -> None:
    assert stated(log, "EnterpriseRegistered", 5, "ocel_time", "effectiveOn", "recordedAt") == (
        "2018-12-31T16:00:00.000005Z",
        "2019-01-01",
        instant_text(system.log()[4].recorded_at),
    )


def test_times_order_events_as_the_rules_read_them(log: Log, system: System) -> None:
    tables = " UNION ALL ".join(f'SELECT ocel_id, ocel_time FROM "{table}"' for table in log.typed("event"))
    found = [id_ for id_, _ in log.rows(f"SELECT * FROM ({tables}) ORDER BY ocel_time")]
    legal = sorted(system.log(), key=lambda event: (event.effective_on, event.position))
    assert found == [f"event:{event.position}" for event in legal if event.position != 24]


@pytest.mark.parametrize(
    ("on", "position", "time"),
    [
        (date(1991, 7, 1), 0, "1991-06-30T16:00:00.000000Z"),  # summer time is no part of a legal date
        (date(9999, 12, 31), 10**9, "9999-12-30T16:16:40.000000Z"),
    ],
)
def test_a_time_is_one_of_utc_and_has_microseconds(on: date, position: int, time: str) -> None:
    assert time_of(on, position) == time


def test_what_was_voided_never_was_and_the_void_is_there(log: Log) -> None:
    assert log.rows("SELECT ocel_id FROM event WHERE ocel_id = 'event:24'") == []
    assert log.rows("SELECT ocel_id FROM object WHERE ocel_id = 'entry:E-2'") == []
    assert roles(log, 25) == {(ENTERPRISE, "enterprise")}
    assert stated(log, "EventVoided", 25, "voidedPosition", "voidedType", "reason") == (24, "ListEntryMade", "误录")
    assert log.counts.voided == 1


def test_a_log_that_ends_before_the_void_has_what_was_voided_later(system: System, tmp_path: Any) -> None:
    earlier = exported(system, tmp_path / "earlier.sqlite", upto=24)
    assert roles(earlier, 24) == {("entry:E-2", "entry"), (ENTERPRISE, "enterprise")}
    assert earlier.counts.voided == 0


def test_names_change_on_their_dates_however_late_they_were_recorded(log: Log) -> None:
    assert history(log, "Enterprise", ENTERPRISE, "name") == [
        ("2018-12-31T16:00:00.000005Z", "甲"),
        ("2019-05-31T16:00:00.000008Z", "乙"),
        ("2020-04-30T16:00:00.000007Z", "丙"),
    ]


def test_an_enterprise_has_its_credit_status_by_dates(log: Log) -> None:
    assert history(log, "Enterprise", ENTERPRISE, "creditStatus") == [
        (ALWAYS, "UNKNOWN"),
        ("2018-12-31T16:00:00.000000Z", "GOOD"),
        ("2020-02-29T16:00:00.000000Z", "WATCH"),
        ("2020-04-09T16:00:00.000000Z", "ADVERSE"),
        ("2021-04-09T16:00:00.000000Z", "GOOD"),
    ]


def test_statuses_are_those_from_the_first_day_of_the_standard_to_that_of_the_last_entry(
    database: str, tmp_path: Any
) -> None:
    with started(database) as system:
        system.clock.now = datetime.now(UTC)
        today = str(legal_date_of(system.clock.now))
        system.known(registered("2019-01-01"), interviewed(today), registered("1958-05-01", uscc=B))
        log = exported(system, tmp_path / "log.sqlite")
        found = history(log, "Enterprise", ENTERPRISE, "creditStatus")
        assert [status for _, status in found] == ["UNKNOWN", "GOOD", "WATCH"]
        assert [span["status"] for span in _timeline(system)] == ["UNKNOWN", "GOOD", "WATCH", "GOOD"]
        assert history(log, "Enterprise", f"enterprise:{B}", "creditStatus") == [(ALWAYS, "GOOD")]


def _timeline(system: System) -> Any:
    return system.ask(f'{{ creditStatus(uscc: "{A}") {{ timeline {{ status }} }} }}')["creditStatus"]["timeline"]


def test_an_enterprise_may_be_left_without_its_status(system: System, tmp_path: Any) -> None:
    log = exported(system, tmp_path / "log.sqlite", without=[A])
    assert history(log, "Enterprise", ENTERPRISE, "creditStatus") == []
    assert history(log, "Enterprise", f"enterprise:{B}", "creditStatus") != []


def test_what_never_changes_of_an_object_holds_always(log: Log) -> None:
    assert history(log, "Enterprise", ENTERPRISE, "province") == [(ALWAYS, "11")]
    assert history(log, "Licence", "licence:L-1", "validFrom") == [(ALWAYS, "2018-01-01")]
    assert history(log, "Penalty", f"penalty:CA-11:{DOCUMENT}", "fine") == [(ALWAYS, 10000.5)]
    assert history(log, "Penalty", f"penalty:CA-11:{DOCUMENT}", "kinds") == [(ALWAYS, "FINE,WARNING")]


def test_objects_change_with_what_happens_to_them(log: Log) -> None:
    assert [value for _, value in history(log, "Licence", "licence:L-1", "validTo")] == ["2027-12-31", "2030-12-31"]
    assert [value for _, value in history(log, "Access", "access:A-1", "status")] == ["GRANTED", "RESTRICTED"]
    assert [value for _, value in history(log, "ListEntry", "entry:E-1", "status")] == ["ACTIVE", "REMOVED"]
    assert [value for _, value in history(log, "Complaint", "complaint:C-1", "status")] == ["RECEIVED", "SUBSTANTIATED"]
    carriers = history(log, "Number", "number:95012", "carriers")
    assert [value for _, value in carriers] == ["CHINA_TELECOM,CHINA_MOBILE", "CHINA_UNICOM"]


def test_objects_are_related_as_they_are(log: Log) -> None:
    assert related(log, "licence:L-1") == {("licence of", ENTERPRISE)}
    assert related(log, "number:95012") == {("number of", ENTERPRISE)}
    assert related(log, "access:A-1") == {("access of", ENTERPRISE), ("access to number", "number:95012")}
    assert related(log, "case:CA-11:Y-1") == {("case of", ENTERPRISE), ("follows", "inspection:I-1")}
    assert related(log, f"penalty:CA-11:{DOCUMENT}") == {("penalty of", ENTERPRISE), ("follows", "inspection:I-1")}


def test_an_entry_rests_on_what_its_basis_made(log: Log) -> None:
    basis = {f"penalty:CA-11:{DOCUMENT}", "case:CA-11:Y-1"}
    assert roles(log, 22) == {("entry:E-1", "entry"), (ENTERPRISE, "enterprise"), *((each, "basis") for each in basis)}
    assert related(log, "entry:E-1") == {("entry of", ENTERPRISE), *(("rests on", each) for each in basis)}


def test_a_complaint_is_about_whom_it_belongs_to_and_by_the_number_that_says_so(log: Log) -> None:
    assert related(log, "complaint:C-1") == {("complaint about", ENTERPRISE), ("call from number", "number:95012")}
    assert related(log, "complaint:C-2") == {("complaint about", f"enterprise:{B}")}
    assert related(log, "complaint:C-3") == set()
    assert roles(log, 17) == {("complaint:C-3", "complaint")}
    assert roles(log, 18) == {("complaint:C-1", "complaint"), (ENTERPRISE, "enterprise")}


def test_a_decision_is_related_to_what_it_was_about_and_what_was_done_on_it(told: System, tmp_path: Any) -> None:
    log = exported(told, tmp_path / "log.sqlite")
    ((access, decision),) = log.rows(
        "SELECT ocel_source_id, min(ocel_target_id) FROM object_object"
        " WHERE ocel_qualifier = 'granted on' AND ocel_source_id LIKE 'access:%' GROUP BY 1 LIMIT 1"
    )
    ((number,),) = log.rows(
        "SELECT ocel_target_id FROM object_object WHERE ocel_source_id = ? AND ocel_qualifier = 'access to number'",
        access,
    )
    assert related(log, decision) >= {("decision on number", number), ("decided under", "rulebook:2026.1")}
    assert {qualifier for qualifier, _ in related(log, decision)} == {
        "decision about", "decision on number", "decided under",
    }  # fmt: skip


def test_a_draw_names_whom_it_drew(told: System, tmp_path: Any) -> None:
    log = exported(told, tmp_path / "log.sqlite")
    found = log.rows("SELECT ocel_qualifier FROM event_object JOIN event_InspectionDrawn ON ocel_id = ocel_event_id")
    assert sorted(role for (role,) in found) == ["draw", "drawn", "drawn"]


def test_objects_of_which_the_beginning_is_not_told_have_their_id_alone(system: System, tmp_path: Any) -> None:
    later = exported(system, tmp_path / "later.sqlite", after=20)
    assert later.counts.events == 4
    row = later.rows('SELECT uscc, province, name FROM "object_Enterprise" WHERE ocel_changed_field IS NULL')
    assert row == [(A, None, None)]
    assert later.rows("PRAGMA foreign_key_check") == []
    assert related(later, "entry:E-1") == {("entry of", ENTERPRISE), ("rests on", f"penalty:CA-11:{DOCUMENT}")}


@pytest.mark.parametrize("name", EVENTS)
def test_every_field_but_personal_ones_and_lists_of_objects_is_an_attribute_once(name: str) -> None:
    names = [each.name for each in attributes_of(EVENTS[name])]
    assert len({each.lower() for each in names}) == len(names)
    assert not {each.replace("_", "").lower() for each in personal_names(EVENTS[name])} & {
        each.lower() for each in names
    }


def test_types_of_objects_have_names_roles_and_attributes_of_their_own() -> None:
    assert len({each.name for each in OBJECT_TYPES}) == len({each.own for each in OBJECT_TYPES}) == len(OBJECT_TYPES)
    for each in OBJECT_TYPES:
        names = [column.name.lower() for column in each.columns]
        assert len(set(names)) == len(names), each.name
    assert {source for source, _ in LINKS} | {target for _, target in LINKS} == set(OBJECT_TYPES)
