"""Refusals of whoever wants what a bank was told to debit."""

from __future__ import annotations

from services.errors import BusinessError, Kind


class DebitInFlight(BusinessError):
    code = "DEBIT_IN_FLIGHT"
    kind = Kind.CONFLICT
    title = "正在扣款中"
    detail = "该月份已提交银行扣款，正在扣款中，请勿重复缴费；结果出来后会通知您，扣款未成功的可以再缴。"


class BankFaultDealtWith(BusinessError):
    """Somebody else was faster."""

    code = "BANK_FAULT_DEALT_WITH"
    kind = Kind.CONFLICT
    title = "该问题已经处理"
    detail = "已由其他工作人员登记处理结果，请刷新后查看，不要重复办理。"
