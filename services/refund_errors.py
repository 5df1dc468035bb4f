"""Refusals that only the staff meet who send money back."""

from __future__ import annotations

from services.errors import BusinessError, Kind


class NothingToRefund(BusinessError):
    """No money of this payment is left to go back, or it never came."""

    code = "NOTHING_TO_REFUND"
    kind = Kind.CONFLICT
    title = "没有可退的款项"
    detail = "该笔支付没有到账，或款项已经退回，请看这笔钱的来龙去脉（canbao explain），核对后再办理。"


class RefundTooLarge(BusinessError):
    code = "REFUND_TOO_LARGE"
    kind = Kind.CONFLICT
    title = "退款金额超过可退金额"
    detail = "请按可退金额重新申请，已退和正在退的款项不能再退。"


class RefundAmountMalformed(BusinessError):
    code = "REFUND_AMOUNT_MALFORMED"
    kind = Kind.MALFORMED
    title = "退款金额有误"
    detail = "请以元为单位填写，最多两位小数，例如 300.50；不填的，退全部可退金额。"


class RefundUnderWay(BusinessError):
    """A month goes back once."""

    code = "REFUND_UNDER_WAY"
    kind = Kind.CONFLICT
    title = "所选月份正在退费或已退费"
    detail = "请查看已有的退费申请，不要重复办理。"


class RefundMustBeSplit(BusinessError):
    """Some months are with the treasury already, others are not: two roads, so two refunds."""

    code = "REFUND_MUST_BE_SPLIT"
    kind = Kind.CONFLICT
    title = "所选月份需分开办理退费"
    detail = "已入库的月份由国库退付，未入库的月份由支付平台退回，请分别申请。"


class ReversalTooLate(BusinessError):
    """The treasury has the month: the books of this house cannot take it back."""

    code = "REVERSAL_TOO_LATE"
    kind = Kind.CONFLICT
    title = "所选月份已入库，不能冲正"
    detail = "款项已由国库确认，支付平台又退给了付款人：请与税务机关核实，由其办理退库后抵还商户账户。"


class RefundRoadChanged(BusinessError):
    """The tax authority confirmed a month after the refund was applied for."""

    code = "REFUND_ROAD_CHANGED"
    kind = Kind.CONFLICT
    title = "申请后款项状态已变化"
    detail = "所选月份在申请之后已入库或已变化，请驳回此申请，按现在的状态重新申请。"


class RefundNotAtThisStep(BusinessError):
    """Somebody else was faster, or another step is due."""

    code = "REFUND_NOT_AT_THIS_STEP"
    kind = Kind.CONFLICT
    title = "该退费不在这一步"
    detail = "请刷新后按其当前状态办理。"
