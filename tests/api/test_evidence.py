"""Checkpoints, receipts and proofs over GraphQL, each verified from what was answered and the ledger's public key alone."""

from base64 import b64decode, b64encode
from collections.abc import Iterator
from hashlib import sha256
from typing import Any, Final

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from gating import READY, cooperation, decide
from given import A, B, Stated, complained, registered
from ledger.entry import opened
from ledger.merkle import verify_consistency, verify_inclusion
from naive.tree import path_of, proof_of, root_of
from running import ADOPTED, RECORD, System, started

PERSON: Final = "张三"
CHECKPOINT: Final = "checkpoint { size rootHash note signedAt }"
RECEIPT: Final = f"position entry leafHash proof {CHECKPOINT}"
NEWEST: Final = f"{{ ledger {{ {CHECKPOINT} }} }}"
RECEIVE: Final = f"query ($position: Position!, $size: Position) {{ ledger {{ receipt(position: $position, size: $size) {{ {RECEIPT} }} }} }}"
PROVE: Final = "query ($from: Position!, $to: Position!) { ledger { consistencyProof(from: $from, to: $to) } }"
RECORD_WITH_RECEIPTS: Final = RECORD.replace("replayed", f"replayed receipts {{ {RECEIPT} }}")
NAMED: Final = ADOPTED + 2
"""The position of an event that names a person."""


@pytest.fixture(scope="module")
def sealed(database: str) -> Iterator[System]:
    """A ledger of nine events in three groups: the rulebooks, two enterprises of which one names a person, three more."""
    with started(database) as system:
        system.record(registered(), registered(uscc=B, legalRepresentative=PERSON))
        system.record(complained(), complained(complaintId="C-2"), complained(complaintId="C-3"))
        yield system


def entries(system: System) -> list[bytes]:
    return [each.event.data for each in system.recorder.read()]


def leaves(system: System) -> list[bytes]:
    return [sha256(b"\x00" + entry).digest() for entry in entries(system)]


def receive(system: System, position: int, size: int | None = None, **how: Any) -> Any:
    return system.ask(RECEIVE, {"position": position, "size": size}, **{"key": "officer", **how})["ledger"]["receipt"]


def prove(system: System, first: int, second: int, **how: Any) -> list[bytes]:
    answer = system.ask(PROVE, {"from": first, "to": second}, **how)
    assert all(each == each.lower() for each in answer["ledger"]["consistencyProof"])
    return [bytes.fromhex(each) for each in answer["ledger"]["consistencyProof"]]


def root_in(system: System, checkpoint: Any) -> bytes:
    """The root of a checkpoint, once its note is found to be signed by the ledger and to say the same."""
    text, _, signature = checkpoint["note"].partition("\n\n")
    origin, size, root = text.split("\n")
    dash, name, encoded = signature.removesuffix("\n").split(" ")
    blob = b64decode(encoded, validate=True)
    key = system.verifier
    assert (dash, name, origin) == ("—", key.name, key.name)
    assert blob[:4] == sha256(key.name.encode() + b"\n\x01" + key.public_key).digest()[:4]
    Ed25519PublicKey.from_public_bytes(key.public_key).verify(blob[4:], f"{text}\n".encode())
    assert size == str(checkpoint["size"])
    assert root == b64encode(bytes.fromhex(checkpoint["rootHash"])).decode()
    assert checkpoint["rootHash"] == checkpoint["rootHash"].lower()
    return bytes.fromhex(checkpoint["rootHash"])


def check_receipt(system: System, receipt: Any) -> dict[str, Any]:
    """What a receipt holds apart from its hashes, once it is verified."""
    entry = b64decode(receipt["entry"], validate=True)
    leaf, index, size = sha256(b"\x00" + entry).digest(), receipt["position"] - 1, receipt["checkpoint"]["size"]
    proof = [bytes.fromhex(each) for each in receipt["proof"]]
    assert receipt["leafHash"] == leaf.hex()
    assert all(each == each.lower() for each in receipt["proof"])
    assert proof == path_of(index, leaves(system)[:size])
    assert verify_inclusion(leaf, index, size, proof, root_in(system, receipt["checkpoint"]))
    assert opened(entry).position == receipt["position"]
    return {"position": receipt["position"], "size": size, "type": opened(entry).type}


# Checkpoints


def test_the_newest_checkpoint_is_signed_and_holds_every_event(sealed: System) -> None:
    checkpoint = sealed.ask(NEWEST)["ledger"]["checkpoint"]
    assert checkpoint["size"] == sealed.head == ADOPTED + 5
    assert root_in(sealed, checkpoint) == root_of(leaves(sealed))
    recorded_at = sealed.ask("{ ledger { event(position: 9) { recordedAt } } }")["ledger"]["event"]["recordedAt"]
    assert checkpoint["signedAt"] == recorded_at


@pytest.mark.parametrize("key", [None, "intake", "telecom", "auditor", "miit"])
def test_everyone_may_read_the_checkpoint_and_consistency_proofs(sealed: System, key: str | None) -> None:
    checkpoint = sealed.ask(NEWEST, key=key)["ledger"]["checkpoint"]
    assert checkpoint == sealed.ask(NEWEST)["ledger"]["checkpoint"]
    assert prove(sealed, 4, 9, key=key) == proof_of(4, leaves(sealed))


def test_an_answer_to_record_is_under_the_checkpoint_already(system: System) -> None:
    for number in range(3):
        system.record(complained(complaintId=f"C-{number}"))
        checkpoint = system.ask(NEWEST)["ledger"]["checkpoint"]
        assert checkpoint["size"] == system.head == ADOPTED + 1 + number
        assert root_in(system, checkpoint) == root_of(leaves(system))


# Receipts


def test_the_receipt_of_every_event_proves_it_under_the_newest_checkpoint(sealed: System) -> None:
    for position, entry in enumerate(entries(sealed), start=1):
        receipt = receive(sealed, position)
        assert check_receipt(sealed, receipt) == {"position": position, "size": 9, "type": opened(entry).type}
        assert b64decode(receipt["entry"]) == entry


def test_a_receipt_may_be_asked_for_under_an_earlier_checkpoint(sealed: System) -> None:
    for position in range(1, 7):
        assert check_receipt(sealed, receive(sealed, position, 6))["size"] == 6
    assert receive(sealed, 9, 9) == receive(sealed, 9)


@pytest.mark.parametrize(
    ("position", "size", "en", "zh"),
    [
        (0, None, "position is 1 to 9, the head; got 0", "position 应为 1 至 9，收到 0"),
        (10, None, "position is 1 to 9, the head; got 10", "position 应为 1 至 9，收到 10"),
        (10, 6, "position is 1 to 9, the head; got 10", "position 应为 1 至 9，收到 10"),
        (7, 6, "There is no checkpoint of size 6 that holds position 7", "没有大小为 6 且含位置 7 的检查点"),
        (1, 8, "There is no checkpoint of size 8 that holds position 1", "没有大小为 8 且含位置 1 的检查点"),
        (1, 10, "There is no checkpoint of size 10 that holds position 1", "没有大小为 10 且含位置 1 的检查点"),
        (1, 0, "There is no checkpoint of size 0 that holds position 1", "没有大小为 0 且含位置 1 的检查点"),
        (-1, None, "position: this is a position from 0 on; got “-1”", "position：应为不小于 0 的整数位置，收到 “-1”"),
        (1, -1, "size: this is a position from 0 on; got “-1”", "size：应为不小于 0 的整数位置，收到 “-1”"),
    ],
)
def test_a_receipt_that_cannot_be_is_refused_with_what_can(
    sealed: System, position: int, size: int | None, en: str, zh: str
) -> None:
    asked = {"position": position, "size": size}
    assert sealed.errors(RECEIVE, asked) == [("INVALID", en)]
    assert sealed.errors(RECEIVE, asked, language="zh") == [("INVALID", zh)]


@pytest.mark.parametrize("wrong", ["1", 1.5, True, [1], 2**53])
def test_a_position_that_is_no_whole_number_is_invalid(sealed: System, wrong: object) -> None:
    assert sealed.codes(RECEIVE, {"position": wrong}) == ["INVALID"]
    assert sealed.codes(RECEIVE, {"position": 1, "size": wrong}) == ["INVALID"]
    assert sealed.codes(PROVE, {"from": wrong, "to": 9}) == ["INVALID"]
    assert sealed.codes(PROVE, {"from": 1, "to": wrong}) == ["INVALID"]


@pytest.mark.parametrize("key", ["miit", "auditor", "officer"])
def test_an_entry_that_names_a_person_is_given_with_the_name_sealed(sealed: System, key: str) -> None:
    entry = b64decode(receive(sealed, NAMED, key=key)["entry"]).decode()
    assert PERSON not in entry
    assert '"legalRepresentative":"sealed:1:' in entry


@pytest.mark.parametrize("key", [None, "intake", "telecom"])
def test_those_who_may_not_read_events_may_not_read_their_entries(sealed: System, key: str | None) -> None:
    for position in (1, NAMED):
        answer = sealed.post(RECEIVE, {"position": position}, key=key)
        assert [error["extensions"]["code"] for error in answer.json()["errors"]] == ["FORBIDDEN"]
        assert answer.json()["data"] == {"ledger": {"receipt": None}}


# Consistency


def test_any_two_sizes_are_proved_consistent(sealed: System) -> None:
    hashes = leaves(sealed)
    for second in range(1, 10):
        for first in range(1, second + 1):
            proof = prove(sealed, first, second)
            assert proof == proof_of(first, hashes[:second])
            assert verify_consistency(first, second, root_of(hashes[:first]), root_of(hashes[:second]), proof)


@pytest.mark.parametrize(("first", "second"), [(0, 9), (0, 0), (1, 10), (9, 8), (10, 10), (10, 11)])
def test_sizes_between_which_nothing_can_be_proved_are_refused(sealed: System, first: int, second: int) -> None:
    asked = {"from": first, "to": second}
    assert sealed.errors(PROVE, asked) == [
        ("INVALID", f"1 ≤ from ≤ to ≤ 9, the head; got from {first} and to {second}")
    ]
    assert sealed.errors(PROVE, asked, language="zh") == [
        ("INVALID", f"应有 1 ≤ from ≤ to ≤ 9（当前最新位置），收到 from {first}、to {second}")
    ]


# In the answers of mutations


def with_receipts(system: System, *facts: Stated, key: str = "miit", once: str = "with-receipts") -> Any:
    """The whole answer of `record` with receipts."""
    sent = {"idempotencyKey": once, "facts": [{fact.name: fact.fields} for fact in facts]}
    return system.post(RECORD_WITH_RECEIPTS, {"input": sent}, key=key).json()


def test_record_answers_with_the_receipts_of_its_events_under_one_checkpoint(system: System) -> None:
    answer = with_receipts(system, registered(), complained(), complained(complaintId="C-2"))
    payload = answer["data"]["record"]
    assert [check_receipt(system, receipt) for receipt in payload["receipts"]] == [
        {"position": event["position"], "size": system.head, "type": event["type"]} for event in payload["events"]
    ]
    assert len(payload["receipts"]) == 3
    assert len({receipt["checkpoint"]["note"] for receipt in payload["receipts"]}) == 1


def test_a_replayed_record_has_the_receipts_of_then_under_a_checkpoint_of_now(system: System) -> None:
    first = with_receipts(system, registered())["data"]["record"]
    system.record(complained())
    again = with_receipts(system, registered())["data"]["record"]
    assert again["replayed"] is True
    (receipt,) = again["receipts"]
    assert check_receipt(system, receipt)["size"] == system.head
    assert receipt["entry"] == first["receipts"][0]["entry"]


def test_a_refused_record_has_no_receipts(system: System) -> None:
    payload = with_receipts(system, registered(uscc="x"))["data"]["record"]
    assert payload["errors"] != []
    assert payload["receipts"] == []


def test_the_receipt_of_a_complaint_says_nothing_of_the_complainant(system: System) -> None:
    fact = complained(complainantPhone="13800001111", summary="推销贷款")
    answer = with_receipts(system, fact, key="intake")
    (receipt,) = answer["data"]["record"]["receipts"]
    check_receipt(system, receipt)
    entry = b64decode(receipt["entry"]).decode()
    assert not any(each in entry + str(answer) for each in ("13800001111", "推销贷款"))


def test_a_decision_has_a_receipt_in_the_answer_and_ever_after(system: System) -> None:
    system.known(*READY)
    sent = {"idempotencyKey": "k", "request": cooperation()}
    query = f"mutation ($input: DecideGateInput!) {{ decideGate(input: $input) {{ decision {{ id receipt {{ {RECEIPT} }} }} }} }}"
    decision = system.ask(query, {"input": sent}, key="telecom")["decideGate"]["decision"]
    checked = check_receipt(system, decision["receipt"])
    assert checked == {"position": system.head, "size": system.head, "type": "GateDecided"}
    system.known(complained())
    asked = f'{{ decision(id: "{decision["id"]}") {{ receipt {{ {RECEIPT} }} }} }}'
    for key in ("miit", "auditor", "telecom"):
        receipt = system.ask(asked, key=key)["decision"]["receipt"]
        assert check_receipt(system, receipt)["size"] == system.head
        assert receipt["entry"] == decision["receipt"]["entry"]


def test_the_receipts_of_many_decisions_can_be_asked_for_at_once(system: System) -> None:
    system.known(*READY)
    for number in range(5):
        decide(system, cooperation(), once=f"d-{number}")
    system.settle()
    query = f'{{ decisions(uscc: "{A}") {{ edges {{ node {{ position receipt {{ {RECEIPT} }} }} }} }} }}'
    nodes = [edge["node"] for edge in system.ask(query)["decisions"]["edges"]]
    assert len(nodes) == 5
    for node in nodes:
        assert check_receipt(system, node["receipt"])["position"] == node["position"]
