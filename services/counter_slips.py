"""Paper slips from bank counters (R-CZ-57, R-CZ-58): one of the staff copies what the paper says, another reads amount and serial again.

Then its money enters the inbox as all money does. A refund of such money is paid out by the bank over its counter, and a paper tells of
that too. Neither of the two may be the person, and of two who press at once one decides.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time
from typing import TYPE_CHECKING, Final

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from config.clock import BEIJING
from models.base import constraint_of
from models.bills import ContributionBill
from models.counter_slips import CounterSlip, SlipKind, SlipState
from models.orders import PaymentOrder
from models.payments import Payment
from models.people import Person
from models.refunds import AT_THE_PROVIDER, Refund, RefundOrigin, RefundRoad
from providers.protocols import NewsKind, PaymentNews
from services.counter_bills import find_person, lock_bills
from services.counter_errors import SecondPersonRequired
from services.counter_money import Taken, stand_for
from services.counter_slip_errors import NoPayOutDue, SlipDiffers, SlipKnown, SlipNotWaiting
from services.counter_slip_papers import bill_nos_of, read_serial, refuse_paper, refuse_reported, way_of
from services.errors import NotFound, PersonNotMatched
from services.inbox import enter
from services.people import parse_name, parse_persons_number
from services.refundable import came_in
from services.review_queue import Reviewer
from services.review_rules import refuse_own
from services.settlement import settle
from services.staff_numbers import parse_staff_number

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from services.counter_slip_papers import PayOutPaper, SlipPaper
    from services.ports import Ports

LIST: Final = 200
NOT_THE_PERSON: Final = "系统中没有这个姓名和身份证号码的参保人，请对照凭证核对。"
KNOWN: Final = ("uq_counter_slips_serial_live", "uq_counter_slips_refund_no_live")


@dataclass(frozen=True, kw_only=True)
class SlipView:
    """As the staff see it: masked; nothing sealed is opened for it."""

    slip_no: str
    kind: str
    state: str
    region: str
    bank: str
    serial: str
    amount_fen: int
    months: list[int]
    name_masked: str | None
    id_number_masked: str | None
    refund_no: str | None
    paid_on: date
    recorded_by: str
    decided_by: str | None
    created_at: datetime
    payment_no: str | None
    payment_state: str | None
    """Of an approved payment: SUCCEEDED, or SURPLUS where the money goes back."""


def record_slip(ports: Ports, *, paper: SlipPaper, by: str) -> SlipView:
    """The first of the two. Nothing moves yet. `by`: a staff number.

    Raises StaffNumberMalformed, NameMalformed, IdNumberMalformed, SlipsNotTaken, BankNotListed, SlipSerialMalformed, SlipDayWrong,
    PersonNotMatched, OwnAffairs, SlipMonthsUnknown, SlipKnown.
    """
    who, now = f"staff:{parse_staff_number(by)}", ports.now()
    name, id_number = parse_name(paper.name), parse_persons_number(paper.id_number, today=ports.today()).text
    way, region = way_of(ports, paper.region)
    refuse_paper(ports, region, bank=paper.bank, paid_on=paper.paid_on)
    serial = read_serial(paper.serial)
    try:
        with ports.begin() as session:
            person = find_person(ports, session, name=name, id_number=id_number)
            if person is None:
                raise PersonNotMatched(detail=NOT_THE_PERSON)
            refuse_own(ports, session, person=person, reviewer=Reviewer(who=who, roles=frozenset()))
            refuse_reported(ports, session, bank=paper.bank, serial=serial)
            slip = CounterSlip(
                kind=SlipKind.PAYMENT,
                way=way,
                region=region.code,
                bank=paper.bank,
                serial=serial,
                person_id=person.id,
                bill_nos=bill_nos_of(session, person=person, authority=ports.partners.slips[way].authority, paper=paper),
                amount_fen=paper.amount_fen,
                paid_on=paper.paid_on,
                recorded_by=who,
                created_at=now,
            )
            session.add(slip)
            session.flush()
            return _view(session, slip)
    except IntegrityError as fault:
        if constraint_of(fault) in KNOWN:
            raise SlipKnown from None
        raise


def record_pay_out(ports: Ports, *, paper: PayOutPaper, by: str) -> SlipView:
    """The first of the two, of a refund that the bank paid over its counter.

    Raises StaffNumberMalformed, NoPayOutDue (no such refund of slip money waits, or of another amount), BankNotListed,
    SlipSerialMalformed, SlipDayWrong, OwnAffairs, SlipKnown.
    """
    who, now, serial = f"staff:{parse_staff_number(by)}", ports.now(), read_serial(paper.serial)
    try:
        with ports.begin() as session:
            refund, payment = _pay_out_due(ports, session, refund_no=paper.refund_no, amount_fen=paper.amount_fen)
            _, region = way_of(ports, ports.partners.slips[payment.miniprogram].region)
            refuse_paper(ports, region, bank=paper.bank, paid_on=paper.paid_on)
            person = _person_of(session, payment)
            if person is not None:
                refuse_own(ports, session, person=person, reviewer=Reviewer(who=who, roles=frozenset()))
            slip = CounterSlip(
                kind=SlipKind.PAY_OUT,
                way=payment.miniprogram,
                region=region.code,
                bank=paper.bank,
                serial=serial,
                person_id=None if person is None else person.id,
                bill_nos=[],
                refund_no=refund.refund_no,
                amount_fen=refund.amount_fen,
                paid_on=paper.paid_on,
                recorded_by=who,
                created_at=now,
            )
            session.add(slip)
            session.flush()
            return _view(session, slip)
    except IntegrityError as fault:
        if constraint_of(fault) in KNOWN:
            raise SlipKnown from None
        raise


def approve_slip(ports: Ports, *, slip_no: str, amount_fen: int, serial: str, by: str) -> SlipView:
    """The second of the two, with the paper in hand: its money is in the inbox from now on, and settled.

    Raises StaffNumberMalformed, NotFound, SlipNotWaiting, SecondPersonRequired, OwnAffairs, SlipDiffers, SlipSerialMalformed, SlipKnown
    (the bank reported it by itself meanwhile), NoPayOutDue.
    """
    who, now, read = f"staff:{parse_staff_number(by)}", ports.now(), read_serial(serial)
    with ports.begin() as session:
        slip = _waiting(ports, session, slip_no, who=who)
        if slip.recorded_by == who:
            raise SecondPersonRequired
        if (slip.amount_fen, slip.serial) != (amount_fen, read):
            raise SlipDiffers
        if slip.kind == SlipKind.PAYMENT:
            refuse_reported(ports, session, bank=slip.bank, serial=slip.serial)
            payment_no, order_id = _bring_in(ports, session, slip, who=who, now=now)
        else:
            payment_no, order_id = _tell_pay_out(ports, session, slip), None
        slip.approve(who=who, at=now, order_id=order_id)
    settle(ports, payment_no=payment_no)
    return read_slip(ports, slip_no=slip_no)


def reject_slip(ports: Ports, *, slip_no: str, by: str) -> SlipView:
    """Either of the two: it was copied wrongly. Raises StaffNumberMalformed, NotFound, SlipNotWaiting, OwnAffairs."""
    who, now = f"staff:{parse_staff_number(by)}", ports.now()
    with ports.begin() as session:
        slip = _waiting(ports, session, slip_no, who=who)
        slip.reject(who=who, at=now)
        return _view(session, slip)


def read_slip(ports: Ports, *, slip_no: str) -> SlipView:
    """Raises NotFound."""
    with ports.begin() as session:
        return _view(session, _slip(session, slip_no))


def list_slips(ports: Ports, *, waiting: bool = True) -> list[SlipView]:
    """What waits for the second of the two, the oldest first; or the newest of all."""
    wanted = select(CounterSlip)
    if waiting:
        wanted = wanted.where(CounterSlip.state == SlipState.RECORDED).order_by(CounterSlip.id)
    else:
        wanted = wanted.order_by(CounterSlip.id.desc())
    with ports.begin() as session:
        return [_view(session, slip) for slip in session.scalars(wanted.limit(LIST)).all()]


def _bring_in(ports: Ports, session: Session, slip: CounterSlip, *, who: str, now: datetime) -> tuple[str, int]:
    assert slip.person_id is not None  # noqa: S101 - a payment's slip is about somebody
    authority = ports.partners.slips[slip.way].authority
    rows = lock_bills(session, person_id=slip.person_id, authority=authority, bill_nos=slip.bill_nos)
    taken = Taken(
        way=slip.way,
        their_no=f"{slip.bank}-{slip.serial}",
        amount_fen=slip.amount_fen,
        taken_at=datetime.combine(slip.paid_on, time(), BEIJING),
        raw=None,
    )
    order = stand_for(ports, session, taken=taken, person_id=slip.person_id, rows=rows, who=who, now=now)
    return session.scalars(select(Payment.payment_no).where(Payment.order_id == order.id)).one(), order.id


def _tell_pay_out(ports: Ports, session: Session, slip: CounterSlip) -> str:
    refund, payment = _pay_out_due(ports, session, refund_no=slip.refund_no or "", amount_fen=slip.amount_fen)
    news = PaymentNews(
        notification_id=f"pay-out:{refund.refund_no}:PAID_OUT",
        kind=NewsKind.REFUNDED,
        payment_no=payment.payment_no,
        provider_payment_no=payment.provider_payment_no,
        amount_fen=came_in(session, payment),
        happened_at=datetime.combine(slip.paid_on, time(), BEIJING),
        refund_no=refund.refund_no,
        provider_refund_no=f"{slip.bank}-{slip.serial}",
        refund_fen=refund.amount_fen,
    )
    enter(ports, session, miniprogram=slip.way, news=news, raw=None)
    return payment.payment_no


def _pay_out_due(ports: Ports, session: Session, *, refund_no: str, amount_fen: int) -> tuple[Refund, Payment]:
    """A refund of slip money that is on its way. Raises NoPayOutDue."""
    row = session.execute(
        select(Refund, Payment)
        .join(Payment, Payment.id == Refund.payment_id)
        .where(
            Refund.refund_no == refund_no.strip().upper(),
            Refund.origin == RefundOrigin.ORDERED,
            Refund.road == RefundRoad.PROVIDER,
            Refund.state.in_(AT_THE_PROVIDER),
            Payment.miniprogram.in_(list(ports.partners.slips)),
        )
    ).one_or_none()
    if row is None or row[0].amount_fen != amount_fen:
        raise NoPayOutDue
    return row[0], row[1]


def _person_of(session: Session, payment: Payment) -> Person | None:
    return session.scalar(
        select(Person).join(PaymentOrder, PaymentOrder.person_id == Person.id).where(PaymentOrder.id == payment.order_id)
    )


def _waiting(ports: Ports, session: Session, slip_no: str, *, who: str) -> CounterSlip:
    slip = _slip(session, slip_no, lock=True)
    if slip.state != SlipState.RECORDED:
        raise SlipNotWaiting
    person = None if slip.person_id is None else session.get(Person, slip.person_id)
    if person is not None:
        refuse_own(ports, session, person=person, reviewer=Reviewer(who=who, roles=frozenset()))
    return slip


def _slip(session: Session, slip_no: str, *, lock: bool = False) -> CounterSlip:
    wanted = select(CounterSlip).where(CounterSlip.slip_no == slip_no.strip().upper())
    found = session.scalar(wanted.with_for_update() if lock else wanted)
    if found is None:
        raise NotFound
    return found


def _view(session: Session, slip: CounterSlip) -> SlipView:
    person = None if slip.person_id is None else session.get(Person, slip.person_id)
    months = session.scalars(
        select(ContributionBill.coverage_month)
        .where(ContributionBill.bill_no.in_(slip.bill_nos))
        .order_by(ContributionBill.coverage_month)
    ).all()
    payment = session.scalar(select(Payment).where(Payment.order_id == slip.order_id)) if slip.order_id else None
    return SlipView(
        slip_no=slip.slip_no,
        kind=slip.kind,
        state=slip.state,
        region=slip.region,
        bank=slip.bank,
        serial=slip.serial,
        amount_fen=slip.amount_fen,
        months=list(dict.fromkeys(months)),
        name_masked=None if person is None else person.name_masked,
        id_number_masked=None if person is None else person.id_number_masked,
        refund_no=slip.refund_no,
        paid_on=slip.paid_on,
        recorded_by=slip.recorded_by,
        decided_by=slip.decided_by,
        created_at=slip.created_at,
        payment_no=None if payment is None else payment.payment_no,
        payment_state=None if payment is None else payment.state,
    )
