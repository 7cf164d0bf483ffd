"""Draws by the API, and a naive second implementation of rulebook §9, written from its text alone."""

from collections.abc import Mapping, Sequence
from hashlib import sha256
from itertools import count
from typing import Any, Final

from given import Stated, licensed, registered
from running import System, code

DRAW: Final = """
mutation ($input: DrawInspectionInput!) {
  drawInspection(input: $input) {
    replayed
    errors { code path message }
    draw {
      id drawId authority asOf knownAt root poolSize poolRoot position
      drawn { uscc name status tickets key inspectors }
    }
  }
}
"""
INSPECTORS: Final = ("检查员甲", "检查员乙", "检查员丙")
TICKETS: Final = {"GOOD": 1, "WATCH": 2, "ADVERSE": 4, "DISHONEST": 4}

_keys = (f"draw-key-{number}" for number in count(1))


def asked(**given: Any) -> dict[str, Any]:
    usual = {"drawId": "D-1", "authority": "MIIT", "count": 2, "inspectors": list(INSPECTORS)}
    return {"idempotencyKey": next(_keys), **usual, **given}


def draw(system: System, *, key: str = "miit", **given: Any) -> Any:
    """The payload of drawInspection."""
    return system.ask(DRAW, {"input": asked(**given)}, key=key)["drawInspection"]


def refused(system: System, *, key: str = "miit", **given: Any) -> set[str]:
    """The refusals as “CODE path”; an AssertionError if anything was recorded."""
    before = system.head
    payload = draw(system, key=key, **given)
    assert (payload["draw"], payload["replayed"], system.head) == (None, False, before)
    return {f"{error['code']} {error['path']}".rstrip() for error in payload["errors"]}


def licensees(numbers: Sequence[int], provinces: Mapping[int, str] | None = None) -> list[Stated]:
    """Enterprises that hold a licence today, by number."""
    facts = []
    for number in numbers:
        uscc, province = code(number), (provinces or {}).get(number, "11")
        facts += [registered(uscc=uscc, province=province, name=f"企业{number}")]
        facts += [licensed(uscc=uscc, licenceNo=f"L-{number}", validFrom="2020-01-01", validTo="2030-12-31")]
    return facts


def drawn_naively(
    root: str, draw_id: str, pool: Mapping[str, str], how_many: int, inspectors: Sequence[str], each: int
) -> list[dict[str, Any]]:
    """What §9 says is drawn from a pool of statuses by code."""

    def key(*parts: str) -> str:
        return sha256("\n".join((root, draw_id, *parts)).encode()).hexdigest()

    keyed = [(min(key(uscc, str(i)) for i in range(TICKETS[status])), uscc, status) for uscc, status in pool.items()]
    return [
        {
            "uscc": uscc,
            "status": status,
            "tickets": TICKETS[status],
            "key": least,
            "inspectors": sorted(inspectors, key=lambda name: key(uscc, name))[:each],
        }
        for least, uscc, status in sorted(keyed)[:how_many]
    ]
