"""The writing steps of each scene of `fault_scenes`, and the cases that a test makes of them."""

from collections.abc import Collection, Mapping
from itertools import product
from typing import Final

import pytest

WRITE: Final = "UPDATE head + INSERT events + INSERT tags + INSERT idempotency + INSERT node_runs + INSERT checkpoints"
"""An append: one statement for all of it."""
AT_ONCE: Final = f"{WRITE} at once"
IN_TURN: Final = (WRITE, f"COMMIT after {WRITE}")
IN_PARTS: Final = (
    "UPDATE head + INSERT events + INSERT tags + INSERT idempotency",
    "INSERT events + INSERT tags",
    "INSERT node_runs + INSERT checkpoints",
)
"""An append of more events than one statement writes."""
LEARNING: Final = ("INSERT snapshots", "INSERT subjects")
TABLE: Final[dict[str, tuple[str, ...]]] = {
    "append": (*LEARNING, AT_ONCE, "NOTIFY"),
    "append_in_turn": (*LEARNING, *IN_TURN, "NOTIFY"),
    "append_in_parts": (*LEARNING, *IN_PARTS, f"COMMIT after {IN_PARTS[-1]}", "NOTIFY"),
    "together": (AT_ONCE,),
    "together_in_turn": IN_TURN,
    "erase": (WRITE, "DELETE subjects", "COMMIT after DELETE subjects", "NOTIFY"),
    "import_lines": ("INSERT imported_lines", "COMMIT after INSERT imported_lines", *LEARNING, AT_ONCE, "NOTIFY"),
    "project": (
        "INSERT projections",
        "INSERT snapshots",
        "INSERT history",
        "UPDATE history",
        "INSERT register",
        "DELETE register",
        "INSERT credit_spans",
        "DELETE credit_spans",
        "INSERT filed_numbers",
        "DELETE filed_numbers",
        "INSERT credit_changes",
        "INSERT complaints",
        "UPDATE complaints",
        "INSERT resolutions",
        "UPDATE resolutions",
        "INSERT complaint_days",
        "DELETE complaint_days",
        "INSERT decisions",
        "INSERT draws",
        "INSERT licence_spans",
        "DELETE licence_spans",
        "INSERT duties",
        "UPDATE duties",
        "INSERT listings",
        "UPDATE listings",
        "INSERT exhibits",
        "UPDATE exhibits",
        "INSERT live_accesses",
        "UPDATE live_accesses",
        "INSERT findings",
        "UPDATE findings",
        "UPDATE projections",
        "COMMIT after UPDATE projections",
    ),
}
"""Scenes and their steps; a test says that it has every one."""
BEFORE: Final = {"together": (*LEARNING, "NOTIFY"), "together_in_turn": (*LEARNING, "NOTIFY")}
"""Steps that come before what a scene is about; another one has them."""


def cases(kinds: Collection[str], quickly: Mapping[str, Collection[str]] = TABLE) -> list[object]:
    """Scene, kind, step and whether it fails after it, of the scenes in `quickly`.

    Steps that it does not name are for `make torture`.
    """
    return [
        pytest.param(
            scene,
            kind,
            step,
            after,
            id=f"{scene}: {kind} {'after' if after else 'before'} {step}",
            marks=() if step in quickly[scene] else pytest.mark.torture,
        )
        for scene, kind in product(quickly, kinds)
        for step, after in product(TABLE[scene], (False, True))
    ]
