"""Where a request comes from, as it is counted: an IPv4 address, or the 64 bits that an operator gives one customer in IPv6. Pure."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network


def address_of(text: str | None) -> IPv4Address | IPv6Address | None:
    """The address, an IPv4 one also where it comes in IPv6's clothes; None for what is no address."""
    try:
        found = ip_address(text or "")
    except ValueError:
        return None
    return (found.ipv4_mapped or found) if isinstance(found, IPv6Address) else found


def network_of(address: IPv4Address | IPv6Address) -> str:
    """What is counted together."""
    return str(address) if isinstance(address, IPv4Address) else str(ip_network((address, 64), strict=False))
