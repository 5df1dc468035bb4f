"""What became of a paid order: its months, and how much of its money went back. A receipt is printed from it and held against it.

Names and numbers are masked where they are read: a receipt is shown around and left behind, its numbers tell which payment it is
about, and who pays for somebody else may not see more of them (domain §8.5). So no seal is opened for one.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

from sqlalchemy import func, select
from sqlalchemy.orm import aliased

from config.months import YearMonth
from models.accounts import Account
from models.bills import BillState, ContributionBill
from models.orders import OrderLine, PaymentOrder
from models.payments import Payment, PaymentState
from models.people import Person
from models.refunds import Refund, RefundState
from services.amount_words import in_figures
from services.application_fields import said
from services.printouts import Fact, PrintoutView, Standing, in_beijing, insurance_label, standing_hash

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from config.rulebook import Region
    from models.printouts import Printout
    from services.ports import Ports

TITLE: Final = "社会保险费缴费回单"
NAMELESS: Final = "（账户已注销或未实名）"
CHANNELS: Final = {
    "wechat_pay": "微信支付",
    "alipay": "支付宝",
    "bank_debit": "银行卡扣款",
    "unionpay_pos": "银联POS",
    "bank_counter": "银行柜面",
    "slip": "银行柜面",
    "tax": "税务部门",
}
STATES: Final = {
    BillState.PAID: "支付成功，等待税务入库",
    BillState.TAX_CONFIRMED: "缴费成功（税务已入库）",
    BillState.POSTED: "缴费成功（社保已记账）",
    BillState.REFUNDING: "退费办理中",
    BillState.REFUNDED: "已退费",
    # Paid for the wrong person: it went back, and is billed anew under another number.
    BillState.VOID: "已退费",
}
SAID: Final = {
    Standing.VALID: ("有效", "款项已经收到，没有退回。支付成功不等于缴费成功，各月现在的状态见下。"),
    Standing.PARTLY_REFUNDED: ("部分退款", "其中一部分款项已经退回付款人，金额和各月现在的状态见下。"),
    Standing.REFUNDED: ("已作废", "款项已经全部退回付款人，本回单作废，各个版本都不再有效。"),
    Standing.REPLACED: ("已更新", "款项确已收到，但本回单已由新的版本代替，请以最新版本为准。各月现在的状态见下。"),
}
"""Standing → what it is called, and what it means for whoever was shown the paper."""
TAIL: Final = 6


@dataclass(frozen=True, kw_only=True)
class PaidMonth:
    """One line of the order, and where its month stands now."""

    insurance_type: str
    month: YearMonth
    kind: str
    amount_fen: int
    state: str
    is_sample: bool


@dataclass(frozen=True, kw_only=True)
class PaidOrder:
    """All that a receipt tells, masked."""

    order_no: str
    payment_no: str
    provider_payment_no: str | None
    """None where the provider told of the payment without one."""
    channel: str
    authority: str
    region: str
    total_fen: int
    refunded_fen: int
    """Known to be with the payer again, by whatever road."""
    paid_at: datetime
    payer_masked: str
    insured_masked: str
    insured_number_masked: str
    months: tuple[PaidMonth, ...]

    @property
    def is_sample(self) -> bool:
        return any(each.is_sample for each in self.months)

    @property
    def standing_hash(self) -> bytes:
        return standing_hash([self.refunded_fen, [each.state for each in self.months]])


def read_paid_order(session: Session, *, order_id: int) -> PaidOrder:
    """What became of an order whose payment succeeded. Raises NoResultFound where it did not, and LookupError where nobody said when."""
    payer = aliased(Person)
    order, payment, insured, payer_masked = session.execute(
        select(PaymentOrder, Payment, Person, payer.name_masked)
        .join(Payment, Payment.order_id == PaymentOrder.id)
        .join(Person, Person.id == PaymentOrder.person_id)
        .join(Account, Account.id == PaymentOrder.payer_account_id)
        .outerjoin(payer, payer.id == Account.person_id)
        .where(PaymentOrder.id == order_id, Payment.state == PaymentState.SUCCEEDED)
    ).one()
    if payment.paid_at is None:
        raise LookupError(f"payment {payment.payment_no} succeeded at no time")
    lines = session.execute(
        select(OrderLine.amount_fen, ContributionBill)
        .join(ContributionBill, ContributionBill.id == OrderLine.bill_id)
        .where(OrderLine.order_id == order_id)
        .order_by(ContributionBill.coverage_month, ContributionBill.insurance_type, ContributionBill.id)
    ).all()
    refunded = select(func.coalesce(func.sum(Refund.amount_fen), 0)).where(
        Refund.payment_id == payment.id, Refund.state == RefundState.REFUNDED
    )
    return PaidOrder(
        order_no=order.order_no,
        payment_no=payment.payment_no,
        provider_payment_no=payment.provider_payment_no,
        channel=payment.channel,
        authority=order.authority,
        region=lines[0][1].region,
        total_fen=order.total_fen,
        refunded_fen=int(session.scalar(refunded) or 0),
        paid_at=payment.paid_at,
        payer_masked=payer_masked or NAMELESS,
        insured_masked=insured.name_masked,
        insured_number_masked=insured.id_number_masked,
        months=tuple(
            PaidMonth(
                insurance_type=bill.insurance_type,
                month=YearMonth.from_number(bill.coverage_month),
                kind=bill.kind,
                amount_fen=amount_fen,
                state=bill.state,
                is_sample=bill.sample,
            )
            for amount_fen, bill in lines
        ),
    )


def standing_of(paid: PaidOrder, *, is_replaced: bool = False) -> Standing:
    """What a receipt of it is worth. That all the money went back outweighs everything: each version is void then. Pure."""
    if paid.refunded_fen >= paid.total_fen:
        return Standing.REFUNDED
    if is_replaced:
        return Standing.REPLACED
    return Standing.PARTLY_REFUNDED if paid.refunded_fen else Standing.VALID


def receipt_view(ports: Ports, session: Session, printout: Printout) -> PrintoutView:
    """What may be told of a receipt: masked names, the amounts, and where each month stands now."""
    paid = read_paid_order(session, order_id=printout.order_id or 0)
    region = ports.rulebook.regions.get(paid.region)
    standing = standing_of(paid, is_replaced=printout.replaced_at is not None)
    text, explanation = SAID[standing]
    return PrintoutView(
        title=TITLE,
        serial=printout.serial,
        version=printout.version,
        issued_at=printout.issued_at,
        facts=[
            Fact(label="付款人", value=paid.payer_masked),
            Fact(label="参保人", value=paid.insured_masked),
            Fact(label="征收机关", value=authority_of(region, paid)),
            Fact(label="付款时间", value=in_beijing(paid.paid_at)),
            Fact(label="支付渠道", value=channel_of(paid)),
            *(
                [Fact(label="渠道交易单号", value=f"尾号{paid.provider_payment_no[-TAIL:]}")]
                if paid.provider_payment_no
                else []
            ),
            Fact(label="合计金额", value=in_figures(paid.total_fen)),
            *([Fact(label="已退金额", value=in_figures(paid.refunded_fen))] if paid.refunded_fen else []),
            *(
                Fact(
                    label=f"{said(each.month)}{month_label(region, each)}",
                    value=f"{in_figures(each.amount_fen)}　{state_of(each)}",
                )
                for each in paid.months
            ),
        ],
        standing=standing,
        standing_text=text,
        explanation=explanation,
    )


def authority_of(region: Region | None, paid: PaidOrder) -> str:
    return paid.authority if region is None else region.authority_name(paid.authority)


def channel_of(paid: PaidOrder) -> str:
    return CHANNELS.get(paid.channel, paid.channel)


def month_label(region: Region | None, month: PaidMonth) -> str:
    """The insurance as it was called in the month that was paid."""
    return insurance_label(region, month.insurance_type, on=month.month.first_day)


def state_of(month: PaidMonth) -> str:
    return STATES[BillState(month.state)]
