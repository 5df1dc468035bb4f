"""Closing an account for good: what identified its holder is overwritten, what the law keeps stays, and all of it in one transaction."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import delete, func, or_, select, update

from config.clock import day_start
from models.accounts import Account, AccountSession, IdempotencyKey
from models.applications import ApplicationState, EnrollmentApplication, JointCase
from models.audit import PersonalDataAccess
from models.consents import Consent
from models.identity import BankCardCheck, CounterCheck, CounterCheckState, FaceCheck, IdentityVerification
from models.insured_persons import InsuredPerson
from models.messages import Message, MessageAllowance, MessageState
from models.orders import OrderState, PaymentOrder
from models.payments import Payment, PaymentState
from models.people import Person
from models.personal_data import PersonalDataRequest, RequestState
from models.tables import metadata
from models.withholding_agreements import LIVE, WithholdingAgreement
from services.errors import SignInAgain
from services.verification import abandon_open_checks, verification_of

if TYPE_CHECKING:
    import uuid
    from datetime import datetime

    from sqlalchemy.orm import Session

    from services.ports import Ports

KEPT: Final = (
    ("缴费订单、支付和退款记录", "社会保险法第74条：缴费记录须完整、准确保存"),
    ("参保登记、应缴账单和缴费记录", "社会保险法第74条：参保人员的权益记录"),
    ("已经终止的扣款协议（卡号按期删除）", "社会保险法第74条：缴费记录须完整、准确保存"),
    ("已提交并有审核结果的参保申请和材料", "社会保险业务档案管理规定：参保登记材料须按期限保存"),
    ("账簿分录和支付通知", "会计法第23条：会计资料须妥善保管"),
    ("各项操作的办理轨迹和核验结果（不含姓名、证件号码）", "个人信息保护法第54条、第56条：合规审计和处理情况记录"),
    ("同意和告知的证据（不含姓名、手机号码）", "个人信息保护法第14条、第69条：须能证明已取得同意"),
    ("谁查看过您的信息", "个人信息保护法第51条、第54条：操作记录"),
    ("登录记录（不含登录标识）", "网络安全法第23条：网络日志留存不少于六个月"),
)
"""What stays when an account is deleted, and by what right: told with the answer."""
LIVE_ORDERS: Final = (OrderState.CREATED, OrderState.PREPAY, OrderState.UNKNOWN)
LIVE_PAYMENTS: Final = (PaymentState.CREATED, PaymentState.OPEN)
INDEX_BYTES: Final = 32
HANDED_IN: Final = (ApplicationState.SUBMITTED, ApplicationState.UNDER_REVIEW, ApplicationState.RETURNED)
UNDECIDED: Final = (
    ApplicationState.DRAFT,
    ApplicationState.DOCUMENTS_READY,
    ApplicationState.WITHDRAWN,
    ApplicationState.LAPSED,
)
"""Nobody decided on these, so nothing asks for keeping them: they go with the account."""


KEEP_THEIR_PERSON: Final = frozenset({"enrollment_applications", "joint_cases", "withholding_agreements"})
"""What is left of these when an account ends is an archive, the registrar's or the collector's, and names its person."""


def lock_account(session: Session, *, account: Account, now: datetime) -> Account:
    """Hold the account, so that nothing begins in its name meanwhile. Raises SignInAgain when it is closed already.

    The verification first, then the account: the order in which those who verify lock them. Whoever writes a row of this
    account waits here too, since its foreign key asks for a lock of the account.
    """
    verification_of(session, account=account, now=now)
    held = session.scalars(
        select(Account).where(Account.id == account.id).with_for_update(of=Account).execution_options(populate_existing=True)
    ).one()
    if held.closed_at is not None:
        raise SignInAgain
    return held


def what_is_in_the_way(session: Session, *, account: Account, now: datetime) -> str | None:
    """Why the account cannot be closed now and what to do about it, in words for its holder; None when nothing is in the way."""
    under_way = session.scalar(
        select(func.count(PaymentOrder.id.distinct()))
        .outerjoin(Payment, Payment.order_id == PaymentOrder.id)
        .where(
            PaymentOrder.payer_account_id == account.id,
            or_(PaymentOrder.state.in_(LIVE_ORDERS), Payment.state.in_(LIVE_PAYMENTS)),
        )
    )
    if under_way:
        return f"您有{under_way}笔订单正在支付，请先在“我的订单”中完成或取消，再申请注销。"
    waiting = session.scalar(
        select(func.count()).where(EnrollmentApplication.account_id == account.id, EnrollmentApplication.state.in_(HANDED_IN))
    )
    if waiting:
        # Withdrawn in silence, it would cost somebody months of insurance; decided later, it would reach nobody.
        return f"您有{waiting}件参保申请正在办理，请先在“办件状态”中撤回，或等审核有结果后，再申请注销。"
    signed = session.scalar(
        select(func.count()).where(WithholdingAgreement.account_id == account.id, WithholdingAgreement.state.in_(LIVE))
    )
    if signed:
        # It would go on debiting a card, and nobody could see it any more.
        return f"您有{signed}份委托扣款缴费协议没有解约，请先在协议里解约，再申请注销。"
    if account.person_id is None and _tries_today(session, account=account, now=now):
        # Or closing and coming back would begin the day's five tries anew, as often as anybody likes.
        return "您今天尝试过身份核验，为防止他人反复试探，请明天再申请注销。"
    return None


def _tries_today(session: Session, *, account: Account, now: datetime) -> int:
    since = day_start(now)
    names = select(func.count()).where(
        PersonalDataAccess.subject_table == "accounts",
        PersonalDataAccess.subject_id == account.id,
        PersonalDataAccess.purpose.startswith("name_check"),
        PersonalDataAccess.at >= since,
    )
    tries = [names]
    for model in (FaceCheck, BankCardCheck, CounterCheck):
        each: Any = model
        tries.append(select(func.count()).where(each.account_id == account.id, each.created_at >= since))
    return sum(session.scalar(counted) or 0 for counted in tries)


def close_account(ports: Ports, session: Session, *, account: Account, now: datetime) -> None:
    """Overwrite what identifies the holder and end what lives on it. The account is locked; nothing is in the way."""
    _end_identity(session, account=account, now=now)
    _end_what_lives(session, account=account, now=now)
    _end_applications(session, account=account)
    _end_requests(session, account=account, now=now)
    account.closed_at = now
    # A seal of noise, not an empty one: whoever seals rows anew under another key finds a seal as everywhere.
    account.subject_sealed = ports.seals.seal(secrets.token_hex(INDEX_BYTES), place=Account.subject_place(account.id))
    account.subject_index = secrets.token_bytes(INDEX_BYTES)
    account.phone_sealed = account.phone_index = account.phone_masked = None
    session.flush()
    _forget_person(session, account=account)


def _end_identity(session: Session, *, account: Account, now: datetime) -> None:
    who = f"account:{account.id}"
    abandon_open_checks(session, account=account, now=now)
    for check in session.scalars(
        select(CounterCheck)
        .where(
            CounterCheck.account_id == account.id,
            CounterCheck.state.in_((CounterCheckState.OPEN, CounterCheckState.ATTESTED)),
        )
        .with_for_update()
    ):
        check.expire(who=who, at=now)
    session.flush()
    session.execute(
        update(CounterCheck).where(CounterCheck.account_id == account.id).values(name_sealed=None, id_number_sealed=None)
    )
    session.execute(
        update(FaceCheck)
        .where(FaceCheck.account_id == account.id)
        .values(reference_sealed=None, reference_index=None, next_ask_at=None)
    )
    session.execute(
        update(IdentityVerification)
        .where(IdentityVerification.account_id == account.id)
        .values(name_sealed=None, id_number_sealed=None, name_masked=None, id_number_masked=None)
    )


def _end_what_lives(session: Session, *, account: Account, now: datetime) -> None:
    mine = account.id
    session.execute(
        update(AccountSession)
        .where(AccountSession.account_id == mine, AccountSession.revoked_at.is_(None))
        .values(revoked_at=now)
    )
    session.execute(update(Consent).where(Consent.account_id == mine, Consent.withdrawn_at.is_(None)).values(withdrawn_at=now))
    for message in session.scalars(
        select(Message).where(Message.account_id == mine, Message.state == MessageState.WAITING).with_for_update()
    ):
        message.give_up(why="account_closed", who=f"account:{mine}", at=now)
    # The frozen request names the payer's openid; nothing is sent again for a payment that is over.
    session.execute(
        update(Payment)
        .where(Payment.order_id.in_(select(PaymentOrder.id).where(PaymentOrder.payer_account_id == mine)))
        .values(request_sealed=None)
    )
    for model in (InsuredPerson, MessageAllowance, IdempotencyKey):
        table: Any = model
        session.execute(delete(table).where(table.account_id == mine))


def _end_applications(session: Session, *, account: Account) -> None:
    """Drafts and withdrawn applications go; their pictures are taken away by the sweep that finds them without an application."""
    each = EnrollmentApplication
    session.execute(delete(each).where(each.account_id == account.id, each.state.in_(UNDECIDED)))
    used = select(each.joint_case_id).where(each.joint_case_id.is_not(None))
    session.execute(delete(JointCase).where(JointCase.account_id == account.id, JointCase.id.not_in(used)))


def _end_requests(session: Session, *, account: Account, now: datetime) -> None:
    """Other wishes end with the account; what they said is erased."""
    for request in session.scalars(
        select(PersonalDataRequest)
        .where(
            PersonalDataRequest.account_id == account.id,
            PersonalDataRequest.state == RequestState.RECEIVED,
            PersonalDataRequest.kind != "DELETE",
        )
        .with_for_update()
    ):
        request.finish(
            RequestState.WITHDRAWN, answer="账户已按您的申请注销，本请求随之撤回。", who=f"account:{account.id}", at=now
        )
    session.flush()
    session.execute(update(PersonalDataRequest).where(PersonalDataRequest.account_id == account.id).values(wish_sealed=None))


def _forget_person(session: Session, *, account: Account) -> None:
    """Who was verified and never enrolled, never paid and is known to nobody else, leaves no name behind.

    For everybody else the link to the person stays: orders have to name their payer, and the insured person's block its payer.
    """
    person_id = account.person_id
    if person_id is None or session.scalar(select(PaymentOrder.id).where(PaymentOrder.payer_account_id == account.id).limit(1)):
        return
    session.scalars(select(Person.id).where(Person.id == person_id).with_for_update()).one()
    if _others_need(session, person_id=person_id, account_id=account.id):
        return
    account.person_id = None
    session.execute(update(PersonalDataRequest).where(PersonalDataRequest.account_id == account.id).values(person_id=None))
    session.flush()
    session.execute(delete(Person).where(Person.id == person_id))


def _others_need(session: Session, *, person_id: uuid.UUID, account_id: uuid.UUID) -> bool:
    """Whether any row but this account's own names the person; found by walking the schema, so that no table is forgotten."""
    for table in metadata.sorted_tables:
        for column in table.columns:
            if not any(key.column.table.name == "persons" for key in column.foreign_keys):
                continue
            found = select(func.count()).select_from(table).where(column == person_id)
            if table.name == "accounts":
                found = found.where(table.c.id != account_id)
            elif "account_id" in table.columns and table.name not in KEEP_THEIR_PERSON:
                found = found.where(table.c.account_id != account_id)
            if session.scalar(found):
                return True
    return False
