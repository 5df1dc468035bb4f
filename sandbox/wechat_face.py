"""WeChat's face check 2.0: an id for the client to run, and a verdict for whoever can repeat what was asked."""

from __future__ import annotations

import base64
import hashlib
import re
from typing import TYPE_CHECKING

from flask import Blueprint, Response

from sandbox import faces, users
from sandbox.faces import Kind, Outcome
from sandbox.wechat_open import Answer, problem, read_body, serve_with_token

if TYPE_CHECKING:
    from sandbox.core import Core

OUT_SEQ_NO = re.compile(r"[0-9A-Za-z_-]{5,32}")
LASTS_SECONDS = 3600
PASSED, COMPARISON_FAILED, CANCELLED, AGREEMENT_REFUSED = 10000, 10001, 90002, 90110
VERIFY_RET = {
    Outcome.PASSED: PASSED,
    Outcome.FAILED: COMPARISON_FAILED,
    Outcome.DECLINED: AGREEMENT_REFUSED,
    Outcome.ABANDONED: CANCELLED,
}


def cert_hash(cert_type: str, cert_name: str, cert_no: str) -> str:
    """Hash what proves that the asker knows whom they asked about."""
    named = {"cert_type": cert_type, "cert_name": cert_name, "cert_no": cert_no}
    text = "&".join(f"{key}={base64.b64encode(value.encode()).decode('ascii')}" for key, value in named.items())
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def get_verify_id(core: Core, app_id: str) -> Answer:
    asked = read_body()
    number, openid, who = asked.get("out_seq_no"), asked.get("openid"), asked.get("cert_info")
    if not isinstance(number, str) or not OUT_SEQ_NO.fullmatch(number):
        return problem(40097, "invalid args: out_seq_no")
    if not isinstance(openid, str) or users.by_subject(core.store, app_id, openid) is None:
        return problem(40003, "invalid openid")
    if not isinstance(who, dict) or who.get("cert_type") != "IDENTITY_CARD":
        return problem(40097, "invalid args: cert_info.cert_type")
    name, id_number = who.get("cert_name"), who.get("cert_no")
    if not isinstance(name, str) or not name or not isinstance(id_number, str) or not id_number:
        return problem(84006, "cert_name or cert_no is empty")
    try:
        check = faces.begin(
            core,
            kind=Kind.WECHAT,
            app_id=app_id,
            order_no=number,
            name=name,
            id_number=id_number,
            subject=openid,
            lasts_seconds=LASTS_SECONDS,
            reference_length=96,
        )
    except faces.OrderNumberUsedError:
        return problem(40097, "invalid args: out_seq_no has been used")
    return {"errcode": 0, "errmsg": "ok", "verify_id": check.reference, "expires_in": LASTS_SECONDS}


def query_verify_info(core: Core, app_id: str) -> Answer:
    """Tell the verdict; before the person has done anything there is none to tell."""
    asked = read_body()
    check = faces.find(core, str(asked.get("verify_id")), kind=Kind.WECHAT)
    if check is None or check.app_id != app_id:
        return problem(84001, "invalid identify id")
    if asked.get("out_seq_no") != check.order_no or asked.get("openid") != check.subject:
        return problem(40097, "invalid args: out_seq_no or openid does not match verify_id")
    if asked.get("cert_hash") != cert_hash("IDENTITY_CARD", check.name, check.id_number):
        return problem(40097, "invalid args: cert_hash does not match verify_id")
    outcome = check.outcome_at(core.now())
    if outcome is Outcome.EXPIRED:
        return problem(84001, "invalid identify id: expired")
    told: Answer = {"errcode": 0, "errmsg": "ok"}
    return told if outcome is None else told | {"verify_ret": check.code or VERIFY_RET[outcome]}


def blueprint(core: Core) -> Blueprint:
    door = Blueprint("wechat_face", __name__, url_prefix="/wechat-api/cityservice/face/identify")

    @door.post("/getverifyid")
    def getverifyid() -> Response:
        return serve_with_token(core, "getverifyid", lambda app_id: get_verify_id(core, app_id))

    @door.post("/queryverifyinfo")
    def queryverifyinfo() -> Response:
        return serve_with_token(core, "queryverifyinfo", lambda app_id: query_verify_info(core, app_id))

    return door
