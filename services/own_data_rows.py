"""What an account may see of its own data: one statement and one shape for each kind. Pure; who runs them decides how many rows.

Columns are chosen by name, so that no seal, no index, no token's hash and no provider's reference can slip out with a row.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import aliased

from config.months import YearMonth
from models.accounts import Account, AccountSession, SmsCode
from models.adjustments import AdjustmentReview
from models.applications import ApplicationDocument, DocumentUpload, EnrollmentApplication
from models.audit import PersonalDataAccess
from models.bills import ContributionBill, ContributionRecord
from models.consents import Consent, NoticeReading
from models.enrollments import Enrollment, EnrollmentTier
from models.identity import BankCardCheck, CounterCheck, FaceCheck, IdentityVerification
from models.insured_persons import InsuredPerson, PayerBlock, PersonLookup
from models.messages import Message, MessageAllowance, PaymentReminder
from models.orders import OrderLine, PaymentOrder
from models.payments import Payment
from models.people import Person
from models.personal_data import PersonalDataRequest
from models.printouts import Printout, ReceiptFetch
from models.refunds import Refund
from models.withholding_agreements import WithholdingAgreement

if TYPE_CHECKING:
    import uuid
    from collections.abc import Mapping
    from typing import TypeAlias

    from sqlalchemy import ColumnElement, Row, ScalarSelect, Select

    Rows: TypeAlias = Select[*tuple[Any, ...]]


@dataclass(frozen=True, kw_only=True)
class Whose:
    """One account, and the person it is verified as."""

    account_id: uuid.UUID
    person_id: uuid.UUID | None
    phone_index: bytes | None


def account(whose: Whose) -> Rows:
    columns = (Account.miniprogram, Account.phone_masked, Account.elder_mode, Account.language, Account.created_at)
    return select(*columns).where(Account.id == whose.account_id)


def person(whose: Whose) -> Rows:
    return select(Person.name_masked, Person.id_number_masked, Person.created_at).where(Person.id == whose.person_id)


def verification(whose: Whose) -> Rows:
    each = IdentityVerification
    columns = (each.state, each.name_masked, each.id_number_masked, each.method, each.verified_at, each.created_at)
    return select(*columns).where(each.account_id == whose.account_id)


def face_checks(whose: Whose) -> Rows:
    each = FaceCheck
    columns = (each.provider, each.state, each.created_at, each.finished_at)
    return select(*columns).where(each.account_id == whose.account_id).order_by(each.id.desc())


def bank_card_checks(whose: Whose) -> Rows:
    each = BankCardCheck
    columns = (each.purpose, each.card_masked, each.state, each.created_at, each.finished_at)
    return select(*columns).where(each.account_id == whose.account_id).order_by(each.id.desc())


def counter_checks(whose: Whose) -> Rows:
    each = CounterCheck
    columns = (each.document, each.site, each.state, each.refused_why, each.created_at, each.finished_at)
    return select(*columns).where(each.account_id == whose.account_id).order_by(each.id.desc())


def consents(whose: Whose) -> Rows:
    columns = (Consent.purpose, Consent.version, Consent.text_hash, Consent.given_at, Consent.withdrawn_at)
    return select(*columns).where(Consent.account_id == whose.account_id).order_by(Consent.id.desc())


def readings(whose: Whose) -> Rows:
    each = NoticeReading
    columns = (each.purpose, each.version, each.text_hash, each.opened_at)
    return select(*columns).where(each.account_id == whose.account_id).order_by(each.opened_at.desc(), each.text_hash)


def relations(whose: Whose) -> Rows:
    each = InsuredPerson
    columns = (
        Person.name_masked, Person.id_number_masked, each.relation, each.is_self, each.keep, each.expires_at, each.created_at,
        each.removed_at,
    )  # fmt: skip
    joined = select(*columns).join(Person, Person.id == each.person_id)
    return joined.where(each.account_id == whose.account_id).order_by(each.id.desc())


def lookups(whose: Whose) -> Rows:
    each = PersonLookup
    return select(each.at, each.hit).where(each.account_id == whose.account_id).order_by(each.id.desc())


def payers(whose: Whose) -> Rows:
    """Who placed orders for this person: masked, with the months and what became of them."""
    payer = aliased(Person)
    return (
        select(
            payer.name_masked.label("payer_name_masked"),
            PaymentOrder.state,
            PaymentOrder.total_fen,
            _months().label("coverage_months"),
            PaymentOrder.created_at,
            Payment.paid_at,
        )
        .join(Account, Account.id == PaymentOrder.payer_account_id)
        .outerjoin(payer, payer.id == Account.person_id)
        .outerjoin(Payment, Payment.order_id == PaymentOrder.id)
        .where(PaymentOrder.person_id == whose.person_id, Account.person_id.is_distinct_from(whose.person_id))
        .order_by(PaymentOrder.id.desc())
    )


def blocks(whose: Whose) -> Rows:
    joined = select(Person.name_masked, PayerBlock.created_at).join(Person, Person.id == PayerBlock.payer_person_id)
    return joined.where(PayerBlock.person_id == whose.person_id).order_by(PayerBlock.id.desc())


def orders(whose: Whose) -> Rows:
    insured = aliased(Person)
    return (
        select(
            PaymentOrder.order_no,
            insured.name_masked.label("insured_name_masked"),
            PaymentOrder.state,
            PaymentOrder.total_fen,
            _months().label("coverage_months"),
            PaymentOrder.created_at,
            Payment.payment_no,
            Payment.channel,
            Payment.state.label("payment_state"),
            Payment.paid_at,
            Payment.refunded_fen,
        )
        .join(insured, insured.id == PaymentOrder.person_id)
        .outerjoin(Payment, Payment.order_id == PaymentOrder.id)
        .where(PaymentOrder.payer_account_id == whose.account_id)
        .order_by(PaymentOrder.id.desc())
    )


def refunds(whose: Whose) -> Rows:
    return (
        select(Payment.payment_no, Refund.refund_no, Refund.reason, Refund.state, Refund.amount_fen, Refund.refunded_at)
        .join(Payment, Payment.id == Refund.payment_id)
        .join(PaymentOrder, PaymentOrder.id == Payment.order_id)
        .where(PaymentOrder.payer_account_id == whose.account_id)
        .order_by(Refund.id.desc())
    )


def receipts(whose: Whose) -> Rows:
    each = Printout
    columns = (PaymentOrder.order_no, each.serial, each.version, each.issued_at, each.replaced_at)
    joined = select(*columns).join(PaymentOrder, PaymentOrder.id == each.order_id)
    return joined.where(PaymentOrder.payer_account_id == whose.account_id).order_by(each.id.desc())


def receipt_fetches(whose: Whose) -> Rows:
    each = ReceiptFetch
    joined = select(PaymentOrder.order_no, each.at).join(PaymentOrder, PaymentOrder.id == each.order_id)
    return joined.where(each.account_id == whose.account_id).order_by(each.id.desc())


def enrollments(whose: Whose) -> Rows:
    each = Enrollment
    columns = (
        each.region, each.pooling_area, each.insurance_type, each.tier_plan, each.tier, each.declared_wage_fen, each.months_elsewhere, each.state,
        each.start_month, each.end_month, each.agency, each.updated_at,
    )  # fmt: skip
    return select(*columns).where(each.person_id == whose.person_id).order_by(each.id.desc())


def tiers(whose: Whose) -> Rows:
    each = EnrollmentTier
    columns = (
        Enrollment.insurance_type,
        each.from_month,
        each.tier_plan,
        each.tier,
        each.declared_wage_fen,
        each.source,
        each.created_at,
    )
    joined = select(*columns).join(Enrollment, Enrollment.id == each.enrollment_id)
    return joined.where(Enrollment.person_id == whose.person_id).order_by(each.id.desc())


def adjustments(whose: Whose) -> Rows:
    each, bill = AdjustmentReview, ContributionBill
    columns = (
        bill.bill_no,
        bill.coverage_month,
        each.reason,
        each.assessed_fen,
        each.owed_fen,
        each.state,
        each.created_at,
        each.resolved_at,
    )
    joined = select(*columns).join(bill, bill.id == each.bill_id).join(Enrollment, Enrollment.id == bill.enrollment_id)
    return joined.where(Enrollment.person_id == whose.person_id).order_by(each.id.desc())


def reminders(whose: Whose) -> Rows:
    each = PaymentReminder
    columns = (each.region, each.coverage_month, each.template, each.created_at)
    return select(*columns).where(each.account_id == whose.account_id).order_by(each.created_at.desc(), each.template)


def agreements(whose: Whose) -> Rows:
    each = WithholdingAgreement
    columns = (
        each.agreement_no, each.region, each.insurance_type, each.channel, each.bank, each.card_masked, each.bank_agreement_no,
        each.financial_function_activated, each.text_version, each.state, each.reason, each.signed_at, each.verified_at,
        each.finished_at,
    )  # fmt: skip
    return select(*columns).where(each.person_id == whose.person_id).order_by(each.id.desc())


def bills(whose: Whose) -> Rows:
    each = ContributionBill
    columns = (each.bill_no, each.insurance_type, each.coverage_month, each.kind, each.amount_fen, each.state, each.issued_at)
    joined = select(*columns).join(Enrollment, Enrollment.id == each.enrollment_id)
    return joined.where(Enrollment.person_id == whose.person_id).order_by(each.id.desc())


def records(whose: Whose) -> Rows:
    each = ContributionRecord
    columns = (
        each.insurance_type, each.coverage_month, each.kind, each.amount_fen, each.state, each.paid_at, each.tax_confirmed_at,
        each.tax_receipt_no, each.treasury_on, each.posted_at, each.posted_on,
    )  # fmt: skip
    joined = select(*columns).join(Enrollment, Enrollment.id == each.enrollment_id)
    return joined.where(Enrollment.person_id == whose.person_id).order_by(each.id.desc())


def messages(whose: Whose) -> Rows:
    columns = (Message.template, Message.facts, Message.state, Message.way, Message.created_at, Message.sent_at)
    return select(*columns).where(Message.account_id == whose.account_id).order_by(Message.id.desc())


def allowances(whose: Whose) -> Rows:
    each = MessageAllowance
    columns = (each.platform_template, each.remaining, each.changed_at)
    return select(*columns).where(each.account_id == whose.account_id).order_by(each.platform_template)


def sessions(whose: Whose) -> Rows:
    each = AccountSession
    columns = (each.created_at, each.expires_at, each.revoked_at)
    return select(*columns).where(each.account_id == whose.account_id).order_by(each.id.desc())


def sms_codes(whose: Whose) -> Rows:
    each = SmsCode
    columns = (each.miniprogram, each.sent_at, each.used_at)
    return select(*columns).where(each.phone_index == whose.phone_index).order_by(each.id.desc())


def uploads(whose: Whose) -> Rows:
    each = DocumentUpload
    return select(each.kind, each.at).where(each.account_id == whose.account_id).order_by(each.id.desc())


def requests(whose: Whose) -> Rows:
    each = PersonalDataRequest
    columns = (each.id, each.kind, each.state, each.answer, each.created_at, each.due_at, each.finished_at)
    return select(*columns).where(each.account_id == whose.account_id).order_by(each.id.desc())


SUBJECTS: Final[Mapping[str, Any]] = {
    each.__tablename__: each
    for each in (IdentityVerification, CounterCheck, PersonalDataRequest, EnrollmentApplication, WithholdingAgreement)
}
"""Tables beside accounts and persons whose rows are opened: each belongs to an account, and through it to a person."""


def accesses(whose: Whose) -> Rows:
    """Who looked: at this account, at what belongs to it, and at the person, also through another account of theirs."""
    each = PersonalDataAccess
    columns = (each.at, each.columns, each.purpose, each.who)
    return select(*columns).where(_about(whose)).order_by(each.id.desc())


def _about(whose: Whose) -> ColumnElement[bool]:
    mine = Account.id == whose.account_id
    if whose.person_id is not None:
        mine = or_(mine, Account.person_id == whose.person_id)
    each, ours = PersonalDataAccess, select(Account.id).where(mine)
    about = [and_(each.subject_table == "accounts", each.subject_id.in_(ours))]
    about += [
        and_(each.subject_table == name, each.subject_id.in_(select(model.id).where(model.account_id.in_(ours))))
        for name, model in SUBJECTS.items()
    ]
    pictures = select(ApplicationDocument.id).join(EnrollmentApplication).where(EnrollmentApplication.account_id.in_(ours))
    about.append(and_(each.subject_table == "application_documents", each.subject_id.in_(pictures)))
    if whose.person_id is not None:
        about.append(and_(each.subject_table == "persons", each.subject_id == whose.person_id))
        signed = select(WithholdingAgreement.id).where(WithholdingAgreement.person_id == whose.person_id)
        about.append(and_(each.subject_table == "withholding_agreements", each.subject_id.in_(signed)))
    return or_(*about)


def _months() -> ScalarSelect[Any]:
    """The coverage months of an order, in time order."""
    wanted = select(func.array_agg(ContributionBill.coverage_month.distinct())).select_from(OrderLine)
    joined = wanted.join(ContributionBill, ContributionBill.id == OrderLine.bill_id)
    return joined.where(OrderLine.order_id == PaymentOrder.id).correlate(PaymentOrder).scalar_subquery()


# --- what a row looks like

COLUMNS: Final = {
    "name": "姓名",
    "id_number": "身份证号码",
    "phone": "手机号码",
    "wish": "更正的内容",
    "details": "参保申请中填写的信息",
    "remark": "审核意见",
    "picture_key": "材料照片",
    "card_number": "银行卡号",
}
PURPOSES: Final = {
    "review_look": "审核参保申请",
    "review_approve": "审核参保申请",
    "review_override": "审核参保申请",
    "message_sms": "发送短信通知",
    "name_check": "实名核验",
    "name_check_phone": "实名核验",
    "face_check_start": "发起人脸核验",
    "face_check_ask": "查询人脸核验结果",
    "bank_card_check": "银行卡核验",
    "agreement_check": "核对委托扣款的银行卡",
    "debit_file": "向银行报送扣款",
    **dict.fromkeys(("counter_look", "counter_compare", "counter_confirm"), "窗口核验"),
    "retirement_outlook": "为您测算退休时间",
    "application_form": "预填参保申请表",
    "application_rules": "核对参保条件",
    "application_change": "填写参保申请",
    "application_remark": "向本人显示审核意见",
    "registration_form": "打印登记表",
    "own_copy": "向本人提供副本",
    "document_look": "查看申请材料的照片",
    "request_answer": "办理您的个人信息请求",
    "person_story": "查看您的办事经过（姓名和号码已遮盖）",
    "person_search": "按证件号码查找（姓名和号码已遮盖）",
}
"""Why something was opened, as services write it → as the person reads it. A test finds every purpose in the services."""
MONTH_COLUMNS: Final = frozenset({"coverage_month", "from_month", "start_month", "end_month", "effective_month"})


def shown(row: Row[*tuple[Any, ...]]) -> dict[str, Any]:
    """A row as JSON: moments as RFC 3339, months as YYYY-MM."""
    return {name: _plain(name, value) for name, value in row._asdict().items()}


def _plain(name: str, value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if name == "coverage_months":
        return [str(YearMonth.from_number(month)) for month in sorted(value or ())]
    if name in MONTH_COLUMNS and value is not None:
        return str(YearMonth.from_number(value))
    return value if value is None or isinstance(value, bool | int | dict) else str(value)


def shown_access(row: Row[*tuple[Any, ...]], whose: Whose) -> dict[str, Any]:
    """Who looked, in words: staff and other accounts by their role, never by their number."""
    if row.who == f"account:{whose.account_id}":
        who = "本人"
    elif row.who.startswith("account:"):
        who = "本人的其他账户"
    else:
        who = "工作人员" if row.who.startswith("staff:") else "系统"
    return {
        "at": row.at.isoformat(),
        "what": "、".join(COLUMNS.get(name, "其他信息") for name in row.columns.split(",")),
        "why": PURPOSES.get(row.purpose, "办理您的业务"),
        "who": who,
    }
