"""Puts the sandbox together: one Flask app with every provider's door, its own control API and its page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Flask, request

from sandbox import (
    airwaves,
    alipay_bills,
    alipay_gateway,
    alipay_identity,
    alipay_messages,
    alipay_trade,
    alipay_words,
    aliyun,
    aliyun_actions,
    authorities,
    bank_control,
    books,
    control,
    control_clock,
    control_state,
    counters,
    page,
    phones,
    pos,
    slips,
    unionpay,
    unionpay_words,
    wechat_face,
    wechat_open,
    wechat_pay,
    wechat_pay_bills,
    wechat_pay_words,
    wechat_push,
)
from sandbox.banks import Banks
from sandbox.core import Core, HandClock
from sandbox.keys import load_keys
from sandbox.notices import Courier
from sandbox.store import Store
from sandbox.world import WORLD

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

EXTENSION = "canbao-sandbox"
LARGEST_BODY = 1024 * 1024
DOORS = (
    wechat_open,
    wechat_face,
    wechat_pay,
    wechat_pay_bills,
    alipay_bills,
    control,
    control_clock,
    control_state,
    wechat_push,
    phones,
    airwaves,
    bank_control,
    unionpay,
    pos,
    counters,
    slips,
    books,
    authorities,
)


def create_sandbox(
    home: Path,
    *,
    clock: Callable[[], float] | None = None,
    notice_time_scale: float = 1.0,
    canbao_url: str = "http://127.0.0.1:8000",
    letterbox_url: str = "http://127.0.0.1:8001",
    know_everyone: bool = False,
    banks_folder: Path | None = None,
) -> Flask:
    """Open the sandbox that lives in this folder, making it if need be, and set its couriers going.

    `banks_folder`: where Canbao and the banks leave files for each other; beside this folder, unless told otherwise.
    Without a `clock` it is the machine's, until the control API sets it.
    """
    clock = clock or HandClock()
    store = Store(home)
    courier = Courier(store, clock=clock, time_scale=notice_time_scale)
    core = Core(
        world=WORLD,
        keys=load_keys(home, WORLD),
        store=store,
        courier=courier,
        banks=Banks(store=store, folder=banks_folder or home.parent / "banks", units=WORLD.bank_units, clock=clock),
        clock=clock,
        canbao_url=canbao_url.rstrip("/"),
        letterbox_url=letterbox_url.rstrip("/"),
        know_everyone=know_everyone,
        authority_files=home / "authority-files",
    )
    courier.teach("wechat_pay", wechat_pay_words.notice_sealer(core))
    courier.teach("aliyun_face", aliyun_actions.callback_writer(core))
    courier.teach("wechat_messages", wechat_push.writer(core))
    courier.teach("alipay", alipay_words.notice_sealer(core))
    courier.teach("unionpay_pos", unionpay_words.notice_sealer(core))
    app = Flask("sandbox", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = LARGEST_BODY
    app.extensions[EXTENSION] = core

    @app.before_request
    def read_everything() -> None:
        if request.path.startswith(airwaves.PREFIX):
            request.max_content_length = airwaves.LARGEST_BODY
        # What stays unread would be taken for the next request on a kept-alive connection.
        request.get_data(cache=True)

    for make in DOORS:
        app.register_blueprint(make.blueprint(core))
    app.register_blueprint(
        alipay_gateway.blueprint(
            core, alipay_trade.METHODS | alipay_identity.METHODS | alipay_bills.METHODS | alipay_messages.METHODS
        )
    )
    app.register_blueprint(aliyun.blueprint(core, aliyun_actions.ACTIONS))
    app.register_blueprint(page.blueprint())
    courier.start()
    return app


def core_of(app: Flask) -> Core:
    core = app.extensions[EXTENSION]
    if not isinstance(core, Core):
        raise TypeError("this app is no sandbox")
    return core


def close_sandbox(app: Flask) -> None:
    """Stop the couriers and close the file; the queue keeps what was not delivered."""
    core = core_of(app)
    core.courier.stop()
    core.store.close()
