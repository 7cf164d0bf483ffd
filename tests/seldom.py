"""Runs of facts that random histories seldom hold: penalties at the end of their publicity, calls from inbound numbers."""

import datetime as dt
from typing import Any

from hypothesis import strategies as st

from agreement import TODAY
from lives import lives
from naive import histories
from naive.histories import Candidate, Ref
from naive.model import publicity_days

EARLY = "2016-02-01"


@st.composite
def penalties(draw: st.DrawFn) -> list[Candidate]:
    """Penalties that are public about today, and what ends that: time, an annulment, a void."""
    made: list[Candidate] = []
    for n in range(draw(st.sampled_from((1, 2, 0, 3)))):
        kinds = draw(st.sampled_from((["WARNING"], ["OTHER"], ["CRITICISM", "OTHER"], ["CLOSURE"])))
        days = draw(st.sampled_from((publicity_days(kinds), 30, 60)))
        on = TODAY - dt.timedelta(days=days + draw(st.sampled_from((0, -1, 1, 9, 40))))
        which = {"uscc": draw(st.sampled_from(histories.USCCS)), "authority": "MIIT", "documentNo": f"G-{n}"}
        said = {"kinds": kinds, "violation": "骚扰电话", "basis": "办法", "becauseOf": "OTHER"}
        made.append(("penaltyImposed", {**which, **said, "effectiveOn": on.isoformat()}))
        later = (on + dt.timedelta(days=draw(st.sampled_from((0, 1, 9, 40))))).isoformat()
        made.append(("penaltyPublicised", {**which, "effectiveOn": later}))
        if draw(st.booleans()):
            made.append(("penaltyAnnulled", {**which, "reason": "复议", "effectiveOn": TODAY.isoformat()}))
        made += [*draw(voids()), *draw(entries(which["uscc"], f"G-{n}", on))]
    return made


@st.composite
def entries(draw: st.DrawFn, uscc: str, entry_id: str, on: dt.date) -> list[Candidate]:
    """Now and then an entry on a list, mostly on the basis of one of the last facts, and its removal."""
    if draw(st.booleans()):
        return []
    which = {"uscc": uscc, "authority": "MIIT", "entryId": entry_id}
    basis: dict[str, list[Ref]] = {"basis": [Ref(-draw(st.integers(1, 3)))]} if draw(st.booleans()) else {}
    said = {"list": draw(st.sampled_from(("DISHONESTY", "ADVERSE"))), "ground": "PENALTY", **basis}
    made: list[Candidate] = [("listEntryMade", {**which, **said, "effectiveOn": (on + dt.timedelta(50)).isoformat()})]
    if draw(st.booleans()):
        removed = draw(st.sampled_from((TODAY, TODAY + dt.timedelta(days=1))))
        ground = draw(st.sampled_from(("REPAIRED", "BASIS_ANNULLED")))
        made.append(("listEntryRemoved", {**which, "ground": ground, "effectiveOn": removed.isoformat()}))
    return [*made, *draw(voids())]


@st.composite
def calls(draw: st.DrawFn) -> list[Candidate]:
    """Complaints about calls from a number whose filing changes its directions, and how they are resolved."""
    if draw(st.booleans()):
        return []
    uscc, number = draw(st.sampled_from(histories.USCCS)), "96345"
    first = dt.date(2021, 1, 1)
    filing = {"number": number, "carriers": ["CHINA_TELECOM"], "use": "客服", "directions": "INBOUND"}
    made: list[Candidate] = [("numberFiled", {"uscc": uscc, **filing, "historical": True, "effectiveOn": EARLY})]
    for n in range(draw(st.integers(1, 3))):
        on = first + dt.timedelta(days=draw(st.integers(0, 3)))
        if draw(st.booleans()):
            directions = draw(st.sampled_from(histories.DIRECTIONS))
            amended = {"uscc": uscc, "number": number, "directions": directions}
            made.append(("numberFilingAmended", {**amended, "effectiveOn": on.isoformat()}))
        called = histories.instant(on, draw(st.sampled_from(histories.TIMES)))
        shown = draw(st.sampled_from(("963456789", number)))
        said = {"channel": "CARRIER", "displayedNumber": shown, "calledAt": called, "category": "NO_CONSENT"}
        made.append(("complaintReceived", {"complaintId": f"K-{n}", **said, "effectiveOn": "2021-01-10"}))
        made += draw(voids())
        for day in draw(st.lists(st.sampled_from(("2021-01-10", "2021-01-20", "2021-01-15")), max_size=3)):
            outcome = draw(st.sampled_from(("SUBSTANTIATED", "SUBSTANTIATED", "WITHDRAWN")))
            resolved = {"complaintId": f"K-{n}", "outcome": outcome, "effectiveOn": day}
            made += [("complaintResolved", resolved), *draw(voids())]
    return made


@st.composite
def voids(draw: st.DrawFn) -> list[Candidate]:
    """Now and then the void of one of the last facts before it."""
    back = draw(st.integers(-6, 3))
    return [("eventVoided", {"position": Ref(-back), "reason": "误录"})] if back > 0 else []


@st.composite
def wholes(draw: st.DrawFn, longest: int) -> list[Candidate]:
    """A random history and then such runs; what these name is counted back from the fact that names it."""
    made: list[Candidate] = draw(st.one_of(histories.histories(TODAY, longest), lives(longest)))
    for name, fact in [*draw(penalties()), *draw(calls())]:
        made.append((name, {field: _placed(value, len(made)) for field, value in fact.items()}))
    return made


def _placed(value: Any, place: int) -> Any:
    """A value whose references count from the first fact instead of back from the fact at this place."""
    if isinstance(value, list):
        return [_placed(one, place) for one in value]
    return Ref(place + value.index) if isinstance(value, Ref) else value
