"""Orders that one of the staff makes for somebody at a window, to be paid with a card at its terminal (R-CZ-56).

The terminal is given the order's number; UnionPay's notice, or its answer to the sweep's question, says that it was paid. An order
ends with its day, and not before UnionPay has said that nobody paid it (services/payments.py closes it as it closes the phone's).
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from config.clock import BEIJING, day_start
from models.base import ALPHABET, constraint_of
from models.bills import BillState, ContributionBill
from models.counters import CounterOrder
from models.orders import OrderLine, OrderOrigin, OrderState, PaymentOrder
from models.payments import Payment
from models.people import Person
from services.counter_bills import (
    PersonsBills,
    due_bills,
    find_person,
    holder_of,
    is_covered,
    lock_bills,
    own_account,
    told,
)
from services.counter_errors import CounterOrderInDoubt, CounterOrderWaiting, NoTerminalHere, SiteUnknown
from services.errors import AmountChanged, BillNotPayable, BillsReserved, NotFound, PersonNotMatched
from services.outside_orders import OutsideOrder, place_outside
from services.payments import ask_now, close_payment
from services.people import parse_document_number, parse_name
from services.review_queue import Reviewer
from services.review_rules import refuse_own
from services.settlement import settle
from services.staff_numbers import parse_staff_number

if TYPE_CHECKING:
    import uuid

    from sqlalchemy import Row, Select
    from sqlalchemy.orm import Session

    from config.rulebook import Region
    from models.identity import CounterDocument
    from providers.protocols import PaymentProvider
    from services.counter_bills import Covered
    from services.ports import Ports

ASK_FIRST_AFTER: Final = timedelta(minutes=2)
"""The card is usually in the terminal by then; from here on silence is asked about as the phone's is."""
NUMBER_TAIL: Final = 10
LIST: Final = 200
A_DAY: Final = timedelta(days=1)
NOT_THE_PERSON: Final = "系统中没有这个姓名和证件号码的参保人，请对照证件核对。刚办理参保登记的，请次日再查。"
ELSEWHERE: Final = "所选月份正在别处支付中（手机、银行扣款或其他窗口），请等其结束，或请来人先在手机上取消。"


@dataclass(frozen=True, kw_only=True)
class NewCounterOrder:
    """Months that were ticked with the person before the window."""

    site: str
    """The agency's code."""
    document: CounterDocument
    person_id: uuid.UUID
    """As `look_for` answered it."""
    bill_nos: tuple[str, ...]
    expected_amount_fen: int
    """What the page showed."""


@dataclass(frozen=True, kw_only=True)
class CounterOrderView:
    payment_no: str
    """What is typed into the terminal."""
    state: str
    payment_state: str
    amount_fen: int
    months: list[int]
    name_masked: str
    region: str
    site: str
    made_by: str
    created_at: datetime
    expires_at: datetime
    paid_at: datetime | None

    @property
    def is_live(self) -> bool:
        return self.state == OrderState.PREPAY


def look_for(ports: Ports, *, site: str, name: str, id_number: str, document: CounterDocument, by: str) -> PersonsBills:
    """What the person with this paper may pay at this window. `by`: a staff number.

    Raises StaffNumberMalformed, NameMalformed, IdNumberMalformed, DocumentNumberMalformed, SiteUnknown, NoTerminalHere,
    PersonNotMatched, OwnAffairs.
    """
    who = f"staff:{parse_staff_number(by)}"
    given, number = parse_name(name), parse_document_number(id_number, document=document, today=ports.today()).text
    region = _region_of(ports, site)
    _, provider = terminal_of(ports, region)
    with ports.begin() as session:
        person = find_person(ports, session, name=given, id_number=number)
        if person is None:
            raise PersonNotMatched(detail=NOT_THE_PERSON)
        refuse_own(ports, session, person=person, reviewer=Reviewer(who=who, roles=frozenset()))
        rows = due_bills(session, person_id=person.id, authority=_authority(ports, provider))
        return PersonsBills(
            person_id=person.id,
            name_masked=person.name_masked,
            id_number_masked=person.id_number_masked,
            bills=told(rows, region=region, today=ports.today()),
        )


def make_counter_order(ports: Ports, *, new: NewCounterOrder, by: str) -> CounterOrderView:
    """Reserve the months until the day ends, under a number for the terminal.

    Raises StaffNumberMalformed, SiteUnknown, NoTerminalHere, NotFound (a month that is not this person's), OwnAffairs, BillNotPayable,
    CounterOrderWaiting (one was made already), BillsReserved, AmountChanged.
    """
    who, now = f"staff:{parse_staff_number(by)}", ports.now()
    region = _region_of(ports, new.site)
    way, provider = terminal_of(ports, region)
    authority = _authority(ports, provider)
    try:
        with ports.begin() as session:
            person = session.get(Person, new.person_id)
            if person is None or not new.bill_nos:
                raise NotFound
            refuse_own(ports, session, person=person, reviewer=Reviewer(who=who, roles=frozenset()))
            rows = lock_bills(session, person_id=person.id, authority=authority, bill_nos=new.bill_nos)
            _refuse(ports, session, rows, new=new)
            order, payment = place_outside(
                session,
                bills=[bill for bill, _ in rows],
                new=OutsideOrder(
                    origin=OrderOrigin.POS,
                    way=way,
                    channel=provider.channel,
                    merchant=provider.merchant,
                    person_id=person.id,
                    payer_account_id=own_account(session, person_id=person.id),
                    expires_at=day_start(now) + A_DAY,
                    payment_no=terminals_number(now),
                ),
                who=who,
                now=now,
            )
            payment.next_ask_at = now + ASK_FIRST_AFTER
            session.add(
                CounterOrder(
                    order_id=order.id, region=region.code, site=new.site, document=new.document, made_by=who, created_at=now
                )
            )
            payment_no = payment.payment_no
    except IntegrityError as fault:
        if constraint_of(fault) == "uq_payment_order_lines_bill_id_live":
            raise BillsReserved(detail=ELSEWHERE) from None
        raise
    return read_counter_order(ports, payment_no=payment_no)


def terminals_number(now: datetime) -> str:
    """A number that begins with its moment in Beijing: UnionPay asks for both, and whoever has the one has the other. Pure but for chance."""
    tail = "".join(secrets.choice(ALPHABET) for _ in range(NUMBER_TAIL))
    return now.astimezone(BEIJING).strftime("%Y%m%d%H%M%S") + tail


def _refuse(ports: Ports, session: Session, rows: list[Covered], *, new: NewCounterOrder) -> None:
    if len(rows) != len(set(new.bill_nos)):
        raise NotFound
    locked = [bill.id for bill, _ in rows if bill.state == BillState.LOCKED]
    holder = holder_of(session, locked) if locked else None
    if holder is not None and holder.origin == OrderOrigin.POS:
        raise CounterOrderWaiting(payment_no=session.scalar(select(Payment.payment_no).where(Payment.order_id == holder.id)))
    if locked:
        raise BillsReserved(detail=ELSEWHERE)
    if any(bill.state != BillState.UNPAID or not is_covered(bill, spell, today=ports.today()) for bill, spell in rows):
        raise BillNotPayable
    if (total_fen := sum(bill.amount_fen for bill, _ in rows)) != new.expected_amount_fen:
        raise AmountChanged(amount_fen=total_fen)


def read_counter_order(ports: Ports, *, payment_no: str) -> CounterOrderView:
    """Where it stands. Raises NotFound."""
    with ports.begin() as session:
        row = session.execute(_orders().where(Payment.payment_no == payment_no)).one_or_none()
        if row is None:
            raise NotFound
        return _view(session, row)


def list_counter_orders(ports: Ports) -> list[CounterOrderView]:
    """Those of the last day, the newest first."""
    with ports.begin() as session:
        rows = session.execute(
            _orders()
            .where(CounterOrder.created_at > ports.now() - A_DAY)
            .order_by(CounterOrder.created_at.desc(), CounterOrder.order_id.desc())
            .limit(LIST)
        ).all()
        return [_view(session, row) for row in rows]


def ask_about_counter_order(ports: Ports, *, payment_no: str) -> CounterOrderView:
    """The clerk wants to know now: what waits is settled, and UnionPay asked, at most once in three seconds. Raises NotFound."""
    view = read_counter_order(ports, payment_no=payment_no)
    settle(ports, payment_no=payment_no)
    if view.is_live:
        ask_now(ports, payment_no)
    return read_counter_order(ports, payment_no=payment_no)


def withdraw_counter_order(ports: Ports, *, payment_no: str) -> CounterOrderView:
    """Give the months back, once UnionPay has said that nobody paid. Raises NotFound, CounterOrderInDoubt (they do not say so)."""
    view = ask_about_counter_order(ports, payment_no=payment_no)
    if view.is_live and not close_payment(ports, payment_no):
        raise CounterOrderInDoubt
    return read_counter_order(ports, payment_no=payment_no)


def terminal_of(ports: Ports, region: Region) -> tuple[str, PaymentProvider]:
    """The way's code and its provider. Raises NoTerminalHere."""
    for code, pos in sorted(ports.partners.pos.items()):
        if pos.region == region.code and code in ports.payments:
            return code, ports.payments[code]
    raise NoTerminalHere


def _authority(ports: Ports, provider: PaymentProvider) -> str:
    return next(pos.authority for pos in ports.partners.pos.values() if pos.merchant == provider.merchant)


def _region_of(ports: Ports, site: str) -> Region:
    for _, region in sorted(ports.rulebook.regions.items()):
        if site in region.agencies:
            return region
    raise SiteUnknown


def _orders() -> Select[CounterOrder, PaymentOrder, Payment, str]:
    return (
        select(CounterOrder, PaymentOrder, Payment, Person.name_masked)
        .join(PaymentOrder, PaymentOrder.id == CounterOrder.order_id)
        .join(Payment, Payment.order_id == PaymentOrder.id)
        .join(Person, Person.id == PaymentOrder.person_id)
    )


def _view(session: Session, row: Row[CounterOrder, PaymentOrder, Payment, str]) -> CounterOrderView:
    made, order, payment, name_masked = row
    months = session.scalars(
        select(ContributionBill.coverage_month)
        .join(OrderLine, OrderLine.bill_id == ContributionBill.id)
        .where(OrderLine.order_id == order.id)
        .order_by(ContributionBill.coverage_month)
    ).all()
    return CounterOrderView(
        payment_no=payment.payment_no,
        state=order.state,
        payment_state=payment.state,
        amount_fen=order.total_fen,
        months=list(dict.fromkeys(months)),
        name_masked=name_masked,
        region=made.region,
        site=made.site,
        made_by=made.made_by,
        created_at=made.created_at,
        expires_at=order.expires_at,
        paid_at=payment.paid_at,
    )
