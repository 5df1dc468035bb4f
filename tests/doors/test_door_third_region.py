"""A third region by YAML alone (tests/fixtures): its forms, papers, ages, terms, texts and months, from the menu to the paid month."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from config.clock import BEIJING
from config.rulebook import SHIPPED_REGIONS, load_rulebook
from models.applications import DecisionReason
from services import reviews
from services.application_lapsing import lapse_returned
from services.message_sending import send_messages
from services.review_queue import Reviewer
from tests import photographs
from tests.conftest import ports_to
from tests.doors.house import House
from tests.factories import World, an_id_number

FIXTURES = Path(__file__).parent.parent / "fixtures"
PROGRAM, REGION = "third-hrss-wechat", "330100"
REVIEWER = Reviewer(who="staff:S1024", roles=frozenset({"REVIEWER"}), region=REGION)
TUESDAY = datetime(2026, 11, 24, 10, tzinfo=BEIJING)
FIELDS = {"hukou_division": "650102", "residence_division": "330102", "pooling_area": "330105", "platform_worker": "YES"}
HIGH = [{"insurance_type": "110", "tier": "2"}]


@pytest.fixture
def house(database_url, seals, clock):
    rulebook = load_rulebook(SHIPPED_REGIONS, FIXTURES / "regions")
    clock.set(TUESDAY)
    with ports_to(
        database_url, rulebook=rulebook, seals=seals, clock=clock, miniprograms=FIXTURES / "miniprograms.yaml"
    ) as ports:
        yield House(ports=ports, world=World(ports), clock=clock)


@pytest.fixture
def account(house):
    account = house.world.account(house.world.person(id_number=an_id_number(9, born="19900101")), miniprogram=PROGRAM)
    house.world.agree(account, "ENROLLMENT", "DOCUMENTS")
    return account


def begun(phone, kind="NEW_ENROLLMENT", fields=FIELDS, insurances=HIGH, *, says=201):
    answer = phone.post("/applications", {"kind": kind, "region": REGION, "fields": fields, "insurances": insurances})
    assert answer.status_code == says, answer.json
    return answer.json


def handed_in(phone, case, *papers):
    for paper in papers:
        path = f"/applications/{case['id']}/documents/{paper}"
        assert phone.ask("PUT", path, raw=photographs.photograph(), content_type="image/jpeg").status_code == 200
    if case["submission"] == "UPLOAD_CHECK_SUBMIT":
        phone.post(f"/applications/{case['id']}/documents-handed-in", {})
    version = phone.get(f"/applications/{case['id']}").json["version"]
    return phone.post(f"/applications/{case['id']}/submission", {"version": version})


def approve(house, case):
    reviews.take_up(house.ports, application_id=case["id"], reviewer=REVIEWER)
    reviews.approve(house.ports, application_id=case["id"], version=case["version"], reviewer=REVIEWER)


def test_somebody_enrols_is_approved_billed_and_pays_where_no_line_of_python_knows_the_region(house, account):
    phone = house.phone(account)
    titles = [entry["title"] for entry in phone.get("/menu").json["entries"]]
    assert titles == ["我要参保", "我的办件", "缴费"]
    form = phone.get(f"/application-forms/NEW_ENROLLMENT?region={REGION}").json
    assert [field["label"] for field in form["steps"][0]["fields"]][-1] == "是否平台从业人员"
    assert form["document_sets"] == [["ID_FRONT", "ID_BACK"]]
    assert form["submit_label"] == "我要提交"

    refused = handed_in(phone, begun(phone), "ID_FRONT", "ID_BACK")
    assert (refused.status_code, refused.json["code"]) == (422, "DOCUMENTS_MISSING")
    assert "户籍不在第三市的，请上传租房合同" in refused.json["detail"]
    (case,) = phone.get("/applications").json["applications"]
    done = handed_in(phone, case, "RENTAL_CONTRACT").json

    # Three working days to aim at, five at most, and a day that ends when the offices close.
    assert datetime.fromisoformat(done["target_at"]) == datetime(2026, 11, 27, 17, 30, tzinfo=BEIJING)
    assert datetime.fromisoformat(done["due_at"]) == datetime(2026, 12, 1, 17, 30, tzinfo=BEIJING)
    approve(house, done)

    (enrollment,) = phone.get("/enrollments").json["enrollments"]
    assert (enrollment["region_name"], enrollment["pooling_area_name"], enrollment["state"]) == ("第三市", "西区", "ACTIVE")
    (message,) = phone.get("/messages").json["messages"]
    assert message["key"] == "application.approved_with_agreement"
    assert "0571-12345" in message["text"]
    me = house.world.me_in_list(account)
    (bill,) = phone.get(f"/insured-persons/{me}/bills").json["bills"]
    assert (bill["coverage_month"], bill["amount_fen"], bill["payable"]) == ("2026-11", 200000, True)
    order = {"insured_person_id": str(me), "bill_ids": [bill["id"]], "expected_amount_fen": 200000}
    assert phone.post("/payment-orders", order).status_code == 201


def test_a_decision_is_pushed_by_the_regions_own_mini_program(house, account):
    messenger = house.ports.messengers[PROGRAM]
    template = house.ports.partners.miniprograms[PROGRAM].subscribe_templates["application.approved_with_agreement"]
    messenger.templates["application.approved_with_agreement"] = template.template_id
    messenger.counts_allowances = False
    phone = house.phone(account)
    approve(house, handed_in(phone, begun(phone), "ID_FRONT", "ID_BACK", "RENTAL_CONTRACT").json)

    assert send_messages(house.ports) == 1

    ((_, key, words),) = messenger.sent
    assert key == "application.approved_with_agreement"
    assert {fact: words[fact] for fact in template.fields.values()}["months"] == "2026年11月"


def test_it_pauses_for_its_own_reason_and_goes_on(house, account):
    phone = house.phone(account)
    approve(house, handed_in(phone, begun(phone), "ID_FRONT", "ID_BACK", "RENTAL_CONTRACT").json)
    wrong = begun(phone, "SUSPENSION", {"change_reason": "6300"}, [{"insurance_type": "110"}], says=422)
    assert wrong["code"] == "APPLICATION_FIELDS_NOT_ACCEPTED"
    pause = begun(phone, "SUSPENSION", {"change_reason": "9901"}, [{"insurance_type": "110"}])
    approve(house, handed_in(phone, pause).json)
    assert phone.get("/enrollments").json["enrollments"][0]["state"] == "SUSPENDED"

    again = begun(phone, "RESUMPTION", {"pooling_area": "330105"}, [{"insurance_type": "110", "declared_wage_fen": 1234500}])
    approve(house, handed_in(phone, again).json)

    (enrollment,) = phone.get("/enrollments").json["enrollments"]
    assert (enrollment["state"], enrollment["tiers"][-1]["declared_wage_fen"]) == ("ACTIVE", 1234500)


@pytest.mark.parametrize(
    ("changed", "wage", "code"),
    [
        ({"residence_division": "320402"}, None, "HUKOU_NOT_ELIGIBLE"),
        ({"pooling_area": "320402"}, None, "APPLICATION_FIELDS_NOT_ACCEPTED"),
        ({"platform_worker": "PERHAPS"}, None, "APPLICATION_FIELDS_NOT_ACCEPTED"),
        ({}, 399999, "DECLARED_WAGE_OUT_OF_LIMITS"),
        ({}, 2000001, "DECLARED_WAGE_OUT_OF_LIMITS"),
    ],
)
def test_its_own_rules_refuse(house, account, changed, wage, code):
    insurances = HIGH if wage is None else [{"insurance_type": "110", "declared_wage_fen": wage}]
    given = {"kind": "NEW_ENROLLMENT", "region": REGION, "fields": {**FIELDS, **changed}, "insurances": insurances}

    assert house.phone(account).post("/applications", given).json["code"] == code


def test_what_it_returns_lapses_after_its_own_ten_days(house, account):
    phone = house.phone(account)
    case = handed_in(phone, begun(phone), "ID_FRONT", "ID_BACK", "RENTAL_CONTRACT").json
    reviews.take_up(house.ports, application_id=case["id"], reviewer=REVIEWER)
    reviews.give_back(
        house.ports,
        application_id=case["id"],
        version=case["version"],
        reason=DecisionReason.OTHER,
        remark="请补拍租房合同的签字页",
        reviewer=REVIEWER,
    )
    assert phone.get(f"/applications/{case['id']}").json["mend_by"] == "2026-12-04"

    house.clock.move(days=8)
    assert lapse_returned(house.ports) == 1
    house.clock.set(TUESDAY + timedelta(days=11))
    assert lapse_returned(house.ports) == 1
    assert house.phone(account).get(f"/applications/{case['id']}").json["state_text"] == "逾期未补正，已失效"
