"""docs/security.md claims what a test shows: each test that it names is there, and no row of a control names none."""

import ast
import re
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
PAGE: Final = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
NAMED: Final = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PAGE)


def names_in(file: str) -> set[str]:
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_every_test_that_the_page_names_is_there() -> None:
    there = {file: names_in(file) for file, _ in NAMED}
    assert [f"{file}::{name}" for file, name in NAMED if name not in there[file]] == []
    assert all(name.startswith("test_") for _, name in NAMED)


def test_every_control_names_a_test() -> None:
    claims, _, _ = PAGE.partition("## Out of scope")
    rows = [line for line in claims.split("\n") if line.startswith("| ") and not line.startswith("| attacks |")]
    assert len(rows) > 30
    assert [row for row in rows if "::test_" not in row] == []


def test_nothing_that_looks_like_a_test_is_passed_over() -> None:
    assert len(re.findall(r"::", PAGE)) == len(NAMED)
