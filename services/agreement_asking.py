"""Asking the bank about an agreement: on the press that signs it, and by a sweep where nobody answered, until it is given up.

Each asking is a try at a card like any other (`bank_card_checks`), counted before the bank hears of it.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from sqlalchemy import select

from config.logs import logger
from config.seals import SealBroken
from models.base import new_id
from models.identity import BankCardCheckState, BankCardPurpose
from models.messages import MessageKey
from models.people import Person
from models.withholding_agreements import AgreementReason, AgreementState, WithholdingAgreement
from providers.protocols import RealName
from services.bank_card_checks import ask_bank, begin_try, end_try
from services.consents import is_taken_back
from services.errors import TooManyLookups
from services.messages import tell
from services.personal_data import open_personal

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.orm import Session

    from services.ports import Ports

log = logger(__name__)

AGAIN_AFTER: Final = (timedelta(minutes=1), timedelta(minutes=10), timedelta(hours=1), timedelta(hours=6), timedelta(hours=12))
"""After the first asking, the second, and so on; after the last of these it is given up. A day, all in all, as its text says."""
SWEEP: Final = "agreement_asking.ask_about_agreements"
CONSENTS: Final = ("BANK_ACCOUNT", "WITHHOLDING")
REJECTIONS: Final = {
    BankCardCheckState.MISMATCHED: AgreementReason.HOLDER_MISMATCH,
    BankCardCheckState.UNSUPPORTED: AgreementReason.CARD_UNSUPPORTED,
}

TOLD: Final = {
    AgreementState.ACTIVE: MessageKey.AGREEMENT_ACTIVE,
    AgreementState.REJECTED: MessageKey.AGREEMENT_REJECTED,
}


@dataclass(frozen=True, kw_only=True)
class Question:
    """What the bank is asked, and the rows that tell of it. Never logged."""

    agreement_id: uuid.UUID
    check_id: uuid.UUID
    miss: int
    person: RealName
    card: str
    phone: str

    def __repr__(self) -> str:
        return f"Question({self.agreement_id})"


def ask(ports: Ports, question: Question, *, who: str) -> None:
    """Ask, and write down what came of it. An agreement that ended meanwhile stays as it ended."""
    outcome, code = ask_bank(ports, question.person, card_number=question.card, phone=question.phone)
    now = ports.now()
    with ports.begin() as session:
        agreement = session.get_one(WithholdingAgreement, question.agreement_id, with_for_update=True)
        end_try(session, check_id=question.check_id, miss=question.miss, outcome=outcome, code=code, who=who, now=now)
        if agreement.state == AgreementState.PENDING_VERIFY:
            _take(session, agreement, outcome, who=who, now=now)
            if who == SWEEP:
                _tell(session, agreement, now=now)


def _tell(session: Session, agreement: WithholdingAgreement, *, now: datetime) -> None:
    """What became of it, to whoever does not look at it any more. Who pressed a moment ago sees it in the answer."""
    key = TOLD.get(AgreementState(agreement.state))
    if key is not None and agreement.account_id is not None:
        facts = {"agreement_no": agreement.agreement_no}
        tell(session, account_id=agreement.account_id, key=key, facts=facts, at=now)


def _take(session: Session, agreement: WithholdingAgreement, outcome: BankCardCheckState, *, who: str, now: datetime) -> None:
    if _is_unwanted(session, agreement):
        agreement.reject(AgreementReason.CONSENT_TAKEN_BACK, who=who, at=now)
    elif outcome is BankCardCheckState.MATCHED:
        agreement.activate(who=who, at=now)
    elif outcome in REJECTIONS:
        agreement.reject(REJECTIONS[outcome], who=who, at=now)


def _is_unwanted(session: Session, agreement: WithholdingAgreement) -> bool:
    """Whether a consent that it stands on was taken back. Read after the agreement was locked: whoever takes it back locks the
    consent first and the agreement then, so holding the consent here could wait for ever.
    """
    account_id = agreement.account_id
    return account_id is not None and any(
        is_taken_back(session, account_id=account_id, purpose=purpose) for purpose in CONSENTS
    )


def ask_about_agreements(ports: Ports, *, limit: int = 20) -> int:
    """The sweep: agreements whose bank has not answered are asked about again, and given up in the end; answers how many."""
    wanted = (
        select(WithholdingAgreement.id)
        .where(WithholdingAgreement.state == AgreementState.PENDING_VERIFY, WithholdingAgreement.next_ask_at <= ports.now())
        .order_by(WithholdingAgreement.next_ask_at)
        .limit(limit)
    )
    with ports.begin() as session:
        due = session.scalars(wanted).all()
    for agreement_id in due:
        try:
            question = _claim(ports, agreement_id)
        except SealBroken:
            # Its key is lost (`canbao seals status`): nobody will ever be able to ask about this card.
            log.warning("agreement.seal_broken", agreement=str(agreement_id))
            _give_up(ports, agreement_id)
            continue
        if question is not None:
            ask(ports, question, who=SWEEP)
    return len(due)


def _give_up(ports: Ports, agreement_id: uuid.UUID) -> None:
    now = ports.now()
    with ports.begin() as session:
        agreement = session.get_one(WithholdingAgreement, agreement_id, with_for_update=True)
        if agreement.state == AgreementState.PENDING_VERIFY:
            agreement.reject(AgreementReason.NO_ANSWER, who=SWEEP, at=now)
            _tell(session, agreement, now=now)


def _claim(ports: Ports, agreement_id: uuid.UUID) -> Question | None:
    """Another asking, written before it is done; None where somebody else is at it, or nothing is left to ask."""
    now = ports.now()
    with ports.begin() as session:
        agreement = session.scalar(
            select(WithholdingAgreement)
            .where(
                WithholdingAgreement.id == agreement_id,
                WithholdingAgreement.state == AgreementState.PENDING_VERIFY,
                WithholdingAgreement.next_ask_at <= now,
            )
            .with_for_update(skip_locked=True)
        )
        if agreement is None or agreement.account_id is None:
            return None
        if _is_unwanted(session, agreement):
            agreement.reject(AgreementReason.CONSENT_TAKEN_BACK, who=SWEEP, at=now)
            return None
        if agreement.asks >= len(AGAIN_AFTER):
            agreement.reject(AgreementReason.NO_ANSWER, who=SWEEP, at=now)
            _tell(session, agreement, now=now)
            return None
        person = session.get_one(Person, agreement.person_id)
        check_id = new_id()
        opened = open_personal(ports, session, agreement, "card_number", "phone", purpose="agreement_check", who=SWEEP, now=now)
        agreement.ask(again_at=now + AGAIN_AFTER[agreement.asks])
        try:
            miss = begin_try(
                session,
                check_id=check_id,
                account_id=agreement.account_id,
                id_index=bytes(person.id_number_index),
                card=opened["card_number"],
                purpose=BankCardPurpose.AGREEMENT,
                now=now,
            )
        except TooManyLookups:
            return None  # somebody else tries this person's number in vain: the next asking is as good
        told = open_personal(ports, session, person, "name", "id_number", purpose="agreement_check", who=SWEEP, now=now)
    return Question(
        agreement_id=agreement_id,
        check_id=check_id,
        miss=miss,
        person=RealName(name=told["name"], id_number=told["id_number"]),
        card=opened["card_number"],
        phone=opened["phone"],
    )
