"""Which witnesses are asked, and what is kept of their answers."""

from datetime import UTC, datetime
from random import Random

import pytest

from appends import bare, event, now
from ledger import cosignatures
from ledger.cosignatures import MOST_WITNESSES, MalformedWitnesses, NoCosignature, WitnessAt, witnesses_of
from ledger.migrations import Pool
from ledger.notes import MOST_SIGNATURES, Checkpoint, Cosigner, Note, Signer, open_checkpoint
from ledger.recorder import PostgresRecorder
from ledger.tree import LedgerTree, Proofs, Signed

LOG = Signer.generate("log.example")
ONE, TWO, THREE = (Cosigner.generate(f"{name}.example") for name in ("one", "two", "three"))
TIME = 1_795_000_000
NOW = datetime.fromtimestamp(TIME, UTC)
AT_ONE = f"{ONE.verifier} http://127.0.0.1:8100"
AT_TWO = f"{TWO.verifier} https://two.example/log/"


@pytest.fixture
def ledger(pool: Pool) -> Pool:
    """A ledger of nine events, each under a checkpoint of its own."""
    recorder = PostgresRecorder(pool, seal=bare, clock=now, tree=LedgerTree(LOG))
    for _ in range(9):
        recorder.append([event()])
    return pool


def signed(pool: Pool, size: int) -> Signed:
    found = Proofs(pool).checkpoint(size)
    assert found is not None
    return found


def cosign(pool: Pool, size: int, *witnesses: Cosigner, timestamp: int = TIME) -> None:
    of = signed(pool, size)
    with pool.connection() as database:
        for each in witnesses:
            made = each.cosign(Checkpoint("log.example", size, of.root), timestamp)
            cosignatures.keep(database, of, each.verifier, made)


def test_witnesses_are_lines_or_parts_between_commas_and_comments_are_passed_over() -> None:
    expected = (WitnessAt(ONE.verifier, "http://127.0.0.1:8100"), WitnessAt(TWO.verifier, "https://two.example/log"))
    assert witnesses_of(f"# who, and where\n{AT_ONE}\n\n  # another\n  {AT_TWO}  \n") == expected
    assert witnesses_of(f"{AT_ONE},{AT_TWO}") == witnesses_of(f" {AT_ONE} , {AT_TWO} ,") == expected
    assert witnesses_of("") == witnesses_of("\n# nobody\n") == ()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (str(ONE.verifier), "A witness is written VERIFIER_KEY URL; got "),
        (f"{AT_ONE} more", "A witness is written VERIFIER_KEY URL; got "),
        ("key http://127.0.0.1", "A verifier key reads NAME"),
        (AT_ONE.replace("one.example", "won.example"), "a part was changed"),
        (f"{LOG.verifier} http://127.0.0.1", "is of type 0x01; a witness's is of type 0x04"),
        (f"{ONE.verifier} 127.0.0.1:8100", "A witness's URL is http://HOST:PORT"),
        (f"{ONE.verifier} ftp://127.0.0.1", "A witness's URL is http://HOST:PORT"),
        (f"{ONE.verifier} http://127.0.0.1/?a", "A witness's URL is http://HOST:PORT"),
        (f"{AT_ONE}\n{AT_ONE}", "Two of the witnesses have one name"),
        (
            f"{AT_ONE}\n{Cosigner('uno.example', ONE.private_key).verifier} http://h",
            "Two of the witnesses have one key",
        ),
        (
            "\n".join(f"{Cosigner.generate(f'w{n}').verifier} http://h" for n in range(MOST_WITNESSES + 1)),
            "There may be 32 witnesses; got 33",
        ),
    ],
    # Keys are made anew for each process, and so are no names of tests.
    ids=[
        "no URL",
        "three words",
        "no key",
        "changed",
        "a log's",
        "no scheme",
        "ftp",
        "a query",
        "one name",
        "one key",
        "many",
    ],
)
def test_what_names_no_witness_is_refused_by_what_is_wrong(text: str, said: str) -> None:
    with pytest.raises(MalformedWitnesses, match=said):
        witnesses_of(text)


def test_an_answer_may_have_lines_of_other_keys(ledger: Pool) -> None:
    of = signed(ledger, 3)
    checkpoint = Checkpoint("log.example", 3, of.root)
    mine = ONE.cosign(checkpoint, TIME)
    answer = f"{TWO.cosign(checkpoint, TIME).line}\n{mine.line}\n".encode()
    assert cosignatures.cosignature_in(answer, of, ONE.verifier, NOW) == mine


def test_a_cosignature_of_another_checkpoint_is_not_believed(ledger: Pool) -> None:
    other = ONE.cosign(Checkpoint("log.example", 4, signed(ledger, 4).root), TIME)
    with pytest.raises(NoCosignature, match="or of another checkpoint"):
        cosignatures.cosignature_in(f"{other.line}\n".encode(), signed(ledger, 3), ONE.verifier, NOW)


def test_a_cosigned_checkpoint_is_the_note_with_further_lines_and_the_first_of_each_witness_stays(ledger: Pool) -> None:
    plain = signed(ledger, 5)
    cosign(ledger, 5, ONE, TWO)
    cosign(ledger, 5, ONE, timestamp=TIME + 9)
    found = signed(ledger, 5)
    assert found.note.startswith(plain.note)
    opened = open_checkpoint(found.note.encode(), "log.example", LOG.verifier, [ONE.verifier, TWO.verifier])
    assert opened.cosigned_at == {ONE.verifier: TIME, TWO.verifier: TIME}
    assert len(opened.note.signatures) == 3
    assert Proofs(ledger).receipts([2], 5)[0].checkpoint == found
    assert signed(ledger, 6).note.count("—") == 1


def test_a_note_never_has_more_signatures_than_one_may_have(ledger: Pool) -> None:
    cosign(ledger, 5, *(Cosigner.generate(f"w{number}") for number in range(MOST_SIGNATURES + 5)))
    assert len(Note.parse(signed(ledger, 5).note.encode()).signatures) == MOST_SIGNATURES


@pytest.mark.parametrize("seed", range(12))
def test_the_witnessed_checkpoint_is_the_newest_that_all_have_in_common(ledger: Pool, seed: int) -> None:
    chance = Random(seed)
    sizes = {each: {size for size in range(1, 10) if chance.random() < 0.5} for each in (ONE, TWO, THREE)}
    for each, cosigned in sizes.items():
        for size in cosigned:
            cosign(ledger, size, each)
    for asked in ([ONE], [ONE, TWO], [ONE, TWO, THREE]):
        common = set.intersection(*(sizes[each] for each in asked))
        found = Proofs(ledger).witnessed([each.verifier for each in asked])
        assert (found.size if found else 0) == max(common, default=0)


def test_no_checkpoint_is_witnessed_by_nobody(ledger: Pool) -> None:
    cosign(ledger, 5, ONE)
    assert Proofs(ledger).witnessed([]) is None
    assert Proofs(ledger).witnessed([TWO.verifier]) is None
