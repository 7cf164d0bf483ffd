"""The formats that are streams of lines, and the evidence folder."""

from pathlib import Path
from typing import Any, BinaryIO, Final

import msgspec

from caseledger.wiring import System
from ledger.cloudevents import cloud_event
from ledger.entries import kept_entries
from ledger.evidence import write_evidence
from ledger.verify import Progress

_ENCODER: Final = msgspec.json.Encoder()


def cloud_events(system: System, out: BinaryIO, after: int, upto: int, show: Progress) -> dict[str, Any]:
    """Every event as a CloudEvent, one a line."""
    log_name = system.log_name
    for batch in kept_entries(system.pool, after, upto):
        events = (cloud_event(each.recorded, log_name, each.ids) for each in batch)
        out.writelines(_ENCODER.encode(event) + b"\n" for event in events)
        show(len(batch), upto - after)
    return {"events": upto - after}


def evidence(system: System, out: Path, after: int, upto: int, show: Progress) -> dict[str, Any]:
    """The evidence folder; its entries end with the last checkpoint that is not beyond `upto`."""
    signed = write_evidence(system.pool, out, upto, after, show)
    return {"upto": signed.size, "size": signed.size, "rootHash": signed.root.hex()}
