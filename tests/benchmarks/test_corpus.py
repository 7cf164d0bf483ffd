"""The made-up country: the same for the same seed, in the order of its dates, and all of it goes into a ledger."""

from itertools import islice
from pathlib import Path

import pytest

from benchmarks import corpus
from benchmarks.corpus import line
from caseledger.importing import Importer, Rejected
from caseledger.json_lines import items_of
from caseledger.lines import Line
from caseledger.settings import Settings
from caseledger.wiring import MIGRATIONS, open_system
from domain.text import Text
from ledger.imports import ImportedLines
from running import fresh


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(corpus, "BLOCK", 100)


def test_the_same_seed_gives_the_same_facts_and_another_one_others() -> None:
    first, same, other = ([line(made) for made in corpus.corpus(2_000, seed)] for seed in (1, 1, 2))
    assert first == same != other
    assert len(first) == 2_000


def test_dates_of_a_block_come_in_order() -> None:
    days = [made.effective_on for made in corpus.corpus(3_000)]
    assert days == sorted(days)


def test_every_hundredth_enterprise_is_complained_about_most(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(corpus, "HEAVY", {100: 500})
    events = [made for made in islice(corpus.corpus(100_000), 4_000) if made.type == "ComplaintReceived"]
    heavy = [made for made in events if b"H-" in made.data]
    assert len(heavy) > len(events) / 2


def test_all_of_it_is_accepted_by_an_import(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(corpus, "BLOCK", 40)
    monkeypatch.setattr(corpus, "HEAVY", {20: 50})
    lines = [Line(number, line(made).strip()) for number, made in enumerate(corpus.corpus(1_500), 1)]
    rejected: list[Rejected] = []
    with (
        fresh(database, MIGRATIONS) as schema,
        open_system(Settings(home=tmp_path, database_url=database, schema=schema)) as system,
    ):
        importer = Importer(system.ledger, ImportedLines(system.pool), rejected.append)
        for _ in importer.run(items_of(lines)):
            pass
    said: list[Text] = [refusal.text for each in rejected for refusal in each.refusals]
    assert said == []
    assert importer.tally.recorded == 1_500


def test_a_file_is_packed_where_its_name_says_so(tmp_path: Path) -> None:
    plain, packed = tmp_path / "c.jsonl", tmp_path / "c.jsonl.gz"
    for file in (plain, packed):
        corpus.main(events=500, out=str(file))
    assert len(plain.read_bytes().splitlines()) == 500
    assert packed.read_bytes()[:2] == b"\x1f\x8b"
