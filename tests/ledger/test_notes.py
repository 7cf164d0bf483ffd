"""Notes, checkpoints and cosignatures against the specifications' own examples, Go's tests and a public log."""

from base64 import b64decode, b64encode
from dataclasses import replace
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.merkle import EMPTY_ROOT, leaf_hash
from ledger.notes import (
    Checkpoint,
    Cosigner,
    KeyType,
    MalformedKey,
    MalformedNote,
    Note,
    Signature,
    Signer,
    UnverifiedNote,
    Verifier,
    open_checkpoint,
    timestamp_of,
)

# The example of c2sp.org/signed-note.
EXAMPLE_KEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
EXAMPLE_NOTE = """\
This is an example message.

— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=
""".encode()

# golang.org/x/mod/sumdb/note, note_test.go.
PETER_PRIVATE = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
PETER_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
ENOCH_KEY = "EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop"
TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
PETER_LINE = (
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)
ENOCH_LINE = (
    "— EnochRoot rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/5n2tiOHp+vAF1aGrQ5ovTG01oOTGwnWLox33WWd1RvMc+QQ=\n"
)

# A checkpoint of a public log as its witnesses cosigned it at 2026-05-23T21:50:24Z, with the log's key and one witness's.
PUBLIC_ORIGIN = "arche2025h1.staging.ct.transparency.dev"
PUBLIC_LOG = Verifier.parse(f"{PUBLIC_ORIGIN}+ba2f06c0+AU0vHmlGCS/PdN8b2OaGmKprLI8HKM+dJ472xgFYh15f")
PUBLIC_WITNESS = Verifier.parse("remora.n621.de+da77ade7+BOvN63jn/bLvkieywe8R6UYAtVtNbZpXh34x7onlmtw2")
PUBLIC_CHECKPOINT = """\
arche2025h1.staging.ct.transparency.dev
1432088532
U7WM79jrzyhGZ5/GUBTpM7NzwdyfFx61t3RovgcC4Ro=

— arche2025h1.staging.ct.transparency.dev zTM8sQAAAZ5W0WdjBAMARjBEAiBjW5IQf9pvsYLfQFX6hoGREPMHbdQ3urbllzalApkptQIgIpwtEroeW2BXaHAI4kJXFbon5Ch9MNL5zRNZ55lvGt0=
— arche2025h1.staging.ct.transparency.dev ui8GwCF1+kWqZrxGdhj4aX3gcw7XUlXQQabg/27lefwhUkzbC3NygNI75MdhL1bfTW9g8Ei59RA23oHP7Ry1k3ZFWwQ=
— transparency.dev/DEV:witness-little-garden 2AQqhwAAAABqEiEgzgFIqqhbUoDwjMWE6UP8nd8/KYTzwZ2rhIgcqoXHAwVkjZr4AscylP3v7sEodkRAErumC2q44vdgJY096st5BQ==
— remora.n621.de 2net5wAAAABqEiEgPlfF3V06o0Y+fHM+J5J9s27wgxxcOVSpZ/2g/KSiXCg9DEZI+aVCIobWX9sXTynk5XeU/zZ0WBxtqB0DrAWfBw==
""".encode()

ORIGIN = "ledger.example/cases"
AT = 1_700_000_000


@pytest.fixture
def log() -> Signer:
    return Signer.generate(ORIGIN)


@pytest.fixture
def witness() -> Cosigner:
    return Cosigner.generate("witness.example/w1")


@pytest.fixture
def checkpoint() -> Checkpoint:
    return Checkpoint(ORIGIN, 42, leaf_hash(b"root"))


def signed(checkpoint: Checkpoint, log: Signer) -> Note:
    return Note(checkpoint.text, (log.sign(checkpoint.text),))


# Keys


@pytest.mark.parametrize("text", [EXAMPLE_KEY, PETER_KEY, ENOCH_KEY, str(PUBLIC_LOG), str(PUBLIC_WITNESS)])
def test_a_verifier_key_is_read_and_written_as_it_was(text: str) -> None:
    assert str(Verifier.parse(text)) == text


def test_a_private_key_gives_the_verifier_key_that_go_gives() -> None:
    peter = Signer.parse(PETER_PRIVATE)
    assert peter.text == PETER_PRIVATE
    assert str(peter.verifier) == PETER_KEY


@pytest.mark.parametrize("text", [PETER_KEY, str(PUBLIC_WITNESS)])
def test_a_verifier_key_with_any_part_cut_off_or_changed_is_refused(text: str) -> None:
    for mangled in manglings(text):
        with pytest.raises(MalformedKey):
            Verifier.parse(mangled)


def test_a_private_key_with_any_part_cut_off_or_changed_is_refused_and_never_shown() -> None:
    for mangled in manglings(PETER_PRIVATE):
        with pytest.raises(MalformedKey) as refused:
            Signer.parse(mangled)
        assert "AYEKFALVFGy" not in str(refused.value)


def manglings(text: str) -> list[str]:
    """As Go's own test mangles its keys: every proper part, and every character made the next one."""
    ends = range(len(text) + 1)
    parts = [text[i:j] for i in ends for j in ends if i < j and (i, j) != (0, len(text))]
    return parts + [text[:i] + chr(ord(text[i]) + 1) + text[i + 1 :] for i in range(len(text))]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "NAME"),
        ("PeterNeumann+c74f20a3", "NAME"),
        ("PeterNeumann+C74F20A3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", "ID"),
        # Two of Go's: a key of the wrong length, and of an unknown type, each with the ID that it would have.
        ("PeterNeumann+cc469956+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TWBADKEY==", "32 bytes"),
        ("PeterNeumann+173116ae+ZRpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", "0x65"),
        # Two of those of github.com/transparency-dev/formats.
        ("bananas.sigstore.dev+12344556", "NAME"),
        ("rekor.sigstore.dev+12345678+THIS_IS_NOT_BASE64!", "base64"),
    ],
)
def test_a_malformed_verifier_key_is_refused_with_the_reason(text: str, why: str) -> None:
    with pytest.raises(MalformedKey, match=why):
        Verifier.parse(text)


@pytest.mark.parametrize(
    "name", ["", "a b", " a", "a+b", "a\nb", "a\tb", "a\u00a0b", "a\u3000b", "a\u2028b", "a\x01b", "a\ud800"]
)
def test_no_key_has_a_name_that_is_empty_or_holds_a_blank_or_a_plus(name: str) -> None:
    with pytest.raises(MalformedKey, match="name"):
        Signer.generate(name)
    with pytest.raises(MalformedKey, match="name"):
        Verifier(name, KeyType.ED25519, bytes(32))


def test_a_public_key_of_another_length_is_refused() -> None:
    with pytest.raises(MalformedKey, match="got 31"):
        Verifier("a", KeyType.ED25519, bytes(31))


def test_the_key_id_is_of_the_name_the_type_and_the_public_key() -> None:
    verifier = Verifier("名字/log", KeyType.COSIGNATURE_V1, bytes(range(32)))
    assert verifier.key_id.to_bytes(4) == sha256("名字/log\n\x04".encode() + bytes(range(32))).digest()[:4]
    assert verifier.key_id != replace(verifier, key_type=KeyType.ED25519).key_id
    assert verifier.key_id != replace(verifier, name="名字/logs").key_id


def test_a_private_key_is_not_shown_where_it_is_printed() -> None:
    peter = Signer.parse(PETER_PRIVATE)
    assert repr(peter) == "Signer(name='PeterNeumann')"


def test_a_log_key_does_not_cosign_and_a_witness_key_does_not_sign(log: Signer, witness: Cosigner) -> None:
    with pytest.raises(MalformedKey, match="0x04 is needed here; got one of type 0x01"):
        Cosigner.parse(log.text)
    with pytest.raises(MalformedKey, match="0x01 is needed here; got one of type 0x04"):
        Signer.parse(witness.text)
    assert Cosigner.parse(witness.text).verifier == witness.verifier


# Notes


def test_the_note_of_the_specification_is_signed_by_its_key() -> None:
    note = Note.parse(EXAMPLE_NOTE)
    example = Verifier.parse(EXAMPLE_KEY)
    assert note.text == "This is an example message.\n"
    assert note.verified_by([example]) == {example: note.signatures[0]}
    assert note.encoded == EXAMPLE_NOTE


def test_a_note_is_signed_byte_for_byte_as_go_signs_it() -> None:
    note = Note(TEXT, (Signer.parse(PETER_PRIVATE).sign(TEXT),))
    assert note.encoded == f"{TEXT}\n{PETER_LINE}".encode()


def test_each_known_key_is_told_and_unknown_ones_are_passed_over() -> None:
    note = Note.parse(f"{TEXT}\n{PETER_LINE}{ENOCH_LINE}".encode())
    peter, enoch = Verifier.parse(PETER_KEY), Verifier.parse(ENOCH_KEY)
    assert note.text == TEXT
    assert list(note.verified_by([peter])) == [peter]
    assert list(note.verified_by([enoch, peter])) == [peter, enoch]
    with pytest.raises(UnverifiedNote, match="None of the 0"):
        note.verified_by([])


def test_a_signature_that_shares_only_the_name_or_only_the_id_is_of_an_unknown_key() -> None:
    peter = Verifier.parse(PETER_KEY)
    for line in (PETER_LINE.replace("PeterNeumann", "CarmenSandiego"), PETER_LINE.replace("x08g", "xxxx")):
        assert list(Note.parse(f"{TEXT}\n{line}{PETER_LINE}".encode()).verified_by([peter])) == [peter]
        with pytest.raises(UnverifiedNote, match="None of the 1"):
            Note.parse(f"{TEXT}\n{line}".encode()).verified_by([peter])


def test_a_note_with_a_changed_text_is_refused() -> None:
    note = Note.parse(EXAMPLE_NOTE.replace(b"an example", b"no example"))
    with pytest.raises(UnverifiedNote, match=r"example\.com/foo\+530d903a"):
        note.verified_by([Verifier.parse(EXAMPLE_KEY)])


def test_a_note_is_refused_for_one_wrong_signature_of_a_known_key_beside_a_right_one() -> None:
    wrong = f"{PETER_LINE[:60]}ABCD{PETER_LINE[60:]}"
    for lines in (wrong, PETER_LINE + wrong, wrong + PETER_LINE, ENOCH_LINE + wrong):
        with pytest.raises(UnverifiedNote, match="PeterNeumann"):
            Note.parse(f"{TEXT}\n{lines}".encode()).verified_by([Verifier.parse(PETER_KEY), Verifier.parse(ENOCH_KEY)])


def test_a_key_of_the_same_name_that_did_not_sign_is_unknown(log: Signer, checkpoint: Checkpoint) -> None:
    with pytest.raises(UnverifiedNote, match="None of the 1"):
        signed(checkpoint, log).verified_by([Signer.generate(log.name).verifier])


def test_the_same_public_key_under_another_name_is_another_key() -> None:
    peter = Signer.parse(PETER_PRIVATE)
    assert peter.verifier.verifies(TEXT, peter.sign(TEXT))
    assert not replace(peter.verifier, name="CarmenSandiego").verifies(TEXT, peter.sign(TEXT))


def test_two_keys_that_cannot_be_told_apart_are_refused_and_one_given_twice_is_not() -> None:
    # Two public keys whose IDs are the same, found by trying fifty thousand.
    first, second = (Verifier("example.com/log", KeyType.ED25519, n.to_bytes(32)) for n in (27114, 45887))
    assert first.key_id == second.key_id == 0xCB30A249
    note = Note.parse(EXAMPLE_NOTE)
    with pytest.raises(MalformedKey, match=r"example\.com/log\+cb30a249"):
        note.verified_by([first, second])
    example = Verifier.parse(EXAMPLE_KEY)
    assert list(note.verified_by([example, first, example])) == [example]


def test_the_text_may_hold_blank_lines_and_ends_at_the_last_one(log: Signer) -> None:
    for text in ("\n", "\n\n\n", "a\n\nb\n", "a\n\n— b c\n\n", "é 中\u2028\x85\n"):
        note = Note.parse(Note(text, (log.sign(text),)).encoded)
        assert note.text == text
        assert list(note.verified_by([log.verifier])) == [log.verifier]


@pytest.mark.parametrize(
    "message",
    [
        # Go's.
        TEXT.encode(),
        f"{TEXT}\n".encode(),
        f"{TEXT}\n{PETER_LINE[:-1]}".encode(),
        f"\x01{TEXT}\n{PETER_LINE}".encode(),
        b"\xff" + f"{TEXT}\n{PETER_LINE}".encode(),
        f"{TEXT}\n{PETER_LINE.replace('PeterNeumann', 'Bad Name')}".encode(),
        f"{TEXT}\n{PETER_LINE}Unexpected line.\n".encode(),
        # Ours.
        b"",
        b"\n",
        PETER_LINE.encode(),
        f"{TEXT}{PETER_LINE}".encode(),
        f"{TEXT}\n\n{PETER_LINE}\n".encode(),
        f"{TEXT}\r\n{PETER_LINE}".encode(),
        f"{TEXT}\n{PETER_LINE[:-1]}\r\n".encode(),
        f"{TEXT}\n{PETER_LINE.replace('—', '-')}".encode(),
        f"{TEXT}\n{PETER_LINE.replace('— ', '—')}".encode(),
        f"{TEXT}\n{PETER_LINE.replace('— ', '—  ')}".encode(),
        f"{TEXT}\n{PETER_LINE.replace('PeterNeumann', 'Peter+Neumann')}".encode(),
        f"{TEXT}\n{PETER_LINE.replace('PeterNeumann', 'Peter　Neumann')}".encode(),
        f"{TEXT}\n{PETER_LINE.replace('PeterNeumann ', '')}".encode(),
        f"{TEXT}\n{PETER_LINE[:-1]} \n".encode(),
        f"{TEXT}\n{PETER_LINE.replace('nAM=', 'nAM')}".encode(),
        f"{TEXT}\n{PETER_LINE.replace('nAM=', 'nAN=')}".encode(),
        f"{TEXT}\n— PeterNeumann \n".encode(),
        f"{TEXT}\n— PeterNeumann x08gow==\n".encode(),
        f"{TEXT}\n{PETER_LINE.replace('x08go/', 'x08go_')}".encode(),
    ],
)
def test_a_malformed_note_is_refused(message: bytes) -> None:
    with pytest.raises(MalformedNote):
        Note.parse(message)


def test_a_note_has_at_most_a_hundred_signatures() -> None:
    peter = Verifier.parse(PETER_KEY)
    assert list(Note.parse(f"{TEXT}\n{PETER_LINE * 100}".encode()).verified_by([peter])) == [peter]
    for count in (101, 102, 1000):
        with pytest.raises(MalformedNote):
            Note.parse(f"{TEXT}\n{PETER_LINE * count}".encode())
    with pytest.raises(MalformedNote, match="got 0"):
        Note(TEXT, ())


@pytest.mark.parametrize("text", ["", "abc", "a\n\nb", "a\x00\n", "a\r\n", "a\ud800\n"])
def test_a_text_that_no_note_can_hold_is_not_signed(text: str, log: Signer) -> None:
    with pytest.raises(MalformedNote):
        log.sign(text)
    with pytest.raises(MalformedNote):
        Note(text, (Signature("a", 0, b"a"),))


def test_a_new_signature_takes_the_place_of_the_old_one_of_its_key(log: Signer) -> None:
    peter, old = Signer.parse(PETER_PRIVATE), Signature("PeterNeumann", 0xC74F20A3, b"old")
    note = Note(TEXT, (old, log.sign(TEXT))).signed_with(peter.sign(TEXT))
    assert note.signatures == (log.sign(TEXT), peter.sign(TEXT))
    assert set(note.verified_by([log.verifier, peter.verifier])) == {log.verifier, peter.verifier}


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters=[chr(c) for c in range(32)])))
def test_any_written_text_comes_back_from_its_note(line: str) -> None:
    text, log = f"{line}\n", Signer.parse(PETER_PRIVATE)
    note = Note.parse(Note(text, (log.sign(text),)).encoded)
    assert note.text == text
    assert note.verified_by([log.verifier])


@given(st.binary(max_size=60))
def test_any_bytes_are_a_note_that_is_written_the_same_or_are_refused(garbage: bytes) -> None:
    for message in (garbage, garbage + EXAMPLE_NOTE, EXAMPLE_NOTE + garbage, garbage + b"\n\n\xe2\x80\x94 " + garbage):
        try:
            note = Note.parse(message)
        except MalformedNote:
            continue
        assert note.encoded == message


@given(st.integers(0, 8 * len(EXAMPLE_NOTE) - 1))
def test_no_bit_of_a_signed_note_can_be_changed(bit: int) -> None:
    tampered = bytearray(EXAMPLE_NOTE)
    tampered[bit // 8] ^= 1 << bit % 8
    with pytest.raises((MalformedNote, UnverifiedNote)):
        Note.parse(bytes(tampered)).verified_by([Verifier.parse(EXAMPLE_KEY)])


# Checkpoints


def test_the_checkpoint_of_the_specification_is_read_and_written_as_it_was() -> None:
    text = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
    checkpoint = Checkpoint.parse(text)
    assert (checkpoint.origin, checkpoint.size, checkpoint.extensions) == ("example.com/behind-the-sofa", 20852163, ())
    assert checkpoint.root == b64decode("CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=")
    assert checkpoint.text == text


@pytest.mark.parametrize("size", [0, 1, 2**63 - 1])
@pytest.mark.parametrize("extensions", [(), ("one",), ("one", "另一行 two")])
def test_a_checkpoint_comes_back_from_its_text(size: int, extensions: tuple[str, ...]) -> None:
    checkpoint = Checkpoint("案卷 cases", size, EMPTY_ROOT, extensions)
    assert Checkpoint.parse(checkpoint.text) == checkpoint


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        "log\n1\n",
        "log\n1\nROOT",
        "\n1\nROOT\n",
        "log\n\nROOT\n",
        "log\n01\nROOT\n",
        "log\n00\nROOT\n",
        "log\n-1\nROOT\n",
        "log\n+1\nROOT\n",
        "log\n1 \nROOT\n",
        "log\n1.0\nROOT\n",
        "log\n0x1\nROOT\n",
        "log\n1_0\nROOT\n",
        "log\n１\nROOT\n",
        "log\n9223372036854775808\nROOT\n",
        "log\n99999999999999999999\nROOT\n",
        "log\n1\n\n",
        "log\n1\nAAAA\n",
        "log\n1\nROOTROOT\n",
        "log\n1\nThisIsn'tBase64\n",
        "log\n1\n ROOT\n",
        "log\n1\nROOT\n\n",
        "log\n1\nROOT\nextension\n\n",
        "log\n1\nROOT\n\nextension\n",
        "log\n1\nROOT\nextension",
        "log\n1\nROOT\n\x00\n",
    ],
)
def test_a_malformed_checkpoint_is_refused(text: str) -> None:
    with pytest.raises(MalformedNote):
        Checkpoint.parse(text.replace("ROOT", b64encode(EMPTY_ROOT).decode()))


def test_a_checkpoint_that_could_not_be_read_back_is_not_made() -> None:
    good = Checkpoint("log", 1, EMPTY_ROOT)
    with pytest.raises(MalformedNote, match="got -1"):
        replace(good, size=-1)
    with pytest.raises(MalformedNote, match="got 31"):
        replace(good, root=bytes(31))
    for line in ("", "two\nlines", "\x07"):
        with pytest.raises(MalformedNote):
            replace(good, origin=line)
        with pytest.raises(MalformedNote):
            replace(good, extensions=(line,))


def test_a_checkpoint_is_opened_by_its_logs_key(log: Signer, checkpoint: Checkpoint) -> None:
    opened = open_checkpoint(signed(checkpoint, log).encoded, ORIGIN, log.verifier)
    assert (opened.checkpoint, opened.cosigned_at) == (checkpoint, {})


def test_a_checkpoint_of_another_log_or_signed_by_another_key_is_refused(log: Signer, checkpoint: Checkpoint) -> None:
    message = signed(checkpoint, log).encoded
    with pytest.raises(UnverifiedNote, match=r"ledger\.example/others"):
        open_checkpoint(message, "ledger.example/others", log.verifier)
    with pytest.raises(UnverifiedNote, match="None of the 1"):
        open_checkpoint(message, ORIGIN, Signer.generate(ORIGIN).verifier)
    with pytest.raises(MalformedNote, match="three lines"):
        open_checkpoint(Note("no checkpoint\n", (log.sign("no checkpoint\n"),)).encoded, ORIGIN, log.verifier)


def test_a_witness_does_not_stand_in_for_the_log(log: Signer, witness: Cosigner, checkpoint: Checkpoint) -> None:
    message = Note(checkpoint.text, (witness.cosign(checkpoint, AT),)).encoded
    with pytest.raises(UnverifiedNote, match="The log's key"):
        open_checkpoint(message, ORIGIN, log.verifier, [witness.verifier])


# Cosignatures


def test_a_public_logs_checkpoint_is_opened_with_its_witness() -> None:
    opened = open_checkpoint(PUBLIC_CHECKPOINT, PUBLIC_ORIGIN, PUBLIC_LOG, [PUBLIC_WITNESS])
    assert opened.checkpoint.size == 1432088532
    assert opened.cosigned_at == {PUBLIC_WITNESS: 1779573024}
    assert opened.note.encoded == PUBLIC_CHECKPOINT


def test_the_time_of_a_cosignature_is_read_from_its_first_eight_bytes() -> None:
    # github.com/transparency-dev/formats, note/note_cosigv1_test.go (TestCoSigV1Timestamp).
    line = (
        "— w ZGhGuQAAAABm/qTPeyKXD+R2rzyQsxPiP8mXum7qq/iF0u4vanlqJyocWODBt97w9uL+8qT7S5gxEHWWOworDcFiEBYJXORmnFBOBA=="
    )
    assert timestamp_of(Signature.parse(line)) == 1727964367


def test_a_cosignature_is_over_its_time_and_the_whole_text(witness: Cosigner) -> None:
    extended = Checkpoint("example.com/behind-the-sofa", 20852163, EMPTY_ROOT, ("extension",))
    cosignature = witness.cosign(extended, 1679315147)
    witness.private_key.public_key().verify(
        cosignature.value[8:],
        b"cosignature/v1\ntime 1679315147\nexample.com/behind-the-sofa\n20852163\n"
        b"47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\nextension\n",
    )
    assert cosignature.value[:8] == (1679315147).to_bytes(8)
    assert witness.verifier.verifies(extended.text, cosignature)
    assert not witness.verifier.verifies(replace(extended, extensions=()).text, cosignature)


def test_cosignatures_are_collected_under_the_logs_checkpoint(log: Signer, checkpoint: Checkpoint) -> None:
    witnesses = [Cosigner.generate(f"witness.example/w{number}") for number in range(16)]
    note = signed(checkpoint, log).signed_with(*(w.cosign(checkpoint, AT + n) for n, w in enumerate(witnesses)))
    opened = open_checkpoint(note.encoded, ORIGIN, log.verifier, [w.verifier for w in witnesses[:3]])
    assert opened.cosigned_at == {w.verifier: AT + n for n, w in enumerate(witnesses[:3])}
    newer = note.signed_with(witnesses[0].cosign(checkpoint, AT + 99))
    assert len(newer.signatures) == 17
    opened = open_checkpoint(newer.encoded, ORIGIN, log.verifier, [witnesses[0].verifier])
    assert opened.cosigned_at == {witnesses[0].verifier: AT + 99}


def test_of_two_cosignatures_by_one_witness_the_first_counts_and_both_must_be_its_own(
    log: Signer, witness: Cosigner, checkpoint: Checkpoint
) -> None:
    first, second = witness.cosign(checkpoint, AT), witness.cosign(checkpoint, AT + 1)
    note = Note(checkpoint.text, (log.sign(checkpoint.text), first, second))
    assert open_checkpoint(note.encoded, ORIGIN, log.verifier, [witness.verifier]).cosigned_at == {witness.verifier: AT}
    note = Note(checkpoint.text, (log.sign(checkpoint.text), first, replace(second, value=bytes(72))))
    with pytest.raises(UnverifiedNote, match=r"witness\.example/w1"):
        open_checkpoint(note.encoded, ORIGIN, log.verifier, [witness.verifier])


def test_a_cosignature_with_its_time_changed_is_refused(log: Signer, witness: Cosigner, checkpoint: Checkpoint) -> None:
    cosignature = witness.cosign(checkpoint, AT)
    later = replace(cosignature, value=(AT + 1).to_bytes(8) + cosignature.value[8:])
    note = signed(checkpoint, log).signed_with(later)
    with pytest.raises(UnverifiedNote, match=r"witness\.example/w1"):
        open_checkpoint(note.encoded, ORIGIN, log.verifier, [witness.verifier])
    assert open_checkpoint(note.encoded, ORIGIN, log.verifier).cosigned_at == {}


@pytest.mark.parametrize("value", [b"", b"1234567", bytes(8), bytes(71), bytes(72), bytes(73)])
def test_a_cosignature_of_any_other_bytes_is_refused(value: bytes, witness: Cosigner, checkpoint: Checkpoint) -> None:
    cosignature = replace(witness.cosign(checkpoint, AT), value=value)
    assert not witness.verifier.verifies(checkpoint.text, cosignature)


def test_a_cosignature_states_no_time_beyond_the_specifications(witness: Cosigner, checkpoint: Checkpoint) -> None:
    assert timestamp_of(witness.cosign(checkpoint, 2**63 - 1)) == 2**63 - 1
    for timestamp in (-1, 2**63):
        with pytest.raises(ValueError, match=f"got {timestamp}"):
            witness.cosign(checkpoint, timestamp)
    beyond = witness.private_key.sign(f"cosignature/v1\ntime {2**63}\n{checkpoint.text}".encode())
    signature = replace(witness.cosign(checkpoint, 0), value=(2**63).to_bytes(8) + beyond)
    assert not witness.verifier.verifies(checkpoint.text, signature)


def test_a_key_of_the_other_type_neither_signs_for_the_log_nor_for_a_witness(
    log: Signer, witness: Cosigner, checkpoint: Checkpoint
) -> None:
    note = signed(checkpoint, log).signed_with(witness.cosign(checkpoint, AT))
    with pytest.raises(MalformedKey, match="0x04, not 0x01"):
        open_checkpoint(note.encoded, ORIGIN, witness.verifier)
    with pytest.raises(MalformedKey, match="0x01, not 0x04"):
        open_checkpoint(note.encoded, ORIGIN, log.verifier, [log.verifier])


def test_a_plain_signature_by_a_witnesss_key_is_no_cosignature(witness: Cosigner, checkpoint: Checkpoint) -> None:
    plain = Signer(witness.name, witness.private_key)
    assert not witness.verifier.verifies(checkpoint.text, plain.sign(checkpoint.text))
    relabelled = replace(plain.sign(checkpoint.text), key_id=witness.verifier.key_id)
    assert not witness.verifier.verifies(checkpoint.text, relabelled)
