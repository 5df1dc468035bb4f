"""Alipay's people: sign-in, what a user allowed us to know of them, and both of its face checks."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from sandbox import faces, users
from sandbox.alipay_gateway import BAD_TOKEN, Call, Page, Refused, Told, failure, invalid, success
from sandbox.core import letters, wall_clock
from sandbox.faces import Kind, Outcome

if TYPE_CHECKING:
    from sandbox.alipay_gateway import Method
    from sandbox.core import Core

TOKEN_LASTS_SECONDS, REFRESH_LASTS_SECONDS = 1_296_000, 2_592_000
FACE_LASTS_SECONDS = 23 * 3600
ORDER_NO = re.compile(r"[0-9A-Za-z]{1,64}")
CERTIFY_ORDER_NO = re.compile(r"[0-9A-Za-z]{1,32}")
BIZ_CODE = "DATA_DIGITAL_BIZ_CODE_FACE_VERIFICATION"
CERTIFY_BIZ_CODES = {"FACE", "CERT_PHOTO", "CERT_PHOTO_FACE", "SMART_FACE"}
CERTIFICATES = {"IDENTITY_CARD", "RESIDENCE_HK_MC", "RESIDENCE_TAIWAN"}


def sign_in(core: Core, call: Call) -> Told | Refused:
    """Turn an authCode into an open_id; these apps are new enough to get no user_id."""
    if call.given.get("grant_type") != "authorization_code":
        return invalid("isv.grant-type-invalid", "授权类型无效")
    user = users.spend_code(core, app_id=call.app_id, code=call.given.get("code", ""))
    if isinstance(user, str):
        return invalid("isv.code-invalid", "授权码code无效")
    token = users.make_token(
        core, kind="alipay", app_id=call.app_id, user_id=user["user_id"], lasts_seconds=TOKEN_LASTS_SECONDS
    )
    return {
        "access_token": token,
        "auth_start": wall_clock(core.now()),
        "auth_token_type": "permanent",
        "expires_in": TOKEN_LASTS_SECONDS,
        "open_id": user["subject"],
        "re_expires_in": REFRESH_LASTS_SECONDS,
        "refresh_token": letters(40),
    }


def share_user(core: Core, call: Call) -> Told:
    """Tell who the user is; name and certificate only where the user granted them."""
    held = users.find_token(core, kind="alipay", token=call.given.get("auth_token", ""))
    if held is None or held["app_id"] != call.app_id or held["expires_at"] < core.now():
        return BAD_TOKEN
    user = users.find(core.store, held["user_id"])
    if user is None:
        return BAD_TOKEN
    told = success(open_id=user["subject"], nick_name=user["label"], province="江苏省", city="常州市", gender="f")
    if user["real_name"] and user["id_number"]:
        told |= {
            "is_certified": "T",
            "user_name": user["real_name"],
            "cert_type": "0",
            "cert_no": user["id_number"],
        }
    return told


def _begin(core: Core, call: Call, *, kind: Kind, who: Told, number: str) -> Told:
    name, id_number = who.get("cert_name"), who.get("cert_no")
    if who.get("identity_type") != "CERT_INFO" or who.get("cert_type") not in CERTIFICATES:
        return failure("INVALID_PARAMETER", "identity_type或cert_type不正确")
    if not isinstance(name, str) or not name or not isinstance(id_number, str) or not id_number:
        return failure("INVALID_PARAMETER", "cert_name或cert_no缺失")
    try:
        check = faces.begin(
            core,
            kind=kind,
            app_id=call.app_id,
            order_no=number,
            name=name,
            id_number=id_number,
            lasts_seconds=FACE_LASTS_SECONDS,
        )
    except faces.OrderNumberUsedError:
        return failure("DUPLICATE_OUTER_ORDER_NO", "outer_order_no已被使用")
    return success(certify_id=check.reference)


def begin_face(core: Core, call: Call) -> Told:
    number = str(call.biz.get("outer_order_no"))
    if not ORDER_NO.fullmatch(number) or call.biz.get("biz_code") != BIZ_CODE:
        return failure("INVALID_PARAMETER", "outer_order_no或biz_code不正确")
    told = _begin(core, call, kind=Kind.ALIPAY, who=call.biz, number=number)
    if "certify_id" in told:
        page = f"https://face.example.com/{told['certify_id']}"
        told |= {"page_url": page, "web_url": page}
    return told


def query_face(core: Core, call: Call) -> Told:
    check = faces.find(core, str(call.biz.get("certify_id")), kind=Kind.ALIPAY)
    if check is None or check.app_id != call.app_id:
        return failure("CERTIFY_ID_NOT_EXIST", "certify_id不存在")
    outcome = check.outcome_at(core.now())
    if outcome is Outcome.PASSED:
        return success(certify_state="SUCCESS", attack_flag="F", score="92.6", quality="97.1")
    if outcome in {Outcome.FAILED, Outcome.EXPIRED}:
        return success(certify_state="FAIL", attack_flag="F")
    return success(certify_state="PROCESSING")


def _object(value: object) -> Told:
    """Read an object that some clients send as text."""
    if isinstance(value, dict):
        return value
    try:
        read = json.loads(value) if isinstance(value, str) else None
    except ValueError:
        return {}
    return read if isinstance(read, dict) else {}


def begin_certify(core: Core, call: Call) -> Told:
    number = str(call.biz.get("outer_order_no"))
    if not CERTIFY_ORDER_NO.fullmatch(number) or call.biz.get("biz_code") not in CERTIFY_BIZ_CODES:
        return failure("INVALID_PARAMETER", "outer_order_no或biz_code不正确")
    if "return_url" not in _object(call.biz.get("merchant_config")):
        return failure("INVALID_PARAMETER", "merchant_config.return_url缺失")
    return _begin(core, call, kind=Kind.ALIPAY_CERTIFY, who=_object(call.biz.get("identity_param")), number=number)


def show_certify(core: Core, call: Call) -> Page | Told:
    """The page that the person's client opens: here it says how to decide the check by hand."""
    check = faces.find(core, str(call.biz.get("certify_id")), kind=Kind.ALIPAY_CERTIFY)
    if check is None or check.app_id != call.app_id:
        return failure("CERTIFY_ID_NOT_EXIST", "certify_id不存在")
    return Page(
        html='<!doctype html><html lang="zh"><meta charset="utf-8"><title>人脸认证（沙箱）</title>'
        f"<p>沙箱里没有摄像头。请用 POST /_sandbox/faces/{check.reference} 决定这次认证的结果。</p></html>"
    )


def query_certify(core: Core, call: Call) -> Told:
    check = faces.find(core, str(call.biz.get("certify_id")), kind=Kind.ALIPAY_CERTIFY)
    if check is None or check.app_id != call.app_id:
        return failure("CERTIFY_ID_NOT_EXIST", "certify_id不存在")
    outcome = check.outcome_at(core.now())
    told = success(passed="T" if outcome is Outcome.PASSED else "F", identity_info="", material_info="")
    if outcome is not None and outcome is not Outcome.PASSED:
        told["fail_reason"] = f"{outcome.value}:{check.code or 0}"
    return told


METHODS: dict[str, Method] = {
    "alipay.system.oauth.token": sign_in,
    "alipay.user.info.share": share_user,
    "datadigital.fincloud.generalsaas.face.verification.initialize": begin_face,
    "datadigital.fincloud.generalsaas.face.verification.query": query_face,
    "alipay.user.certify.open.initialize": begin_certify,
    "alipay.user.certify.open.certify": show_certify,
    "alipay.user.certify.open.query": query_certify,
}
