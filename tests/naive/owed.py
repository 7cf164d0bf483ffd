"""Obligations, findings and working days (§6, §7), asked anew of all events each time."""

import datetime as dt
import importlib
from collections.abc import Sequence
from typing import Any

from naive.model import (
    ENDINGS,
    E,
    Filing,
    access_state,
    complaint_number,
    complaint_owner,
    confirmations,
    day,
    key,
    last_resolution,
    licences_in_force,
    penalty_events,
    pick,
    removals,
    standing,
    substantiated,
    visible,
)
from naive.rules import Reason, gate, positions, version_on

# The package ships no types: importing it by name keeps its values Any.
calendar: Any = importlib.import_module("chinese_calendar")

Row = tuple[str, str, str, dt.date, str, dt.date | None, int]
"""(rule, uscc, owed by, due on, OPEN/OVERDUE/MET/MET_LATE, met on, position it arises from)."""
Found = tuple[str, int, dt.date, list[Reason]]
"""(rule, position, effectiveOn, reasons)."""

NOTICE_FROM = dt.date(2020, 6, 18)
SELF_REPORT_DUE = dt.date(2020, 7, 30)
ALL_CHECKED = {
    "businessLicence": True,
    "licence": True,
    "numberCertificate": True,
    "numberFiling": True,
    "businessPlan": True,
}


def is_working_day(date: dt.date) -> bool:
    """By the official calendar; where none is published, Monday to Friday except 1 January."""
    try:
        return bool(calendar.is_workday(date))
    except NotImplementedError:
        return date.weekday() < 5 and (date.month, date.day) != (1, 1)


def after_working_days(date: dt.date, count: int) -> dt.date:
    """The count-th working day after a date."""
    following = [date + dt.timedelta(days=n) for n in range(1, 10 * count + 20)]
    return [d for d in following if is_working_day(d)][count - 1]


def row(rule: str, source: E, owed_by: str, due: dt.date, met: Sequence[E], on: dt.date) -> Row:
    """A row that the first of the events `met`, if any, meets."""
    met_on = min(met, key=key).effective_on if met else None
    state = "OPEN" if on <= due else "OVERDUE"
    if met_on is not None:
        state = "MET" if met_on <= due else "MET_LATE"
    return (rule, source.data["uscc"], owed_by, due, state, met_on, source.position)


def obl_list(events: Sequence[E], uscc: str, on: dt.date, at: int) -> list[Row]:
    """A penalty is to lead to a list entry in 30 days."""
    imposed = standing(events, uscc, on, at, ["PenaltyImposed"])
    entries = pick(visible(events, on, at), "ListEntryMade", uscc=uscc)
    return [
        row(
            "OBL-LIST",
            e,
            e.data["authority"],
            e.effective_on + dt.timedelta(days=30),
            [m for m in entries if e.position in (m.data.get("basis") or [])],
            on,
        )
        for e in imposed
        if set(e.data["kinds"]) != {"OTHER"}
    ]


def obl_publicity(events: Sequence[E], uscc: str, on: dt.date, at: int) -> list[Row]:
    """A penalty is to be publicised in 7 working days."""
    return [
        row(
            "OBL-PUBLICITY",
            e,
            e.data["authority"],
            after_working_days(e.effective_on, 7),
            penalty_events(events, "PenaltyPublicised", e, on, at),
            on,
        )
        for e in standing(events, uscc, on, at, ["PenaltyImposed"])
    ]


def obl_withdraw(events: Sequence[E], uscc: str, on: dt.date, at: int) -> list[Row]:
    """An entry whose only basis was annulled is to be removed in 3 working days."""
    rows: list[Row] = []
    for penalty in pick(visible(events, on, at), "PenaltyImposed", uscc=uscc):
        for annulled in penalty_events(events, "PenaltyAnnulled", penalty, on, at)[:1]:
            for entry in pick(visible(events, on, at), "ListEntryMade", uscc=uscc):
                removed = removals(events, entry, on, at)
                active = key(entry) < key(annulled) and not [r for r in removed if key(r) < key(annulled)]
                if active and set(entry.data.get("basis") or []) == {penalty.position}:
                    due = after_working_days(annulled.effective_on, 3)
                    rows.append(row("OBL-WITHDRAW", annulled, annulled.data["authority"], due, removed, on))
    return rows


def obl_review(events: Sequence[E], uscc: str, on: dt.date, at: int) -> list[Row]:
    """An entry is to be removed when its period ends; every later standing penalty restarts the period."""
    version = version_on(on)
    periods = {"ADVERSE": version.adverse_review_days, "DISHONESTY": version.dishonesty_review_days}
    rows: list[Row] = []
    for entry in pick(visible(events, on, at), "ListEntryMade", uscc=uscc):
        removed = removals(events, entry, on, at)[:1]
        restarts = [
            p
            for p in standing(events, uscc, on, at, ["PenaltyImposed"])
            if key(entry) < key(p) and all(key(p) < key(r) for r in removed)
        ]
        start = max([entry, *restarts], key=key).effective_on
        due = start + dt.timedelta(days=periods[entry.data["list"]])
        rows.append(row("OBL-REVIEW", entry, entry.data["authority"], due, removed, on))
    return rows


def obl_rectify(events: Sequence[E], uscc: str, on: dt.date, at: int) -> list[Row]:
    """The enterprise is to rectify by the day ordered."""
    orders = pick(visible(events, on, at), "RectificationOrdered", uscc=uscc)
    return [row("OBL-RECTIFY", o, uscc, day(o.data["dueOn"]), confirmations(events, o, on, at), on) for o in orders]


def obl_report(events: Sequence[E], uscc: str, on: dt.date, at: int) -> list[Row]:
    """The enterprise is to file its report for the year; an earlier filing meets it too."""
    seen = visible(events, on, at)
    return [
        row(
            "OBL-REPORT",
            e,
            uscc,
            day(e.data["dueOn"]),
            pick(seen, "AnnualReportFiled", uscc=uscc, year=e.data["year"]),
            on,
        )
        for e in pick(seen, "AnnualReportDemanded", uscc=uscc)
    ]


def obl_follow(events: Sequence[E], uscc: str, on: dt.date, at: int) -> list[Row]:
    """Violations found are to be followed up in 90 days."""
    seen = visible(events, on, at)
    measures = ("RectificationOrdered", "InterviewHeld", "ExposurePublished", "PenaltyImposed")
    return [
        row(
            "OBL-FOLLOW",
            e,
            e.data["authority"],
            e.effective_on + dt.timedelta(days=90),
            pick(seen, measures, uscc=uscc, inspectionId=e.data["inspectionId"]),
            on,
        )
        for e in pick(seen, "InspectionHeld", uscc=uscc)
        if e.data["violations"]
    ]


def obl_self(events: Sequence[E], uscc: str, on: dt.date, at: int) -> list[Row]:
    """Who held a licence when the Notice came is to report on itself, once."""
    if on < NOTICE_FROM:
        return []
    reports = pick(visible(events, on, at), "SelfReportFiled", uscc=uscc, campaign=2020)
    grants = licences_in_force(events, uscc, NOTICE_FROM, at)
    return [row("OBL-SELF", g, uscc, SELF_REPORT_DUE, reports, on) for g in grants[:1]]


def obl_renew(events: Sequence[E], uscc: str, on: dt.date, at: int) -> list[Row]:
    """Each term of a licence is to be renewed, or the licence cancelled, 90 days before it ends."""
    return [r for g in pick(visible(events, on, at), "LicenceGranted", uscc=uscc) for r in _terms(events, g, on, at)]


def _terms(events: Sequence[E], grant: E, on: dt.date, at: int) -> list[Row]:
    same = {"licenceNo": grant.data["licenceNo"], "uscc": grant.data["uscc"]}
    turns = pick(visible(events, on, at), ("LicenceRenewed", *ENDINGS), **same)
    if pick(turns, ("LicenceRevoked", "LicenceAnnulled")):
        return []
    cancelled = pick(turns, "LicenceCancelled")
    terms = [grant, *[e for e in pick(turns, "LicenceRenewed") if all(key(e) < key(c) for c in cancelled)]]
    return [
        row(
            "OBL-RENEW",
            term,
            term.data["uscc"],
            day(term.data["validTo"]) - dt.timedelta(days=90),
            [e for e in turns if key(e) > key(term)],
            on,
        )
        for term in terms
    ]


def obligations(events: Sequence[E], uscc: str, on: dt.date, at: int) -> list[Row]:
    """All rows of an enterprise at (on, at), by due date, rule and position."""
    rules = (obl_list, obl_publicity, obl_withdraw, obl_review, obl_rectify, obl_report, obl_follow, obl_self)
    rows = [r for rule in (*rules, obl_renew) for r in rule(events, uscc, on, at)]
    return sorted(rows, key=lambda r: (r[3], r[0], r[6]))


# ── findings (§7) ────────────────────────────────────────────────────────────────────────────────────────────────


def request_of(e: E) -> tuple[str, dict[str, Any]]:
    """The gate and the request that an AccessGranted, NumberFiled or LicenceGranted states."""
    data = e.data
    if e.type == "AccessGranted":
        stated = {n: data[n] for n in ("uscc", "carrier", "number", "directions")}
        return "ACCESS", {**stated, "checked": ALL_CHECKED}
    if e.type == "NumberFiled":
        stated = {n: data[n] for n in ("uscc", "number", "carriers", "directions")}
        return "NUMBER_FILING", {**stated, "outboundUndertaking": bool(data.get("outboundUndertaking"))}
    asked = {"form": "CALL_CENTRE", "marketingOutbound": False, "undertakingFiled": True}
    return "LICENCE", {"uscc": data["uscc"], "route": data["route"], **asked}


def fnd_gate(events: Sequence[E], uscc: str, on: dt.date, at: int) -> list[Found]:
    """Historical facts that their gate refused on their own date, by what was known before them."""
    gated = pick(visible(events, on, at), ("AccessGranted", "NumberFiled", "LicenceGranted"), uscc=uscc)
    answers = [(e, gate(events, *request_of(e), e.effective_on, e.position - 1)) for e in gated if e.historical]
    return [("FND-GATE", e.position, e.effective_on, fired) for e, (outcome, fired) in answers if outcome == "REFUSE"]


def fnd_out(events: Sequence[E], uscc: str, on: dt.date, at: int) -> list[Found]:
    """Substantiated marketing calls from a number that was filed for inbound calls only."""
    found: list[Found] = []
    for e in pick(visible(events, on, at), "ComplaintReceived"):
        through = complaint_number(events, e)
        unnamed = e.data.get("uscc") is None and complaint_owner(events, e) == uscc
        marketing = e.data["category"] in ("MARKETING", "NO_CONSENT")
        if unnamed and marketing and substantiated(events, e, on, at) and through is not None:
            found += _outbound(events, e, through, on, at)
    return found


def _outbound(events: Sequence[E], complaint: E, through: Filing, on: dt.date, at: int) -> list[Found]:
    last = last_resolution(events, complaint, on, at)
    if through.terms["directions"] != "INBOUND" or last is None:
        return []
    turned = [e for e in through.amendments if e.data.get("directions") is not None]
    rests = positions([complaint, last, through.filing, *turned])
    return [("FND-OUT", complaint.position, complaint.effective_on, [("FND-OUT", None, rests)])]


def fnd_live(events: Sequence[E], uscc: str, on: dt.date, at: int) -> list[Found]:
    """Accesses granted now that the gate would refuse now."""
    grants = pick(visible(events, on, at), "AccessGranted", uscc=uscc)
    granted = [e for e in grants if access_state(events, e.data["accessId"], on, at) == "GRANTED"]
    answers = [(e, gate(events, *request_of(e), on, at)) for e in granted]
    return [("FND-LIVE", e.position, e.effective_on, fired) for e, (outcome, fired) in answers if outcome == "REFUSE"]


def findings(events: Sequence[E], uscc: str, on: dt.date, at: int) -> list[Found]:
    """All findings of an enterprise at (on, at), by date, position and rule."""
    found = [f for rule in (fnd_gate, fnd_out, fnd_live) for f in rule(events, uscc, on, at)]
    return sorted(found, key=lambda f: (f[2], f[1], f[0]))
