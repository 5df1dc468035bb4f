"""What states, outcomes, reasons and accounts of money are called on the pages, and how sums are written there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from config.months import YearMonth
from models.bills import BillState, RecordState
from models.debits import BatchState, DebitResult, FaultKind, InstructionState
from models.inbox import NoticeState
from models.journal import TransferKind
from models.orders import OrderState
from models.payments import PaymentState
from models.reconciliation import DifferenceKind, DifferenceSubject, ReconciliationState
from models.refunds import RefundOrigin, RefundReason, RefundRoad, RefundState
from services.inbox import CONFLICT
from services.money_back import Part
from services.printouts import insurance_label
from services.settlement_outcomes import Outcome

if TYPE_CHECKING:
    from config.rulebook import Rulebook
    from services.reconciliation_views import DifferenceView

_R = RefundState
CHANNELS: Final = {
    "wechat_pay": "微信支付",
    "alipay": "支付宝",
    "bank_debit": "银行批量扣款",
    "unionpay_pos": "银联POS",
    "bank_counter": "银行柜面",
    "slip": "缴款凭证",
    "tax": "税务清单",
    "registrar": "社保回盘",
}
OUTCOMES: Final = {
    Outcome.PAID: "已入账",
    Outcome.ALREADY: "已知，未重复入账",
    Outcome.CLOSED: "已关闭",
    Outcome.NOTHING: "无需处理",
    Outcome.SURPLUS: "多余款项",
    Outcome.WRONG_AMOUNT: "金额与订单不符",
    Outcome.UNCLAIMED: "无主款项",
    Outcome.WRONG_CURRENCY: "币种不是人民币",
    Outcome.CONTRADICTION: "与已入账结果矛盾",
    Outcome.REFUNDED: "已退回付款人",
    Outcome.REFUND_PENDING: "退款处理中",
    Outcome.REFUND_SEEN: "对方自行退款",
    Outcome.REFUND_ABNORMAL: "退款异常",
    Outcome.REFUND_FAILED: "退款未成功",
    CONFLICT: "入账冲突",
}
NEWS: Final = {
    "PAID": "付款",
    "CLOSED": "关闭",
    "REFUNDED": "退款完成",
    "REFUND_PENDING": "退款处理中",
    "REFUND_ABNORMAL": "退款异常",
    "REFUND_FAILED": "退款未成功",
}
REFUND_STATES: Final = {
    _R.APPLIED: "待审批",
    _R.APPROVED: "已审批，待发送",
    _R.SENT: "渠道处理中",
    _R.ABNORMAL: "退款异常",
    _R.HRSS_REVIEW: "社保审核中",
    _R.TAX_REVIEW: "税务审核中",
    _R.TREASURY: "国库办理中",
    _R.REFUNDED: "已退回",
    _R.FAILED: "未成功，款项未退",
    _R.REJECTED: "已驳回",
}
REFUND_NEXT: Final = {
    _R.APPLIED: "由另一位工作人员审批；未超过限额的，本人也可以审批",
    _R.APPROVED: "系统自动发送，无需办理；长时间不变的，查看最近一次回应",
    _R.SENT: "等待渠道结果，系统自动查询，无需办理",
    _R.ABNORMAL: "到商户平台按渠道退款单号处理异常退款，完成后系统会收到通知",
    _R.HRSS_REVIEW: "收到社保经办机构的答复后，在本页登记",
    _R.TAX_REVIEW: "收到税务机关的答复后，在本页登记",
    _R.TREASURY: "国库退付后，在本页登记",
    _R.REFUNDED: "已办结",
    _R.FAILED: "款项仍在原账户：查明原因后重新申请退款",
    _R.REJECTED: "已办结",
}
REASONS: Final = {
    RefundReason.DUPLICATE: "重复缴费",
    RefundReason.OVERPAID: "金额不符",
    RefundReason.WRONG_PERSON: "缴错人",
    RefundReason.NOT_ELIGIBLE: "不符合参保条件",
    RefundReason.EMPLOYER_OVERLAP: "与单位缴费重复",
    RefundReason.DEATH: "参保人死亡",
    RefundReason.UNCLAIMED: "无主款项",
}
ROADS: Final = {RefundRoad.PROVIDER: "原渠道退回", RefundRoad.TREASURY: "国库退付", RefundRoad.REVERSAL: "冲正（款项已退回）"}
ON_APPROVAL: Final = {
    RefundRoad.PROVIDER: "款项记为退款在途，由系统原路退回付款人。",
    RefundRoad.TREASURY: "款项记为退款在途，由社保、税务、国库依次办理。",
    RefundRoad.REVERSAL: "款项不再变动：所选月份改记为已退费，与渠道已退回的款项相抵。",
}
ORIGINS: Final = {RefundOrigin.ORDERED: "本系统发起", RefundOrigin.SEEN: "对方自行退款"}
PARTS: Final = {
    Part.TO_DECIDE: "待审批",
    Part.TROUBLE: "异常和未成功",
    Part.UNDER_WAY: "办理中",
    Part.REFUNDED: "已退回",
    Part.REJECTED: "已驳回",
}
NOTHING_THERE: Final = {
    Part.TO_DECIDE: "没有待审批的退款。要退一笔钱的，请点“申请退款”。",
    Part.TROUBLE: "没有异常或未成功的退款，无需办理。",
    Part.UNDER_WAY: "没有办理中的退款，无需办理。",
    Part.REFUNDED: "还没有退回过款项。",
    Part.REJECTED: "没有被驳回的退款。",
}
STEPS: Final = {
    _R.TAX_REVIEW: "社保经办机构已同意",
    _R.TREASURY: "税务机关已同意",
    _R.REFUNDED: "国库已退付",
    _R.REJECTED: "不同意退费",
}
"""What is answered on the treasury's road, by the state that it leads to."""
PAYMENTS: Final = {
    PaymentState.CREATED: "待下单",
    PaymentState.OPEN: "待支付",
    PaymentState.SUCCEEDED: "已支付",
    PaymentState.SURPLUS: "多余款项，应退回",
    PaymentState.UNCLAIMED: "无主款项",
    PaymentState.CLOSED: "已关闭",
}
ORDERS: Final = {
    OrderState.CREATED: "待下单",
    OrderState.PREPAY: "待支付",
    OrderState.UNKNOWN: "结果待核实",
    OrderState.PAID: "已支付",
    OrderState.CLOSED: "已关闭",
}
BILLS: Final = {
    BillState.UNPAID: "待缴",
    BillState.LOCKED: "支付中",
    BillState.PAID: "已支付，待税务入库",
    BillState.TAX_CONFIRMED: "税务已入库",
    BillState.POSTED: "社保已记账",
    BillState.VOID: "已作废",
    BillState.REFUNDING: "退费中",
    BillState.REFUNDED: "已退费",
}
RECORDS: Final = {
    RecordState.PAID: "已支付",
    RecordState.TAX_CONFIRMED: "税务已入库",
    RecordState.POSTED: "社保已记账",
    RecordState.REVERSED: "已冲正",
}
NOTICES: Final = {NoticeState.WAITING: "待入账", NoticeState.SETTLED: "已处理", NoticeState.PARKED: "待人工处理"}
KINDS: Final = {
    TransferKind.SETTLED: "缴费入账",
    TransferKind.SURPLUS: "多余款项入账",
    TransferKind.UNCLAIMED: "无主款项入账",
    TransferKind.REFUNDING: "决定退回",
    TransferKind.REFUNDED: "已退回",
    TransferKind.NOT_REFUNDED: "未退成，转回",
    TransferKind.REFUND_SEEN: "对方自行退款",
    TransferKind.ASSIGNED: "人工转入",
    TransferKind.CONFIRMED: "税务入库确认",
    TransferKind.FEE: "渠道手续费",
    TransferKind.REVERSAL: "冲正",
}
DAYS: Final = {ReconciliationState.OPEN: "未对账", ReconciliationState.COMPARED: "已对账", ReconciliationState.CLOSED: "已关账"}
DIFFERENCES: Final = {
    DifferenceKind.PSP_ONLY: "对方有、我方无",
    DifferenceKind.LOCAL_ONLY: "我方有、对方无",
    DifferenceKind.AMOUNT_DIFF: "金额不同",
    DifferenceKind.TAX_MISSING: "税务迟迟未入库",
    DifferenceKind.TAX_EXTRA: "税务有、不能确认",
    DifferenceKind.REFUND_CROSSED: "已退款又入库",
    DifferenceKind.NOT_CONFIRMED: "社保先于税务回盘",
    DifferenceKind.NOT_POSTED: "社保未记账",
    DifferenceKind.REGISTRAR_EXTRA: "社保有、我方无",
}
SUBJECTS: Final = {
    DifferenceSubject.TRADE: "付款",
    DifferenceSubject.REFUND: "退款",
    DifferenceSubject.MONTH: "月份",
    DifferenceSubject.FUNDS: "资金合计",
}
ACCOUNTS: Final = {
    "clearing": "渠道已收款",
    "contributions": "应缴社保费",
    "treasury": "国库已入库",
    "surplus": "多余款项",
    "unknown": "无主款项",
    "refunding": "退款在途",
    "returned": "国库退付",
    "fees": "渠道手续费",
}
ACCOUNT_HINTS: Final = {
    "clearing": "支付渠道替我们收下、尚未付出的钱；应与渠道的钱分文不差",
    "contributions": "已收到、应付给征收机关的钱",
    "treasury": "征收机关确认已入国库的钱",
    "surplus": "第二次、迟到或金额不符的钱，应退回付款人",
    "unknown": "查不到订单的钱，应查明或退回",
    "refunding": "已决定退回、还没有退到的钱",
    "returned": "国库自行退付的钱",
    "fees": "账单中的渠道手续费",
}
BATCHES: Final = {
    BatchState.MAKING: "生成中",
    BatchState.MADE: "待报送",
    BatchState.SENT: "已报送，等待银行",
    BatchState.ANSWERED: "已全部回盘",
}
BATCH_NEXT: Final = {
    BatchState.MAKING: "系统正在生成，无需办理；长时间不变的，请系统管理员查看后台任务",
    BatchState.MADE: "系统自动报送，无需办理；银行没有取走的，会列为问题",
    BatchState.SENT: "等待银行回盘，到时没有的，系统会查询；不可另行报送",
    BatchState.ANSWERED: "全部有结果：失败的已通知本人，下一批再扣",
}
DEBITS: Final = {
    InstructionState.IN_FLIGHT: "在途",
    InstructionState.UNKNOWN: "银行未定，查询中",
    InstructionState.SUCCEEDED: "扣款成功",
    InstructionState.FAILED: "扣款失败",
}
RESULTS: Final = {
    DebitResult.SUCCESS: "成功",
    DebitResult.INSUFFICIENT_FUNDS: "余额不足",
    DebitResult.ACCOUNT_FROZEN: "账户冻结或止付",
    DebitResult.NAME_MISMATCH: "户名不符",
    DebitResult.AGREEMENT_INVALID: "协议无效",
    DebitResult.FINANCIAL_FUNCTION_INACTIVE: "金融功能未激活",
    DebitResult.LIMIT_EXCEEDED: "超过限额",
    DebitResult.BANK_TIMEOUT: "银行超时",
    DebitResult.SYSTEM_ERROR: "系统原因",
}
FAULTS: Final = {
    FaultKind.FILE_DAMAGED: "文件损坏",
    FaultKind.BATCH_UNKNOWN: "未知批次",
    FaultKind.LINE_UNKNOWN: "未报送过的一笔",
    FaultKind.LINE_TWICE: "一笔两个结果",
    FaultKind.OTHER_PAYMENT: "缴费单号不同",
    FaultKind.OTHER_AMOUNT: "金额不同",
    FaultKind.CODE_UNKNOWN: "结果代码未知",
    FaultKind.CONTRADICTION: "前后结果矛盾",
    FaultKind.NOT_TAKEN: "银行未取走文件",
    FaultKind.NO_ANSWER: "多次查询无结果",
}
NOUNS: Final = {
    "payment": "支付",
    "payment_order": "订单",
    "refund": "退款",
    "contribution_bill": "账单",
    "debit_instruction": "扣款",
}
_STATES: Final[dict[str, dict[Any, str]]] = {
    "payment": dict(PAYMENTS),
    "payment_order": dict(ORDERS),
    "refund": dict(REFUND_STATES),
    "contribution_bill": dict(BILLS),
    "debit_instruction": dict(DEBITS),
}


def yuan(fen: int | None) -> str:
    """1,234.56: for columns that say 元 themselves."""
    if fen is None:
        return "—"
    whole, rest = divmod(abs(fen), 100)
    return f"{'−' if fen < 0 else ''}{whole:,}.{rest:02d}"


def of(named: dict[Any, str], code: str | None) -> str:
    """What a code is called; the code itself where nobody named it."""
    return "—" if not code else named.get(code, code)


def channel(merchant_account: str) -> str:
    """微信支付 1900003204."""
    name, _, merchant = merchant_account.partition(":")
    return f"{CHANNELS.get(name, name)} {merchant}".strip()


def account(rulebook: Rulebook, name: str) -> str:
    """An account as people call it."""
    kind, _, rest = name.partition(":")
    title = ACCOUNTS.get(kind, kind)
    match kind:
        case "clearing" | "unknown":
            return f"{title} · {channel(rest)}"
        case "contributions" | "treasury" | "returned":
            authority, _, insurance = rest.partition(":")
            region = next((each for each in rulebook.regions.values() if each.authority == authority), None)
            called = region.authority_name(authority) if region else authority
            return " · ".join(filter(None, (title, called, INSURANCES.get(insurance, insurance))))
        case _:
            return f"{title} · {rest}" if rest else title


INSURANCES: Final = {"110": "养老", "310": "医疗"}


def month(number: int | None) -> str:
    """202611 as 2026-11."""
    return "—" if number is None else f"{number // 100:04d}-{number % 100:02d}"


def insurance(rulebook: Rulebook, region: str | None, insurance_type: str, number: int) -> str:
    """As it was called in the month that the money is for."""
    return insurance_label(rulebook.regions.get(region or ""), insurance_type, on=YearMonth.from_number(number).first_day)


def state(noun: str, code: str) -> str:
    return of(_STATES.get(noun, {}), code)


def words_of(why: str) -> str:
    """What a person wrote about a step, behind the step's own name."""
    return why.partition(":")[2]


def standing(difference: DifferenceView) -> str:
    """How far a difference is."""
    if difference.resolved_at is not None:
        return "两人已确认" if difference.resolved_by else "再次对账已一致"
    return "待确认" if difference.explained_by else "待说明"
