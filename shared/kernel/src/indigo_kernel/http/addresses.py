"""Which addresses a request for somebody else may go to.

Source: the IANA special-purpose address registries (RFC 6890 and successors). The lists stand here because
``ipaddress.is_global`` changed its mind between Python releases.
"""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_REFUSED_V4 = tuple(
    map(
        IPv4Network,
        (
            "0.0.0.0/8",  # this network
            "10.0.0.0/8",
            "100.64.0.0/10",  # carrier-grade NAT; metadata of Alibaba Cloud
            "127.0.0.0/8",
            "168.63.129.16/32",  # metadata of Azure, a public address by its looks
            "169.254.0.0/16",  # link local; metadata of most clouds
            "172.16.0.0/12",
            "192.0.0.0/24",  # protocol assignments; metadata of Oracle Cloud
            "192.0.2.0/24",
            "192.31.196.0/24",
            "192.52.193.0/24",
            "192.88.99.0/24",  # 6to4 relays
            "192.168.0.0/16",
            "192.175.48.0/24",
            "198.18.0.0/15",
            "198.51.100.0/24",
            "203.0.113.0/24",
            "224.0.0.0/4",  # multicast
            "240.0.0.0/4",  # reserved, broadcast
        ),
    )
)
_UNICAST_V6 = IPv6Network("2000::/3")
"""The only routed unicast IPv6: outside are loopback, mapped IPv4, NAT64, ULA, link local, multicast."""

_REFUSED_V6 = tuple(
    map(
        IPv6Network,
        (
            "2001::/23",  # protocol assignments: Teredo, benchmarking, ORCHID
            "2001:db8::/32",
            "2002::/16",  # 6to4: an IPv4 address inside
            "2620:4f:8000::/48",
            "3fff::/20",
        ),
    )
)


def is_public(address: Address) -> bool:
    """Whether ``address`` is a unicast address of the public Internet without another address inside."""
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _REFUSED_V4)
    if address.scope_id is not None or address not in _UNICAST_V6:
        return False
    return not any(address in network for network in _REFUSED_V6)


def may_reach(address: str, allowed: Sequence[Network]) -> bool:
    """Whether a connection to ``address`` is fine: public, or in a network the operator ``allowed``."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    return is_public(parsed) or any(parsed in network for network in allowed if network.version == parsed.version)
