"""What Alibaba Cloud knows of people, their phones, cards and faces, and the SMS that it would send."""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import requests

from sandbox import addresses, faces, users
from sandbox.aliyun import Given, Problem, Told
from sandbox.core import digits
from sandbox.faces import Kind, Outcome
from sandbox.notices import Letter, Notice

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.aliyun import Action
    from sandbox.core import Core
    from sandbox.store import Row

CLOUDAUTH, DYSMS = "2019-03-07", "2017-05-25"
CONSISTENT, INCONSISTENT, NO_RECORD = "1", "2", "3"
FACE_LASTS_SECONDS = 1800
OUTER_ORDER_NO = re.compile(r"[0-9A-Za-z]{32}")
PHONE = re.compile(r"1\d{10}")
SMS_TEMPLATE = re.compile(r"SMS_\d{6,12}")
SMS_PER_NUMBER_AND_DAY = 40
CARD_PRODUCTS = {"BANK_CARD_2_META": (), "BANK_CARD_3_META": ("id",), "BANK_CARD_4_META": ("id", "phone")}


def missing(name: str) -> Problem:
    return Problem(status=400, code=f"Missing{name}", message=f"{name} is mandatory for this action.")


def _told(**result: Any) -> Told:
    return {"Code": "200", "Message": "success", "ResultObject": result}


def _same(known: str | None, given: str, *, hashed: bool) -> bool:
    if known is None:
        return False
    return hashlib.md5(known.encode()).hexdigest() == given.lower() if hashed else known == given  # noqa: S324 - their way


def _person(core: Core, id_number: str, *, hashed: bool) -> Row | None:
    if not hashed:
        return users.person(core.store, id_number)
    rows = core.store.rows("SELECT * FROM people")
    return next((row for row in rows if _same(row["id_number"], id_number, hashed=True)), None)


def _needs(given: Given, *names: str) -> Problem | None:
    return next((missing(name) for name in names if not given.get(name)), None)


def id2_meta(core: Core, given: Given) -> Told | Problem:
    """Do name and number belong together? 1 yes, 2 no, 3 nobody has this number."""
    lacking = _needs(given, "UserName", "IdentifyNum", "ParamType")
    if lacking:
        return lacking
    hashed = given["ParamType"] == "md5"
    person = _person(core, given["IdentifyNum"], hashed=hashed)
    if person is None:
        return _told(BizCode=CONSISTENT if core.know_everyone else NO_RECORD)
    same = _same(person["name"], given["UserName"], hashed=hashed)
    return _told(BizCode=CONSISTENT if same else INCONSISTENT)


def mobile3_meta(core: Core, given: Given) -> Told | Problem:
    """Is this phone this person's?"""
    lacking = _needs(given, "UserName", "IdentifyNum", "Mobile", "ParamType")
    if lacking:
        return lacking
    hashed = given["ParamType"] == "md5"
    person = _person(core, given["IdentifyNum"], hashed=hashed)
    if person is None or person["phone"] is None:
        return _told(BizCode=CONSISTENT if core.know_everyone else NO_RECORD, IspName="CMCC")
    same = _same(person["name"], given["UserName"], hashed=hashed) and _same(person["phone"], given["Mobile"], hashed=hashed)
    return _told(BizCode=CONSISTENT if same else INCONSISTENT, IspName="CMCC")


def bank_meta(core: Core, given: Given) -> Told | Problem:
    """Does this card belong to this person? SubCode says what did not fit."""
    lacking = _needs(given, "BankCard", "UserName", "ProductType", "VerifyMode", "ParamType")
    if lacking:
        return lacking
    product = given["ProductType"]
    if product not in CARD_PRODUCTS or given["VerifyMode"] != "VERIFY_BANK_CARD":
        return Problem(status=400, code="InvalidParameter", message="ProductType or VerifyMode is not valid.")
    hashed = given["ParamType"] == "md5"
    rows = core.store.rows("SELECT * FROM people WHERE bank_card IS NOT NULL")
    holder = next((row for row in rows if _same(row["bank_card"], given["BankCard"], hashed=hashed)), None)
    if holder is None:
        known = core.know_everyone
        return _told(BizCode=CONSISTENT if known else NO_RECORD, SubCode="101" if known else "302")
    fields = {"id": ("id_number", "IdentifyNum"), "phone": ("phone", "Mobile")}
    compared = [("name", "UserName"), *(fields[each] for each in CARD_PRODUCTS[product])]
    if "phone" in CARD_PRODUCTS[product] and holder["phone"] is None:
        return _told(BizCode=INCONSISTENT, SubCode="214")
    if all(_same(holder[column], given.get(name, ""), hashed=hashed) for column, name in compared):
        return _told(BizCode=CONSISTENT, SubCode="101")
    return _told(BizCode=INCONSISTENT, SubCode="201")


def init_face(core: Core, given: Given) -> Told | Problem:
    lacking = _needs(given, "SceneId", "OuterOrderNo", "ProductCode", "CertType", "CertName", "CertNo", "MetaInfo")
    if lacking:
        return lacking
    if not given["SceneId"].isdigit() or not OUTER_ORDER_NO.fullmatch(given["OuterOrderNo"]):
        return Problem(status=400, code="InvalidParameter", message="SceneId is a number, OuterOrderNo 32 letters and digits.")
    if given["CertType"] != "IDENTITY_CARD":
        return Problem(status=400, code="InvalidParameter", message="CertType is not valid.")
    callback = given.get("CallbackUrl")
    if callback and (addresses.fault_of(callback) or not _answers(callback)):
        return {"Code": "401", "Message": "CallbackUrl cannot be reached"}
    try:
        check = faces.begin(
            core,
            kind=Kind.ALIYUN,
            app_id="aliyun",
            order_no=given["OuterOrderNo"],
            name=given["CertName"],
            id_number=given["CertNo"],
            lasts_seconds=FACE_LASTS_SECONDS,
            callback_url=callback,
            callback_token=given.get("CallbackToken"),
            scene_id=given["SceneId"],
        )
    except faces.OrderNumberUsedError:
        return {"Code": "400", "Message": "OuterOrderNo has been used"}
    told: dict[str, Any] = {"CertifyId": check.reference}
    if given["ProductCode"] != "ID_PRO":
        told["CertifyUrl"] = f"https://face.example.com/{check.reference}"
    return _told(**told)


def _answers(address: str) -> bool:
    """Look whether anybody is there, as is done before a check is opened."""
    try:
        with requests.Session() as session:
            session.trust_env = False
            session.get(address, timeout=3, allow_redirects=False)
    except requests.RequestException:
        return False
    return True


def describe_face(core: Core, given: Given) -> Told | Problem:
    """Tell the verdict; before the person has done anything there is none to tell."""
    lacking = _needs(given, "SceneId", "CertifyId")
    if lacking:
        return lacking
    check = faces.find(core, given["CertifyId"], kind=Kind.ALIYUN)
    if check is None or check.scene_id != given["SceneId"]:
        return {"Code": "404", "Message": "CertifyId does not exist"}
    outcome = check.outcome_at(core.now())
    if outcome is None:
        return _told()
    return _told(Passed="T" if outcome is Outcome.PASSED else "F", SubCode=str(check.sub_code))


def send_sms(core: Core, given: Given) -> Told | Problem:
    """Keep the message where the control API shows it; a number gets only so many in a day."""
    lacking = _needs(given, "PhoneNumbers", "SignName", "TemplateCode")
    if lacking:
        return lacking
    phone, now = given["PhoneNumbers"], core.now()
    if not PHONE.fullmatch(phone):
        return {"Code": "isv.MOBILE_NUMBER_ILLEGAL", "Message": "手机号码格式错误"}
    try:
        values = json.loads(given.get("TemplateParam") or "{}")
    except ValueError:
        return {"Code": "isv.INVALID_JSON_PARAM", "Message": "TemplateParam不是合法的JSON"}
    with core.store.transaction() as db:
        sent = db.execute(
            "SELECT COUNT(*) AS n FROM messages WHERE kind = 'sms' AND receiver = ? AND at > ?", (phone, now - 86400)
        ).fetchone()
        if sent["n"] >= SMS_PER_NUMBER_AND_DAY:
            return {"Code": "isv.BUSINESS_LIMIT_CONTROL", "Message": "触发号码天级流控"}
        content = {"sign_name": given["SignName"], "values": values, "out_id": given.get("OutId")}
        db.execute(
            "INSERT INTO messages (kind, receiver, template, content, at) VALUES ('sms', ?, ?, ?, ?)",
            (phone, given["TemplateCode"], json.dumps(content, ensure_ascii=False), now),
        )
    return {"Code": "OK", "Message": "OK", "BizId": f"{digits(18)}^0"}


def query_sms_template(core: Core, given: Given) -> Told | Problem:
    """Every template that looks like one was approved here; 1 says so."""
    del core
    lacking = _needs(given, "TemplateCode")
    if lacking:
        return lacking
    if not SMS_TEMPLATE.fullmatch(given["TemplateCode"]):
        return {"Code": "isv.SMS_TEMPLATE_ILLEGAL", "Message": "模板不合法(不存在或被拉黑)"}
    return {"Code": "OK", "Message": "OK", "TemplateCode": given["TemplateCode"], "TemplateStatus": 1}


def callback_writer(core: Core) -> Callable[[Notice], Letter]:
    """Make the function that writes one try of a face callback: a bare GET, unsigned."""
    del core

    def write(notice: Notice) -> Letter:
        return Letter(method="GET", body=b"", headers={"User-Agent": "Java/1.8"}, query=urlencode(notice.message))

    return write


ACTIONS: dict[tuple[str, str], Action] = {
    ("Id2MetaVerify", CLOUDAUTH): id2_meta,
    ("Mobile3MetaSimpleVerify", CLOUDAUTH): mobile3_meta,
    ("BankMetaVerify", CLOUDAUTH): bank_meta,
    ("InitFaceVerify", CLOUDAUTH): init_face,
    ("DescribeFaceVerify", CLOUDAUTH): describe_face,
    ("SendSms", DYSMS): send_sms,
    ("QuerySmsTemplate", DYSMS): query_sms_template,
}
