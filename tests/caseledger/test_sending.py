"""One message to one receiver: to the address that was allowed, under the receiver's own certificate."""

import asyncio
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from caseledger import sending
from caseledger.sending import AddressRefused, Sender, SendLimits, addresses_of, outcome_of
from ledger.addresses import target_of
from ledger.deliveries import Outcome, Result
from receiving import Receiver

NAME: Final = "receiver.example"
ANY: Final = SendLimits(private=True)
NOW: Final = datetime(2026, 6, 1, tzinfo=UTC)
look_up: Final = socket.getaddrinfo


def sent(url: str, limits: SendLimits = ANY, *, times: int = 1) -> list[Outcome]:
    """What came of so many messages, one after the other."""

    async def send() -> list[Outcome]:
        sender = Sender(target_of(url, True), limits)
        try:
            return [await sender.post(b"{}", {"content-type": "application/json"}) for _ in range(times)]
        finally:
            await sender.close()

    return asyncio.run(send())


class Names:
    """A name server: what it says of a name, one answer after the other; the last one stays."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    def __call__(self, host: str, port: int, *how: Any, **more: Any) -> Any:
        if host[:1].isdigit() or ":" in host:
            return look_up(host, port, *how, **more)
        self.asked.append(host)
        found = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return [entry for address in found for entry in look_up(address, port, type=socket.SOCK_STREAM)]


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "127.1", "2130706433", "0x7f000001", "0x7f.1", "0", "[::1]", "[::ffff:127.0.0.1]", "localhost",
     "10.0.0.1", "169.254.169.254"],
)  # fmt: skip
def test_a_host_that_leads_to_this_machine_or_a_private_network_is_refused_however_it_is_written(host: str) -> None:
    with pytest.raises(AddressRefused):
        addresses_of(target_of(f"https://{host}/", False), private=False)
    assert sent(f"https://{host}/", replace(ANY, private=False)) == [Outcome(Result.ADDRESS_REFUSED)]


def test_a_name_of_which_one_address_is_not_public_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", Names(["1.1.1.1", "10.0.0.1"]))
    with pytest.raises(AddressRefused):
        addresses_of(target_of(f"https://{NAME}/", False), private=False)


def test_a_name_that_leads_elsewhere_later_is_refused_then(monkeypatch: pytest.MonkeyPatch) -> None:
    names = Names(["1.1.1.1"], ["127.0.0.1"])
    monkeypatch.setattr(socket, "getaddrinfo", names)
    url = f"https://{NAME}/"
    assert addresses_of(target_of(url, False), private=False) == ["1.1.1.1"]
    assert sent(url, replace(ANY, private=False)) == [Outcome(Result.ADDRESS_REFUSED)]


def test_http_is_refused_when_it_is_not_allowed_any_more() -> None:
    assert sent("http://1.1.1.1/", replace(ANY, private=False)) == [Outcome(Result.ADDRESS_REFUSED)]


def test_the_connection_goes_to_the_address_that_was_looked_at_and_says_the_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Whoever looked again before connecting would be led to where nobody listens.
    names = Names(["127.0.0.1"], ["127.0.0.2"])
    monkeypatch.setattr(socket, "getaddrinfo", names)
    with Receiver() as receiver:
        port = receiver.url.split(":")[2]
        assert sent(f"http://{NAME}:{port}") == [Outcome(Result.DELIVERED, 204)]
        assert receiver.got[0].headers["host"] == f"{NAME}:{port.removesuffix('/hook')}"
    assert names.asked == [NAME]


def test_the_next_address_is_tried_where_nobody_listens_at_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", Names(["127.0.0.2", "127.0.0.1"]))
    with Receiver() as receiver:
        assert sent(receiver.url.replace("127.0.0.1", NAME)) == [Outcome(Result.DELIVERED, 204)]


def test_no_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with Receiver() as receiver:
        assert sent(receiver.url) == [Outcome(Result.DELIVERED, 204)]


def test_what_cannot_be_reached_is_said_by_its_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    assert sent("http://127.0.0.1:9/") == [Outcome(Result.UNREACHABLE)]

    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "no such name")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    assert sent(f"http://{NAME}/") == [Outcome(Result.UNRESOLVED)]


def test_a_name_server_that_hangs_holds_one_look_up_a_receiver(monkeypatch: pytest.MonkeyPatch) -> None:
    held, asked = threading.Event(), []

    def hang(*_: object, **__: object) -> list[object]:
        asked.append(1)
        held.wait(10)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    try:
        assert sent(f"http://{NAME}/", replace(ANY, seconds=0.05), times=3) == [Outcome(Result.TIMED_OUT)] * 3
        assert len(asked) == 1
    finally:
        held.set()


@pytest.mark.parametrize(
    ("status", "retry_after", "expected"),
    [
        (200, None, Outcome(Result.DELIVERED, 200)),
        (204, "60", Outcome(Result.DELIVERED, 204)),
        (301, None, Outcome(Result.REDIRECTED, 301)),
        (304, None, Outcome(Result.REDIRECTED, 304)),
        (400, "60", Outcome(Result.ANSWERED, 400)),
        (410, None, Outcome(Result.GONE, 410)),
        (429, "120", Outcome(Result.LATER, 429, timedelta(minutes=2))),
        (503, "Mon, 01 Jun 2026 00:01:00 GMT", Outcome(Result.LATER, 503, timedelta(minutes=1))),
        (503, "Mon, 01 Jun 2020 00:00:00 GMT", Outcome(Result.LATER, 503)),
        (503, "9" * 5000, Outcome(Result.LATER, 503, timedelta(days=1))),
        (503, "Mon, 01 Jun 2999 00:00:00 GMT", Outcome(Result.LATER, 503, timedelta(days=1))),
        (503, "0", Outcome(Result.LATER, 503)),
        (503, "soon", Outcome(Result.LATER, 503)),
        (503, None, Outcome(Result.LATER, 503)),
        (500, None, Outcome(Result.ANSWERED, 500)),
        (199, None, Outcome(Result.ANSWERED, 199)),
    ],
)
def test_a_status_says_what_came_of_an_attempt(status: int, retry_after: str | None, expected: Outcome) -> None:
    assert outcome_of(status, retry_after, NOW) == expected


# Over TLS


def certificate(folder: Path, name: str) -> Path:
    """A file of a key and a certificate that the key itself signed for a name."""
    key = ec.generate_private_key(ec.SECP256R1())
    called = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    signed = (
        x509.CertificateBuilder()
        .subject_name(called)
        .issuer_name(called)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime.now(UTC) - timedelta(days=1))
        .not_valid_after(datetime.now(UTC) + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    plain = serialization.NoEncryption()
    file = folder / f"{name}.pem"
    file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
        + signed.public_bytes(serialization.Encoding.PEM)
    )
    return file


@contextmanager
def secure(file: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """A receiver with this certificate, which is believed; its port."""
    context = ssl.create_default_context(cafile=str(file))
    monkeypatch.setattr(sending, "_trusted", lambda: context)
    with Receiver(certificate=file) as receiver:
        yield int(receiver.url.split(":")[2].removesuffix("/hook"))


def test_a_certificate_is_checked_against_the_name_and_not_the_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", Names(["127.0.0.1"]))
    with secure(certificate(tmp_path, NAME), monkeypatch) as port:
        assert sent(f"https://{NAME}:{port}/", times=2) == [Outcome(Result.DELIVERED, 204)] * 2
        assert sent(f"https://other.example:{port}/") == [Outcome(Result.UNTRUSTED)]
        assert sent(f"https://127.0.0.1:{port}/") == [Outcome(Result.UNTRUSTED)]


def test_a_certificate_of_an_authority_that_is_not_known_is_not_believed(tmp_path: Path) -> None:
    with Receiver(certificate=certificate(tmp_path, "localhost")) as receiver:
        assert sent(receiver.url.replace("127.0.0.1", "localhost")) == [Outcome(Result.UNTRUSTED)]
        assert receiver.got == []
