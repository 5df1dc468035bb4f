"""Which businesses are alive here and now: the menu and the list that comes with a sign-in ask the same question and get one answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from config.rulebook import Capability, MenuFunction

if TYPE_CHECKING:
    from config.rulebook import Region
    from services.ports import Ports

NOT_BUILT_YET: Final = frozenset(
    {
        Capability.BACK_PAY,
    }
)
"""What a region may offer and this release does not do. Whoever builds one takes it off this list, and its entry comes alive."""
TAKES_MONEY: Final = frozenset({Capability.PAY_OWN, Capability.PAY_FOR_OTHERS, Capability.WITHHOLDING_SIGN_ONLINE})
"""Done only where a merchant of the region's own collection authority stands behind the mini-program."""
AT_REGISTRAR: Final = frozenset(
    {Capability.ENROLL, Capability.RESUME, Capability.SUSPEND, Capability.JOINT_CASE, Capability.PRINT_REGISTRATION_FORM}
)
"""Found in the registrar's mini-programs, which take no money, as in the sources' menus."""


def is_built(which: Capability | MenuFunction | None) -> bool:
    """Whether this release does it at all."""
    return which not in NOT_BUILT_YET


def takes_money(ports: Ports, miniprogram: str, region: Region) -> bool:
    """Whether money of this region can be paid in this mini-program."""
    merchant = ports.merchant_of(miniprogram)
    return merchant is not None and merchant[1].authority == region.authority


def is_alive(ports: Ports, capability: Capability, *, miniprogram: str, region: Region) -> bool:
    """Whether a verified person can do this here today: offered by the region, built, and with somebody to take its money."""
    return (
        is_built(capability)
        and ports.offers(region, capability)
        and (capability not in TAKES_MONEY or takes_money(ports, miniprogram, region))
        and (capability not in AT_REGISTRAR or ports.merchant_of(miniprogram) is None)
    )
