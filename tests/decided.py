"""A small ledger with decisions of every gate, made at different heads between the facts that bear on them."""

from itertools import count
from typing import Any, Final

from domain.callers import Caller, Role
from domain.events import FiredRule, GateDecided
from domain.recorded import Recorded, tags_of
from domain.vocabulary import Gate, Outcome
from given import A, B, complained, d, filed, interviewed, licensed, listed, registered, resolved, voided
from ledger.entry import draft, opened
from ledger.ledger import Ledger

REGULATOR: Final = Caller(Role.REGULATOR, "tester", authority="MIIT")
NOTHING_CHECKED: Final = dict.fromkeys(
    ("businessLicence", "licence", "numberCertificate", "numberFiling", "businessPlan"), False
)
COOPERATION: Final = {"cooperation": {"uscc": A, "carrier": "CHINA_MOBILE"}}
MARKETING: Final = {"licence": {"uscc": A, "route": "STANDARD", "marketingOutbound": True, "undertakingFiled": True}}
UNCHECKED: Final = {
    "access": {
        "uscc": A, "carrier": "CHINA_TELECOM", "number": "95012", "directions": "INBOUND", "checked": NOTHING_CHECKED,
    }
}  # fmt: skip
TAKEN: Final = {"numberFiling": {"uscc": B, "number": "95012", "carriers": ["CHINA_TELECOM"], "directions": "INBOUND"}}
EARLY, LATE = "2019-03-01", "2021-01-01"

OUTCOMES: Final = [
    ("COOPERATION", "REFUSE", ("LIC-1",)),
    ("LICENCE", "PERMIT", ()),
    ("ACCESS", "PERMIT", ()),
    ("NUMBER_FILING", "REFUSE", ("NUM-4",)),
    ("COOPERATION", "PERMIT", ()),
    ("COOPERATION", "REVIEW", ("CRD-3",)),
    ("COOPERATION", "REVIEW", ("CRD-2", "CRD-3")),
    ("COOPERATION", "REVIEW", ("CRD-2",)),
    ("COOPERATION", "REVIEW", ("CMP-1", "CRD-2")),
]
"""What `decide` records, in order."""
FLIPS_UNDER_2020: Final = {
    ("LICENCE", "ADM-1", "PERMIT", "REFUSE"): 1,
    ("LICENCE", "ADM-2", "PERMIT", "REFUSE"): 1,
    ("ACCESS", "ACC-1", "PERMIT", "REFUSE"): 1,
}
"""Under 2020.1, by gate, rule and outcomes: what was asked of before its date."""

_keys = (f"decided-{number}" for number in count(1))


class Deciding:
    """Records facts and decisions; an AssertionError says why one is refused."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger

    def record(self, *facts: tuple[str, Any]) -> int:
        """Records facts in one request, and gives the position of the last."""
        made = self.ledger.record(REGULATOR, next(_keys), facts)
        assert made.refusals == (), made.refusals
        return made.head

    def ask(self, request: dict[str, Any], on: str = LATE) -> Recorded:
        made = self.ledger.decide_gate(REGULATOR, next(_keys), request, on)
        assert made.refusals == (), made.refusals
        return made.events[0]


def decide(ledger: Ledger) -> list[Recorded]:
    """Records the history and gives its decisions: `OUTCOMES`."""
    book = Deciding(ledger)
    book.record(registered(), registered(uscc=B))
    made = [book.ask(COOPERATION, EARLY)]
    book.record(licensed(), licensed(uscc=B, licenceNo="L-2"), filed())
    made += [book.ask(request, EARLY) for request in (MARKETING, UNCHECKED, TAKEN)]
    made.append(book.ask(COOPERATION))
    interview = book.record(interviewed("2020-12-01"))
    made.append(book.ask(COOPERATION))
    book.record(listed("2018-06-01"))
    made.append(book.ask(COOPERATION))
    book.record(voided(interview))
    made.append(book.ask(COOPERATION))
    for number in range(10):
        book.record(
            complained("2020-12-20", uscc=A, complaintId=f"C-{number}"),
            resolved("2020-12-21", complaintId=f"C-{number}"),
        )
    return [*made, book.ask(COOPERATION)]


def forge(
    ledger: Ledger,
    outcome: Outcome,
    *reasons: FiredRule,
    rulebook: str = "2020.1",
    decision_id: str = "D-forged",
    uscc: str = A,
) -> Recorded:
    """Appends a decision that no gate has made, about a cooperation, as known at the head."""
    head = ledger.recorder.head()
    event = GateDecided(
        decision_id=decision_id,
        gate=Gate.COOPERATION,
        uscc=uscc,
        request={**COOPERATION["cooperation"], "uscc": uscc},
        as_of=d(LATE),
        known_at=head,
        rulebook=rulebook,
        outcome=outcome,
        reasons=reasons,
        requested_by="forger",
    )
    ledger.recorder.append([draft(event, tags_of(event), d(LATE), "forger")])
    (found,) = ledger.recorder.read_positions([head + 1])
    return opened(found.event.data)
