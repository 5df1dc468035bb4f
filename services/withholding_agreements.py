"""Withholding agreements: sign one on the phone where the region lets people, see one's own, end one.

Written first, then the bank is asked, then its word is written: an agreement without an answer stays PENDING_VERIFY, and
`agreement_asking` asks again. While a bank is debiting under an agreement, it does not end.
"""

from __future__ import annotations

import hashlib
import uuid
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import select

from config.rulebook import Capability, HotlineTopic, NoRuleInForce, NoticePurpose
from models.base import new_id
from models.enrollments import Enrollment, EnrollmentState
from models.identity import BankCardPurpose
from models.people import Person
from models.withholding_agreements import LIVE, AgreementChannel, AgreementState, WithholdingAgreement
from providers.protocols import RealName
from services.agreement_asking import AGAIN_AFTER, Question, ask
from services.agreement_errors import AgreementInForce, BankNotListed
from services.agreement_views import NEXT, Agreements, AgreementView, banks_of, guides_of, view_of
from services.application_errors import NotActive
from services.bank_card_checks import begin_try, refuse_more_tries
from services.capabilities import is_alive
from services.consents import refuse_taken_back, require_consent, require_text
from services.debit_errors import DebitInFlight
from services.debit_views import in_flight_fen
from services.errors import FaceCheckRequired, NameIdMismatch, NotAvailableOnline, NotFound, TooYoung
from services.idempotency import Asked, fingerprint, keep_result, known_result, made_once
from services.menu import region_served
from services.people import ADULT_ACCOUNT_YEARS, mask_card_number, parse_card_number, parse_name, parse_persons_number
from services.verification import verification_of

if TYPE_CHECKING:
    from datetime import date

    from sqlalchemy.orm import Session

    from config.rulebook import Bank, Notice, Region
    from models.accounts import Account
    from services.ports import Ports

ROUTE: Final = "POST /withholding-agreements"
MOST_LISTED: Final = 50
NOT_YOU: Final = "须由本人签约：请填写您本人的姓名和身份证号码，与实名认证时一致。"
NOT_ENROLLED: Final = "参保登记审核通过、处于正常参保状态以后才能签约，请先查看参保状态，咨询电话12333。"
TRIED_TOO_OFTEN: Final = "为保护您的资金，今日核对银行卡的次数已用完，请明天再试，或到银行网点办理。"
ENDS_LATER: Final = "这份协议正在扣款中，结果出来后才能解约，请在银行答复后再办；未扣成的不影响解约。"
AT_BANK: Final = "这份协议是在银行网点签订的，解约请本人携带身份证原件到签约的银行网点办理。"


@dataclass(frozen=True, kw_only=True)
class NewAgreement:
    """What is typed to sign one (R-XJ-22, R-XJ-23). `phone`: as the bank knows it."""

    region: str
    insurance_type: str
    name: str
    id_number: str
    bank: str
    card_number: str
    phone: str

    def __repr__(self) -> str:
        return f"NewAgreement({self.region}, {self.insurance_type})"


def sign(ports: Ports, *, account: Account, new: NewAgreement, idempotency_key: str) -> AgreementView:
    """Sign an agreement on one's own insurance and one's own card; the bank is asked at once. The same key again tells the same.

    Raises NameMalformed, IdNumberMalformed, TooYoung, CardNumberMalformed, NotFound, RegionMismatch, FaceCheckRequired,
    ConsentRequired, AgreementInForce, NotAvailableOnline (with the banks), BankNotListed, NameIdMismatch, NotActive,
    TooManyBankCardChecks, TooManyLookups, IdempotencyKeyReused. A bank that says no is no refusal: the agreement tells it.
    """
    card = parse_card_number(new.card_number)
    number = parse_persons_number(new.id_number, today=ports.today())
    given = RealName(name=parse_name(new.name), id_number=number.text)
    if number.age_on(ports.today()) < ADULT_ACCOUNT_YEARS:
        raise TooYoung
    region = region_served(ports, account, new.region)
    # Words with few secrets in them: a plain hash could be undone, an index cannot.
    words = (new.region, new.insurance_type, new.bank, given.name, given.id_number, card, new.phone)
    wish = fingerprint(ports.seals.index("withholding_agreement", *words).hex())
    asked = Asked(account_id=account.id, route=ROUTE, key=idempotency_key, request_hash=wish)
    agreement_id, question = made_once(
        lambda: _begin(ports, account=account, region=region, new=new, given=given, card=card, asked=asked),
        or_met="uq_withholding_agreements_live",
    )
    if question is not None:
        ask(ports, question, who=f"account:{account.id}")
    return replace(read_agreement(ports, account=account, agreement_id=agreement_id), replayed=question is None)


def _begin(
    ports: Ports, *, account: Account, region: Region, new: NewAgreement, given: RealName, card: str, asked: Asked
) -> tuple[uuid.UUID, Question | None]:
    """The agreement, written before the bank hears of it, and what to ask; nothing to ask where this key made it before."""
    now, agreement_id, check_id = ports.now(), new_id(), new_id()
    with ports.begin() as session:
        # The consent, the verification, then rows of the account: the order of whoever takes the name back, or closes the account.
        person = _holder(session, account=account)
        # Another press waits here: for the same key's result, and since two tries at once would both see the count before either.
        verification_of(session, account=account, now=now)
        known = known_result(session, asked)
        if known is not None:
            return uuid.UUID(known), None
        keep_result(session, asked, result_id=str(agreement_id), now=now)
        _refuse_signed(session, person=person, region=region, insurance_type=new.insurance_type, today=ports.today())
        notice = _text_to_agree(ports, region, account=account)
        bank = _bank(region, new.bank, ports.today())
        _refuse_others(ports, person, given)
        _refuse_not_enrolled(session, person=person, region=region, insurance_type=new.insurance_type)
        require_consent(session, account_id=account.id, purpose="BANK_ACCOUNT", hold=True)
        require_text(session, account_id=account.id, notice=notice)
        refuse_more_tries(session, account=account, now=now, detail=TRIED_TOO_OFTEN)
        miss = begin_try(
            session,
            check_id=check_id,
            account_id=account.id,
            id_index=bytes(person.id_number_index),
            card=card,
            purpose=BankCardPurpose.AGREEMENT,
            now=now,
        )
        agreement = WithholdingAgreement(
            id=agreement_id,
            account_id=account.id,
            person_id=person.id,
            region=region.code,
            authority=region.authority,
            insurance_type=new.insurance_type,
            channel=AgreementChannel.ONLINE,
            bank=bank.code,
            bank_category=bank.bank_category.code,
            **card_columns(ports, agreement_id, card),
            phone_sealed=ports.seals.seal(new.phone, place=WithholdingAgreement.place_of("phone_sealed", agreement_id)),
            text_version=notice.version,
            text_hash=hashlib.sha256(notice.text.encode()).digest(),
            signed_at=now,
            created_at=now,
        )
        agreement.ask(again_at=now + AGAIN_AFTER[0])
        session.add(agreement)
        session.flush()
    return agreement_id, Question(
        agreement_id=agreement_id, check_id=check_id, miss=miss, person=given, card=card, phone=new.phone
    )


def card_columns(ports: Ports, agreement_id: uuid.UUID, card: str) -> dict[str, Any]:
    """How an agreement keeps its card: sealed, findable, and masked. Pure but for the seals."""
    return {
        "card_number_sealed": ports.seals.seal(card, place=WithholdingAgreement.place_of("card_number_sealed", agreement_id)),
        "card_number_index": ports.seals.index("card_number", card),
        "card_masked": mask_card_number(card),
    }


def _holder(session: Session, *, account: Account) -> Person:
    refuse_taken_back(session, account_id=account.id, purpose="REAL_NAME", hold=True)
    if account.person_id is None:
        raise FaceCheckRequired
    return session.get_one(Person, account.person_id)


def _refuse_signed(session: Session, *, person: Person, region: Region, insurance_type: str, today: date) -> None:
    """Before anything else is asked: whoever signed need not sign again, wherever it was (R-CZ-14), in the region's own words."""
    live = live_agreement(session, person_id=person.id, insurance_type=insurance_type, authority=region.authority)
    if live is None:
        return
    detail = None if live.state == AgreementState.ACTIVE else NEXT[AgreementState(live.state)]
    with suppress(NoRuleInForce):
        terms = region.withholding_terms(today)
        detail = detail or f"{terms.signed_before}{terms.ending}"
    raise AgreementInForce(detail=detail, agreement_no=live.agreement_no, state=live.state)


def live_agreement(
    session: Session, *, person_id: uuid.UUID, insurance_type: str, authority: str
) -> WithholdingAgreement | None:
    """The one agreement of this person on this insurance that is in force, or about to be."""
    each = WithholdingAgreement
    return session.scalar(
        select(each).where(
            each.person_id == person_id,
            each.insurance_type == insurance_type,
            each.authority == authority,
            each.state.in_(LIVE),
        )
    )


def _text_to_agree(ports: Ports, region: Region, *, account: Account) -> Notice:
    """The agreement's text of today. Raises NotAvailableOnline where people sign elsewhere: at a bank, or in another mini-program."""
    today = ports.today()
    try:
        rule = region.capability(Capability.WITHHOLDING_SIGN_ONLINE, today)
        why = rule.explanation
        if is_alive(ports, Capability.WITHHOLDING_SIGN_ONLINE, miniprogram=account.miniprogram, region=region):
            return region.notice(NoticePurpose.WITHHOLDING, today)
    except NoRuleInForce:
        why = None
    raise _to_the_bank(region, why, today)


def _to_the_bank(region: Region, why: str | None, today: date) -> NotAvailableOnline:
    """The refusal that says where instead, at which banks, and whom to call."""
    try:
        where = why or region.withholding_terms(today).where
    except NoRuleInForce:
        where = "本地区暂不能在手机上签约。"
    line = region.hotline(HotlineTopic.PAYMENT).number
    banks = [bank.title for bank in banks_of(region, today)]
    return NotAvailableOnline(detail=f"{where.rstrip('。')}。咨询热线{line}。", banks=banks)


def _bank(region: Region, code: str, today: date) -> Bank:
    banks = banks_of(region, today)
    found = next((bank for bank in banks if bank.code == code), None)
    if found is None:
        raise BankNotListed(banks=[{"code": bank.code, "title": bank.title} for bank in banks])
    return found


def _refuse_others(ports: Ports, person: Person, given: RealName) -> None:
    """The holder is the person themselves. Compared by blind index: nothing is opened for it."""
    same = ports.seals.same
    if not (
        same(bytes(person.id_number_index), ports.seals.index("id_number", given.id_number))
        and same(bytes(person.name_index), ports.seals.index("name", given.name))
    ):
        raise NameIdMismatch(detail=NOT_YOU)


def _refuse_not_enrolled(session: Session, *, person: Person, region: Region, insurance_type: str) -> None:
    """Nothing binds before the approval (R-CZ-10). Raises NotActive."""
    if enrolled(session, person=person, region=region, insurance_type=insurance_type) is None:
        raise NotActive(detail=NOT_ENROLLED)


def enrolled(session: Session, *, person: Person, region: Region, insurance_type: str) -> Enrollment | None:
    """The person's enrolment in force; it cannot be paused until this transaction has ended."""
    each = Enrollment
    return session.scalars(
        select(each)
        .where(
            each.person_id == person.id,
            each.region == region.code,
            each.insurance_type == insurance_type,
            each.state == EnrollmentState.ACTIVE,
        )
        .order_by(each.id)
        .with_for_update(read=True)
    ).first()


def list_agreements(ports: Ports, *, account: Account) -> Agreements:
    """The agreements of the account's own person, those in force first, and what each region here says of signing one.

    Raises FaceCheckRequired, ConsentRequired.
    """
    each = WithholdingAgreement
    with ports.begin() as session:
        person = _holder(session, account=account)
        rows = session.scalars(
            select(each)
            .where(each.person_id == person.id)
            .order_by(each.state.not_in(LIVE), each.created_at.desc(), each.id.desc())
            .limit(MOST_LISTED)
        ).all()
        guides = guides_of(ports, session, account=account, rows=rows)
        return Agreements(agreements=[view_of(ports, session, row) for row in rows], guides=guides)


def read_agreement(ports: Ports, *, account: Account, agreement_id: uuid.UUID) -> AgreementView:
    """One agreement of one's own. Raises NotFound, also for other people's."""
    with ports.begin() as session:
        return view_of(ports, session, _own(session, account=account, agreement_id=agreement_id))


def terminate(ports: Ports, *, account: Account, agreement_id: uuid.UUID) -> AgreementView:
    """解约: nothing is debited from now on; again changes nothing. One whose bank has not answered yet is taken back.

    Raises NotFound, NotAvailableOnline where it was signed at a bank, and DebitInFlight while a bank is debiting under it.
    """
    now = ports.now()
    with ports.begin() as session:
        agreement = _own(session, account=account, agreement_id=agreement_id, lock=True)
        if agreement.is_live and agreement.channel == AgreementChannel.BRANCH:
            region = ports.rulebook.region(agreement.region)
            raise _to_the_bank(region, AT_BANK, ports.today())
        if agreement.is_live:
            refuse_in_flight(session, agreement)
            agreement.terminate(who=f"account:{account.id}", at=now)
            session.flush()
        return view_of(ports, session, agreement)


def refuse_in_flight(session: Session, agreement: WithholdingAgreement) -> None:
    """Its row is locked for ending it, and whoever makes a run holds it while adding lines: neither misses the other. Raises DebitInFlight."""
    if in_flight_fen(session, agreement.id):
        raise DebitInFlight(detail=ENDS_LATER)


def _own(session: Session, *, account: Account, agreement_id: uuid.UUID, lock: bool = False) -> WithholdingAgreement:
    wanted = select(WithholdingAgreement).where(
        WithholdingAgreement.id == agreement_id, WithholdingAgreement.person_id == account.person_id
    )
    found = session.scalar(wanted.with_for_update() if lock else wanted)
    if found is None:
        raise NotFound
    return found
