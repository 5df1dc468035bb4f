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
