"""Erasure: personal data are sealed wherever they are kept, and unreadable for good once their subject is erased."""

import logging
from base64 import b64decode
from typing import Any, Final

import pytest
from msgspec.structs import replace as changed
from psycopg.errors import RestrictViolation

import carried
from domain.commands import command
from domain.events import ComplaintReceived, SubjectErased
from gating import READY, cooperation, decide
from given import NOW, A, B, complained, registered
from ledger.appends import Append
from ledger.entry import draft
from ledger.merkle import leaf_hash, verify_inclusion
from ledger.replay import replay
from ledger.sealing import ERASED, Discarding
from running import ADOPTED, System

PHONE: Final = "13800001111"
OTHER_PHONE: Final = "13900002222"
SUMMARY: Final = "推销贷款二十万元"
PERSON: Final = "司马光明"
ERASE: Final = """
mutation ($input: EraseSubjectInput!) { eraseSubject(input: $input) {
  replayed event { position type data } errors { code path message } } }
"""
HOLD: Final = (
    "mutation ($input: HoldSubjectInput!) { holdSubject(input: $input) { subject events hold errors { code path } } }"
)
RELEASE: Final = (
    "mutation ($subject: SubjectInput!) { releaseSubject(subject: $subject) { subject hold errors { code path } } }"
)
DATA: Final = "query ($at: Position!) { ledger { event(position: $at) { data leafHash } } }"


def erase(system: System, *, key: str = "eraser", once: str = "e", ground: str = "本人申请", **subject: str) -> Any:
    sent = {"idempotencyKey": once, "subject": subject, "ground": ground}
    return system.ask(ERASE, {"input": sent}, key=key)["eraseSubject"]


def shown(system: System, position: int, key: str = "officer") -> Any:
    return system.ask(DATA, {"at": position}, key=key)["ledger"]["event"]["data"]


def dumped(conninfo: str, schema: str) -> str:
    """What pg_dump writes of the whole schema; bytea is in hex there, so entries are put beside it as they are."""
    return carried.run("pg_dump", "-d", conninfo, "-n", schema).decode()


def holds(dump: str, value: str) -> bool:
    return value in dump or value.encode().hex() in dump


def test_a_dump_of_the_whole_ledger_holds_no_personal_value(system: System, database: str) -> None:
    system.known(registered(legalRepresentative=PERSON), complained(complainantPhone=PHONE, summary=SUMMARY, uscc=A))
    dump = dumped(database, system.schema)
    assert holds(dump, A)
    assert not any(holds(dump, value) for value in (PHONE, SUMMARY, PERSON))


def test_erasing_makes_every_field_of_the_subject_unreadable_and_no_others(system: System) -> None:
    system.known(
        complained(complaintId="C-1", complainantPhone=PHONE, summary=SUMMARY),
        complained(complaintId="C-2", complainantPhone=f"+86 {PHONE}", summary=SUMMARY),
        complained(complaintId="C-3", complainantPhone=OTHER_PHONE, summary=SUMMARY),
    )
    first = ADOPTED + 1
    assert shown(system, first)["complainantPhone"] == PHONE
    done = erase(system, complainantPhone=PHONE)
    assert (done["errors"], done["event"]["type"], done["event"]["position"]) == ([], "SubjectErased", system.head)
    system.settle()
    for position in (first, first + 1):
        data = shown(system, position)
        assert (data["complainantPhone"], data["summary"]) == (ERASED, ERASED)
    assert shown(system, first + 2)["complainantPhone"] == OTHER_PHONE
    assert shown(system, first, key="auditor")["complainantPhone"] == "***"


def test_after_erasure_neither_dump_nor_log_nor_answer_holds_the_value_or_what_opens_it(
    system: System, database: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    system.known(registered(legalRepresentative=PERSON), complained(complainantPhone=PHONE, summary=SUMMARY, uscc=A))
    with system.pool.connection() as conn:
        kept = conn.execute("SELECT id, wrapped, lookup FROM subjects").fetchall()
    assert len(kept) == 2
    for number, subject in enumerate(({"complaintId": "C-1"}, {"legalRepresentativeOf": A})):
        assert erase(system, once=str(number), **subject)["errors"] == []
    system.settle()
    everything = "{ ledger { events(first: 1000) { data } } }"
    said = caplog.text + "".join(capfd.readouterr()) + system.post(everything, key="eraser").text
    dump = dumped(database, system.schema)
    assert not any(holds(dump + said, value) for value in (PHONE, SUMMARY, PERSON))
    assert not any(bytes(secret).hex() in dump for _, *secrets in kept for secret in secrets)


def test_receipts_decisions_and_replays_from_before_hold_after_an_erasure(system: System) -> None:
    system.known(*READY, complained(complainantPhone=PHONE, summary=SUMMARY, uscc=A))
    decide(system, cooperation())
    system.settle()
    entries = [each.event.data for each in system.recorder.read()]
    query = "query ($p: Position!, $s: Position) { ledger { receipt(position: $p, size: $s) { entry proof checkpoint { size rootHash } } } }"
    before = [system.ask(query, {"p": p, "s": len(entries)})["ledger"]["receipt"] for p in range(1, len(entries) + 1)]
    decisions = [each for each in system.log() if each.type == "GateDecided"]
    assert erase(system, complainantPhone=PHONE)["errors"] == []
    system.settle()
    assert [each.event.data for each in system.recorder.read()][: len(entries)] == entries
    for position, receipt in enumerate(before, start=1):
        assert system.ask(query, {"p": position, "s": len(entries)})["ledger"]["receipt"] == receipt
        leaf, root = leaf_hash(b64decode(receipt["entry"])), bytes.fromhex(receipt["checkpoint"]["rootHash"])
        assert verify_inclusion(leaf, position - 1, len(entries), [bytes.fromhex(h) for h in receipt["proof"]], root)
    assert all(each.matches for each in replay(system.ledger.streams, decisions))


def test_an_erased_subject_is_unknown_by_its_number_and_named_by_its_id_as_erased(system: System) -> None:
    system.known(complained(complainantPhone=PHONE))
    subject = erase(system, complainantPhone=PHONE)["event"]["data"]["subject"]
    (unknown,) = erase(system, once="again", complainantPhone=PHONE)["errors"]
    assert (unknown["code"], unknown["path"]) == ("NOT_FOUND", "complainantPhone")
    (done,) = erase(system, once="and again", subject=subject)["errors"]
    assert (done["code"], done["message"]) == ("WRONG_STATE", f"Erased already, at position {system.head}")


def test_the_same_request_gives_the_first_answer_again(system: System) -> None:
    system.known(complained(complainantPhone=PHONE))
    first = erase(system, complainantPhone=PHONE)
    again = erase(system, complainantPhone=PHONE)
    assert (again["replayed"], again["event"]) == (True, first["event"])
    assert system.head == first["event"]["position"]


def test_who_complains_again_after_an_erasure_is_a_new_subject(system: System) -> None:
    system.known(complained(complainantPhone=PHONE))
    erase(system, complainantPhone=PHONE)
    system.known(complained(complaintId="C-2", complainantPhone=PHONE))
    assert shown(system, system.head)["complainantPhone"] == PHONE
    assert shown(system, ADOPTED + 1)["complainantPhone"] == ERASED


def test_a_subject_under_a_legal_hold_is_erased_only_once_it_is_released(system: System) -> None:
    system.known(complained(complainantPhone=PHONE))
    sent = {"subject": {"complaintId": "C-1"}, "reason": "行政诉讼（2026）京01行初12号"}
    held = system.ask(HOLD, {"input": sent}, key="eraser")["holdSubject"]
    assert (held["events"], held["hold"], held["errors"]) == (1, sent["reason"], [])
    (refused,) = erase(system, complainantPhone=PHONE)["errors"]
    assert (refused["code"], sent["reason"] in refused["message"]) == ("WRONG_STATE", True)
    assert shown(system, ADOPTED + 1)["complainantPhone"] == PHONE
    released = system.ask(RELEASE, {"subject": {"complainantPhone": PHONE}}, key="eraser")["releaseSubject"]
    assert (released["subject"], released["hold"]) == (held["subject"], None)
    assert erase(system, complainantPhone=PHONE)["errors"] == []


def test_a_hold_that_comes_between_is_kept_by_the_database_and_fails_the_erasure_alone(system: System) -> None:
    system.known(complained(complainantPhone=PHONE))
    with system.pool.connection() as conn:
        conn.execute("UPDATE subjects SET hold = '保全'")
    unaware = system.ledger.recorder
    with system.pool.connection() as conn:
        (subject,) = conn.execute("SELECT id FROM subjects").fetchone() or ("",)
    event = SubjectErased(subject=subject, requested_by="regulator", ground="本人申请")
    before = system.head
    with pytest.raises(RestrictViolation):
        unaware.append_with_receipts(
            Append([draft(event, (f"subject:{subject}",), system.ledger.today, "x")], destroys=subject)
        )
    assert system.head == before
    assert shown(system, ADOPTED + 1)["complainantPhone"] == PHONE


@pytest.mark.parametrize("key", ["miit", "officer", "beijing", "telecom", "intake", "auditor", None])
def test_who_has_no_right_to_erase_neither_erases_nor_holds(system: System, key: str | None) -> None:
    system.known(complained(complainantPhone=PHONE))
    sent = {"idempotencyKey": "e", "subject": {"complainantPhone": PHONE}, "ground": "本人申请"}
    assert system.codes(ERASE, {"input": sent}, key=key) == ["FORBIDDEN"]
    held = {"subject": {"complainantPhone": PHONE}, "reason": "诉讼"}
    assert system.codes(HOLD, {"input": held}, key=key) == ["FORBIDDEN"]
    assert system.codes(RELEASE, {"subject": {"complainantPhone": PHONE}}, key=key) == ["FORBIDDEN"]
    assert system.head == ADOPTED + 1


@pytest.mark.parametrize(
    ("subject", "ground", "refused"),
    [
        ({}, "本人申请", "INVALID "),
        ({"complainantPhone": PHONE, "complaintId": "C-1"}, "本人申请", "INVALID "),
        ({"complainantPhone": PHONE}, "", "INVALID ground"),
        ({"complainantPhone": PHONE}, f"{PHONE} 本人申请", "INVALID ground"),
        ({"complainantPhone": "10000000000"}, "本人申请", "NOT_FOUND complainantPhone"),
        ({"complaintId": "C-9"}, "本人申请", "NOT_FOUND complaintId"),
        ({"legalRepresentativeOf": B}, "本人申请", "NOT_FOUND legalRepresentativeOf"),
        ({"subject": "0" * 32}, "本人申请", "NOT_FOUND subject"),
        ({"subject": "a\0b"}, "本人申请", "INVALID subject"),
        ({"complaintId": "a\0b"}, "本人申请", "INVALID complaintId"),
        ({"legalRepresentativeOf": "a\0b"}, "本人申请", "INVALID legalRepresentativeOf"),
        ({"complainantPhone": "a\0b"}, "本人申请", "NOT_FOUND complainantPhone"),
    ],
)
def test_what_cannot_be_erased_is_refused_and_nothing_changes(
    system: System, subject: dict[str, str], ground: str, refused: str
) -> None:
    system.known(complained(complainantPhone=PHONE))
    done = erase(system, ground=ground, **subject)
    assert (done["event"], f"{done['errors'][0]['code']} {done['errors'][0]['path']}") == (None, refused)
    assert PHONE not in str(done)
    assert system.head == ADOPTED + 1
    assert shown(system, system.head)["complainantPhone"] == PHONE


def test_a_sealed_field_opens_in_its_own_event_and_field_alone(system: System) -> None:
    one, other = system.record(
        complained(complaintId="C-1", complainantPhone=PHONE, summary=SUMMARY),
        complained(complaintId="C-2", complainantPhone=PHONE),
    )
    assert isinstance(one.event, ComplaintReceived)
    assert isinstance(other.event, ComplaintReceived)
    moved = changed(other, event=changed(other.event, complainant_phone=one.event.complainant_phone))
    swapped = changed(one, event=changed(one.event, summary=one.event.complainant_phone))
    for event, field in zip(system.sealer.open([moved, swapped]), ("complainant_phone", "summary"), strict=True):
        assert getattr(event, field) == ERASED


def test_a_rehearsal_leaves_personal_fields_out() -> None:
    fact = complained(complainantPhone=PHONE, summary=SUMMARY)
    made, _ = command(fact.name, fact.fields, NOW)
    assert made is not None
    (sealed,) = Discarding().seal([("id", made.event)])
    assert isinstance(sealed.event, ComplaintReceived)
    assert (sealed.subject, sealed.event.complainant_phone, sealed.event.summary) == (None, None, None)
