"""Taking a consent back: what it covered stops in the same transaction, and the answer says what goes on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import select, update

from models.accounts import Account
from models.consents import Consent
from models.identity import VerificationState
from models.insured_persons import InsuredPerson
from models.messages import Message, MessageAllowance, MessageState
from models.orders import OrderState, PaymentOrder
from models.withholding_agreements import AgreementReason, AgreementState, WithholdingAgreement
from services.consents import GOES_ON, STOPS, is_taken_back
from services.errors import NotFound
from services.verification import abandon_open_checks, verification_of, withdraw_counter_codes

if TYPE_CHECKING:
    import uuid
    from datetime import datetime

    from sqlalchemy.orm import Session

    from services.ports import Ports


@dataclass(frozen=True, kw_only=True)
class Withdrawal:
    """What taking a consent back did."""

    purpose: str
    withdrawn_at: datetime
    stopped: str
    goes_on: str
    orders_under_way: list[str]
    """Orders of this account that were placed under the consent and may still be paid: money under way is finished, never dropped."""


def withdraw_consent(ports: Ports, *, account: Account, consent_id: uuid.UUID) -> Withdrawal:
    """Take a consent back; what it covered stops at once. Raises NotFound.

    Two texts of one purpose, of two regions, are two consents: while one of them stands, the purpose is covered.
    """
    now = ports.now()
    with ports.begin() as session:
        # The consent first, then what it covers: whoever works under it holds it, or reads it after locking what it works on.
        purpose = session.scalar(
            update(Consent)
            .where(Consent.id == consent_id, Consent.account_id == account.id, Consent.withdrawn_at.is_(None))
            .values(withdrawn_at=now)
            .returning(Consent.purpose)
        )
        if purpose is None:
            raise NotFound
        under_way: list[str] = []
        if is_taken_back(session, account_id=account.id, purpose=purpose):
            _stop(session, account=account, purpose=purpose, now=now)
            under_way = _orders_under_way(session, account=account, purpose=purpose)
    return Withdrawal(
        purpose=purpose,
        withdrawn_at=now,
        stopped=STOPS[purpose],
        goes_on=GOES_ON[purpose],
        orders_under_way=under_way,
    )


def _stop(session: Session, *, account: Account, purpose: str, now: datetime) -> None:
    """End what lives on this consent. Other purposes have nothing that lives: they are asked for at each step."""
    match purpose:
        case "REAL_NAME":
            _forget_unproven_name(session, account=account, now=now)
        case "FACE":
            _end_face_checks(session, account=account, now=now)
        case "PROXY_PAYMENT":
            _remove_others(session, account=account, now=now)
        case "PHONE":
            _forget_phone(session, account=account, now=now)
        case "BANK_ACCOUNT" | "WITHHOLDING":
            _end_pending_agreements(session, account=account, now=now)


def _forget_unproven_name(session: Session, *, account: Account, now: datetime) -> None:
    """What was only typed has no use any more. Who is verified stays so, because orders and records have to name their payer."""
    verification = verification_of(session, account=account, now=now)
    abandon_open_checks(session, account=account, now=now)
    withdraw_counter_codes(session, account=account, who=f"account:{account.id}", now=now)
    if verification.state not in (VerificationState.NONE, VerificationState.VERIFIED):
        verification.forget_name(who=f"account:{account.id}", at=now)


def _end_face_checks(session: Session, *, account: Account, now: datetime) -> None:
    verification = verification_of(session, account=account, now=now)
    abandon_open_checks(session, account=account, now=now)
    if verification.state == VerificationState.FACE_PENDING:
        verification.match_name(who=f"account:{account.id}", at=now)


def _remove_others(session: Session, *, account: Account, now: datetime) -> None:
    session.execute(
        update(InsuredPerson)
        .where(InsuredPerson.account_id == account.id, ~InsuredPerson.is_self, InsuredPerson.removed_at.is_(None))
        .values(removed_at=now)
    )


def _forget_phone(session: Session, *, account: Account, now: datetime) -> None:
    session.execute(
        update(Account).where(Account.id == account.id).values(phone_sealed=None, phone_index=None, phone_masked=None)
    )
    session.execute(
        update(MessageAllowance).where(MessageAllowance.account_id == account.id).values(remaining=0, changed_at=now)
    )
    # Not sent, and still there to be read in the mini-program.
    for message in session.scalars(
        select(Message)
        .where(Message.account_id == account.id, Message.state == MessageState.WAITING)
        .order_by(Message.id)
        .with_for_update()
    ):
        message.give_up(why="consent_withdrawn", who=f"account:{account.id}", at=now)


def _end_pending_agreements(session: Session, *, account: Account, now: datetime) -> None:
    """Those that the bank has not answered about. One in force is an agreement of three, and ended by itself."""
    for agreement in session.scalars(
        select(WithholdingAgreement)
        .where(WithholdingAgreement.account_id == account.id, WithholdingAgreement.state == AgreementState.PENDING_VERIFY)
        .order_by(WithholdingAgreement.id)
        .with_for_update()
    ):
        agreement.reject(AgreementReason.CONSENT_TAKEN_BACK, who=f"account:{account.id}", at=now)


def _orders_under_way(session: Session, *, account: Account, purpose: str) -> list[str]:
    covered = {"REAL_NAME": (True, False), "PROXY_PAYMENT": (True,)}.get(purpose, ())
    return list(
        session.scalars(
            select(PaymentOrder.order_no)
            .where(
                PaymentOrder.payer_account_id == account.id,
                PaymentOrder.is_strangers.in_(covered),
                PaymentOrder.state.in_((OrderState.CREATED, OrderState.PREPAY, OrderState.UNKNOWN)),
            )
            .order_by(PaymentOrder.id)
        )
    )
