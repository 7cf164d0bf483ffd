"""The picture of an object-centric log: `python -m caseledger.ocel_picture LOG.sqlite --out PICTURE.svg`.

The object-centric directly-follows graph: what happened is a box, and an arrow of an object type's colour says how often, for
an object of that type, one thing followed directly on another. Boxes are in the lane of the object type that they are
about, from left to right as they mostly follow. Enterprises and rulebooks are left out: they would join all with all.
"""

import math
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, NamedTuple
from xml.sax.saxutils import escape

import typer

from caseledger.ocel import (
    ACCESS,
    CASE,
    COMPLAINT,
    DECISION,
    DRAW,
    ENTRY,
    EXPOSURE,
    INSPECTION,
    LICENCE,
    NUMBER,
    ORDER,
    PENALTY,
    ObjectType,
)
from caseledger.reporting import note
from domain.events import EVENTS


class Lane(NamedTuple):
    type: ObjectType
    zh: str
    colour: str


LANES: Final = (
    Lane(DRAW, "抽查", "#8c6d31"),
    Lane(DECISION, "决定", "#7b4173"),
    Lane(LICENCE, "许可", "#2b6cb0"),
    Lane(NUMBER, "码号", "#2f855a"),
    Lane(ACCESS, "接入", "#0e7490"),
    Lane(COMPLAINT, "投诉", "#b7791f"),
    Lane(INSPECTION, "检查", "#6b46c1"),
    Lane(CASE, "约谈", "#4a5568"),
    Lane(ORDER, "整改", "#97266d"),
    Lane(EXPOSURE, "曝光", "#9c4221"),
    Lane(PENALTY, "处罚", "#c53030"),
    Lane(ENTRY, "名单", "#1a202c"),
)
WIDTH, HEIGHT = 178, 40
"""Of a box."""
ACROSS, DOWN = 250, 52
"""From one box to the next."""
LEFT, TOP, PADDING = 130, 78, 12
_BESIDE: Final = (0, 10, -10, 15)
"""How far arrows that join the same two boxes are from the middle of them."""
_ALONG: Final = (0.72, 0.5, 0.6, 0.4, 0.8, 0.3, 0.65, 0.55, 0.45, 0.86, 0.2)
"""Where on an arrow its figure may stand, best first."""
_SHORT: Final = {"GateDecided": "准入等决定"}
FONT: Final = "system-ui, 'Noto Sans CJK SC', 'Microsoft YaHei', sans-serif"


class Edge(NamedTuple):
    """How often one activity followed directly on another for an object of a type."""

    type: str
    source: str
    target: str
    times: int


@dataclass(frozen=True)
class Graph:
    edges: Sequence[Edge]
    lanes: Mapping[str, str]
    """The object type that an activity is about."""
    counts: Mapping[str, int]
    """How many events an activity has."""


class Place(NamedTuple):
    x: float
    y: float


class Curve(NamedTuple):
    """A cubic Bézier curve."""

    a: Place
    b: Place
    c: Place
    d: Place

    @property
    def path(self) -> str:
        return f"M{self.a.x:g} {self.a.y:g}C" + " ".join(f"{each.x:g} {each.y:g}" for each in self[1:])

    def at(self, along: float) -> Place:
        left = 1 - along
        shares = (left**3, 3 * along * left**2, 3 * along**2 * left, along**3)
        x, y = (sum(share * each[axis] for share, each in zip(shares, self, strict=True)) for axis in (0, 1))
        return Place(round(x, 1), round(y, 1))


def graph_of(database: sqlite3.Connection) -> Graph:
    """The directly-follows graph of the objects that have a lane."""
    types = [name.replace('"', '""') for (name,) in database.execute("SELECT ocel_type_map FROM event_map_type")]
    times = " UNION ALL ".join(f'SELECT ocel_id, ocel_time FROM "event_{name}"' for name in types)  # noqa: S608  # names of tables are the program's own
    drawn = {lane.type.name for lane in LANES}
    edges = [Edge(*row) for row in database.execute(_EDGES.format(times=times)) if row[0] in drawn] if types else []
    own = {lane.type.own: lane.type.name for lane in LANES}
    roles = database.execute(_ROLES).fetchall()
    lanes = {activity: own[role] for activity, role, _ in roles if role in own}
    return Graph(
        [edge for edge in edges if edge.source in lanes and edge.target in lanes],
        lanes,
        {activity: count for activity, role, count in roles if role in own},
    )


def ranks(graph: Graph) -> dict[str, int]:
    """How far to the right each activity is: after all that it mostly follows."""
    before: dict[str, set[str]] = defaultdict(set)
    for edge in sorted(graph.edges, key=lambda edge: (-edge.times, edge)):
        # An arrow that would close a circle goes back.
        if edge.source != edge.target and edge.target not in _all_before(edge.source, before):
            before[edge.target].add(edge.source)
    found: dict[str, int] = {}

    def rank(activity: str) -> int:
        if activity not in found:
            found[activity] = max((rank(each) + 1 for each in sorted(before[activity])), default=0)
        return found[activity]

    for activity in graph.lanes:
        rank(activity)
    return found


def _all_before(activity: str, before: Mapping[str, set[str]]) -> set[str]:
    found: set[str] = set()
    waiting = [activity]
    while waiting:
        each = waiting.pop()
        found.add(each)
        waiting += [other for other in before.get(each, ()) if other not in found]
    return found


class Layout:
    """Where each box and each lane is."""

    def __init__(self, graph: Graph) -> None:
        self.ranks = ranks(graph)
        self.places: dict[str, Place] = {}
        self.lanes: list[tuple[Lane, float, float]] = []
        """Each lane with its top and its height."""
        top: float = TOP
        for lane in LANES:
            activities = [name for name in EVENTS if graph.lanes.get(name) == lane.type.name]
            if activities:
                height = self._place(activities, top + PADDING) + 2 * PADDING
                self.lanes.append((lane, top, height))
                top += height
        self.width = LEFT + (max(self.ranks.values(), default=0) + 1) * ACROSS - (ACROSS - WIDTH) + 2 * PADDING
        self.height = top + PADDING

    def _place(self, activities: Sequence[str], top: float) -> float:
        """Places the boxes of a lane; gives its height."""
        stacked = Counter[int]()
        for activity in activities:
            rank = self.ranks[activity]
            self.places[activity] = Place(LEFT + rank * ACROSS, top + stacked[rank] * DOWN)
            stacked[rank] += 1
        return max(stacked.values()) * DOWN - (DOWN - HEIGHT)


def draw(graph: Graph) -> str:
    """The picture as SVG, the same for the same graph."""
    layout = Layout(graph)
    size = f"{layout.width:g} {layout.height:g}"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size}" font-family="{FONT}" role="img">',
        "<title>Object-centric directly-follows graph of the log 事件日志的对象中心直接跟随图</title>",
        f'<rect width="{layout.width:g}" height="{layout.height:g}" fill="#fff"/>',
        *_heading(),
        *_lanes(layout),
        *_arrows(graph, layout),
        *_boxes(graph, layout),
        *_figures(graph, layout),
        "</svg>\n",
    ]
    return "\n".join(parts)


def _heading() -> Iterator[str]:
    yield _text(PADDING, 28, "直接跟随图：箭头为同一对象相邻两事件，数字为次数，颜色为对象类型", 18, "#1a202c")
    english = "Directly-follows graph: arrows join successive events of one object; figures count them, colours are object types"
    yield _text(PADDING, 54, english, 14, "#4a5568")


def _lanes(layout: Layout) -> Iterator[str]:
    for number, (lane, top, height) in enumerate(layout.lanes):
        shade = "#f7fafc" if number % 2 else "#edf2f7"
        yield f'<rect y="{top:g}" width="{layout.width:g}" height="{height:g}" fill="{shade}"/>'
        yield _text(PADDING, top + height / 2 - 4, lane.zh, 15, lane.colour, "600")
        yield _text(PADDING, top + height / 2 + 13, lane.type.name, 11, lane.colour)


def _boxes(graph: Graph, layout: Layout) -> Iterator[str]:
    colours = {lane.type.name: lane.colour for lane in LANES}
    for activity, place in layout.places.items():
        colour = colours[graph.lanes[activity]]
        zh = _SHORT.get(activity) or (EVENTS[activity].__doc__ or "").partition(":")[0].partition("(")[0].strip()
        yield (
            f'<rect x="{place.x:g}" y="{place.y:g}" width="{WIDTH}" height="{HEIGHT}" rx="6" fill="#fff" '
            f'stroke="{colour}" stroke-width="1.5"/>'
        )
        yield _text(place.x + 10, place.y + 17, f"{zh} · {graph.counts[activity]}", 13, "#1a202c", "600")
        yield _text(place.x + 10, place.y + 33, activity, 11, "#4a5568")


def _arrows(graph: Graph, layout: Layout) -> Iterator[str]:
    for lane in LANES:
        yield (
            f'<marker id="{lane.type.own}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" '
            f'markerUnits="userSpaceOnUse" orient="auto"><path d="M0 0 8 4 0 8z" fill="{lane.colour}"/></marker>'
        )
    for edge, lane, curve in _curves(graph, layout):
        thick = 1 + math.log10(edge.times) * 1.5
        yield (
            f'<path d="{curve.path}" fill="none" stroke="{lane.colour}" stroke-width="{thick:.1f}" '
            f'marker-end="url(#{lane.type.own})" opacity="0.85"/>'
        )


def _figures(graph: Graph, layout: Layout) -> Iterator[str]:
    """The figure of each arrow, where it lies on no box and on no other figure."""
    taken: list[Place] = []
    for edge, lane, curve in _curves(graph, layout):
        places = [curve.at(along) for along in _ALONG]
        place = next((each for each in places if _is_free(each, layout, taken)), places[0])
        taken.append(place)
        shift = 4 * len(str(edge.times))
        yield _text(place.x - shift, place.y + 4, str(edge.times), 12, lane.colour, "700", halo=True)


def _is_free(place: Place, layout: Layout, taken: Sequence[Place]) -> bool:
    return not any(
        box.x - 9 < place.x < box.x + WIDTH + 9 and box.y - 7 < place.y < box.y + HEIGHT + 7
        for box in layout.places.values()
    ) and not any(abs(other.x - place.x) < 18 and abs(other.y - place.y) < 14 for other in taken)


def _curves(graph: Graph, layout: Layout) -> Iterator[tuple[Edge, Lane, Curve]]:
    between = Counter[frozenset[str]]()
    lanes = {lane.type.name: lane for lane in LANES}
    for edge in sorted(graph.edges):
        pair = frozenset((edge.source, edge.target))
        yield edge, lanes[edge.type], _curve(layout, edge, _BESIDE[between[pair] % len(_BESIDE)])
        between[pair] += 1


def _curve(layout: Layout, edge: Edge, away: float) -> Curve:
    """The way of an arrow, so far away from the middle of its boxes."""
    begin, end = layout.places[edge.source], layout.places[edge.target]
    rank = layout.ranks[edge.target] - layout.ranks[edge.source]
    if edge.source == edge.target:
        x, y = begin.x + WIDTH - 40 - 3 * away, begin.y
        return Curve(Place(x, y), Place(x, y - 22), Place(x + 30, y - 22), Place(x + 30, y))
    if rank > 0:
        x, y, to_x, to_y = begin.x + WIDTH, begin.y + HEIGHT / 2 + away, end.x, end.y + HEIGHT / 2 + away
        bend = (ACROSS - WIDTH) * 0.9 + (rank - 1) * 30
        return Curve(Place(x, y), Place(x + bend, y), Place(to_x - bend, to_y), Place(to_x, to_y))
    down = end.y > begin.y
    y, to_y = begin.y + (HEIGHT if down or end.y == begin.y else 0), end.y + (0 if down else HEIGHT)
    x = begin.x + (WIDTH / 2 if rank == 0 else 30) + away
    to_x = x if rank == 0 else end.x + WIDTH - 30 - away
    middle = (y + to_y) / 2
    return Curve(Place(x, y), Place(x, middle), Place(to_x, middle), Place(to_x, to_y))


def _text(x: float, y: float, text: str, size: int, colour: str, weight: str = "400", halo: bool = False) -> str:
    around = ' stroke="#fff" stroke-width="4" paint-order="stroke"' if halo else ""
    return f'<text x="{x:g}" y="{y:g}" font-size="{size}" font-weight="{weight}" fill="{colour}"{around}>{escape(text)}</text>'


_EDGES: Final = """
WITH at AS ({times}),
met AS (SELECT DISTINCT ocel_event_id AS event, ocel_object_id AS object FROM event_object),
steps AS (
    SELECT object.ocel_type AS type, event.ocel_type AS activity,
        lead(event.ocel_type) OVER (PARTITION BY met.object ORDER BY at.ocel_time) AS following
    FROM met JOIN at ON at.ocel_id = met.event
    JOIN event ON event.ocel_id = met.event JOIN object ON object.ocel_id = met.object
)
SELECT type, activity, following, count(*) FROM steps WHERE following IS NOT NULL GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
"""
_ROLES: Final = """
SELECT event.ocel_type, ocel_qualifier, count(*) FROM event_object JOIN event ON ocel_id = ocel_event_id GROUP BY 1, 2
"""


def main(
    log: Annotated[Path, typer.Argument(help="A file of `caseledger export --format ocel-sqlite`.")],
    out: Annotated[Path, typer.Option(help="The picture, an SVG file.")],
) -> None:
    """Draws how events of a log follow on each other."""
    try:
        with closing(sqlite3.connect(f"{log.resolve().as_uri()}?mode=ro", uri=True)) as database:
            picture = draw(graph_of(database))
        out.write_text(picture, encoding="utf-8")
    except sqlite3.Error:
        note(f"{log} is no event log: make one by `caseledger export --format ocel-sqlite --out PATH`.")
        raise typer.Exit(2) from None
    except OSError as error:
        note(f"{out} cannot be written ({error.strerror}): give a place that this user may write.")
        raise typer.Exit(2) from None


if __name__ == "__main__":
    typer.run(main)
