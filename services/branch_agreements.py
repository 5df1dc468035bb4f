"""Withholding agreements that were signed at a bank's branch (R-CZ-12, R-CZ-41): one of the staff records what the paper says, another confirms it.

The second one types the card's number again from the paper; what differs is not confirmed. Neither may be the person.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import datetime, time
from typing import TYPE_CHECKING, Final

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from config.clock import BEIJING
from config.logs import logger
from models.base import constraint_of, new_id
from models.messages import MessageKey
from models.people import Person
from models.withholding_agreements import AgreementChannel, AgreementReason, AgreementState, WithholdingAgreement
from services.agreement_errors import (
    AgreementInForce,
    AgreementNotWaiting,
    BankNotListed,
    BanksNumberMalformed,
    RecordDiffers,
    SigningDayWrong,
)
from services.agreement_views import banks_of
from services.application_errors import NotActive
from services.counter_bills import find_person
from services.counter_errors import SecondPersonRequired
from services.errors import NotFound, PersonNotMatched
from services.messages import tell
from services.people import parse_card_number, parse_name, parse_persons_number
from services.review_queue import Reviewer
from services.review_rules import refuse_own
from services.staff_numbers import parse_staff_number
from services.withholding_agreements import card_columns, enrolled, live_agreement, refuse_in_flight

if TYPE_CHECKING:
    from datetime import date

    from sqlalchemy.orm import Session

    from config.rulebook import Region
    from services.ports import Ports

log = logger(__name__)

MOST_LISTED: Final = 200
BANKS_NUMBER: Final = re.compile(r"[0-9A-Z-]{4,40}")
NOT_ENROLLED: Final = "该险种在本地区没有正常参保的登记，签约尚不生效，请核对后再录入。"
NOT_THE_PERSON: Final = "系统中没有这个姓名和身份证号码的参保人，请对照证件核对。"
STOPS: Final = (AgreementReason.CARD_LOST, AgreementReason.ACCOUNT_FROZEN)
"""Why a bank may stop an agreement for a time."""


@dataclass(frozen=True, kw_only=True)
class SignedPaper:
    """What the agreement says that the bank and the person signed."""

    region: str
    insurance_type: str
    name: str
    id_number: str
    bank: str
    card_number: str
    bank_agreement_no: str | None
    financial_function_activated: bool
    signed_on: date

    def __repr__(self) -> str:
        return f"SignedPaper({self.region}, {self.insurance_type})"


@dataclass(frozen=True, kw_only=True)
class RecordedView:
    """As the staff see it: masked; nothing sealed is opened for it."""

    agreement_no: str
    region: str
    insurance_type: str
    state: str
    reason: str | None
    bank: str
    card_masked: str
    name_masked: str
    id_number_masked: str
    financial_function_activated: bool | None
    recorded_by: str | None
    signed_at: datetime


def record(ports: Ports, *, paper: SignedPaper, by: str) -> RecordedView:
    """The first of the two. `by`: a staff number.

    Raises StaffNumberMalformed, NameMalformed, IdNumberMalformed, CardNumberMalformed, NotFound (no such region), BankNotListed,
    BanksNumberMalformed, SigningDayWrong, PersonNotMatched, OwnAffairs, AgreementInForce, NotActive.
    """
    who, now = f"staff:{parse_staff_number(by)}", ports.now()
    card, name = parse_card_number(paper.card_number), parse_name(paper.name)
    id_number = parse_persons_number(paper.id_number, today=ports.today()).text
    region = ports.rulebook.regions.get(paper.region)
    if region is None or not region.authority:
        raise NotFound
    bank = next((each for each in banks_of(region, ports.today()) if each.code == paper.bank), None)
    if bank is None:
        raise BankNotListed
    if paper.signed_on > ports.today():
        raise SigningDayWrong
    row_id = new_id()
    row = WithholdingAgreement(
        id=row_id,
        region=region.code,
        authority=region.authority,
        insurance_type=paper.insurance_type,
        channel=AgreementChannel.BRANCH,
        bank=bank.code,
        bank_category=bank.bank_category.code,
        **card_columns(ports, row_id, card),
        bank_agreement_no=_banks_number(paper.bank_agreement_no),
        financial_function_activated=paper.financial_function_activated,
        signed_at=datetime.combine(paper.signed_on, time(), BEIJING),
        recorded_by=who,
        created_at=now,
    )
    try:
        with ports.begin() as session:
            person = _person(ports, session, name=name, id_number=id_number)
            refuse_own(ports, session, person=person, reviewer=Reviewer(who=who, roles=frozenset()))
            _refuse(session, person=person, region=region, insurance_type=paper.insurance_type)
            row.person_id = person.id
            session.add(row)
            session.flush()
            return _view(row, person)
    except IntegrityError as fault:
        if constraint_of(fault) == "uq_withholding_agreements_live":
            raise AgreementInForce from None
        raise


def _banks_number(given: str | None) -> str | None:
    """The bank's own number of the agreement in its one writing. Raises BanksNumberMalformed."""
    if given is None:
        return None
    text = unicodedata.normalize("NFKC", given).strip().upper()
    if not BANKS_NUMBER.fullmatch(text):
        raise BanksNumberMalformed
    return text


def _person(ports: Ports, session: Session, *, name: str, id_number: str) -> Person:
    person = find_person(ports, session, name=name, id_number=id_number)
    if person is None:
        raise PersonNotMatched(detail=NOT_THE_PERSON)
    return person


def _refuse(session: Session, *, person: Person, region: Region, insurance_type: str) -> None:
    live = live_agreement(session, person_id=person.id, insurance_type=insurance_type, authority=region.authority)
    if live is not None:
        raise AgreementInForce(agreement_no=live.agreement_no, state=live.state)
    if enrolled(session, person=person, region=region, insurance_type=insurance_type) is None:
        raise NotActive(detail=NOT_ENROLLED)


def look_at(ports: Ports, *, agreement_no: str) -> RecordedView:
    """What was recorded, masked. Raises NotFound."""
    with ports.begin() as session:
        row = _row(session, agreement_no)
        return _view(row, session.get_one(Person, row.person_id))


def confirm(ports: Ports, *, agreement_no: str, card_number: str, by: str) -> RecordedView:
    """The second of the two, with the paper in hand: it is in force from now on.

    Raises StaffNumberMalformed, CardNumberMalformed, NotFound, AgreementNotWaiting, SecondPersonRequired, OwnAffairs, RecordDiffers.
    """
    who, now = f"staff:{parse_staff_number(by)}", ports.now()
    card = parse_card_number(card_number)
    with ports.begin() as session:
        row, person = _waiting(ports, session, agreement_no, who=who)
        if row.recorded_by == who:
            raise SecondPersonRequired
        if not ports.seals.same(bytes(row.card_number_index or b""), ports.seals.index("card_number", card)):
            raise RecordDiffers
        row.activate(who=who, at=now, confirmed_by=who)
        told = _view(row, person)
    log.info("branch_agreement.confirmed", agreement=told.agreement_no)
    return told


def refuse(ports: Ports, *, agreement_no: str, by: str) -> RecordedView:
    """Either of the two: it was recorded wrongly, and can be recorded anew.

    Raises StaffNumberMalformed, NotFound, AgreementNotWaiting, OwnAffairs.
    """
    who, now = f"staff:{parse_staff_number(by)}", ports.now()
    with ports.begin() as session:
        row, person = _waiting(ports, session, agreement_no, who=who)
        row.reject(AgreementReason.RECORDED_WRONGLY, who=who, at=now)
        return _view(row, person)


def suspend(ports: Ports, *, agreement_no: str, why: AgreementReason, by: str) -> RecordedView:
    """The bank says that the card cannot be debited for now; of agreements of either channel.

    Raises StaffNumberMalformed, NotFound, AgreementNotWaiting, OwnAffairs, and ValueError for a reason that is none of the bank's.
    """
    if why not in STOPS:
        raise ValueError(f"{why} is no reason to suspend")
    who, now = f"staff:{parse_staff_number(by)}", ports.now()
    with ports.begin() as session:
        row, person = _in_state(ports, session, agreement_no, AgreementState.ACTIVE, who=who)
        row.suspend(why, who=who, at=now)
        if row.account_id is not None:
            facts = {"agreement_no": row.agreement_no}
            tell(session, account_id=row.account_id, key=MessageKey.AGREEMENT_SUSPENDED, facts=facts, at=now)
        return _view(row, person)


def resume(ports: Ports, *, agreement_no: str, by: str) -> RecordedView:
    """The card is well again. Raises StaffNumberMalformed, NotFound, AgreementNotWaiting, OwnAffairs."""
    who, now = f"staff:{parse_staff_number(by)}", ports.now()
    with ports.begin() as session:
        row, person = _in_state(ports, session, agreement_no, AgreementState.SUSPENDED, who=who)
        row.resume(who=who, at=now)
        return _view(row, person)


def end(ports: Ports, *, agreement_no: str, by: str) -> RecordedView:
    """It was ended at the bank. Raises StaffNumberMalformed, NotFound, AgreementNotWaiting, OwnAffairs, DebitInFlight."""
    who, now = f"staff:{parse_staff_number(by)}", ports.now()
    with ports.begin() as session:
        row, person = _in_state(
            ports, session, agreement_no, AgreementState.ACTIVE, AgreementState.SUSPENDED, who=who
        )  # fmt: skip
        refuse_in_flight(session, row)
        row.terminate(who=who, at=now)
        return _view(row, person)


def list_waiting(ports: Ports) -> list[RecordedView]:
    """What waits for the second of the two, oldest first."""
    each = WithholdingAgreement
    wanted = (
        select(each, Person)
        .join(Person, Person.id == each.person_id)
        .where(each.state == AgreementState.PENDING_VERIFY, each.channel == AgreementChannel.BRANCH)
        .order_by(each.created_at, each.id)
        .limit(MOST_LISTED)
    )
    with ports.begin() as session:
        return [_view(row, person) for row, person in session.execute(wanted)]


def _waiting(ports: Ports, session: Session, agreement_no: str, *, who: str) -> tuple[WithholdingAgreement, Person]:
    """Recorded and not confirmed; one that was signed online waits for its bank, and for none of the staff."""
    row, person = _in_state(ports, session, agreement_no, AgreementState.PENDING_VERIFY, who=who)
    if row.channel != AgreementChannel.BRANCH:
        raise AgreementNotWaiting
    return row, person


def _in_state(
    ports: Ports, session: Session, agreement_no: str, *states: AgreementState, who: str
) -> tuple[WithholdingAgreement, Person]:
    row = _row(session, agreement_no, lock=True)
    if row.state not in states:
        raise AgreementNotWaiting
    person = session.get_one(Person, row.person_id)
    refuse_own(ports, session, person=person, reviewer=Reviewer(who=who, roles=frozenset()))
    return row, person


def _row(session: Session, agreement_no: str, *, lock: bool = False) -> WithholdingAgreement:
    wanted = select(WithholdingAgreement).where(WithholdingAgreement.agreement_no == agreement_no.strip().upper())
    row = session.scalar(wanted.with_for_update() if lock else wanted)
    if row is None:
        raise NotFound
    return row


def _view(row: WithholdingAgreement, person: Person) -> RecordedView:
    return RecordedView(
        agreement_no=row.agreement_no,
        region=row.region,
        insurance_type=row.insurance_type,
        state=row.state,
        reason=row.reason,
        bank=row.bank,
        card_masked=row.card_masked,
        name_masked=person.name_masked,
        id_number_masked=person.id_number_masked,
        financial_function_activated=row.financial_function_activated,
        recorded_by=row.recorded_by,
        signed_at=row.signed_at,
    )
