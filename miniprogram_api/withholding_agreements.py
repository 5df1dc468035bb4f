"""Withholding agreements (委托扣款缴费协议): what there is to know before one signs, sign one, see one's own, end one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from apiflask import APIBlueprint, Schema
from apiflask.fields import Boolean, Date, DateTime, Integer, List, Nested, String
from flask import g

from miniprogram_api.auth import endpoint, me, ports
from miniprogram_api.fields import Given, Whole, short_text
from services import withholding_agreements
from services.agreement_errors import AgreementInForce, BankNotListed
from services.application_errors import NotActive
from services.debit_errors import DebitInFlight
from services.errors import (
    CardNumberMalformed,
    ConsentRequired,
    FaceCheckRequired,
    IdempotencyKeyReused,
    IdNumberMalformed,
    NameIdMismatch,
    NameMalformed,
    NotAvailableOnline,
    NotFound,
    RegionMismatch,
    TooManyBankCardChecks,
    TooManyLookups,
    TooYoung,
)
from services.withholding_agreements import NewAgreement

if TYPE_CHECKING:
    import uuid

door = APIBlueprint("withholding_agreements", __name__, tag="Withholding agreements")


class AgreementIn(Given):
    region = String(required=True, validate=Whole(r"^[0-9]{6}$"))
    insurance_type = String(required=True, validate=Whole(r"^[0-9]{3}$"), metadata={"example": "110"})
    name = short_text(100, required=True, metadata={"description": "本人姓名"})
    id_number = short_text(40, required=True, metadata={"description": "本人身份证号码"})
    bank = String(required=True, validate=Whole(r"^[A-Z][A-Z0-9_]{1,39}$"), metadata={"example": "BOC"})
    card_number = short_text(40, required=True, metadata={"description": "本人的社会保障卡或借记卡号，加密保存"})
    phone = String(
        required=True, validate=Whole(r"^1[3-9][0-9]{9}$"), metadata={"description": "银行预留手机号码，银行答复后即删除"}
    )


class CheckItemOut(Schema):
    item = String(required=True, metadata={"description": "FINANCIAL_FUNCTION 激活金融功能，AGREEMENT_SIGNED 签订协议"})
    title = String(required=True)
    done = Boolean(required=True, allow_none=True, metadata={"description": "空：没有人告诉过我们"})


class NextDebitOut(Schema):
    day = Date(required=True, metadata={"description": "下次扣款日"})
    amount_fen = Integer(required=True, metadata={"description": "到那天应在协议卡里存足的金额，分；0：目前没有要扣的"})
    months = List(String(), required=True, metadata={"description": "所属月份", "example": ["2026-11"]})
    to_confirm = Boolean(required=True, metadata={"description": "以当地公布为准"})


class DebitingOut(Schema):
    in_flight_fen = Integer(required=True, metadata={"description": "正在扣款中的金额，分；0：没有"})
    next = Nested(NextDebitOut, required=True, allow_none=True, metadata={"description": "空：没有已知的扣款日，或协议未生效"})


class AgreementOut(Schema):
    id = String(required=True)
    agreement_no = String(required=True)
    title = String(required=True, metadata={"description": "本地区对协议的叫法"})
    region = String(required=True)
    region_name = String(required=True)
    insurance_type = String(required=True)
    insurance_name = String(required=True)
    state = String(required=True, metadata={"description": "PENDING_VERIFY，ACTIVE，SUSPENDED，TERMINATED，REJECTED"})
    state_text = String(required=True)
    detail = String(required=True, metadata={"description": "为什么，接下来怎么办"})
    channel = String(required=True, metadata={"description": "ONLINE 手机签约，BRANCH 银行网点签约"})
    bank = String(required=True)
    bank_name = String(required=True)
    card = String(required=True, attribute="card_masked", metadata={"description": "只有末四位", "example": "****0018"})
    can_terminate = Boolean(required=True, metadata={"description": "可以在手机上解约"})
    ending = String(required=True, metadata={"description": "怎样解约、换卡"})
    checklist = List(Nested(CheckItemOut), required=True, metadata={"description": "扣款要办好的两件事"})
    text_version = String(required=True, allow_none=True, metadata={"description": "所同意的协议文本的版本"})
    signed_at = DateTime(required=True)
    verified_at = DateTime(required=True, allow_none=True)
    finished_at = DateTime(required=True, allow_none=True)
    debiting = Nested(DebitingOut, required=True, metadata={"description": "正在扣的，和下次要扣的"})


class AgreementBankOut(Schema):
    code = String(required=True)
    title = String(required=True)


class DepositOut(Schema):
    insurance_type = String(required=True)
    amount_fen = Integer(required=True, metadata={"description": "按今天的标准，一个月应存足的金额，分"})
    sample = Boolean(required=True, metadata={"description": "示例金额"})
    provisional = Boolean(required=True)


class GuideOut(Schema):
    region = String(required=True)
    region_name = String(required=True)
    title = String(required=True)
    is_main_way = Boolean(required=True, metadata={"description": "本地区主要的缴费方式，推荐"})
    signs_online = Boolean(required=True, metadata={"description": "可以在这个小程序里签约"})
    where = String(required=True)
    recommended_card = String(required=True)
    signed_before = String(required=True)
    activation = String(required=True)
    deposit_note = String(required=True)
    ending = String(required=True)
    banks = List(Nested(AgreementBankOut), required=True)
    hotline = String(required=True)
    checklist = List(Nested(CheckItemOut), required=True)
    deposits = List(Nested(DepositOut), required=True, metadata={"description": "本人在保的每个险种一项"})
    to_confirm = Boolean(required=True, metadata={"description": "以当地公布为准"})


class AgreementsOut(Schema):
    agreements = List(Nested(AgreementOut), required=True)
    guides = List(Nested(GuideOut), required=True, metadata={"description": "签约以前要知道的，本小程序的每个地区一项"})


@door.post("/withholding-agreements")
@endpoint(
    door,
    takes=AgreementIn,
    returns=AgreementOut,
    status=201,
    fails=[
        NameMalformed,
        IdNumberMalformed,
        TooYoung,
        CardNumberMalformed,
        NotFound,
        RegionMismatch,
        FaceCheckRequired,
        ConsentRequired,
        AgreementInForce,
        NotAvailableOnline,
        BankNotListed,
        NameIdMismatch,
        NotActive,
        TooManyBankCardChecks,
        TooManyLookups,
        IdempotencyKeyReused,
    ],
    creates=True,
    replays=True,
)
def sign_withholding_agreement(given: dict[str, Any]) -> Any:
    """Sign one with one's own card (新增协议); the bank is asked at once. The same key again tells the same agreement."""
    view = withholding_agreements.sign(
        ports(), account=me(), new=NewAgreement(**given), idempotency_key=g.idempotency_key
    )  # fmt: skip
    return view, 201, {"Idempotency-Replayed": "true"} if view.replayed else {}


@door.get("/withholding-agreements")
@endpoint(door, returns=AgreementsOut, fails=[FaceCheckRequired, ConsentRequired])
def list_withholding_agreements() -> Any:
    """My agreements, those in force first; and where, at which banks and with how much on the card one signs."""
    return withholding_agreements.list_agreements(ports(), account=me())


@door.get("/withholding-agreements/<uuid:agreement_id>")
@endpoint(door, returns=AgreementOut, fails=[NotFound])
def read_withholding_agreement(agreement_id: uuid.UUID) -> Any:
    """One of my agreements."""
    return withholding_agreements.read_agreement(ports(), account=me(), agreement_id=agreement_id)


@door.delete("/withholding-agreements/<uuid:agreement_id>")
@endpoint(door, returns=AgreementOut, fails=[NotFound, NotAvailableOnline, DebitInFlight])
def terminate_withholding_agreement(agreement_id: uuid.UUID) -> Any:
    """End it (解约); again changes nothing."""
    return withholding_agreements.terminate(ports(), account=me(), agreement_id=agreement_id)
