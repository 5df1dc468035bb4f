"""Refusals: a code for machines, a sentence for people, a kind for doors.

    BusinessError
    ├── (Kind.MALFORMED)        the words themselves are wrong
    ├── (Kind.UNAUTHENTICATED)  we do not know who you are
    ├── (Kind.FORBIDDEN)        we know, and you may not (yet)
    ├── (Kind.NOT_FOUND)        not here, or not yours: which of the two is not told
    ├── (Kind.CONFLICT)         not now
    ├── (Kind.TOO_MANY)         slower
    └── (Kind.UNAVAILABLE)      a provider does not answer; nothing was lost

Codes are public and never renamed. Doors map kinds to their own numbers; nothing here has heard of HTTP.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, ClassVar


class Kind(StrEnum):
    MALFORMED = "MALFORMED"
    UNAUTHENTICATED = "UNAUTHENTICATED"
    FORBIDDEN = "FORBIDDEN"
    NOT_FOUND = "NOT_FOUND"
    CONFLICT = "CONFLICT"
    TOO_MANY = "TOO_MANY"
    UNAVAILABLE = "UNAVAILABLE"


class BusinessError(Exception):
    """An expected refusal. `facts` go to the phone, so they hold nothing that the account may not see."""

    code: ClassVar[str]
    kind: ClassVar[Kind]
    title: ClassVar[str]
    """What happened, in Chinese."""
    detail: ClassVar[str]
    """What to do next, in Chinese, with whom to call where that helps."""
    family: ClassVar[dict[str, type[BusinessError]]] = {}

    def __init__(self, *, detail: str | None = None, retry_after_seconds: int | None = None, **facts: Any) -> None:
        super().__init__(self.code)
        self.said = detail or self.detail
        self.retry_after_seconds = retry_after_seconds
        self.facts = facts

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if cls.code in BusinessError.family:
            raise TypeError(f"{cls.__name__}: the code {cls.code} is taken")
        BusinessError.family[cls.code] = cls


class UnknownMiniprogram(BusinessError):
    code = "UNKNOWN_MINIPROGRAM"
    kind = Kind.NOT_FOUND
    title = "小程序不存在"
    detail = "请从微信或支付宝重新打开小程序。"


class CodeRefused(BusinessError):
    code = "SIGN_IN_CODE_REFUSED"
    kind = Kind.UNAUTHENTICATED
    title = "登录凭证已失效"
    detail = "请返回首页，重新点击“立即授权”。"


class WrongWay(BusinessError):
    code = "WRONG_WAY_FOR_PLATFORM"
    kind = Kind.MALFORMED
    title = "此方式不适用于当前平台"
    detail = "微信、支付宝小程序请用平台授权；手机号加短信验证码只用于APP。"


class PhoneMalformed(BusinessError):
    code = "PHONE_MALFORMED"
    kind = Kind.MALFORMED
    title = "手机号码有误"
    detail = "请输入11位中国大陆手机号码；没有大陆手机号码的，请到窗口办理，咨询电话12333。"


class PhoneNotProven(BusinessError):
    code = "PHONE_NOT_PROVEN"
    kind = Kind.CONFLICT
    title = "未能取得手机号"
    detail = "请重新点击“获取手机号”；只支持中国大陆手机号码，也可以在实名认证时直接填写。"


class SmsCodeTooSoon(BusinessError):
    code = "SMS_CODE_TOO_SOON"
    kind = Kind.TOO_MANY
    title = "验证码刚刚发出"
    detail = "请先查看短信，一分钟后可以重新获取。"


class TooManySmsCodes(BusinessError):
    code = "TOO_MANY_SMS_CODES"
    kind = Kind.TOO_MANY
    title = "今日获取验证码次数已用完"
    detail = "请明天再试；急需办理的，请到窗口或拨打12333。"


class SmsBusy(BusinessError):
    code = "SMS_BUSY"
    kind = Kind.UNAVAILABLE
    title = "验证码暂时发不出"
    detail = "当前获取验证码的人过多，请十分钟后再试；急需办理的，请到窗口或拨打12333。"


class SmsCodeWrong(BusinessError):
    code = "SMS_CODE_WRONG"
    kind = Kind.UNAUTHENTICATED
    title = "验证码不正确或已失效"
    detail = "请核对最近一条短信中的6位数字；输错5次或超过5分钟的，请重新获取。"


class RegisterFirst(BusinessError):
    code = "REGISTER_FIRST"
    kind = Kind.FORBIDDEN
    title = "该手机号尚未注册"
    detail = "请先完成“用户注册”；验证码仍然有效，不必重新获取。"


class AlreadyRegistered(BusinessError):
    code = "ALREADY_REGISTERED"
    kind = Kind.CONFLICT
    title = "该手机号已注册"
    detail = "请直接登录；验证码仍然有效，不必重新获取。"


class SignInAgain(BusinessError):
    code = "SIGN_IN_AGAIN"
    kind = Kind.UNAUTHENTICATED
    title = "登录已失效"
    detail = "请重新进入小程序登录。"


class FreshSignInRequired(BusinessError):
    code = "FRESH_SIGN_IN_REQUIRED"
    kind = Kind.FORBIDDEN
    title = "请重新登录后再下载"
    detail = "为保护您的个人信息，完整副本须在登录后15分钟内下载，请退出后重新登录。"


class ProviderUnavailable(BusinessError):
    code = "PROVIDER_UNAVAILABLE"
    kind = Kind.UNAVAILABLE
    title = "服务繁忙"
    detail = "对方系统暂时没有响应，请稍后再试，您的信息和资金不受影响。"


class ConsentRequired(BusinessError):
    code = "CONSENT_REQUIRED"
    kind = Kind.FORBIDDEN
    title = "需要您的同意"
    detail = "请先阅读并同意相应的告知书，再继续办理。"


class ConsentTextChanged(BusinessError):
    code = "CONSENT_TEXT_CHANGED"
    kind = Kind.CONFLICT
    title = "告知书已更新"
    detail = "您看到的告知书不是最新版本，请重新阅读后再同意。"


class ReadTheNoticeFirst(BusinessError):
    code = "READ_THE_NOTICE_FIRST"
    kind = Kind.CONFLICT
    title = "请先仔细阅读"
    detail = "请打开须知仔细阅读，读完以后再点“同意”。"


class PersonalDataRequestOpen(BusinessError):
    code = "PERSONAL_DATA_REQUEST_OPEN"
    kind = Kind.CONFLICT
    title = "您已有一项同类请求正在办理"
    detail = "请等待答复，或先撤回原来的请求再重新提交。"


class PersonalDataRequestAnswered(BusinessError):
    code = "PERSONAL_DATA_REQUEST_ANSWERED"
    kind = Kind.CONFLICT
    title = "该请求已经办结"
    detail = "请刷新查看答复；如有异议，可重新提交或拨打12333。"


class NotFound(BusinessError):
    code = "NOT_FOUND"
    kind = Kind.NOT_FOUND
    title = "没有找到"
    detail = "没有找到您要的内容，请返回上一页刷新。"


class IdNumberMalformed(BusinessError):
    code = "ID_NUMBER_MALFORMED"
    kind = Kind.MALFORMED
    title = "证件号码有误"
    detail = "请核对身份证号码后重新输入。"


class DocumentNumberMalformed(BusinessError):
    code = "DOCUMENT_NUMBER_MALFORMED"
    kind = Kind.MALFORMED
    title = "证件号码有误"
    detail = "证件号码与所选的证件种类不符，请核对后重新录入。"


class CardNumberMalformed(BusinessError):
    code = "CARD_NUMBER_MALFORMED"
    kind = Kind.MALFORMED
    title = "银行卡号有误"
    detail = "银行卡号的校验位不对，请逐位核对；存折账号不能用于核验，请使用银行卡。"


class NameMalformed(BusinessError):
    code = "NAME_MALFORMED"
    kind = Kind.MALFORMED
    title = "姓名格式有误"
    detail = "请按身份证上的写法输入姓名，少数民族姓名中间请用“·”。"


class TooYoung(BusinessError):
    code = "UNDER_SIXTEEN"
    kind = Kind.FORBIDDEN
    title = "未满16周岁"
    detail = "未满16周岁不能注册账户，请由监护人为您办理。"


class NameIdMismatch(BusinessError):
    code = "NAME_ID_MISMATCH"
    kind = Kind.CONFLICT
    title = "姓名与身份证号码不一致"
    detail = "请核对姓名、身份证号码和手机号码；如确认无误，请拨打12333咨询。"


class AlreadyVerified(BusinessError):
    code = "ALREADY_VERIFIED"
    kind = Kind.CONFLICT
    title = "您已通过实名认证"
    detail = "无需重复认证；如需更正信息，请拨打12333。"


class RealNameRequired(BusinessError):
    code = "REAL_NAME_REQUIRED"
    kind = Kind.FORBIDDEN
    title = "请先实名认证"
    detail = "请先完成“实名认证”，再办理业务。"


class FaceCheckRequired(BusinessError):
    code = "FACE_CHECK_REQUIRED"
    kind = Kind.FORBIDDEN
    title = "请先完成身份核验"
    detail = "请完成人脸核验；如不便刷脸，可到窗口核验或拨打12333。"


class TooManyFaceChecks(BusinessError):
    code = "TOO_MANY_FACE_CHECKS"
    kind = Kind.TOO_MANY
    title = "今日核验次数已用完"
    detail = "请明天再试，或携带身份证到窗口核验，咨询电话12333。"


class DeviceRequired(BusinessError):
    code = "DEVICE_REQUIRED"
    kind = Kind.MALFORMED
    title = "缺少手机信息"
    detail = "请将APP更新到最新版本后，重新打开人脸核验。"


class TooManyBankCardChecks(BusinessError):
    code = "TOO_MANY_BANK_CARD_CHECKS"
    kind = Kind.TOO_MANY
    title = "今日银行卡核验次数已用完"
    detail = "请明天再试，或携带身份证到窗口核验。"


class TooManyCounterCodes(BusinessError):
    code = "TOO_MANY_COUNTER_CODES"
    kind = Kind.TOO_MANY
    title = "今日取码次数已用完"
    detail = "请明天再取窗口核验码；已在窗口的，请向工作人员说明。"


class PersonNotMatched(BusinessError):
    code = "PERSON_NOT_MATCHED"
    kind = Kind.CONFLICT
    title = "未能核对参保人信息"
    detail = "请向参保人本人核对姓名和身份证号码。刚办理参保登记的，信息传递中，请次日再查。"


class TooManyLookups(BusinessError):
    code = "TOO_MANY_LOOKUPS"
    kind = Kind.TOO_MANY
    title = "今日查询次数已用完"
    detail = "为保护个人信息，今日不能再添加参保人，请明天再试。"


class BlockedByInsured(BusinessError):
    code = "BLOCKED_BY_INSURED_PERSON"
    kind = Kind.FORBIDDEN
    title = "对方未同意您代缴"
    detail = "参保人本人已设置不由您代缴，请与本人联系。"


class NotAvailableOnline(BusinessError):
    code = "NOT_AVAILABLE_ONLINE"
    kind = Kind.CONFLICT
    title = "此项业务不能在手机上办理"
    detail = "请到您所委托代理的窗口办理。"


class RegionMismatch(BusinessError):
    code = "REGION_MISMATCH"
    kind = Kind.CONFLICT
    title = "参保地区不符"
    detail = "请切换到参保人当前的参保所在地区后再办理。"


class BillNotPayable(BusinessError):
    code = "BILL_NOT_PAYABLE"
    kind = Kind.CONFLICT
    title = "所选月份当前不能缴费"
    detail = "所选月份可能已缴费或已变更，请刷新后重新选择。"


class BillsReserved(BusinessError):
    code = "BILL_RESERVED"
    kind = Kind.CONFLICT
    title = "该月份正在支付中"
    detail = "处理中，请勿重复支付，请稍后刷新查看结果。"


class AmountChanged(BusinessError):
    code = "AMOUNT_CHANGED"
    kind = Kind.CONFLICT
    title = "应缴金额已变化"
    detail = "请刷新后核对新的金额再支付。"


class OrderMustBeSplit(BusinessError):
    code = "ORDER_MUST_BE_SPLIT"
    kind = Kind.CONFLICT
    title = "请分次缴费"
    detail = "所选项目由不同单位征收，请按提示分次支付。"


class TierUnchanged(BusinessError):
    code = "TIER_UNCHANGED"
    kind = Kind.CONFLICT
    title = "缴费档次没有变化"
    detail = "所选的就是届时执行的档次，无需变更；要换其他档次，请重新选择。"


class TooManyTierChanges(BusinessError):
    code = "TOO_MANY_TIER_CHANGES"
    kind = Kind.TOO_MANY
    title = "今日变更次数已用完"
    detail = "同一险种一天最多变更5次缴费档次，请明天再试，咨询电话12333。"


class TooManyOpenOrders(BusinessError):
    code = "TOO_MANY_OPEN_ORDERS"
    kind = Kind.TOO_MANY
    title = "未完成的订单过多"
    detail = "请先完成或取消已有的订单。"


class CannotCancel(BusinessError):
    code = "ORDER_CANNOT_BE_CANCELLED"
    kind = Kind.CONFLICT
    title = "订单不能取消"
    detail = "该订单已支付或已关闭，请刷新查看结果。"


class PaymentRefused(BusinessError):
    code = "PAYMENT_REFUSED"
    kind = Kind.CONFLICT
    title = "支付平台未受理"
    detail = "支付平台没有受理本次支付，未扣款，请稍后重新下单；如多次失败，请拨打客服电话。"


class IdempotencyKeyReused(BusinessError):
    code = "IDEMPOTENCY_KEY_REUSED"
    kind = Kind.MALFORMED
    title = "请求重复但内容不同"
    detail = "请刷新页面后重新操作。"


class RequestInFlight(BusinessError):
    code = "REQUEST_IN_FLIGHT"
    kind = Kind.CONFLICT
    title = "正在处理"
    detail = "上一次操作正在处理，请稍候。"
