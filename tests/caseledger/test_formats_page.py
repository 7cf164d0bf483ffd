"""docs/formats.md: its tables are those of the schema, its queries run, and the ledger itself answers the same."""

import re
from collections import Counter
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import duckdb
import pytest

from caseledger.parquet import EVENTS, TIMELINES, write_events, write_timelines
from domain.vocabulary import CreditStatus
from running import System

_DOCS: Final = (Path(__file__).parents[2] / "docs" / "formats.md").read_text(encoding="utf-8")
PAGE: Final = _DOCS.partition("\n## Parquet\n")[2].partition("\n## ")[0]
BLOCKS: Final = re.findall(r"^```(sql|text)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
QUERIES: Final = [text for kind, text in BLOCKS if kind == "sql"]
SHOWN: Final = [text for kind, text in BLOCKS if kind == "text"]
ENTERPRISES: Final = """
{ enterprises(first: 20) { edges { node { uscc province
  penalties: history(areas: [PENALTY], first: 20) { pageInfo { hasNextPage } edges { node { type voidedBy effectiveOn data } } }
  interviews: history(areas: [INTERVIEW], first: 20) { edges { node { type voidedBy effectiveOn } } }
  lists: history(areas: [LIST], first: 20) { pageInfo { hasNextPage } edges { node { type voidedBy effectiveOn data } } }
  credit { timeline { from status } }
  complaintCounts(from: "2015-01-01", to: "2026-06-01") { date received }
} } } }
"""
SEVERITY: Final = list(CreditStatus)


@pytest.fixture(scope="module")
def answers(told: System, tmp_path_factory: pytest.TempPathFactory) -> list[list[tuple[Any, ...]]]:
    """What DuckDB answers to each question of the page."""
    folder = tmp_path_factory.mktemp("parquet") / "ledger.parquet"
    write_events(told.pool, folder / "events", 0, told.head)
    write_timelines(told.pool, folder / "credit_timelines", 0, told.head)
    found = []
    with duckdb.connect(config={"file_search_path": str(folder.parent)}) as database:
        database.execute(QUERIES[0])
        for query in QUERIES[1:]:
            ran = database.execute(query)
            names = tuple(column[0] for column in ran.description or ())
            found.append([names, *ran.fetchall()])
    return found


@pytest.fixture(scope="module")
def enterprises(told: System) -> list[Any]:
    return [edge["node"] for edge in told.ask(ENTERPRISES)["enterprises"]["edges"]]


def events(enterprise: Any, history: str, type_: str) -> list[Any]:
    """The events of a type that stand."""
    nodes = [edge["node"] for edge in enterprise[history]["edges"]]
    return [node for node in nodes if node["type"] == type_ and node["voidedBy"] is None]


def printed(rows: list[tuple[Any, ...]]) -> str:
    return "".join(" | ".join(map(str, row)) + "\n" for row in rows)


@pytest.mark.parametrize("number", range(3))
def test_the_queries_of_the_page_print_what_it_shows(answers: list[list[tuple[Any, ...]]], number: int) -> None:
    assert len(SHOWN) == len(answers) == 3
    assert printed(answers[number]) == SHOWN[number]


def test_penalties_by_province_and_year_are_those_of_the_ledger(
    answers: list[list[tuple[Any, ...]]], enterprises: list[Any]
) -> None:
    number, fines = Counter[tuple[str, int]](), Counter[tuple[str, int]]()
    for each in enterprises:
        annulled = {_document(event) for event in events(each, "penalties", "PenaltyAnnulled")}
        for event in events(each, "penalties", "PenaltyImposed"):
            if _document(event) not in annulled:
                group = each["province"], int(event["effectiveOn"][:4])
                number[group] += 1
                fines[group] += Decimal(event["data"].get("fine") or 0)  # type: ignore[assignment]
    assert [tuple(row) for row in answers[0][1:]] == [(*group, number[group], fines[group]) for group in sorted(number)]


def _document(event: Any) -> tuple[str, str]:
    return event["data"]["authority"], event["data"]["documentNo"]


def test_who_became_worse_after_an_interview_is_as_the_ledger_says(
    answers: list[list[tuple[Any, ...]]], enterprises: list[Any]
) -> None:
    found = []
    for each in enterprises:
        spans = [(date.fromisoformat(s["from"] or "0001-01-01"), s["status"]) for s in each["credit"]["timeline"]]
        for event in events(each, "interviews", "InterviewHeld"):
            on = date.fromisoformat(event["effectiveOn"])
            then = next(status for begins, status in reversed(spans) if begins <= on)
            found += [
                (each["uscc"], on, then, status, begins)
                for begins, status in spans
                if on < begins <= on + timedelta(90) and SEVERITY.index(status) > SEVERITY.index(then)
            ]
    assert answers[1][1:] == sorted(found)
    assert found != []


def test_complaints_before_and_after_a_listing_are_those_of_the_ledger(
    answers: list[list[tuple[Any, ...]]], enterprises: list[Any]
) -> None:
    found = []
    for each in enterprises:
        counts = [(date.fromisoformat(day["date"]), day["received"]) for day in each["complaintCounts"]]
        for event in events(each, "lists", "ListEntryMade"):
            on = date.fromisoformat(event["effectiveOn"])
            year = on.replace(year=on.year - 1), on.replace(year=on.year + 1)
            before = sum(count for day, count in counts if year[0] <= day < on)
            after = sum(count for day, count in counts if on <= day < year[1])
            found.append((each["uscc"], event["data"]["list"], on, round(before / 12, 2), round(after / 12, 2)))
    assert answers[2][1:] == sorted(found)
    assert any(row[3] for row in found)


def test_the_page_describes_every_column() -> None:
    for columns in (EVENTS, TIMELINES):
        assert "\n".join(f"| `{each.name}` | {each.type} | {each.description} |" for each in columns) in PAGE
