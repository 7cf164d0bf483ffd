"""The evidence of one enterprise: what is in it, that it is all, and that whatever was changed is named by its line."""

import json
from collections.abc import Callable
from typing import Any, Final

import pytest

from decided import COOPERATION, REGULATOR
from given import A, B, C, complained, interviewed, listed, voided
from ledger import enterprise_map
from ledger.absence_evidence import ProvedAbsence, absence_evidence, types_asked
from ledger.draw_evidence import BrokenLine
from ledger.enterprise_evidence import ProvedEntries, enterprise_evidence, newest_size, verify_enterprise
from ledger.enterprise_map import map_root, with_map
from ledger.entry import draft, opened
from ledger.evidence import NoEvidence
from ledger.ledger import Ledger
from ledger.merkle import EMPTY_ROOT
from ledger.migrations import Pool
from ledger.notes import Checkpoint, Cosigner, Note, Signer
from signed_ledger import HEAD, record

Lines = list[bytes]
MORE: Final = HEAD + 7
OF_A: Final = [1, *range(3, HEAD + 1), *range(HEAD + 1, HEAD + 6)]
"""Of the ledger below, all but the two of B."""


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """A map of 18 entries has three segments: to 8, to 16 and to 18."""
    monkeypatch.setattr(enterprise_map, "SIZES", (8,))


@pytest.fixture
def _told(ledger: Ledger) -> None:
    """A's, with an entry, its void, a decision, and a complaint of its own number; then two of others."""
    record(ledger, listed("2020-02-01"), voided(HEAD + 1), complained(uscc=A), complained(uscc=A, complaintId="C-2"))
    assert ledger.decide_gate(REGULATOR, "d", COOPERATION).refusals == ()
    record(ledger, interviewed(uscc=B, caseId="C-9"), complained(complaintId="C-3", displayedNumber="0101234"))


@pytest.fixture
def lines(_told: None, pool: Pool, signer: Signer) -> Lines:
    return evidence(pool, signer)


def evidence(pool: Pool, signer: Signer, uscc: str = A, after: int = 0, upto: int = MORE) -> Lines:
    size = newest_size(pool, after, upto)
    return list(enterprise_evidence(pool, signer, uscc, after, size, lambda done, of: None))


def absence(pool: Pool, signer: Signer, *names: str, uscc: str = A, upto: int = MORE) -> Lines:
    size = newest_size(pool, 0, upto)
    return list(absence_evidence(pool, signer, uscc, types_asked(names), size, lambda done, of: None))


def positions(lines: Lines) -> list[int]:
    entries = [json.loads(line)["entry"] for line in lines if line.startswith(b'{"entry"')]
    return [json.loads(entry)["position"] for entry in entries]


def proved_entries(lines: Lines, verifier: Any = None) -> ProvedEntries:
    proved = verify_enterprise(lines, verifier)
    assert isinstance(proved, ProvedEntries)
    return proved


def test_an_enterprises_entries_are_all_in_the_ledger_by_the_public_key_alone(lines: Lines, signer: Signer) -> None:
    assert positions(lines) == OF_A
    proved = proved_entries(lines, signer.verifier)
    assert (proved.uscc, proved.checkpoint.size, proved.verifier) == (A, MORE, signer.verifier)
    assert (proved.entries, proved.first, proved.last) == (len(OF_A), 1, HEAD + 5)
    assert (proved.complete, proved.after, proved.left_out) == (True, 0, 0)
    assert verify_enterprise(lines) == proved


def test_a_part_is_under_the_last_checkpoint_within_it_and_all_of_that_part(
    lines: Lines, pool: Pool, signer: Signer
) -> None:
    part = evidence(pool, signer, after=4, upto=HEAD + 2)
    assert positions(part) == [5, 6, 7, 8, 9, 10, 11]
    proved = proved_entries(part)
    assert (proved.checkpoint.size, proved.complete, proved.after) == (HEAD, True, 4)
    later = evidence(pool, signer, after=9)
    # What the segment before has is nothing to a part that begins after it.
    assert (len(positions(later)), [json.loads(line)["after"] for line in later if b'"proofs"' in line]) == (7, [8, 16])
    assert proved_entries(later).after == 9
    with pytest.raises(NoEvidence, match="nothing after 12 can be proved yet; the next one is of 15 entries"):
        evidence(pool, signer, after=12, upto=13)


def test_of_an_enterprise_that_has_none_there_is_nothing(lines: Lines, pool: Pool, signer: Signer) -> None:
    with pytest.raises(NoEvidence, match="There is nothing of 91310115MA1K3BTP2B in this ledger after 0 and up to 18"):
        evidence(pool, signer, "91310115MA1K3BTP2B")


def test_a_file_of_before_there_was_a_map_proves_each_entry_and_not_that_they_are_all(
    lines: Lines, signer: Signer
) -> None:
    head = json.loads(lines[0])
    old = {name: head[name] for name in ("checkpoint", "uscc", "verifier")}
    proved = proved_entries([json.dumps(old).encode(), *(line for line in lines[1:] if b'"proofs"' not in line)])
    assert (proved.entries, proved.complete) == (len(OF_A), False)


def at(place: int, edit: Callable[[dict[str, Any]], Any]) -> Callable[[Lines], Lines]:
    def edited(lines: Lines) -> Lines:
        line = json.loads(lines[place])
        edit(line)
        return [
            *lines[:place],
            json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode(),
            *lines[place + 1 :],
        ]

    return edited


# Line 1 is the head, 2 the first segment's with the entries of 1 and 3 to 8 after it, 10 the second's, 19 the third's.
END: Final = 20
EDITED: Final[dict[str, tuple[int, Callable[[Lines], Lines]]]] = {
    "an entry": (4, at(3, lambda line: line.update(entry=line["entry"].replace("false", "true", 1)))),
    "a position": (4, at(3, lambda line: line.update(entry=line["entry"].replace('"position":3', '"position":4', 1)))),
    "no canonical entry": (4, at(3, lambda line: line.update(entry=line["entry"].replace(":", ": ", 1)))),
    "an entry that is none": (4, at(3, lambda line: line.update(entry="{}"))),
    "a hash": (4, at(3, lambda line: line["proof"].__setitem__(0, "0" * 64))),
    "a short hash": (4, at(3, lambda line: line["proof"].__setitem__(0, "00"))),
    "no hexadecimal": (4, at(3, lambda line: line["proof"].__setitem__(0, "x"))),
    "a hash too few": (4, at(3, lambda line: line["proof"].pop())),
    "a hash too many": (4, at(3, lambda line: line["proof"].append("0" * 64))),
    "a line that is none": (4, lambda lines: [*lines[:3], b"{", *lines[4:]]),
    "a line that is no text": (4, lambda lines: [*lines[:3], b'{"entry":"\xff","proof":[]}', *lines[4:]]),
    "two lines' order": (4, lambda lines: [*lines[:3], lines[4], lines[3], *lines[5:]]),
    "a line twice": (5, lambda lines: [*lines[:4], *lines[3:]]),
    "an entry left out": (4, lambda lines: [*lines[:3], *lines[4:]]),
    "an entry left out as another": (4, lambda lines: [*lines[:3], b'{"leftOut":4}', *lines[4:]]),
    "an entry left out as none": (4, lambda lines: [*lines[:3], b'{"leftOut":"3"}', *lines[4:]]),
    "an entry left out and not counted": (END, lambda lines: [*lines[:3], b'{"leftOut":3}', *lines[4:]]),
    "the last entry of a segment left out": (9, lambda lines: [*lines[:8], *lines[9:]]),
    "an entry and its position left out": (
        2,
        lambda lines: at(1, lambda line: line["proofs"][0]["positions"].pop(1))([*lines[:3], *lines[4:]]),
    ),
    "a segment left out": (2, lambda lines: [lines[0], *lines[9:]]),
    "a segment and its root left out": (
        1,
        lambda lines: at(0, lambda line: line["segments"].pop(0))([lines[0], *lines[9:]]),
    ),
    "the order of segments": (2, lambda lines: [lines[0], *lines[9:18], *lines[1:9], *lines[18:]]),
    "the last segment left out": (19, lambda lines: [*lines[:18], *lines[19:]]),
    "the bounds of a segment": (10, at(9, lambda line: line.update(after=9))),
    "a proof left out": (10, at(9, lambda line: line.update(proofs=[]))),
    "a segment's proof": (10, at(9, lambda line: line["proofs"][0]["leaves"][0].update(value="0" * 64))),
    "a proof that is no text": (10, lambda lines: [*lines[:9], b"\xff", *lines[10:]]),
    "a proof that is deep": (10, lambda lines: [*lines[:9], b'{"after":' + b"[" * 99_999, *lines[10:]]),
    "the root of a segment": (1, at(0, lambda line: line["segments"][0].__setitem__(1, "0" * 64))),
    "the root of a segment is none": (1, at(0, lambda line: line["segments"][0].__setitem__(1, "x"))),
    "the leaves of a segment": (1, at(0, lambda line: line["segments"][0].__setitem__(0, 99))),
    "the map's note": (1, at(0, lambda line: line.update(map=line["map"].replace("map ", "map A", 1)))),
    "the map's signature": (1, at(0, lambda line: line.update(map=line["checkpoint"].rpartition("\n\n")[0]))),
    "a checkpoint without a map for the map": (1, at(0, lambda line: line.update(map=line["checkpoint"]))),
    "from where on": (1, at(0, lambda line: line.update(after=18))),
    "from where on below": (1, at(0, lambda line: line.update(after=-1))),
    "from later on": (3, at(0, lambda line: line.update(after=3))),
    "the end": (END, lambda lines: lines[:-1]),
    "the end's number": (END, lambda lines: [*lines[:-1], b'{"entries":"x","leftOut":0}']),
    "the end's count": (END, lambda lines: [*lines[:-1], b'{"entries":13,"leftOut":0}']),
    "what was left out": (END, lambda lines: [*lines[:-1], lines[-1].replace(b'"leftOut":0', b'"leftOut":1')]),
    "more after the end": (END + 1, lambda lines: [*lines, lines[2]]),
    "the checkpoint": (1, at(0, lambda line: line.update(checkpoint=line["checkpoint"].replace("\n18\n", "\n19\n")))),
    "whose it is": (2, at(0, lambda line: line.update(uscc=B))),
}


def line_that_breaks(lines: Lines) -> int | None:
    try:
        verify_enterprise(lines)
    except BrokenLine as broken:
        return broken.line
    return None


def test_whatever_is_changed_is_named_by_its_line(lines: Lines) -> None:
    found = {name: line_that_breaks(edit(lines)) for name, (_, edit) in EDITED.items()}
    assert found == {name: number for name, (number, _) in EDITED.items()}


def test_an_entry_of_another_enterprise_does_not_pass_for_one_of_its_own(
    lines: Lines, pool: Pool, signer: Signer
) -> None:
    strange = evidence(pool, signer, B)
    with pytest.raises(BrokenLine, match=f"its entry, of position 2, is none of {A}"):
        verify_enterprise([*lines[:3], strange[2], *lines[3:]])


def test_a_map_of_other_entries_proves_nothing_of_these(lines: Lines, pool: Pool, signer: Signer) -> None:
    earlier = json.loads(evidence(pool, signer, upto=HEAD)[0])
    for taken in (["map"], ["map", "segments"], ["checkpoint"]):
        mixed = {**json.loads(lines[0]), **{name: earlier[name] for name in taken}}
        assert line_that_breaks([json.dumps(mixed).encode(), *lines[1:]]) == 1


def test_another_ledgers_key_is_not_this_ones(lines: Lines, signer: Signer) -> None:
    with pytest.raises(BrokenLine, match="its checkpoint is not signed by other") as broken:
        verify_enterprise(lines, Signer.generate("other.example/x").verifier)
    assert broken.value.line == 1


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"{}",
        b"\xff",
        b'{"uscc":"","verifier":"x","checkpoint":"y"}',
        b'{"uscc":"91110000100012345L","verifier":"x","checkpoint":"y"}',
        b'{"uscc":"91110000100012345L","verifier":"%s","checkpoint":"y"}'
        % str(Cosigner.generate("w").verifier).encode(),
    ],
)
def test_a_file_without_its_head_is_no_evidence(head: bytes) -> None:
    with pytest.raises(NoEvidence, match="The file is no evidence of an enterprise: line 1 is not the head"):
        verify_enterprise([head] if head else [])


def test_an_entry_with_a_personal_field_in_the_clear_is_left_out_and_counted(
    ledger: Ledger, pool: Pool, signer: Signer
) -> None:
    made = opened(next(iter(ledger.recorder.read())).event.data)
    open_ = type(made.event)(uscc=A, name="旧", province="11", legal_representative="张三")
    ledger.recorder.append([draft(open_, made.tags, made.effective_on, "x")])
    found = evidence(pool, signer, upto=HEAD + 1)
    assert found[-2:] == [b'{"leftOut":%d}' % (HEAD + 1), b'{"entries":%d,"leftOut":1}' % (HEAD - 1)]
    assert "张三" not in b"".join(found).decode()
    proved = proved_entries(found)
    assert (proved.entries, proved.left_out, proved.complete) == (HEAD - 1, 1, True)


# Absence


def test_that_nothing_of_an_area_is_recorded_is_proved_without_an_entry_or_a_position(
    _told: None, pool: Pool, signer: Signer
) -> None:
    found = absence(pool, signer, "PENALTY", "EXPOSURE")
    proved = verify_enterprise(found, signer.verifier)
    assert isinstance(proved, ProvedAbsence)
    assert (proved.uscc, proved.checkpoint.size, proved.areas) == (A, MORE, ["EXPOSURE", "PENALTY"])
    assert {"PenaltyImposed", "ExposurePublished"} < set(proved.types)
    assert [{*json.loads(line)} for line in found[1:]] == [{"after", "upto", "proofs"}] * 3
    assert all(proof["positions"] == [] for line in found[1:] for proof in json.loads(line)["proofs"])


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["LIST"], r"at 12 \(ListEntryMade\): .*What was voided is recorded all the same"),
        (["PENALTY", "COMPLAINT"], r"at 14 \(ComplaintReceived\), 15 \(ComplaintReceived\): "),
        (["GateDecided"], r"at 16 \(GateDecided\): "),
        (["INTERVIEW"], r"at 3 \(InterviewHeld\), .*11 \(InterviewHeld\): "),
        (["all"], r"at 1 \(EnterpriseRegistered\), .*"),
    ],
)
def test_what_is_recorded_is_named_and_not_said_to_be_absent(
    _told: None, pool: Pool, signer: Signer, names: list[str], said: str
) -> None:
    with pytest.raises(NoEvidence, match=said):
        absence(pool, signer, *names)


def test_many_positions_are_counted(_told: None, ledger: Ledger, pool: Pool, signer: Signer) -> None:
    for number in range(15):
        record(ledger, interviewed(uscc=A, caseId=f"D-{number}"))
    with pytest.raises(NoEvidence, match=r"29 \(InterviewHeld\) and 4 more: "):
        absence(pool, signer, "INTERVIEW", upto=MORE + 15)


def test_of_an_enterprise_that_nobody_knows_all_is_absent(_told: None, pool: Pool, signer: Signer) -> None:
    proved = verify_enterprise(absence(pool, signer, "ALL", uscc=C), signer.verifier)
    assert isinstance(proved, ProvedAbsence)
    assert (proved.types, len(proved.areas)) == (("*",), 12)
    with pytest.raises(BrokenLine, match="Line 2 does not hold: its proof 1 does not hold"):
        verify_enterprise(at(0, lambda line: line.update(uscc=B))(absence(pool, signer, "ALL", uscc=C)))


def test_what_was_absent_up_to_a_position_may_be_there_after_it(_told: None, pool: Pool, signer: Signer) -> None:
    proved = verify_enterprise(absence(pool, signer, "LIST", upto=HEAD))
    assert proved.checkpoint.size == HEAD


ABSENT: Final[dict[str, tuple[int, Callable[[Lines], Lines]]]] = {
    "another enterprise": (2, at(0, lambda line: line.update(uscc=B))),
    "a type more": (2, at(0, lambda line: line.update(types=[*line["types"], "Zzz"]))),
    "a type that is recorded": (2, at(0, lambda line: line.update(types=["InterviewHeld", *line["types"][1:]]))),
    "types in another order": (1, at(0, lambda line: line.update(types=line["types"][::-1]))),
    "a type twice": (1, at(0, lambda line: line.update(types=[line["types"][0], *line["types"]]))),
    "no types": (1, at(0, lambda line: line.update(types=[]))),
    "a type that is none": (1, at(0, lambda line: line.update(types=["a\0b"]))),
    "a segment left out": (3, lambda lines: [*lines[:2], *lines[3:]]),
    "cut off": (4, lambda lines: lines[:-1]),
    "cut off in a line": (4, lambda lines: [*lines[:-1], lines[-1][:-9]]),
    "a line more": (5, lambda lines: [*lines, lines[1]]),
    "two proofs' order": (2, at(1, lambda line: line["proofs"].reverse())),
    "a proof that says that there are some": (2, at(1, lambda line: line["proofs"][0].update(positions=[1]))),
    "neighbours swapped": (2, at(1, lambda line: line["proofs"][0]["leaves"].reverse())),
    "a neighbour left out": (2, at(1, lambda line: line["proofs"][0]["leaves"].pop())),
    "no map": (2, at(0, lambda line: [line.pop(name) for name in ("map", "segments")])),
}


def test_whatever_is_changed_in_a_proof_of_absence_is_named_by_its_line(
    _told: None, pool: Pool, signer: Signer
) -> None:
    found = absence(pool, signer, "PENALTY")
    assert {name: line_that_breaks(edit(found)) for name, (_, edit) in ABSENT.items()} == {
        name: number for name, (number, _) in ABSENT.items()
    }


def test_a_segment_that_has_the_type_shows_it_to_whoever_takes_its_proof(
    _told: None, pool: Pool, signer: Signer
) -> None:
    """B has no penalty: with A's name its proofs are of other keys, and with proofs of A's own the position shows."""
    found = absence(pool, signer, "ListEntryMade", uscc=B)
    assert line_that_breaks(at(0, lambda line: line.update(uscc=A))(found)) in {2, 3}


def test_another_key_signs_for_nobody(_told: None, pool: Pool, signer: Signer) -> None:
    found = absence(pool, signer, "PENALTY")
    other = Signer(signer.name, Signer.generate("x").private_key)
    with pytest.raises(BrokenLine, match="Line 1 does not hold: its checkpoint is not signed by"):
        verify_enterprise(found, other.verifier)


def test_in_an_empty_ledger_nothing_can_be_proved_and_all_is_absent(pool: Pool, signer: Signer) -> None:
    with pytest.raises(NoEvidence, match="up to at most 0, the head; got after 0 and up to 0"):
        absence(pool, signer, "ALL", upto=0)
    notes = [Checkpoint(signer.name, 0, EMPTY_ROOT), with_map(signer.name, 0, EMPTY_ROOT, map_root([]))]
    signed = [Note(each.text, (signer.sign(each.text),)).encoded.decode() for each in notes]
    head = {"checkpoint": signed[0], "map": signed[1], "segments": [], "types": ["*"], "uscc": A}
    proved = verify_enterprise([json.dumps({**head, "verifier": str(signer.verifier)}).encode()])
    assert (type(proved), proved.checkpoint.size) == (ProvedAbsence, 0)
