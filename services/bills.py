"""Bills, as a payer sees them: what each month costs, where it stands, and whether this phone may pay it now."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from config.months import YearMonth
from config.rulebook import Capability, HotlineTopic, NoRuleInForce
from models.bills import BillKind, BillState, ContributionBill, ContributionRecord, RecordState
from models.enrollments import Enrollment
from models.orders import OrderLine, OrderOrigin, PaymentOrder
from services.collection_dates import DueDate, due_date
from services.consents import refuse_taken_back, require_consent
from services.debit_errors import DebitInFlight
from services.insured_persons import refuse_blocked, relation_of

if TYPE_CHECKING:
    import uuid
    from collections.abc import Sequence
    from datetime import date, datetime

    from sqlalchemy.orm import Session

    from config.rulebook import Region
    from models.accounts import Account
    from models.insured_persons import InsuredPerson
    from services.ports import Ports


@dataclass(frozen=True, kw_only=True)
class Payability:
    """Whether a bill may be paid on this phone now, and if not, why and where instead."""

    payable: bool
    code: str | None = None
    """BILL_NOT_PAYABLE, BILL_RESERVED, NOT_AVAILABLE_ONLINE, REGION_MISMATCH: the refusal an order would meet."""
    reason: str | None = None
    counter: dict[str, Any] | None = None
    right_region: str | None = None


@dataclass(frozen=True, kw_only=True)
class BillView:
    bill_no: str
    region: str
    insurance_type: str
    insurance_name: str
    coverage_month: str
    kind: str
    reason: str | None
    """BASE_ADJUSTMENT: issued when the year's figures became final."""
    due: DueDate
    amount_fen: int
    account_part_fen: int
    pooling_part_fen: int
    base_fen: int | None
    tier: str | None
    state: str
    payability: Payability
    rule_id: str
    provisional: bool
    sample: bool
    order_no: str | None = None
    """The viewer's own live order that reserves it."""
    paid_at: datetime | None = None
    tax_confirmed_at: datetime | None = None
    posted_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Bills:
    insured_person: InsuredPerson
    bills: list[BillView]
    notes: list[str] = field(default_factory=list)


def payability(
    bill: ContributionBill,
    enrollment: Enrollment,
    *,
    region: Region,
    regions: Sequence[str],
    today: date,
    own: bool,
    debited: bool = False,
) -> Payability:
    """Judge one bill by the rules in force today. `debited`: a bank was told to debit it. Pure."""
    if bill.region not in regions:
        return Payability(
            payable=False,
            code="REGION_MISMATCH",
            reason=f"该参保关系在{region.name}，请使用当地的缴费小程序。",
            right_region=bill.region,
        )
    if bill.state == BillState.LOCKED and debited:
        return Payability(payable=False, code=DebitInFlight.code, reason="该月份正在扣款中，请勿重复缴费。")
    if bill.state == BillState.LOCKED:
        return Payability(payable=False, code="BILL_RESERVED", reason="该月份正在支付中，请勿重复支付。")
    ended = enrollment.end_month is not None and bill.coverage_month >= enrollment.end_month
    # An order held it when the enrolment ended; the sweep voids it in a moment.
    if bill.state != BillState.UNPAID or ended:
        return Payability(payable=False, code="BILL_NOT_PAYABLE", reason="该月份已缴费或已变更。")
    try:
        capability = region.capability(Capability.PAY_OWN if own else Capability.PAY_FOR_OTHERS, today)
        window = region.arrears_window(bill.insurance_type, today)
    except NoRuleInForce as fault:
        return Payability(
            payable=False, code="NOT_AVAILABLE_ONLINE", reason=str(fault), counter=counter_of(region, enrollment.agency)
        )
    if not capability.available:
        return Payability(
            payable=False,
            code="NOT_AVAILABLE_ONLINE",
            reason=capability.explanation,
            counter=counter_of(region, enrollment.agency),
        )
    if bill.kind == BillKind.SUPPLEMENT:
        return _supplement_payability(region, enrollment, today)
    month = YearMonth.from_number(bill.coverage_month)
    if not window.allows(month, today):
        what = (
            "未到缴费时间"
            if month > YearMonth.of(today)
            else "往月欠费不能在手机上补缴，请到您所委托代理的劳动就业管理机构窗口办理"
        )
        return Payability(
            payable=False,
            code="NOT_AVAILABLE_ONLINE",
            reason=f"{month}：{what}。",
            counter=counter_of(region, enrollment.agency),
        )
    return Payability(payable=True)


def _supplement_payability(region: Region, enrollment: Enrollment, today: date) -> Payability:
    """A difference is no arrears: whether the phone takes it is the calendar's word, not the arrears window's."""
    calendar = region.collection_calendar(enrollment.pooling_area, today)
    if calendar is not None and calendar.supplements_online:
        return Payability(payable=True)
    return Payability(
        payable=False,
        code="NOT_AVAILABLE_ONLINE",
        reason="基数调整后的补差不能在手机上缴纳，请到窗口办理。",
        counter=counter_of(region, enrollment.agency),
    )


def counter_of(region: Region, agency: str | None, topic: HotlineTopic = HotlineTopic.PAYMENT) -> dict[str, Any]:
    """The window that takes what the phone does not: name, address, hours and phone (R-CZ-16, 18), and the hotline."""
    counter = region.counter_for(agency)
    return {
        "name": counter.name,
        "address": counter.address,
        "hours": counter.hours,
        "phone": counter.phone,
        "hotline": region.hotline(topic).number,
    }


def list_bills(ports: Ports, *, account: Account, insured_person_id: uuid.UUID) -> Bills:
    """The bills of one person this account may pay for, newest month first. Raises NotFound, ConsentRequired, BlockedByInsured."""
    today = ports.today()
    regions = ports.miniprogram(account.miniprogram).regions
    with ports.begin() as session:
        refuse_taken_back(session, account_id=account.id, purpose="REAL_NAME")
        relation = relation_of(session, account_id=account.id, insured_person_id=insured_person_id, now=ports.now())
        if not relation.is_self:
            require_consent(session, account_id=account.id, purpose="PROXY_PAYMENT")
        if account.person_id is not None:
            # Whoever may not pay has no reason to look.
            refuse_blocked(session, person_id=relation.person_id, payer_person_id=account.person_id)
        rows = _bills_of(session, relation.person_id)
        records = _records_of(session, [bill.id for bill, _ in rows])
        orders, debited = _held_by(session, account.id, [bill.id for bill, _ in rows])
        session.expunge_all()
    views = []
    for bill, enrollment in rows:
        region = ports.rulebook.region(bill.region)
        record, month = records.get(bill.id), YearMonth.from_number(bill.coverage_month)
        held_by = {"own": relation.is_self, "debited": bill.id in debited}
        judged = payability(bill, enrollment, region=region, regions=regions, today=today, **held_by)
        views.append(
            BillView(
                bill_no=bill.bill_no,
                region=bill.region,
                insurance_type=bill.insurance_type,
                insurance_name=insurance_name(region, bill),
                coverage_month=str(month),
                kind=bill.kind,
                reason=bill.reason,
                due=due_date(region, pooling_area=enrollment.pooling_area, month=month, kind=bill.kind),
                amount_fen=bill.amount_fen,
                account_part_fen=bill.account_part_fen,
                pooling_part_fen=bill.pooling_part_fen,
                base_fen=bill.base_fen,
                tier=bill.tier,
                state=bill.state,
                payability=judged,
                rule_id=bill.rule_id,
                provisional=bill.provisional,
                sample=bill.sample,
                order_no=orders.get(bill.id),
                paid_at=record.paid_at if record else None,
                tax_confirmed_at=record.tax_confirmed_at if record else None,
                posted_at=record.posted_at if record else None,
            )
        )
    notes = [] if views else ["暂无应缴记录。刚办理参保登记的，参保信息传递中，请次日再查。"]
    return Bills(insured_person=relation, bills=views, notes=notes)


def insurance_name(region: Region, bill: ContributionBill) -> str:
    """As it was called in the month that the bill is about: the insurance may be offered no longer. Pure."""
    try:
        return region.insurance(bill.insurance_type, YearMonth.from_number(bill.coverage_month).first_day).title
    except NoRuleInForce:
        return bill.insurance_type


def _bills_of(session: Session, person_id: uuid.UUID) -> list[tuple[ContributionBill, Enrollment]]:
    query = (
        select(ContributionBill, Enrollment)
        .join(Enrollment, Enrollment.id == ContributionBill.enrollment_id)
        .where(Enrollment.person_id == person_id, ContributionBill.state != BillState.VOID)
        .order_by(ContributionBill.coverage_month.desc(), ContributionBill.insurance_type, ContributionBill.id)
    )
    return [(bill, enrollment) for bill, enrollment in session.execute(query)]


def _records_of(session: Session, bill_ids: list[int]) -> dict[int, ContributionRecord]:
    query = select(ContributionRecord).where(
        ContributionRecord.bill_id.in_(bill_ids), ContributionRecord.state != RecordState.REVERSED
    )
    return {record.bill_id: record for record in session.scalars(query)}


def _held_by(session: Session, account_id: uuid.UUID, bill_ids: list[int]) -> tuple[dict[int, str], set[int]]:
    """This account's own orders by bill, and the bills that a debit holds: their next word is the bank's."""
    query = (
        select(OrderLine.bill_id, PaymentOrder.order_no, PaymentOrder.payer_account_id, PaymentOrder.origin)
        .join(PaymentOrder, PaymentOrder.id == OrderLine.order_id)
        .where(OrderLine.bill_id.in_(bill_ids), OrderLine.live)
    )
    held = session.execute(query).all()
    own = {row.bill_id: row.order_no for row in held if row.payer_account_id == account_id}
    return own, {row.bill_id for row in held if row.origin == OrderOrigin.DEBIT}
