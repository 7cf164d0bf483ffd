"""What an authority has to do, and how the ledger is."""

from typing import Any, Final

from starlette.responses import Response

from api.console.rendering import page
from api.console.visits import Visit, text_of

LATEST: Final = 20
"""Events that are shown of the head."""


async def work_list(visit: Visit) -> Response:
    after = {name: text_of(visit.request.query_params, name) for name in ("overdue", "open", "findings")}
    overdue = await visit.ask("obligations", state="OVERDUE", after=after["overdue"])
    open_ = await visit.ask("obligations", state="OPEN", after=after["open"])
    findings = await visit.ask("findings", after=after["findings"])
    return page(
        visit,
        "work.html",
        overdue=overdue["obligations"],
        open=open_["obligations"],
        findings=findings["findings"],
        after=after,
        stale=findings["stale"],
    )


async def ledger(visit: Visit) -> Response:
    inside, regulator = visit.may("Ledger.readModels"), visit.may("Query.keys")
    data = await visit.ask("ledgerStanding", inside=inside, regulator=regulator)
    found, events = data["ledger"], []
    if inside:
        latest = await visit.ask("ledgerEvents", after=max(0, found["head"] - LATEST), first=LATEST)
        events = latest["ledger"]["events"][::-1]
    return page(
        visit,
        "ledger.html",
        found=found,
        events=events,
        keys=data.get("keys"),
        witnesses=_witnesses(found["checkpoint"]),
    )


def _witnesses(checkpoint: dict[str, Any] | None) -> list[str]:
    """Who cosigned a checkpoint, by the lines of its signed note; the first line is the ledger's own."""
    lines = checkpoint["note"].splitlines() if checkpoint else []
    return [line.split()[1] for line in lines if line.startswith("— ")][1:]
