"""Where callbacks go, which addresses they may reach, and how what is sent is signed.

The address is an application's own word, and it is called from inside somebody's AWS account. So nothing may be
reached through it but the public Internet: only https on its own port, and only after the addresses behind the name
were looked at. Everything here is decided by lists of our own: what Python's ``ipaddress`` calls global has changed
between versions.
"""

from __future__ import annotations

import hmac
import re
from base64 import b64encode
from dataclasses import dataclass, field
from ipaddress import IPv4Address, ip_address, ip_network
from typing import TYPE_CHECKING

from freebusy.domain.uri import LOOPBACK_HOSTS, split

if TYPE_CHECKING:
    from collections.abc import Iterable
    from urllib.parse import SplitResult

LONGEST_URL = 2000
MOST_SIGNATURES = 10
"""That are looked at; no client has more secrets than a few."""

_PORTS = {"https": 443, "http": 80}
_LABEL = r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME = re.compile(rf"(?=.{{1,253}}\Z)({_LABEL}\.)+[a-z]([a-z0-9-]{{0,61}}[a-z0-9])?")
"""No top-level domain begins with a digit, and what ends in a number is an address to many a reader: ``127.1``,
``0x7f.1``, ``2130706433`` (https://url.spec.whatwg.org/#ends-in-a-number-checker)."""

_SPECIAL_IPV4 = tuple(
    ip_network(network)
    for network in (
        "0.0.0.0/8",  # this network; Linux connects to itself
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # shared, between a carrier and its customers
        "127.0.0.0/8",  # loopback
        "169.254.0.0/16",  # link-local; at AWS instance metadata, task credentials, the resolver
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocol assignments
        "192.0.2.0/24",  # documentation
        "192.31.196.0/24",  # AS112, which answers nothing but DNS
        "192.52.193.0/24",  # automatic multicast tunneling
        "192.88.99.0/24",  # relays of 6to4
        "192.168.0.0/16",  # private
        "192.175.48.0/24",  # AS112
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and broadcast
    )
)
"""https://www.iana.org/assignments/iana-ipv4-special-registry"""

_GLOBAL_UNICAST = ip_network("2000::/3")
"""All that is assigned so far. Outside are loopback, unique local addresses (``fd00:ec2::254`` is metadata at AWS),
link-local and site-local ones, multicast, and IPv4 in disguise: mapped, compatible and translated (NAT64)."""

_SPECIAL_IPV6 = tuple(
    ip_network(network)
    for network in (
        "2001::/23",  # protocol assignments: Teredo, which is IPv4 in disguise too, benchmarks, ORCHID
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4, IPv4 in disguise
        "2620:4f:8000::/48",  # AS112
        "3fff::/20",  # documentation
    )
)
"""https://www.iana.org/assignments/iana-ipv6-special-registry"""


@dataclass(frozen=True, slots=True)
class Destination:
    """What a callback URL says: ``host`` is a name or an address, ``target`` path and query as they were written."""

    scheme: str
    host: str
    port: int
    target: str = field(repr=False)

    @property
    def is_address(self) -> bool:
        """Whether there is nothing to look up."""
        return _is_address(self.host)

    @property
    def authority(self) -> str:
        """As the ``Host`` header has it (RFC 9110, 7.2)."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"


def destination_of(url: str, *, local: bool = False) -> Destination:
    """Where ``url`` leads. Raises ``ValueError`` with what is wrong, which repeats nothing of it.

    ``local`` allows loopback hosts, with plain http and any port: for a deployment on a developer's own machine.
    """
    if len(url) > LONGEST_URL:
        raise ValueError(f"must have at most {LONGEST_URL} characters")
    try:
        parts = split(url)
    except ValueError as error:
        raise ValueError("must be an absolute https URL in ASCII, without user name and password") from error
    host = parts.hostname or ""
    if not (local and host in LOOPBACK_HOSTS):
        _require_the_web(parts, host)
    if "#" in url:
        raise ValueError("must not have a fragment")
    target = (parts.path or "/") + url.partition("?")[1] + parts.query
    return Destination(parts.scheme, host, parts.port or _PORTS[parts.scheme], target)


def may_be_called(destination: Destination, address: str, *, local: bool = False) -> bool:
    """Whether to connect to ``address``, which the host of the destination is at or is itself; ``local`` as above."""
    if local and destination.host in LOOPBACK_HOSTS:
        return ip_address(address).is_loopback
    return is_public(address)


def is_public(address: str) -> bool:
    """Whether an IP address is one of the public Internet; whatever is no address in its usual spelling is not."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    if isinstance(parsed, IPv4Address):
        return not any(parsed in network for network in _SPECIAL_IPV4)
    if parsed.scope_id is not None or parsed not in _GLOBAL_UNICAST:
        return False
    return not any(parsed in network for network in _SPECIAL_IPV6)


def signature(body: bytes, secrets: Iterable[str]) -> str:
    """The header ``Cronofy-HMAC-SHA256``: one value for each secret of the application, as it may check with any."""
    return ",".join(b64encode(hmac.digest(secret.encode(), body, "sha256")).decode() for secret in secrets)


def is_signed(body: bytes, header: str, secrets: Iterable[str]) -> bool:
    """Whether ``header`` is a ``signature`` of ``body`` in which at least one of our ``secrets`` had a part.

    A sender whose client has several secrets names a value for each, and during a rotation knows one that we do not.
    """
    named = [value.strip().encode() for value in header.split(",", MOST_SIGNATURES)[:MOST_SIGNATURES]]
    wanted = [signature(body, [secret]).encode() for secret in secrets]
    return any(hmac.compare_digest(value, each) for value in named for each in wanted)


def _require_the_web(parts: SplitResult, host: str) -> None:
    if parts.scheme != "https":
        raise ValueError("must be https")
    if parts.port not in {None, _PORTS["https"]}:
        raise ValueError("must be at the port of https, 443")
    if not _is_address(host) and not _NAME.fullmatch(host):
        raise ValueError("must be at a host name with a domain, or at an IP address in its usual spelling")


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
