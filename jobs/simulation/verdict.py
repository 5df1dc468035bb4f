"""The verdict: our journal against the providers' own ledger, payment by payment and to the fen, and nothing left unfinished.

It believes neither side: the ledger is asked for over HTTP, the journal is read as it stands, and every sentence below can be false.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import text

from services import journal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import date

    from sqlalchemy import TextClause
    from sqlalchemy.orm import Session

CLEARING: Final = "clearing:"
YUAN: Final = "CNY"
SHOWN: Final = 5
"""Of each kind of fault."""

# What the journal says came of each payment, and went back, by the number that the provider gave it.
BOOKED: Final = text("""
    SELECT substr(t.account, length('clearing:') + 1) AS account, coalesce(p.provider_payment_no, '') AS provider_no,
        min(p.payment_no) AS payment_no, sum(t.came)::bigint AS came_fen, sum(t.went)::bigint AS went_fen
    FROM (SELECT debit_account AS account, payment_id, amount_fen AS came, 0 AS went FROM transfers
          UNION ALL SELECT credit_account, payment_id, 0, amount_fen FROM transfers) t
        JOIN payments p ON p.id = t.payment_id
    WHERE starts_with(t.account, 'clearing:') GROUP BY 1, 2
""")
RECORDED: Final = text("""
    SELECT coalesce(sum(r.amount_fen), 0)::bigint FROM contribution_records r JOIN contribution_bills b ON b.id = r.bill_id
    WHERE r.state <> 'REVERSED' AND b.state <> 'REFUNDING'
""")
# Debits of one region's banks are one way.
PAID: Final = text("""
    SELECT CASE WHEN p.channel = 'bank_debit' THEN p.channel || ' ' || right(p.miniprogram, 6) ELSE p.channel END, count(DISTINCT p.id)
    FROM payments p JOIN transfers t ON t.payment_id = p.id AND starts_with(t.debit_account, 'clearing:') GROUP BY 1
""")
DAYS: Final = text("""
    SELECT r.merchant_account, r.day, r.state, count(d.id) FILTER (WHERE d.resolved_at IS NULL) AS open,
        coalesce(min(d.payment_no) FILTER (WHERE d.resolved_at IS NULL), '') AS payment_no,
        r.closed_by IS NOT NULL AND r.closed_by = r.signed_by AS is_one_persons
    FROM reconciliations r LEFT JOIN reconciliation_differences d ON d.reconciliation_id = r.id GROUP BY r.id ORDER BY r.day, 1
""")
EXPLAINED: Final = text("""
    SELECT kind, count(*) FROM reconciliation_differences WHERE resolved_by IS NOT NULL GROUP BY kind ORDER BY kind
""")
NONE_OF_THESE: Final[dict[str, TextClause]] = {
    "a payment is neither paid nor closed": text("SELECT payment_no FROM payments WHERE state IN ('CREATED', 'OPEN')"),
    "a notice still waits": text("SELECT payment_no FROM notices WHERE state = 'WAITING'"),
    "a parked notice that nobody dealt with": text(
        "SELECT payment_no FROM notices WHERE state = 'PARKED' AND resolved_at IS NULL"
    ),
    "a refund is not over": text(
        "SELECT p.payment_no FROM refunds r JOIN payments p ON p.id = r.payment_id"
        " WHERE r.state NOT IN ('REFUNDED', 'FAILED', 'REJECTED')"
    ),
    "a bank's file says what nobody dealt with": text("SELECT file_name FROM bank_file_faults WHERE resolved_at IS NULL"),
    "a debit is still in flight": text(
        "SELECT p.payment_no FROM debit_instructions i JOIN payments p ON p.id = i.payment_id WHERE i.state IN ('IN_FLIGHT', 'UNKNOWN')"
    ),
    "a bill is held by nobody's order": text("""
        SELECT b.bill_no FROM contribution_bills b WHERE b.state = 'LOCKED' AND NOT EXISTS (
            SELECT 1 FROM payment_order_lines l JOIN payment_orders o ON o.id = l.order_id
            WHERE l.bill_id = b.id AND l.live AND o.state IN ('CREATED', 'PREPAY', 'UNKNOWN'))"""),
    "a paid month without exactly one record of its amount": text("""
        SELECT b.bill_no FROM contribution_bills b LEFT JOIN contribution_records r
            ON r.bill_id = b.id AND r.amount_fen = b.amount_fen AND r.state <> 'REVERSED'
        WHERE b.state IN ('PAID', 'TAX_CONFIRMED', 'POSTED') GROUP BY b.id HAVING count(r.id) <> 1"""),
    "a paid month whose money did not move exactly once": text("""
        SELECT r.bill_id::text FROM contribution_records r LEFT JOIN transfers t ON t.bill_id = r.bill_id
            AND t.payment_id = r.payment_id AND t.kind = 'SETTLED' AND t.amount_fen = r.amount_fen
        WHERE r.state <> 'REVERSED' GROUP BY r.id HAVING count(t.id) <> 1"""),
}
"""What must not be at the end → the question that names it."""


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One thing that is not as it must be; `number` is what `canbao explain` takes, where there is one."""

    what: str
    number: str = ""


@dataclass(kw_only=True)
class Verdict:
    """The reckoning. Amounts in fen."""

    money_in: int = 0
    """As the providers tell it, of all accounts."""
    confirmed: int = 0
    owed_on: int = 0
    surplus: int = 0
    unknown: int = 0
    on_its_way: int = 0
    refunded: int = 0
    fees: int = 0
    """What providers kept of all that; what is owed on is owed whole."""
    accounts: int = 0
    days: int = 0
    payments: Counter[str] = field(default_factory=Counter)
    """How many brought money, by the way they came."""
    explained: Counter[str] = field(default_factory=Counter)
    """Differences that two people had to explain, by kind."""
    faults: list[Fault] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        return not self.faults

    def find(self, what: str, number: str = "") -> None:
        self.faults.append(Fault(what=what, number=number))


def reckon(session: Session, ledger: Mapping[str, Any], *, accounts: Iterable[str], days: Iterable[date]) -> Verdict:
    """Hold everything against everything. `ledger` is the sandbox's state; each of `accounts` has a bill on each of `days`."""
    verdict = Verdict()
    balances = {account: fen for account, fen in journal.balances(session).items() if fen}
    _compare_accounts(verdict, balances, ledger)
    _compare_payments(session, verdict, ledger)
    _sum_up(session, verdict, balances, ledger)
    _compare_treasuries(verdict, balances, ledger)
    _look_at_foreign_money(verdict, ledger)
    _look_at_days(session, verdict, accounts=sorted(accounts), days=sorted(days))
    for way, count in session.execute(PAID):
        verdict.payments[way] += count
    for what, question in NONE_OF_THESE.items():
        for number in session.scalars(question).fetchmany(SHOWN):
            verdict.find(what, number)
    for mode, told in sorted(ledger["probes"].items()):
        if told["accepted"]:
            verdict.find(f"{told['accepted']} letters that were {mode} were taken for authentic")
    return verdict


def _compare_treasuries(verdict: Verdict, balances: Mapping[str, int], ledger: Mapping[str, Any]) -> None:
    """What a tax authority's lists had stands in its treasury, or has come back from it."""
    for authority, listed_fen in sorted(ledger["treasury"].items()):
        ours = balances.get(f"treasury:{authority}", 0) + balances.get(f"returned:{authority}", 0)
        if ours != listed_fen:
            verdict.find(
                f"treasury:{authority} and what it returned are {yuan(ours)} in our books, and its lists had {yuan(listed_fen)}"
            )


def yuan(fen: int) -> str:
    sign, whole = ("-" if fen < 0 else ""), abs(fen)
    return f"{sign}{whole // 100:,}.{whole % 100:02d}"


def _compare_accounts(verdict: Verdict, balances: Mapping[str, int], ledger: Mapping[str, Any]) -> None:
    ours = {account.removeprefix(CLEARING): fen for account, fen in balances.items() if account.startswith(CLEARING)}
    theirs = {account: fen for account, fen in ledger["money"].items() if fen}
    verdict.accounts = len(ours.keys() | ledger["money"].keys())
    for account in sorted(ours.keys() | theirs.keys()):
        our_fen, their_fen = ours.get(account, 0), theirs.get(account, 0)
        if our_fen != their_fen:
            verdict.find(f"{CLEARING}{account} holds {yuan(our_fen)} in our books, and {yuan(their_fen)} at the provider")


def _compare_payments(session: Session, verdict: Verdict, ledger: Mapping[str, Any]) -> None:
    """Also where sums agree by chance: each payment by itself, and each of theirs must be among ours."""
    ours = {(row.account, row.provider_no): row for row in session.execute(BOOKED)}
    theirs = {(account, number): (came, went) for account, number, came, went in _moved(ledger)}
    found = 0
    for key in sorted(ours.keys() | theirs.keys()):
        row = ours.get(key)
        booked = (0, 0) if row is None else (row.came_fen, row.went_fen)
        moved = theirs.get(key, (0, 0))
        if booked != moved and found < SHOWN:
            found += 1
            verdict.find(
                f"{CLEARING}{key[0]}: payment {key[1] or '-'} brought {yuan(booked[0])} and sent back {yuan(booked[1])} in our books, "
                f"and {yuan(moved[0])} and {yuan(moved[1])} at the provider",
                row.payment_no if row is not None else key[1],
            )


def _look_at_foreign_money(verdict: Verdict, ledger: Mapping[str, Any]) -> None:
    """It is no yuan of ours and in no account: somebody at the platform returned every cent of it."""
    for order in ledger["orders"]:
        if order["currency"] != YUAN and order["paid_fen"] != order["refunded_fen"]:
            verdict.find(f"{order['provider_no']} took {order['currency']} and still holds some", order["out_trade_no"])


def _moved(ledger: Mapping[str, Any]) -> Iterator[tuple[str, str, int, int]]:
    for order in ledger["orders"]:
        if order["currency"] == YUAN and (order["paid_fen"] or order["refunded_fen"]):
            account = f"{order['channel']}:{order['merchant']}"
            yield account, str(order["provider_no"]), int(order["paid_fen"]), int(order["refunded_fen"])


def _sum_up(session: Session, verdict: Verdict, balances: Mapping[str, int], ledger: Mapping[str, Any]) -> None:
    def of(*kinds: str) -> int:
        return sum(fen for account, fen in balances.items() if account.split(":")[0] in kinds)

    moved = list(_moved(ledger))
    verdict.money_in = sum(came for _, _, came, _ in moved)
    # Of what the treasury sent back itself the providers know nothing.
    verdict.refunded = sum(went for _, _, _, went in moved) + of("returned")
    verdict.confirmed, verdict.owed_on = of("treasury"), of("contributions")
    verdict.surplus, verdict.unknown, verdict.on_its_way = of("surplus"), of("unknown"), of("refunding")
    verdict.fees = -of("fees")
    parts = (verdict.confirmed, verdict.owed_on, verdict.surplus, verdict.unknown, verdict.on_its_way, verdict.refunded)
    if verdict.money_in != sum(parts):
        verdict.find(
            f"money in is {yuan(verdict.money_in)}, and its parts are {' + '.join(map(yuan, parts))} = {yuan(sum(parts))}"
        )
    if any(fen < 0 for account, fen in balances.items() if account.startswith(("contributions:", "treasury:", "surplus:"))):
        below = min((fen, account) for account, fen in balances.items() if not account.startswith("unknown:"))
        verdict.find(f"{below[1]} is below zero: {yuan(below[0])}")
    recorded = int(session.execute(RECORDED).scalar_one())
    if recorded != verdict.confirmed + verdict.owed_on:
        verdict.find(
            f"months on record are worth {yuan(recorded)}, and confirmed and owed on are {yuan(verdict.confirmed + verdict.owed_on)}"
        )


def _look_at_days(session: Session, verdict: Verdict, *, accounts: list[str], days: list[date]) -> None:
    """Every account's every day was compared; that one, and each of a list, was signed by two, and has nothing open."""
    rows = {(row.merchant_account, row.day): row for row in session.execute(DAYS)}
    for account in accounts:
        for day in days:
            if (account, day) not in rows:
                verdict.find(f"{day} of {account} was never compared")
    for (account, day), row in rows.items():
        if row.open:
            verdict.find(f"{day} of {account} has {row.open} differences that nobody explained", row.payment_no)
        elif day in days and (row.state != "CLOSED" or row.is_one_persons):
            verdict.find(f"{day} of {account} is {row.state}, and not closed by two people")
    verdict.days = len(rows)
    for kind, count in session.execute(EXPLAINED):
        verdict.explained[kind] += count
