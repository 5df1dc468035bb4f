"""Today's money as a duty officer reads it: what the books took in and sent back since midnight, by merchant account and by hour."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from sqlalchemy import text

from config.clock import day_start
from models.journal import TransferKind

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from services.ports import Ports

HOURS: Final = 24
CAME: Final = {TransferKind.SETTLED: "settled", TransferKind.SURPLUS: "surplus", TransferKind.UNCLAIMED: "unclaimed"}
WENT: Final = (TransferKind.REFUNDED, TransferKind.REFUND_SEEN)
PARTS: Final = ("settled", "waiting", "surplus", "unclaimed", "back")
"""What becomes of money, as the page tells it: in the books for its months, not paid yet, second or wrong, nobody's, gone back."""

# A payment of three months moves three times: payments are counted, and fen added. Today's rows are found by their moment (ix_transfers_at).
MOVED: Final = text("""
    SELECT substr(CASE WHEN t.kind = ANY(:went) THEN t.credit_account ELSE t.debit_account END, 10) AS account, t.kind,
        extract(hour FROM t.at AT TIME ZONE 'Asia/Shanghai')::int AS hour,
        count(DISTINCT t.payment_id) AS payments, sum(t.amount_fen)::bigint AS fen
    FROM transfers t
    WHERE t.at >= :begins_at AND t.at < :ends_at AND (
        t.kind = ANY(:came) AND t.debit_account LIKE 'clearing:%' OR t.kind = ANY(:went) AND t.credit_account LIKE 'clearing:%')
    GROUP BY 1, 2, 3
""")
# Those that may still be paid are few, and have an index of their own (ix_payments_live).
LIVE: Final = text("""
    SELECT channel || ':' || merchant AS account, count(*) AS payments, sum(amount_fen)::bigint AS fen
    FROM payments WHERE state IN ('CREATED', 'OPEN') GROUP BY 1
""")


@dataclass
class Sum:
    """Payments, and their money in fen."""

    payments: int = 0
    fen: int = 0

    def add(self, payments: int, fen: int) -> None:
        self.payments, self.fen = self.payments + payments, self.fen + fen


@dataclass
class AccountToday:
    """One merchant account's day so far."""

    account: str
    parts: dict[str, Sum] = field(default_factory=lambda: {part: Sum() for part in PARTS})

    @property
    def came_fen(self) -> int:
        """What it took in, whatever became of it."""
        return sum(self.parts[part].fen for part in CAME.values())


@dataclass(frozen=True, kw_only=True)
class Today:
    """The day so far. `by_hour` is what came in, in fen, by the hour in Beijing."""

    begins_at: datetime
    accounts: list[AccountToday]
    by_hour: list[int]

    def total(self, part: str) -> Sum:
        whole = Sum()
        for each in self.accounts:
            whole.add(each.parts[part].payments, each.parts[part].fen)
        return whole

    @property
    def came_fen(self) -> int:
        return sum(each.came_fen for each in self.accounts)


def money_today(ports: Ports, *, accounts: Collection[str] | None = None) -> Today:
    """What the books moved since midnight in Beijing. `accounts`: merchant accounts that may be seen; None: all.

    A payment that the books took in at two hours (none does) would be counted in both; its fen are counted once.
    """
    begins_at = day_start(ports.now())
    given = {"begins_at": begins_at, "ends_at": begins_at + timedelta(days=1), "came": list(CAME), "went": list(WENT)}
    with ports.begin() as session:
        moved = session.execute(MOVED, given).all()
        live = session.execute(LIVE).all()
    found: defaultdict[str, AccountToday] = defaultdict(lambda: AccountToday(""))
    by_hour = [0] * HOURS
    for row in moved:
        if accounts is None or row.account in accounts:
            part = "back" if row.kind in WENT else CAME[TransferKind(row.kind)]
            found[row.account].parts[part].add(row.payments, row.fen)
            by_hour[row.hour] += 0 if part == "back" else row.fen
    for row in live:
        if accounts is None or row.account in accounts:
            found[row.account].parts["waiting"].add(row.payments, row.fen)
    told = [AccountToday(account, each.parts) for account, each in sorted(found.items())]
    return Today(begins_at=begins_at, accounts=told, by_hour=by_hour)
