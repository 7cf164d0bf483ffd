"""The formats that are streams of lines, and the evidence folder."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO, Final

import msgspec

from caseledger.wiring import System
from domain.events import EventVoided
from ledger.absence_evidence import absence_evidence
from ledger.cloudevents import cloud_event, stated
from ledger.enterprise_evidence import ENTRY, enterprise_evidence, newest_size
from ledger.entries import Kept, kept_entries
from ledger.evidence import write_evidence
from ledger.restating import is_the_ledgers_own, placeless, restated
from ledger.tree import log_name, signer_at
from ledger.verify import Progress

_ENCODER: Final = msgspec.json.Encoder()


def cloud_events(system: System, out: BinaryIO, after: int, upto: int, show: Progress) -> dict[str, Any]:
    """Every event as a CloudEvent, one a line."""
    name = log_name(system.pool)
    for batch in kept_entries(system.pool, after, upto):
        events = (cloud_event(each.recorded, name, each.ids) for each in batch)
        out.writelines(_ENCODER.encode(event) + b"\n" for event in events)
        show(len(batch), upto - after)
    return {"events": upto - after}


def facts(system: System, out: BinaryIO, after: int, upto: int, show: Progress) -> dict[str, Any]:
    """What clients stated, as `import` takes it: one fact a line, in the order of its recording.

    A line has no name that a later one could void it by, so a fact that was voided is left out with its void. What a
    list entry rests on is left out too: it is named by positions, which another ledger has otherwise.
    """
    made = dict.fromkeys(("facts", "ofTheLedger", "voided", "voids"), 0)
    for batch in kept_entries(system.pool, after, upto):
        for each in batch:
            kind = _kind(each)
            made[kind] += 1
            if kind == "facts":
                name, fact = restated(each.recorded.type, stated(each.recorded))
                out.write(_ENCODER.encode({name: placeless(name, fact)}) + b"\n")
        show(len(batch), upto - after)
    return made


def _kind(kept: Kept) -> str:
    recorded = kept.recorded
    if is_the_ledgers_own(recorded.type, recorded.recorded_by):
        return "ofTheLedger"
    if isinstance(recorded.event, EventVoided):
        return "voids"
    return "voided" if kept.voided_by else "facts"


def evidence(system: System, out: Path, after: int, upto: int, show: Progress) -> dict[str, Any]:
    """The evidence folder; its entries end with the last checkpoint that is not beyond `upto`."""
    signed = write_evidence(system.pool, out, upto, after, show)
    return {"upto": signed.size, "size": signed.size, "rootHash": signed.root.hex()}


def evidence_of(uscc: str, system: System, out: BinaryIO, after: int, upto: int, show: Progress) -> dict[str, Any]:
    """The evidence of one enterprise; its entries end with the last checkpoint that is not beyond `upto`."""
    size = newest_size(system.pool, after, upto)
    signer = signer_at(system.pool, system.settings.signing_key)
    entries = 0
    for line in enterprise_evidence(system.pool, signer, uscc, after, size, show):
        out.write(line + b"\n")
        entries += line.startswith(ENTRY)
    return {"uscc": uscc, "upto": size, "entries": entries}


def absence_of(
    uscc: str, types: Sequence[str], system: System, out: BinaryIO, after: int, upto: int, show: Progress
) -> dict[str, Any]:
    """The evidence that an enterprise has no events of these types, up to the last checkpoint that is not beyond `upto`."""
    size = newest_size(system.pool, after, upto)
    signer = signer_at(system.pool, system.settings.signing_key)
    out.writelines(line + b"\n" for line in absence_evidence(system.pool, signer, uscc, types, size, show))
    return {"uscc": uscc, "upto": size, "absent": list(types)}
