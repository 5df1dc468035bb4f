"""Whose affair money is: a merchant account belongs to every region that pays into it, and is shown to whoever sees all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from services.staff import Scope, covers

if TYPE_CHECKING:
    from services.ports import Ports

LISTS: Final = ("tax", "registrar")


def regions_of_accounts(ports: Ports) -> dict[str, set[str]]:
    """Merchant account, `{channel}:{merchant}` → codes of the regions whose bills it takes. The days of an authority's own lists too,
    which stand beside them as `tax:{authority}` and `registrar:{authority}`.
    """
    found: dict[str, set[str]] = {}
    for code, provider in ports.payments.items():
        found.setdefault(f"{provider.channel}:{provider.merchant}", set()).update(_regions_of_way(ports, code))
    for region in ports.rulebook.regions.values():
        for kind in LISTS if region.authority else ():
            found.setdefault(f"{kind}:{region.authority}", set()).add(region.code)
    return found


def accounts_within(ports: Ports, scope: Scope) -> frozenset[str] | None:
    """Merchant accounts that lie within a scope as a whole; None: every one there ever was.

    An account that several regions share is shown to nobody who may see only one of them, and one that no setting names any more to
    whoever sees everything. The money of an agency alone is no such account.
    """
    if scope.region is None:
        return None
    return frozenset(
        account
        for account, regions in regions_of_accounts(ports).items()
        if regions and all(covers(ports, scope, Scope(region=region)) for region in regions)
    )


def ways_within(ports: Ports, scope: Scope) -> frozenset[str] | None:
    """Ways to pay whose merchant account lies within a scope, by their codes; None: every one."""
    accounts = accounts_within(ports, scope)
    if accounts is None:
        return None
    return frozenset(code for code, each in ports.payments.items() if f"{each.channel}:{each.merchant}" in accounts)


def is_within(ports: Ports, scope: Scope, merchant_account: str) -> bool:
    accounts = accounts_within(ports, scope)
    return accounts is None or merchant_account in accounts


def _regions_of_way(ports: Ports, code: str) -> set[str]:
    program = ports.partners.miniprograms.get(code)
    if program is not None:
        return set(program.regions)
    # A bank, a terminal or a counter says which authority it collects for, in whichever section of the file it stands.
    entries = (section.get(code) for _, section in ports.partners if isinstance(section, dict))
    authorities = {authority for entry in entries if (authority := getattr(entry, "authority", None))}
    # A tax authority's own till stands in none, and has the authority's name instead of a merchant's number.
    authorities.add(ports.payments[code].merchant)
    return {region.code for region in ports.rulebook.regions.values() if region.authority in authorities}
