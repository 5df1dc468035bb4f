"""The journal as those read it who answer for the money: accounts, an account's days, and the transfers behind any figure.

Every figure leads to its rows. Whoever sees some regions alone sees what the merchant accounts of those regions moved, and no more.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import text

from config.clock import BEIJING

if TYPE_CHECKING:
    from collections.abc import Collection

    from services.ports import Ports

A_PAGE: Final = 50
FOLDED: Final = ("surplus", "refunding")
"""Kinds of account of which there is one for each payment or refund: told together, and one by one where money is left in them."""
NAMED: Final = ("clearing", "unknown")
"""Kinds that are named by the merchant account."""
HELD: Final = "clearing"
"""What we hold; every other kind is owed."""

# Money is a payment's, and through it a merchant account's; a fee is of a merchant account's day.
WITHIN: Final = """
    LEFT JOIN payments p ON p.id = t.payment_id LEFT JOIN reconciliations d ON d.id = t.reconciliation_id
    JOIN unnest(CAST(:accounts AS text[])) AS mine (account)
        ON mine.account = coalesce(p.channel || ':' || p.merchant, d.merchant_account)
"""
# One scan; the pairs are few, and are put together in memory.
PAIRS: Final = """
    SELECT CASE WHEN split_part(t.debit_account, ':', 1) = ANY(CAST(:folded AS text[])) THEN split_part(t.debit_account, ':', 1)
            ELSE t.debit_account END AS debit,
        CASE WHEN split_part(t.credit_account, ':', 1) = ANY(CAST(:folded AS text[])) THEN split_part(t.credit_account, ':', 1)
            ELSE t.credit_account END AS credit,
        sum(t.amount_fen)::bigint AS fen, count(*) AS transfers
    FROM transfers t {within} GROUP BY 1, 2
"""
# Rare among all transfers: found first, and only then asked whose they are.
LEFT: Final = """
    WITH rare AS MATERIALIZED (
        SELECT * FROM transfers WHERE :kind IN (split_part(debit_account, ':', 1), split_part(credit_account, ':', 1)))
    SELECT account, sum(fen)::bigint AS owed_fen, min(at) AS since FROM (
        SELECT t.credit_account AS account, t.amount_fen AS fen, t.at FROM rare t {within}
        WHERE split_part(t.credit_account, ':', 1) = :kind
        UNION ALL
        SELECT t.debit_account, -t.amount_fen, t.at FROM rare t {within} WHERE split_part(t.debit_account, ':', 1) = :kind) sides
    WHERE account > :after GROUP BY account HAVING sum(fen) <> 0 ORDER BY account LIMIT :limit
"""
BEFORE: Final = """
    SELECT coalesce(sum(CASE WHEN t.debit_account = :account THEN t.amount_fen ELSE -t.amount_fen END), 0)::bigint
    FROM transfers t {within} WHERE (t.debit_account = :account OR t.credit_account = :account) AND t.at < :begins_at
"""
DAYS: Final = """
    SELECT (t.at AT TIME ZONE 'Asia/Shanghai')::date AS day,
        coalesce(sum(t.amount_fen) FILTER (WHERE t.debit_account = :account), 0)::bigint AS debit_fen,
        coalesce(sum(t.amount_fen) FILTER (WHERE t.credit_account = :account), 0)::bigint AS credit_fen, count(*) AS transfers
    FROM transfers t {within}
    WHERE (t.debit_account = :account OR t.credit_account = :account) AND t.at >= :begins_at AND t.at < :ends_at
    GROUP BY 1 ORDER BY 1
"""
ROWS: Final = """
    SELECT t.id, t.at, t.debit_account, t.credit_account, t.amount_fen, t.kind, t.reason, t.who, pay.payment_no, b.bill_no,
        b.insurance_type, b.coverage_month, fee.merchant_account AS fee_account, fee.day AS fee_day
    FROM transfers t {within} LEFT JOIN payments pay ON pay.id = t.payment_id
        LEFT JOIN contribution_bills b ON b.id = t.bill_id LEFT JOIN reconciliations fee ON fee.id = t.reconciliation_id
    WHERE t.id < :before {wanted} ORDER BY t.id DESC LIMIT :limit
"""
NEWEST: Final = 2**62


@dataclass(frozen=True, kw_only=True)
class AccountSum:
    """One account, or all of a kind together. Amounts in fen."""

    account: str
    """Its name; of a kind that is told together, the kind alone."""
    debit_fen: int
    credit_fen: int
    transfers: int

    @property
    def kind(self) -> str:
        return self.account.partition(":")[0]

    @property
    def is_folded(self) -> bool:
        return self.account in FOLDED

    @property
    def balance_fen(self) -> int:
        """What we hold is positive when debited, what we owe when credited."""
        return signed(self.kind, self.debit_fen - self.credit_fen)


@dataclass(frozen=True, kw_only=True)
class Left:
    """An account of its own payment or refund in which money is left."""

    account: str
    owed_fen: int
    since: datetime


@dataclass(frozen=True, kw_only=True)
class AccountDay:
    day: date
    debit_fen: int
    credit_fen: int
    transfers: int
    balance_fen: int
    """At the end of the day."""


@dataclass(frozen=True, kw_only=True)
class AccountMonth:
    """An account's month, day by day, in Beijing."""

    account: str
    begins_on: date
    before_fen: int
    """The balance that the month began with."""
    days: list[AccountDay]

    @property
    def debit_fen(self) -> int:
        return sum(each.debit_fen for each in self.days)

    @property
    def credit_fen(self) -> int:
        return sum(each.credit_fen for each in self.days)

    @property
    def transfers(self) -> int:
        return sum(each.transfers for each in self.days)

    @property
    def after_fen(self) -> int:
        return self.days[-1].balance_fen if self.days else self.before_fen


@dataclass(frozen=True, kw_only=True)
class TransferLine:
    id: int
    at: datetime
    debit_account: str
    credit_account: str
    amount_fen: int
    kind: str
    reason: str | None
    who: str
    payment_no: str | None
    """Whose money it is; none of a fee."""
    bill_no: str | None
    insurance_type: str | None
    coverage_month: int | None
    fee_account: str | None
    fee_day: date | None
    """The merchant account and the day that a fee is of."""


@dataclass(frozen=True, kw_only=True)
class WantedTransfers:
    """Which transfers; nothing said is everything. Days are Beijing's, both included."""

    account: str = ""
    since: date | None = None
    until: date | None = None


EVERYTHING: Final = WantedTransfers()


@dataclass(frozen=True)
class Lines:
    rows: list[TransferLine] = field(default_factory=list)
    older: int | None = None
    """The id to go on before; None where this is the end."""


def signed(kind: str, debits_less_credits_fen: int) -> int:
    return debits_less_credits_fen if kind == HELD else -debits_less_credits_fen


def list_accounts(ports: Ports, *, accounts: Collection[str] | None = None) -> list[AccountSum]:
    """Every account with what ever went in and out. `accounts`: the merchant accounts that may be seen; None: all of them."""
    sums: dict[str, list[int]] = {}
    given = {"folded": list(FOLDED), "accounts": _listed(accounts)}
    with ports.begin() as session:
        for row in session.execute(text(PAIRS.format(within=_within(accounts))), given):
            for name, debit_fen, credit_fen in ((row.debit, row.fen, 0), (row.credit, 0, row.fen)):
                kept = sums.setdefault(name, [0, 0, 0])
                kept[0], kept[1], kept[2] = kept[0] + debit_fen, kept[1] + credit_fen, kept[2] + row.transfers
    return [
        AccountSum(account=name, debit_fen=debit_fen, credit_fen=credit_fen, transfers=transfers)
        for name, (debit_fen, credit_fen, transfers) in sorted(sums.items())
    ]


def list_left(
    ports: Ports, *, kind: str, accounts: Collection[str] | None = None, after: str = "", limit: int = A_PAGE
) -> tuple[list[Left], str | None]:
    """Accounts of a kind in which money is left, by name; and where the next page goes on."""
    given = {"kind": kind, "after": after, "limit": limit + 1, "accounts": _listed(accounts)}
    with ports.begin() as session:
        rows = session.execute(text(LEFT.format(within=_within(accounts))), given).all()
    found = [Left(account=row.account, owed_fen=row.owed_fen, since=row.since) for row in rows[:limit]]
    return found, found[-1].account if len(rows) > limit else None


def read_month(ports: Ports, *, account: str, month: date, accounts: Collection[str] | None = None) -> AccountMonth:
    """The days of a month on which an account moved. `month`: its first day."""
    ends_on = (month + timedelta(days=31)).replace(day=1)
    given = {
        "account": account,
        "begins_at": _midnight(month),
        "ends_at": _midnight(ends_on),
        "accounts": _listed(accounts),
    }
    kind, within = account.partition(":")[0], _within(_whose(account, accounts))
    with ports.begin() as session:
        before = session.execute(text(BEFORE.format(within=within)), given).scalar_one()
        rows = session.execute(text(DAYS.format(within=within)), given).all()
    days, running = [], before
    for row in rows:
        running += row.debit_fen - row.credit_fen
        days.append(
            AccountDay(
                day=row.day,
                debit_fen=row.debit_fen,
                credit_fen=row.credit_fen,
                transfers=row.transfers,
                balance_fen=signed(kind, running),
            )
        )
    return AccountMonth(account=account, begins_on=month, before_fen=signed(kind, before), days=days)


def list_transfers(
    ports: Ports,
    *,
    wanted: WantedTransfers = EVERYTHING,
    accounts: Collection[str] | None = None,
    before: int | None = None,
    limit: int = A_PAGE,
) -> Lines:
    """A page of transfers, the newest first. By id, so that what is booked meanwhile shifts nothing."""
    given: dict[str, Any] = {"before": before or NEWEST, "limit": limit + 1, "accounts": _listed(accounts)}
    clauses = []
    if wanted.account:
        clauses.append("AND (t.debit_account = :account OR t.credit_account = :account)")
        given["account"] = wanted.account
    if wanted.since is not None:
        clauses.append("AND t.at >= :begins_at")
        given["begins_at"] = _midnight(wanted.since)
    if wanted.until is not None:
        clauses.append("AND t.at < :ends_at")
        given["ends_at"] = _midnight(wanted.until + timedelta(days=1))
    statement = text(ROWS.format(within=_within(_whose(wanted.account, accounts)), wanted=" ".join(clauses)))
    with ports.begin() as session:
        rows = session.execute(statement, given).all()
    found = [TransferLine(**row._mapping) for row in rows[:limit]]  # noqa: SLF001 - SQLAlchemy's public name for it
    return Lines(rows=found, older=found[-1].id if len(rows) > limit else None)


def _whose(account: str, accounts: Collection[str] | None) -> Collection[str] | None:
    """What has to be asked of each transfer of an account. One that bears a merchant account's name is that one's as a whole."""
    kind, _, rest = account.partition(":")
    return None if accounts is not None and kind in NAMED and rest in accounts else accounts


def _within(accounts: Collection[str] | None) -> str:
    return "" if accounts is None else WITHIN


def _listed(accounts: Collection[str] | None) -> list[str]:
    return sorted(accounts or ())


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time.min, BEIJING)
