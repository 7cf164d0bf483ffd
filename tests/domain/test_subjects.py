"""Whose personal data an event holds."""

import pytest

from domain.commands import command
from domain.events import EVENTS, ComplaintReceived, EnterpriseRegistered, Event
from domain.shape import fields_of
from domain.subjects import complainant, subject_of
from given import NOW, A, B, Stated, complained, registered


def event_of(fact: Stated) -> Event:
    made, refusals = command(fact.name, fact.fields, NOW)
    assert made is not None, refusals
    return made.event


@pytest.mark.parametrize("written", ["13800001111", "138-0000-1111", "+86 138 0000 1111", "0086 13800001111"])
def test_one_number_is_one_subject_however_it_is_written(written: str) -> None:
    assert complainant(written) == complainant("13800001111")


def test_other_numbers_are_other_subjects() -> None:
    assert len({complainant(each) for each in ("13800001111", "13800001112", "010-12345678", "unknown")}) == 4


def test_a_complaint_without_a_number_is_a_subject_of_its_own() -> None:
    one, other = (event_of(complained(complaintId=id_, summary="推销")) for id_ in ("C-1", "C-2"))
    assert subject_of(one) != subject_of(other)


def test_a_legal_representative_is_one_for_an_enterprise_and_a_name() -> None:
    facts = [registered(uscc=uscc, legalRepresentative=name) for uscc in (A, B) for name in ("张三", "李四")]
    assert len({subject_of(event_of(fact)) for fact in facts}) == 4


def test_an_event_without_personal_data_has_no_subject() -> None:
    assert subject_of(event_of(registered())) is None
    assert subject_of(event_of(complained())) is None


def test_every_type_with_a_personal_field_can_have_a_subject() -> None:
    personal = {name for name, cls in EVENTS.items() if any(field.personal for field in fields_of(cls))}
    assert personal == {EnterpriseRegistered.__name__, ComplaintReceived.__name__}
