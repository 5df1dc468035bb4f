"""Each configured key and provider, looked at by itself: `canbao check-config`. What is wrong with one hides nothing about another.

Keys sign and verify; and unless calls are left out, each provider is asked the cheapest thing that only the right keys can ask: a payment
that cannot exist, a token, a check that nobody began. Nothing is ordered, sent or changed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from config.clock import SYSTEM_CLOCK
from providers.checks.alipay import check_alipay
from providers.checks.aliyun import check_aliyun
from providers.checks.common import Desk
from providers.checks.others import check_banks, check_counters, check_folders, check_pictures, check_pos
from providers.checks.wechat import check_wechat

if TYPE_CHECKING:
    from config.clock import Clock
    from config.findings import Report
    from config.settings import Partners, Settings

__all__ = ["check_providers"]


def check_providers(
    settings: Settings, partners: Partners, report: Report, *, calls: bool, clock: Clock = SYSTEM_CLOCK
) -> None:
    """Tell `report` about every key and every provider. `calls`: ask the providers too."""
    desk = Desk(settings=settings, report=report, clock=clock, calls=calls)
    for check in (check_wechat, check_alipay, check_aliyun, check_pos, check_banks, check_counters, check_folders):
        check(desk, partners)
    check_pictures(desk)
