"""What goes wrong at the providers: the sandbox's own list of faults, drawn by chance, one an order at most."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import random

    from jobs.simulation.chances import Chances


@dataclass(frozen=True, kw_only=True)
class Mishap:
    """One fault: asked for at the cashier where `operation` is empty, else for the next such call of ours."""

    fault: str
    value: Any = None
    operation: str = ""

    @property
    def wish(self) -> dict[str, Any]:
        return {"fault": self.fault, "value": self.value}

    def __str__(self) -> str:
        return self.fault


def _at(operation: str, *faults: tuple[str, Any]) -> tuple[Mishap, ...]:
    return tuple(Mishap(fault=fault, value=value, operation=operation) for fault, value in faults)


BOTH: Final = _at(
    "",
    ("late", 45),
    ("late", 2400),
    ("late", 30000),
    ("duplicate", 1),
    ("duplicate", 3),
    ("parallel", 3),
    ("lost", None),
    ("forged", None),
    ("wrong_amount", None),
    ("wrong_app", None),
    ("wrong_merchant", None),
    ("refund_before_success", None),
    ("closed_notice", None),
)
ANY_CALL: Final = (("timeout_after_success", None), ("server_error", None), ("rate_limited", None), ("brace_in_string", None))
WECHAT_CALL: Final = (*ANY_CALL, ("signtest_response", None), ("bad_signature_response", None))
ALIPAY_CALL: Final = (
    *ANY_CALL, ("bad_signature_response", None), ("gbk_error", None), ("system_busy", None), ("code_20000", None), ("code_20000", True),
)  # fmt: skip
UNIONPAY_CALL: Final[tuple[tuple[str, Any], ...]] = (
    ("timeout_after_success", None), ("server_error", None), ("rate_limited", None), ("in_doubt", None), ("bad_signature_response", None),
)  # fmt: skip
ORDERING: Final = {
    "wechat": (
        *BOTH,
        *_at("", ("signtest", None), ("stale", 900), ("wrong_currency", None), ("certificate_key", None)),
        *_at("wechat_pay.jsapi", *WECHAT_CALL),
    ),
    "alipay": (*BOTH, *_at("", ("finished_first", None), ("gbk", None)), *_at("alipay.trade.create", *ALIPAY_CALL)),
    "pos": _at(
        "",
        ("late", 45),
        ("late", 2400),
        ("late", 30000),
        ("duplicate", 2),
        ("parallel", 3),
        ("lost", None),
        ("forged", None),
        ("wrong_amount", None),
        ("wrong_merchant", None),
        ("wrong_currency", None),
        ("wrong_chain", None),
    ),
}
"""What can go wrong with an order of a platform, or at a terminal."""
CLOSING: Final = {
    "wechat": _at("wechat_pay.close", *WECHAT_CALL),
    "alipay": _at("alipay.trade.close", *ALIPAY_CALL),
    "pos": _at("unionpay.query", *UNIONPAY_CALL),
}
REFUNDING: Final = {
    "wechat": (*_at("wechat_pay.refund", *WECHAT_CALL), *_at("", ("refund_pending", None), ("refund_abnormal", None))),
    "alipay": (*_at("alipay.trade.refund", *ALIPAY_CALL), *_at("", ("refund_pending", None))),
    "pos": (
        *_at("unionpay.refund", *(each for each in UNIONPAY_CALL if each[0] != "in_doubt")),
        *_at("", ("refund_pending", None)),
    ),
}
BILLS: Final = {
    "wechat_pay": _at("wechat_pay.tradebill", *WECHAT_CALL),
    "alipay": _at("alipay.data.dataservice.bill", *ALIPAY_CALL),
}
"""By channel: what can go wrong while a day's bill is fetched."""


def drawn(chances: Chances, dice: random.Random, kinds: tuple[Mishap, ...]) -> Mishap | None:
    """One of these, or mostly none."""
    return dice.choice(kinds) if chances.goes_wrong(dice) else None
