"""The phone on the sandbox's page, over real processes: what somebody who pays sees and presses, from authorising to 支付成功."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.browser.phone_in_hand import FATHER, in_hand

if TYPE_CHECKING:
    from tests.browser.phone_in_hand import Hand, Street

pytestmark = pytest.mark.slow

SOMEBODY, DAUGHTER, SHY, PATIENT, TOURIST = range(5)
READ_WITHIN_MS = 90_000
"""The worker looks for lists every minute."""


@pytest.fixture
def hand(street, chromium, pictures_of_pages, request):
    with in_hand(street, chromium, pictures_of_pages, request.node.name.removeprefix("test_")[:24]) as hand:
        yield hand


def books_agree(street: Street) -> bool:
    told = street.books()
    return bool(told["reached"] and told["agreed"])


def test_own_month_on_wechat(hand: Hand, street: Street):
    hand.page.goto("/")
    hand.look("desktop")
    hand.take(SOMEBODY, "jiangsu-tax-wechat")
    hand.button("立即授权").wait_for()
    hand.look("authorise")
    hand.press("立即授权")
    hand.button("去办理").wait_for()
    hand.look("home-before")
    hand.prove()
    hand.phone.get_by_role("heading", name="已通过人脸核验").wait_for()
    hand.look("proven")
    hand.press("返回首页")
    hand.open("PAY")
    box = hand.phone.locator("[data-bill]")
    box.wait_for()
    assert hand.button("一键缴费").is_disabled()
    box.check()
    hand.look("bills")
    hand.press("一键缴费")
    payment_no = hand.pay()

    with hand.page.expect_download() as receipt:
        hand.press("下载缴费回单")
    assert receipt.value.path().read_bytes().startswith(b"%PDF-")
    assert street.order(payment_no, "wechat_pay")["state"] == "PAID"
    hand.page.reload()
    hand.phone.locator("[data-order-state=PAID]").wait_for()
    hand.press("返回首页")
    hand.press("消息")
    hand.phone.get_by_role("heading", name="社保费支付成功").wait_for()
    hand.look("messages")
    hand.page.wait_for_function("() => document.querySelector('.verdict.good')")
    assert books_agree(street)


def test_the_fathers_months_on_alipay_with_the_notice_doubled_and_late(hand: Hand, street: Street):
    hand.take(DAUGHTER, "jiangsu-tax-alipay")
    hand.press("同意")
    hand.phone.get_by_text("已实名", exact=True).wait_for()
    hand.look("home")
    hand.open("PAY_FOR_OTHERS")
    hand.agree()
    hand.press("演示：填入父亲的资料")
    hand.look("father")
    hand.press("确认")
    boxes = hand.phone.locator("[data-bill]")
    boxes.first.wait_for()
    for box in boxes.all():
        box.check()
    assert boxes.count() == 2, "pension and medical"
    hand.break_next("通知迟到20秒", "通知来两遍")
    hand.look("bills")
    hand.press("去支付")
    payment_no = hand.pay()
    assert hand.row("参保人").endswith(FATHER["id_number"][-4:])
    before = street.order(payment_no, "alipay")["notices"]
    assert before["sent"] == 0, "paid, because we asked"

    street.hasten(30)

    after = street.order(payment_no, "alipay")
    assert (after["notices"]["sent"], after["notices"]["acked"], after["state"]) == (2, 2, "PAID")
    street.stack.wait_for("settle")
    hand.settle()
    assert hand.phone.get_by_role("heading", name="支付成功，等待税务入库").is_visible()
    hand.page.wait_for_function("() => document.querySelector('.verdict.good')")
    assert books_agree(street)


def test_a_lost_notice_is_healed(hand: Hand, street: Street):
    hand.take(PATIENT, "jiangsu-tax-alipay")
    hand.press("同意")
    hand.open("PAY_BY_ID_NUMBER")
    hand.phone.locator("[data-bill]").check()
    hand.break_next("通知丢失")
    hand.press("去支付")
    payment_no = hand.pay()

    told = street.order(payment_no, "alipay")
    assert (told["state"], told["notices"]["sent"], told["notices"]["pending"]) == ("PAID", 0, 0)
    hand.page.wait_for_function("() => document.querySelector('.verdict.good')")
    assert books_agree(street)
    assert not hand.page.get_by_label("通知丢失").is_checked(), "a wish holds for one payment"


def test_a_face_is_declined_and_the_bank_card_taken_instead(hand: Hand, street: Street):
    hand.take(SHY, "jiangsu-tax-wechat")
    hand.press("立即授权")
    hand.button("我的").click()
    hand.phone.get_by_role("switch").check()
    hand.page.locator("#phone[data-elder=true]").wait_for()
    hand.look("elder-mine")
    hand.press("首页")
    hand.look("elder-home")
    hand.prove("declined")
    hand.phone.get_by_role("heading", name="您选择了不刷脸").wait_for()
    hand.look("declined")
    hand.press("用银行卡核验")
    hand.agree()
    hand.press("演示：填入机主的资料")
    hand.look("card")
    hand.press("确认")
    hand.phone.get_by_role("heading", name="已通过银行卡核验").wait_for()
    hand.look("proven")
    hand.press("返回首页")
    hand.open("SUSPENSION")
    hand.phone.get_by_role("heading", name="手机上不能办理").wait_for()
    hand.look("elsewhere")
    hand.press("返回")
    hand.open("PAY")
    hand.phone.locator("[data-bill]").check()
    hand.look("bills")
    hand.press("一键缴费")
    hand.pay()
    assert books_agree(street)


def test_whoever_does_not_authorise_may_look_around_and_come_back(hand: Hand):
    hand.take(PATIENT, "xinjiang-tax-wechat")
    hand.press("暂不授权")
    hand.phone.get_by_role("heading", name="新疆维吾尔自治区 · 每月缴费标准").wait_for()
    hand.look("browse")
    hand.press("立即授权")
    hand.press("立即授权")
    hand.button("去办理").wait_for()


@pytest.mark.full
def test_every_other_page_in_both_languages_and_for_elders(hand: Hand):
    """The app by SMS, what refuses, what explains, whom one pays for, and the page in English."""
    hand.take(TOURIST, "changzhou-hrss-app")
    hand.button("获取验证码").wait_for()
    hand.press("演示：填入机主的资料")
    hand.press("获取验证码")
    code = hand.page.locator(".sms-code").first
    code.wait_for()
    hand.look("app-sms")
    hand.phone.get_by_label("短信验证码").fill(str(code.text_content()))
    hand.press("登录")
    hand.phone.get_by_role("heading", name="该手机号尚未注册").wait_for()
    hand.phone.locator(".problem summary").click()
    assert hand.phone.get_by_text("REGISTER_FIRST").is_visible()
    hand.look("app-refusal")
    hand.press("用户注册")
    hand.button("去办理").wait_for()
    hand.look("app-home")
    hand.open("EMPLOYMENT_CLOUD")
    hand.look("app-submenu")
    hand.press("关闭程序，回到手机桌面")

    hand.phone.locator("[data-program=jiangsu-tax-wechat]").click()
    hand.press("立即授权")
    hand.button("去办理").wait_for()
    hand.prove("failed")
    hand.phone.get_by_role("heading", name="没有核验成功").wait_for()
    hand.look("face-failed")
    hand.press("获取窗口核验码")
    hand.phone.get_by_text("等待窗口录入").wait_for()
    hand.look("counter-code")
    hand.press("收回这个核验码")
    hand.button("再试一次刷脸").wait_for()
    hand.press("再试一次刷脸")
    hand.press("继续")
    hand.phone.locator("[data-outcome=passed]").click()
    hand.press("返回首页")
    hand.open("SWITCH_PERSON")
    hand.agree()
    hand.button("添加他人身份信息").wait_for()
    hand.look("people")
    hand.press("添加他人身份信息")
    hand.phone.get_by_label("姓名").fill("李四")
    hand.phone.get_by_label("身份证号码").fill(FATHER["id_number"])
    hand.press("确认")
    hand.phone.get_by_role("heading", name="未能核对参保人信息").wait_for()
    hand.look("no-match")
    hand.page.get_by_role("button", name="English").click()
    for tab in ("Home", "Messages", "Me"):
        if tab == "Home":
            hand.press("Back")
            hand.press("Back")
        hand.button(tab).click()
        hand.look(f"english-{tab.lower()}")
    for row in ("Payments", "Whom I pay for", "My consents"):
        hand.button("Me").click()
        hand.settle()
        hand.press(row)
        hand.look(f"english-{row.split()[-1].lower()}")
        hand.press("Back")
    hand.phone.get_by_role("switch").check()
    hand.page.locator("#phone[data-elder=true]").wait_for()
    for row in ("Payments", "My consents"):
        hand.press(row)
        hand.look(f"elder-{row.split()[-1].lower()}")
        hand.press("Back")
        hand.settle()


@pytest.mark.full
def test_the_tax_list_makes_it_paid_for_good_and_the_registrars_posts_it(hand: Hand):
    hand.take(TOURIST, "jiangsu-tax-alipay")
    hand.press("同意")
    hand.open("PAY_BY_ID_NUMBER")
    hand.phone.locator("[data-bill]").check()
    hand.press("去支付")
    hand.pay()

    hand.page.get_by_role("button", name="税务局发来今天的清单").click()
    hand.phone.get_by_role("heading", name="缴费成功", exact=True).wait_for(timeout=READ_WITHIN_MS)
    hand.look("confirmed")
    hand.page.get_by_role("button", name="人社局发来今天的清单").click()
    hand.phone.get_by_text("已记账").first.wait_for(timeout=READ_WITHIN_MS)
    hand.look("posted")
