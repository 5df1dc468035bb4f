"""An administrator's pages: inviting, locking, letting go; a lost phone by two of them."""

from __future__ import annotations

import re

import pytest

from models.staff import StaffRole
from services import staff as service
from tests.console.browser import PASSWORD, Browser, code_at, member

CODE = re.compile(r"[A-Z0-9]{4}(?:-[A-Z0-9]{4}){4}")


def state_of(house, number) -> str:
    return service.read_staff(house.ports, number=number).state


def code_shown(answer) -> str:
    return CODE.search(answer.text)[0]


@pytest.fixture
def another(house, administrator):
    member(house.ports, "S4002", StaffRole.ADMINISTRATOR)
    return Browser.of(house, "S4002")


def invite(administrator, number="S5000", roles="REVIEWER", scope=""):
    done = administrator.send("/staff/new", "/staff", number=number, roles=roles, scope=scope)
    assert (done.status_code, done.headers["Location"]) == (303, "/console/staff?done=proposed")


def test_somebody_is_invited_by_one_and_let_in_by_another(house, administrator, another):
    invite(administrator, "s5000", ["REVIEWER", "SUPERVISOR"], "320400/WUJIN")
    administrator.get("/staff?done=proposed")
    assert "请另一位系统管理员核实后签发开通码" in administrator.shown.text
    assert "还没有签发开通码" in administrator.shown.text
    administrator.get("/staff/S5000")
    assert "须由另一位系统管理员核实后签发" in administrator.shown.text
    assert "核实无误" not in administrator.shown.text
    alone = administrator.post("/staff/S5000/code")
    assert (alone.status_code, "不能是同一人" in administrator.shown.text) == (403, True)
    another.get("/")
    assert "1 项待办" in another.shown.text
    answer = another.send("/staff/S5000", "/staff/S5000/code")
    assert answer.status_code == 200
    newcomer = Browser(house)

    newcomer.send("/enrolment", "/enrolment", number="S5000", code=code_shown(answer))
    finished = newcomer.post(
        "/enrolment/finish", number="S5000", code=code_shown(answer), password=PASSWORD, password_again=PASSWORD,
        totp_code=code_at(house.ports, "S5000"),
    )  # fmt: skip

    assert finished.status_code == 303
    view = service.read_staff(house.ports, number="S5000")
    assert (view.roles, view.region, view.agency, view.created_by) == (
        (StaffRole.REVIEWER, StaffRole.SUPERVISOR), "320400", "WUJIN", "staff:S4001",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("given", "status", "said"),
    [
        ({"number": "S4001"}, 409, "工号已存在"),
        ({"number": "张三"}, 422, "工号有误"),
        ({"roles": []}, 422, "角色不能这样组合"),
        ({"roles": ["REVIEWER", "AUDITOR"]}, 422, "角色不能这样组合"),
        ({"roles": ["<b>"]}, 422, "角色不能这样组合"),
        ({"roles": ["AUDITOR"], "scope": "320400"}, 422, "管辖范围有误"),
        ({"scope": "999999/"}, 422, "管辖范围有误"),
    ],
)
def test_what_cannot_be_is_refused_on_the_form_with_what_was_typed(house, administrator, given, status, said):
    fields = {"number": "S5000", "roles": ["REVIEWER"], "scope": "", **given}

    answer = administrator.send("/staff/new", "/staff", **fields)

    assert (answer.status_code, said in administrator.shown.text) == (status, True)
    typed = next(each["value"] for each in administrator.shown.inputs if each.get("name") == "number")
    assert typed == fields["number"]


def test_the_code_is_shown_once_and_stands_on_no_other_page(house, administrator, another):
    invite(administrator)
    code = code_shown(another.send("/staff/S5000", "/staff/S5000/code"))

    for browser in (administrator, another):
        assert code not in browser.get("/staff").text
        assert code not in browser.get("/staff/S5000").text
    again = code_shown(another.post("/staff/S5000/code"))
    assert again != code


def test_lock_unlock_and_leave(house, administrator):
    member(house.ports, "S5000", StaffRole.REVIEWER)
    browser = Browser.of(house, "S5000")
    for act, state, said in (
        ("lock", "LOCKED", "已锁定"), ("unlock", "ACTIVE", "已解锁"), ("leave", "LEFT", "已办理离岗"),
    ):  # fmt: skip
        done = administrator.send("/staff/S5000", f"/staff/S5000/{act}")
        assert done.status_code == 303
        assert administrator.get(done.headers["Location"].removeprefix("/console")).status_code == 200
        assert (state_of(house, "S5000"), said in administrator.shown.text) == (state, True)
        assert browser.get("/").status_code == 303
    again = administrator.post("/staff/S5000/leave")
    assert (again.status_code, "账号状态已变化" in administrator.shown.text) == (409, True)
    assert administrator.get("/staff?state=LEFT").status_code == 200
    assert "S5000" in administrator.shown.text
    assert "1 人" in administrator.shown.text


def test_a_lost_phone_takes_two_on_the_pages_too(house, administrator, clock):
    for number, role in (("S5000", StaffRole.REVIEWER), ("S4002", StaffRole.ADMINISTRATOR)):
        member(house.ports, number, role)
    other = Browser.of(house, "S4002")

    assert administrator.send("/staff/S5000", "/staff/S5000/reset").status_code == 303
    administrator.get("/staff/S5000")
    assert "确认重置并签发开通码" not in administrator.shown.text
    alone = administrator.post("/staff/S5000/reset/confirmation")
    assert (alone.status_code, "另一位系统管理员" in administrator.shown.text) == (403, True)
    other.get("/")
    assert "1 项待办" in other.shown.text
    confirmed = other.send("/staff/S5000", "/staff/S5000/reset/confirmation")

    assert confirmed.status_code == 200
    assert CODE.search(confirmed.text)
    assert state_of(house, "S5000") == "INVITED"
    refused = other.post("/staff/S5000/reset/refusal")
    assert refused.status_code == 409


def test_nobody_does_it_to_themselves_on_the_pages_either(house, administrator):
    administrator.get("/staff/S4001")
    assert "须由另一位系统管理员" in administrator.shown.text
    for act in ("lock", "unlock", "leave", "code", "reset", "reset/confirmation", "reset/refusal"):
        assert administrator.post(f"/staff/S4001/{act}").status_code == 403, act


def test_a_number_that_is_none_is_not_found_and_not_written_down(house, office, administrator):
    administrator.get("/staff")

    assert administrator.get("/staff/13800138000").status_code == 404
    assert administrator.post("/staff/13800138001/lock").status_code == 404
    assert administrator.post("/staff/13800138002/lock", form_token="x").status_code == 403
    assert office[StaffRole.AUDITOR].get("/staff/13800138003").status_code == 403
    assert house.world.scalar("SELECT count(*) FROM staff_acts WHERE subject LIKE '%138001380%'") == 0


def test_a_local_administrator_sees_and_gives_only_their_own_region(house, office):
    member(house.ports, "S4002", StaffRole.ADMINISTRATOR, region="320400")
    local = Browser.of(house, "S4002")

    local.get("/staff")
    assert "S4001" not in local.shown.text
    local.get("/staff/new")
    given = {attrs.get("value") for tag, attrs in local.shown.tags if tag == "option"}
    assert "320400/WUJIN" in given
    assert {"", "650000", "320000"}.isdisjoint(given)
    beyond = local.post("/staff", number="S5000", roles="REVIEWER", scope="")
    assert beyond.status_code == 403
