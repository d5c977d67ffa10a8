"""Which addresses a URL that a client gave may lead to."""

from collections.abc import Sequence
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import Final

Network = IPv4Network | IPv6Network

_RESERVED_V4: Final = tuple(
    IPv4Network(block)
    for block in (
        "0.0.0.0/8",  # this network, unspecified
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # shared by carriers; metadata of some clouds
        "127.0.0.0/8",  # loopback
        "168.63.129.16/32",  # metadata of a cloud, on a public address
        "169.254.0.0/16",  # link-local; metadata of most clouds
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocol assignments; metadata of a cloud
        "192.0.2.0/24",  # documentation
        "192.88.99.0/24",  # relays of 6to4
        "192.168.0.0/16",  # private
        "198.18.0.0/15",  # measurements
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, broadcast
    )
)
"""Everything in the IANA registry of special addresses that is not reached globally."""

_GLOBAL_V6: Final = IPv6Network("2000::/3")
"""The only IPv6 addresses handed out for global use; private, link-local and multicast are not."""
_RESERVED_V6: Final = tuple(
    IPv6Network(block)
    for block in (
        "2001::/23",  # protocol assignments; Teredo, which holds an IPv4 address
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4, which holds an IPv4 address
        "3fff::/20",  # documentation
    )
)
_NAT64: Final = IPv6Network("64:ff9b::/96")


def networks_of(blocks: Sequence[str]) -> tuple[Network, ...]:
    """The networks of CIDR blocks such as `10.0.0.0/8`. Raises ValueError naming a wrong one."""
    return tuple(ip_network(block) for block in blocks)


def may_connect(address: str, allowed: Sequence[Network] = ()) -> bool:
    """Whether an address is everybody's to reach, or in a network that is `allowed` although not.

    What is no address at all may not be connected to.
    """
    try:
        found = ip_address(address)
    except ValueError:
        return False
    inner = _embedded(found)
    if any(each in network for each in {found, inner} for network in allowed):
        return True
    if isinstance(inner, IPv4Address):
        return not any(inner in block for block in _RESERVED_V4)
    return inner in _GLOBAL_V6 and not any(inner in block for block in _RESERVED_V6)


def _embedded(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """The IPv4 address that packets to an IPv6 address go to; the address itself if none."""
    if isinstance(address, IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address
