"""Who may see what: one table of roles by field (rulebook §8). What is not in the table, every role may see."""

from typing import Final

from api.context import Info
from api.errors import forbidden
from domain.callers import Role

INSIDERS: Final = frozenset((Role.REGULATOR, Role.AUDITOR))
WITH_CARRIERS: Final = INSIDERS | {Role.CARRIER}

SEEN_BY: Final[dict[str, frozenset[Role]]] = {
    "Query.enterprise": WITH_CARRIERS,
    "Query.enterprises": WITH_CARRIERS,
    "Query.creditStatus": WITH_CARRIERS,
    "Query.creditStatuses": WITH_CARRIERS,
    "Query.creditChanges": WITH_CARRIERS,
    "Query.previewGate": WITH_CARRIERS,
    "Query.decision": WITH_CARRIERS,
    "Query.decisions": WITH_CARRIERS,
    "Query.node": WITH_CARRIERS,
    "Query.obligations": INSIDERS,
    "Query.findings": INSIDERS,
    "Draw.followUp": INSIDERS,
    "Drawn.inspections": INSIDERS,
    "Enterprise.licences": INSIDERS,
    "Enterprise.numbers": WITH_CARRIERS,
    "Enterprise.accesses": WITH_CARRIERS,
    "Enterprise.history": INSIDERS,
    "Enterprise.enforcementHistory": INSIDERS,
    "Enterprise.complaintCounts": INSIDERS,
    "Enterprise.obligations": INSIDERS,
    "Enterprise.findings": INSIDERS,
    "Ledger.events": INSIDERS,
    "Ledger.event": INSIDERS,
    "Subscription.events": INSIDERS,
    "Subscription.creditChanges": WITH_CARRIERS,
}


def check(info: Info, field: str) -> None:
    """Refuses a field that the caller's role may never see. Raises ApiError FORBIDDEN."""
    allowed = SEEN_BY.get(field)
    if allowed is not None and info.context.caller.role not in allowed:
        raise forbidden(field)
