"""Refusals about withholding agreements: what is signed already, which bank takes part, and where an agreement has to be ended."""

from __future__ import annotations

from services.errors import BusinessError, Kind


class AgreementInForce(BusinessError):
    """Facts: `agreement_no`, `state`. Whoever signed before need not sign again (R-CZ-14)."""

    code = "AGREEMENT_IN_FORCE"
    kind = Kind.CONFLICT
    title = "已签约，无需重复签订"
    detail = "您已有一份有效的协议，可直接使用。换卡请先解约，再重新签约。"


class BankNotListed(BusinessError):
    """Facts: `banks`: those that take part, each with `code` and `title`."""

    code = "BANK_NOT_LISTED"
    kind = Kind.MALFORMED
    title = "该银行不能签约"
    detail = "请从列出的银行里选择，并使用该银行的卡。"


class AgreementNotWaiting(BusinessError):
    """Only the staff meet it: this step is not due."""

    code = "AGREEMENT_NOT_WAITING"
    kind = Kind.CONFLICT
    title = "该协议不在这一步"
    detail = "可能已由其他工作人员处理，请用列表核对协议现在的状态。"


class RecordDiffers(BusinessError):
    """Only the staff meet it: the second one typed another card than the first."""

    code = "AGREEMENT_RECORD_DIFFERS"
    kind = Kind.CONFLICT
    title = "两次录入的卡号不一致"
    detail = "请对照协议原件逐位核对；确认第一次录错的，请退回后重新录入。"


class BanksNumberMalformed(BusinessError):
    """Only the staff meet it. Free words would hold people's data."""

    code = "BANKS_NUMBER_MALFORMED"
    kind = Kind.MALFORMED
    title = "银行的协议编号有误"
    detail = "协议编号由4至40位字母、数字和短横线组成，请对照协议原件录入；没有编号的不用填。"


class SigningDayWrong(BusinessError):
    """Only the staff meet it."""

    code = "SIGNING_DAY_WRONG"
    kind = Kind.MALFORMED
    title = "签约日期有误"
    detail = "签约日期不能晚于今天，请核对协议原件上的日期。"
