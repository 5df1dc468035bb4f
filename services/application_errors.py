"""Refusals on the way from a draft to the registrar: who may enrol, resume or suspend, and with which choices."""

from __future__ import annotations

from services.errors import BusinessError, Kind


class BelowMinimumAge(BusinessError):
    code = "BELOW_MINIMUM_AGE"
    kind = Kind.FORBIDDEN
    title = "未到参保年龄"
    detail = "年满16周岁以后可以办理，咨询电话12333。"


class AtPensionableAge(BusinessError):
    """Facts: `statutory_month` where the rule reckons one, `counter`."""

    code = "AT_PENSIONABLE_AGE"
    kind = Kind.FORBIDDEN
    title = "已达到退休年龄"
    detail = "已达到退休年龄的不能在手机上参保或续保，请到参保地经办窗口咨询，咨询电话12333。"


class HukouNotEligible(BusinessError):
    code = "HUKOU_NOT_ELIGIBLE"
    kind = Kind.FORBIDDEN
    title = "户籍或居住地不符合参保条件"
    detail = "请核对所填的户籍地和居住地；确实不符的，请在户籍地或居住地参保，咨询电话12333。"


class ActiveElsewhere(BusinessError):
    """Facts: `right_region`, `right_region_name`: where the other enrolment is."""

    code = "ACTIVE_ELSEWHERE"
    kind = Kind.CONFLICT
    title = "您正在其他地区参保"
    detail = "同一险种不能在两地同时参保，请先在原参保地办理停保，咨询电话12333。"


class AlreadyEnrolled(BusinessError):
    code = "ALREADY_ENROLLED"
    kind = Kind.CONFLICT
    title = "您已参加该险种"
    detail = "无需再次参保，请直接缴费；有疑问请拨打12333。"


class AlreadyRetired(BusinessError):
    code = "ALREADY_RETIRED"
    kind = Kind.CONFLICT
    title = "您已办理退休"
    detail = "已办理退休的不再参保缴费；有疑问请拨打12333。"


class NotSuspended(BusinessError):
    """Only whoever paused can go on (R-XJ-30)."""

    code = "NOT_SUSPENDED"
    kind = Kind.CONFLICT
    title = "当前不是暂停参保状态"
    detail = "只有暂停参保的才能办理续保；从未参保的请办理新参保，咨询电话12333。"


class NotActive(BusinessError):
    """Only what is being paid can be paused (R-XJ-46)."""

    code = "NOT_ACTIVE"
    kind = Kind.CONFLICT
    title = "当前不是正常参保状态"
    detail = "只有正常参保的险种才能办理停保，请刷新后核对，咨询电话12333。"


class PoolingAreaUnknown(BusinessError):
    code = "POOLING_AREA_UNKNOWN"
    kind = Kind.MALFORMED
    title = "参保统筹区有误"
    detail = "请从列表中选择参保统筹区。"


class NoInsuranceSelected(BusinessError):
    code = "NO_INSURANCE_SELECTED"
    kind = Kind.MALFORMED
    title = "未选择参保险种"
    detail = "请至少选择一个险种；不参加的险种请选“无”。"


class InsuranceNotOffered(BusinessError):
    code = "INSURANCE_NOT_OFFERED"
    kind = Kind.MALFORMED
    title = "本地区不能参加所选险种"
    detail = "请从列表中选择险种。"


class TierNotOffered(BusinessError):
    """Facts: `tiers`: those that may be chosen."""

    code = "TIER_NOT_OFFERED"
    kind = Kind.MALFORMED
    title = "缴费档次有误"
    detail = "请从列表中选择缴费档次。"


class DeclaredWageOutOfLimits(BusinessError):
    """Facts: `floor_fen`, `ceiling_fen`."""

    code = "DECLARED_WAGE_OUT_OF_LIMITS"
    kind = Kind.MALFORMED
    title = "申报工资基数不在规定范围内"
    detail = "请在当年的缴费基数上下限之间填写。"
