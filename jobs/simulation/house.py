"""What the settle loop and the worker do, at the moments when there is something to do: the very functions that they call."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from sqlalchemy import text

from jobs.simulation.clock import at
from jobs.simulation.mishaps import BILLS, drawn
from services.payment_reminders import remind
from services.payments import ask_about_silence, close_stale
from services.reconciliation import reconcile_what_is_due
from services.refund_sending import return_surplus, send_refunds
from services.settlement import settle

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date, datetime

    from jobs.simulation.month import Month
    from services.ports import Ports

MINUTES_AFTER_AN_ORDER: Final = (12, 45)
"""When its silence is asked about, and when what lapsed is closed."""
HOURS: Final = (0, 6, 12, 18, 23)
"""At half past: what nobody ordered anew is looked after then."""
RECONCILES_AT: Final = ((10, 30), (14, 30), (18, 30))
"""Bills are there from ten; what could not be had is fetched later."""
SWEEPS_AT_ONCE: Final = 100
ROUNDS: Final = 50

# Not over, or moved so lately that no bill of it was compared.
RESTLESS = text("""
    SELECT (SELECT count(*) FROM payments WHERE state IN ('CREATED', 'OPEN'))
        + (SELECT count(*) FROM refunds WHERE state IN ('APPLIED', 'APPROVED', 'SENT', 'ABNORMAL', 'HRSS_REVIEW', 'TAX_REVIEW', 'TREASURY'))
        + (SELECT count(*) FROM notices WHERE state = 'WAITING' OR (state = 'PARKED' AND resolved_at IS NULL))
        + (SELECT count(*) FROM reconciliation_differences WHERE resolved_at IS NULL)
        + (SELECT count(*) FROM reconciliations WHERE state <> 'CLOSED' AND day < :today)
        + (SELECT count(*) FROM contribution_records WHERE state IN ('PAID', 'TAX_CONFIRMED'))
        + (SELECT count(*) FROM transfers WHERE at >= :since AND (debit_account LIKE 'clearing:%' OR credit_account LIKE 'clearing:%'))
""")
HELD = text("""
    SELECT coalesce(sum(CASE WHEN debit_account LIKE 'clearing:%' THEN amount_fen ELSE 0 END
        - CASE WHEN credit_account LIKE 'clearing:%' THEN amount_fen ELSE 0 END), 0)::bigint FROM transfers
""")


def settle_all(month: Month) -> None:
    # Not counted: whether a notice or an answer tells of a refund first is the couriers' affair.
    while settle(month.place.ports):
        pass


def settle_mail(month: Month) -> None:
    """As the settle loop would, which never sleeps long: whatever the letterbox took in."""
    if month.place.letterbox.has_mail():
        settle_all(month)


def sweep(month: Month) -> None:
    """Ask, close, send back, and settle what came of it."""
    ports = month.place.ports
    month.tally["asked"] += _to_its_end(lambda: ask_about_silence(ports, limit=SWEEPS_AT_ONCE), at_most=SWEEPS_AT_ONCE)
    # What cannot be closed now stays stale, so that a sweep is not run until it finds nothing.
    month.tally["closed"] += close_stale(ports)
    month.tally["owed back"] += _to_its_end(lambda: return_surplus(ports, limit=SWEEPS_AT_ONCE), at_most=SWEEPS_AT_ONCE)
    month.tally["refund calls"] += _to_its_end(lambda: send_refunds(ports, limit=SWEEPS_AT_ONCE), at_most=SWEEPS_AT_ONCE)
    settle_all(month)


def _to_its_end(run: Callable[[], int], *, at_most: int) -> int:
    total = 0
    for _ in range(ROUNDS):
        done = run()
        total += done
        if done < at_most:
            break
    return total


def plan_sweeps(month: Month, ordered_at: datetime) -> None:
    """After somebody ordered: the moments at which the worker has something to do about it."""
    for minutes in MINUTES_AFTER_AN_ORDER:
        month.diary.once_at(ordered_at + timedelta(minutes=minutes), "sweep", lambda: sweep(month))


def plan_day(month: Month, day: date) -> None:
    for hour in HOURS:
        month.diary.once_at(at(day, hour, 30), "sweep", lambda: sweep(month))
    month.diary.at(at(day, 9, 13), lambda: _remind(month))
    month.diary.at(at(day, 10, 29), lambda: _spoil_bills(month, day))
    for hour, minute in RECONCILES_AT:
        month.diary.at(at(day, hour, minute), lambda: _reconcile(month))


def _remind(month: Month) -> None:
    month.tally["reminders"] += remind(month.place.ports)


def _spoil_bills(month: Month, day: date) -> None:
    """Now and then a day's bill cannot be had at once."""
    programs = month.place.ports.partners.miniprograms
    for account in sorted(month.place.ports.daily_bills):
        channel, _, merchant = account.partition(":")
        mishap = drawn(month.chances, month.chances.of("bill", day, account), BILLS.get(channel, ()))
        app_id = next((each.app_id for each in programs.values() if each.merchant == merchant), None)
        if mishap is not None and app_id is not None:
            month.place.street.misbehave(f"app:{app_id}", mishap.fault, mishap.value, operation=mishap.operation)
            month.tally[f"fault {mishap}"] += 1


def _reconcile(month: Month) -> None:
    month.tally["days compared"] += reconcile_what_is_due(month.place.ports)


def is_quiet(month: Month, *, before: date) -> bool:
    """Whether nothing is under way, and nothing has moved that no compared bill can have shown."""
    today = before - timedelta(days=1)
    return not _count(month.place.ports, RESTLESS, since=at(today, 0), today=today)


def _count(ports: Ports, question: object, **given: object) -> int:
    with ports.begin() as session:
        return int(session.execute(question, given).scalar_one())  # type: ignore[call-overload]


def day_line(month: Month) -> str:
    """Where the month stands, in a line."""
    held = _count(month.place.ports, HELD)
    paid = sum(count for what, count in month.tally.items() if what.startswith("paid by "))
    faults = sum(count for what, count in month.tally.items() if what.startswith("fault "))
    return (
        f"orders {month.tally['orders']}, paid {paid}, faults {faults}, sent back {month.tally['owed back'] + month.tally['cases']}, "
        f"days compared {month.tally['days compared']}, held {held // 100:,}.{held % 100:02d}"
    )
