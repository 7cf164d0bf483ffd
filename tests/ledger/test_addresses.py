"""Which URLs and addresses are sent to: every way of writing one that is not public is refused."""

import pytest

from domain.identifiers import Malformed
from ledger.addresses import is_public, target_of


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.9.9.9", "0.0.0.1", "10.0.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1", "169.254.169.254",
        "192.0.0.1", "192.0.2.1", "198.18.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255",
        "::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "fec0::1", "ff02::1", "2001:db8::1",
        "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe",
        "2002:7f00:1::", "2002:a00:1::1", "2001:0:53aa:64c:0:fbff:8000:1", "localhost", "",
    ],
)  # fmt: skip
def test_addresses_of_this_machine_and_of_private_networks_are_not_public_however_they_are_carried(
    address: str,
) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    "address", ["1.1.1.1", "114.114.114.114", "2400:3200::1", "::ffff:1.1.1.1", "64:ff9b::101:101", "2002:101:101::1"]
)
def test_addresses_of_the_internet_at_large_are_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "url",
    [
        "", "example.com", "ftp://example.com/", "file:///etc/passwd", "https://", "https:///x", "https://:443/x",
        "https://user:hunter2@example.com/", "https://hunter2@example.com/", "https://example.com/#part",
        "https://exa mple.com/", "https://example.com\\@127.0.0.1/", "https://example.com:0/", "https://example.com:70000/",
        "https://ex%41mple.com/", "https://0177.0.0.1/", "https://example.com/\r\nx: y", f"https://example.com/{'x' * 2000}",
    ],
)  # fmt: skip
def test_what_is_no_url_of_a_receiver_is_refused_and_no_password_is_repeated(url: str) -> None:
    with pytest.raises(Malformed) as refused:
        target_of(url, True)
    assert "hunter2" not in "".join(refused.value.text)


def test_http_is_refused_unless_it_is_allowed() -> None:
    with pytest.raises(Malformed, match="CASELEDGER_WEBHOOK_ADDRESSES=any"):
        target_of("http://example.com/", False)
    assert target_of("http://example.com/", True).port == 80


def test_a_url_is_asked_for_at_an_address_by_its_own_name() -> None:
    target = target_of("https://münchen.example:8443/a?b=1", False)
    assert (target.host, target.port, target.named) == ("xn--mnchen-3ya.example", 8443, "xn--mnchen-3ya.example:8443")
    assert str(target.at("1.1.1.1")) == "https://1.1.1.1:8443/a?b=1"
    assert str(target.at("2400:3200::1")) == "https://[2400:3200::1]:8443/a?b=1"
