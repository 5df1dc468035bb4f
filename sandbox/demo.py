"""`make demo`: one story from the registrar's feed to proven books, told step by step; exits non-zero if anything disagrees."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import requests

from sandbox.demo_people import BEIJING, DAUGHTER, EVERYBODY, FATHER, WORKER, canbao, introduce, months_to_bill, write_feed
from sandbox.phone import Phone, PhoneRefusedError
from sandbox.remote import Sandbox

if TYPE_CHECKING:
    from collections.abc import Callable

LOST_IS_HEALED_WITHIN_SECONDS = 40
CHANNELS = {"wechat": "wechat_pay", "alipay": "alipay"}


class Disagreement(Exception):
    """What should be true is not."""


class Story:
    """Tells what happens, and keeps count of what does not agree."""

    def __init__(self, canbao_url: str, sandbox: Sandbox) -> None:
        self.canbao_url = canbao_url
        self.sandbox = sandbox
        self._steps = 0

    def step(self, text: str) -> None:
        self._steps += 1
        print(f"\n{self._steps:2}. {text}", flush=True)

    def say(self, text: str) -> None:
        print(f"    {text}", flush=True)

    def agree(self, what: str, ours: Any, theirs: Any) -> None:
        """Print both, and stop the story when they differ."""
        same = ours == theirs
        print(f"    {'✓' if same else '✗'} {what}: {ours}{'' if same else f'  ≠  {theirs}'}", flush=True)
        if not same:
            raise Disagreement(what)

    def command(self, *words: str, expect: int = 0) -> None:
        done = canbao(*words)
        for line in (done.stdout + done.stderr).rstrip().splitlines():
            self.say(f"| {line}")
        self.agree(f"canbao {words[0]} ends with", done.returncode, expect)

    def journal(self) -> dict[str, int]:
        """Balances by account, fen."""
        told = requests.get(f"{self.canbao_url}/sandbox/journal", timeout=10).json()
        return {row["account"]: row["balance_fen"] for row in told["accounts"]}

    def wait(self, what: str, true: Callable[[], bool], *, seconds: float = LOST_IS_HEALED_WITHIN_SECONDS) -> float:
        started = time.monotonic()
        while not true():
            if time.monotonic() - started > seconds:
                raise Disagreement(f"{what} within {seconds} s")
            time.sleep(0.2)
        return time.monotonic() - started


def yuan(fen: int) -> str:
    return f"{fen // 100}.{fen % 100:02d} 元"


def tell(story: Story) -> None:
    numbers = {person["label"]: number for number, person in enumerate(introduce(story.sandbox))}
    months = months_to_bill(datetime.now(BEIJING))
    story.step("登记机关的参保数据进来（GB18030，有一行是坏的：报告行号和原因，其余照收）")
    with tempfile.TemporaryDirectory() as folder:
        feed = Path(folder) / "enrollments.csv"
        write_feed(feed, EVERYBODY, bad_rows=["320402199001010018,坏行,110,320402,1,202601,,,3"])
        story.command("import", "enrollments", str(feed), expect=1)
        write_feed(feed, EVERYBODY)
        story.say("同一文件再来一次，什么也不变：")
        story.command("import", "enrollments", str(feed))
    story.step(f"按规则核定 {'、'.join(months)} 的应缴")
    for month in months:
        story.command("assess", "--month", month)

    story.step("女儿在微信登录、同意告知书、实名认证、人脸核验")
    daughter = take_phone(story, numbers[DAUGHTER.label], "xinjiang-tax-wechat", "wx6500000000000001")
    daughter.sign_in()
    daughter.consent_to()
    story.say(f"实名：{daughter.prove_name(DAUGHTER.name, DAUGHTER.id_number, DAUGHTER.phone)['state']}")
    story.agree("核验之前没有可用的按钮", daughter.me()["capabilities"], [])
    story.agree("已通过人脸核验", daughter.prove_face()["verification_state"], "VERIFIED")
    story.say(f"生效的功能：{'、'.join(daughter.me()['capabilities'])}")

    story.step("女儿添加父亲；姓名写错时，答复不透露任何信息")
    try:
        daughter.add_person("李逵", FATHER.id_number)
        raise Disagreement("a wrong name was taken")
    except PhoneRefusedError as refusal:
        story.agree("答复", refusal.code, "PERSON_NOT_MATCHED")
    father = daughter.add_person(FATHER.name, FATHER.id_number, relation="父亲")
    story.say(f"父亲：{father['name']} {father['id_number']}")
    bills = sorted((bill for bill in daughter.bills(father["id"]) if bill["payable"]), key=lambda bill: bill["coverage_month"])
    story.agree("父亲可缴的月份", [bill["coverage_month"] for bill in bills], months)

    paid: list[tuple[Phone, str]] = []
    story.step("女儿一次缴父亲前面的月份：通知来了两遍")
    paid.append(pay(story, daughter, father["id"], bills[:-1] or bills, fault=("duplicate", 1)))
    if len(bills) > 1:
        story.step("再缴父亲当月：通知迟到，页面一问就知道")
        paid.append(pay(story, daughter, father["id"], bills[-1:], fault=("late", 3)))

    story.step("职工在支付宝登录：支付宝带来实名，直接生效")
    worker = take_phone(story, numbers[WORKER.label], "jiangsu-tax-alipay", "2021003204000001")
    story.agree("已核验", worker.sign_in()["account"]["verified"], True)
    me = next(person for person in worker.people() if person["is_self"])
    own = [bill for bill in worker.bills(me["id"]) if bill["payable"]]
    story.agree("手机上只能缴当月", [bill["coverage_month"] for bill in own], months[-1:])
    earlier = [bill for bill in worker.bills(me["id"]) if not bill["payable"]]
    if earlier:
        story.say(
            f"往月：{earlier[0]['not_payable_reason']} 窗口：{earlier[0]['counter']['name']}，电话 {earlier[0]['counter']['hotline']}"
        )
    story.step("职工缴本人当月：通知丢了，没有人看，定时询问把它找回来")
    paid.append(pay(story, worker, me["id"], own, fault=("lost", None), look=False))

    prove(story, paid)


def take_phone(story: Story, number: int, miniprogram: str, app_id: str) -> Phone:
    """This demo person's phone, with this mini-program open."""
    user = story.sandbox.open_app(number, app_id)
    wishes = {name: user[name] for name in ("app_id", "platform", "user_id")}
    return Phone(story.canbao_url, story.sandbox, miniprogram=miniprogram, **wishes)


def pay(
    story: Story, phone: Phone, person_id: str, bills: list[dict[str, Any]], *, fault: tuple[str, Any], look: bool = True
) -> tuple[Phone, str]:
    """Order these bills, arrange the fault, pay at the cashier, and see the order paid."""
    before = sum(fen for account, fen in story.journal().items() if account.startswith("contributions:"))
    order = phone.order(person_id, [bill["id"] for bill in bills])
    story.say(
        f"订单 {order['order_no']}：{'、'.join(line['coverage_month'] for line in order['lines'])}，{yuan(order['total_fen'])}，{order['state_text']}"
    )
    story.sandbox.misbehave(order["payment_no"], fault[0], fault[1])
    story.say(f"收银台：{phone.pay(order)}")
    if look:
        seen = phone.wait_until(order["order_no"], "PAID")
    else:
        took = story.wait(
            "a lost notice is healed",
            lambda: (
                sum(fen for account, fen in story.journal().items() if account.startswith("contributions:"))
                == before + order["total_fen"]
            ),
        )
        story.say(f"{took:.1f} 秒后，询问得知已支付")
        seen = phone.see_order(order["order_no"])
    story.agree("订单", seen["state_text"], "支付成功，等待税务入库")
    return phone, order["order_no"]


def prove(story: Story, paid: list[tuple[Phone, str]]) -> None:
    story.step("等所有通知都送到，再对账")
    if not story.sandbox.wait_until_delivered(timeout_seconds=60):
        raise Disagreement("the sandbox's notices were all delivered")
    orders = [phone.see_order(order_no) for phone, order_no in paid]
    lines = [line for order in orders for line in order["lines"]]
    story.agree("每个月都写上了", {line["state"] for line in lines}, {"PAID"})
    total = sum(order["total_fen"] for order in orders)
    expected = {f"clearing:{merchant}": fen for merchant, fen in story.sandbox.money().items() if fen}
    story.wait("the books are quiet", lambda: _clearing(story) == expected, seconds=10)
    for account, fen in sorted(_clearing(story).items()):
        story.agree(f"{account} 等于支付平台的钱", yuan(fen), yuan(expected[account]))
    contributions = sum(fen for account, fen in story.journal().items() if account.startswith("contributions:"))
    story.agree("应上缴的社保费等于三笔订单", yuan(contributions), yuan(total))
    others = {
        account: fen for account, fen in story.journal().items() if account.split(":")[0] in {"surplus", "unknown"} and fen
    }
    story.agree("没有说不清的钱", others, {})
    story.step("其中一笔钱的来龙去脉")
    story.command("explain", orders[0]["payment_no"])


def _clearing(story: Story) -> dict[str, int]:
    return {account: fen for account, fen in story.journal().items() if account.startswith("clearing:") and fen}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m sandbox.demo", description=__doc__)
    parser.add_argument("--canbao-url", required=True)
    parser.add_argument("--sandbox-url", required=True)
    arguments = parser.parse_args()
    story = Story(arguments.canbao_url, Sandbox(arguments.sandbox_url))
    try:
        tell(story)
    except (Disagreement, PhoneRefusedError, TimeoutError) as fault:
        print(f"\n✗ {type(fault).__name__}: {fault}", file=sys.stderr)
        return 1
    print("\n✓ 账实相符：每一分钱都在它该在的地方。")
    return 0


if __name__ == "__main__":
    sys.exit(main())
