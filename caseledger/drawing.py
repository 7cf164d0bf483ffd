"""`caseledger export --format draw` and `caseledger verify-draw`."""

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from caseledger.errors import CannotVerify
from caseledger.exporting import going_out
from caseledger.reporting import as_json, note
from caseledger.settings import Settings
from caseledger.verifying import given_key, say_broken, say_named_key
from caseledger.wiring import open_to_look
from ledger import draw_evidence
from ledger.draw_evidence import LONGEST_LINE, BrokenLine, ProvedDraw
from ledger.evidence import NoEvidence
from ledger.files import new_whole


def export_draw(settings: Settings, draw_id: str, out: Path, machine: bool) -> None:
    """Writes the evidence of a draw into a new file, whole or not at all."""
    with going_out(str(out)), open_to_look(settings) as pool, new_whole(out) as beside, beside.open("wb") as file:
        size = sum(file.write(line + b"\n") > 0 for line in draw_evidence.draw_evidence(pool, draw_id)) - 1
    if machine:
        as_json({"out": str(out), "drawId": draw_id, "poolSize": size})
    else:
        note(
            f"The draw {draw_id} from {size} enterprises is in {out}; verify it with `caseledger verify-draw`. Hand it to "
            "the public only once the draw is public: `draw(drawId)` shows it to callers without a key then."
        )


def verify_draw(file: Path, key: str | None, machine: bool) -> bool:
    """Draws again from the file alone and prints what holds. Raises CannotVerify for what cannot be looked at."""
    verifier = given_key(key) if key else None
    try:
        with file.open("rb") as opened:
            proved = draw_evidence.verify_draw(_lines(opened), verifier)
    except BrokenLine as broken:
        say_broken(broken, machine)
        return False
    except NoEvidence as wrong:
        raise CannotVerify(str(wrong)) from None
    except OSError as error:
        raise CannotVerify(f"{file} cannot be read ({error.strerror}).") from None
    if verifier is None and not machine:
        say_named_key("file", proved.verifier)
    _print(proved, machine)
    return True


def _lines(file: BinaryIO) -> Iterator[bytes]:
    while line := file.readline(LONGEST_LINE):
        yield line


def _print(proved: ProvedDraw, machine: bool) -> None:
    event = proved.event
    if machine:
        as_json(
            {
                "holds": True,
                "drawId": event.draw_id,
                "poolSize": event.pool_size,
                "drawn": [each.uscc for each in event.drawn],
                "size": proved.checkpoint.size,
                "rootHash": proved.checkpoint.root.hex(),
                "verifier": str(proved.verifier),
            }
        )
    else:
        print(
            f"The draw {event.draw_id} of {len(event.drawn)} out of {event.pool_size} enterprises holds: position "
            f"{proved.recorded.position}, signed by {proved.verifier}.",
            flush=True,
        )
