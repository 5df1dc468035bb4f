"""Refusals about an application itself: what is missing in it, what is open already, and what can no longer be changed."""

from __future__ import annotations

from services.errors import BusinessError, Kind


class FieldsNotAccepted(BusinessError):
    """Facts: `errors`: field → what is wrong with it. Never what was typed."""

    code = "APPLICATION_FIELDS_NOT_ACCEPTED"
    kind = Kind.MALFORMED
    title = "填写的内容有误"
    detail = "请按提示核对后重新填写。"


class ApplicationIncomplete(BusinessError):
    """Facts: `missing`: each with `key` and `label`."""

    code = "APPLICATION_INCOMPLETE"
    kind = Kind.MALFORMED
    title = "还有必填内容没有填写"
    detail = "请补充填写后再提交。"


class DocumentsMissing(BusinessError):
    """Facts: `missing`: what the nearest complete set lacks, each with `kind`, `label`, and `because` where the hukou asks for it."""

    code = "DOCUMENTS_MISSING"
    kind = Kind.MALFORMED
    title = "材料不齐全"
    detail = "请补齐所缺材料后再点“上传”。"


class HandInDocumentsFirst(BusinessError):
    code = "HAND_IN_DOCUMENTS_FIRST"
    kind = Kind.CONFLICT
    title = "请先上传材料"
    detail = "请补齐材料后点击“上传”，核对申报内容，再点“提交申报”。"


class ApplicationOpen(BusinessError):
    """Facts: `case_no`, and `application_id` where the open one belongs to this account."""

    code = "APPLICATION_OPEN"
    kind = Kind.CONFLICT
    title = "您已有一件申请尚未办结"
    detail = "同一险种同时只能有一件申请。请先办完或撤回原来的申请，再重新申报。"


class TooManyApplications(BusinessError):
    code = "TOO_MANY_APPLICATIONS"
    kind = Kind.TOO_MANY
    title = "今日新建申请次数已用完"
    detail = "请在已有的申请里修改，或明天再试；急需办理的，请到窗口或拨打12333。"


class ApplicationChanged(BusinessError):
    """Facts: `current_version`: the one there is now."""

    code = "APPLICATION_CHANGED"
    kind = Kind.CONFLICT
    title = "申请内容已变更"
    detail = "您看到的不是最新内容，请刷新核对后再操作。"


class ApplicationNotEditable(BusinessError):
    code = "APPLICATION_NOT_EDITABLE"
    kind = Kind.CONFLICT
    title = "申请已提交或已结束，不能修改"
    detail = "请刷新查看办理进度；审核退回后可以修改，结束后可以重新申报。"


class CannotWithdraw(BusinessError):
    code = "APPLICATION_CANNOT_BE_WITHDRAWN"
    kind = Kind.CONFLICT
    title = "申请不能撤回"
    detail = "受理机构已开始审核或已审核完毕，请刷新查看进度；有疑问请拨打12333。"
