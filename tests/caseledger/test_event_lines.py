"""CloudEvents in JSON Lines, read: what each becomes, and why one is refused."""

import io
import json
from typing import Any

import pytest

from caseledger.event_lines import EVENT_LINES, fits, item_of
from caseledger.formats import format_of
from caseledger.items import Item
from caseledger.lines import Line, Source
from given import A, granted, voided

LEDGER = "tag:caseledger,2026:log/caseledger/0123456789ab"
EVENT: dict[str, Any] = {
    "specversion": "1.0", "id": "1", "source": "/intake", "type": "caseledger.EnterpriseRenamed",
    "data": {"uscc": A, "name": "某公司"},
}  # fmt: skip


def read(without: str | None = None, **given: Any) -> Item:
    event = {name: value for name, value in {**EVENT, **given}.items() if name != without}
    return item_of(Line(7, json.dumps(event).encode()))


def refused(item: Item) -> set[tuple[str, str]]:
    assert item.facts == ()
    assert all(each.text.zh and each.text.en for each in item.refusals)
    return {(each.code.value, each.path) for each in item.refusals}


@pytest.mark.parametrize(
    ("beginning", "is_one"),
    [
        (json.dumps(EVENT).encode(), True),
        (b"\xef\xbb\xbf \n" + json.dumps(EVENT).encode(), True),
        (b'{"enterpriseRenamed": {}}\n' + json.dumps(EVENT).encode(), False),
        (b'[{"specversion": "1.0"}]', False),
        (b"", False),
    ],
)
def test_a_file_is_told_by_the_version_in_its_first_line(beginning: bytes, is_one: bool) -> None:
    assert fits(beginning) is is_one


def test_a_fact_of_another_program_is_as_it_states_it() -> None:
    live = granted(decisionId="D-1", justification="已核实").fields
    item = read(type="caseledger.LicenceGranted", data=live)
    assert item.facts == (("licenceGranted", live),)
    assert (item.number, item.unique, item.origin) == (7, True, "/intake")
    assert read(type="caseledger.EventVoided", data=voided(9).fields).facts[0][1]["position"] == 9


def test_a_fact_of_a_ledger_that_rested_on_its_decision_is_one_of_the_past() -> None:
    live = granted(decisionId="D-1", justification="已核实").fields
    ((name, fact),) = read(source=LEDGER, type="caseledger.LicenceGranted", data=live).facts
    assert name == "licenceGranted"
    assert fact == {k: v for k, v in live.items() if k not in ("decisionId", "justification")} | {"historical": True}


@pytest.mark.parametrize(
    ("time", "on"),
    [
        ("2020-01-01T15:59:59Z", "2020-01-01"),
        ("2020-01-01T16:00:00Z", "2020-01-02"),
        ("2020-01-01T00:00:00+08:00", "2020-01-01"),
    ],
)
def test_the_day_of_effect_is_that_of_the_time_in_china_unless_the_data_state_one(time: str, on: str) -> None:
    assert read(time=time).facts[0][1]["effectiveOn"] == on
    stated = read(time=time, data={**EVENT["data"], "effectiveOn": "2018-01-01"})
    assert stated.facts[0][1]["effectiveOn"] == "2018-01-01"
    assert "effectiveOn" not in read().facts[0][1]


@pytest.mark.parametrize(
    ("type_", "recorded_by"),
    [
        ("GateDecided", "regulator:MIIT:x"),
        ("SubjectErased", "x"),
        ("InspectionDrawn", "x"),
        ("RulebookAdopted", "ledger"),
    ],
)
def test_what_another_ledger_made_by_itself_is_passed_over(type_: str, recorded_by: str) -> None:
    item = read(source=LEDGER, type=f"caseledger.{type_}", recordedby=recorded_by)
    assert (item.facts, item.refusals) == ((), ())


def test_a_position_of_another_ledger_is_that_of_the_event_that_refs_name() -> None:
    void = {"source": LEDGER, "type": "caseledger.EventVoided"}
    data = {**voided(9).fields, "type": "EnterpriseRenamed", "uscc": A}
    item = read(**void, data=data, refs="8=x 9=an-id")
    assert item.facts == (("eventVoided", voided(9).fields),)
    assert {at: json.loads(content) for at, content in item.rests_on.items()} == {9: {"id": "an-id", "source": LEDGER}}
    assert refused(read(**void, data=data)) == {("INVALID", "refs")}
    assert refused(read(**void, data=data, refs="99=an-id")) == {("INVALID", "refs")}


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ({"without": "specversion"}, "specversion"),
        ({"specversion": "0.3"}, "specversion"),
        ({"specversion": 1}, "specversion"),
        ({"without": "id"}, "id"),
        ({"without": "source"}, "source"),
        ({"without": "type"}, "type"),
        ({"id": ""}, "id"),
        ({"source": 5}, "source"),
        ({"time": "2020-01-01"}, "time"),
        ({"time": "yesterday"}, "time"),
        ({"type": "com.example.thing"}, "type"),
        ({"type": "caseledger.NoSuchThing"}, "type"),
        ({"type": "caseledger.GateDecided"}, "type"),
        ({"without": "data"}, "data"),
        ({"data": "text"}, "data"),
        ({"data": [1]}, "data"),
        ({"data_base64": "e30="}, "data_base64"),
        ({"without": "data", "data_base64": "e30="}, "data_base64"),
        ({"datacontenttype": "application/xml"}, "datacontenttype"),
        ({"dataschema": "tag:caseledger,2026:schema/EnterpriseRenamed/9"}, "dataschema"),
        ({"recordedby": {"x": 1}}, "recordedby"),
    ],
)
def test_what_is_no_event_that_can_be_taken_is_refused_by_its_attribute(given: dict[str, Any], path: str) -> None:
    assert refused(read(**given)) == {("INVALID", path)}


def test_all_that_is_wrong_with_an_event_is_said_at_once() -> None:
    item = item_of(Line(1, b'{"specversion": "1.0", "type": "x", "time": 5}'))
    assert {path for _, path in refused(item)} == {"id", "source", "type", "time", "data"}


@pytest.mark.parametrize("line", [b"5", b'"text"', b"[]", b"{", b"null", b"{" * 100])
def test_a_line_that_is_no_object_is_refused_and_told_as_it_is(line: bytes) -> None:
    assert refused(item_of(Line(3, line))) == {("INVALID", "")}


@pytest.mark.parametrize(
    "type_", ["application/json", "text/json; charset=utf-8", "application/vnd.x+json", "APPLICATION/JSON"]
)
def test_every_media_type_of_json_is_taken(type_: str) -> None:
    assert read(datacontenttype=type_).facts


def test_data_of_an_older_version_are_read_as_of_todays() -> None:
    schema = "tag:caseledger,2026:schema/EnterpriseRegistered/1"
    data = {"uscc": A, "name": "某公司", "province": "11"}
    assert read(type="caseledger.EnterpriseRegistered", dataschema=schema, data=data).facts[0][1] == data


def test_the_format_is_found_by_its_beginning_and_by_its_name() -> None:
    source = Source("a", io.BufferedReader(io.BytesIO(json.dumps(EVENT).encode())))
    assert format_of(None, source) is format_of("cloudevents", source) is EVENT_LINES
    assert [each.facts for each in EVENT_LINES.items(source)] == [(("enterpriseRenamed", EVENT["data"]),)]
