"""Check addresses before they are fetched: none of this machine, its network or its cloud, in any spelling.

A page can name any address, and a crawler inside a network would fetch it (server-side request forgery). What counts
is the peer of the connection itself (`fetch.Fetcher`): a name that resolves to something else later (DNS rebinding)
gains nothing.
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
    """Parse a URL of the kind that may be fetched."""
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
    """Tell whether an IP address belongs to the open internet; an IPv4 address inside an IPv6 one counts."""
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


def names_own_network(host: str) -> bool:
    """Tell, without a name server, whether a host is `localhost`, a bare name, or an address that is not public."""
    host = host.rstrip(".")
    if ":" not in host and host.rpartition(".")[2].lower() in ("localhost", "local", "internal", "lan"):
        return True
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except (OSError, UnicodeError):
        return "." not in host
    return not all(is_public(str(entry[4][0])) for entry in found)
