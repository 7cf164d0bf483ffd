"""Every event has a GraphQL type and, if clients may record it, an input; both are made from its class."""

from datetime import datetime
from typing import Any

import pytest
from graphql import GraphQLInputObjectType, GraphQLInterfaceType, GraphQLNonNull, GraphQLObjectType

from api.event_types import OWN_NAMES, shown_data
from api.schema import SCHEMA, published
from domain.events import EVENTS, RECORDABLE, Event
from domain.shape import Field, fields_of
from given import (
    EVERY_EVENT,
    A,
    Stated,
    access,
    accessed,
    complained,
    confirmed,
    ended,
    exposed,
    filed,
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
    retracted,
    unlisted,
    voided,
    withdrawn,
)
from running import ADOPTED, RECORD, System

TYPES = SCHEMA._schema.type_map


def interface() -> GraphQLInterfaceType:
    found = TYPES["LedgerEvent"]
    assert isinstance(found, GraphQLInterfaceType)
    return found


def type_of(name: str) -> GraphQLObjectType:
    found = TYPES[name]
    assert isinstance(found, GraphQLObjectType)
    return found


def input_of(name: str) -> GraphQLInputObjectType:
    found = TYPES[name]
    assert isinstance(found, GraphQLInputObjectType)
    return found


def shown_name(field: Field) -> str:
    own = OWN_NAMES.get(field.name)
    return own[0] + own.title().replace("_", "")[1:] if own else field.sent_as


@pytest.mark.parametrize("name", EVENTS)
def test_every_event_has_a_type_that_implements_ledger_event(name: str) -> None:
    found = type_of(name)
    assert interface() in found.interfaces
    assert set(interface().fields) <= set(found.fields)


@pytest.mark.parametrize("name", EVENTS)
def test_a_type_shows_each_field_of_its_event(name: str) -> None:
    own = {field for field in fields_of(EVENTS[name]) if field.name != "uscc"}
    names = {shown_name(field) if "position" in EVENTS[name].__struct_fields__ else field.sent_as for field in own}
    assert names <= set(type_of(name).fields)
    shown = type_of(name).fields
    for field in own:
        if (field.required or field.default is not None) and field.sent_as in names:
            assert isinstance(shown[field.sent_as].type, GraphQLNonNull), field.sent_as


@pytest.mark.parametrize("name", RECORDABLE)
def test_every_recordable_event_has_an_input_under_its_own_name(name: str) -> None:
    cls = RECORDABLE[name]
    assert str(input_of("FactInput").fields[name].type) == f"{cls.__name__}Input"
    found = input_of(f"{cls.__name__}Input").fields
    expected = {field.sent_as for field in fields_of(cls)} | {"effectiveOn"} | ({"historical"} if cls.gated else set())
    assert set(found) == expected
    for field in fields_of(cls):
        assert isinstance(found[field.sent_as].type, GraphQLNonNull) or not field.required, field.sent_as


@pytest.mark.parametrize("name", RECORDABLE)
def test_every_input_has_an_effective_date_and_gated_ones_whether_they_are_historical(name: str) -> None:
    found = input_of(f"{RECORDABLE[name].__name__}Input").fields
    assert str(found["effectiveOn"].type) == "Date"
    if RECORDABLE[name].gated:
        assert str(found["historical"].type) == "Boolean"
        assert found["historical"].default_value is False


def test_clients_have_no_input_for_what_the_ledger_makes() -> None:
    assert {cls.__name__ for cls in EVENTS.values() if cls.by_ledger} == {
        "GateDecided", "InspectionDrawn", "SubjectErased",
    }  # fmt: skip
    assert set(input_of("FactInput").fields) == set(RECORDABLE)
    assert "input FactInput @oneOf {" in published()


def life() -> list[Stated]:
    """A history in which every recordable event happens, each with all its fields."""
    every = EVERY_EVENT
    return [
        registered(legalRepresentative="张三"),
        every["enterpriseRenamed"],
        every["siteInspected"],
        licensed(provinces=["11", "31"]),
        every["licenceRefused"],
        renewed(),
        ended("Revoked", documentNo="文-1"),
        licensed(licenceNo="L-2"),
        ended("Annulled", licenceNo="L-2", documentNo="文-1"),
        ended("Cancelled", documentNo="文-1"),
        filed(outboundUndertaking=True),
        every["numberFilingAmended"],
        accessed(),
        access("Restricted"),
        access("Restored"),
        access("Terminated"),
        complained(complainantPhone="13800001111", summary="推销贷款", uscc=A),
        every["complaintResolved"],
        inspected(note="现场"),
        every["selfReportFiled"],
        every["interviewHeld"],
        ordered(inspectionId="I-1"),
        confirmed(),
        exposed(url="https://www.miit.gov.cn/", inspectionId="I-1"),
        retracted(),
        punished(kinds=["FINE", "CONFISCATION"], fine="100", confiscated="0.5", inspectionId="I-1"),
        penalty("Publicised"),
        penalty("Performed"),
        penalty("Annulled"),
        listed(basis=[ADOPTED + 1]),
        unlisted(),
        report_demanded(),
        report_filed(),
        withdrawn(),
        voided(ADOPTED + 2),
        every["rulebookAdopted"],
    ]


def typed(name: str) -> str:
    """A fragment of all fields of an event type, each under an alias of its own."""
    fields = (f"{name}_{field}: {field}" for field in type_of(name).fields if field not in interface().fields)
    return f"... on {name} {{ __typename {' '.join(fields)} }}"


def plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def test_each_event_is_shown_typed_and_as_data_as_it_was_recorded(system: System) -> None:
    facts = life()
    assert {RECORDABLE[fact.name].__name__ for fact in facts} == {cls.__name__ for cls in RECORDABLE.values()}
    system.known(*facts)
    common = "position id type area uscc effectiveOn recordedAt recordedBy historical data voidedBy leafHash"
    for recorded in system.log():
        query = f"query ($at: Position!) {{ ledger {{ event(position: $at) {{ {common} {typed(recorded.type)} }} }} }}"
        shown = system.ask(query, {"at": recorded.position}, key="officer")["ledger"]["event"]
        assert (shown["position"], shown["id"], shown["type"]) == (recorded.position, recorded.id, recorded.type)
        assert shown["__typename"] == recorded.type
        assert (shown["uscc"], shown["area"]) == (recorded.uscc, type(recorded.event).area.value)
        assert shown["effectiveOn"] == recorded.effective_on.isoformat()
        assert datetime.fromisoformat(shown["recordedAt"]) == recorded.recorded_at
        assert len(shown["recordedAt"]) == len("2020-06-18T01:30:00.000000Z")
        assert (shown["recordedBy"], shown["historical"]) == (recorded.recorded_by, recorded.historical)
        assert len(shown["leafHash"]) == 64
        (event,) = system.sealer.open([recorded])
        expected = shown_data(event, sees_personal=True)
        assert_typed(shown, event, expected)


def assert_typed(shown: dict[str, Any], event: Event, data: dict[str, Any]) -> None:
    """The typed fields and `data` say the same; a field that was not given is null and not in `data`."""
    assert shown["data"] == {name: plain(value) for name, value in data.items()}
    name = type(event).__name__
    typed_fields = {key.removeprefix(f"{name}_"): value for key, value in shown.items() if key.startswith(f"{name}_")}
    for field, value in typed_fields.items():
        stored = (
            {"voidedPosition": "position", "voidedType": "type"}.get(field, field) if name == "EventVoided" else field
        )
        assert value == plain(data.get(stored)), (name, field)


def test_amounts_are_shown_with_two_places_and_codes_in_capitals(system: System) -> None:
    fact = punished(uscc="9111 0000-100012345l", kinds=["FINE"], fine="2000")
    (_, event) = system.send(registered(), fact)["events"]
    assert (event["data"]["fine"], event["data"]["uscc"]) == ("2000.00", A)


def test_an_instant_is_shown_in_utc_with_microseconds(system: System) -> None:
    fact = complained(calledAt="2020-06-18T09:30:00.1234567+08:00")
    (event,) = system.send(fact)["events"]
    assert event["data"]["calledAt"] == "2020-06-18T01:30:00.123456Z"


def test_every_recordable_event_passes_its_input_with_every_field(system: System) -> None:
    for fact in EVERY_EVENT.values():
        sent = {"idempotencyKey": fact.name, "facts": [{fact.name: fact.fields}]}
        assert system.codes(RECORD, {"input": sent}) == [], fact.name
