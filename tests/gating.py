"""Requests of every gate, and how tests have them previewed and decided over GraphQL.

def test_a_ready_enterprise_is_permitted(system: System) -> None:
    system.known(*READY)
    assert decided(system, access())["outcome"] == "PERMIT"
"""

from collections.abc import Mapping
from itertools import count
from typing import Any, Final

from given import A, filed, licensed, registered, site_inspected
from running import ADOPTED, System

Asked = dict[str, Any]

CHECKED: Final = dict.fromkeys(
    ("businessLicence", "licence", "numberCertificate", "numberFiling", "businessPlan"), True
)
ANSWER: Final = """gate uscc outcome asOf knownAt rulebook { version inForceFrom }
reasons { rule outcome citation message positions remedy }"""
PREVIEW: Final = f"""
query ($request: GateRequest!, $asOf: Date, $knownAt: Position, $rulebook: String) {{
  previewGate(request: $request, asOf: $asOf, knownAt: $knownAt, rulebook: $rulebook) {{ {ANSWER} }}
}}
"""
DECIDE: Final = f"""
mutation ($input: DecideGateInput!) {{
  decideGate(input: $input) {{
    decision {{ id requestedBy position recordedAt request {ANSWER} }}
    replayed
    errors {{ code path message }}
  }}
}}
"""
READY: Final = (registered(), site_inspected("2017-06-01"), licensed(), filed())
"""An enterprise that every gate permits, at the positions from ADOPTED + 1 on."""


def licence(**given: Any) -> Asked:
    defaults: Asked = {"uscc": A, "route": "STANDARD", "marketingOutbound": False, "undertakingFiled": True}
    return {"licence": {**defaults, **given}}


def filing(**given: Any) -> Asked:
    defaults: Asked = {"uscc": A, "number": "96345", "carriers": ["CHINA_TELECOM"], "directions": "INBOUND"}
    return {"numberFiling": {**defaults, **given}}


def access(**given: Any) -> Asked:
    defaults: Asked = {"uscc": A, "carrier": "CHINA_TELECOM", "number": "95012", "directions": "INBOUND"}
    return {"access": {**defaults, "checked": CHECKED, **given}}


def cooperation(**given: Any) -> Asked:
    return {"cooperation": {"uscc": A, "carrier": "CHINA_TELECOM", **given}}


GATES: Final = {"LICENCE": licence, "NUMBER_FILING": filing, "ACCESS": access, "COOPERATION": cooperation}
_keys = (f"decide-{number}" for number in count(1))


def preview(system: System, request: Asked, **asked: Any) -> Any:
    key = asked.pop("key", "miit")
    return system.ask(PREVIEW, {"request": request, **asked}, key=key)["previewGate"]


def answer(found: Mapping[str, Any]) -> tuple[str, list[tuple[str, list[int]]]]:
    """The outcome, and every rule that fired with its positions counted from the first event recorded."""
    fired = [(r["rule"], [position - ADOPTED for position in r["positions"]]) for r in found["reasons"]]
    return found["outcome"], fired


def decide(
    system: System, request: Asked, as_of: str | None = None, key: str | None = "miit", once: str | None = None
) -> Any:
    """The payload of decideGate; `once` is the idempotencyKey, by default a new one."""
    sent: Asked = {"idempotencyKey": once or next(_keys), "request": request, "asOf": as_of}
    return system.ask(DECIDE, {"input": sent}, key=key)["decideGate"]


def decided(system: System, request: Asked, as_of: str | None = None, key: str | None = "miit") -> Any:
    """The decision that is recorded."""
    payload = decide(system, request, as_of, key)
    assert (payload["errors"], payload["replayed"]) == ([], False)
    return payload["decision"]


def refused(system: System, request: Asked, as_of: str | None = None, key: str | None = "miit") -> set[str]:
    """The refusals of decideGate as “CODE path”; an AssertionError if anything was recorded."""
    before = system.head
    payload = decide(system, request, as_of, key)
    assert (payload["decision"], payload["replayed"], system.head) == (None, False, before)
    assert all(error["message"] for error in payload["errors"])
    return {f"{error['code']} {error['path']}" for error in payload["errors"]}
