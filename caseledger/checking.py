"""`caseledger check-credential` and `rotate-credential-key`.

A credential is overtaken when the same request, asked today as known at the head, has another outcome or other rules than
were recorded (rulebook §8 “changed”): so a void of what it rested on, a new fact, a day that passed or another version of
the rulebook count as far as they change the answer, and a newer decision of the same content does not.
"""

import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Any, Final

import httpx
import msgspec

from api.credentials import KEYS_PATH
from api.issuer_keys import is_safe
from caseledger.errors import CannotVerify
from caseledger.reporting import as_json, note
from caseledger.settings import Settings
from caseledger.verifying import given_key
from caseledger.wiring import open_system, usable_credential_key
from domain.identifiers import instant_text
from domain.rules_doc import GATE_WORDS, OUTCOME_WORDS
from domain.text import Text, shown
from domain.vocabulary import Outcome
from ledger.credential_keys import Jwk
from ledger.credentials import LONGEST, Checked, DoesNotHold, NoCredential, check, public_keys
from ledger.files import KeyFileError, read_owners_only
from ledger.notes import KeyType, MalformedKey, Verifier

FETCH_SECONDS: Final = 10.0
LARGEST: Final = 1024 * 1024
"""Bytes of keys, or of an answer."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What the command was given."""

    file: Path
    keys: tuple[str, ...]
    log_key: str | None
    online: str | None
    api_key: Path | None


class _Rule(msgspec.Struct):
    rule: str


class _Answer(msgspec.Struct, rename="camel"):
    outcome: Outcome
    reasons: list[_Rule]
    as_of: str
    known_at: int

    @property
    def rules(self) -> list[str]:
        return [reason.rule for reason in self.reasons]


class _Decision(msgspec.Struct):
    id: str
    position: int
    outcome: Outcome
    now: _Answer


class _Data(msgspec.Struct):
    decision: _Decision | None


class _Error(msgspec.Struct):
    message: str


class _Body(msgspec.Struct):
    data: _Data | None = None
    errors: list[_Error] = []


def check_credential(asked: Asked, machine: bool) -> bool:
    """Checks and prints; says whether it holds and was not overtaken. Raises CannotVerify for what cannot be looked at."""
    if not asked.keys and asked.online is None:
        raise CannotVerify(
            f"Give the issuer's public keys by --key: a file of what {KEYS_PATH} of the ledger gives, or its URL; or --online URL."
        )
    try:
        checked = check(_text(asked.file), _keys(asked), datetime.now(UTC), _log(asked))
        now = _asked_now(asked, checked) if asked.online else None
    except NoCredential as wrong:
        raise CannotVerify(str(wrong)) from None
    except DoesNotHold as wrong:
        if machine:
            as_json({"holds": False, "why": str(wrong)})
        else:
            note(f"The credential does not hold. {wrong}")
        return False
    if not asked.keys and not machine:
        note(f"The keys are taken on the word of {_base(asked)}: keep them, and give them by --key and --log-key.")
    overtaken = now is not None and _is_overtaken(checked, now)
    if machine:
        as_json(_described(checked, now, overtaken))
    else:
        _say(checked, now, overtaken)
    return not overtaken


def rotate_credential_key(settings: Settings, withdraw: bool, machine: bool) -> None:
    with open_system(settings) as system, usable_credential_key(settings):
        kid, older = system.credential_keys.rotate(withdraw=withdraw)
    if machine:
        as_json({"kid": kid, "older": older})
    elif withdraw:
        note(f"Credentials are signed by the key {kid} now, and nothing that older keys signed is to be believed.")
    else:
        note(f"Credentials are signed by the key {kid} now; what {older} older keys signed stays verifiable.")


def _text(file: Path) -> str:
    try:
        if file == Path("-"):
            found = sys.stdin.buffer.read(LONGEST + 1)
        else:
            with file.open("rb") as opened:
                found = opened.read(LONGEST + 1)
    except OSError as error:
        raise CannotVerify(f"{file} cannot be read ({error.strerror}).") from None
    return found.decode("ascii", "replace")


def _keys(asked: Asked) -> dict[str, Jwk]:
    places = asked.keys or (f"{_base(asked)}{KEYS_PATH}",)
    found: dict[str, Jwk] = {}
    for place in places:
        try:
            found |= public_keys(_fetched(place) if "://" in place else _read(Path(place)))
        except NoCredential as wrong:
            raise CannotVerify(f"{shown(place, 100)} gives no keys of an issuer. {wrong}") from None
    return found


def _read(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            return opened.read(LARGEST)
    except OSError as error:
        raise CannotVerify(f"The keys {file} cannot be read ({error.strerror}).") from None


def _log(asked: Asked) -> Verifier | None:
    if asked.log_key is not None:
        return given_key(asked.log_key, "--log-key")
    if asked.online is None:
        return None
    place = f"{_base(asked)}/tlog/key"
    with suppress(MalformedKey):
        verifier = Verifier.parse(_fetched(place).decode("utf-8", "replace").strip())
        if verifier.key_type is KeyType.ED25519:
            return verifier
    raise CannotVerify(f"{shown(place, 100)} gives no verifier key of a ledger; give --log-key.")


def _base(asked: Asked) -> str:
    return (asked.online or "").rstrip("/")


def _fetched(url: str, headers: Mapping[str, str] | None = None) -> bytes:
    """What is at a URL that the user gave, within bounds; redirects are not followed. Raises CannotVerify."""
    if not is_safe(url):
        raise CannotVerify(f"{shown(url, 100)} is not asked: a URL here is https://…, or http:// of this machine.")
    ends, body = monotonic() + FETCH_SECONDS, bytearray()
    try:
        with httpx.Client(timeout=FETCH_SECONDS, headers=headers) as http, http.stream("GET", url) as answer:
            for chunk in answer.iter_bytes():
                body += chunk
                if len(body) > LARGEST or monotonic() > ends:
                    raise CannotVerify(f"{shown(url, 100)} gives more than {LARGEST} bytes, or too slowly.")
    except (httpx.HTTPError, httpx.InvalidURL) as fault:
        raise CannotVerify(f"{shown(url, 100)} does not answer ({type(fault).__name__}); try again later.") from None
    if answer.status_code != httpx.codes.OK:
        said = _refusal(bytes(body))
        raise CannotVerify(f"{shown(url, 100)} answers {answer.status_code}{said}.")
    return bytes(body)


def _refusal(body: bytes) -> str:
    try:
        errors = msgspec.json.decode(body, type=_Body).errors
    except (msgspec.MsgspecError, UnicodeDecodeError):
        errors = []
    return f": {shown(errors[0].message, 200)}" if errors else ""


def _asked_now(asked: Asked, checked: Checked) -> _Answer:
    """What the ledger says today of the decision, by the credential's own pointer. Raises CannotVerify and DoesNotHold."""
    pointer = (checked.status_uri or "").removeprefix(checked.issuer)
    if not pointer.startswith("/"):
        raise DoesNotHold("It names no place at its issuer's to ask whether it was overtaken.")
    # To whom the API key is shown is for the user to say, and not for the credential.
    body = _fetched(f"{_base(asked)}{pointer}", {"accept-language": "en", **_bearer(asked.api_key)})
    try:
        found = msgspec.json.decode(body, type=_Body)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise CannotVerify(f"What answers at {_base(asked)} is no ledger of this kind.") from None
    if found.errors or found.data is None:
        said = shown(found.errors[0].message, 200) if found.errors else "no data"
        advice = "" if asked.api_key else " Give --api-key, a file of a key that may see the decision."
        raise CannotVerify(f"The ledger at {_base(asked)} does not say what it answers now: {said}.{advice}")
    return _same(found.data.decision, checked, _base(asked)).now


def _same(decision: _Decision | None, checked: Checked, base: str) -> _Decision:
    event = checked.event
    if decision is None:
        raise DoesNotHold(
            f"The ledger at {base} shows no decision {event.decision_id}: it is another ledger's, or this API key may not see it."
        )
    recorded = event.decision_id, checked.recorded.position, event.outcome
    if (decision.id, decision.position, decision.outcome) != recorded:
        raise DoesNotHold(f"The ledger at {base} says otherwise of the decision {event.decision_id}.")
    return decision


def _bearer(file: Path | None) -> dict[str, str]:
    if file is None:
        return {}
    try:
        key = read_owners_only(file).decode("ascii", "replace").strip()
    except KeyFileError as wrong:
        raise CannotVerify(str(wrong)) from None
    except OSError as error:
        raise CannotVerify(f"The API key {file} cannot be read ({error.strerror}).") from None
    if not key.isascii() or not key.isprintable():
        raise CannotVerify(f"The file {file} holds no API key: one is a line of letters, digits, - and _.")
    return {"authorization": f"Bearer {key}"}


def _is_overtaken(checked: Checked, now: _Answer) -> bool:
    recorded = {reason.rule for reason in checked.event.reasons}
    return now.outcome is not checked.event.outcome or set(now.rules) != recorded


def _described(checked: Checked, now: _Answer | None, overtaken: bool) -> dict[str, Any]:
    event, recorded = checked.event, checked.recorded
    found: dict[str, Any] = {
        "holds": True,
        "issuer": checked.issuer,
        "kid": checked.kid,
        "decisionId": event.decision_id,
        "position": recorded.position,
        "recordedAt": recorded.recorded_at,
        "uscc": event.uscc,
        "gate": event.gate,
        "carrier": event.request.get("carrier"),
        "outcome": event.outcome,
        "rules": [reason.rule for reason in event.reasons],
        "rulebook": event.rulebook,
        "asOf": event.as_of,
        "knownAt": event.known_at,
        "size": checked.checkpoint.size,
        "rootHash": checked.checkpoint.root.hex(),
        "verifier": str(checked.log) if checked.log else None,
        "overtaken": overtaken if now else None,
    }
    if now:
        found["now"] = {"outcome": now.outcome, "rules": now.rules, "asOf": now.as_of, "knownAt": now.known_at}
    return found


def _say(checked: Checked, now: _Answer | None, overtaken: bool) -> None:
    said = [_attested(checked), _receipt(checked), *([_today(now, overtaken)] if now else [])]
    print("".join(text.zh for text in said), " ".join(text.en for text in said), sep="\n", flush=True)


def _attested(checked: Checked) -> Text:
    event, recorded = checked.event, checked.recorded
    carrier, rules = event.request.get("carrier"), ", ".join(reason.rule for reason in event.reasons)
    at = instant_text(recorded.recorded_at)
    return Text(
        f"凭证成立：{checked.issuer} 于 {at} 在账本第 {recorded.position} 位记录了决定 {event.decision_id}：企业 {event.uscc}，"
        f"关口 {GATE_WORDS[event.gate]} {event.gate}{f'（{carrier}）' if carrier else ''}，"
        f"结果 {OUTCOME_WORDS[event.outcome]} {event.outcome}，触发规则 {rules or '无'}；"
        f"依规则版本 {event.rulebook}，按 {event.as_of} 判断，所知至第 {event.known_at} 位。",
        f"The credential holds: {checked.issuer} recorded the decision {event.decision_id} at position {recorded.position} on "
        f"{at}: the enterprise {event.uscc}, gate {event.gate}{f' ({carrier})' if carrier else ''}, outcome {event.outcome}, "
        f"rules {rules or 'none'}; under the rulebook {event.rulebook}, as of {event.as_of}, as known at position "
        f"{event.known_at}.",
    )


def _receipt(checked: Checked) -> Text:
    size, root = checked.checkpoint.size, checked.checkpoint.root.hex()
    if checked.log is None:
        return Text(
            f"收据与 {size} 条目的根 {root} 相符；未给出账本公钥（--log-key），未核对检查点签名。",
            f"Its receipt agrees with the root {root} of {size} entries; whose checkpoint that is was not looked at: give --log-key.",
        )
    return Text(
        f"收据证明该决定在 {size} 条目的根 {root} 之下，由 {checked.log} 签署。",
        f"Its receipt proves it under the root {root} of {size} entries, signed by {checked.log}.",
    )


def _today(now: _Answer, overtaken: bool) -> Text:
    rules = ", ".join(now.rules)
    if not overtaken:
        return Text(
            f"至今有效：同一询问按 {now.as_of}、所知至第 {now.known_at} 位，答复相同。",
            f"It stands: the same request is answered the same as of {now.as_of}, as known at position {now.known_at}.",
        )
    return Text(
        f"已被取代：同一询问按 {now.as_of}、所知至第 {now.known_at} 位，结果为 {OUTCOME_WORDS[now.outcome]} {now.outcome}，"
        f"触发规则 {rules or '无'}。",
        f"It was OVERTAKEN: the same request is answered {now.outcome}, rules {rules or 'none'}, as of {now.as_of}, as known at "
        f"position {now.known_at}.",
    )
