"""The harness: what is measured when, what is kept of it, and how a run ends."""

import json
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

from benchmarks import harness
from benchmarks.__main__ import BENCHMARKS
from benchmarks.harness import AtLeast, AtMost, Comparison, Result, main, scaled

FIELDS = ["name", "value", "unit", "ratio", "against", "target", "met", "n", "when", "commit"]
ANY = AtLeast(0)


def told(values: list[float], calls: list[str], name: str) -> Callable[[], float]:
    """A measurement that gives these values, and notes that it was called."""
    rest = iter(values)

    def measure() -> float:
        calls.append(name)
        return next(rest)

    return measure


def comparison(ours: Callable[[], float], other: Callable[[], float], target: AtLeast | AtMost = ANY) -> Comparison:
    return Comparison(name="it", unit="ms", ours=ours, against="that", other=other, target=target, size=7)


def result(name: str, met: bool = True) -> Result:
    return Result(
        name=name, value=3, unit="ms", ratio=0.5, against="that", target=4, met=met, n=7, when="now", commit="c",
    )  # fmt: skip


@pytest.fixture
def benchmarks(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Three benchmarks: one that meets its targets, one that misses its second, one that has nothing to measure."""
    made = {
        "good": [result("good")],
        "bad": [result("bad-warm"), result("bad-cold", met=False)],
        "none": [],
    }
    for name, results in made.items():
        module = ModuleType(f"benchmarks_{name}")
        module.run = lambda results=results: iter(results)  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, module.__name__, module)
    return {name: f"benchmarks_{name}" for name in made}


@pytest.fixture
def results(tmp_path: Path) -> Path:
    return tmp_path / "results.jsonl"


def names(results: Path) -> list[str]:
    return [json.loads(line)["name"] for line in results.read_text().splitlines()] if results.exists() else []


def test_both_are_measured_by_turns_and_who_is_first_changes() -> None:
    calls: list[str] = []
    comparison(told([1] * 5, calls, "a"), told([1] * 5, calls, "b")).measured()
    assert calls == list("abbaabbaab")


def test_medians_of_at_least_five_are_compared() -> None:
    found = comparison(told([9, 1, 8, 2, 6], [], ""), told([3, 100, 3, 3, 0], [], "")).measured()
    assert harness.ROUNDS >= 5
    assert (found.value, found.other, found.ratio, found.n) == (6, 3, 2, 7)


@pytest.mark.parametrize(
    ("target", "value", "limit", "met"),
    [
        (AtLeast(2_000), 2_000, 2_000, True),
        (AtLeast(2_000), 1_999, 2_000, False),
        (AtLeast(times=3), 30, 30, True),
        (AtLeast(times=3), 29, 30, False),
        (AtLeast(40, times=3), 39, 40, False),
        (AtMost(20), 20, 20, True),
        (AtMost(20), 21, 20, False),
        (AtMost(times=2), 20, 20, True),
        (AtMost(times=2), 21, 20, False),
        (AtMost(15, times=2), 16, 15, False),
    ],
)
def test_a_target_is_met_or_missed(target: AtLeast | AtMost, value: float, limit: float, met: bool) -> None:
    found = comparison(lambda: value, lambda: 10, target).measured()
    assert (found.target, found.met) == (limit, met)


def test_a_run_that_meets_its_targets_ends_with_0(benchmarks: dict[str, str], results: Path) -> None:
    assert main(["good"], benchmarks, results) == 0
    assert names(results) == ["good"]


def test_a_missed_target_ends_with_1_when_all_are_measured(benchmarks: dict[str, str], results: Path) -> None:
    assert main(["bad", "good"], benchmarks, results) == 1
    assert names(results) == ["bad-warm", "bad-cold", "good"]


def test_all_are_run_where_none_is_named(benchmarks: dict[str, str], results: Path) -> None:
    assert main([], benchmarks, results) == 1
    assert names(results) == ["good", "bad-warm", "bad-cold"]


def test_an_unknown_name_ends_with_2_before_anything_is_run(
    benchmarks: dict[str, str], results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["good", "fast"], benchmarks, results) == 2
    assert not results.exists()
    assert capsys.readouterr().err == "There is no benchmark fast; there are good, bad, none.\n"


def test_each_result_is_one_more_line_of_the_file(benchmarks: dict[str, str], results: Path) -> None:
    main(["good"], benchmarks, results)
    main(["good"], benchmarks, results)
    lines = results.read_text().splitlines()
    assert len(lines) == 2
    assert [list(json.loads(line)) for line in lines] == [FIELDS] * 2
    assert json.loads(lines[0])["ratio"] == 0.5


def test_the_table_shows_both_values_and_whether_the_target_is_met(
    benchmarks: dict[str, str], results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["bad"], benchmarks, results)
    heading, *rows = capsys.readouterr().out.splitlines()
    assert heading.split() == ["benchmark", "n", "value", "unit", "target", "met", "against", "its", "value", "ratio"]
    assert [row.split() for row in rows] == [
        ["bad-warm", "7", "3.0", "ms", "4.0", "yes", "that", "6.0", "0.50"],
        ["bad-cold", "7", "3.0", "ms", "4.0", "NO", "that", "6.0", "0.50"],
    ]


def test_a_quick_run_has_less_data_but_some(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(harness.SCALE, raising=False)
    assert scaled(1_000) == 1_000
    monkeypatch.setenv(harness.SCALE, "0.02")
    assert (scaled(1_000), scaled(10)) == (20, 10)


def test_the_commit_is_named() -> None:
    assert harness.commit().removesuffix("-dirty").isalnum()


def test_every_benchmark_can_be_run() -> None:
    assert [name for name, module in BENCHMARKS.items() if not callable(import_module(module).run)] == []


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten of everything, measured once, and nothing fetched."""
    monkeypatch.setenv(harness.SCALE, "0.00001")
    monkeypatch.setattr(harness, "ROUNDS", 1)
    monkeypatch.setattr("benchmarks.hot._mercurius", lambda *_: None)


@pytest.mark.parametrize("name", BENCHMARKS)
def test_a_small_run_measures_something(small: None, name: str) -> None:
    found = list(import_module(BENCHMARKS[name]).run())
    if name in {"import", "whole"} and not found:
        pytest.skip("the corpus is not beside this checkout")
    assert found
    for one in found:
        assert one.name.startswith(name)
        assert one.value > 0
        assert one.other > 0
