"""The events of rulebook §3: the table typed out, and domain.events held against it."""

from typing import get_type_hints

import msgspec
import pytest

from domain import events
from domain.events import EVENTS, RECORDABLE, Event
from domain.shape import Field, fields_of
from domain.vocabulary import Area
from given import EVERY_EVENT

# area · event · fields. “?”: may be left out; “…”: a list; “!”: personal; a capital word after “:” is its scalar or enum.
# E: needs an earlier registration; G: live only with a gate decision; L: the ledger makes it.
TABLE = """
REGISTER   EnterpriseRegistered    .   uscc:USCC name:String province:String legalRepresentative?!:String
REGISTER   EnterpriseRenamed       E   uscc:USCC name:String
LICENCE    SiteInspected           E   uscc:USCC authority:String result:SiteResult note?:String
LICENCE    LicenceGranted          EG  uscc:USCC licenceNo:String authority:String business:String route:LicenceRoute provinces…:String validFrom:Date validTo:Date decisionId?:String justification?:String
LICENCE    LicenceRefused          E   uscc:USCC authority:String reasons:String falseMaterial:Boolean
LICENCE    LicenceRenewed          E   uscc:USCC licenceNo:String validTo:Date
LICENCE    LicenceRevoked          E   uscc:USCC licenceNo:String authority:String documentNo?:String reason:String
LICENCE    LicenceAnnulled         E   uscc:USCC licenceNo:String authority:String documentNo?:String reason:String
LICENCE    LicenceCancelled        E   uscc:USCC licenceNo:String authority:String documentNo?:String reason:String
NUMBER     NumberFiled             EG  uscc:USCC number:ServiceNumber carriers…+:String use:String directions:Directions outboundUndertaking?:Boolean decisionId?:String justification?:String
NUMBER     NumberFilingAmended     E   uscc:USCC number:ServiceNumber carriers…+?:String use?:String directions?:Directions outboundUndertaking?:Boolean
NUMBER     NumberWithdrawn         E   uscc:USCC number:ServiceNumber authority:String reason:String
ACCESS     AccessGranted           EG  uscc:USCC accessId:String carrier:String number:ServiceNumber directions:Directions contractNo:String decisionId?:String justification?:String
ACCESS     AccessRestricted        E   uscc:USCC accessId:String carrier:String reason:String
ACCESS     AccessRestored          E   uscc:USCC accessId:String carrier:String reason:String
ACCESS     AccessTerminated        E   uscc:USCC accessId:String carrier:String reason:String
COMPLAINT  ComplaintReceived       .   complaintId:String channel:ComplaintChannel displayedNumber:String calledAt:DateTime category:ComplaintCategory complainantPhone?!:String summary?!:String uscc?:USCC
COMPLAINT  ComplaintResolved       .   complaintId:String outcome:ComplaintOutcome
CONDUCT    InspectionHeld          E   uscc:USCC inspectionId:String authority:String manner:InspectionManner violations…:Violation drawId?:String note?:String
CONDUCT    SelfReportFiled         E   uscc:USCC campaign:Int note?:String
INTERVIEW  InterviewHeld           E   uscc:USCC authority:String caseId:String topics:String becauseOf:Cause inspectionId?:String
INTERVIEW  RectificationOrdered    E   uscc:USCC orderId:String authority:String demands:String dueOn:Date inspectionId?:String
INTERVIEW  RectificationConfirmed  E   uscc:USCC orderId:String
EXPOSURE   ExposurePublished       E   uscc:USCC exposureId:String authority:String channel:String url?:String becauseOf:Cause inspectionId?:String
EXPOSURE   ExposureRetracted       E   uscc:USCC exposureId:String reason:String
PENALTY    PenaltyImposed          E   uscc:USCC documentNo:String authority:String kinds…+:PenaltyKind fine?:Yuan confiscated?:Yuan violation:String basis:String becauseOf:Cause inspectionId?:String
PENALTY    PenaltyPublicised       E   uscc:USCC authority:String documentNo:String
PENALTY    PenaltyPerformed        E   uscc:USCC authority:String documentNo:String
PENALTY    PenaltyAnnulled         E   uscc:USCC authority:String documentNo:String reason:String
LIST       ListEntryMade           E   uscc:USCC entryId:String list:CreditList authority:String ground:ListGround basis…?:Position
LIST       ListEntryRemoved        E   uscc:USCC entryId:String authority:String ground:RemovalGround
REPORT     AnnualReportDemanded    E   uscc:USCC year:Int authority:String dueOn:Date
REPORT     AnnualReportFiled       E   uscc:USCC year:Int
LEDGER     EventVoided             .   position:Position reason:String
LEDGER     RulebookAdopted         .   version:String inForceFrom:Date sha256:String
LEDGER     GateDecided             L   -
LEDGER     InspectionDrawn         L   -
LEDGER     SubjectErased           L   -
"""
ROWS = [line.split() for line in TABLE.strip().splitlines()]

VOCABULARIES = """
Directions        INBOUND INBOUND_AND_OUTBOUND
LicenceRoute      STANDARD COMMITMENT
SiteResult        PASSED FAILED
ComplaintChannel  HOTLINE_12321 HOTLINE_12381 HOTLINE_12300 CARRIER OTHER
ComplaintCategory HARASSING MARKETING NO_CONSENT SPOOFED_NUMBER PRIVACY OTHER
ComplaintOutcome  SUBSTANTIATED UNSUBSTANTIATED WITHDRAWN
InspectionManner  RANDOM TARGETED COMPLAINT
Violation         MARKETING_OUTBOUND NO_CONSENT RECORDS_NOT_KEPT TRUNK_SUBLET NUMBER_TRANSFERRED NUMBER_ALTERED UNFILED_NUMBER PERSONAL_DATA OTHER
Cause             HARASSING_CALLS OTHER
PenaltyKind       WARNING CRITICISM FINE CONFISCATION LICENCE_SUSPENDED QUALIFICATION_LOWERED LICENCE_REVOKED ACTIVITY_RESTRICTED BUSINESS_SUSPENDED CLOSURE BARRED OTHER
CreditList        ADVERSE DISHONESTY
ListGround        ANNUAL_REPORT PENALTY HARASSING_CALLS FALSE_MATERIAL UNPERFORMED_PENALTY OTHER
RemovalGround     PERIOD_ENDED DUTY_PERFORMED BASIS_ANNULLED REPAIRED ERROR
"""


def as_written(field: Field) -> str:
    marks = "…" * field.many + "+" * (field.at_least > 0) + "?" * (not field.required) + "!" * field.personal
    return f"{field.sent_as}{marks}:{field.scalar}"


def test_the_events_are_those_of_the_table_in_its_order() -> None:
    assert sorted(EVENTS) == sorted(row[1] for row in ROWS)
    assert {name: cls.area for name, cls in EVENTS.items()} == {row[1]: Area(row[0]) for row in ROWS}


@pytest.mark.parametrize("row", [row for row in ROWS if "L" not in row[2]], ids=lambda row: row[1])
def test_an_event_has_the_fields_of_its_row(row: list[str]) -> None:
    assert sorted(as_written(field) for field in fields_of(EVENTS[row[1]])) == sorted(row[3:])


def test_the_marks_of_the_table_are_those_of_the_events() -> None:
    for _, name, marks, *_ in ROWS:
        cls = EVENTS[name]
        assert (name, cls.by_enterprise, cls.gated, cls.by_ledger) == (name, "E" in marks, "G" in marks, "L" in marks)


def test_a_client_may_record_all_but_what_the_ledger_makes() -> None:
    assert sorted(RECORDABLE) == sorted(row[1][0].lower() + row[1][1:] for row in ROWS if "L" not in row[2])
    assert all(RECORDABLE[name].__name__ == name[0].upper() + name[1:] for name in RECORDABLE)
    assert sorted(EVERY_EVENT) == sorted(RECORDABLE)


def test_the_vocabularies_are_those_of_the_table() -> None:
    used = {
        field.vocabulary.__name__: field.vocabulary
        for cls in RECORDABLE.values()
        for field in fields_of(cls)
        if field.vocabulary
    }
    written = {name: values for name, *values in (line.split() for line in VOCABULARIES.strip().splitlines())}
    assert {name: [member.value for member in each] for name, each in used.items()} == written
    assert all(member.name == member.value for each in used.values() for member in each)


def test_the_ledger_adds_type_and_enterprise_to_a_void() -> None:
    names = [field.encode_name for field in msgspec.structs.fields(events.EventVoided)]
    assert sorted(names) == ["position", "reason", "type", "uscc"]


def test_what_the_ledger_makes_says_what_sections_5_and_9_ask_for() -> None:
    named = {
        cls.__name__: {field.encode_name for field in msgspec.structs.fields(cls)}
        for cls in (events.GateDecided, events.InspectionDrawn, events.SubjectErased)
    }
    assert named["GateDecided"] >= {
        *("decisionId", "request", "asOf", "knownAt", "rulebook", "outcome", "reasons", "requestedBy", "uscc", "gate"),
    }
    assert named["InspectionDrawn"] >= {"drawId", "request", "asOf", "knownAt", "root", "poolSize", "drawn"}
    assert named["SubjectErased"] >= {"subject", "requestedBy", "ground"}


def test_every_event_is_frozen_versioned_and_named_in_chinese() -> None:
    for cls in EVENTS.values():
        assert cls.__struct_config__.frozen
        assert cls.schema_version >= 1
        assert any("\u4e00" <= character <= "\u9fff" for character in (cls.__doc__ or "").splitlines()[0])
        assert set(get_type_hints(cls)) >= set(cls.__struct_fields__)
    assert Event.__struct_config__.frozen
