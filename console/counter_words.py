"""What orders at a window are called on its pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from config.months import YearMonth
from console.review_words import yuan
from models.orders import OrderState
from models.payments import PaymentState

if TYPE_CHECKING:
    from config.rulebook import Rulebook
    from services.counter_orders import CounterOrderView
    from services.counter_slips import SlipView

__all__ = ["SLIP_STATES", "months", "site_name", "slip_money", "standing", "yuan"]
STANDING: Final = {
    (OrderState.PREPAY, PaymentState.OPEN): "待刷卡",
    (OrderState.PAID, PaymentState.SUCCEEDED): "支付成功，等待税务入库",
    (OrderState.CLOSED, PaymentState.CLOSED): "已撤销或已过期，未收款",
    (OrderState.CLOSED, PaymentState.SURPLUS): "重复或金额不符，款项将原路退回",
}


def standing(order: CounterOrderView) -> str:
    return STANDING.get((OrderState(order.state), PaymentState(order.payment_state)), "处理中")


def months(numbers: list[int]) -> str:
    return "、".join(str(YearMonth.from_number(number)) for number in numbers)


SLIP_STATES: Final = {"RECORDED": "等待复核", "APPROVED": "已复核", "REJECTED": "已退回"}


def slip_money(slip: SlipView) -> str:
    """What became of an approved slip's money."""
    return {"SUCCEEDED": "已入账", "SURPLUS": "重复或金额不符，款项将退还"}.get(slip.payment_state or "", "处理中")


def site_name(rulebook: Rulebook, code: str | None) -> str:
    """A window by its agency's name; by its code where the rulebook has forgotten it."""
    titles = (agency.title for region in rulebook.regions.values() for each, agency in region.agencies.items() if each == code)
    return next(titles, code or "—")
