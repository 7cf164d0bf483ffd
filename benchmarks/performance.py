"""`python -m benchmarks.performance`: makes docs/performance.md and its curves from what benchmarks have measured.

It reads results.jsonl, of which the last line of a name and size counts, and measures nothing. What was never measured is
left out of the page, and its curve says so.
"""

import os
import platform
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import matplotlib as mpl
import msgspec
from matplotlib.figure import Figure

from benchmarks.append import CLIENTS
from benchmarks.growth import QUESTIONS, SMALL
from benchmarks.harness import RESULTS, Result

PAGE: Final = Path(__file__).parents[1] / "docs" / "performance.md"
CURVES_AT: Final = "performance"
"""The folder of the curves, beside the page."""

Results = Mapping[tuple[str, int], Result]
"""The last result of each name and size."""
Points = Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Curve:
    """A picture of some results: lines over one axis, each with its name."""

    name: str
    title: str
    across: str
    """What the axis to the right says."""
    up: str
    lines: Callable[[Results], Mapping[str, Points]]
    limit: float | None = None
    """A target that holds all along."""


def growth(results: Results) -> Mapping[str, Points]:
    """The median time of each question by the size of the ledger; the smallest is what the others were compared with."""
    return {question: _with_the_other(_sizes(results, f"growth-{question}"), SMALL) for question in QUESTIONS}


def memory(results: Results) -> Mapping[str, Points]:
    return {
        "server, after all questions": _with_the_other(_sizes(results, "growth-memory"), SMALL),
        "import and read models, while it runs": [(each.n, each.value) for each in _sizes(results, "whole-memory")],
    }


def appends(results: Results) -> Mapping[str, Points]:
    measured = {clients: found for clients in CLIENTS if (found := _last(results, f"append-{clients}"))}
    return {
        "with tree, checkpoint and receipts": [(clients, found.value) for clients, found in measured.items()],
        "the library's recorder, without": [(clients, found.other) for clients, found in measured.items()],
    }


CURVES: Final = (
    Curve("growth", "The median time of a question", "events in the ledger", "ms", growth),
    Curve(
        "memory",
        "What the processes hold; the target is the server's",
        "events in the ledger",
        "MiB",
        memory,
        limit=350.0,
    ),
    Curve("append", "Appends of single events, each under a condition", "clients at once", "events a second", appends),
)


def main(results: Path = RESULTS, page: Path = PAGE) -> int:
    """Makes the page and its curves. Gives the exit code: 0, or 2 if nothing was measured yet."""
    if not results.exists():
        print(f"There is no {results.name}: `make bench` measures, and takes an hour.", file=sys.stderr)
        return 2
    measured = read(results.read_bytes().splitlines())
    folder = page.parent / CURVES_AT
    folder.mkdir(parents=True, exist_ok=True)
    drawn = [curve for curve in CURVES if draw(curve, measured, folder / f"{curve.name}.svg")]
    page.write_text(written(measured, drawn), encoding="utf-8")
    print(f"{page.name}: {len(measured)} results, {len(drawn)} curves")
    return 0


def read(lines: Iterable[bytes]) -> Results:
    """The results of a file's lines, in the order in which each was first measured. Raises msgspec.DecodeError."""
    found: dict[tuple[str, int], Result] = {}
    for line in lines:
        result = msgspec.json.decode(line, type=Result)
        found[result.name, result.n] = result
    return found


def draw(curve: Curve, results: Results, to: Path) -> bool:
    """Draws a curve as SVG; False where nothing of it was measured. The same results give the same bytes."""
    lines = {label: sorted(points) for label, points in curve.lines(results).items() if points}
    if not lines:
        return False
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": curve.name, "font.family": "sans-serif"}):
        figure = Figure(figsize=(7.5, 4.2), layout="constrained")
        axes = figure.subplots()
        for label, points in lines.items():
            axes.plot([x for x, _ in points], [y for _, y in points], marker="o", label=label)
        if curve.limit is not None:
            axes.axhline(curve.limit, color="black", linestyle="dashed", linewidth=1, label=f"target: {curve.limit:g}")
        axes.set_xscale("log")
        axes.set_ylim(bottom=0)
        axes.set_title(curve.title)
        axes.set_xlabel(curve.across)
        axes.set_ylabel(curve.up)
        axes.grid(alpha=0.3)
        axes.legend(fontsize="small")
        figure.savefig(to, format="svg", metadata={"Date": None, "Creator": None})
    return True


def written(results: Results, curves: Sequence[Curve]) -> str:
    """The page's text."""
    pictures = "\n\n".join(f"![{curve.title}, {curve.up}]({CURVES_AT}/{curve.name}.svg)" for curve in curves)
    rows = "\n".join(_row(result) for result in results.values())
    commits = sorted({result.commit[:7] for result in results.values()})
    return _TEXT.format(machine=_machine(), pictures=pictures, rows=rows, commits=", ".join(commits))


def _row(result: Result) -> str:
    value, target, other = (f"{number:,.4g}" if number < 100 else f"{number:,.0f}" for number in (
        result.value, result.target, result.other,
    ))  # fmt: skip
    met = "yes" if result.met else "**no**"
    return (
        f"| `{result.name}` | {result.n:,} | {value} {result.unit} | {target} | {met} "
        f"| {result.against}: {other} | {result.ratio:.2f} |"
    )


def _machine() -> str:
    kilobytes = int(Path("/proc/meminfo").read_text().split()[1])
    return f"{os.cpu_count()} cores, {kilobytes / 1_048_576:.0f} GiB, Python {platform.python_version()}, {platform.system()}"


def _last(results: Results, name: str) -> Result | None:
    return next((result for (known, _), result in reversed(list(results.items())) if known == name), None)


def _sizes(results: Results, name: str) -> list[Result]:
    return [result for (known, _), result in results.items() if known == name]


def _with_the_other(measured: Sequence[Result], size: int) -> Points:
    """What was measured at each size, and at the size that all were compared with."""
    return [(size, measured[-1].other), *((each.n, each.value) for each in measured)] if measured else []


_TEXT: Final = """# Performance

What `make bench` measured, and how it stands to its target. Everything shares one machine: server, PostgreSQL (with fsync on)
and client. Each figure is a median of five, taken by turns with what it is compared with; `benchmarks/README.md` says what
each one is. This page is made by

```
make bench
BENCH_HOMES=FOLDER .venv/bin/python -m benchmarks growth
.venv/bin/python -m benchmarks.performance
```

Machine: {machine}. Commits measured: {commits}.

{pictures}

| benchmark | n | value | target | met | beside it | ratio |
|---|---|---|---|---|---|---|
{rows}
"""

if __name__ == "__main__":
    sys.exit(main())
