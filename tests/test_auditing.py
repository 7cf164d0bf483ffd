"""What is installed is what was pinned, and an audit that was not answered is not taken for a clean one."""

import json
import re
from pathlib import Path
from typing import Any, Final

import pytest

from auditing import LOCK, verdict

MAKEFILE: Final = (Path(__file__).parents[1] / "Makefile").read_text(encoding="utf-8")
CLEAN: Final[dict[str, Any]] = {"name": "one", "version": "1.0", "vulns": []}
HOLE: Final[dict[str, Any]] = {"name": "two", "version": "2.0", "vulns": [{"id": "CVE-1", "fix_versions": []}]}
UNKNOWN: Final[dict[str, Any]] = {"name": "three", "skip_reason": "Dependency not found and could not be audited"}


def said(*libraries: dict[str, Any]) -> tuple[int, str]:
    return verdict(json.dumps({"dependencies": libraries, "fixes": []}).encode())


def test_libraries_without_a_known_hole_are_clean() -> None:
    assert said(CLEAN, CLEAN) == (0, "Clean: no known hole in any of 2 libraries.")


def test_each_known_hole_is_named() -> None:
    assert said(CLEAN, HOLE, UNKNOWN) == (1, "1 known holes in 3 libraries:\ntwo 2.0: CVE-1")


def test_a_library_that_nobody_could_answer_for_is_not_clean() -> None:
    code, text = said(CLEAN, UNKNOWN)
    assert (code, text[:65]) == (2, "Not audited: the advisory service answered for 1 of 2 libraries. ")


@pytest.mark.parametrize("answer", [b"", b"Traceback", b"[]", b'{"dependencies": []}', b"{}"])
def test_no_answer_is_not_clean(answer: bytes) -> None:
    assert verdict(answer).code == 2


def test_every_library_is_pinned_by_its_hashes_and_installed_by_them_alone() -> None:
    text = re.sub(r"^#.*\n", "", LOCK.read_text(encoding="utf-8"), flags=re.MULTILINE)
    pins = [pin for pin in re.split(r"\n(?=\S)", text.strip()) if pin]
    assert len(pins) > 100
    assert [pin for pin in pins if not re.match(r"[\w.-]+==\S+ \\\n\s+--hash=sha256:[0-9a-f]{64}", pin)] == []
    assert "--require-hashes -r requirements.lock" in MAKEFILE
