"""What the staff do, always two of them: refunds, parked notices, differences, and the signatures under each day.

They explain a difference only by a cause that the simulation planted; one that nobody can explain stays open, and the verdict names it.
"""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Final

from sqlalchemy import select, text

from jobs.simulation.clock import at
from models.payments import Payment
from models.reconciliation import Reconciliation, ReconciliationState
from models.refunds import Refund, RefundReason, RefundState
from providers.bills import BillDamaged, BillNotReady
from providers.protocols import ProviderError
from services import inbox
from services.differences import agree_to_difference, explain_difference
from services.errors import BusinessError
from services.reconciliation import open_differences, reconcile, sign_day
from services.refundable import without_a_month
from services.refunds import TREASURYS_ROAD, RefundWish, advance_refund, apply_for_refund, decide_refund

if TYPE_CHECKING:
    import random
    from datetime import date, datetime

    from jobs.simulation.month import Month
    from services.inbox import ParkedNotice
    from services.ports import Ports

CLERK: Final = "staff:S1024"
CHIEF: Final = "staff:S2048"
REASONS: Final = (RefundReason.NOT_ELIGIBLE, RefundReason.WRONG_PERSON, RefundReason.EMPLOYER_OVERLAP)
APPROVED_SHARE: Final = 0.8
CLAIMED_SHARE: Final = 0.6
"""Of money that nobody ordered: whose payer is found within the month."""
ENDS_WELL_SHARE: Final = 0.8
"""Of refunds that take their time."""
SLOW_AFTER: Final = timedelta(hours=10)
SLOW_CHANNELS: Final = ("wechat_pay", "alipay", "unionpay_pos")
"""Whose refunds a fault may hold up until somebody over there ends them; banks answer by file."""
SIGNED_AFTER_DAYS: Final = 1
EXPLAINABLE: Final = frozenset({"wrong_currency"})
"""Faults that leave a difference which no later run heals."""
STRAYS_AT_A_THOUSAND: Final = 20.0
"""Unknown payments a day where a thousand people live and everything goes wrong."""


MONTHS_PAID: Final = text("""
    SELECT b.bill_no, b.amount_fen FROM contribution_records r JOIN contribution_bills b ON b.id = r.bill_id JOIN payments p ON p.id = r.payment_id
    WHERE p.payment_no = :payment_no AND r.state <> 'REVERSED' ORDER BY b.id
""")


def plan_day(month: Month, day: date) -> None:
    """The hours of an office day. Letters and money do not know holidays, and neither does this office."""
    month.diary.at(at(day, 9, 40), lambda: _read_inbox(month))
    month.diary.at(at(day, 11), lambda: _slow_refunds(month))
    month.diary.at(at(day, 15), lambda: _look_at_differences(month))
    month.diary.at(at(day, 16), lambda: _sign(month, day))
    if day <= month.last_day:
        _plan_stray(month, day)


def plan_case(month: Month, *, payment_no: str, paid_at: datetime, dice: random.Random) -> None:
    """Somebody comes to the window on the next morning and wants their months back; the clerk applies, the chief decides."""
    reason, agreed, morning = dice.choice(REASONS), dice.random() < APPROVED_SHARE, at(paid_at.date() + timedelta(days=1), 10)
    month.diary.at(morning, lambda: _apply_for_months(month, payment_no, reason, approve=agreed))


def _apply_for_months(month: Month, payment_no: str, reason: RefundReason, *, approve: bool) -> None:
    with month.place.ports.begin() as session:
        bill_nos = session.scalars(MONTHS_PAID, {"payment_no": payment_no}).all()
    if not bill_nos:
        # It was not paid after all, or settled nothing.
        month.tally["refund refused: nothing paid"] += 1
        return
    wish = RefundWish(payment_no=payment_no, bill_nos=tuple(bill_nos), reason=reason, words="已到窗口核对材料")
    _apply(month, wish, decided_at=month.place.clock.now() + timedelta(hours=5), approve=approve)


def _apply(month: Month, wish: RefundWish, *, decided_at: datetime, approve: bool) -> None:
    try:
        refund_no = apply_for_refund(month.place.ports, wish=wish, who=CLERK)
    except BusinessError as refusal:
        # It was not paid after all, or has gone back by itself.
        month.tally[f"refund refused {refusal.code}"] += 1
        return
    month.tally["cases"] += 1
    month.diary.at(decided_at, lambda: _decide(month, refund_no, approve=approve))


def _decide(month: Month, refund_no: str, *, approve: bool) -> None:
    ports = month.place.ports
    words = "材料齐全同意退费" if approve else "不符合退费条件"
    try:
        decide_refund(ports, refund_no=refund_no, approve=approve, words=words, who=CHIEF)
    except BusinessError as refusal:
        month.tally[f"refund refused {refusal.code}"] += 1
        decide_refund(ports, refund_no=refund_no, approve=False, words="申请后状态有变化", who=CHIEF)
        return
    month.tally["cases approved" if approve else "cases rejected"] += 1
    with ports.begin() as session:
        state = session.scalar(select(Refund.state).where(Refund.refund_no == refund_no))
    if state == RefundState.HRSS_REVIEW:
        _walk_to_the_treasury(month, refund_no)


def _walk_to_the_treasury(month: Month, refund_no: str) -> None:
    """The treasury has the money: registrar, tax authority and treasury answer, one on each of the next days."""
    for days, state in enumerate(TREASURYS_ROAD, start=1):
        answer = partial(
            advance_refund, month.place.ports, refund_no=refund_no, to=state, words="已收到对方书面答复", who=CLERK
        )
        month.diary.at(month.place.clock.now() + timedelta(days=days), answer)


def _read_inbox(month: Month) -> None:
    """Parked notices, in an order that the seed decides: two of one moment come in any."""
    ports = month.place.ports
    with ports.begin() as session:
        waiting = inbox.parked(session, limit=10_000)
    for notice in sorted(waiting, key=lambda each: (each.received_at, each.outcome, each.amount_fen or 0)):
        said = _deal_with(month, notice)
        if said is not None:
            inbox.resolve(ports, notice_id=str(notice.id), reason=said, who=CLERK)
            month.tally[f"parked {notice.outcome}"] += 1


def _deal_with(month: Month, notice: ParkedNotice) -> str | None:
    """What was done about it; None where nobody knows what to do, which the verdict will not like."""
    channel, street = notice.merchant_account.partition(":")[0], month.place.street
    match notice.outcome:
        case "WRONG_AMOUNT":
            return "金额不符，系统已自动退回"
        case "UNCLAIMED":
            return _look_for_the_payer(month, notice)
        case "REFUND_SEEN":
            return _reverse_months(month, notice)
        case "WRONG_CURRENCY":
            # Notice and answer tell of the same money, each by itself.
            if notice.payment_no not in month.refunded_at_portal:
                month.refunded_at_portal.add(notice.payment_no)
                street.refund_at_portal(channel, notice.payment_no)
            return "币种不符，已在商户平台退回"
        case "REFUND_ABNORMAL" if channel not in SLOW_CHANNELS:
            return "已联系付款人，由银行再次退付"
        case "REFUND_ABNORMAL":
            for refund_no in _refunds_of(month.place.ports, notice.payment_no, RefundState.ABNORMAL):
                street.end_refund(channel, refund_no, "SUCCESS")
            return "已在商户平台处理异常退款"
        case "REFUND_FAILED":
            wish = RefundWish(payment_no=notice.payment_no, reason=RefundReason.OVERPAID, words="对方关闭后重新申请")
            _apply(month, wish, decided_at=month.place.clock.now() + timedelta(hours=2), approve=True)
            return "已重新申请退款"
        case _:
            return None


def _reverse_months(month: Month, notice: ParkedNotice) -> str:
    """Of a payment that settled months: they bear what went back, as far as whole months of it did."""
    with month.place.ports.begin() as session:
        payment = session.scalar(select(Payment).where(Payment.payment_no == notice.payment_no))
        gone_fen = without_a_month(session, payment) if payment is not None else 0
        months = session.execute(MONTHS_PAID, {"payment_no": notice.payment_no}).all()
    bill_nos = []
    for bill_no, amount_fen in months:
        if amount_fen <= gone_fen:
            bill_nos.append(bill_no)
            gone_fen -= amount_fen
    if not bill_nos:
        return "商户平台操作，已核实"
    wish = RefundWish(
        payment_no=notice.payment_no,
        bill_nos=tuple(bill_nos),
        reason=RefundReason.NOT_ELIGIBLE,
        words="商户平台已退回付款人",
        went_back_already=True,
    )
    _apply(month, wish, decided_at=month.place.clock.now() + timedelta(hours=1), approve=True)
    month.tally["reversals"] += 1
    return "商户平台操作，已申请冲正"


def _look_for_the_payer(month: Month, notice: ParkedNotice) -> str:
    month.tally["unknown payments"] += 1
    dice = month.chances.of("payer", month.tally["unknown payments"])
    if dice.random() >= CLAIMED_SHARE:
        return "未查到付款人，款项留在未知账户"
    with month.place.ports.begin() as session:
        payment_no = session.scalar(
            select(Payment.payment_no).where(
                Payment.provider_payment_no == notice.provider_payment_no, Payment.order_id.is_(None)
            )
        )
    wish = RefundWish(payment_no=payment_no or "", reason=RefundReason.UNCLAIMED, words="已查明付款人要求退回")
    _apply(month, wish, decided_at=month.place.clock.now() + timedelta(hours=5), approve=True)
    return "已查明付款人，申请原路退回"


def _refunds_of(ports: Ports, payment_no: str, state: RefundState) -> list[str]:
    with ports.begin() as session:
        return list(
            session.scalars(
                select(Refund.refund_no)
                .join(Payment, Payment.id == Refund.payment_id)
                .where(Payment.payment_no == payment_no, Refund.state == state)
            )
        )


def _slow_refunds(month: Month) -> None:
    """Across the street: refunds that the provider took on yesterday come to an end, most of them well."""
    with month.place.ports.begin() as session:
        slow = session.execute(
            select(Refund.refund_no, Payment.channel, Refund.amount_fen)
            .join(Payment, Payment.id == Refund.payment_id)
            .where(
                Refund.state == RefundState.SENT,
                Refund.created_at < month.place.clock.now() - SLOW_AFTER,
                Payment.channel.in_(SLOW_CHANNELS),
            )
            .order_by(Refund.created_at, Refund.amount_fen)
        ).all()
    for refund_no, channel, amount_fen in slow:
        dice = month.chances.of("slow refund", month.place.clock.now().isoformat(), amount_fen)
        # Alipay has no word for a refund that failed after it was taken on.
        ends_well = channel != "wechat_pay" or dice.random() < ENDS_WELL_SHARE
        month.place.street.end_refund(channel, refund_no, "SUCCESS" if ends_well else "CLOSED")
        month.tally["slow refunds"] += 1


def _plan_stray(month: Month, day: date) -> None:
    """Now and then somebody pays what nobody asked for."""
    dice = month.chances.of("stray", day)
    expected = STRAYS_AT_A_THOUSAND * len(month.residents) / 1000 * month.chances.fault_percent / 100
    accounts = sorted(month.place.ports.daily_bills)
    for number in range(int(expected) + (dice.random() < expected % 1)):
        channel, _, merchant = dice.choice(accounts).partition(":")
        pay = partial(month.place.street.stray_payment, channel, merchant, dice.randrange(1_00, 900_00))
        month.diary.at(at(day, dice.randrange(8, 22), 13 + number % 30), pay)
        month.tally["fault stray"] += 1


def _look_at_differences(month: Month) -> None:
    """A day that did not agree is compared again; what still does not, and has a known cause, is explained."""
    ports = month.place.ports
    with ports.begin() as session:
        days = sorted({(each.merchant_account, each.day) for each in open_differences(session, limit=10_000)})
    # Lists are read again by the worker, for as long as something of them is open.
    for account, day in days:
        if account not in ports.daily_bills:
            continue
        try:
            reconcile(ports, merchant_account=account, day=day)
        except (ProviderError, BillDamaged, BillNotReady):
            month.tally["bills not to be had"] += 1
    with ports.begin() as session:
        still_open = open_differences(session, limit=10_000)
    for each in still_open:
        cause = month.known_causes.get(each.payment_no)
        if cause in EXPLAINABLE:
            explain_difference(ports, difference_id=each.id, words=f"已核实原因 {cause}", who=CLERK)
            agree_to_difference(ports, difference_id=each.id, who=CHIEF)
            month.tally[f"explained {each.kind} {cause}"] += 1


def _sign(month: Month, day: date) -> None:
    """Days without an open difference are signed by both, some days later."""
    ports = month.place.ports
    with ports.begin() as session:
        ready = session.execute(
            select(Reconciliation.merchant_account, Reconciliation.day)
            .where(
                Reconciliation.state == ReconciliationState.COMPARED,
                Reconciliation.day <= day - timedelta(days=SIGNED_AFTER_DAYS),
                text(
                    "NOT EXISTS (SELECT 1 FROM reconciliation_differences d"
                    " WHERE d.reconciliation_id = reconciliations.id AND d.resolved_at IS NULL)"
                ),
            )
            .order_by(Reconciliation.day, Reconciliation.merchant_account)
        ).all()
    for account, reconciled in ready:
        sign_day(ports, merchant_account=account, day=reconciled, who=CLERK)
        if sign_day(ports, merchant_account=account, day=reconciled, who=CHIEF):
            month.tally["days closed"] += 1
