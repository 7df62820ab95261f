"""Which addresses may be fetched: none of this machine, its network or its cloud, whatever their spelling.

A page can name any address, and a crawler inside a network would fetch it (server-side request forgery). A name is
resolved once, what it resolves to is checked, and the connection goes to that address: a name that changes its mind
between the check and the connection (DNS rebinding) gains nothing.
"""

from __future__ import annotations

import ipaddress
import socket

import httpx

_GLOBAL_V6 = ipaddress.ip_network("2000::/3")
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
# Special blocks that older versions of Python's ipaddress call global. Source: IANA's special-purpose registries.
_SPECIAL = tuple(
    map(ipaddress.ip_network, ("192.0.0.0/24", "192.88.99.0/24", "2001::/23", "2001:db8::/32", "3fff::/20"))
)


class Refused(ValueError):
    """An address that must not be fetched, or an answer that is not wanted; trying again is of no use."""


def check_url(url: str) -> httpx.URL:
    """Parses a URL of the kind that may be fetched.

    Raises:
        Refused: It is no http or https URL with a host, or it carries a user name.
    """
    shown = ascii(url[:100])
    try:
        parsed = httpx.URL(url)
        host = parsed.host
    except (httpx.InvalidURL, UnicodeError, ValueError, TypeError) as error:
        raise Refused(f"expected an http or https URL, got {shown}: {error}") from error
    if parsed.scheme not in ("http", "https") or not host:
        raise Refused(f"expected an http or https URL with a host, got {shown}")
    if parsed.userinfo:
        raise Refused(f"expected a URL without a user name, got one for {parsed.host}")
    return parsed


def is_public(address: str) -> bool:
    """Tells whether an IP address belongs to the open internet; an IPv4 address inside an IPv6 one counts."""
    ip = ipaddress.ip_address(address.split("%")[0])  # without the zone of a link-local one
    if isinstance(ip, ipaddress.IPv6Address):
        teredo = ip.teredo
        nat64 = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF) if ip in _NAT64 else None
        inner = ip.ipv4_mapped or ip.sixtofour or (teredo[1] if teredo else None) or nat64
        if inner is not None:
            return is_public(str(inner))
        if ip not in _GLOBAL_V6:
            return False
    return ip.is_global and not ip.is_multicast and not ip.is_reserved and not any(ip in block for block in _SPECIAL)


def resolve(host: str, port: int, allow_private: bool = False) -> list[str]:
    """Gives the addresses of a host that may be connected to.

    The system's resolver reads `127.1`, `0x7f000001` and `2130706433` as addresses too; what counts is its answer.

    Args:
        host: A name or an address.
        port: The port.
        allow_private: Allow every address.

    Raises:
        Refused: All its addresses are private, loopback, link-local or reserved.
        OSError: The name does not resolve.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError as error:  # a label that is empty or too long
        raise Refused(f"expected the name of a host, got {host[:100]!a}") from error
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    allowed = addresses if allow_private else [address for address in addresses if is_public(address)]
    if not allowed:
        raise Refused(f"expected a host on the open internet, got {host} at {', '.join(addresses)}")
    return allowed


def names_own_network(host: str) -> bool:
    """Tells, without a name server, whether a host is `localhost`, a bare name, or an address that is not public."""
    host = host.rstrip(".")
    if ":" not in host and host.rpartition(".")[2].lower() in ("localhost", "local", "internal", "lan"):
        return True
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except (OSError, UnicodeError):
        return "." not in host
    return not all(is_public(str(entry[4][0])) for entry in found)
