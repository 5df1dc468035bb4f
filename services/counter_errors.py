"""Refusals that only the staff at a counter meet; everybody else's stand in errors."""

from __future__ import annotations

from services.errors import BusinessError, Kind


class CounterCodeUnknown(BusinessError):
    """No open check has this code, or it lapsed. Which of the two is not told."""

    code = "COUNTER_CODE_UNKNOWN"
    kind = Kind.NOT_FOUND
    title = "核验码无效"
    detail = "核验码不对或已过期，请与来人手机上显示的逐位核对，必要时请其重新取码。"


class CounterCheckNotWaiting(BusinessError):
    """The other of the two steps is due."""

    code = "COUNTER_CHECK_NOT_WAITING"
    kind = Kind.CONFLICT
    title = "该核验不在这一步"
    detail = "尚未录入的请先录入；已录入的，请由另一位工作人员复核。"


class SecondPersonRequired(BusinessError):
    """Two of them, always."""

    code = "SECOND_PERSON_REQUIRED"
    kind = Kind.FORBIDDEN
    title = "需由另一位工作人员复核"
    detail = "录入和复核不能是同一人，请由另一位工作人员复核。"


class StaffNumberMalformed(BusinessError):
    code = "STAFF_NUMBER_MALFORMED"
    kind = Kind.MALFORMED
    title = "工号有误"
    detail = "请输入本人的工号，如 S1024。"


class SiteUnknown(BusinessError):
    code = "SITE_UNKNOWN"
    kind = Kind.MALFORMED
    title = "窗口代码有误"
    detail = "请填写本地区规则中所列的窗口代码。"


class TooManyCodeMisses(BusinessError):
    """Whoever types many codes that nobody holds is guessing."""

    code = "TOO_MANY_CODE_MISSES"
    kind = Kind.TOO_MANY
    title = "今日录错次数过多"
    detail = "为防止猜测核验码，今天不能再操作，请由其他工作人员办理。"


class NoTerminalHere(BusinessError):
    """The region has no UnionPay merchant."""

    code = "NO_TERMINAL_HERE"
    kind = Kind.CONFLICT
    title = "此窗口没有POS刷卡"
    detail = "请改用手机缴费，或到银行柜面缴费。"


class CounterOrderWaiting(BusinessError):
    """Facts: `payment_no`, of the order that was made before."""

    code = "COUNTER_ORDER_WAITING"
    kind = Kind.CONFLICT
    title = "已有一张待刷卡的缴费单"
    detail = "所选月份已开过窗口缴费单，请在列表里找到它，直接刷卡或先撤销。"


class CounterOrderInDoubt(BusinessError):
    """UnionPay does not say that nobody paid, so the months stay reserved."""

    code = "COUNTER_ORDER_IN_DOUBT"
    kind = Kind.UNAVAILABLE
    title = "银联尚未答复，不能撤销"
    detail = "请稍后再试；卡已扣款的，结果会自动入账，请勿重复刷卡。"
