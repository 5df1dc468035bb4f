"""Refusals about printouts: what cannot be printed yet, and codes that are none of ours."""

from __future__ import annotations

from services.errors import BusinessError, Kind


class NotApprovedYet(BusinessError):
    code = "NOT_APPROVED_YET"
    kind = Kind.CONFLICT
    title = "申请尚未审核通过"
    detail = "登记表在审核通过以后才能打印，请在“办件状态”里查看进度，咨询电话12333。"


class NotPaidYet(BusinessError):
    code = "NOT_PAID_YET"
    kind = Kind.CONFLICT
    title = "订单尚未支付成功"
    detail = "支付成功以后才有回单，请在“我的订单”里查看。已经扣款的，请稍后刷新订单，不要重复支付，咨询电话12333。"


class TooManyPrints(BusinessError):
    code = "TOO_MANY_PRINTS"
    kind = Kind.TOO_MANY
    title = "今日打印次数已用完"
    detail = "请使用已经下载的登记表，或明天再试；急需的，请到窗口办理。"


class PrintoutUnknown(BusinessError):
    """The same for every code that is none: mistyped, made up, or none at all."""

    code = "PRINTOUT_UNKNOWN"
    kind = Kind.NOT_FOUND
    title = "没有查到"
    detail = "请核对验真码，或重新扫描纸面上的二维码。仍查不到的，它可能不是由本系统出具的，请拨打12333核实。"


class TooManyPrintoutMisses(BusinessError):
    """Told for right codes too, or it would tell which ones are right."""

    code = "TOO_MANY_PRINTOUT_MISSES"
    kind = Kind.TOO_MANY
    title = "核验过于频繁"
    detail = "您所在的网络输错验真码的次数过多，请一小时后再试，或拨打12333核实。"
