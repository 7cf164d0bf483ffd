"""A history drawn by chance: few enterprises and numbers, and most facts follow earlier ones."""

from collections.abc import Callable
from datetime import date, timedelta
from random import Random
from typing import Final

from given import (
    Fields,
    Stated,
    access,
    accessed,
    amended,
    complained,
    confirmed,
    ended,
    exposed,
    filed,
    inspected,
    interviewed,
    licensed,
    listed,
    ordered,
    penalty,
    punished,
    registered,
    renamed,
    renewed,
    report_demanded,
    report_filed,
    resolved,
    retracted,
    unlisted,
    voided,
    withdrawn,
)
from running import System, code

USCCS: Final = tuple(code(n) for n in range(4))
NUMBERS: Final = ("95012", "950123", "96345")
SHOWN: Final = (*NUMBERS, "950123456", "9501", "13800001111")
CARRIERS: Final = ("CHINA_TELECOM", "CHINA_MOBILE")
FIRST: Final = date(2018, 1, 1)


class Chance:
    """Draws facts. The same seed draws the same facts as long as the ledger answers the same."""

    def __init__(self, system: System, seed: int) -> None:
        self._system = system
        self._random = Random(seed)  # a history for a test
        self._recorded: list[int] = []
        self._facts: dict[str, list[Fields]] = {}
        self._made = 0

    def happen(self, count: int) -> None:
        """Offers facts until so many more are recorded; what is refused never was."""
        aim = len(self._recorded) + count
        while len(self._recorded) < aim:
            self._made += 1
            drawn = self._decided() if self.one_in(20) else self._drawn()
            self._recorded += drawn

    def _drawn(self) -> list[int]:
        fact = self._random.choice(FACTS)(self)
        made = self._system.ledger.record(self._system.callers["miit"], f"chance-{self._made}", [fact])
        if made.events:
            self._facts.setdefault(fact.name, []).append(fact.fields)
        return [event.position for event in made.events]

    def _decided(self) -> list[int]:
        request = {"cooperation": {"uscc": self.uscc(), "carrier": self.pick(CARRIERS)}}
        made = self._system.ledger.decide_gate(self._system.callers["miit"], f"chance-{self._made}", request)
        return [event.position for event in made.events]

    def one_in(self, count: int) -> bool:
        return self._random.randrange(count) == 0

    def pick(self, among: tuple[str, ...]) -> str:
        return self._random.choice(among)

    def uscc(self) -> str:
        return self.pick(USCCS)

    def new(self) -> str:
        """An id that no earlier fact has."""
        return f"id-{self._made}"

    def follow(self, name: str, *fields: str) -> Fields:
        """The fields of an earlier fact of that name; of nothing that ever was, if there is none."""
        earlier = self._random.choice(self._facts.get(name, [dict.fromkeys(fields, "none")]))
        return {field: earlier[field] for field in fields}

    def on(self) -> str:
        """A date from 2018 to a year from today; most are among few, so that they coincide."""
        today = self._system.ledger.today
        if self.one_in(3):
            return str(today + timedelta(days=self._random.randint(-3, 366)))
        return str(FIRST + timedelta(days=90 * self._random.randrange((today - FIRST).days // 90)))

    def position(self) -> int:
        return self._random.choice(self._recorded or [1])

    def some_positions(self) -> list[int]:
        return [self.position()] if self.one_in(2) else []


def _listed(c: Chance) -> Stated:
    on_list = c.pick(("ADVERSE", "DISHONESTY"))
    return listed(c.on(), uscc=c.uscc(), entryId=c.new(), list=on_list, basis=c.some_positions())


def _complained(c: Chance) -> Stated:
    belongs = {"uscc": c.uscc()} if c.one_in(3) else {}
    shown, called, category = c.pick(SHOWN), f"{c.on()}T04:00:00Z", c.pick(("HARASSING", "MARKETING"))
    given = {"complaintId": c.new(), "displayedNumber": shown, "calledAt": called, "category": category}
    return complained(c.on(), **given, **belongs)


def _resolved(c: Chance) -> Stated:
    outcome = c.pick(("SUBSTANTIATED", "SUBSTANTIATED", "UNSUBSTANTIATED", "WITHDRAWN"))
    return resolved(c.on(), outcome=outcome, **c.follow("complaintReceived", "complaintId"))


def _punished(c: Chance) -> Stated:
    return punished(c.on(), uscc=c.uscc(), documentNo=c.new(), kinds=[c.pick(("WARNING", "CLOSURE", "OTHER"))])


def _of_penalty(c: Chance) -> Stated:
    change = c.pick(("Publicised", "Publicised", "Performed", "Annulled"))
    return penalty(change, c.on(), **c.follow("penaltyImposed", "uscc", "documentNo"))


def _of_licence(c: Chance) -> Stated:
    licence = c.follow("licenceGranted", "uscc", "licenceNo")
    if c.one_in(2):
        return renewed(c.on(), validTo=c.pick(("2031-12-31", "2033-12-31", "2035-12-31")), **licence)
    return ended(c.pick(("Revoked", "Annulled", "Cancelled")), c.on(), **licence)


def _of_filing(c: Chance) -> Stated:
    filing = c.follow("numberFiled", "uscc", "number")
    if c.one_in(2):
        return amended(c.on(), directions=c.pick(("INBOUND", "INBOUND_AND_OUTBOUND")), **filing)
    return withdrawn(c.on(), **filing)


def _of_access(c: Chance) -> Stated:
    change = c.pick(("Restricted", "Restored", "Terminated"))
    return access(change, c.on(), **c.follow("accessGranted", "uscc", "accessId", "carrier"))


FACTS: Final[tuple[Callable[[Chance], Stated], ...]] = (
    lambda c: registered(c.on(), uscc=c.uscc(), name=f"名{c.new()}", province=c.pick(("11", "31"))),
    lambda c: registered("2018-01-01", uscc=c.uscc()),
    lambda c: renamed(c.on(), uscc=c.uscc(), name=f"名{c.new()}"),
    lambda c: licensed(c.on(), uscc=c.uscc(), licenceNo=c.new()),
    _of_licence,
    lambda c: filed(c.on(), uscc=c.uscc(), number=c.pick(NUMBERS)),
    lambda c: filed(c.on(), uscc=c.uscc(), number=c.pick(NUMBERS)),
    _of_filing,
    lambda c: accessed(c.on(), uscc=c.uscc(), accessId=c.new(), number=c.pick(NUMBERS), carrier=c.pick(CARRIERS)),
    _of_access,
    _complained,
    _complained,
    _resolved,
    _resolved,
    _resolved,
    lambda c: inspected(c.on(), uscc=c.uscc(), inspectionId=c.new()),
    lambda c: interviewed(c.on(), uscc=c.uscc()),
    lambda c: ordered(c.on(), uscc=c.uscc(), orderId=c.new(), dueOn=c.on()),
    lambda c: confirmed(c.on(), **c.follow("rectificationOrdered", "uscc", "orderId")),
    lambda c: exposed(c.on(), uscc=c.uscc(), exposureId=c.new()),
    lambda c: retracted(c.on(), **c.follow("exposurePublished", "uscc", "exposureId")),
    _punished,
    _of_penalty,
    _of_penalty,
    _listed,
    lambda c: unlisted(c.on(), **c.follow("listEntryMade", "uscc", "entryId")),
    lambda c: report_demanded(c.on(), uscc=c.uscc(), dueOn=c.on()),
    lambda c: report_filed(c.on(), uscc=c.uscc()),
    lambda c: voided(c.position(), c.on()),
)
