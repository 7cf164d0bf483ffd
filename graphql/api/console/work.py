"""What an authority has to do, and how the ledger is."""

from starlette.responses import Response

from api.console.rendering import page
from api.console.visits import Visit, text_of

LATEST = 20


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
    )


async def ledger(visit: Visit) -> Response:
    data = await visit.ask("checkpoint")
    found, events = data["ledger"], []
    if visit.may("Ledger.events"):
        latest = await visit.ask("ledgerEvents", after=max(0, found["head"] - LATEST), first=LATEST)
        events = latest["ledger"]["events"][::-1]
    return page(visit, "ledger.html", found=found, events=events)
