"""Everything about me: by kind, each with purpose, source, legal ground and term; masked on the page, whole in a copy (PIPL Art 44–45)."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import func, or_, select

from models.accounts import Account
from models.applications import EnrollmentApplication
from models.people import Person
from models.personal_data import PersonalDataRequest
from models.withholding_agreements import WithholdingAgreement
from services import own_data_applications as of_applications
from services import own_data_counters as of_counters
from services import own_data_debits as of_debits
from services import own_data_rows as rows
from services.errors import FreshSignInRequired
from services.own_data_rows import Whose, shown, shown_access
from services.personal_data import open_personal
from services.sign_in import session_began

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date, datetime

    from sqlalchemy import Row
    from sqlalchemy.orm import Session

    from config.retention import Retention
    from services.own_data_rows import Rows
    from services.ports import Ports

SHOWN: Final = 50
"""Rows of a kind on the page, newest first; a copy has all of them."""
A_PAGE: Final = 500
FRESH: Final = timedelta(minutes=15)
"""A copy in full is given to whoever signed in so recently: a phone left on a table tells no more than its pages."""


@dataclass(frozen=True, kw_only=True)
class DataKind:
    """One kind of data: what it is, why and whence we have it, and how it is read."""

    kind: str
    title: str
    purpose: str
    source: str
    tables: tuple[str, ...]
    """The tables it tells of; the first one's policies say how long it is kept, and by what right."""
    rows: Callable[[Whose], Rows]


def _kind(kind: str, title: str, purpose: str, source: str, *tables: str, of: Callable[[Whose], Rows]) -> DataKind:
    return DataKind(kind=kind, title=title, purpose=purpose, source=source, tables=tables, rows=of)


ME, PLATFORM, REGISTRAR, OURS = "您本人提供", "登录平台提供", "参保登记机关提供", "办理业务时产生"
PAY, PROVE, ANSWER = "缴纳社会保险费", "核实您的身份", "保障您的知情和监督"
KINDS: Final = (
    _kind("account", "账户", "登录和办理业务", PLATFORM, "accounts", of=rows.account),
    _kind("person", "身份信息", PROVE, ME, "persons", of=rows.person),
    _kind("verification", "实名认证", PROVE, ME, "identity_verifications", of=rows.verification),
    _kind("face_checks", "人脸核验记录（不含照片）", PROVE, OURS, "face_checks", of=rows.face_checks),
    _kind(
        "bank_card_checks",
        "银行卡核验和签约核对记录（仅卡号末四位）",
        PROVE,
        OURS,
        "bank_card_checks",
        of=rows.bank_card_checks,
    ),
    _kind("counter_checks", "窗口核验记录", PROVE, OURS, "counter_checks", of=rows.counter_checks),
    _kind("consents", "同意记录", "证明已取得您的同意", ME, "consents", of=rows.consents),
    _kind("readings", "告知书阅读记录", "证明已向您告知", OURS, "notice_readings", of=rows.readings),
    _kind("insured_persons", "我为谁缴费", PAY, ME, "insured_persons", of=rows.relations),
    _kind("lookups", "添加参保人的尝试", "防止他人信息被试探", OURS, "person_lookups", of=rows.lookups),
    _kind("payers", "谁为我缴费", PAY, OURS, "payment_orders", "payment_order_lines", of=rows.payers),
    _kind("payer_blocks", "我拒绝的代缴人", "尊重您的意愿", ME, "payer_blocks", of=rows.blocks),
    _kind("orders", "我的订单和支付", PAY, OURS, "payments", "payment_orders", "payment_order_lines", of=rows.orders),
    _kind("receipts", "下载过的缴费回单（不含内容）", PAY, OURS, "printouts", of=rows.receipts),
    _kind("receipt_fetches", "下载缴费回单的记录", "防止下载被滥用", OURS, "receipt_fetches", of=rows.receipt_fetches),
    _kind("counter_orders", "在窗口开过的缴费单", PAY, OURS, "counter_orders", of=of_counters.counter_orders),
    _kind("counter_slips", "由工作人员录入的银行缴款凭证", PAY, OURS, "counter_slips", of=of_counters.counter_slips),
    _kind("counter_payments", "银行柜面报来的收款", PAY, "收款银行提供", "counter_payments", of=of_counters.counter_payments),
    _kind("refunds", "退款", "退还多缴的费用", "支付平台提供", "refunds", of=rows.refunds),
    _kind("enrollments", "参保登记", PAY, REGISTRAR, "enrollments", of=rows.enrollments),
    _kind("enrollment_periods", "以前的参保时段", PAY, OURS, "enrollment_periods", of=of_applications.enrollment_periods),
    _kind("applications", "参保申请", "办理参保登记", ME, "enrollment_applications", of=of_applications.applications),
    _kind("application_items", "申请的险种", "办理参保登记", ME, "application_items", of=of_applications.application_items),
    _kind(
        "application_documents",
        "申请材料（不含照片）",
        "办理参保登记",
        ME,
        "application_documents",
        of=of_applications.application_documents,
    ),
    _kind("review_overrides", "破例审核记录", "办理参保登记", OURS, "review_overrides", of=of_applications.review_overrides),
    _kind("printouts", "打印过的登记表（不含内容）", "办理参保登记", OURS, "printouts", of=of_applications.printouts),
    _kind("joint_cases", "联合办件", "办理参保登记", OURS, "joint_cases", of=of_applications.joint_cases),
    _kind("tiers", "缴费档次的变更", PAY, OURS, "enrollment_tiers", of=rows.tiers),
    _kind("agreements", "委托扣款缴费协议（仅卡号末四位）", PAY, ME, "withholding_agreements", of=rows.agreements),
    _kind("debits", "银行扣款记录", PAY, "银行提供", "debit_instructions", of=of_debits.debits),
    _kind("debit_reminders", "扣款提醒记录", "提醒您存足金额", OURS, "debit_reminders", of=of_debits.reminders),
    _kind("bills", "应缴账单", PAY, OURS, "contribution_bills", of=rows.bills),
    _kind("adjustments", "基数调整后待人工核定的月份", "多退少补", OURS, "adjustment_reviews", of=rows.adjustments),
    _kind("records", "缴费记录", "记录您的缴费权益", OURS, "contribution_records", of=rows.records),
    _kind("messages", "消息", "告知办理结果", OURS, "messages", of=rows.messages),
    _kind("reminders", "缴费提醒记录", "提醒您按时缴费", OURS, "payment_reminders", of=rows.reminders),
    _kind("message_allowances", "消息订阅次数", "告知办理结果", ME, "message_allowances", of=rows.allowances),
    _kind("sms_codes", "短信验证码发送记录（不含验证码）", "登录和防止短信滥用", OURS, "sms_codes", of=rows.sms_codes),
    _kind("document_uploads", "上传材料的记录（不含照片）", "防止上传被滥用", OURS, "document_uploads", of=rows.uploads),
    _kind("sessions", "登录记录", "保护账户安全", OURS, "account_sessions", of=rows.sessions),
    _kind("requests", "个人信息请求", "办理您的请求", ME, "personal_data_requests", of=rows.requests),
    _kind("accesses", "谁查看过我的信息", ANSWER, OURS, "personal_data_accesses", of=rows.accesses),
)
WITHHELD: Final = {
    "staff_persons": "about staff, so that nobody reviews their own affairs",
    "idempotency_keys": "hashes of requests whose results are told elsewhere, gone after two days",
    "debit_runs": "that a day's run at a bank was made",
    "debit_batches": "counts and sums of a file; its lines are told",
    "bank_files": "names and digests of banks' files",
    "bank_file_faults": "what in a bank's file made no sense, by line; debits themselves are told",
    "partner_nonces": "random words of banks' requests",
    "refund_lines": "which accounts a refund takes from; refunds themselves are told",
    "reconciliations": "counts and sums of a merchant account's day",
    "reconciliation_differences": "payments that are told elsewhere, where a provider's bill and the books did not agree on them",
    "transfers": "the same money as the payments, as the house's own double entry",
    "moves": "the steps of rows that are told elsewhere; it names no person",
    "notices": "the providers' sealed words about payments that are told elsewhere",
    "platform_events": "hashes alone, of no account",
    "audit_blocks": "hashes over runs of rows",
    "erasures": "counts",
    "staff": "about staff, by number; no insured person is named",
    "staff_sessions": "about staff",
    "staff_acts": "about staff: which page, by ids; who opened whose data is told as accesses",
    "staff_resets": "about staff",
    "printout_misses": "about networks that tried codes of printouts, by an index that turns each day; of no account",
    "counter_code_misses": "about staff who mistyped, not about the people at the counter",
}
"""Tables that no kind tells of, and why. A test walks the whole schema."""


@dataclass(frozen=True, kw_only=True)
class KindView:
    """One kind as it is shown. `items` are the newest; `count` says how many there are."""

    kind: str
    title: str
    purpose: str
    source: str
    legal_ground: str
    retention: str
    count: int
    items: list[dict[str, Any]]


def own_data(ports: Ports, *, account: Account) -> list[KindView]:
    """Everything that this account may see about itself, masked; of each kind the newest."""
    views = []
    for kind in KINDS:
        with ports.begin() as session:
            whose = _whose(session, account)
            count = session.scalar(select(func.count()).select_from(kind.rows(whose).order_by(None).subquery())) or 0
            items = _page(session, kind, whose, limit=SHOWN, offset=0)
        views.append(KindView(**_head(ports.retention, kind, ports.today()), count=count, items=items))
    return views


def own_accesses(ports: Ports, *, account: Account, limit: int, offset: int) -> tuple[int, list[dict[str, Any]]]:
    """Who looked at my data, newest first: how many in all, and one page of them."""
    kind = next(each for each in KINDS if each.kind == "accesses")
    with ports.begin() as session:
        whose = _whose(session, account)
        count = session.scalar(select(func.count()).select_from(kind.rows(whose).order_by(None).subquery())) or 0
        return count, _page(session, kind, whose, limit=limit, offset=offset)


def own_copy(ports: Ports, *, account: Account, token: str) -> Iterator[str]:
    """A whole copy as of one moment, as pieces of one JSON document. In full for a verified holder; masked for anybody else.

    Raises FreshSignInRequired for a verified holder who signed in too long ago, and SealBroken; both before the first piece.
    """
    opened: dict[str, Any] = {}
    now = ports.now()
    with ports.begin() as session:
        # One moment for all of it: pages read one after another would tell a row twice, or not at all, when one comes or goes between.
        session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
        whose = _whose(session, account)
        if whose.person_id is not None:
            if session_began(session, token=token) <= now - FRESH:
                raise FreshSignInRequired
            opened = _open_all(ports, session, account=account, whose=whose, now=now)
        # Squeezed to a tenth, and given out when the transaction is over: a slow phone holds no connection.
        squeezed = [zlib.compress(piece.encode()) for piece in _pieces(ports, session, whose=whose, opened=opened, now=now)]
    return (zlib.decompress(piece).decode() for piece in squeezed)


def _open_all(ports: Ports, session: Session, *, account: Account, whose: Whose, now: datetime) -> dict[str, Any]:
    """What is one's own under a seal; each opening leaves its row."""
    who = f"account:{account.id}"
    person = session.get_one(Person, whose.person_id)
    opened: dict[str, Any] = open_personal(ports, session, person, "name", "id_number", purpose="own_copy", who=who, now=now)
    row = session.get_one(Account, account.id)
    if row.phone_sealed is not None:
        opened |= open_personal(ports, session, row, "phone", purpose="own_copy", who=who, now=now)
    wishes = session.scalars(
        select(PersonalDataRequest)
        .where(PersonalDataRequest.account_id == account.id, PersonalDataRequest.wish_sealed.is_not(None))
        .order_by(PersonalDataRequest.id)
    )
    opened["wishes"] = [
        {"id": str(wish.id), **open_personal(ports, session, wish, "wish", purpose="own_copy", who=who, now=now)}
        for wish in wishes
    ]
    opened["applications"] = _open_applications(ports, session, whose=whose, who=who, now=now)
    opened["agreements"] = _open_agreements(ports, session, whose=whose, who=who, now=now)
    return opened


def _open_agreements(ports: Ports, session: Session, *, whose: Whose, who: str, now: datetime) -> list[dict[str, Any]]:
    """The cards that may be debited, or could be until lately."""
    each = WithholdingAgreement
    found = select(each).where(each.person_id == whose.person_id, each.card_number_sealed.is_not(None))
    return [
        {
            "agreement_no": row.agreement_no,
            **open_personal(ports, session, row, "card_number", purpose="own_copy", who=who, now=now),
        }
        for row in session.scalars(found.order_by(each.id))
    ]


def _open_applications(ports: Ports, session: Session, *, whose: Whose, who: str, now: datetime) -> list[dict[str, Any]]:
    """What was declared in applications, and what a reviewer said about them."""
    each = EnrollmentApplication
    found = select(each).where(
        each.person_id == whose.person_id, or_(each.details_sealed.is_not(None), each.remark_sealed.is_not(None))
    )
    told = []
    for row in session.scalars(found.order_by(each.id)):
        columns = [name for name in ("details", "remark") if getattr(row, f"{name}_sealed") is not None]
        words = open_personal(ports, session, row, *columns, purpose="own_copy", who=who, now=now)
        told.append({"case_no": row.case_no, **words})
    return told


def _pieces(ports: Ports, session: Session, *, whose: Whose, opened: dict[str, Any], now: datetime) -> Iterator[str]:
    """The document in order, a page of rows at a time."""
    head = {"made_at": now.isoformat(), "full": bool(opened), "opened": opened}
    yield json.dumps(head, ensure_ascii=False)[:-1] + ', "kinds": ['
    for number, kind in enumerate(KINDS):
        said = json.dumps(_head(ports.retention, kind, ports.today()), ensure_ascii=False)
        yield (", " if number else "") + said[:-1] + ', "items": ['
        offset = 0
        while True:
            items = _page(session, kind, whose, limit=A_PAGE, offset=offset)
            told = ", ".join(json.dumps(item, ensure_ascii=False) for item in items)
            yield (", " if offset and told else "") + told
            offset += len(items)
            if len(items) < A_PAGE:
                break
        yield f'], "count": {offset}}}'
    yield "]}"


def _whose(session: Session, account: Account) -> Whose:
    """As the rows have it now, not as it was when the token was read."""
    row = session.execute(select(Account.person_id, Account.phone_index).where(Account.id == account.id)).one()
    return Whose(account_id=account.id, person_id=row.person_id, phone_index=row.phone_index)


def _page(session: Session, kind: DataKind, whose: Whose, *, limit: int, offset: int) -> list[dict[str, Any]]:
    found: list[Row[*tuple[Any, ...]]] = list(session.execute(kind.rows(whose).limit(limit).offset(offset)))
    return [shown_access(row, whose) if kind.kind == "accesses" else shown(row) for row in found]


def _head(retention: Retention, kind: DataKind, today: date) -> dict[str, Any]:
    policies = retention.of_table(kind.tables[0], today)
    terms = [f"其中凭证等内容{each.told}后清空" if each.erases else _term(each.told, ends=each.has_a_term) for each in policies]
    return {
        "kind": kind.kind,
        "title": kind.title,
        "purpose": kind.purpose,
        "source": kind.source,
        "legal_ground": "；".join(dict.fromkeys(each.legal_ground for each in policies)),
        "retention": "；".join(dict.fromkeys(terms)),
    }


def _term(told: str, *, ends: bool) -> str:
    return f"结束后{told}删除" if ends else told
