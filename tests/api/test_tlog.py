"""The ledger as any stranger's tlog-tiles client reads it: by its key, its checkpoint and its tiles, over HTTP alone."""

from collections.abc import Iterator
from typing import Final

import httpx
import msgspec
import pytest
from tlog_scales.reader import TilesReader

from caseledger.postgres import CarriedPostgres
from given import complained, registered
from ledger.entry import draft, opened
from ledger.merkle import LONGEST_BUNDLED_ENTRY, leaf_hash
from ledger.migrations import migrate
from ledger.notes import Checkpoint, Verifier, open_checkpoint
from naive.tree import root_of
from running import ADOPTED, MIGRATIONS, System, running, started

FULL: Final = 256
SIZE: Final = 300
FOR_EVER: Final = "public, max-age=31536000, immutable"


@pytest.fixture(scope="module")
def long(database: str) -> Iterator[System]:
    """A ledger of 300 events, none of which names a person."""
    with started(database) as system:
        system.record(*(complained(complaintId=f"C-{number}") for number in range(SIZE - ADOPTED)))
        yield system


class Backend:
    """What tlog-scales reads a log by."""

    def __init__(self, http: httpx.Client) -> None:
        self.http = http

    def get(self, *path: str) -> bytes | None:
        answer = self.http.get("/tlog/" + "/".join(path))
        return answer.content if answer.status_code == 200 else None


def tile(system: System, path: str, key: str | None = None) -> httpx.Response:
    return system.http.get(f"/tlog/tile/{path}", headers={**system.bearer(key), "accept-language": "en"})


def checkpoint(system: System) -> Checkpoint:
    """The newest checkpoint, opened with the key that the ledger gives."""
    key = Verifier.parse(system.http.get("/tlog/key").text.removesuffix("\n"))
    return open_checkpoint(system.http.get("/tlog/checkpoint").content, key.name, key).checkpoint


def unbundled(bundle: bytes) -> list[bytes]:
    entries = []
    while bundle:
        length = int.from_bytes(bundle[:2])
        entries.append(bundle[2 : 2 + length])
        bundle = bundle[2 + length :]
    return entries


def test_the_key_is_the_verifier_key_in_one_line(long: System) -> None:
    answer = long.http.get("/tlog/key")
    assert answer.text == f"{long.verifier}\n"
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"


def test_the_checkpoint_opens_with_the_key_and_is_asked_for_anew_each_time(long: System) -> None:
    assert checkpoint(long).size == SIZE
    answer = long.http.get("/tlog/checkpoint")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["cache-control"] == "no-cache"


def test_the_tiles_of_the_leaves_give_the_root_of_the_checkpoint(long: System) -> None:
    hashes = tile(long, "0/000").content + tile(long, f"0/001.p/{SIZE - FULL}").content
    leaves = [hashes[at : at + 32] for at in range(0, len(hashes), 32)]
    assert leaves == [leaf_hash(each.event.data) for each in long.recorder.read()]
    assert root_of(leaves) == checkpoint(long).root
    assert tile(long, "1/000.p/1").content == root_of(leaves[:FULL])


def test_another_implementation_reads_the_log_to_its_root(long: System) -> None:
    reader = TilesReader(Backend(long.http))
    theirs = reader.get_checkpoint()
    assert (theirs.size, theirs.root_hash) == (SIZE, checkpoint(long).root)
    assert reader.calculate_root_hash() == theirs.root_hash


def test_a_tile_is_kept_for_ever_and_head_says_so_too(long: System) -> None:
    answer = tile(long, "0/000")
    assert answer.headers["cache-control"] == FOR_EVER
    assert answer.headers["content-type"] == "application/octet-stream"
    head = long.http.head("/tlog/tile/0/000")
    assert (head.status_code, head.content, head.headers["cache-control"]) == (200, b"", FOR_EVER)


@pytest.mark.parametrize("path", ["0/001", "0/001.p/45", "0/002.p/1", "1/000", "1/000.p/2", "2/000.p/1", "63/x999/999"])
def test_what_the_checkpoint_does_not_cover_is_not_there_yet(long: System, path: str) -> None:
    answer = tile(long, path)
    assert (answer.status_code, answer.headers["cache-control"]) == (404, "no-store")
    assert (
        answer.text == f"The newest checkpoint does not cover all of tile/{path}; ask within the size that it states\n"
    )


@pytest.mark.parametrize(
    "path", ["0/0", "0/000.p/256", "0/000.p/0", "64/000", "00/000", "0/x000/001", "entries", "-1/000"]
)
def test_a_malformed_path_is_told_how_one_reads(long: System, path: str) -> None:
    answer = tile(long, path, "auditor")
    assert (answer.status_code, answer.headers["cache-control"]) == (404, "no-store")
    assert answer.text.startswith("A tile's path reads tile/LEVEL/INDEX")


@pytest.mark.parametrize("key", ["auditor", "miit"])
def test_auditors_and_regulators_get_the_entries_that_the_leaves_are_hashes_of(long: System, key: str) -> None:
    for at in ("000", f"001.p/{SIZE - FULL}"):
        answer = tile(long, f"entries/{at}", key)
        assert answer.headers["cache-control"] == "private, max-age=31536000, immutable"
        hashed = b"".join(leaf_hash(entry) for entry in unbundled(answer.content))
        assert hashed == tile(long, f"0/{at}").content


def test_others_get_no_entries(long: System) -> None:
    for key, status in ((None, 401), ("telecom", 403), ("intake", 403)):
        answer = tile(long, "entries/000", key)
        assert (answer.status_code, answer.headers["cache-control"]) == (status, "no-store")
        assert answer.text.startswith("Entries are for the keys of auditors and regulators")
    wrong = long.http.get("/tlog/tile/entries/000", headers={"authorization": "Bearer no-key"})
    assert (wrong.status_code, wrong.headers["www-authenticate"]) == (401, "Bearer")


def test_a_bundle_beyond_the_checkpoint_is_not_there_yet(long: System) -> None:
    assert tile(long, "entries/001", "auditor").status_code == 404


def test_entries_that_name_a_person_are_given_with_the_name_sealed(system: System) -> None:
    system.record(registered(legalRepresentative="张三"))
    given = tile(system, f"entries/000.p/{ADOPTED + 1}", "auditor")
    assert given.status_code == 200
    assert "张三".encode() not in given.content
    assert b'"legalRepresentative":"sealed:1:' in given.content


def test_an_entry_too_long_for_a_bundle_is_named(system: System) -> None:
    (recorded,) = system.record(complained(summary="推销"))
    event = msgspec.structs.replace(recorded.event, summary="长" * LONGEST_BUNDLED_ENTRY)
    system.recorder.append([draft(event, (), recorded.effective_on, "test")])
    answer = tile(system, f"entries/000.p/{ADOPTED + 2}", "officer")
    assert (answer.status_code, answer.headers["cache-control"]) == (501, "no-store")
    assert answer.text.startswith(f"The entry at position {ADOPTED + 2} has ")
    assert (
        opened(unbundled(tile(system, f"entries/000.p/{ADOPTED + 1}", "officer").content)[-1]).event == recorded.event
    )


def test_nothing_is_given_of_a_ledger_whose_database_is_away(own_postgres: CarriedPostgres) -> None:
    migrate(own_postgres.conninfo, "away", MIGRATIONS)
    with running(own_postgres.conninfo, "away") as system:
        own_postgres.stop()
        for path in ("key", "checkpoint", "tile/0/000.p/1"):
            answer = system.http.get(f"/tlog/{path}")
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
            assert answer.headers["cache-control"] == "no-store"
        own_postgres.start()
