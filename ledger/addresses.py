"""Which addresses the ledger sends to unasked: public ones, over https, unless its settings say otherwise.

Whoever may name a URL could otherwise have the ledger's machine ask its own network: itself, its neighbours, and the
service that gives a cloud's machines their keys.
"""

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Final

import httpx

from domain.identifiers import Malformed, malformed
from domain.text import shown

LONGEST_URL: Final = 2_000
_NAT64: Final = IPv6Network("64:ff9b::/96")
_COMPATIBLE: Final = IPv6Network("::/96")
_PORT: Final = {"http": 80, "https": 443}
_LAST_PORT: Final = 65_535
_HOST: Final = re.compile(rb"[A-Za-z0-9._-]+|[0-9A-Fa-f:.]+")
_CONTROL: Final = re.compile(r"[\x00-\x20\x7f\\]")


@dataclass(frozen=True, slots=True)
class Target:
    """Where a URL leads: `host` is looked up, and `url` asks for it at the address that was found."""

    url: httpx.URL

    @property
    def host(self) -> str:
        """As it is looked up: ASCII, and an IPv6 address without its brackets."""
        return self.url.raw_host.decode("ascii")

    @property
    def port(self) -> int:
        return self.url.port or _PORT[self.url.scheme]

    @property
    def named(self) -> str:
        """What the receiver knows itself by: the header Host."""
        return self.url.netloc.decode("ascii")

    def at(self, address: str) -> httpx.URL:
        """The URL at one address of its host."""
        return self.url.copy_with(host=address)


def target_of(text: str, private: bool) -> Target:
    """Where a webhook's URL leads; with `private`, http and any port of any network will do. Raises Malformed."""
    if len(text) > LONGEST_URL or _CONTROL.search(text):
        raise _no_url(text)
    try:
        url = httpx.URL(text)
        is_url = (
            url.scheme in _PORT
            and _HOST.fullmatch(url.raw_host)
            and 0 < (443 if url.port is None else url.port) <= _LAST_PORT
        )
    except (httpx.InvalidURL, UnicodeError, ValueError):
        raise _no_url(text) from None
    if not is_url or url.userinfo or url.fragment:
        raise _no_url(text)
    if url.scheme != "https" and not private:
        raise malformed(
            f"Webhook 的地址须为 https，收到 {shown(text)}；仅供内部网络使用时可设 CASELEDGER_WEBHOOK_ADDRESSES=any",
            f"A webhook's URL is https; got {shown(text)}. CASELEDGER_WEBHOOK_ADDRESSES=any allows others",
        )
    return Target(url)


def is_public(address: str) -> bool:
    """Whether an IP address is one of the Internet at large, also where IPv6 carries an IPv4 address."""
    try:
        ip = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    carried = _carried(ip)
    return is_public(str(carried)) if carried else _is_global(ip)


def _is_global(ip: IPv4Address | IPv6Address) -> bool:
    inside = isinstance(ip, IPv6Address) and (ip.is_site_local or ip.teredo is not None)
    return ip.is_global and not (ip.is_multicast or ip.is_reserved or inside)


def _carried(ip: IPv4Address | IPv6Address) -> IPv4Address | None:
    """The IPv4 address that an IPv6 address leads to: mapped, compatible, by NAT64 or 6to4."""
    if isinstance(ip, IPv4Address):
        return None
    if ip.ipv4_mapped or ip.sixtofour:
        return ip.ipv4_mapped or ip.sixtofour
    return IPv4Address(int(ip) & 0xFFFFFFFF) if ip in _NAT64 or ip in _COMPATIBLE else None


def _no_url(text: str) -> Malformed:
    # Before an @ there may be a password.
    got = shown(text.rpartition("@")[2])
    return malformed(
        f"Webhook 的地址应为 https://主机[:端口]/路径，不含用户名、口令和片段，至多 {LONGEST_URL} 个字符，收到 {got}",
        f"A webhook's URL is https://HOST[:PORT]/PATH without a user, password or fragment, of at most {LONGEST_URL} "
        f"characters; got {got}",
    )
