"""Refusals that only staff at the console meet; those of the counter stand in counter_errors, everybody else's in errors."""

from __future__ import annotations

from services.errors import BusinessError, Kind


class StaffSignInRefused(BusinessError):
    """Unknown, locked, left, not enrolled, a wrong password, a wrong or used code: which of them is not told."""

    code = "STAFF_SIGN_IN_REFUSED"
    kind = Kind.UNAUTHENTICATED
    title = "登录未成功"
    detail = "工号、密码或动态验证码不正确，或账号已被锁定。验证码只能使用一次，请等待新的验证码再试；连续输错5次将锁定15分钟。"


class StaffSignInAgain(BusinessError):
    code = "STAFF_SIGN_IN_AGAIN"
    kind = Kind.UNAUTHENTICATED
    title = "登录已退出"
    detail = "请重新登录。15分钟没有操作、登录满8小时或在别处登录，都会自动退出。"


class TooManyStaffSignIns(BusinessError):
    """From one address, whatever the numbers."""

    code = "TOO_MANY_STAFF_SIGN_INS"
    kind = Kind.TOO_MANY
    title = "尝试次数过多"
    detail = "本网络地址登录失败次数过多，请15分钟后再试；急需办理的，请联系系统管理员。"


class InvitationRefused(BusinessError):
    """Unknown, spent, lapsed or mistyped."""

    code = "INVITATION_REFUSED"
    kind = Kind.UNAUTHENTICATED
    title = "开通码无效"
    detail = "工号或开通码不正确，或已过期、已使用。请逐位核对；仍不行的，请系统管理员重新签发。"


class TotpCodeRefused(BusinessError):
    code = "TOTP_CODE_REFUSED"
    kind = Kind.CONFLICT
    title = "动态验证码不正确"
    detail = "请确认手机时间已自动校准，输入当前显示的6位数字；刚用过的验证码请等待下一个。"


class StaffPasswordWeak(BusinessError):
    """Too short, or among the first that anybody would try."""

    code = "STAFF_PASSWORD_WEAK"
    kind = Kind.MALFORMED
    title = "密码过于简单"
    detail = "密码至少12个字符，可以是一句话；请避开工号、单位名称、键盘顺序和重复的字符。"


class StaffNumberTaken(BusinessError):
    """Also by somebody who left: records name them."""

    code = "STAFF_NUMBER_TAKEN"
    kind = Kind.CONFLICT
    title = "工号已存在"
    detail = "工号不能重复，也不能再给别人使用。尚未开通的，请在人员列表中重新签发开通码。"


class StaffRolesApart(BusinessError):
    """三员分立."""

    code = "STAFF_ROLES_APART"
    kind = Kind.MALFORMED
    title = "角色不能这样组合"
    detail = "业务、审计、系统管理三类权限须由不同的人担任，请只选择同一类的角色，至少一个。"


class StaffRegionUnknown(BusinessError):
    code = "STAFF_REGION_UNKNOWN"
    kind = Kind.MALFORMED
    title = "管辖范围有误"
    detail = "请从列表中选择地区和经办机构；审计员不分地区。"


class OutOfScope(BusinessError):
    """Another region's or agency's affair."""

    code = "OUT_OF_SCOPE"
    kind = Kind.FORBIDDEN
    title = "超出您的管辖范围"
    detail = "这属于其他地区或经办机构，请由当地工作人员办理。"


class NotYourself(BusinessError):
    code = "NOT_YOURSELF"
    kind = Kind.FORBIDDEN
    title = "不能对本人操作"
    detail = "请由另一位系统管理员办理。"


class StaffNotInThatState(BusinessError):
    code = "STAFF_NOT_IN_THAT_STATE"
    kind = Kind.CONFLICT
    title = "账号状态已变化"
    detail = "请刷新人员列表，按当前状态重新选择操作。"


class ResetNotWaiting(BusinessError):
    """Confirmed, refused or lapsed meanwhile, or never asked for."""

    code = "RESET_NOT_WAITING"
    kind = Kind.CONFLICT
    title = "没有待确认的重置"
    detail = "该申请已办结或已过期（24小时），需要的请重新申请。"


class ChoiceMissing(BusinessError):
    code = "CHOICE_MISSING"
    kind = Kind.MALFORMED
    title = "还没有选择"
    detail = "请先选择一项，再提交。"


class PageForbidden(BusinessError):
    """The page belongs to another role."""

    code = "PAGE_FORBIDDEN"
    kind = Kind.FORBIDDEN
    title = "您的角色不能打开本页"
    detail = "如因工作需要，请联系系统管理员。"


class FormExpired(BusinessError):
    """The form's token is missing or another session's, or the form stood on somebody else's page."""

    code = "FORM_EXPIRED"
    kind = Kind.FORBIDDEN
    title = "页面已失效"
    detail = "为防止他人冒用，本次提交没有办理。请返回上一页，刷新后重新提交。"
