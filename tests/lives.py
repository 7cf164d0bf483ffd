"""Histories in which most facts follow from facts that were accepted, so that much happens to few enterprises.

`naive.histories` deals its candidates blindly, and what follows a refused one is mostly refused too. Here the naive
model judges each candidate as it is dealt, and later ones follow the accepted ones only.
"""

from hypothesis import strategies as st

from agreement import NOW, TODAY
from naive import histories, refusals
from naive.histories import Candidate, Deck
from naive.model import E, day

FOLLOWING = (
    "licenceRenewed",
    "licenceCancelled",
    "licenceRevoked",
    "numberFilingAmended",
    "numberWithdrawn",
    "accessGranted",
    "accessRestricted",
    "accessRestored",
    "accessTerminated",
    "complaintResolved",
    "interviewHeld",
    "rectificationOrdered",
    "rectificationConfirmed",
    "exposureRetracted",
    "penaltyPublicised",
    "penaltyAnnulled",
    "listEntryMade",
    "listEntryRemoved",
    "annualReportFiled",
    "eventVoided",
)
BEGINNING = ("penaltyImposed", "exposurePublished", "inspectionHeld", "annualReportDemanded", "numberFiled")
REFUSED: Candidate = ("refused", {})


class Judge:
    """What the naive model makes of candidates, each judged when all before it are known."""

    def __init__(self) -> None:
        self.events: list[E] = []
        self.positions: dict[int, int] = {}
        self.decisions: dict[int, str] = {}

    def accepts(self, index: int, name: str, candidate: histories.Fact) -> bool:
        fact = histories.resolve(candidate, self.positions, self.decisions)
        if name == "decideGate":
            self.decisions[index] = f"decision-{index}"
            asked, as_of = (fact["gate"], fact["request"]), day(fact["asOf"])
            decided = refusals.decided(self.events, *asked, as_of, now=NOW, decision_id=self.decisions[index])
            self.events.append(decided)
        elif refusals.refuse(self.events, name, fact, now=NOW):
            return False
        else:
            self.events.append(refusals.recorded(self.events, name, fact, now=NOW))
        self.positions[index] = len(self.events)
        return True


@st.composite
def lives(draw: st.DrawFn, longest: int) -> list[Candidate]:
    """Candidates to be recorded in turn on TODAY; a few of them are refused."""
    days = draw(st.lists(histories.edges(TODAY), min_size=1, max_size=3, unique=True))
    deck, judge = Deck(draw, TODAY, days), Judge()
    dealt: list[Candidate] = []
    histories.opening(deck)
    for _ in range(draw(st.integers(longest // 2, 2 * longest))):
        kind = deck.pick(("follow", "follow", "follow", "begin", "other"))
        if kind == "other":
            deck.pick(histories.DEALS)(deck)
        else:
            histories.deal(deck, deck.pick(FOLLOWING if kind == "follow" else BEGINNING))
        for index in range(len(dealt), len(deck.made)):
            dealt.append(deck.made[index])
            if not judge.accepts(index, *dealt[index]):
                # It keeps its place, so that the indices of the others stay, and nothing follows it.
                deck.made[index] = REFUSED
    return dealt
