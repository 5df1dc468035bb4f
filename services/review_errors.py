"""Refusals that only reviewers meet; everybody else's stand in errors."""

from __future__ import annotations

from services.errors import BusinessError, Kind


class ApplicationNotWaiting(BusinessError):
    """Somebody else has it, or it was decided. Who, is told in the facts where it is one of the staff."""

    code = "APPLICATION_NOT_WAITING"
    kind = Kind.CONFLICT
    title = "该申请已不在待审队列"
    detail = "可能已由其他工作人员受理或已有结果，请返回队列刷新后再选。"


class ApplicationNotYours(BusinessError):
    """Decided by whoever took it up, and by nobody else."""

    code = "APPLICATION_NOT_YOURS"
    kind = Kind.CONFLICT
    title = "该申请不在您手中"
    detail = "只有受理人可以作出决定；受理超过两小时未决定的会退回队列，请重新受理。"


class ApplicationWithdrawn(BusinessError):
    """The applicant took it back before the decision."""

    code = "APPLICATION_WITHDRAWN"
    kind = Kind.CONFLICT
    title = "申请人已撤回该申请"
    detail = "本次审核结果没有保存，也不会通知申请人，无需再处理。"


class ReviewedVersionChanged(BusinessError):
    """The version that was looked at is not the one that would be decided."""

    code = "REVIEWED_VERSION_CHANGED"
    kind = Kind.CONFLICT
    title = "申请内容已更新"
    detail = "请重新打开该申请，核对最新内容后再作决定。"


class OwnAffairs(BusinessError):
    """Nobody reviews their own."""

    code = "OWN_AFFAIRS"
    kind = Kind.FORBIDDEN
    title = "不能办理本人的申请"
    detail = "请由其他工作人员受理。"


class RolePowerless(BusinessError):
    """The role does not reach so far."""

    code = "ROLE_POWERLESS"
    kind = Kind.FORBIDDEN
    title = "您的角色不能办理此事项"
    detail = "审核由审核员办理，破例批准由主管复核；需要调整角色的，请联系管理员。"


class RulesSayNo(BusinessError):
    """The rules of today do not allow it; with a second person's yes it can still be approved."""

    code = "RULES_SAY_NO"
    kind = Kind.CONFLICT
    title = "按现行规定不能通过"
    detail = "请按原因办理不通过或退回补正；确需破例的，请写明理由提请主管复核。"


class EnrollmentNotAsItWas(BusinessError):
    """What is to be resumed or suspended has changed since it was asked for."""

    code = "ENROLLMENT_NOT_AS_IT_WAS"
    kind = Kind.CONFLICT
    title = "参保状态已变化"
    detail = "续保只能在暂停参保时办理，停保只能在正常参保时办理；请核对后办理不通过或退回补正。"


class MonthsAlreadyPosted(BusinessError):
    """Covered months that the registrar has posted cannot be undone by a suspension (R-XJ-45)."""

    code = "MONTHS_ALREADY_POSTED"
    kind = Kind.CONFLICT
    title = "变更时间早于已记账月份"
    detail = "请退回补正，变更时间不得早于最后记账月份的次月，也不得早于参保起始月。"


class RemarkNeeded(BusinessError):
    """A no that would leave the applicant without a word of what to do, or more words than fit."""

    code = "REMARK_NEEDED"
    kind = Kind.MALFORMED
    title = "请写明审核意见"
    detail = "原因选“其他”的，请写明审核意见；退回补正的，请勾选需要补正的内容或写明怎样补正。意见不超过400个字。"


class OverrideNotOpen(BusinessError):
    """It was decided, or lapsed with the application."""

    code = "OVERRIDE_NOT_OPEN"
    kind = Kind.CONFLICT
    title = "该破例申请已不在待复核状态"
    detail = "请返回申请页面查看最新状态。"


class ReasonNeeded(BusinessError):
    """A sentence, and nobody's numbers in it."""

    code = "REASON_NEEDED"
    kind = Kind.MALFORMED
    title = "请写明理由"
    detail = "请用4至200个字说明理由，不要写姓名、证件号码、电话或卡号。"
