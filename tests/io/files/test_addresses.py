from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import example, given, strategies as st

from mesh.io.files.addresses import may_connect, networks_of


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0",
        "10.1.2.3",
        "100.100.100.200",
        "127.0.0.1",
        "127.9.9.9",
        "168.63.129.16",
        "169.254.169.254",
        "172.31.255.255",
        "192.0.0.192",
        "192.168.0.1",
        "198.18.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::127.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b::169.254.169.254",
        "64:ff9b:1::8.8.8.8",
        "100::1",
        "2001:0:4136:e378:8000:63bf:3fff:fdd2",
        "2001:db8::1",
        "2002:7f00:1::",
        "2002:808:808::",
        "fc00::1",
        "fd00:ec2::254",
        "fe80::1",
        "fe80::1%eth0",
        "fec0::1",
        "ff02::1",
        "localhost",
        "",
    ],
)
def test_addresses_that_are_not_everybodys_are_refused(address: str) -> None:
    assert not may_connect(address)


@pytest.mark.parametrize(
    "address",
    [
        "8.8.8.8",
        "172.32.0.1",
        "100.128.0.1",
        "2606:4700::1111",
        "::ffff:8.8.8.8",
        "64:ff9b::808:808",
    ],
)
def test_public_addresses_are_allowed(address: str) -> None:
    assert may_connect(address)


def test_networks_that_are_allowed_are_reached_under_all_their_names() -> None:
    allowed = networks_of(["127.0.0.0/8", "fd00::/8"])
    for address in ("127.0.0.1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "fd00::1"):
        assert may_connect(address, allowed)
    for address in ("10.0.0.1", "::1", "fc00::1"):
        assert not may_connect(address, allowed)


addresses = st.ip_addresses(v=4) | st.ip_addresses(v=6)


@given(addresses)
@example(ip_address("192.0.0.1"))
def test_nothing_is_allowed_that_the_registry_calls_special(
    address: IPv4Address | IPv6Address,
) -> None:
    if not may_connect(str(address)) or getattr(address, "ipv4_mapped", None):
        return
    nat64 = address in networks_of(["64:ff9b::/96"])[0]
    assert address.is_global or nat64
    assert not address.is_private
    assert not address.is_loopback
    assert not address.is_link_local
    assert not address.is_multicast
    assert not address.is_unspecified


@given(st.ip_addresses(v=4))
def test_an_ipv4_address_is_judged_alike_inside_ipv6(address: IPv4Address) -> None:
    verdict = may_connect(str(address))
    assert may_connect(f"::ffff:{address}") == verdict
    assert may_connect(f"64:ff9b::{address}") == verdict


@given(addresses)
def test_a_network_of_one_address_allows_it_alone(address: IPv4Address | IPv6Address) -> None:
    allowed = networks_of([str(address)])
    assert may_connect(str(address), allowed)
    neighbour = address + 1 if int(address) % 2 == 0 else address - 1
    assert may_connect(str(neighbour), allowed) == may_connect(str(neighbour))


@given(st.text(max_size=30))
def test_no_text_that_is_no_address_is_allowed(text: str) -> None:
    try:
        ip_address(text)
    except ValueError:
        assert not may_connect(text)
