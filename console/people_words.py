"""What the things of a person's story are called, in one line each. Pure; nothing of a person stands in it that was not masked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from config.rulebook_rows import NoticePurpose
from console import money_words as told
from console import words
from models.bills import BillKind
from models.enrollments import EnrollmentState
from models.identity import BankCardCheckState, BankCardPurpose, CounterCheckState, FaceCheckState
from models.messages import MessageState
from models.orders import OrderOrigin
from models.reviews import OverrideState
from models.withholding_agreements import AgreementState
from services import agreement_views, application_views
from services.desk_search import Found
from services.messages import wordings
from services.own_data_rows import COLUMNS, PURPOSES
from services.person_story_rows import Kind

if TYPE_CHECKING:
    from collections.abc import Callable

    from config.rulebook import Rulebook
    from services.desk_search import Result
    from services.person_story import Entry

KINDS: Final = {
    Kind.ENROLLMENTS: "参保登记",
    Kind.APPLICATIONS: "申请和审核",
    Kind.BILLS: "账单",
    Kind.ORDERS: "订单和支付",
    Kind.REFUNDS: "退款",
    Kind.DEBITS: "扣款协议和扣款",
    Kind.MESSAGES: "消息",
    Kind.IDENTITY: "身份核验",
    Kind.CONSENTS: "同意记录",
    Kind.ACCESSES: "查看记录",
}
FOUND: Final = {
    Found.PERSON: "参保人",
    Found.ORDER: "订单",
    Found.PAYMENT: "付款",
    Found.REFUND: "退款",
    Found.BILL: "账单",
    Found.APPLICATION: "申请",
    Found.AGREEMENT: "扣款协议",
}
ENROLLED: Final = {
    EnrollmentState.ACTIVE: "正常参保",
    EnrollmentState.SUSPENDED: "已停保",
    EnrollmentState.TERMINATED: "已终止",
    EnrollmentState.RETIRED: "已退休",
}
FACES: Final = {
    FaceCheckState.CREATED: "尚未开始",
    FaceCheckState.PENDING: "进行中",
    FaceCheckState.PASSED: "通过",
    FaceCheckState.FAILED: "未通过",
    FaceCheckState.DECLINED: "本人取消",
    FaceCheckState.EXPIRED: "过期",
}
CARDS: Final = {
    BankCardCheckState.CREATED: "进行中",
    BankCardCheckState.MATCHED: "一致",
    BankCardCheckState.MISMATCHED: "不一致",
    BankCardCheckState.UNSUPPORTED: "发卡银行不支持",
    BankCardCheckState.UNAVAILABLE: "银行没有答复",
}
COUNTERS: Final = {
    CounterCheckState.OPEN: "等待到窗口",
    CounterCheckState.ATTESTED: "已录入，待复核",
    CounterCheckState.CONFIRMED: "已确认",
    CounterCheckState.REFUSED: "已终止",
    CounterCheckState.WITHDRAWN: "本人取消",
    CounterCheckState.EXPIRED: "过期",
}
METHODS: Final = {
    "wechat_face": "微信人脸核验",
    "alipay_face": "支付宝人脸核验",
    "aliyun_face": "阿里云人脸核验",
    "alipay_account": "支付宝实名",
    "bank_card": "银行卡核验",
    "counter": "窗口核验",
}
MESSAGES: Final = {
    MessageState.WAITING: "待发送",
    MessageState.SENT: "已发送",
    MessageState.GIVEN_UP: "未能发送，可在小程序查看",
}
ORIGINS: Final = {
    OrderOrigin.PHONE: "手机下单",
    OrderOrigin.DEBIT: "银行批量扣款",
    OrderOrigin.POS: "窗口POS",
    OrderOrigin.COUNTER: "银行柜面",
    OrderOrigin.TAX: "税务清单补记",
}
OVERRIDES: Final = {
    OverrideState.ASKED: "等待决定",
    OverrideState.GRANTED: "已同意",
    OverrideState.REFUSED: "未同意",
    OverrideState.LAPSED: "已失效",
}
CONSENTS: Final = {
    NoticePurpose.REAL_NAME: "实名信息",
    NoticePurpose.FACE: "人脸核验",
    NoticePurpose.BANK_CARD: "银行卡核验",
    NoticePurpose.PROXY_PAYMENT: "为他人缴费",
    NoticePurpose.PHONE: "手机号码",
    NoticePurpose.DOCUMENTS: "证件和材料照片",
    NoticePurpose.BANK_ACCOUNT: "银行账户",
    NoticePurpose.WITHHOLDING: "委托扣款",
    NoticePurpose.ENROLLMENT: "网上参保申报",
    NoticePurpose.AGENCY_CLIENT: "委托代理告知",
}
STATES: Final[dict[Found, dict[Any, str]]] = {
    Found.ORDER: dict(told.ORDERS),
    Found.PAYMENT: dict(told.PAYMENTS),
    Found.REFUND: dict(told.REFUND_STATES),
    Found.BILL: dict(told.BILLS),
    Found.APPLICATION: dict(application_views.STATES),
    Found.AGREEMENT: dict(agreement_views.STATES),
}


@dataclass(frozen=True, kw_only=True)
class Line:
    """An entry in words: what it is, more about it, and its money where it has any."""

    title: str
    more: str
    fen: int | None = None
    number: str = ""
    """Of the thing, to be read to each other."""


def line(rulebook: Rulebook, entry: Entry) -> Line:
    return _LINES[entry.what](rulebook, entry.facts)


def state(result: Result) -> str:
    return told.of(STATES.get(result.what, {}), result.state)


def region(rulebook: Rulebook, code: str) -> str:
    found = rulebook.regions.get(code)
    return found.name if found else code


def enrolled(rulebook: Rulebook, of: tuple[str, str, str]) -> str:
    """常州市 养老：正常参保."""
    where, insurance, its_state = of
    return f"{region(rulebook, where)} {told.of(told.INSURANCES, insurance)}：{told.of(ENROLLED, its_state)}"


def _by(who: str | None) -> str:
    return words.person(who) if who else ""


def _joined(*parts: str) -> str:
    return "，".join(filter(None, parts))


def _enrollment(rulebook: Rulebook, it: dict[str, Any]) -> Line:
    until = f"，至 {told.month(it['end_month'])} 前" if it["end_month"] else ""
    run = f"从 {told.month(it['start_month'])} 起{until}"
    title = f"参保登记：{region(rulebook, it['region'])} {told.of(told.INSURANCES, it['insurance_type'])}"
    return Line(title=title, more=_joined(run, f"现在{told.of(ENROLLED, it['state'])}"))


def _enrollment_move(rulebook: Rulebook, it: dict[str, Any]) -> Line:
    titles = {EnrollmentState.ACTIVE: "续保", EnrollmentState.SUSPENDED: "停保", EnrollmentState.TERMINATED: "终止参保"}
    where = f"{region(rulebook, it['region'])} {told.of(told.INSURANCES, it['insurance_type'])}"
    return Line(title=f"{told.of({**ENROLLED, **titles}, it['to_state'])}：{where}", more=_by(it["who"]))


def _application(rulebook: Rulebook, it: dict[str, Any]) -> Line:
    step = told.of(application_views.STEPS, it["event"])
    kind = told.of(dict(application_views.KINDS), it["kind"])
    why = told.of(dict(application_views.REASONS), it["reason"]) if it["reason"] else ""
    return Line(
        title=f"{kind}申请：{step}", more=_joined(region(rulebook, it["region"]), why, _by(it["who"])), number=it["case_no"]
    )


def _override(_rulebook: Rulebook, it: dict[str, Any]) -> Line:
    by = f"{_by(it['decided_by'])}复核" if it["decided_by"] else ""
    return Line(
        title="提请破例复核",
        more=_joined(told.of(dict(OVERRIDES), it["state"]), f"{_by(it['who'])}提请", by),
        number=it["case_no"],
    )


def _bill(rulebook: Rulebook, it: dict[str, Any]) -> Line:
    insurance = told.insurance(rulebook, it["region"], it["insurance_type"], it["coverage_month"])
    kind = "补差账单" if it["kind"] == BillKind.SUPPLEMENT else "账单"
    return Line(
        title=f"{kind}：{told.month(it['coverage_month'])} {insurance}",
        more=f"现在{told.of(told.BILLS, it['state'])}",
        fen=it["amount_fen"],
        number=it["bill_no"],
    )


def _order(_rulebook: Rulebook, it: dict[str, Any]) -> Line:
    whom = "" if it["is_own"] else f"为 {it['insured']} 代缴"
    how = told.channel(it["account"]) if it["account"] else ""
    return Line(
        title=f"订单：{told.of(ORIGINS, it['origin'])}",
        more=_joined(whom, how, f"现在{told.of(told.ORDERS, it['state'])}"),
        fen=it["total_fen"],
        number=it["order_no"],
    )


def _payment(_rulebook: Rulebook, it: dict[str, Any]) -> Line:
    more = _joined(told.channel(it["account"]), told.of(told.PAYMENTS, it["state"]))
    return Line(title="付款到账", more=more, fen=it["amount_fen"], number=it["payment_no"])


def _refund(_rulebook: Rulebook, it: dict[str, Any]) -> Line:
    why = told.of(told.REASONS, it["reason"]) if it["reason"] else ""
    return Line(
        title="申请退款",
        more=_joined(why, _by(it["who"]), f"现在{told.of(told.REFUND_STATES, it['state'])}"),
        fen=it["amount_fen"],
        number=it["refund_no"],
    )


def _refunded(_rulebook: Rulebook, it: dict[str, Any]) -> Line:
    return Line(title="退款到账", more=told.channel(it["account"]), fen=it["amount_fen"], number=it["refund_no"])


def _agreement(rulebook: Rulebook, it: dict[str, Any]) -> Line:
    where = f"{region(rulebook, it['region'])} {told.of(told.INSURANCES, it['insurance_type'])}"
    return Line(
        title=f"签订扣款协议：{where}",
        more=_joined(f"{it['bank']} {it['card_masked']}", f"现在{told.of(dict(agreement_views.STATES), it['state'])}"),
        number=it["agreement_no"],
    )


def _agreement_move(_rulebook: Rulebook, it: dict[str, Any]) -> Line:
    titles = {AgreementState.ACTIVE: "生效", AgreementState.SUSPENDED: "暂停", AgreementState.TERMINATED: "解约"}
    what = told.of({**dict(agreement_views.STATES), **titles}, it["to_state"])
    return Line(title=f"扣款协议：{what}", more=_by(it["who"]), number=it["agreement_no"])


def _debit(_rulebook: Rulebook, it: dict[str, Any]) -> Line:
    why = told.of(told.RESULTS, it["result"]) if it["result"] else ""
    title = f"银行扣款：{it['run_day']} 第{it['number']}批"
    return Line(title=title, more=_joined(told.of(told.DEBITS, it["state"]), why), fen=it["amount_fen"])


def _message(_rulebook: Rulebook, it: dict[str, Any]) -> Line:
    found = wordings().find(it["template"], language="zh-CN")
    return Line(title=f"消息：{found[1].title if found else it['template']}", more=told.of(dict(MESSAGES), it["state"]))


def _verified(_rulebook: Rulebook, it: dict[str, Any]) -> Line:
    return Line(title="实名认证通过", more=told.of(METHODS, it["method"]))


def _face(_rulebook: Rulebook, it: dict[str, Any]) -> Line:
    return Line(title=told.of(METHODS, it["provider"]), more=told.of(dict(FACES), it["state"]))


def _card(_rulebook: Rulebook, it: dict[str, Any]) -> Line:
    title = "核对扣款银行卡" if it["purpose"] == BankCardPurpose.AGREEMENT else "银行卡核验"
    return Line(title=title, more=_joined(f"卡号{it['card_masked']}", told.of(dict(CARDS), it["state"])))


def _counter(_rulebook: Rulebook, it: dict[str, Any]) -> Line:
    return Line(title="窗口核验", more=_joined(told.of(dict(COUNTERS), it["state"]), _by(it["who"])))


def _consent(_rulebook: Rulebook, it: dict[str, Any]) -> Line:
    return Line(title=f"同意：{told.of(CONSENTS, it['purpose'])}", more=f"版本 {it['version']}")


def _withdrawn(_rulebook: Rulebook, it: dict[str, Any]) -> Line:
    return Line(title=f"撤回同意或改用新版本：{told.of(CONSENTS, it['purpose'])}", more=f"版本 {it['version']}")


def _access(_rulebook: Rulebook, it: dict[str, Any]) -> Line:
    what = "、".join(COLUMNS.get(each, each) for each in it["columns"].split(","))
    return Line(title=f"查看个人信息：{what}", more=_joined(PURPOSES.get(it["purpose"], it["purpose"]), _by(it["who"])))


_LINES: Final[dict[str, Callable[[Rulebook, dict[str, Any]], Line]]] = {
    "enrollment": _enrollment,
    "enrollment_move": _enrollment_move,
    "application_move": _application,
    "override": _override,
    "bill": _bill,
    "order": _order,
    "payment": _payment,
    "refund": _refund,
    "refunded": _refunded,
    "agreement": _agreement,
    "agreement_move": _agreement_move,
    "debit": _debit,
    "message": _message,
    "verified": _verified,
    "face_check": _face,
    "bank_card_check": _card,
    "counter_check": _counter,
    "consent": _consent,
    "consent_withdrawn": _withdrawn,
    "access": _access,
}
