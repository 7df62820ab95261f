"""Which addresses may be fetched."""

import pytest

from fer_paddle.collect.addresses import Refused, check_url, is_public, names_own_network

# Among them where clouds keep their keys (169.254.169.254, Alibaba's 100.100.100.200); the last line is IPv4 inside
# IPv6: mapped, compatible, NAT64, 6to4, Teredo (written inverted).
PRIVATE = """
127.0.0.1 127.255.255.254 0.0.0.0 10.0.0.1 172.16.0.1 192.168.1.1 169.254.169.254 100.100.100.200 192.0.0.8 198.18.0.1
203.0.113.1 224.0.0.1 240.0.0.1 255.255.255.255 :: ::1 fc00::1 fe80::1%eth0 fec0::1 ff02::1 2001:db8::1
::ffff:127.0.0.1 ::ffff:7f00:1 ::ffff:10.0.0.1 ::127.0.0.1 64:ff9b::7f00:1 2002:7f00:1:: 2001:0:0:0:0:0:80ff:fffe
"""
PUBLIC = "8.8.8.8 ::ffff:8.8.8.8 64:ff9b::808:808 2606:4700::1 223.5.5.5"
# glibc reads the second line as 127.0.0.1; elsewhere it does not resolve. Only a proxy resolves the last.
OWN = """
localhost 127.0.0.1 ::1 ::ffff:127.0.0.1
127.1 0x7f.1 0177.0.0.1 2130706433 0x7f000001 127.0.0.1.
printer nas.local
"""
# "good.example" is a user name that looks like a host.
NONE = """
file:///etc/passwd ftp://example.org/a.jpg javascript:alert(1) data:image/png;base64,AA== //example.org/a example.org
http:// http:///a.jpg http://good.example@127.0.0.1/ http://[::1
"""


@pytest.mark.parametrize(
    ("address", "public"), [(one, flag) for text, flag in ((PRIVATE, False), (PUBLIC, True)) for one in text.split()]
)
def test_public_and_private_addresses(address, public):
    assert is_public(address) is public


@pytest.mark.parametrize(
    ("host", "own"), [*((host, True) for host in OWN.split()), ("example.org", False), ("8.8.8.8", False)]
)
def test_own_machine_is_refused_in_any_spelling(host, own):
    assert names_own_network(host) is own


@pytest.mark.parametrize("url", [*NONE.split(), "http://a\x00b/", ""])
def test_urls_that_are_none_to_fetch(url):
    with pytest.raises(Refused):
        check_url(url)
