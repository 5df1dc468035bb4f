"""Home, which the one on duty reads at a glance: what waits for them, today's money, and whether all that runs by itself does; and one's own account."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from flask import make_response, request

from console import charts
from console import money_words as told
from console.money import my_accounts
from console.pages import (
    ACCOUNTANTS,
    ADMINISTRATORS,
    EVERYBODY,
    REVIEWERS,
    field,
    go,
    me,
    navigation_of,
    origin,
    page,
    ports,
    set_cookie,
    show,
    show_again,
)
from console.reviews import as_reviewer
from providers.bills import is_made_up
from services import parked_notices, reconciliation_views, review_queue, staff_sessions
from services.duty_money import PARTS, money_today
from services.duty_providers import accounts_health, services_health
from services.duty_sweeps import sweeps_now
from services.staff import EVERYWHERE
from services.staff_errors import StaffPasswordWeak, StaffSignInRefused
from services.staff_passwords import check_twice

if TYPE_CHECKING:
    from services.duty_money import Today

PART_WORDS: Final = {
    "settled": "已入账",
    "waiting": "待支付",
    "surplus": "多余款项",
    "unclaimed": "无主款项",
    "back": "已退回",
}
SERVICES: Final = {
    "sms": "短信",
    "bank_card": "银行卡核验",
    "wechat_face": "微信人脸核验",
    "alipay_face": "支付宝人脸核验",
    "aliyun_face": "阿里云人脸核验",
    "agreement": "银行核实扣款协议",
}


@page("/", roles=EVERYBODY)
def home() -> str:
    tiles = [(entry, entry.waiting(ports(), me()) if entry.waiting else None) for entry in navigation_of(me().roles)]
    return show("home.html", tiles=tiles, told=told, now=ports().now(), **_money(), **_reviews(), **_machinery())


def _money() -> dict[str, Any]:
    """For those who answer for it, of the merchant accounts that they may see."""
    if ACCOUNTANTS.isdisjoint(me().roles):
        return {"today": None}
    accounts, yesterday = my_accounts(), ports().today() - timedelta(days=1)
    today = money_today(ports(), accounts=accounts)
    return {
        "today": today,
        "bars": _bars(today),
        "hours": charts.columns(today.by_hour, kind="settled"),
        "part_words": PART_WORDS,
        "parked": parked_notices.stand_of_parked(ports(), accounts=accounts),
        "yesterday": yesterday,
        "days": reconciliation_views.read_accounts_day(ports(), day=yesterday, accounts=accounts),
        "is_bill_time": is_made_up(yesterday, now=ports().now()),
    }


def _bars(today: Today) -> list[tuple[str, list[charts.Block]]]:
    """One for each merchant account; all of one scale, so that they can be compared."""
    whole = max((sum(each.parts[part].fen for part in PARTS) for each in today.accounts), default=0)
    return [
        (each.account, charts.bar([(part, each.parts[part].fen) for part in PARTS], whole=whole)) for each in today.accounts
    ]


def _reviews() -> dict[str, Any]:
    if REVIEWERS.isdisjoint(me().roles):
        return {"queue": None}
    queue = review_queue.stand_of_queue(ports(), reviewer=as_reviewer(me()))
    shares = [("overdue", queue.overdue), ("today", queue.due_today), ("later", queue.later)]
    return {"queue": queue, "queue_bar": charts.bar(shares, whole=queue.count)}


def _machinery() -> dict[str, Any]:
    """What runs by itself is nobody's affairs: also for administrators. Merchant accounts are shown to those who may see their money."""
    if (ACCOUNTANTS | ADMINISTRATORS).isdisjoint(me().roles):
        return {"sweeps": None}
    sees_money = not ACCOUNTANTS.isdisjoint(me().roles)
    return {
        "sweeps": sweeps_now(ports()),
        "accounts_health": accounts_health(ports(), accounts=my_accounts()) if sees_money else [],
        # Their counts are of all regions together.
        "services_health": services_health(ports()) if me().scope == EVERYWHERE else [],
        "service_name": _service_name,
    }


def _service_name(name: str) -> str:
    kind, _, way = name.partition(":")
    return f"银行扣款 {way}" if kind == "debit" else SERVICES.get(kind, kind)


@page("/account", roles=EVERYBODY, nav="我的账号")
def account() -> str:
    return show("account.html", changed="changed" in request.args)


@page("/account/password", roles=EVERYBODY, methods=("POST",))
def change_password() -> Any:
    try:
        check_twice(field("new_password"), field("new_password_again"))
        done = staff_sessions.change_password(
            ports(),
            staff=me(),
            password=field("password"),
            new_password=field("new_password"),
            totp_code=field("totp_code"),
            origin=origin(),
        )
    except (StaffPasswordWeak, StaffSignInRefused) as fault:
        return show_again("account.html", fault, changed=False)
    response = make_response(go("account", changed="1"))
    set_cookie(response, "staff", done.token)
    return response
