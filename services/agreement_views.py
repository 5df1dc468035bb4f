"""Withholding agreements as people see them, and what to know before one signs: names, banks, where, how much to have on the card."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from sqlalchemy import select

from config.months import YearMonth
from config.rulebook import Bank, Capability, HotlineTopic, NoRuleInForce, Status
from models.enrollments import Enrollment, EnrollmentState
from models.withholding_agreements import AgreementChannel, AgreementReason, AgreementState, WithholdingAgreement
from services.capabilities import is_alive
from services.debit_views import Debiting, debiting_of
from services.enrollments import spells

if TYPE_CHECKING:
    import uuid
    from collections.abc import Sequence
    from datetime import date, datetime

    from sqlalchemy.orm import Session

    from config.rulebook import Region
    from models.accounts import Account
    from services.ports import Ports

_A, _R = AgreementState, AgreementReason
STATES: Final = {
    _A.PENDING_VERIFY: "核对中，尚未生效",
    _A.ACTIVE: "已签约",
    _A.SUSPENDED: "已暂停扣款",
    _A.TERMINATED: "已解约",
    _A.REJECTED: "签约未成功",
}
NEXT: Final = {
    _A.PENDING_VERIFY: "银行正在核对，一天内会有结果，请稍后再看，不用重复提交。",
    _A.ACTIVE: "请按时在协议卡里存足应缴的金额。",
    _A.SUSPENDED: "请到签约银行把卡恢复正常；也可以解约，用另一张卡重新签约。",
    _A.TERMINATED: "这份协议不再扣款。需要的话可以重新签约。",
    _A.REJECTED: "可以核对后重新签约。",
}
AT_BRANCH: Final = "银行网点签订的协议已录入，正在由另一位工作人员复核，请稍后再看。"
REASONS: Final = {
    _R.HOLDER_MISMATCH: "姓名、身份证号码、卡号和银行预留手机号码没有核对一致。请用本人的卡，逐项核对后重新签约。",
    _R.CARD_UNSUPPORTED: "发卡银行不支持用这张卡签约，与您本人无关。请换一张本人的社会保障卡或借记卡。",
    _R.NO_ANSWER: "银行一直没有答复，与您本人无关。请换个时间重新签约，或到银行网点办理。",
    _R.CONSENT_TAKEN_BACK: "您撤回了同意，所以这份协议没有生效。",
    _R.RECORDED_WRONGLY: "录入的内容与协议原件不符，工作人员会重新录入，您不用再去网点。",
    _R.CARD_LOST: "银行告知这张卡已挂失。",
    _R.ACCOUNT_FROZEN: "银行告知这个账户暂时不能扣款。",
}
"""One text for every mismatch: which of the four did not fit is nobody's to learn here."""


@dataclass(frozen=True, kw_only=True)
class CheckItem:
    """One of what a debit needs (R-CZ-41)."""

    item: str
    title: str
    done: bool | None
    """None: nobody has told us."""


@dataclass(frozen=True, kw_only=True)
class BankChoice:
    code: str
    title: str


@dataclass(frozen=True, kw_only=True)
class Deposit:
    """What a month of one insurance costs by today's figures: so much has to lie on the card (R-XJ-24)."""

    insurance_type: str
    amount_fen: int
    sample: bool
    provisional: bool


@dataclass(frozen=True, kw_only=True)
class Guide:
    """What a region says of its agreement, in its own words (R-XJ-52)."""

    region: str
    region_name: str
    title: str
    is_main_way: bool
    signs_online: bool
    """Here and now, in this mini-program."""
    where: str
    recommended_card: str
    signed_before: str
    activation: str
    deposit_note: str
    ending: str
    banks: list[BankChoice]
    hotline: str
    checklist: list[CheckItem]
    deposits: list[Deposit]
    to_confirm: bool


@dataclass(frozen=True, kw_only=True)
class AgreementView:
    """One agreement of one's own; of the card only the last four digits."""

    id: uuid.UUID
    agreement_no: str
    title: str
    region: str
    region_name: str
    insurance_type: str
    insurance_name: str
    state: str
    state_text: str
    detail: str
    """Why it stands so, and what to do next."""
    channel: str
    bank: str
    bank_name: str
    card_masked: str
    can_terminate: bool
    """On the phone."""
    ending: str
    checklist: list[CheckItem]
    text_version: str | None
    signed_at: datetime
    verified_at: datetime | None
    finished_at: datetime | None
    debiting: Debiting
    """What a bank is debiting under it, and what the next run takes (R-XJ-24)."""
    replayed: bool = False


@dataclass(frozen=True, kw_only=True)
class Agreements:
    agreements: list[AgreementView]
    guides: list[Guide]


def view_of(ports: Ports, session: Session, row: WithholdingAgreement) -> AgreementView:
    """One agreement. What the rulebook no longer knows is told by its code."""
    names = _names(ports, row)
    return AgreementView(
        id=row.id,
        agreement_no=row.agreement_no,
        title=names.title,
        region=row.region,
        region_name=names.region,
        insurance_type=row.insurance_type,
        insurance_name=names.insurance,
        state=row.state,
        state_text=STATES[AgreementState(row.state)],
        detail=_detail(row),
        channel=row.channel,
        bank=row.bank,
        bank_name=names.bank,
        card_masked=row.card_masked,
        can_terminate=row.is_live and row.channel == AgreementChannel.ONLINE,
        ending=names.ending,
        checklist=checklist(signed=row.state == AgreementState.ACTIVE, activated=row.financial_function_activated),
        text_version=row.text_version,
        signed_at=row.signed_at,
        verified_at=row.verified_at,
        finished_at=row.finished_at,
        debiting=debiting_of(ports, session, row),
    )


@dataclass(frozen=True, kw_only=True)
class _Names:
    region: str
    insurance: str
    bank: str
    title: str = "委托扣款缴费协议"
    ending: str = "解约请拨打12333咨询。"


def _names(ports: Ports, row: WithholdingAgreement) -> _Names:
    region = ports.rulebook.regions.get(row.region)
    if region is None:
        return _Names(region=row.region, insurance=row.insurance_type, bank=row.bank)
    today = ports.today()
    insurance = next((each.label for each in region.insurances(today) if each.insurance_type == row.insurance_type), None)
    told = _Names(
        region=region.name,
        insurance=insurance or row.insurance_type,
        bank=region.banks[row.bank].title if row.bank in region.banks else row.bank,
    )
    try:
        terms = region.withholding_terms(today)
    except NoRuleInForce:
        return told
    return replace(told, title=terms.title, ending=terms.ending)


def _detail(row: WithholdingAgreement) -> str:
    if row.reason is not None:
        return f"{REASONS[AgreementReason(row.reason)]}{NEXT[_A.SUSPENDED] if row.state == _A.SUSPENDED else ''}"
    if row.state == _A.PENDING_VERIFY and row.channel == AgreementChannel.BRANCH:
        return AT_BRANCH
    return NEXT[AgreementState(row.state)]


def checklist(*, signed: bool, activated: bool | None) -> list[CheckItem]:
    """What a debit needs: the card's financial function, and the signature; both, and in this order (R-CZ-41)."""
    return [
        CheckItem(item="FINANCIAL_FUNCTION", title="激活社会保障卡金融功能", done=activated),
        CheckItem(item="AGREEMENT_SIGNED", title="签订协议", done=signed),
    ]


def guides_of(ports: Ports, session: Session, *, account: Account, rows: Sequence[WithholdingAgreement]) -> list[Guide]:
    """What each region of this mini-program says of its agreement, with what a month costs the account's own person there."""
    enrolled = session.scalars(
        select(Enrollment)
        .where(Enrollment.person_id == account.person_id, Enrollment.state == EnrollmentState.ACTIVE)
        .order_by(Enrollment.insurance_type, Enrollment.id)
    ).all()
    told = []
    for region in ports.regions_of(account.miniprogram):
        mine = [each for each in enrolled if each.region == region.code]
        live = [row for row in rows if row.region == region.code and row.state == AgreementState.ACTIVE]
        deposits = [_deposit(session, region, each, ports.today()) for each in mine]
        guide = _guide(ports, region, account=account, live=live)
        if guide is not None:
            told.append(replace(guide, deposits=[each for each in deposits if each is not None]))
    return told


def _guide(ports: Ports, region: Region, *, account: Account, live: Sequence[WithholdingAgreement]) -> Guide | None:
    today = ports.today()
    try:
        terms = region.withholding_terms(today)
    except NoRuleInForce:
        return None
    said = [row.financial_function_activated for row in live if row.financial_function_activated is not None]
    return Guide(
        region=region.code,
        region_name=region.name,
        title=terms.title,
        is_main_way=terms.is_main_way,
        signs_online=is_alive(ports, Capability.WITHHOLDING_SIGN_ONLINE, miniprogram=account.miniprogram, region=region),
        where=terms.where,
        recommended_card=terms.recommended_card,
        signed_before=terms.signed_before,
        activation=terms.activation,
        deposit_note=terms.deposit,
        ending=terms.ending,
        banks=[BankChoice(code=bank.code, title=bank.title) for bank in banks_of(region, today)],
        hotline=region.hotline(HotlineTopic.PAYMENT).number,
        checklist=checklist(signed=bool(live), activated=all(said) if said else None),
        deposits=[],
        to_confirm=terms.status == Status.TO_CONFIRM,
    )


def banks_of(region: Region, today: date) -> list[Bank]:
    """The banks that take part today, in the order of the file. Pure."""
    return [bank for bank in region.own(Bank) if bank.in_force(today)]


def _deposit(session: Session, region: Region, enrollment: Enrollment, today: date) -> Deposit | None:
    """By the tier or wage of this month; None where the rulebook has no figure for it."""
    month = YearMonth.of(today)
    said = spells(session, enrollment)
    current = next((each for each in reversed(said) if each.from_month <= month), said[0])
    try:
        table = region.assessment_table(enrollment.insurance_type, month, current.tier_plan)
    except NoRuleInForce:
        return None
    tier = table.tier(current.tier) if current.tier is not None else None
    if tier is not None:
        amount = tier.amount_fen
    elif current.declared_wage_fen is not None and current.tier is None:
        amount = table.parts_of(current.declared_wage_fen).total_fen
    else:
        return None
    return Deposit(
        insurance_type=enrollment.insurance_type, amount_fen=amount, sample=table.sample, provisional=table.provisional
    )
