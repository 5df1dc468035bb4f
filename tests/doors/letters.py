"""Letters as providers write them, byte for byte, and a letterbox with the real adapters behind it.

Signed with keys made for the test; written from the fact sheet (providers.md 3.6, 4.6), not from our adapters.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace
from datetime import timedelta, timezone
from typing import TYPE_CHECKING, Any

from prometheus_client import REGISTRY
from sqlalchemy import text

from providers.alipay.client import AlipayClient
from providers.alipay.pay import AlipayPay
from providers.counters.signing import Signatures
from providers.counters.way import BankCounter
from providers.http import Line
from providers.unionpay.pay import UnionPayPos
from providers.wechat.pay import WeChatPay
from providers.wechat.signing import Signer, Verifier
from tests.doors.house import House
from tests.factories import ALIPAY, POS, WECHAT, XINJIANG
from tests.providers import unionpay_wire, wire
from webhooks import intake

if TYPE_CHECKING:
    from collections.abc import Mapping

    from werkzeug.test import TestResponse

    from providers.protocols import PaymentProvider
    from services.order_views import OrderView
    from services.ports import Ports

BEIJING = timezone(timedelta(hours=8))
NOWHERE = "http://127.0.0.1:9"
"""The letterbox calls nobody: an adapter that tried would fail at once."""


def real_adapters(ports: Ports) -> dict[str, PaymentProvider]:
    """Every mini-program's own adapter, with keys of the test: `wechat <app>` and `alipay` sign for them."""
    adapters: dict[str, PaymentProvider] = {}
    for code, program in ports.partners.miniprograms.items():
        if program.merchant is None:
            continue
        if program.platform == "wechat":
            adapters[code] = WeChatPay(
                line=Line(provider="wechat-pay", base_url=NOWHERE),
                app_id=program.app_id,
                signer=Signer(program.merchant, "444F4864EA9B34415", wire.key("merchant")),
                verifier=Verifier(
                    {
                        wire.PUBLIC_KEY_ID: wire.key(f"wechat {program.merchant}").public_key(),
                        wire.CERTIFICATE_SERIAL: wire.key(f"wechat certificate {program.merchant}").public_key(),
                    }
                ),
                api_v3_key=wire.API_V3_KEY,
                notify_url=f"https://pay.example.gov.cn/webhooks/wechat-pay/{code}",
            )
        else:
            client = AlipayClient(
                line=Line(provider="alipay", base_url=NOWHERE),
                app_id=program.app_id,
                private_key=wire.key("app"),
                alipay_public_key=wire.key("alipay").public_key(),
            )
            adapters[code] = AlipayPay(
                client=client, seller_id=program.merchant, notify_url=f"https://pay.example.gov.cn/webhooks/alipay/{code}"
            )
    for code, pos in ports.partners.pos.items():
        adapters[code] = UnionPayPos(
            line=Line(provider="unionpay", base_url=NOWHERE),
            merchant=pos.merchant,
            private_key=wire.key("merchant"),
            certificate_id=pos.certificate_id,
            chain=unionpay_wire.chain(),
            notify_url=f"https://pay.example.gov.cn/webhooks/unionpay/{code}",
        )
    for code, counter in ports.partners.counters.items():
        adapters[code] = BankCounter(
            merchant=counter.merchant,
            bank=counter.bank,
            region=counter.region,
            authority=counter.authority,
            signatures=Signatures(
                theirs={key_id: wire.key(f"counter {counter.bank}").public_key() for key_id in counter.partner_keys},
                key_id=counter.key_id,
                private_key=wire.key("canbao"),
            ),
        )
    return adapters


@dataclass
class Letter:
    path: str
    body: bytes
    headers: dict[str, str]


class Letterbox(House):
    """DOOR 2 over the same database; orders are placed with fakes, letters are read by the real adapters."""

    def __post_init__(self) -> None:
        self.doors = ("webhooks",)
        super().__post_init__()
        # How many lines of refusals this process has told in this minute is forgotten.
        intake._quota = intake.Quota()
        self.app.extensions["canbao.ports"] = self.reading = replace(self.ports, payments=real_adapters(self.ports))

    def order(self, miniprogram: str = WECHAT) -> OrderView:
        region = "650000" if miniprogram == XINJIANG else "320400"
        return self.world.order(miniprogram=miniprogram, region=region)[1]

    def post(self, letter: Letter, **how: Any) -> TestResponse:
        return self.app.test_client().post(letter.path, data=letter.body, headers=letter.headers, **how)

    # --- WeChat Pay

    def wechat(
        self,
        inside: Mapping[str, Any],
        *,
        miniprogram: str = WECHAT,
        event: str = "TRANSACTION.SUCCESS",
        notice_id: str | None = None,
        by: str | None = None,
        late: float = 0,
        associated: str | None = None,
        **headers: str,
    ) -> Letter:
        """A notice of theirs, signed now (or `late` seconds off) by the key of this mini-program's merchant."""
        merchant = self.ports.partners.miniprograms[miniprogram].merchant
        body = wire.wechat_notice(
            inside,
            event=event,
            notice_id=notice_id or str(uuid.uuid4()),
            associated=associated or ("refund" if event.startswith("REFUND") else "transaction"),
        )
        signed = wire.wechat_headers(body, by=by or f"wechat {merchant}", at=self.clock.now().timestamp() + late)
        return Letter(
            f"/webhooks/wechat-pay/{miniprogram}",
            body,
            {"Content-Type": "application/json", "User-Agent": "Mozilla/4.0", **signed, **headers},
        )

    def wechat_transaction(
        self, order: OrderView | None = None, *, miniprogram: str = WECHAT, **changes: Any
    ) -> dict[str, Any]:
        """Their transaction object. An order of ours, or one that nobody knows."""
        program = self.ports.partners.miniprograms[miniprogram]
        number = order.payment_no if order else uuid.uuid4().hex[:24].upper()
        total = order.total_fen if order else 12345
        return {
            "appid": program.app_id,
            "mchid": program.merchant,
            "out_trade_no": number,
            "transaction_id": f"42{uuid.uuid4().int % 10**26:026d}",
            "trade_type": "JSAPI",
            "trade_state": "SUCCESS",
            "trade_state_desc": "支付成功",
            "bank_type": "OTHERS",
            "attach": "",
            "success_time": self.clock.now().astimezone(BEIJING).isoformat(timespec="seconds"),
            "payer": {"openid": "o_canary_openid"},
            "amount": {"total": total, "payer_total": total, "currency": "CNY", "payer_currency": "CNY"},
        } | changes

    def wechat_refund(self, order: OrderView, transaction_id: str, **changes: Any) -> dict[str, Any]:
        return {
            "mchid": self.ports.partners.miniprograms[WECHAT].merchant,
            "out_trade_no": order.payment_no,
            "transaction_id": transaction_id,
            "out_refund_no": f"R{order.payment_no}",
            "refund_id": f"50{uuid.uuid4().int % 10**26:026d}",
            "refund_status": "SUCCESS",
            "success_time": self.clock.now().astimezone(BEIJING).isoformat(timespec="seconds"),
            "user_received_account": "招商银行信用卡0403",
            "amount": {
                "total": order.total_fen,
                "refund": order.total_fen,
                "payer_total": order.total_fen,
                "payer_refund": order.total_fen,
            },
        } | changes

    # --- Alipay

    def alipay(
        self, fields: Mapping[str, str], *, miniprogram: str = ALIPAY, by: str = "alipay", encoding: str = "utf-8", **extra: str
    ) -> Letter:
        body = wire.alipay_form(fields, by=by, encoding=encoding, **extra)
        return Letter(
            f"/webhooks/alipay/{miniprogram}", body, {"Content-Type": f"application/x-www-form-urlencoded; charset={encoding}"}
        )

    def alipay_fields(self, order: OrderView | None = None, without: tuple[str, ...] = (), **changes: str) -> dict[str, str]:
        program = self.ports.partners.miniprograms[ALIPAY]
        now = self.clock.now().astimezone(BEIJING).strftime("%Y-%m-%d %H:%M:%S")
        total = order.total_fen if order else 12345
        fields = {
            "notify_time": now,
            "notify_type": "trade_status_sync",
            "notify_id": uuid.uuid4().hex,
            "app_id": program.app_id,
            "auth_app_id": program.app_id,
            "charset": "utf-8",
            "version": "1.0",
            "trade_no": f"2026{uuid.uuid4().int % 10**24:024d}",
            "out_trade_no": order.payment_no if order else uuid.uuid4().hex[:24].upper(),
            "buyer_open_id": "o_canary_openid",
            "seller_id": str(program.merchant),
            "trade_status": "TRADE_SUCCESS",
            "total_amount": f"{total // 100}.{total % 100:02d}",
            "receipt_amount": f"{total // 100}.{total % 100:02d}",
            "subject": "社会保险费 1项 + 100% & more=less",
            "gmt_create": now,
            "gmt_payment": now,
            "fund_bill_list": '[{"amount":"1.00","fundChannel":"ALIPAYACCOUNT"}]',
            "body": "",
            **changes,
        }
        return {name: value for name, value in fields.items() if name not in without}

    # --- UnionPay

    def unionpay(self, fields: Mapping[str, str], *, path: str = f"/webhooks/unionpay/{POS}", **how: Any) -> Letter:
        body = unionpay_wire.form(unionpay_wire.signed_fields(fields, **how))
        return Letter(path, body, {"Content-Type": "application/x-www-form-urlencoded;charset=UTF-8"})

    # --- what became of it

    def kept(self, payment_no: str) -> list[tuple[str, str, str | None]]:
        """kind, state and outcome of the notices about this payment."""
        return self.world.rows("SELECT kind, state, outcome FROM notices WHERE payment_no = :no ORDER BY id", no=payment_no)

    def all_kept(self) -> int:
        return self.world.scalar("SELECT count(*) FROM notices")

    def settled(self, payment_no: str) -> list[str | None]:
        self.world.settle()
        return [outcome for _, _, outcome in self.kept(payment_no)]

    def standing(self, account: str) -> int:
        """What an account of the journal holds: debits less credits."""
        return self.world.scalar(
            "SELECT coalesce(sum(CASE WHEN debit_account = :a THEN amount_fen ELSE -amount_fen END), 0) FROM transfers "
            "WHERE :a IN (debit_account, credit_account)",
            a=account,
        )

    def execute(self, sql: str) -> None:
        with self.ports.begin() as session:
            session.execute(text(sql))


def counted(channel: str, miniprogram: str, result: str) -> float:
    labels = {"channel": channel, "miniprogram": miniprogram, "result": result}
    return REGISTRY.get_sample_value("canbao_notices_total", labels) or 0.0
