"""Where a request comes from, as it is counted: an IPv4 address, or the 64 bits that an operator gives one customer in IPv6. Pure."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import date

    from config.seals import Seals


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


def network_index(seals: Seals, *, purpose: str, caller: str | None, today: date) -> bytes | None:
    """Of the caller's network, another one each day and for each purpose, such as `sms_caller`.

    None for what is not of the open internet: that is a proxy of ours that nobody named, and behind it stands everybody.
    """
    address = address_of(caller)
    if address is None or not address.is_global:
        return None
    return seals.index(purpose, today.isoformat(), network_of(address))
