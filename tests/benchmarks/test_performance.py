"""The page of what was measured: its rows, its curves, and what it says where there is nothing."""

import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import msgspec
import pytest

from benchmarks import performance
from benchmarks.harness import Result, keep
from benchmarks.performance import main


@pytest.fixture
def results(tmp_path: Path) -> Path:
    return tmp_path / "results.jsonl"


@pytest.fixture
def page(tmp_path: Path) -> Path:
    return tmp_path / "docs" / "performance.md"


def measured(results: Path, name: str, value: float = 3, n: int = 7, **changed: Any) -> None:
    fixed: dict[str, Any] = {"unit": "ms", "ratio": 0.5, "against": "that", "target": 4, "met": True, "when": "now"}
    keep(Result(name=name, value=value, n=n, commit="c" * 40, **(fixed | changed)), results)


def shown(page: Path, name: str) -> set[str]:
    """The texts of a curve's picture."""
    root = ET.parse(page.parent / "performance" / f"{name}.svg").getroot()  # noqa: S314  # it was made here
    return {text.text.strip() for text in root.iter("{http://www.w3.org/2000/svg}text") if text.text}


def test_a_row_has_what_was_measured_last(results: Path, page: Path) -> None:
    measured(results, "bulk-warm", 90, met=False)
    measured(results, "bulk-warm", 35.25)
    measured(results, "hot", 2_345.6, met=False)
    assert main(results, page) == 0
    text = page.read_text()
    assert "| `bulk-warm` | 7 | 35.25 ms | 4 | yes | that: 70.5 | 0.50 |" in text
    assert "| `hot` | 7 | 2,346 ms | 4 | **no** | that: 4,691 | 0.50 |" in text
    assert text.count("`bulk-warm`") == 1


def test_a_curve_has_every_size_and_the_one_that_they_were_compared_with(results: Path, page: Path) -> None:
    for events in (1_000_000, 10_000_000):
        measured(results, "growth-history", 6, n=events)
    assert performance.growth(performance.read(results.read_bytes().splitlines()))["history"] == [
        (100_000, 12),
        (1_000_000, 6),
        (10_000_000, 6),
    ]
    assert main(results, page) == 0
    assert {"history", "events in the ledger", "The median time of a question"} <= shown(page, "growth")
    assert "search" not in shown(page, "growth")


def test_a_curve_of_which_nothing_was_measured_is_left_out(results: Path, page: Path) -> None:
    measured(results, "append-64", 9_000)
    main(results, page)
    assert re.findall(r"!\[.*?\]\((.*?)\)", page.read_text()) == ["performance/append.svg"]
    assert [each.name for each in (page.parent / "performance").iterdir()] == ["append.svg"]


def test_the_same_results_give_the_same_bytes(results: Path, page: Path) -> None:
    measured(results, "append-64", 9_000)
    main(results, page)
    picture = page.parent / "performance" / "append.svg"
    before = page.read_bytes(), picture.read_bytes()
    main(results, page)
    assert (page.read_bytes(), picture.read_bytes()) == before


def test_without_results_no_page_is_made(results: Path, page: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(results, page) == 2
    assert "There is no results.jsonl: `make bench` measures" in capsys.readouterr().err
    assert not page.exists()


def test_a_line_that_is_no_result_is_refused(results: Path, page: Path) -> None:
    results.write_text('{"name": "it"}\n')
    with pytest.raises(msgspec.ValidationError):
        main(results, page)
    assert not page.exists()


def test_the_pictures_of_the_page_are_beside_it() -> None:
    page = performance.PAGE.read_text(encoding="utf-8")
    pictures = re.findall(r"!\[.*?\]\((.*?)\)", page)
    assert pictures
    assert all((performance.PAGE.parent / each).exists() for each in pictures)
