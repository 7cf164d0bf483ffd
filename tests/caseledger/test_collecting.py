"""The ledger collects cosignatures of its checkpoints from real witnesses over HTTP, and from such as are none."""

import asyncio
import logging
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, MutableMapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx
import psycopg
import pytest
import structlog
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route
from tlog_scales.reader import TilesReader

from caseledger.collecting import ANSWER_SECONDS, Collector, collecting
from caseledger.witness import Witness
from caseledger.witness_serving import witness_app
from given import complained
from ledger.cosignatures import WitnessAt
from ledger.notes import Checkpoint, Cosigner, Note, Signature, Signer, Verifier, open_checkpoint
from ledger.submissions import SIZE_MEDIA, Submission
from ledger.tree import Proofs
from running import ADOPTED, Server, System, started, wait_until

SECONDS: Final = 0.1


@pytest.fixture
def signer() -> Signer:
    return Signer.generate("caseledger/test")


@dataclass
class Witnesses:
    """Two witnesses that listen, and the ledger that knows them."""

    both: list[Witness]
    places: list[WitnessAt]
    system: System

    @property
    def keys(self) -> list[Verifier]:
        return [witness.verifier for witness in self.both]


@pytest.fixture
def two(database: str, signer: Signer, tmp_path: Path) -> Iterator[Witnesses]:
    with ExitStack() as stack:
        names = ("one", "two")
        both = [Witness.opened("http://127.0.0.1:1", tmp_path / name, str(signer.verifier)) for name in names]
        servers = [stack.enter_context(Server(witness_app(witness))) for witness in both]
        places = [WitnessAt(witness.verifier, server.url) for witness, server in zip(both, servers, strict=True)]
        system = stack.enter_context(started(database, signer, [witness.verifier for witness in both]))
        yield Witnesses(both, places, system)


def cosigned(system: System, path: str, *witnesses: Verifier) -> tuple[int, set[Verifier]]:
    """Size of a checkpoint that the ledger serves, and which of the witnesses cosigned it, by their keys."""
    answer = system.http.get(path)
    assert answer.status_code == 200, answer.text
    opened = open_checkpoint(answer.content, system.verifier.name, system.verifier, witnesses)
    assert len(opened.note.signatures) == 1 + len(opened.cosigned_at)
    return opened.checkpoint.size, set(opened.cosigned_at)


def wait_for_both(two: Witnesses) -> None:
    expected = (two.system.head, set(two.keys))
    wait_until(lambda: cosigned(two.system, "/tlog/checkpoint", *two.keys) == expected)


def record(system: System, *ids: str) -> None:
    system.record(*(complained(complaintId=id_) for id_ in ids))


def kept(system: System) -> list[tuple[int, str]]:
    with system.pool.connection() as database:
        rows = database.execute("SELECT size, witness FROM cosignatures ORDER BY size, witness").fetchall()
    return [(size, witness) for size, witness in rows]


# With witnesses that do their work


def test_the_checkpoint_that_is_served_carries_the_cosignatures_of_both_witnesses(two: Witnesses) -> None:
    with collecting(two.system.pool, two.places, SECONDS):
        wait_for_both(two)
        for size in (1, 250):
            record(two.system, *(f"C-{size}-{number}" for number in range(size)))
            wait_for_both(two)
        assert cosigned(two.system, "/tlog/checkpoint/witnessed", *two.keys)[0] == ADOPTED + 251


def test_graphql_gives_the_cosignatures_as_lines_of_the_note_and_so_do_receipts_under_it(two: Witnesses) -> None:
    with collecting(two.system.pool, two.places, SECONDS):
        wait_for_both(two)
    found = two.system.ask("{ ledger { checkpoint { note } receipt(position: 2) { checkpoint { note } } } }")["ledger"]
    served = two.system.http.get("/tlog/checkpoint").text
    assert found == {"checkpoint": {"note": served}, "receipt": {"checkpoint": {"note": served}}}
    assert len(Note.parse(served.encode()).signatures) == 3


def test_the_witnessed_checkpoint_is_the_newest_that_both_cosigned(two: Witnesses) -> None:
    with collecting(two.system.pool, two.places, SECONDS):
        wait_for_both(two)
    record(two.system, "C-1")
    with collecting(two.system.pool, two.places[:1], SECONDS):
        wait_until(lambda: cosigned(two.system, "/tlog/checkpoint", *two.keys) == (ADOPTED + 1, {two.keys[0]}))
    assert cosigned(two.system, "/tlog/checkpoint/witnessed", *two.keys) == (ADOPTED, set(two.keys))


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("en", "No checkpoint is cosigned by all of the configured witnesses yet"),
        ("zh", "尚无经全部已配置见证人共同签署"),
    ],
)
def test_where_no_checkpoint_is_witnessed_it_is_said_in_both_languages(
    two: Witnesses, language: str, said: str
) -> None:
    answer = two.system.http.get("/tlog/checkpoint/witnessed", headers={"accept-language": language})
    assert (answer.status_code, answer.headers["cache-control"]) == (404, "no-store")
    assert answer.text.startswith(said)


def test_a_witness_that_is_ahead_by_looking_itself_is_no_failure(
    two: Witnesses, tmp_path: Path, signer: Signer, logged: list[str]
) -> None:
    with collecting(two.system.pool, two.places, SECONDS):
        wait_for_both(two)
        record(two.system, "C-1")
        Witness.opened(two.system.url, tmp_path / "one", str(signer.verifier)).look()
        wait_for_both(two)
    assert logged == []


def test_a_ledger_whose_own_memory_of_a_witness_is_gone_learns_the_size_by_409(
    two: Witnesses, tmp_path: Path, signer: Signer
) -> None:
    for name in ("one", "two"):
        Witness.opened(two.system.url, tmp_path / name, str(signer.verifier)).look()
    record(two.system, *(f"C-{number}" for number in range(9)))
    with collecting(two.system.pool, two.places, SECONDS):
        wait_for_both(two)


def test_of_two_processes_one_collects_and_the_other_takes_over(
    two: Witnesses, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("caseledger.alone.RETRY_SECONDS", SECONDS)
    first, second = (Collector(two.system.pool, two.places, SECONDS) for _ in range(2))
    first.start()
    wait_for_both(two)
    second.start()
    record(two.system, "C-1")
    wait_for_both(two)
    assert len(locks(two.system)) == 1
    first.stop()
    record(two.system, "C-2")
    wait_for_both(two)
    second.stop()
    assert locks(two.system) == []


def locks(system: System) -> list[int]:
    """The sessions that hold this ledger's lock of cosignatures."""
    with system.pool.connection() as database:
        rows = database.execute(
            "SELECT pid FROM pg_locks, hashtextextended('caseledger cosignatures ' || current_schema(), 0) AS key "
            "WHERE locktype = 'advisory' AND granted AND (classid::bigint << 32 | objid::bigint) = key"
        ).fetchall()
    return [pid for (pid,) in rows]


def test_it_goes_on_when_its_database_connection_was_ended(
    database: str, two: Witnesses, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("caseledger.alone.RETRY_SECONDS", SECONDS)
    with collecting(two.system.pool, two.places, SECONDS):
        wait_for_both(two)
        with psycopg.connect(database) as owner:
            owner.execute("SELECT pg_terminate_backend(%s)", locks(two.system))
        record(two.system, "C-1")
        wait_for_both(two)


def test_another_implementation_reads_a_cosigned_checkpoint(two: Witnesses) -> None:
    with collecting(two.system.pool, two.places, SECONDS):
        wait_for_both(two)
    theirs = TilesReader(Backend(two.system.http)).get_checkpoint()
    assert (theirs.size, theirs.root_hash) == (ADOPTED, newest_root(two.system))


class Backend:
    """What tlog-scales reads a log by."""

    def __init__(self, http: httpx.Client) -> None:
        self.http = http

    def get(self, *path: str) -> bytes | None:
        answer = self.http.get("/tlog/" + "/".join(path))
        return answer.content if answer.status_code == 200 else None


def newest_root(system: System) -> bytes:
    signed = Proofs(system.pool).checkpoint()
    assert signed is not None
    return signed.root


# With such as do not


@dataclass
class Bad:
    """An application in the place of a witness: what it answers to the checkpoint that it was sent."""

    answers: Callable[[Note], Response]
    asked: list[Submission] = field(default_factory=list)

    @property
    def app(self) -> Starlette:
        async def add(request: Request) -> Response:
            self.asked.append(Submission.parse(await request.body()))
            return self.answers(Note.parse(self.asked[-1].checkpoint))

        return Starlette(routes=[Route("/add-checkpoint", add, methods=["POST"])])


COSIGNER: Final = Cosigner.generate("bad.example")
FALSE: Final = Cosigner.generate("bad.example")


def forged(note: Note) -> Response:
    """The right name and key id, over a signature of another key."""
    by_other = FALSE.cosign(Checkpoint.parse(note.text), int(time.time()))
    return Response(f"{Signature(COSIGNER.name, COSIGNER.verifier.key_id, by_other.value).line}\n")


def dated(seconds: float) -> Callable[[Note], Response]:
    return lambda note: Response(f"{COSIGNER.cosign(Checkpoint.parse(note.text), int(seconds)).line}\n")


def endless(_: Note) -> Response:
    async def lines() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 1000
            await asyncio.sleep(0)

    return StreamingResponse(lines())


def dripping(_: Note) -> Response:
    async def drops() -> AsyncIterator[bytes]:
        while True:
            yield b"x"
            await asyncio.sleep(0.05)

    return StreamingResponse(drops())


def conflict(size: str) -> Callable[[Note], Response]:
    return lambda _: Response(f"{size}\n", 409, media_type=SIZE_MEDIA)


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is said of witnesses in the log, in order."""
    rows: list[str] = []

    def keep(_logger: object, _method: str, event: MutableMapping[str, Any]) -> str:
        rows.append(f"{event['event']}: {event.get('why', '')}")
        raise structlog.DropEvent

    # In the place of the module's own, which goes on as it was first used, whatever is configured later.
    kind = structlog.make_filtering_bound_logger(logging.INFO)
    monkeypatch.setattr("caseledger.collecting.log", structlog.wrap_logger(None, [keep], kind))
    return rows


@contextmanager
def asked(two: Witnesses, bad: Bad) -> Iterator[None]:
    """Collects from one that is none, and from the two."""
    with Server(bad.app) as server:
        places = [WitnessAt(COSIGNER.verifier, server.url), *two.places]
        with collecting(two.system.pool, places, SECONDS):
            yield


@pytest.mark.parametrize(
    ("answers", "why"),
    [
        (lambda _: Response("garbage"), "its answer is no lines of signatures"),
        (lambda _: Response(b"\xff\xfe\n"), "its answer is no lines of signatures"),
        (lambda _: Response(""), "its answer is no lines of signatures"),
        (lambda note: Response(f"{note.signatures[0].line}\n"), "its answer has no cosignature by the key"),
        (forged, "its cosignature is not by its key, or of another checkpoint"),
        (dated(2**62), "its clock is more than 300 seconds ahead"),
        (lambda _: Response("no", 500), "it answers 500"),
        (lambda _: Response("no", 307, {"location": "/elsewhere"}), "it answers 307"),
        (lambda _: Response("2\n", 409), "it answers 409"),
        (conflict("-1"), "it answers 409"),
        (conflict("9" * 30), "it answers 409"),
        (conflict("999999999999999999"), "it says that it has seen 999999999999999999 entries, more than this ledger has"),
        (conflict("0"), "it has seen another root for 0 entries"),
        (endless, "its answer is longer than 16384 bytes"),
    ],
)  # fmt: skip
def test_what_is_no_cosignature_is_kept_nowhere_said_once_and_keeps_the_others_from_nothing(
    two: Witnesses, logged: list[str], answers: Callable[[Note], Response], why: str
) -> None:
    bad = Bad(answers)
    with asked(two, bad):
        wait_for_both(two)
        wait_until(lambda: len(bad.asked) > 2)
        record(two.system, "C-1")
        wait_for_both(two)
    assert len(logged) == 1
    assert logged[0].startswith(f"a witness does not cosign: {why}")
    assert {witness for _, witness in kept(two.system)} == {str(key) for key in two.keys}


def test_one_that_never_ends_its_answer_is_given_up(
    two: Witnesses, logged: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("caseledger.collecting.ANSWER_SECONDS", 1.0)
    with asked(two, Bad(dripping)):
        wait_for_both(two)
        wait_until(lambda: logged == ["a witness does not cosign: it gives no answer (TimeoutError)"])


def test_a_request_under_way_is_broken_off_when_collecting_stops(two: Witnesses) -> None:
    bad = Bad(dripping)
    with asked(two, bad):
        wait_until(lambda: bad.asked != [])
        began = time.monotonic()
    # The stand-in's own server ends its answers here too.
    assert time.monotonic() - began < 5


def test_one_that_is_away_is_asked_ever_more_seldom_and_again_when_it_is_back(
    two: Witnesses, logged: list[str]
) -> None:
    answers = iter([Response("no", 503)] * 3)
    bad = Bad(lambda note: next(answers, None) or dated(time.time())(note))
    with asked(two, bad):
        wait_until(lambda: any(str(COSIGNER.verifier) == witness for _, witness in kept(two.system)))
        wait_until(lambda: len(logged) == 2)
    assert len(bad.asked) == 4
    assert logged == ["a witness does not cosign: it answers 503", "a witness cosigns again: "]


def test_an_append_waits_for_no_witness(two: Witnesses) -> None:
    held, answered = threading.Event(), []

    def hold(note: Note) -> Response:
        held.wait(30)
        answered.append(note)
        return dated(time.time())(note)

    bad = Bad(hold)
    with asked(two, bad):
        wait_until(lambda: bad.asked != [])
        began = time.monotonic()
        for number in range(5):
            record(two.system, f"C-{number}")
        assert time.monotonic() - began < ANSWER_SECONDS
        assert answered == []
        held.set()


def test_the_newest_checkpoint_is_sent_with_a_proof_from_what_the_witness_has(two: Witnesses) -> None:
    bad = Bad(lambda note: dated(time.time())(note))
    with asked(two, bad):
        wait_until(lambda: (ADOPTED, str(COSIGNER.verifier)) in kept(two.system))
        record(two.system, "C-1", "C-2", "C-3")
        wait_until(lambda: len(bad.asked) == 2)
    assert [sent.old for sent in bad.asked] == [0, ADOPTED]
    assert bad.asked[0].proof == ()
    assert list(bad.asked[1].proof) == Proofs(two.system.pool).consistency(ADOPTED, ADOPTED + 3)
