"""Refusals that only the staff meet who deal with parked notices."""

from __future__ import annotations

from services.errors import BusinessError, Kind


class NoticeDealtWith(BusinessError):
    """Somebody else was faster, or it is back in the queue."""

    code = "NOTICE_DEALT_WITH"
    kind = Kind.CONFLICT
    title = "该通知已经处理"
    detail = "已由其他工作人员处理，或已重新入账，请刷新后查看处理结果，不要重复办理。"


class NoticeMovedMoney(BusinessError):
    """Only a notice that was never booked may be settled again."""

    code = "NOTICE_MOVED_MONEY"
    kind = Kind.CONFLICT
    title = "该通知不能重新入账"
    detail = "这笔资金已经记账，重新入账会重复；请按“下一步”办理后登记处理结果。"
