"""creditChanges as a feed that is pulled: a carrier that stops and goes on as it likes holds what the ledger answers."""

import json
from collections.abc import Iterator, Sequence
from random import Random
from typing import Any, Final

import pytest

from given import Stated, exposed, interviewed, listed, registered, unlisted, voided
from running import ADOPTED, System, code

ENTERPRISES: Final = 1_000
LARGEST: Final = 1_000
"""Changes of a page, and codes of a question, at most."""
PULL: Final = """
query ($after: Position!, $first: Int) {
  creditChanges(after: $after, first: $first) { uscc position timeline { from status } }
}
"""
HELD: Final = "query ($usccs: [USCC!]!) { creditStatuses(usccs: $usccs) { uscc timeline { from status } } }"


class Carrier:
    """Keeps a copy by pulling the feed."""

    def __init__(self, system: System, chance: Random) -> None:
        self._system = system
        self._chance = chance
        self.copy: dict[str, Any] = {}
        self.positions: list[int] = []

    def pull(self, pages: int) -> None:
        """Reads so many pages of any size on from where it stopped, or as many as there are."""
        for _ in range(pages):
            first = self._chance.choice([1, 7, 100, LARGEST - 1, LARGEST])
            asked = {"after": self.positions[-1] if self.positions else 0, "first": first}
            page = self._system.ask(PULL, asked, key="telecom")["creditChanges"]
            assert len(page) <= first
            if not page:
                return
            for change in page:
                self.copy[change["uscc"]] = change["timeline"]
                self.positions.append(change["position"])


def story(chance: Random, codes: Sequence[str]) -> Iterator[list[Stated]]:
    """Random facts of many enterprises, in batches of one request."""
    for first in range(0, len(codes), 500):
        yield [registered(uscc=each) for each in codes[first : first + 500]]
    for round_ in range(4):
        facts: list[Stated] = []
        for place, uscc in enumerate(chance.sample(codes, 250)):
            on, key = f"2026-0{chance.randint(1, 5)}-1{chance.randint(0, 9)}", f"{round_}-{place}"
            facts += chance.choice(
                (
                    [interviewed(on, uscc=uscc, caseId=f"C-{key}")],
                    [exposed(on, uscc=uscc, exposureId=f"X-{key}")],
                    [listed(on, uscc=uscc, entryId=f"E-{key}"), unlisted("2026-05-25", uscc=uscc, entryId=f"E-{key}")],
                )
            )
        yield facts
    # Of the events, so that no change is left where one was.
    signals = range(ADOPTED + len(codes) + 1, ADOPTED + len(codes) + 200)
    yield [voided(chance.choice(signals))]


@pytest.mark.parametrize("seed", [20, 21])
def test_a_carrier_that_stops_and_goes_on_while_it_is_written_holds_what_the_ledger_answers(
    system: System, seed: int
) -> None:
    chance, codes = Random(seed), [code(number) for number in range(ENTERPRISES)]
    carrier = Carrier(system, chance)
    for facts in story(chance, codes):
        system.record(*facts)
        carrier.pull(chance.randint(0, 3))
    carrier.pull(10_000)
    reports = system.ask(HELD, {"usccs": codes}, key="telecom")["creditStatuses"]
    assert {each["uscc"]: each["timeline"] for each in reports} == carrier.copy
    assert len({json.dumps(each) for each in carrier.copy.values()}) > 50
    assert len(carrier.positions) > ENTERPRISES
    assert carrier.positions == sorted(set(carrier.positions))
    anew = Carrier(system, chance)
    anew.pull(10_000)
    assert (anew.positions, anew.copy) == (carrier.positions, carrier.copy)


def test_a_page_larger_than_any_is_refused_with_the_largest_that_may_be(system: System) -> None:
    system.known(registered())
    asked = {"after": 0, "first": LARGEST}
    assert [each["position"] for each in system.ask(PULL, asked)["creditChanges"]] == [system.head]
    for first in (LARGEST + 1, 100_001):
        ((refused, said),) = system.errors(PULL, {"after": 0, "first": first})
        assert (refused, "1 to 1000" in said, f"got {first}" in said) == ("INVALID", True, True)


def test_after_a_position_that_is_not_there_yet_the_feed_is_empty_and_before_the_first_it_is_refused(
    system: System,
) -> None:
    system.known(registered())
    assert system.ask(PULL, {"after": system.head + 1_000})["creditChanges"] == []
    ((refused, said),) = system.errors(PULL, {"after": -1})
    assert (refused, "-1" in said) == ("INVALID", True)
