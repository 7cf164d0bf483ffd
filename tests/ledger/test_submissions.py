"""What a witness is sent and what it accepts: each status of c2sp.org/tlog-witness, at its edges."""

import random
from base64 import b64encode

import pytest

from ledger.enterprise_map import with_map
from ledger.merkle import EMPTY_ROOT, Frontier, consistency_proof, frontier_nodes
from ledger.notes import Checkpoint, Cosigner, Note, Signer, open_checkpoint
from ledger.submissions import MalformedSubmission, NotAccepted, Submission, accepted
from trees import kept

SIZE = 700
LOG = Signer.generate("log.example")
OTHER = Signer.generate("log.example")
STRANGER = Signer.generate("another.example")
WITNESS = Cosigner.generate("witness.example")
ROOT = b64encode(bytes(32)).decode()


def at(size: int) -> Checkpoint:
    root = Frontier.of(size, kept(SIZE).look_up(frontier_nodes(size))).root if size else EMPTY_ROOT
    return Checkpoint("log.example", size, root)


def forged(size: int) -> Checkpoint:
    return Checkpoint("log.example", size, bytes(32))


def proof(first: int, second: int) -> tuple[bytes, ...]:
    return tuple(consistency_proof(first, second, kept(SIZE).look_up)) if 0 < first < second else ()


def signed(checkpoint: Checkpoint, *signers: Signer) -> bytes:
    return Note(checkpoint.text, tuple(each.sign(checkpoint.text) for each in signers or [LOG])).encoded


def body(old: int, new: Checkpoint, hashes: tuple[bytes, ...] | None = None, *signers: Signer) -> bytes:
    return Submission(old, proof(old, new.size) if hashes is None else hashes, signed(new, *signers)).encoded


def refused(sent: bytes, seen: Checkpoint | None) -> NotAccepted:
    with pytest.raises(NotAccepted) as found:
        accepted(sent, LOG.verifier, seen)
    return found.value


@pytest.mark.parametrize("seed", range(20))
def test_a_tree_that_grew_is_accepted_with_the_logs_signature_alone(seed: int) -> None:
    chance = random.Random(seed)
    new = chance.randint(1, SIZE)
    old = chance.choice([0, new, chance.randint(0, new)])
    sent = body(old, at(new), None, STRANGER, LOG)
    checkpoint, note = accepted(sent, LOG.verifier, at(old) if old else None)
    assert (checkpoint, note.encoded) == (at(new), signed(at(new)))


def test_a_checkpoint_that_names_the_map_is_cosigned_with_its_extension_line_and_is_no_split() -> None:
    named = with_map("log.example", 9, at(9).root, b"m" * 32)
    for seen in (None, at(5), at(9), named):
        checkpoint, note = accepted(body(seen.size if seen else 0, named), LOG.verifier, seen)
        assert checkpoint == named
        cosigned = note.signed_with(WITNESS.cosign(checkpoint, 1))
        opened = open_checkpoint(cosigned.encoded, "log.example", LOG.verifier, [WITNESS.verifier])
        assert opened.cosigned_at == {WITNESS.verifier: 1}
    # Whoever cosigned it goes on from there.
    assert accepted(body(9, at(12)), LOG.verifier, named)[0] == at(12)


def test_cosignatures_and_unknown_keys_in_the_checkpoint_are_passed_over() -> None:
    note = Note.parse(signed(at(5), STRANGER, LOG)).signed_with(WITNESS.cosign(at(5), 1))
    sent = Submission(0, (), note.encoded).encoded
    assert accepted(sent, LOG.verifier, None)[0] == at(5)


def test_an_empty_tree_is_accepted_first_and_any_tree_after_it() -> None:
    assert accepted(body(0, at(0)), LOG.verifier, None)[0].size == 0
    assert accepted(body(0, at(0)), LOG.verifier, at(0))[0].size == 0
    assert accepted(body(0, at(9)), LOG.verifier, at(0))[0].size == 9
    assert refused(body(0, forged(0)), None).status == 409


@pytest.mark.parametrize(
    ("sent", "seen", "status", "latest"),
    [
        (body(0, at(5), None, OTHER), None, 403, None),
        (body(0, at(5), None, STRANGER), None, 403, None),
        (body(0, Checkpoint("another.example", 5, at(5).root), None, LOG), None, 404, None),
        # An unknown log is told so before its signature is looked at.
        (body(0, Checkpoint("another.example", 5, at(5).root), None, STRANGER), None, 404, None),
        (body(6, at(5), ()), at(5), 400, None),
        (body(6, at(5), ()), None, 400, None),
        (body(2, at(5)), at(3), 409, 3),
        (body(0, at(5)), at(3), 409, 3),
        (body(2, at(5)), None, 409, 0),
        (body(5, at(5)), at(7), 409, 7),
        (body(7, at(7)), at(5), 409, 5),
        (body(5, forged(5)), at(5), 409, 5),
        (body(0, forged(5)), at(5), 409, 5),
        (body(3, at(5), proof(3, 6)), at(3), 422, None),
        (body(3, at(5), ()), at(3), 422, None),
        (body(3, at(5), (*proof(3, 5), bytes(32))), at(3), 422, None),
        (body(3, at(5)), forged(3), 422, None),
        (body(3, forged(5)), at(3), 422, None),
        (body(0, at(5), (bytes(32),)), None, 422, None),
        (body(5, at(5), (bytes(32),)), at(5), 422, None),
    ],
)
def test_what_is_not_accepted_has_the_status_of_the_specification(
    sent: bytes, seen: Checkpoint | None, status: int, latest: int | None
) -> None:
    found = refused(sent, seen)
    assert (found.status, found.latest) == (status, latest)


@pytest.mark.parametrize("old", [0, 3, 5])
def test_two_roots_of_one_size_convict_the_log_whatever_old_size_was_sent(old: int) -> None:
    found = refused(body(old, forged(5), (), STRANGER, LOG), at(5))
    assert found.split is not None
    assert found.split.encoded == signed(forged(5))
    assert "The log is split: for 5 entries it signed the root" in str(found)


def test_only_what_an_honest_log_never_sends_is_suspicious() -> None:
    assert refused(body(3, at(5), ()), at(3)).suspicious
    assert refused(body(5, forged(5)), at(5)).suspicious
    assert not refused(body(2, at(5)), at(3)).suspicious
    assert not refused(body(0, at(5), None, OTHER), None).suspicious


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"\n\n",
        signed(at(5)),
        b"old 0\n" + signed(at(5)),
        b"old 00\n\n" + signed(at(5)),
        b"old 01\n\n" + signed(at(5)),
        b"old -1\n\n" + signed(at(5)),
        b"old  0\n\n" + signed(at(5)),
        b"old 0 \n\n" + signed(at(5)),
        b"old 0\r\n\n" + signed(at(5)),
        b"old 9223372036854775808\n\n" + signed(at(5)),
        b"old \xd9\xa3\n\n" + signed(at(5)),
        b"old 1\nAAAA\n\n" + signed(at(5)),
        b"old 1\n" + f"{ROOT[:-1]}\n\n".encode() + signed(at(5)),
        b"old 1\n" + f" {ROOT}\n\n".encode() + signed(at(5)),
        b"old 1\n" + f"{ROOT}\n".encode() * 64 + b"\n" + signed(at(5)),
        b"old 0\n\n" + signed(at(5))[:-1],
        b"old 0\n\n" + at(5).text.encode(),
        b"old 0\n\n" + Note("no checkpoint\n", (LOG.sign("no checkpoint\n"),)).encoded,
        b"old 0\n\n\xff" + signed(at(5)),
    ],
)
def test_what_is_malformed_is_400(sent: bytes) -> None:
    assert refused(sent, None).status == 400


def test_a_submission_is_read_as_it_is_written_up_to_63_hashes() -> None:
    hashes = tuple(bytes([number]) * 32 for number in range(63))
    submission = Submission(20852014, hashes, signed(at(5)))
    assert Submission.parse(submission.encoded) == submission
    assert Submission.parse(b"old 0\n\n") == Submission(0, (), b"")
    with pytest.raises(MalformedSubmission, match="at most 63 lines; got 64"):
        Submission.parse(Submission(1, (*hashes, bytes(32)), b"").encoded)
