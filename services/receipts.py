"""Receipts (缴费回单): what a provider took in for an order, on paper for whoever paid it. No 完税证明, and no promise of 入库 (domain §5.3).

A receipt is a version of a printout: fetched again while nothing changed it is the same paper, byte for byte. When a month moves on or
money goes back, the next one is a new version; and when all of it went back, the code of each version says that it is void.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlalchemy import func, select

from config.clock import BEIJING, day_start
from models.orders import OrderState, PaymentOrder
from models.payments import Payment, PaymentState
from models.printouts import PrintoutKind, ReceiptFetch
from services.errors import NotFound
from services.form_layout import words_of
from services.printout_errors import NotPaidYet, TooManyPrints
from services.printouts import PrintedPdf, Standing, Subject, grouped, in_beijing, issue, where_to_verify
from services.receipt_content import blocks_of
from services.receipt_standing import TITLE, read_paid_order, standing_of

if TYPE_CHECKING:
    import uuid
    from datetime import datetime

    from sqlalchemy.orm import Session

    from models.accounts import Account
    from services.form_drawing import Sheet
    from services.form_layout import Block
    from services.ports import Ports
    from services.printouts import Issued
    from services.receipt_standing import PaidOrder

RECEIPTS_A_DAY: Final = 50
"""Of one account, whatever they are about: somebody who pays for a family has a dozen, and each takes a core for some 20 ms."""
WARNING: Final = "本回单不是税收完税证明"
STAMPS: Final = {Standing.REFUNDED: "已退款 作废", Standing.PARTLY_REFUNDED: "部分退款"}
IN_DOUBT: Final = "处理中，请勿重复支付"
STANDS: Final = {
    OrderState.CREATED: IN_DOUBT,
    OrderState.UNKNOWN: IN_DOUBT,
    OrderState.PREPAY: "待支付",
    OrderState.CLOSED: "已关闭",
}
SURPLUS: Final = "这笔款项没有用于缴费，将按原路退回，所以没有回单。请在“消息”里查看，咨询电话12333。"


def print_receipt(ports: Ports, *, account: Account, order_no: str) -> PrintedPdf:
    """The receipt of an order that this account paid.

    Raises NotFound (also for other people's orders), NotPaidYet, TooManyPrints, SealBroken.
    """
    now = ports.now()
    with ports.begin() as session:
        order_id = _hold_paid_order(session, account=account, order_no=order_no)
        _refuse_too_many(session, account_id=account.id, now=now)
        paid = read_paid_order(session, order_id=order_id)
        blocks = blocks_of(ports.rulebook.regions.get(paid.region), paid)
        issued = issue(
            ports,
            session,
            subject=Subject(kind=PrintoutKind.RECEIPT, region=paid.region, order_id=order_id),
            content=[TITLE, WARNING, words_of(blocks)],
            standing=paid.standing_hash,
            now=now,
        )
        session.add(ReceiptFetch(account_id=account.id, order_id=order_id, at=now))
    sheet = _sheet(paid, issued, blocks, web_url=ports.web_url)
    from services.form_drawing import draw  # reportlab: whoever prints nothing need not wait for it at every start

    return PrintedPdf(content=draw(sheet), title=TITLE, serial=issued.serial)


def _hold_paid_order(session: Session, *, account: Account, order_no: str) -> int:
    """The id of an order of this account's, its payment being locked: two presses are one, and no refund is booked meanwhile.

    Raises NotFound, NotPaidYet.
    """
    found = session.execute(
        select(PaymentOrder.id, PaymentOrder.state, Payment.id, Payment.state)
        .join(Payment, Payment.order_id == PaymentOrder.id)
        .where(PaymentOrder.order_no == order_no, PaymentOrder.payer_account_id == account.id)
    ).one_or_none()
    if found is None:
        raise NotFound
    order_id, order_state, payment_id, payment_state = found
    if payment_state == PaymentState.SURPLUS:
        raise NotPaidYet(detail=SURPLUS)
    if payment_state != PaymentState.SUCCEEDED:
        raise NotPaidYet(detail=f"订单的状态是“{STANDS[OrderState(order_state)]}”。{NotPaidYet.detail}")
    session.execute(select(Payment.id).where(Payment.id == payment_id).with_for_update())
    return int(order_id)


def _refuse_too_many(session: Session, *, account_id: uuid.UUID, now: datetime) -> None:
    """Presses at the same moment on several orders may go a few beyond. Raises TooManyPrints."""
    fetched = session.scalar(
        select(func.count()).where(ReceiptFetch.account_id == account_id, ReceiptFetch.at >= day_start(now))
    )
    if (fetched or 0) >= RECEIPTS_A_DAY:
        raise TooManyPrints(detail="请使用已经下载的回单，或明天再试；急需的，请到窗口办理。")


def _sheet(paid: PaidOrder, issued: Issued, blocks: tuple[Block, ...], *, web_url: str) -> Sheet:
    from services.form_drawing import Sheet

    address = where_to_verify(web_url)
    return Sheet(
        title=TITLE,
        subtitle=None,
        serial_label="回单编号",
        serial=issued.serial,
        reference=f"付款日期：{paid.paid_at.astimezone(BEIJING):%Y-%m-%d}",
        mark=f"示例　{TITLE}" if paid.is_sample else TITLE,
        version=issued.version,
        issued_at=in_beijing(issued.issued_at),
        code=grouped(issued.code),
        verify_at=address,
        url=f"{address}/{issued.code}",
        notes=("内容以核验结果为准。", "可以重新下载；款项退回或状态变化以后，请以最新版本为准。"),
        blocks=blocks,
        warning=WARNING,
        stamp=STAMPS.get(standing_of(paid)),
    )
