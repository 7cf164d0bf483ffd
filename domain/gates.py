"""The four gates (rulebook §5): which rules fire for a request at (D, P) under a version, and the outcome.

One small function a rule; the table `FIRES` names them by rule id, and the rule data says at which gates and from which
version each is asked. A function gives None where its rule does not fire, else the positions that it rests on.
"""

from collections.abc import Callable, Iterable
from typing import Final

import msgspec

from domain.complaints import days_read, substantiated_positions
from domain.credit import is_in_days_to, signals
from domain.events import FiredRule, LicenceRefused, SiteInspected
from domain.facts import Facts, Moment
from domain.register import Filing, active_entries, filing, is_registered, licences_in_force, orders
from domain.requests import AccessRequest, LicenceRequest, NumberFilingRequest, Request
from domain.rulebook import RULEBOOK, Parameters, Rulebook, Version, worst
from domain.vocabulary import BusinessForm, CreditList, Directions, LicenceRoute, Outcome, SiteResult

Positions = tuple[int, ...]
NOT_THE_BUSINESS: Final = {BusinessForm.SELF_USE, BusinessForm.LABOUR_OUTSOURCING, BusinessForm.TECHNICAL_SERVICE}


class Case(msgspec.Struct, frozen=True):
    """Everything that the rules read for one request."""

    request: Request
    at: Moment
    enterprise: Facts
    number: Facts
    """The fold of the asked number's tag; empty where the gate asks about no number."""
    complaints: Facts
    """The fold of the complaints of the days that CMP-1 counts; empty where it is not asked."""
    parameters: Parameters

    @property
    def filing(self) -> Filing | None:
        return filing(self.number, self.at)

    @property
    def own_filing(self) -> Filing | None:
        held = self.filing
        return held if held and held.uscc == self.request.uscc else None


class Answer(msgspec.Struct, frozen=True):
    """The outcome and every rule that fired, ordered by rule id."""

    outcome: Outcome
    reasons: tuple[FiredRule, ...]


def reads(
    request: Request, at: Moment, version: Version, rulebook: Rulebook = RULEBOOK
) -> tuple[str, list[str], list[str]]:
    """The tags that a decision reads: the enterprise's, the number's (none or one), the complaints' days."""
    number = getattr(request, "number", None)
    counts = rulebook.applies(rulebook.rule("CMP-1"), request.gate, version)
    days = version.parameters.complaint_days if counts else None
    return (
        f"enterprise:{request.uscc}",
        [f"number:{number}"] if number else [],
        list(days_read(request.uscc, at.on, days)) if days else [],
    )


def decide(case: Case, version: Version, rulebook: Rulebook = RULEBOOK) -> Answer:
    """Asks every rule of the gate in this version; the outcome is the worst of those that fire."""
    if not is_registered(case.enterprise, case.at):
        unknown = rulebook.rule("REG-1")
        return Answer(Outcome.REFUSE, (FiredRule(unknown.id, Outcome.REFUSE, ()),))
    fired = []
    for rule in rulebook.rules_for(case.request.gate, version):
        positions = FIRES[rule.id](case)
        if positions is not None and rule.outcome is not None:
            fired.append(FiredRule(rule.id, rule.outcome, positions))
    return Answer(worst(reason.outcome for reason in fired), tuple(fired))


def _ascending(positions: Iterable[int]) -> Positions | None:
    return tuple(sorted(positions)) or None


def _when(condition: bool) -> Positions | None:
    """For rules that rest on the request or on an absence."""
    return () if condition else None


def _unregistered(case: Case) -> Positions | None:
    return _when(not is_registered(case.enterprise, case.at))


def _not_inspected(case: Case) -> Positions | None:
    assert isinstance(case.request, LicenceRequest)
    if case.request.route is not LicenceRoute.STANDARD:
        return None
    last = case.enterprise.latest(case.at, SiteInspected)
    if last is None:
        return ()
    return None if last.event.result is SiteResult.PASSED else (last.position,)


def _markets(case: Case) -> Positions | None:
    assert isinstance(case.request, LicenceRequest)
    return _when(case.request.marketing_outbound)


def _gave_false_material(case: Case) -> Positions | None:
    days = case.parameters.false_material_bar_days
    return _ascending(
        fact.position
        for fact in case.enterprise.visible(LicenceRefused, case.at)
        if days is not None and fact.event.false_material and is_in_days_to(case.at.on, days, fact.effective_on)
    )


def _no_undertaking(case: Case) -> Positions | None:
    assert isinstance(case.request, LicenceRequest)
    return _when(not case.request.undertaking_filed)


def _not_the_business(case: Case) -> Positions | None:
    assert isinstance(case.request, LicenceRequest)
    return _when(case.request.form in NOT_THE_BUSINESS)


def _on_list(on_list: CreditList) -> Callable[[Case], Positions | None]:
    return lambda case: _ascending(e.made.position for e in active_entries(case.enterprise, case.at, on_list))


def _signalled(case: Case) -> Positions | None:
    return _ascending(signals(case.enterprise, case.at, case.parameters.signal_days))


def _unlicensed(case: Case) -> Positions | None:
    return _when(not licences_in_force(case.enterprise, case.at))


def _not_filed(case: Case) -> Positions | None:
    return _when(case.own_filing is None)


def _carrier_not_filed(case: Case) -> Positions | None:
    assert isinstance(case.request, AccessRequest)
    held = case.own_filing
    return held.positions("carriers") if held and case.request.carrier not in held.carriers else None


def _outbound_not_filed(case: Case) -> Positions | None:
    assert isinstance(case.request, AccessRequest)
    held = case.own_filing
    asked = case.request.directions is Directions.INBOUND_AND_OUTBOUND
    return held.positions("directions") if held and asked and held.directions is Directions.INBOUND else None


def _filed_by_another(case: Case) -> Positions | None:
    held = case.filing
    return (held.filed.position,) if held and held.uscc != case.request.uscc else None


def _outbound_without_undertaking(case: Case) -> Positions | None:
    assert isinstance(case.request, NumberFilingRequest)
    asked = case.request.directions is Directions.INBOUND_AND_OUTBOUND
    return _when(asked and not case.request.outbound_undertaking)


def _not_checked(case: Case) -> Positions | None:
    assert isinstance(case.request, AccessRequest)
    return _when(not case.request.checked.is_complete())


def _order_open(case: Case) -> Positions | None:
    held = orders(case.enterprise, case.at)
    return _ascending(o.ordered.position for o in held if o.is_open() and not o.is_overdue(case.at.on))


def _order_overdue(case: Case) -> Positions | None:
    return _ascending(o.ordered.position for o in orders(case.enterprise, case.at) if o.is_overdue(case.at.on))


def _many_complaints(case: Case) -> Positions | None:
    days, threshold = case.parameters.complaint_days, case.parameters.complaint_threshold
    if days is None or threshold is None:
        return None
    count, positions = substantiated_positions(case.complaints, case.at, days)
    return tuple(positions) if count >= threshold else None


FIRES: Final[dict[str, Callable[[Case], Positions | None]]] = {
    "ACC-1": _not_checked,
    "ADM-1": _not_inspected,
    "ADM-2": _markets,
    "ADM-3": _gave_false_material,
    "ADM-4": _no_undertaking,
    "CMP-1": _many_complaints,
    "CRD-1": _on_list(CreditList.DISHONESTY),
    "CRD-2": _on_list(CreditList.ADVERSE),
    "CRD-3": _signalled,
    "ENF-1": _order_open,
    "ENF-2": _order_overdue,
    "LIC-1": _unlicensed,
    "NUM-1": _not_filed,
    "NUM-2": _carrier_not_filed,
    "NUM-3": _outbound_not_filed,
    "NUM-4": _filed_by_another,
    "NUM-5": _outbound_without_undertaking,
    "REG-1": _unregistered,
    "SCP-1": _not_the_business,
}
