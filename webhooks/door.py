"""Puts the letterbox's senders on an application."""

from __future__ import annotations

from typing import TYPE_CHECKING

from webhooks import alipay, bank_counters, identity, unionpay, wechat_messages, wechat_pay

if TYPE_CHECKING:
    from flask import Flask


def install(app: Flask) -> None:
    app.url_map.merge_slashes = False  # a provider follows no redirect
    for sender in (wechat_pay, alipay, unionpay, bank_counters, identity, wechat_messages):
        app.register_blueprint(sender.blueprint)
