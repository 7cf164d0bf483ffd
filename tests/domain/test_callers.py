"""Who records and who decides: the paragraph “Who records” of §3, as a table, both ways."""

from collections.abc import Callable
from typing import Any

import pytest

from domain.callers import Caller, Role, may_decide, may_preview, may_record, may_record_type
from domain.commands import Code, Refusal, command
from domain.events import EVENTS, RECORDABLE
from domain.requests import REQUESTS, CooperationRequest
from given import (
    EVERY_EVENT,
    NOW,
    A,
    Stated,
    access,
    access_granted,
    accessed,
    asks_access,
    asks_filing,
    asks_licence,
    assert_said_in_both_languages,
    filed,
    licensed,
)

ACCESSES = {"AccessGranted", "AccessRestricted", "AccessRestored", "AccessTerminated"}
COMPLAINTS = {"ComplaintReceived", "ComplaintResolved"}
LEDGERS = {"GateDecided", "InspectionDrawn", "SubjectErased"}
MAY = {
    Role.REGULATOR: set(EVENTS) - LEDGERS,
    Role.CARRIER: ACCESSES,
    Role.INTAKE: COMPLAINTS,
    Role.AUDITOR: set[str](),
    Role.PUBLIC: set[str](),
}
TELECOM = Caller(Role.CARRIER, "k1", carrier="CHINA_TELECOM")
MIIT = Caller(Role.REGULATOR, "k2", authority="MIIT")
BEIJING = Caller(Role.REGULATOR, "k3", authority="CA-11")
UNBOUND = Caller(Role.REGULATOR, "k4")
NAMING = [name for name in RECORDABLE if "authority" in EVERY_EVENT[name].fields]


def recorded_by(caller: Caller, stated: Stated) -> Refusal | None:
    made, flaws = command(*stated, NOW)
    assert made is not None, flaws
    return may_record(caller, made)


def forbidden(refusal: Refusal | None, path: str) -> None:
    assert refusal is not None
    assert (refusal.code, refusal.path) == (Code.FORBIDDEN, path)
    assert_said_in_both_languages(refusal)


@pytest.mark.parametrize("name", EVENTS)
@pytest.mark.parametrize("role", Role)
def test_a_role_records_its_own_events_and_no_others(role: Role, name: str) -> None:
    refusal = may_record_type(Caller(role, "k", authority="MIIT", carrier="CHINA_TELECOM"), EVENTS[name])
    if name in MAY[role]:
        assert refusal is None
    else:
        forbidden(refusal, "")


def test_who_comes_without_a_key_is_the_public() -> None:
    caller = Caller()
    assert (caller.role, caller.holder, caller.sees_personal) == (Role.PUBLIC, "public", False)
    for name in EVENTS:
        forbidden(may_record_type(caller, EVENTS[name]), "")


@pytest.mark.parametrize("name", NAMING)
def test_a_regulator_with_an_authority_records_only_facts_that_name_it(name: str) -> None:
    fields = EVERY_EVENT[name].fields
    for named in ("CA-11", "CA-31", "MIIT"):
        stated = Stated(name, {**fields, "authority": named})
        assert recorded_by(MIIT, stated) is None
        assert recorded_by(UNBOUND, stated) is None
        if named == "CA-11":
            assert recorded_by(BEIJING, stated) is None
        else:
            forbidden(recorded_by(BEIJING, stated), "authority")


@pytest.mark.parametrize("name", [name for name in RECORDABLE if name not in NAMING])
def test_a_regulator_records_facts_without_an_authority_freely(name: str) -> None:
    for caller in (BEIJING, MIIT, UNBOUND):
        assert recorded_by(caller, EVERY_EVENT[name]) is None


def test_a_regulator_records_historical_facts() -> None:
    for stated in (licensed(), filed(), accessed()):
        assert recorded_by(BEIJING, stated) is None
    forbidden(recorded_by(BEIJING, licensed(authority="CA-31")), "authority")


CARRIERS_FACTS = [
    access_granted,
    *(lambda c=c, **given: access(c, **given) for c in ("Restricted", "Restored", "Terminated")),
]


@pytest.mark.parametrize("fact", CARRIERS_FACTS, ids=["granted", "restricted", "restored", "terminated"])
def test_a_carrier_records_accesses_under_its_own_code(fact: Any) -> None:
    assert recorded_by(TELECOM, fact()) is None
    forbidden(recorded_by(TELECOM, fact(carrier="CHINA_MOBILE")), "carrier")
    forbidden(recorded_by(Caller(Role.CARRIER, "k"), fact()), "carrier")


def test_a_carrier_records_live_accesses_only() -> None:
    forbidden(recorded_by(TELECOM, accessed()), "historical")
    assert recorded_by(TELECOM, access_granted(historical=False)) is None


@pytest.mark.parametrize("name", ["complaintReceived", "complaintResolved"])
def test_intake_records_any_complaint(name: str) -> None:
    assert recorded_by(Caller(Role.INTAKE, "k"), EVERY_EVENT[name]) is None


ASKED = [
    asks_licence(),
    asks_filing(),
    asks_access(),
    CooperationRequest(uscc=A, carrier="CHINA_TELECOM"),
]


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("request_", ASKED, ids=list(REQUESTS))
def test_a_regulator_decides_all_gates_a_carrier_access_and_cooperation(request_: Any, role: Role) -> None:
    refusal = may_decide(Caller(role, "k", authority="CA-65", carrier="CHINA_TELECOM"), request_)
    if role is Role.REGULATOR or (role is Role.CARRIER and request_.gate in ("ACCESS", "COOPERATION")):
        assert refusal is None
    else:
        forbidden(refusal, "")


@pytest.mark.parametrize("may", [may_decide, may_preview])
@pytest.mark.parametrize("request_", ASKED[2:], ids=["access", "cooperation"])
def test_a_carrier_asks_under_its_own_code(request_: Any, may: Callable[[Caller, Any], Refusal | None]) -> None:
    assert may(TELECOM, request_) is None
    forbidden(may(Caller(Role.CARRIER, "k", carrier="CHINA_MOBILE"), request_), "carrier")
    forbidden(may(Caller(Role.CARRIER, "k"), request_), "carrier")


@pytest.mark.parametrize("request_", ASKED, ids=list(REQUESTS))
def test_an_auditor_previews_all_gates_and_decides_none(request_: Any) -> None:
    assert may_preview(Caller(Role.AUDITOR, "k"), request_) is None
    assert may_preview(MIIT, request_) is None
    for role in (Role.INTAKE, Role.PUBLIC):
        forbidden(may_preview(Caller(role, "k", carrier="CHINA_TELECOM"), request_), "")


def test_what_a_caller_signs_with_names_role_code_and_key() -> None:
    assert BEIJING.signature == "regulator:CA-11:k3"
    assert TELECOM.signature == "carrier:CHINA_TELECOM:k1"
    assert Caller(Role.INTAKE, "k").signature == "intake:k"
    assert Caller().signature == "public:public"


def test_personal_data_is_for_holders_of_its_scope() -> None:
    assert not Caller(Role.REGULATOR, "k", scopes=frozenset({"other"})).sees_personal
    assert Caller(Role.REGULATOR, "k", scopes=frozenset({"personal:read"})).sees_personal
