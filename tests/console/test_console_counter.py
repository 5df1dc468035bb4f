"""The counter at the console: two of the staff, by the numbers they signed in with, each within their own region."""

from __future__ import annotations

import pytest

from models.staff import StaffRole
from services.counter_codes import open_counter_check, read_counter_check
from tests.console.browser import Browser, member

ZHANG = {"name": "张三丰", "id_number": "320402199001010017", "document": "ID_CARD", "site": "WUJIN"}


@pytest.fixture
def somebody(house):
    account = house.world.account(verified=False, miniprogram="changzhou-hrss-app")
    house.world.agree(account, "REAL_NAME")
    return account, open_counter_check(house.ports, account=account, idempotency_key="story-counter").code


@pytest.fixture
def two(office):
    return office[StaffRole.REVIEWER], office[StaffRole.SUPERVISOR]


def attest(browser, code, **changes):
    return browser.send("/counter/attestation", "/counter/attestation", code=code, **{**ZHANG, **changes})


def test_two_of_the_staff_make_somebody_of_a_code(house, two, somebody):
    (first, second), (account, code) = two, somebody

    assert attest(first, code).headers["Location"] == "/console/counter?done=attested"
    first.get("/")
    assert "0 项待办" in first.shown.text
    second.get("/")
    assert "1 项待办" in second.shown.text
    second.get("/counter")
    assert "张" not in second.shown.text
    assert second.send("/counter/confirmation", "/counter/confirmation", code=code).status_code == 200
    assert "张**" in second.shown.text
    assert "张三丰" not in second.shown.text
    done = second.post("/counter/decision", code=code, decision="CONFIRM")

    assert done.headers["Location"] == "/console/counter?done=confirmed"
    told = read_counter_check(house.ports, account=account)
    assert (told.state, told.verification_state) == ("CONFIRMED", "VERIFIED")
    assert house.world.rows("SELECT attested_by, confirmed_by FROM counter_checks") == [("staff:S1001", "staff:S2001")]
    assert house.world.rows("SELECT purpose, who FROM personal_data_accesses ORDER BY id") == [
        ("counter_look", "staff:S2001"), ("counter_confirm", "staff:S2001"),
    ]  # fmt: skip


def test_whoever_attested_neither_looks_nor_confirms(house, two, somebody):
    (first, _), (account, code) = two, somebody
    attest(first, code)

    for path, more in (("/counter/confirmation", {}), ("/counter/decision", {"decision": "CONFIRM"})):
        answer = first.send("/counter/confirmation", path, code=code, **more)
        assert (answer.status_code, "另一位工作人员" in first.shown.text) == (403, True)
    assert read_counter_check(house.ports, account=account).state == "ATTESTED"


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"code": "AAAAAAAA"}, 404), ({"name": "x"}, 422), ({"id_number": "1"}, 422), ({"site": "NOWHERE"}, 422),
        ({"document": "LIBRARY_CARD"}, 422), ({"document": ""}, 422),
    ],
)  # fmt: skip
def test_a_refusal_keeps_the_code_and_forgets_name_and_number(two, somebody, changes, status):
    given = {"code": somebody[1], **ZHANG, **changes}

    answer = two[0].send("/counter/attestation", "/counter/attestation", **given)

    assert answer.status_code == status
    assert given["code"] in answer.text
    assert "张三丰" not in answer.text
    assert ZHANG["id_number"] not in answer.text


def test_either_may_refuse_with_a_reason_from_the_list(house, two, somebody):
    (first, second), (account, code) = two, somebody
    attest(first, code)
    for why in ("", "RECORD_DIFFERS", "BECAUSE"):
        assert second.send("/counter/confirmation", "/counter/decision", code=code, decision=why).status_code == 422
    done = second.post("/counter/decision", code=code, decision="DOCUMENT_DOUBTFUL")

    assert done.headers["Location"] == "/console/counter?done=refused"
    assert read_counter_check(house.ports, account=account).state == "REFUSED"


def test_another_agencys_counter_is_out_of_reach(house, two, somebody):
    account, code = somebody
    attest(two[0], code)
    for number, where in (("S1002", {"region": "650000"}), ("S1003", {"region": "320400", "agency": "XINBEI"})):
        member(house.ports, number, StaffRole.SUPERVISOR, **where)
        far = Browser.of(house, number)
        far.get("/counter")
        assert "0 项" in far.shown.text
        for path, more in (
            ("confirmation", {}),
            ("decision", {"decision": "CONFIRM"}),
            ("decision", {"decision": "NOT_THE_HOLDER"}),
        ):
            answer = far.send("/counter/confirmation", f"/counter/{path}", code=code, **more)
            assert (answer.status_code, "超出您的管辖范围" in far.shown.text) == (403, True)
        assert attest(far, code).status_code == 422

    assert read_counter_check(house.ports, account=account).state == "ATTESTED"
    assert house.world.scalar("SELECT count(*) FROM personal_data_accesses") == 0
