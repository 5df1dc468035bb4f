"""What a partner bank asks and reports from its counters (R-CZ-57, R-CZ-58): whose months are due, and that somebody paid them.

A report that does not fit is refused, and then nothing was taken. A bank that cannot undo says so (`money_taken`): its money comes in
whatever we think of it, and what pays nothing goes back. Under one serial there is one answer, however often it is asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from config.clock import BEIJING
from config.logs import logger
from models.bills import BillState
from models.counters import CounterMeans, CounterPayment, PartnerNonce
from models.payments import Payment, PaymentState
from providers.counters.partner import CounterPartner
from services.agreement_views import banks_of
from services.counter_bills import PersonsBills, due_bills, find_person, is_covered, lock_bills, told
from services.counter_money import Taken, stand_for, tell_inbox
from services.counter_payment_errors import CashNotTaken, CounterMomentWrong, PartnerReplay, SerialClosed, SerialReused
from services.errors import AmountChanged, BillNotPayable, BillsReserved, BusinessError, PersonNotMatched
from services.idempotency import fingerprint, made_once
from services.people import parse_name, parse_persons_number
from services.probing import forget_miss, note_miss
from services.settlement import settle

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from models.people import Person
    from services.counter_bills import Covered
    from services.ports import Ports

log = logger(__name__)

AHEAD_AT_MOST: Final = timedelta(minutes=5)
"""How far a teller's clock may be before ours."""
NOBODYS: Final = "serial:"
"""Before the bank's serial: the number under which money is looked for that no order of ours can be for."""
NOT_THE_PERSON: Final = "没有这个姓名和身份证号码的参保人，请对照身份证核对；刚办理参保登记的，请次日再来。"
TRIED_TOO_OFTEN: Final = "为保护个人信息，此身份证号码近日核对次数过多，请明天再试，或到办税服务厅窗口办理。"
NOT_THEIRS: Final = "所报应缴记录不是此人在本地区的，或已缴费、已变更，请重新查询。"


@dataclass(frozen=True, kw_only=True)
class CounterReport:
    """What the bank says that somebody paid with their own ID card in hand."""

    serial: str
    name: str
    id_number: str
    bill_nos: tuple[str, ...]
    amount_fen: int
    means: CounterMeans
    site: str
    """The bank's number of the branch."""
    taken_at: datetime
    money_taken: bool
    """The bank cannot undo it: book it whatever comes."""

    def __repr__(self) -> str:
        return f"CounterReport({self.serial})"


@dataclass(frozen=True, kw_only=True)
class CounterPaymentView:
    """What stands under a serial."""

    serial: str
    state: str
    """SETTLED, SURPLUS (it goes back), UNKNOWN (a person looks), REFUSED (nothing was taken), or ACCEPTED while it is being booked."""
    payment_no: str | None
    amount_fen: int | None
    refusal: str | None


STATES: Final = {
    PaymentState.SUCCEEDED: "SETTLED",
    PaymentState.SURPLUS: "SURPLUS",
    PaymentState.UNCLAIMED: "UNKNOWN",
}


def use_nonce(ports: Ports, *, way: str, nonce: str) -> None:
    """A request that its bank signed is carried out once. Raises PartnerReplay."""
    with ports.begin() as session:
        kept = session.execute(
            insert(PartnerNonce)
            .values(way=way, nonce=nonce, at=ports.now())
            .on_conflict_do_nothing()
            .returning(PartnerNonce.at)
        ).all()
    if not kept:
        raise PartnerReplay


def query_bills(ports: Ports, *, way: str, name: str, id_number: str, bill_no: str | None = None) -> PersonsBills:
    """The unpaid months of whoever has this name and ID number; `bill_no`: that one alone, as a printed voucher names it.

    Raises NameMalformed, IdNumberMalformed, PersonNotMatched, TooManyLookups (this number was tried in vain too often).
    """
    partner = partner_of(ports, way)
    given, number = parse_name(name), parse_persons_number(id_number, today=ports.today()).text
    region = ports.rulebook.region(partner.region)
    with ports.begin() as session:
        person = find_person(ports, session, name=given, id_number=number)
        _count_try(ports, session, id_number=number, person=person)
        if person is not None:
            rows = [
                row
                for row in due_bills(session, person_id=person.id, authority=partner.authority)
                if bill_no is None or row[0].bill_no == bill_no
            ]
            return PersonsBills(
                person_id=person.id,
                name_masked=person.name_masked,
                id_number_masked=person.id_number_masked,
                bills=told(rows, region=region, today=ports.today()),
            )
    # Said when the miss is on record, and not before.
    raise PersonNotMatched(detail=NOT_THE_PERSON)


def _count_try(ports: Ports, session: Session, *, id_number: str, person: Person | None) -> None:
    """A bank's key is no licence to guess whose number has which name. Raises TooManyLookups, whether or not it was guessed."""
    index = ports.seals.index("id_number", id_number)
    miss = note_miss(session, account_id=None, id_index=index, now=ports.now(), detail=TRIED_TOO_OFTEN)
    if person is not None:
        forget_miss(session, miss)


def take_payment(ports: Ports, *, way: str, report: CounterReport, raw: bytes) -> CounterPaymentView:
    """Book what was taken, or refuse it. `raw`: the signed body, kept sealed as evidence of what comes in.

    Raises NameMalformed, IdNumberMalformed, SerialReused, and where nothing was taken TooManyLookups, PersonNotMatched, CashNotTaken, BillNotPayable,
    BillsReserved, AmountChanged, CounterMomentWrong, SerialClosed.
    """
    given, number = parse_name(report.name), parse_persons_number(report.id_number, today=ports.today()).text
    notified_as, refusal = made_once(
        lambda: _keep(ports, way=way, report=report, name=given, id_number=number, raw=raw),
        or_met="uq_counter_payments_way_serial",
    )
    if refusal is not None:
        raise BusinessError.family[refusal]
    settle(ports, payment_no=notified_as)
    return read_payment(ports, way=way, serial=report.serial)


def _keep(
    ports: Ports, *, way: str, report: CounterReport, name: str, id_number: str, raw: bytes
) -> tuple[str | None, str | None]:
    """Under which number its money got into the inbox, or the code of the refusal. The serial's row is the queue of its repeats."""
    now, who = ports.now(), f"partner:{way}"
    with ports.begin() as session:
        person = find_person(ports, session, name=name, id_number=id_number)
        request_hash = _hash(report, person)
        row = session.scalar(
            select(CounterPayment).where(CounterPayment.way == way, CounterPayment.serial == report.serial).with_for_update()
        )
        if row is not None and row.request_hash is not None and bytes(row.request_hash) != request_hash:
            raise SerialReused
        if row is not None and (row.refusal is None or not report.money_taken):
            return row.notified_as, row.refusal
        if not report.money_taken:
            _count_try(ports, session, id_number=id_number, person=person)
        rows = _rows(ports, session, way=way, report=report, person=person)
        refusal = None if report.money_taken else _refusal(ports, way=way, report=report, person=person, rows=rows)
        notified_as, order_id = None, None
        if refusal is None:
            taken = Taken(way=way, their_no=report.serial, amount_fen=report.amount_fen, taken_at=report.taken_at, raw=raw)
            notified_as, order_id = _bring_in(ports, session, taken=taken, person=person, rows=rows, report=report, who=who)
        # Last: of two at once the later one meets the serial here, all that it did is undone, and it tells what the first one did.
        row = row or CounterPayment(way=way, serial=report.serial, created_at=now)
        row.request_hash, row.refusal = request_hash, None if refusal is None else refusal.code
        row.notified_as, row.order_id = notified_as, order_id
        row.amount_fen, row.means, row.site, row.taken_at = report.amount_fen, report.means, report.site, report.taken_at
        session.add(row)
        session.flush()
        return row.notified_as, row.refusal


def _hash(report: CounterReport, person: Person | None) -> bytes:
    """Ids in place of people: a hash of a name and a number could be guessed."""
    whose = "nobody" if person is None else str(person.id)
    at = report.taken_at.isoformat()
    return fingerprint(whose, sorted(set(report.bill_nos)), report.amount_fen, report.means, report.site, at)


def _rows(ports: Ports, session: Session, *, way: str, report: CounterReport, person: Person | None) -> list[Covered]:
    if person is None:
        return []
    authority = partner_of(ports, way).authority
    return lock_bills(session, person_id=person.id, authority=authority, bill_nos=report.bill_nos)


def _refusal(
    ports: Ports, *, way: str, report: CounterReport, person: Person | None, rows: list[Covered]
) -> type[BusinessError] | None:
    """Why the bank should not take this money. Pure but for the day."""
    today = ports.today()
    if report.taken_at > ports.now() + AHEAD_AT_MOST:
        return CounterMomentWrong
    if person is None:
        return PersonNotMatched
    if report.means == CounterMeans.CASH and not _takes_cash(ports, way):
        return CashNotTaken
    if any(bill.state == BillState.LOCKED for bill, _ in rows):
        return BillsReserved
    is_whole = bool(rows) and len(rows) == len(set(report.bill_nos))
    if not is_whole or any(bill.state != BillState.UNPAID or not is_covered(bill, of, today=today) for bill, of in rows):
        return BillNotPayable
    if sum(bill.amount_fen for bill, _ in rows) != report.amount_fen:
        return AmountChanged
    return None


def _takes_cash(ports: Ports, way: str) -> bool:
    """Whether the region's rulebook names this bank among those that take cash (R-CZ-58)."""
    partner = partner_of(ports, way)
    banks = banks_of(ports.rulebook.region(partner.region), ports.today())
    return any(bank.code == partner.bank and bank.cash for bank in banks)


def _bring_in(
    ports: Ports, session: Session, *, taken: Taken, person: Person | None, rows: list[Covered], report: CounterReport, who: str
) -> tuple[str, int | None]:
    """The number under which the inbox has it, and the order that it is for; None: nobody of ours was to be found."""
    is_whole = bool(rows) and len(rows) == len(set(report.bill_nos))
    if person is None or not is_whole:
        nobodys = NOBODYS + report.serial
        tell_inbox(ports, session, taken=taken, payment_no=nobodys)
        log.warning("counter_payment.of_nobody", way=taken.way, serial=report.serial)
        return nobodys, None
    order = stand_for(ports, session, taken=taken, person_id=person.id, rows=rows, who=who, now=ports.now())
    return session.scalars(select(Payment.payment_no).where(Payment.order_id == order.id)).one(), order.id


def read_payment(ports: Ports, *, way: str, serial: str) -> CounterPaymentView:
    """What stands under a serial. One that never came is closed by the asking: the bank gives its money back and must not be outrun.

    The answer to a serial that never came is REFUSED, with SERIAL_CLOSED.
    """
    return made_once(lambda: _read_or_close(ports, way=way, serial=serial), or_met="uq_counter_payments_way_serial")


def _read_or_close(ports: Ports, *, way: str, serial: str) -> CounterPaymentView:
    provider = ports.payments[way]
    with ports.begin() as session:
        row = session.scalar(
            select(CounterPayment).where(CounterPayment.way == way, CounterPayment.serial == serial).with_for_update()
        )
        if row is None:
            row = CounterPayment(way=way, serial=serial, refusal=SerialClosed.code, created_at=ports.now())
            session.add(row)
            session.flush()
        if row.refusal is not None:
            return CounterPaymentView(
                serial=serial, state="REFUSED", payment_no=None, amount_fen=row.amount_fen, refusal=row.refusal
            )
        payment = session.scalar(
            select(Payment).where(
                Payment.channel == str(provider.channel),
                Payment.merchant == provider.merchant,
                Payment.provider_payment_no == serial,
            )
        )
        return CounterPaymentView(
            serial=serial,
            state="ACCEPTED" if payment is None else STATES.get(PaymentState(payment.state), "ACCEPTED"),
            payment_no=None if payment is None else payment.payment_no,
            amount_fen=row.amount_fen,
            refusal=None,
        )


def partner_of(ports: Ports, way: str) -> CounterPartner:
    """The bank behind a way to pay. Raises KeyError: the door has asked whether there is one."""
    found = ports.payments[way]
    if not isinstance(found, CounterPartner):
        raise KeyError(way)
    return found


def beijing(at: datetime) -> str:
    """As the partner API writes a moment. Pure."""
    return at.astimezone(BEIJING).isoformat(timespec="seconds")
