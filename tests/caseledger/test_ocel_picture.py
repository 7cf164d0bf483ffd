"""The picture of a log, and docs/ocel.md, which shows it: made anew from the demonstration's ledger."""

import re
import sqlite3
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

import pytest
import r4pm
import typer
from r4pm import bindings

from caseledger.ocel import LINKS, OBJECT_TYPES, RESTS_ON
from caseledger.ocel_picture import HEIGHT, LANES, WIDTH, Edge, Graph, Layout, Place, draw, graph_of, main, ranks
from ocel_logs import Log, exported
from running import System

DOCS: Final = Path(__file__).parents[2] / "docs"
PAGE: Final = (DOCS / "ocel.md").read_text(encoding="utf-8")
BLOCKS: Final = dict(re.findall(r"^```(python|text)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))
SVG: Final = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def log(told: System, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Log]:
    """The demonstration alone: what the tests' own history adds to it comes after it."""
    end = next(event.position for event in told.log() if event.type == "InspectionDrawn") - 1
    found = exported(told, tmp_path_factory.mktemp("ocel") / "ledger.sqlite", upto=end)
    yield found
    found.database.close()


@pytest.fixture(scope="module")
def graph(log: Log) -> Graph:
    return graph_of(log.database)


def test_the_picture_of_the_page_is_that_of_the_demonstration(graph: Graph) -> None:
    assert draw(graph) == (DOCS / "ocel.svg").read_text(encoding="utf-8")


def test_its_arrows_are_those_that_r4pm_finds(graph: Graph, log: Log) -> None:
    read = r4pm.import_item("SlimLinkedOCEL", str(log.path))
    for lane in LANES:
        found = {
            (source, target): count for (source, target), count in bindings.get_dfg_of_object_type(read, lane.type.name)
        }
        assert {(e.source, e.target): e.times for e in graph.edges if e.type == lane.type.name} == found, lane.type.name


def test_every_box_says_how_many_events_it_stands_for(graph: Graph, log: Log) -> None:
    kept = dict(log.rows("SELECT ocel_type, count(*) FROM event GROUP BY 1"))
    assert graph.counts == {activity: kept[activity] for activity in graph.lanes}
    assert set(graph.lanes) >= {"LicenceGranted", "AccessGranted", "PenaltyImposed", "ListEntryMade", "InterviewHeld"}


def test_boxes_lie_within_the_picture_and_none_on_another(graph: Graph) -> None:
    layout = Layout(graph)
    assert len({(place.x, place.y) for place in layout.places.values()}) == len(graph.lanes)
    assert all(0 < p.x < layout.width and 0 < p.y < layout.height for p in layout.places.values())


def test_figures_lie_on_no_box_and_on_no_other_figure(graph: Graph) -> None:
    layout = Layout(graph)
    root = ET.fromstring(draw(graph))  # noqa: S314  # our own
    figures = [
        Place(float(e.attrib["x"]), float(e.attrib["y"])) for e in root.iter(f"{SVG}text") if "stroke" in e.attrib
    ]
    assert len(figures) == len(graph.edges)
    for number, each in enumerate(figures):
        assert not any(
            box.x < each.x < box.x + WIDTH and box.y < each.y - 4 < box.y + HEIGHT for box in layout.places.values()
        )
        assert not any(abs(o.x - each.x) < 9 and abs(o.y - each.y) < 12 for o in figures[:number])


def test_it_is_well_formed_and_says_what_it_is(graph: Graph) -> None:
    root = ET.fromstring(draw(graph))  # noqa: S314  # our own
    title = root.find(f"{SVG}title")
    assert title is not None
    assert title.text
    texts = {element.text for element in root.iter(f"{SVG}text")}
    assert {"提供接入 · 20", "AccessGranted", "处罚", "Penalty"} <= texts


def test_a_circle_goes_back_where_it_is_weakest() -> None:
    edges = [Edge("Number", "A", "B", 5), Edge("Number", "B", "C", 5), Edge("Number", "C", "A", 1)]
    assert ranks(Graph(edges, dict.fromkeys("ABC", "Number"), {})) == {"A": 0, "B": 1, "C": 2}


def test_a_log_without_events_gives_an_empty_picture(told: System, tmp_path: Path) -> None:
    empty = exported(told, tmp_path / "log.sqlite", after=told.head)
    assert ET.fromstring(draw(graph_of(empty.database))).tag == f"{SVG}svg"  # noqa: S314  # our own


def test_the_command_draws_a_file(log: Log, tmp_path: Path) -> None:
    out = tmp_path / "out.svg"
    subprocess.run([sys.executable, "-m", "caseledger.ocel_picture", log.path, "--out", out], check=True)
    assert out.read_text(encoding="utf-8") == (DOCS / "ocel.svg").read_text(encoding="utf-8")


@pytest.mark.parametrize("content", [None, b"no database", b""])
def test_what_is_no_log_is_said_in_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes | None
) -> None:
    wrong = tmp_path / "wrong.sqlite"
    if content is not None:
        wrong.write_bytes(content)
    with pytest.raises(typer.Exit) as ended:
        main(wrong, tmp_path / "out.svg")
    assert ended.value.exit_code == 2
    assert capsys.readouterr().err == (
        f"{wrong} is no event log: make one by `caseledger export --format ocel-sqlite --out PATH`.\n"
    )


def test_a_picture_that_cannot_be_written_is_said_in_one_sentence(
    log: Log, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(typer.Exit):
        main(log.path, tmp_path / "no" / "such.svg")
    assert "cannot be written (No such file or directory)" in capsys.readouterr().err


# ── the page ────────────────────────────────────────────────────────────────────────────────────────────────────


def objects_table() -> str:
    """The page's table of objects, from the definitions."""
    rows = []
    for each in OBJECT_TYPES:
        links = [f"{qualifier} `{target.name}`" for (source, target), qualifier in LINKS.items() if source is each]
        if each.name == "ListEntry":
            links.append(f"{RESTS_ON} what its basis is about")
        fixed = ", ".join(f"`{one.name}`" for one in (*each.key, *each.fixed))
        dated = ", ".join(f"`{one.name}`" for one in each.dated)
        rows.append(f"| `{each.name}` | {fixed} | {dated} | {', '.join(links)} |")
    return "\n".join(rows)


def test_the_page_describes_every_object() -> None:
    assert objects_table() in PAGE


def test_the_python_of_the_page_prints_what_it_shows(log: Log) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", BLOCKS["python"]], cwd=log.path.parent, capture_output=True, text=True, check=True
    )
    assert ran.stdout == BLOCKS["text"]


def test_figures_of_the_page_are_those_of_the_ledger(graph: Graph, log: Log) -> None:
    counts = {(edge.source, edge.target, edge.type): edge.times for edge in graph.edges}
    assert graph.counts["AccessGranted"] == 20
    assert counts["AccessGranted", "AccessRestricted", "Access"] == 2
    assert counts["AccessRestricted", "AccessRestored", "Access"] == 1
    assert counts["PenaltyPublicised", "ListEntryMade", "Penalty"] == 5
    with closing(sqlite3.connect(log.path)) as database:
        based = "SELECT count(*) FROM object_object WHERE ocel_qualifier = ? AND ocel_target_id LIKE 'penalty:%'"
        assert database.execute(based, (RESTS_ON,)).fetchone()[0] >= 5
