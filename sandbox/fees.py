"""What a provider keeps for its work: a rate of each paid order, whole fen, and never given back. None unless the control API says so."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sandbox.orders import Order
    from sandbox.store import Store

SETTING = "fee_rates"
WHOLE = 10_000
HIGHEST = 1_000
RMB = "CNY"


def rates(store: Store) -> dict[str, int]:
    """Account (`wechat_pay:{mchid}`) to its rate in ten-thousandths: 60 is 0.60 %."""
    return dict(store.setting(SETTING, {}))


def keep_rate(store: Store, account: str, rate: int) -> None:
    if not 0 <= rate <= HIGHEST:
        raise ValueError(f"a rate is 0 to {HIGHEST} ten-thousandths")
    store.keep_setting(SETTING, rates(store) | {account: rate})


def rate_of(store: Store, order: Order) -> int:
    return rates(store).get(f"{order.channel}:{order.merchant}", 0) if order.currency == RMB else 0


def taken_fen(paid_fen: int, rate: int) -> int:
    """Whole fen: the nearest, and upwards from the middle."""
    return (paid_fen * rate + WHOLE // 2) // WHOLE


def told_yuan(paid_fen: int, rate: int) -> str:
    """As bills tell it, with the parts of a fen that were not taken: five places."""
    return written(taken_units(paid_fen, rate))


def written(units: int) -> str:
    return f"{units // 100_000}.{units % 100_000:05d}"


def taken_units(paid_fen: int, rate: int) -> int:
    """In thousandths of a fen, as bills sum it up."""
    return (paid_fen * rate * 1000 + WHOLE // 2) // WHOLE
