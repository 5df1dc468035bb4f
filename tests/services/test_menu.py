"""The menu: the sources' own words in their own order, alive where this account may act, and never a dead button."""

from __future__ import annotations

from dataclasses import replace

import pytest

from config.rulebook import Capability, CapabilityRule, MenuEntry, Rulebook
from providers.protocols import FaceVerdict
from services.capabilities import NOT_BUILT_YET
from services.consent_withdrawals import withdraw_consent
from services.errors import NotFound, RegionMismatch
from services.face_checks import finish_face_check, start_face_check
from services.menu import read_menu
from services.real_names import prove_name
from services.sign_in import capabilities_of, prefer
from tests.factories import ALIPAY, WECHAT, XINJIANG

APP, HRSS = "changzhou-hrss-app", "xinjiang-hrss-wechat"
PROGRAMS = (APP, WECHAT, ALIPAY, XINJIANG, HRSS)


def menu(ports, account, region=None):
    return read_menu(ports, account=account, region_code=region)


def outline(entries, depth=0) -> list[str]:
    return [line for entry in entries for line in ("  " * depth + entry.title, *outline(entry.children, depth + 1))]


def flat(entries) -> dict[str, object]:
    return {entry.code: entry for top in entries for entry in (top, *flat(top.children).values())}


def entries_of(ports, account) -> dict:
    return flat(menu(ports, account).entries)


def states(ports, account) -> dict[str, object]:
    return {code: entry.why_not and str(entry.why_not) for code, entry in entries_of(ports, account).items()}


# As the sources draw it.


@pytest.mark.parametrize(
    ("miniprogram", "lines"),
    [
        (APP, ["就业云服务", "  代理及档案服务", "    灵活就业参保", "    打印《常州市劳动事务代理申请登记表》", "实名认证", "缴费",
               "银行卡签约缴费", "灵活就业续保", "灵活就业停保", "社保补缴"]),
        (WECHAT, ["实名认证", "缴费", "切换缴费人", "  添加他人身份信息", "代人缴费", "银行卡签约缴费", "灵活就业停保", "社保补缴"]),
        (ALIPAY, ["身份证号码", "为他人缴费", "银行卡签约缴费", "灵活就业停保", "社保补缴"]),
        (HRSS, ["我要办", "  社会保险", "    灵活就业养老新参保", "    灵活就业养老续保", "    灵活就业养老停保",
                "  灵活就业人员（城乡居民）参保缴费联合办", "我要查", "  办件状态", "    进度查看", "缴费", "实名认证", "往年补缴"]),
        (XINJIANG, ["个人委托扣款缴费协议", "  新增协议", "缴费", "切换缴费人", "  添加他人身份信息", "代人缴费", "实名认证", "往年补缴"]),
    ],
)  # fmt: skip
def test_each_mini_programs_menu_is_its_sources(world, ports, miniprogram, lines):
    assert outline(menu(ports, world.account(miniprogram=miniprogram)).entries) == lines


@pytest.mark.parametrize("miniprogram", PROGRAMS)
@pytest.mark.parametrize("verified", [True, False])
@pytest.mark.parametrize("elder", [True, False])
def test_nothing_is_ever_a_dead_button(world, ports, miniprogram, verified, elder):
    account = prefer(ports, account=world.account(miniprogram=miniprogram, verified=verified), elder_mode=elder)

    for entry in entries_of(ports, account).values():
        if entry.available:
            assert (entry.why_not, entry.explanation, entry.counter) == (None, None, None)
            continue
        assert len(entry.explanation) > 10, entry.code
        assert entry.hotline.number, entry.code
        if str(entry.why_not) in ("NOT_AVAILABLE_ONLINE", "COMING_SOON"):
            assert entry.counter is not None or entry.counter_kind == "BANK_BRANCH", entry.code


def test_every_business_of_the_region_has_its_place_in_some_menu(world, ports):
    for code in ("320400", "650000"):
        here = {row.capability for row in ports.rulebook.region(code).menu(ports.today())}

        rules = {rule.capability for rule in ports.rulebook.region(code).own(CapabilityRule)}
        # What a region does not know at all (no bundle in Changzhou, no form in Xinjiang) has no name in its source either.
        assert rules - here <= {Capability.JOINT_CASE, Capability.PRINT_REGISTRATION_FORM}


# Who looks.


def test_a_verified_payer_pays_and_the_rest_says_why_not(world, ports):
    told = states(ports, world.account())

    assert told == {
        "PROVE_IDENTITY": "DONE_ALREADY",
        "PAY": None,
        "SWITCH_PERSON": None,
        "ADD_PERSON": None,
        "PAY_FOR_SWITCHED": None,
        "WITHHOLDING": "NOT_AVAILABLE_ONLINE",
        "SUSPENSION": "NOT_AVAILABLE_ONLINE",
        "BACK_PAYMENT": "NOT_AVAILABLE_ONLINE",
    }


def test_whoever_is_not_verified_may_look_and_nothing_else_is_alive(world, ports):
    account = world.account(verified=False)

    told = entries_of(ports, account)

    assert [code for code, entry in told.items() if entry.available] == ["PROVE_IDENTITY"]
    assert str(told["PAY"].why_not) == "PROVE_IDENTITY_FIRST"
    assert "下一步：阅读并同意" in told["PAY"].explanation
    # What the region does not offer stays so: proving who one is would open nothing.
    assert str(told["SUSPENSION"].why_not) == "NOT_AVAILABLE_ONLINE"


def test_the_way_on_is_told_step_by_step(world, ports):
    account = world.account(verified=False)

    def step():
        told = menu(ports, account).next_step
        return told and (str(told.step), told.purpose, told.without_face is not None)

    assert step() == ("CONSENT", "REAL_NAME", False)
    world.agree(account, "REAL_NAME")
    assert step() == ("REAL_NAME", None, False)
    prove_name(ports, account=account, name="张三丰", id_number="320402199001010017", phone=None)
    assert step() == ("CONSENT", "FACE", True)
    world.agree(account, "FACE")
    assert step() == ("FACE", None, True)
    check = start_face_check(ports, account=account, idempotency_key="a-first-press")
    assert step() == ("FACE", None, True)
    check_no = world.scalar("SELECT check_no FROM face_checks WHERE id = :id", id=check.id)
    ports.faces[WECHAT].went(check_no, FaceVerdict.DECLINED)
    finish_face_check(ports, account=account, check_id=check.id)
    assert step() == ("FACE", None, True)
    assert "12333" in menu(ports, account).next_step.without_face
    assert "窗口" in menu(ports, account).next_step.without_face


def test_where_no_platform_checks_faces_the_other_ways_are_the_next_step(world, ports):
    account = world.account(verified=False)
    world.agree(account, "REAL_NAME", "FACE")
    prove_name(ports, account=account, name="张三丰", id_number="320402199001010017", phone=None)
    faceless = replace(ports, faces={})

    assert str(menu(faceless, account).next_step.step) == "WITHOUT_FACE"


def test_who_took_the_name_back_may_only_look_again(world, ports):
    account = world.account()
    (consent,) = world.agree(account, "REAL_NAME")
    assert menu(ports, account).verified
    withdraw_consent(ports, account=account, consent_id=consent.id)

    told = menu(ports, account)

    assert (told.verified, str(told.next_step.step), told.next_step.purpose) == (False, "CONSENT", "REAL_NAME")
    assert str(flat(told.entries)["PAY"].why_not) == "PROVE_IDENTITY_FIRST"

    world.agree(account, "REAL_NAME")
    assert menu(ports, account).verified


def test_paying_for_others_asks_for_its_consent_first_and_only_once(world, ports):
    account = world.account()
    assert entries_of(ports, account)["PAY_FOR_SWITCHED"].consent == "PROXY_PAYMENT"
    assert entries_of(ports, account)["PAY"].consent is None

    world.agree(account, "PROXY_PAYMENT")

    assert entries_of(ports, account)["PAY_FOR_SWITCHED"].consent is None


# What is not here is somewhere.


def test_suspension_in_changzhou_names_the_window_of_the_persons_own_agency(world, ports):
    person = world.person()
    world.enrollment(person, agency="WUJIN")

    own = entries_of(ports, world.account(person))["SUSPENSION"]
    anybodys = entries_of(ports, world.account(verified=False))["SUSPENSION"]

    assert (own.counter_kind, own.counter.code) == ("ENTRUSTED_AGENCY", "WUJIN")
    assert (anybodys.counter_kind, anybodys.counter.code) == ("ENTRUSTED_AGENCY", "CHANGZHOU")
    assert "停保暂不能在手机上办理" in own.explanation
    assert own.hotline.number == "12333"


def test_questions_about_paying_go_to_the_line_for_paying(world, ports):
    told = entries_of(ports, world.account(verified=False))

    assert (told["PAY"].hotline.number, told["WITHHOLDING"].hotline.number) == ("96888732", "96888732")
    assert told["WITHHOLDING"].counter_kind == "BANK_BRANCH"


def test_the_app_sends_payers_to_the_mini_program_by_the_name_they_search_for(world, ports):
    told = entries_of(ports, world.account(miniprogram=APP))["PAY"]

    assert str(told.why_not) == "OTHER_MINIPROGRAM"
    assert told.explanation == "此小程序不办理缴费。请在微信或支付宝搜索“江苏税务社保缴纳”办理缴费。"
    assert "新疆税务社保缴费" in entries_of(ports, world.account(miniprogram=HRSS))["PAY"].explanation


def test_what_the_region_offers_and_this_release_does_not_is_said_to_come(world, ports, monkeypatch):
    monkeypatch.setattr("services.capabilities.NOT_BUILT_YET", NOT_BUILT_YET | {Capability.WITHHOLDING_SIGN_ONLINE})
    told = entries_of(ports, world.account(miniprogram=XINJIANG))["WITHHOLDING"]

    assert str(told.why_not) == "COMING_SOON"
    assert "即将开放" in told.explanation
    assert told.counter.name in told.explanation


def test_applying_and_looking_up_are_alive_for_whoever_is_verified_and_ask_for_their_consent_first(world, ports):
    account = world.account(miniprogram=HRSS)
    told = entries_of(ports, account)

    for code in ("ENROLLMENT", "RESUMPTION", "SUSPENSION", "JOINT_CASE", "CASE_STATUS", "CASE_PROGRESS"):
        assert told[code].available, code
    assert told["ENROLLMENT"].consent == "ENROLLMENT"
    world.agree(account, "ENROLLMENT")
    assert entries_of(ports, account)["ENROLLMENT"].consent is None
    assert entries_of(ports, world.account(miniprogram=APP))["ENROLLMENT"].available


def test_the_agreement_is_signed_at_the_collectors_and_asks_for_its_own_text_first(world, ports):
    account = world.account(miniprogram=XINJIANG)
    told = entries_of(ports, account)

    assert [told[code].available for code in ("WITHHOLDING", "NEW_AGREEMENT")] == [True, True]
    assert told["NEW_AGREEMENT"].consent == "WITHHOLDING"
    world.agree(account, "WITHHOLDING")
    assert entries_of(ports, account)["NEW_AGREEMENT"].consent is None
    assert "WITHHOLDING_SIGN_ONLINE" not in capabilities_of(ports, world.account(miniprogram=HRSS))
    assert states(ports, world.account(miniprogram=XINJIANG, verified=False))["WITHHOLDING"] == "PROVE_IDENTITY_FIRST"
    assert "WITHHOLDING_SIGN_ONLINE" in capabilities_of(ports, world.account(miniprogram=XINJIANG))


@pytest.mark.parametrize("miniprogram", PROGRAMS)
@pytest.mark.parametrize("verified", [True, False])
def test_the_buttons_told_at_sign_in_are_those_that_are_alive_in_the_menu(world, ports, miniprogram, verified):
    account = world.account(miniprogram=miniprogram, verified=verified)

    alive = {entry.capability for entry in entries_of(ports, account).values() if entry.available and entry.capability}

    assert capabilities_of(ports, account) == sorted(alive)


def test_what_the_region_closes_is_closed_in_the_menu_at_once(world, ports):
    def closed(region):
        rules = tuple(
            rule.model_copy(update={"available": False, "explanation": "系统维护，请到窗口办理。"})
            if rule.capability == "PAY_OWN"
            else rule
            for rule in region.own(CapabilityRule)
        )
        return replace(region, rows={**region.rows, CapabilityRule: rules})

    account = world.account()
    other = replace(ports, rulebook=Rulebook({code: closed(each) for code, each in ports.rulebook.regions.items()}))

    told = entries_of(other, account)["PAY"]

    assert (str(told.why_not), told.explanation) == ("NOT_AVAILABLE_ONLINE", "系统维护，请到窗口办理。")
    assert told.counter is not None


# Regions and elders.


def test_the_region_is_the_mini_programs_and_another_is_named(world, ports):
    account = world.account()

    assert menu(ports, account).region == menu(ports, account, "320400").region == "320400"
    with pytest.raises(RegionMismatch) as refusal:
        menu(ports, account, "650000")
    assert "常州市" in refusal.value.said
    for unknown in ("320000", "999999"):
        with pytest.raises(NotFound):
            menu(ports, account, unknown)


def test_who_is_insured_elsewhere_is_told_where(world, ports):
    person = world.person()
    world.enrollment(person, region="650000")

    assert "新疆维吾尔自治区" in menu(ports, world.account(person)).hint
    world.enrollment(person)
    assert menu(ports, world.account(person)).hint is None
    assert menu(ports, world.account(verified=False)).hint is None


def test_elders_see_what_they_come_for_first_and_in_fewer_words(world, ports):
    account = world.account(miniprogram=XINJIANG)

    plain, elder = (
        [entry.title for entry in menu(ports, prefer(ports, account=account, elder_mode=mode)).entries]
        for mode in (False, True)
    )

    assert elder == ["自动扣费", "交社保", "帮家人交", "切换缴费人", "实名认证", "往年补缴"]
    assert sum(map(len, elder)) < sum(map(len, plain))
    hrss = prefer(ports, account=world.account(miniprogram=HRSS), elder_mode=True)
    assert outline(menu(ports, hrss).entries)[:3] == ["我要办", "  社会保险", "    参加养老"]


def test_a_region_without_a_menu_of_its_own_has_the_plain_one(world, ports):
    region = ports.rulebook.region("320400")
    bare = replace(region, rows={shape: rows for shape, rows in region.rows.items() if shape is not MenuEntry})
    other = replace(ports, rulebook=Rulebook({**ports.rulebook.regions, "320400": bare}))

    told = menu(other, world.account())

    assert outline(told.entries)[:4] == ["实名认证", "缴费", "切换缴费人", "代人缴费"]
    assert flat(told.entries)["PAY"].available
