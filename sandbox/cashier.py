"""The payer's side: what wx.requestPayment and my.tradePay would do when the mini-program calls them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sandbox import faults, orders, payments, users
from sandbox.keys import verifies
from sandbox.payments import Refusal

if TYPE_CHECKING:
    from sandbox.core import Core
    from sandbox.orders import Order

PREPAY_LASTS_SECONDS = 7200
Told = dict[str, Any]


def wechat(core: Core, asked: Told) -> Told:
    """Check the launch parameters as WeChat's client does, then let the payer pay or walk away."""
    order = _wechat_order(core, asked)
    if isinstance(order, str):
        return {"errMsg": f"requestPayment:fail {order}"}
    if asked.get("outcome", "pay") == "cancel":
        return {"errMsg": "requestPayment:fail cancel"}
    _misbehave(core, order, asked)
    paid = payments.pay(core, order)
    if isinstance(paid, Refusal):
        return {"errMsg": f"requestPayment:fail {paid.why}"}
    return {"errMsg": "requestPayment:ok", "out_trade_no": paid.out_trade_no}


def _misbehave(core: Core, order: Order, asked: Told) -> None:
    """Whoever pays may ask in the same breath for what shall go wrong: they need not know the merchant's number."""
    for wish in asked.get("faults") or []:
        faults.ask_for(core.store, target=order.out_trade_no, fault=str(wish["fault"]), value=wish.get("value"), times=1)


def _wechat_order(core: Core, asked: Told) -> Order | str:
    app_id, package = str(asked.get("app_id")), str(asked.get("package"))
    app = core.world.apps.get(app_id)
    if app is None or app.merchant is None or app.platform != "wechat":
        return "this app cannot take payments"
    if asked.get("signType") != "RSA":
        return "signType must be RSA"
    if not isinstance(asked.get("timeStamp"), str) or not str(asked["timeStamp"]).isdigit():
        return "timeStamp must be a string of seconds"
    message = f"{app_id}\n{asked['timeStamp']}\n{asked.get('nonceStr')}\n{package}\n".encode()
    held = core.keys.wechat_pay[app.merchant]
    if not verifies(held.merchant_public, message, str(asked.get("paySign"))):
        return "the signature paySign is wrong"
    prepay = core.store.row("SELECT * FROM prepays WHERE prepay_id = ?", package.removeprefix("prepay_id="))
    if prepay is None or not package.startswith("prepay_id="):
        return "no such prepay_id"
    if core.now() > prepay["created_at"] + PREPAY_LASTS_SECONDS:
        return "the prepay_id has expired"
    order = orders.must_find(core.store, ("wechat_pay", prepay["merchant"], prepay["out_trade_no"]))
    if order.app_id != app_id:
        return "the prepay_id belongs to another app"
    payer = users.find(core.store, str(asked.get("user_id")))
    return order if payer is not None and payer["subject"] == order.payer else "the payer is somebody else"


def alipay(core: Core, asked: Told) -> Told:
    """Let the buyer of a trade pay it, or walk away."""
    order = orders.find_anywhere(core.store, "alipay", str(asked.get("tradeNO")))
    payer = users.find(core.store, str(asked.get("user_id")))
    if order is None or order.app_id != asked.get("app_id"):
        return {"resultCode": "4000", "memo": "no such trade under this app"}
    if payer is None or payer["subject"] != order.payer:
        return {"resultCode": "4000", "memo": "the payer is somebody else"}
    if asked.get("outcome", "pay") == "cancel":
        return {"resultCode": "6001", "memo": "the payer walked away"}
    _misbehave(core, order, asked)
    paid = payments.pay(core, order)
    if isinstance(paid, Refusal):
        return {"resultCode": "4000", "memo": paid.why}
    return {"resultCode": "9000", "memo": "", "out_trade_no": paid.out_trade_no}
