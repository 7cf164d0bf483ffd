"""The demonstration's history on a day that stands still, with a draw and an erasure: every type of event is in it."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from typing import Final

from caseledger.demo import tell
from caseledger.demo_firms import PHONE
from drawing import draw
from given import TODAY
from running import System, started

ERASE: Final = """
mutation ($input: EraseSubjectInput!) { eraseSubject(input: $input) { errors { message } } }
"""


@contextmanager
def demonstrated(conninfo: str, today: date = TODAY) -> Iterator[System]:
    """A running system that was told all stories, drew once and erased the complainants' common number."""
    with started(conninfo) as system:
        for _ in tell(system.ledger, today):
            pass
        assert draw(system)["errors"] == []
        sent = {"idempotencyKey": "e", "subject": {"complainantPhone": PHONE}, "ground": "本人申请"}
        assert system.ask(ERASE, {"input": sent}, key="eraser")["eraseSubject"]["errors"] == []
        system.settle()
        yield system
