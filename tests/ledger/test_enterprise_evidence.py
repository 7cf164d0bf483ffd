"""The evidence of one enterprise: what is in it, and that whatever was changed is named by its line."""

import json
from collections.abc import Callable
from typing import Any, Final

import pytest

from decided import COOPERATION, REGULATOR
from given import A, B, complained, interviewed, listed, voided
from ledger.draw_evidence import BrokenLine
from ledger.enterprise_evidence import enterprise_evidence, newest_size, verify_enterprise
from ledger.entry import draft, opened
from ledger.evidence import NoEvidence
from ledger.ledger import Ledger
from ledger.migrations import Pool
from ledger.notes import Cosigner, Signer
from signed_ledger import HEAD, record

Lines = list[bytes]
MORE: Final = HEAD + 7
OF_A: Final = [1, *range(3, HEAD + 1), *range(HEAD + 1, HEAD + 6)]
"""Of the ledger below, all but the two of B."""


@pytest.fixture
def lines(ledger: Ledger, pool: Pool) -> Lines:
    """A's, with an entry, its void, a decision, and a complaint of its own number; then two of others."""
    record(ledger, listed("2020-02-01"), voided(HEAD + 1), complained(uscc=A), complained(uscc=A, complaintId="C-2"))
    assert ledger.decide_gate(REGULATOR, "d", COOPERATION).refusals == ()
    record(ledger, interviewed(uscc=B, caseId="C-9"), complained(complaintId="C-3", displayedNumber="0101234"))
    return evidence(pool)


def evidence(pool: Pool, uscc: str = A, after: int = 0, upto: int = MORE) -> Lines:
    size = newest_size(pool, after, upto)
    return list(enterprise_evidence(pool, uscc, after, size, lambda done, of: None))


def positions(lines: Lines) -> list[int]:
    return [json.loads(json.loads(line)["entry"])["position"] for line in lines[1:-1]]


def test_an_enterprises_entries_are_in_the_ledger_by_the_public_key_alone(lines: Lines, signer: Signer) -> None:
    assert positions(lines) == OF_A
    proved = verify_enterprise(lines, signer.verifier)
    assert (proved.uscc, proved.checkpoint.size, proved.verifier) == (A, MORE, signer.verifier)
    assert (proved.entries, proved.first, proved.last) == (len(OF_A), 1, HEAD + 5)
    assert verify_enterprise(lines) == proved


def test_a_part_is_under_the_last_checkpoint_within_it(lines: Lines, pool: Pool) -> None:
    part = evidence(pool, after=4, upto=HEAD + 2)
    assert positions(part) == [5, 6, 7, 8, 9, 10, 11]
    assert verify_enterprise(part).checkpoint.size == HEAD
    with pytest.raises(NoEvidence, match="nothing after 12 can be proved yet; the next one is of 15 entries"):
        evidence(pool, after=12, upto=13)


def test_of_an_enterprise_that_has_none_there_is_nothing(lines: Lines, pool: Pool) -> None:
    with pytest.raises(NoEvidence, match="There is nothing of 91310115MA1K3BTP2B in this ledger after 0 and up to 18"):
        evidence(pool, "91310115MA1K3BTP2B")


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


EDITED: Final[dict[str, tuple[int, Callable[[Lines], Lines]]]] = {
    "an entry": (3, at(2, lambda line: line.update(entry=line["entry"].replace("false", "true", 1)))),
    "a position": (3, at(2, lambda line: line.update(entry=line["entry"].replace('"position":3', '"position":4', 1)))),
    "no canonical entry": (3, at(2, lambda line: line.update(entry=line["entry"].replace(":", ": ", 1)))),
    "an entry that is none": (3, at(2, lambda line: line.update(entry="{}"))),
    "a hash": (3, at(2, lambda line: line["proof"].__setitem__(0, "0" * 64))),
    "a short hash": (3, at(2, lambda line: line["proof"].__setitem__(0, "00"))),
    "no hexadecimal": (3, at(2, lambda line: line["proof"].__setitem__(0, "x"))),
    "a hash too few": (3, at(2, lambda line: line["proof"].pop())),
    "a hash too many": (3, at(2, lambda line: line["proof"].append("0" * 64))),
    "a line that is none": (3, lambda lines: [*lines[:2], b"{", *lines[3:]]),
    "a line that is no text": (3, lambda lines: [*lines[:2], b'{"entry":"\xff","proof":[]}', *lines[3:]]),
    "two lines' order": (4, lambda lines: [*lines[:2], lines[3], lines[2], *lines[4:]]),
    "a line twice": (4, lambda lines: [*lines[:3], *lines[2:]]),
    "a line left out": (len(OF_A) + 1, lambda lines: [*lines[:2], *lines[3:]]),
    "the end": (len(OF_A) + 2, lambda lines: lines[:-1]),
    "the end's number": (len(OF_A) + 2, lambda lines: [*lines[:-1], b'{"entries":"x","leftOut":0}']),
    "more after the end": (len(OF_A) + 3, lambda lines: [*lines, lines[1]]),
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


def test_an_entry_of_another_enterprise_does_not_pass_for_one_of_its_own(lines: Lines, pool: Pool) -> None:
    strange = evidence(pool, B)
    with pytest.raises(BrokenLine, match=f"its entry, of position 2, is none of {A}"):
        verify_enterprise([lines[0], lines[1], strange[1], *lines[2:]])


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


def test_an_entry_with_a_personal_field_in_the_clear_is_left_out_and_counted(ledger: Ledger, pool: Pool) -> None:
    made = opened(next(iter(ledger.recorder.read())).event.data)
    open_ = type(made.event)(uscc=A, name="旧", province="11", legal_representative="张三")
    ledger.recorder.append([draft(open_, made.tags, made.effective_on, "x")])
    found = evidence(pool, upto=HEAD + 1)
    assert json.loads(found[-1]) == {"entries": HEAD - 1, "leftOut": 1}
    assert "张三" not in b"".join(found).decode()
    assert verify_enterprise(found).entries == HEAD - 1
