"""Refusals about paper slips; only the staff meet them."""

from __future__ import annotations

from services.errors import BusinessError, Kind


class SlipsNotTaken(BusinessError):
    code = "SLIPS_NOT_TAKEN"
    kind = Kind.CONFLICT
    title = "本地区没有凭证补录"
    detail = "请核对地区；此地区的柜面缴费由银行直接报送。"


class SlipSerialMalformed(BusinessError):
    """Free words would hold people's data."""

    code = "SLIP_SERIAL_MALFORMED"
    kind = Kind.MALFORMED
    title = "凭证流水号有误"
    detail = "流水号由4至40位字母、数字和短横线组成，请对照凭证录入。"


class SlipDayWrong(BusinessError):
    code = "SLIP_DAY_WRONG"
    kind = Kind.MALFORMED
    title = "缴款日期有误"
    detail = "缴款日期不能晚于今天，请核对凭证上的日期。"


class SlipMonthsUnknown(BusinessError):
    code = "SLIP_MONTHS_UNKNOWN"
    kind = Kind.CONFLICT
    title = "没有这些月份的应缴记录"
    detail = "月份写作2026-11；所写的每个月都要有此人在本地区的应缴记录，请核对凭证和险种。"


class SlipKnown(BusinessError):
    code = "SLIP_KNOWN"
    kind = Kind.CONFLICT
    title = "该凭证已录入过"
    detail = "同一银行的同一流水号只能入账一次：可能已由他人录入，或已由银行直接报送。"


class SlipNotWaiting(BusinessError):
    code = "SLIP_NOT_WAITING"
    kind = Kind.CONFLICT
    title = "该凭证不在这一步"
    detail = "可能已由其他工作人员复核或退回，请用列表核对。"


class SlipDiffers(BusinessError):
    """The second one read another amount or serial."""

    code = "SLIP_DIFFERS"
    kind = Kind.CONFLICT
    title = "两次录入的金额或流水号不一致"
    detail = "请对照凭证原件逐位核对；确认第一次录错的，请退回后重新录入。"


class NoPayOutDue(BusinessError):
    code = "NO_PAY_OUT_DUE"
    kind = Kind.CONFLICT
    title = "没有这笔待退款"
    detail = "请核对退款编号和金额；已经退过、或不是凭证收款的退款，不能在此补录。"
