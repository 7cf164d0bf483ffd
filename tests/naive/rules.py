"""Credit status, its timeline and the gates (§4, §5), asked anew of all events each time."""

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from naive.model import (
    E,
    active_entries,
    bearer,
    complaints,
    filed,
    last_resolution,
    licences_in_force,
    open_orders,
    overdue_orders,
    pick,
    standing,
    substantiated,
    visible,
)

OUTCOMES = ("PERMIT", "REVIEW", "REFUSE")
SIGNALS = ("InterviewHeld", "ExposurePublished", "PenaltyImposed")

Reason = tuple[str, str | None, list[int]]
Answer = tuple[str, list[Reason]]
Timeline = list[tuple[dt.date | None, str]]


@dataclass(frozen=True)
class Version:
    """A row of the table of versions and parameters (§5); all but the threshold are days."""

    version: str
    in_force_from: dt.date
    signal_days: int
    complaint_days: int | None
    complaint_threshold: int | None
    false_material_bar_days: int | None
    adverse_review_days: int
    dishonesty_review_days: int


VERSIONS = (
    Version("2017.1", dt.date(2017, 9, 1), 365, None, None, None, 365, 1095),
    Version("2018.1", dt.date(2018, 3, 15), 365, None, None, None, 365, 1095),
    Version("2020.1", dt.date(2020, 6, 18), 365, 30, 10, 365, 365, 1095),
    Version("2026.1", dt.date(2026, 4, 1), 365, 30, 10, 365, 365, 1095),
)


def version_on(on: dt.date) -> Version:
    """The version in force on a date; dates before the first are judged by the first."""
    return [v for v in VERSIONS if v.in_force_from <= on or v == VERSIONS[0]][-1]


def version_named(version: str) -> Version:
    """The version of that name."""
    return next(v for v in VERSIONS if v.version == version)


def within(days: int, e: E, on: dt.date) -> bool:
    """ "In the n days to D" (§1)."""
    return 0 <= (on - e.effective_on).days < days


def positions(events: Sequence[E]) -> list[int]:
    """The positions of the events, ascending."""
    return sorted([e.position for e in events])


# ── credit status (§4) ───────────────────────────────────────────────────────────────────────────────────────────


def signals(events: Sequence[E], uscc: str, on: dt.date, at: int, days: int) -> list[E]:
    """The standing interviews, exposures and penalties because of harassing calls in the days to `on`."""
    found = standing(events, uscc, on, at, SIGNALS)
    return [e for e in found if e.data["becauseOf"] == "HARASSING_CALLS" and within(days, e, on)]


def registered(events: Sequence[E], uscc: str, on: dt.date, at: int) -> bool:
    """Whether an EnterpriseRegistered of the code is visible."""
    return bool(pick(visible(events, on, at), "EnterpriseRegistered", uscc=uscc))


def status(events: Sequence[E], uscc: str, on: dt.date, at: int) -> tuple[str, list[tuple[str, list[int]]]]:
    """The credit status and its reasons as (rule, positions)."""
    if not registered(events, uscc, on, at):
        return "UNKNOWN", []
    dishonest = positions(active_entries(events, uscc, "DISHONESTY", on, at))
    if dishonest:
        return "DISHONEST", [("CST-1", dishonest)]
    adverse = positions(active_entries(events, uscc, "ADVERSE", on, at))
    if adverse:
        return "ADVERSE", [("CST-2", adverse)]
    told = positions(signals(events, uscc, on, at, version_on(on).signal_days))
    overdue = positions(overdue_orders(events, uscc, on, at))
    if told or overdue:
        return "WATCH", [(rule, rests) for rule, rests in (("CST-3", told), ("CST-4", overdue)) if rests]
    return "GOOD", []


def later(date: dt.date, days: int) -> list[dt.date]:
    """The date so many days later, if the calendar has it."""
    return [date + dt.timedelta(days=days)] if (dt.date.max - date).days >= days else []


def candidate_dates(events: Sequence[E], at: int) -> list[dt.date]:
    """Every date on which some status may change: dates of effect, ends of signals, days after a due date."""
    heard = [e for e in events if e.position <= at]
    dues = [dt.date.fromisoformat(e.data["dueOn"]) for e in pick(heard, "RectificationOrdered")]
    return sorted(
        {
            *[e.effective_on for e in heard],
            *[d for e in heard for v in VERSIONS for d in later(e.effective_on, v.signal_days)],
            *[d for due in dues for d in later(due, 1)],
            *[v.in_force_from for v in VERSIONS],
        }
    )


def timeline(events: Sequence[E], uscc: str, at: int) -> Timeline:
    """The status over all dates: (from, status), the first from None, neighbours differ."""
    spans: Timeline = [(None, "UNKNOWN")]
    for date in candidate_dates(events, at):
        now, _ = status(events, uscc, date, at)
        if now != spans[-1][1]:
            spans.append((date, now))
    return spans


def credit_changes(events: Sequence[E]) -> list[tuple[str, int, Timeline]]:
    """(uscc, position, timeline) for each enterprise and position whose event changes its timeline."""
    pairs = [(str(bearer(events, e)), e.position) for e in events if bearer(events, e) is not None]
    changes = [(uscc, at, timeline(events, uscc, at)) for uscc, at in pairs]
    return [(uscc, at, new) for uscc, at, new in changes if new != timeline(events, uscc, at - 1)]


# ── gates (§5) ───────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Asked:
    """A gate asked: the inner request object by contract names, at (on, at) under a version."""

    events: Sequence[E]
    request: dict[str, Any]
    on: dt.date
    at: int
    version: Version

    @property
    def uscc(self) -> str:
        """The code that the request names."""
        return str(self.request["uscc"])


def some(found: Sequence[E]) -> list[int] | None:
    """A rule that fires when events are found, resting on them."""
    return positions(found) if found else None


def bare(fires: bool) -> list[int] | None:
    """A rule that rests on no event."""
    return [] if fires else None


def adm_1(q: Asked) -> list[int] | None:
    """STANDARD route without a passed last inspection."""
    last = pick(visible(q.events, q.on, q.at), "SiteInspected", uscc=q.uscc)[-1:]
    passed = bool(last) and last[0].data["result"] == "PASSED"
    return None if q.request["route"] != "STANDARD" or passed else positions(last)


def adm_3(q: Asked) -> list[int] | None:
    """False material in the days of the bar."""
    refused = pick(visible(q.events, q.on, q.at), "LicenceRefused", uscc=q.uscc, falseMaterial=True)
    return some([e for e in refused if within(q.version.false_material_bar_days or 0, e, q.on)])


def scp_1(q: Asked) -> list[int] | None:
    """No call-centre business."""
    return bare(q.request.get("form", "CALL_CENTRE") in ("SELF_USE", "LABOUR_OUTSOURCING", "TECHNICAL_SERVICE"))


def num_1(q: Asked) -> list[int] | None:
    """Not filed now by this enterprise."""
    found = filed(q.events, q.request["number"], q.on, q.at)
    return bare(found is None or found.filing.data["uscc"] != q.uscc)


def num_2(q: Asked) -> list[int] | None:
    """Filed by this enterprise for other carriers."""
    found = filed(q.events, q.request["number"], q.on, q.at)
    if found is None or found.filing.data["uscc"] != q.uscc or q.request["carrier"] in found.terms["carriers"]:
        return None
    return positions([found.filing, *[e for e in found.amendments if e.data.get("carriers") is not None]])


def num_3(q: Asked) -> list[int] | None:
    """Outbound asked of an inbound filing of this enterprise."""
    found = filed(q.events, q.request["number"], q.on, q.at)
    if found is None or found.filing.data["uscc"] != q.uscc:
        return None
    if q.request["directions"] != "INBOUND_AND_OUTBOUND" or found.terms["directions"] != "INBOUND":
        return None
    return positions([found.filing, *[e for e in found.amendments if e.data.get("directions") is not None]])


def num_4(q: Asked) -> list[int] | None:
    """Filed now by another enterprise."""
    found = filed(q.events, q.request["number"], q.on, q.at)
    return None if found is None or found.filing.data["uscc"] == q.uscc else [found.filing.position]


def num_5(q: Asked) -> list[int] | None:
    """Outbound asked without the undertaking."""
    outbound = q.request["directions"] == "INBOUND_AND_OUTBOUND"
    return bare(outbound and not q.request.get("outboundUndertaking", False))


def enf_1(q: Asked) -> list[int] | None:
    """Open orders that are not overdue."""
    overdue = overdue_orders(q.events, q.uscc, q.on, q.at)
    return some([o for o in open_orders(q.events, q.uscc, q.on, q.at) if o not in overdue])


def cmp_1(q: Asked) -> list[int] | None:
    """At least the threshold of substantiated complaints in the days to the date asked."""
    recent = [e for e in complaints(q.events, q.uscc, q.on, q.at) if within(q.version.complaint_days or 0, e, q.on)]
    counted = [e for e in recent if substantiated(q.events, e, q.on, q.at)]
    if len(counted) < (q.version.complaint_threshold or 0):
        return None
    resolutions = [last_resolution(q.events, e, q.on, q.at) for e in counted]
    return positions([*counted, *[r for r in resolutions if r is not None]])


LICENCE, NUMBER, ACCESS, COOPERATION = "LICENCE", "NUMBER_FILING", "ACCESS", "COOPERATION"
Fires = Callable[[Asked], list[int] | None]

# rule: its outcome, the version it came with at each gate, and when it fires
RULES: dict[str, tuple[str, dict[str, str], Fires]] = {
    "ACC-1": ("REFUSE", {ACCESS: "2020.1"}, lambda q: bare(not all(q.request["checked"].values()))),
    "ADM-1": ("REFUSE", {LICENCE: "2020.1"}, adm_1),
    "ADM-2": ("REFUSE", {LICENCE: "2020.1"}, lambda q: bare(q.request["marketingOutbound"])),
    "ADM-3": ("REFUSE", {LICENCE: "2020.1"}, adm_3),
    "ADM-4": ("REFUSE", {LICENCE: "2020.1"}, lambda q: bare(not q.request["undertakingFiled"])),
    "CMP-1": ("REVIEW", {ACCESS: "2020.1", COOPERATION: "2020.1"}, cmp_1),
    "CRD-1": (
        "REFUSE",
        {LICENCE: "2017.1", NUMBER: "2018.1", ACCESS: "2018.1", COOPERATION: "2018.1"},
        lambda q: some(active_entries(q.events, q.uscc, "DISHONESTY", q.on, q.at)),
    ),
    "CRD-2": (
        "REVIEW",
        {LICENCE: "2020.1", NUMBER: "2018.1", ACCESS: "2018.1", COOPERATION: "2018.1"},
        lambda q: some(active_entries(q.events, q.uscc, "ADVERSE", q.on, q.at)),
    ),
    "CRD-3": (
        "REVIEW",
        {ACCESS: "2020.1", COOPERATION: "2020.1"},
        lambda q: some(signals(q.events, q.uscc, q.on, q.at, q.version.signal_days)),
    ),
    "ENF-1": ("REVIEW", {NUMBER: "2020.1", ACCESS: "2020.1"}, enf_1),
    "ENF-2": (
        "REFUSE",
        {NUMBER: "2020.1", ACCESS: "2020.1"},
        lambda q: some(overdue_orders(q.events, q.uscc, q.on, q.at)),
    ),
    "LIC-1": (
        "REFUSE",
        {NUMBER: "2017.1", ACCESS: "2017.1", COOPERATION: "2017.1"},
        lambda q: bare(not licences_in_force(q.events, q.uscc, q.on, q.at)),
    ),
    "NUM-1": ("REFUSE", {ACCESS: "2017.1"}, num_1),
    "NUM-2": ("REFUSE", {ACCESS: "2020.1"}, num_2),
    "NUM-3": ("REFUSE", {ACCESS: "2020.1"}, num_3),
    "NUM-4": ("REFUSE", {NUMBER: "2017.1"}, num_4),
    "NUM-5": ("REFUSE", {NUMBER: "2020.1"}, num_5),
    "SCP-1": ("REFUSE", {LICENCE: "2020.1"}, scp_1),
}


def gate(
    events: Sequence[E], gate: str, request: dict[str, Any], on: dt.date, at: int, version: str | None = None
) -> Answer:
    """The outcome of a gate and all rules that fired as (rule, outcome, positions), ordered by rule id.

    `request` is the inner object by contract names; `version` names a version other than the one in force on `on`.
    """
    if not registered(events, request["uscc"], on, at):
        return "REFUSE", [("REG-1", "REFUSE", [])]
    judged_by = version_on(on) if version is None else version_named(version)
    asked = Asked(events, request, on, at, judged_by)
    fired: list[Reason] = []
    for rule, (outcome, since, fires) in sorted(RULES.items()):
        if gate in since and version_named(since[gate]).in_force_from <= judged_by.in_force_from:
            rests = fires(asked)
            fired += [] if rests is None else [(rule, outcome, rests)]
    return max(["PERMIT", *[str(o) for _, o, _ in fired]], key=OUTCOMES.index), fired


def changed(events: Sequence[E], decision: E, today: dt.date, at: int) -> bool:
    """Whether a GateDecided asked at (today, at) has another outcome or another set of rule ids (§8)."""
    outcome, fired = gate(events, decision.data["gate"], decision.data["request"], today, at)
    before = {r["rule"] for r in decision.data["reasons"]}
    return outcome != decision.data["outcome"] or {rule for rule, _, _ in fired} != before
