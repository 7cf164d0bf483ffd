"""What is recorded in a small signed ledger (`tests/ledger/conftest.py`), and what its key would sign."""

from datetime import UTC, datetime
from typing import Final

from domain.callers import Caller, Role
from given import Stated
from ledger.ledger import Ledger
from ledger.notes import Checkpoint, Note, Signer

REGULATOR: Final = Caller(role=Role.REGULATOR, holder="test", authority="MIIT")
HEAD: Final = 11
"""Two registrations of one group, then nine interviews of a group each."""


def record(ledger: Ledger, *facts: Stated) -> None:
    key = f"{datetime.now(UTC).timestamp()}"
    made = ledger.record(REGULATOR, key, [(fact.name, fact.fields) for fact in facts])
    assert made.refusals == ()


def note_of(signer: Signer, size: int, root: bytes) -> str:
    text = Checkpoint(signer.name, size, root).text
    return Note(text, (signer.sign(text),)).encoded.decode()
