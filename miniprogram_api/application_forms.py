"""Application forms: what a region asks for in one business, page by page, with what is known filled in and masked."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint, Schema
from apiflask.fields import Boolean, Date, Integer, List, Nested, String

from config.rulebook import ApplicationKind
from miniprogram_api.auth import endpoint, me, ports
from miniprogram_api.fields import Given, Whole
from miniprogram_api.regions import DocumentBesidesOut
from services import application_forms
from services.application_errors import AtPensionableAge, BelowMinimumAge, InsuranceNotOffered, PoolingAreaUnknown
from services.errors import ConsentRequired, NotAvailableOnline, NotFound, RealNameRequired, RegionMismatch

door = APIBlueprint("application_forms", __name__, tag="Applications")


class FormAsked(Given):
    region = String(validate=Whole(r"^[0-9]{6}$"), metadata={"description": "地区代码；不填：此小程序的第一个地区"})
    pooling_area = String(validate=Whole(r"^[0-9]{6}$"), metadata={"description": "参保统筹区"})
    insurance_type = String(validate=Whole(r"^[0-9]{3}$"), metadata={"description": "只要这一险种需要的内容"})


class FormOptionOut(Schema):
    value = String(required=True)
    label = String(required=True)
    elsewhere = Boolean(required=True, metadata={"description": "由其他机构办理，不能在这里申报"})


class DependsOnOut(Schema):
    key = String(required=True, metadata={"description": "另一项的 key，或 insurance_type"})
    values = List(String(), required=True)


class FormFieldOut(Schema):
    key = String(required=True, metadata={"example": "mobile"})
    label = String(required=True)
    type = String(
        required=True,
        metadata={"description": "IDENTITY（已实名，只读）, TEXT, CHOICE, DIVISION, PHONE, CARD_NUMBER, MONTH"},
    )
    required = Boolean(required=True)
    read_only = Boolean(required=True)
    value = String(required=True, allow_none=True, metadata={"description": "已预填的内容，个人信息已脱敏"})
    help = String(required=True, allow_none=True)
    longest = Integer(required=True, allow_none=True, metadata={"description": "最多几个字"})
    options = List(Nested(FormOptionOut), required=True)
    depends_on = Nested(DependsOnOut, required=True, allow_none=True)
    consent = String(required=True, allow_none=True, metadata={"description": "填写以前须同意哪一份告知书"})


class FormStepOut(Schema):
    step = String(required=True)
    title = String(required=True)
    asks_insurances = Boolean(required=True, metadata={"description": "险种和档次在这一步选择"})
    fields_ = List(Nested(FormFieldOut), required=True, data_key="fields", attribute="fields")


class FormTierOut(Schema):
    tier = String(required=True)
    label = String(required=True)
    base_fen = Integer(required=True, allow_none=True)
    amount_fen = Integer(required=True)


class FormInsuranceOut(Schema):
    insurance_type = String(required=True)
    title = String(required=True)
    label = String(required=True)
    may_be_declined = Boolean(required=True, metadata={"description": "可以选“无”"})
    plan = String(required=True, allow_none=True)
    tiers = List(Nested(FormTierOut), required=True)
    allow_declared_wage = Boolean(required=True, metadata={"description": "可以自报申报工资基数"})
    floor_fen = Integer(required=True, allow_none=True)
    ceiling_fen = Integer(required=True, allow_none=True)
    sample = Boolean(required=True, metadata={"description": "示例金额：尚无人确认"})
    provisional = Boolean(required=True, metadata={"description": "暂按上年基数，公布后多退少补"})


class CurrentOut(Schema):
    insurance_type = String(required=True)
    region = String(required=True)
    region_name = String(required=True)
    pooling_area = String(required=True)
    pooling_area_name = String(required=True)
    state = String(required=True)
    start_month = String(required=True)
    end_month = String(required=True, allow_none=True)
    tier = String(required=True, allow_none=True)
    declared_wage_fen = Integer(required=True, allow_none=True)
    fits = Boolean(required=True, metadata={"description": "本项业务可以办理"})


class FormConsentOut(Schema):
    purpose = String(required=True)
    title = String(required=True)
    version = String(required=True)
    given = Boolean(required=True)


class FormDocumentOut(Schema):
    kind = String(required=True)
    label = String(required=True)
    help = String(required=True, allow_none=True)


class ApplicationFormOut(Schema):
    kind = String(required=True)
    region = String(required=True)
    region_name = String(required=True)
    on = Date(required=True, metadata={"description": "按这一天（北京时间）生效的规则"})
    submission = String(
        required=True, metadata={"description": "UPLOAD_CHECK_SUBMIT 上传、核对、提交申报；SAVE_SUBMITS 保存即提交"}
    )
    submit_label = String(required=True)
    consents = List(Nested(FormConsentOut), required=True, metadata={"description": "办理以前要阅读并同意的告知书"})
    steps = List(Nested(FormStepOut), required=True)
    insurances = List(Nested(FormInsuranceOut), required=True)
    current = List(Nested(CurrentOut), required=True, metadata={"description": "目前的参保信息"})
    documents = List(Nested(FormDocumentOut), required=True)
    document_sets = List(List(String()), required=True, metadata={"description": "任一组齐全即可；为空：不需要材料"})
    documents_besides = List(
        Nested(DocumentBesidesOut), required=True, metadata={"description": "户籍在别处的，在任一组之外还要的材料"}
    )
    first_month = String(required=True)
    last_month = String(required=True)
    default_month = String(required=True, metadata={"example": "2026-11"})
    after = String(required=True, allow_none=True, metadata={"description": "提交以后怎么办"})


@door.get("/application-forms/<string:kind>")
@endpoint(
    door,
    asks=FormAsked,
    returns=ApplicationFormOut,
    fails=[
        NotFound,
        RegionMismatch,
        NotAvailableOnline,
        RealNameRequired,
        ConsentRequired,
        PoolingAreaUnknown,
        BelowMinimumAge,
        AtPensionableAge,
        InsuranceNotOffered,
    ],
)
def read_application_form(kind: str, asked: dict[str, Any]) -> Any:
    """The form of NEW_ENROLLMENT, RESUMPTION or SUSPENSION in a region, only what it needs."""
    try:
        wanted = ApplicationKind(kind)
    except ValueError:
        raise NotFound from None
    return application_forms.read_form(
        ports(),
        account=me(),
        kind=wanted,
        region_code=asked.get("region"),
        pooling_area=asked.get("pooling_area"),
        insurance_type=asked.get("insurance_type"),
    )
