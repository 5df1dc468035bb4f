"""Enrolling, over real processes: apply on the phone, be reviewed, be billed, pay; pause and go on."""

from __future__ import annotations

import io
import re

import pypdf
import pytest
import requests
from PIL import Image, ImageDraw

from app import build_ports
from config.settings import load_settings
from models.staff import StaffRole
from sandbox.phone import Phone, PhoneRefusedError
from tests.console.browser import PASSWORD, code_at, member
from tests.factories import World, an_id_number
from tests.journeys.desk import Desk
from tests.town import PROGRAMS

pytestmark = [pytest.mark.slow, pytest.mark.timeout(280)]

TO_READ_SECONDS = 10.5
APP, HRSS_WECHAT = "changzhou-hrss-app", ("xinjiang-hrss-wechat", "wx6500000000000002")
CARD = "6222021001112223331"


@pytest.fixture(scope="module")
def world(town):
    """The registrar's side: the same database, in this process."""
    ports = build_ports(
        load_settings({name: value for name, value in town.stack.environment.items() if name.startswith("CANBAO_")})
    )
    yield World(ports)
    ports.sessions.kw["bind"].dispose()


def photograph(words: str) -> bytes:
    picture = Image.new("RGB", (1200, 800), "#e8e4d8")
    ImageDraw.Draw(picture).text((80, 80), words, fill="#222222")
    file = io.BytesIO()
    picture.save(file, "JPEG")
    return file.getvalue()


def on_wechat(town, program, app_id, number, *, mobile="13800000000"):
    user = town.sandbox.make_user(app_id)
    phone = Phone(
        town.stack.url("web"), town.sandbox, miniprogram=program, app_id=app_id, platform="wechat", user_id=user["user_id"]
    )
    phone.sign_in()
    phone.consent_to()
    phone.prove_name("张三", number, mobile)
    phone.prove_face()
    return phone


@pytest.fixture(scope="module")
def reviewer(town, world):
    """One of the staff at the console of the web process, signed in by password and phone."""
    member(world.ports, "S1024", StaffRole.REVIEWER)
    desk = Desk(town.stack.url("web"), "S1024", PASSWORD)
    code = code_at(world.ports, "S1024", steps=1)
    assert desk.send("/sign-in", "/sign-in", number="S1024", password=PASSWORD, totp_code=code).url.endswith("/console/")
    return desk


def approve(reviewer, case):
    """From the queue over every photograph to the decision."""
    path = f"/reviews/{case['id']}"
    assert case["case_no"] in reviewer.get("/reviews")
    seen = reviewer.send(path, f"{path}/taking-up").text
    photographs = re.findall(r'<img src="([^"]+)"', seen)
    assert len(photographs) == len(case["documents"])
    for each in photographs:
        assert reviewer.browser.get(f"{reviewer.url}{each}", timeout=30).content.startswith(b"\xff\xd8\xff")
    version = re.search(r'name="version" value="(\d+)"', seen)[1]
    decided = reviewer.send(path, f"{path}/decision", decision="APPROVE", version=version)
    assert decided.url.endswith("/console/reviews?done=approved"), decided.text


def handed_in(phone, kind, region, fields, insurances, *, papers=()):
    case = phone.ask("POST", "/applications", {"kind": kind, "region": region, "fields": fields, "insurances": insurances})
    for paper in papers:
        phone.photograph(case["id"], paper, photograph(paper))
    case = phone.ask("GET", f"/applications/{case['id']}")
    if "HAND_IN_DOCUMENTS" in case["can"]:
        case = phone.ask("POST", f"/applications/{case['id']}/documents-handed-in", {})
    return phone.ask("POST", f"/applications/{case['id']}/submission", {"version": case["version"]})


def test_somebody_in_changzhou_enrols_in_the_app_is_approved_and_pays_by_wechat(town, reviewer):
    number, mobile = an_id_number(801, born="19910303"), "13700008801"
    town.sandbox.register_person("张三", number, phone=mobile)
    phone = Phone(town.stack.url("web"), town.sandbox, miniprogram=APP, app_id=APP, platform="app", user_id="")
    phone.ask_for_code(mobile)
    phone.enter(mobile, register=True)
    phone.consent_to("REAL_NAME", "FACE")
    phone.prove_name("张三", number)
    phone.prove_face()
    fields = {
        "hukou_division": "320402",
        "residence_division": "320402",
        "residence_address": "常州市天宁区某某街道一号",
        "mobile": mobile,
        "employment_form": "FLEXIBLE",
        "pooling_area": "320402",
    }
    wanted = ("NEW_ENROLLMENT", "320400", fields, [{"insurance_type": "110", "tier": "3"}])
    with pytest.raises(PhoneRefusedError) as refusal:
        handed_in(phone, *wanted)
    assert refusal.value.code == "CONSENT_REQUIRED"

    phone.read("ENROLLMENT", seconds=TO_READ_SECONDS)
    phone.consent_to("DOCUMENTS")
    case = handed_in(phone, *wanted, papers=("ID_FRONT", "ID_BACK", "RESIDENCE_PERMIT"))
    assert case["state"] == "SUBMITTED"
    assert case["due_at"] > case["submitted_at"]
    approve(reviewer, case)

    seen = phone.ask("GET", f"/applications/{case['id']}")
    assert seen["state"] == "APPROVED"
    assert [step["actor"] for step in seen["timeline"]][-1] == "STAFF"
    assert "PRINT_FORM" in seen["can"]
    payer = on_wechat(town, *PROGRAMS["wechat"][:2], number, mobile=mobile)
    person, bill = town.own_bill(payer)
    order = payer.order(person, [bill["id"]])
    payer.pay(order)
    assert payer.wait_until(order["order_no"], "PAID")["lines"][0]["state"] == "PAID"

    form = f"/applications/{case['id']}/registration-form"
    with pytest.raises(PhoneRefusedError) as refusal:
        phone.download(form)
    assert refusal.value.code == "CONSENT_REQUIRED"
    phone.read("AGENCY_CLIENT", seconds=TO_READ_SECONDS)
    said = paper(phone.download(form))
    assert number in said
    assert "有效" in asked_about(town, said, number)

    said = paper(payer.download(f"/payment-orders/{order['order_no']}/receipt"))
    assert "本回单不是税收完税证明" in said
    assert order["order_no"] in said
    assert "微信支付" in asked_about(town, said, number)


def paper(pdf):
    return pypdf.PdfReader(io.BytesIO(pdf)).pages[0].extract_text()


def asked_about(town, said, number):
    """The page behind the code on a paper, which tells nobody's number."""
    code = re.search(r"验真码：([0-9A-Z-]{34})", said)[1]
    assert f"{town.stack.url('web')}/verify" in said
    page = requests.get(f"{town.stack.url('web')}/verify/{code}", timeout=30)
    assert page.status_code == 200
    assert number not in page.text
    return page.text


def signs_the_agreement(payer, number, *, deposit_fen):
    """新增协议: name and ID number, the card of one's own; the bank is asked and the agreement shown (R-XJ-21..25, R-XJ-38..40)."""
    before = payer.ask("GET", "/withholding-agreements")
    assert before["agreements"] == []
    assert before["guides"][0]["title"] == "个人委托扣款缴费协议"
    assert [each["amount_fen"] for each in before["guides"][0]["deposits"]] == [deposit_fen]
    typed = {
        "region": "650000",
        "insurance_type": "110",
        "name": "张三",
        "id_number": number,
        "bank": "ICBC",
        "card_number": CARD,
        "phone": "13800000000",
    }
    with pytest.raises(PhoneRefusedError) as refusal:
        payer.ask("POST", "/withholding-agreements", typed)
    assert refusal.value.code == "CONSENT_REQUIRED"
    payer.consent_to("BANK_ACCOUNT")
    payer.read("WITHHOLDING", seconds=TO_READ_SECONDS)

    strangers = payer.ask("POST", "/withholding-agreements", {**typed, "phone": "13800000001"})
    assert (strangers["state"], strangers["card"]) == ("REJECTED", f"****{CARD[-4:]}")
    signed = payer.ask("POST", "/withholding-agreements", typed)
    assert signed["state"] == "ACTIVE"
    assert [each["state"] for each in payer.ask("GET", "/withholding-agreements")["agreements"]] == ["ACTIVE", "REJECTED"]
    with pytest.raises(PhoneRefusedError) as refusal:
        payer.ask("POST", "/withholding-agreements", typed)
    assert refusal.value.code == "AGREEMENT_IN_FORCE"


def test_somebody_in_xinjiang_enrols_pauses_and_goes_on_where_they_are_insured(town, reviewer):
    number = an_id_number(802, born="19910404")
    town.sandbox.register_person("张三", number, phone="13800000000", bank_card=CARD)
    phone = on_wechat(town, *HRSS_WECHAT, number)
    bank = {"bank_category": "ICBC", "card_number": CARD}
    fields = {
        "residence_address": "乌鲁木齐市天山区某某路二号",
        "mobile": "13912345678",
        "employment_form": "FLEXIBLE",
        "pooling_area": "650102",
        **bank,
    }
    papers = ("ID_FRONT", "ID_BACK", "HUKOU_SELF_PAGE")
    phone.read("ENROLLMENT", seconds=TO_READ_SECONDS)
    phone.consent_to("DOCUMENTS", "BANK_ACCOUNT")
    insurances = [{"insurance_type": "110", "tier": "3"}]
    approve(reviewer, handed_in(phone, "NEW_ENROLLMENT", "650000", fields, insurances, papers=papers))
    payer = on_wechat(town, *PROGRAMS["xinjiang"][:2], number)
    person, bill = town.own_bill(payer)
    assert bill["coverage_month"] == town.month
    signs_the_agreement(payer, number, deposit_fen=bill["amount_fen"])

    approve(reviewer, handed_in(phone, "SUSPENSION", "650000", {"change_reason": "6300"}, [{"insurance_type": "110"}]))
    assert payer.bills(person) == []
    with pytest.raises(PhoneRefusedError):
        payer.order(person, [bill["id"]], expected_amount_fen=bill["amount_fen"])

    with pytest.raises(PhoneRefusedError) as refusal:
        handed_in(phone, "RESUMPTION", "320400", {"pooling_area": "320402"}, insurances)
    assert refusal.value.code in {"REGION_MISMATCH", "NOT_AVAILABLE_ONLINE"}
    approve(reviewer, handed_in(phone, "RESUMPTION", "650000", {"pooling_area": "650102", **bank}, insurances))
    person, again = town.own_bill(payer)
    order = payer.order(person, [again["id"]])
    payer.pay(order)
    assert payer.wait_until(order["order_no"], "PAID")["lines"][0]["state"] == "PAID"
