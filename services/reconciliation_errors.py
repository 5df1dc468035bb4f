"""Refusals that only the staff meet who reconcile."""

from __future__ import annotations

from services.errors import BusinessError, Kind


class NoSuchMerchantAccount(BusinessError):
    code = "NO_SUCH_MERCHANT_ACCOUNT"
    kind = Kind.NOT_FOUND
    title = "没有这个商户账户"
    detail = "请运行 canbao reconcile --help，按“渠道:商户号”填写已配置的商户账户。"


class DayNotOver(BusinessError):
    """A bill of a day that goes on would be compared with books that go on."""

    code = "DAY_NOT_OVER"
    kind = Kind.CONFLICT
    title = "当日尚未结束"
    detail = "请在次日十点以后对账。"


class ReconciliationClosed(BusinessError):
    code = "RECONCILIATION_CLOSED"
    kind = Kind.CONFLICT
    title = "当日对账已签结"
    detail = "已由两人签结的日期不再重新对账；发现新问题的，请查明后在当日账目中更正。"


class DifferencesOpen(BusinessError):
    code = "DIFFERENCES_OPEN"
    kind = Kind.CONFLICT
    title = "当日尚有未处理的差异或尚未对账"
    detail = "请先对账，并逐条处理差异，再行签结。"


class ComparedMeanwhile(BusinessError):
    """What is signed is what was seen."""

    code = "COMPARED_MEANWHILE"
    kind = Kind.CONFLICT
    title = "当日已重新对账"
    detail = "您打开本页以后又对过账，数字可能已变化，请核对最新的结果再签字。"


class DifferenceSettled(BusinessError):
    """Two others explained it, or a later comparison found that both sides agree."""

    code = "DIFFERENCE_SETTLED"
    kind = Kind.CONFLICT
    title = "该差异已经处理"
    detail = "已由两位工作人员确认，或再次对账时双方已一致，请刷新后查看。"


class ExplanationChanged(BusinessError):
    """What is agreed to is what was seen."""

    code = "EXPLANATION_CHANGED"
    kind = Kind.CONFLICT
    title = "说明已变化"
    detail = "您打开本页以后说明或差异有变化，请核对最新的内容再确认。"
