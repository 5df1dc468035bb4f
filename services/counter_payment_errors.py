"""Refusals that only a partner bank meets: its machine reads the code, its clerk the words."""

from __future__ import annotations

from services.errors import BusinessError, Kind


class PartnerUnknown(BusinessError):
    """Not authentic, or nobody of ours. Which of the two is not told."""

    code = "PARTNER_NOT_AUTHENTIC"
    kind = Kind.UNAUTHENTICATED
    title = "请求未通过验签"
    detail = "请核对密钥编号、签名原文和请求头；未登记的机构请先与经办机构联系。"


class PartnerClockSkew(BusinessError):
    """Facts: `our_time`, in seconds since 1970."""

    code = "PARTNER_CLOCK_SKEW"
    kind = Kind.UNAUTHENTICATED
    title = "请求时间与本系统相差超过五分钟"
    detail = "请校准贵方时钟后用新的随机串重新签名；本系统时间见our_time。"


class PartnerReplay(BusinessError):
    code = "PARTNER_REPLAY"
    kind = Kind.CONFLICT
    title = "请求已收到过"
    detail = "同一随机串只能使用一次；重试请换随机串重新签名，流水号不变。"


class PartnerBodyMalformed(BusinessError):
    """Facts: `field`."""

    code = "PARTNER_BODY_MALFORMED"
    kind = Kind.MALFORMED
    title = "报文不符合约定"
    detail = "请按接口文档核对field所指的字段。"


class SerialReused(BusinessError):
    code = "SERIAL_REUSED"
    kind = Kind.CONFLICT
    title = "流水号已用于另一笔"
    detail = "同一流水号的内容不能改变；请用原内容重发，或换新的流水号。"


class SerialClosed(BusinessError):
    """The bank asked about it before it came, was told that nothing had come, and may have given the money back."""

    code = "SERIAL_CLOSED"
    kind = Kind.CONFLICT
    title = "该流水号已按未收款答复"
    detail = "贵方查询时本系统尚未收到此笔，已按未收款答复；已经收款且不能冲正的，请以money_taken为真重报。"


class CashNotTaken(BusinessError):
    code = "CASH_NOT_TAKEN"
    kind = Kind.CONFLICT
    title = "贵行在本地区不收现金"
    detail = "请改用银行卡，或请缴费人到可收现金的银行办理。"


class CounterMomentWrong(BusinessError):
    code = "COUNTER_MOMENT_WRONG"
    kind = Kind.MALFORMED
    title = "收款时间有误"
    detail = "收款时间不能晚于现在，请核对taken_at和贵方时钟。"


class RefundResultDiffers(BusinessError):
    """Facts: `state`: where the refund stands for us."""

    code = "REFUND_RESULT_DIFFERS"
    kind = Kind.CONFLICT
    title = "退款结果与先前报送的不一致"
    detail = "此笔退款已有结果，请勿再次付款；确有差错的，请与经办机构核对。"
