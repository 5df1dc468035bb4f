"""Reminders: five days and one day before a month's cut-off, to whoever has not paid and has an account here. Never twice.

A sweep that comes late reminds late, as long as the cut-off has not passed; one that never comes reminds nobody, and nothing else
goes wrong. The key of `payment_reminders` keeps the promise, in the transaction that writes the message.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import text

from config.months import YearMonth
from config.rulebook import Capability, NoRuleInForce
from models.bills import BillKind
from models.messages import MessageKey
from services.arrays import array
from services.collection_dates import collection_dates
from services.consents import NAME_NOT_TAKEN_BACK
from services.enrollment_tiers import plan_for_many

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date

    from config.rulebook import CollectionCalendar, Region
    from services.ports import Ports

DAYS_BEFORE: Final = {MessageKey.PAYMENT_DUE_SOON: 5, MessageKey.PAYMENT_DUE_TOMORROW: 1}
PART: Final = 10_000
"""Messages a transaction."""

# What can be paid on the phone today, and is not: this month's bill, what is unpaid before it, and differences. A month that somebody
# is paying just now is not told. Of several accounts of one person, the one that signed in last hears it, and only in a mini-program
# that can take the payment. Whoever took back the consent to use their name is not told what they owe.
REMIND = text(f"""
    WITH payable AS (
        SELECT * FROM unnest(CAST(:insurances AS text[]), CAST(:kinds AS text[]), CAST(:firsts AS bigint[]), CAST(:lasts AS bigint[]))
            AS p(insurance_type, kind, first, last)),
    owed AS (
        SELECT e.person_id, sum(b.amount_fen)::bigint AS amount_fen, to_jsonb(array_agg(DISTINCT b.coverage_month)) AS months
        FROM contribution_bills b JOIN enrollments e ON e.id = b.enrollment_id
            JOIN payable p ON p.insurance_type = b.insurance_type AND p.kind = b.kind
                AND b.coverage_month >= p.first AND b.coverage_month <= p.last
        WHERE b.state = 'UNPAID' AND b.region = :region AND e.pooling_area = ANY(:areas)
        GROUP BY e.person_id HAVING bool_or(b.coverage_month = :month AND b.kind = 'NORMAL')),
    reached AS (
        SELECT DISTINCT ON (a.person_id) a.person_id, a.id AS account_id, o.amount_fen, o.months
        FROM owed o JOIN accounts a ON a.person_id = o.person_id
        WHERE a.closed_at IS NULL AND a.miniprogram = ANY(:miniprograms)
            AND {NAME_NOT_TAKEN_BACK}
        ORDER BY a.person_id, a.signed_in_at DESC NULLS LAST, a.id DESC),
    noted AS (
        INSERT INTO payment_reminders (person_id, region, coverage_month, template, account_id, created_at)
        SELECT r.person_id, :region, :month, :template, r.account_id, :now FROM reached r
        WHERE NOT EXISTS (SELECT 1 FROM payment_reminders n WHERE n.person_id = r.person_id AND n.region = :region
            AND n.coverage_month = :month AND n.template = :template)
        ORDER BY r.person_id LIMIT :part
        ON CONFLICT DO NOTHING RETURNING person_id, account_id)
    INSERT INTO messages (account_id, template, facts, created_at)
    SELECT n.account_id, :template, jsonb_build_object('amount_fen', r.amount_fen, 'months', r.months, 'due_on', CAST(:due_on AS text)), :now
    FROM noted n JOIN reached r ON r.person_id = n.person_id
""")  # noqa: S608 - our own words only


def remind(ports: Ports) -> int:
    """Write what is due today, region by region. How many messages."""
    written = 0
    for region in ports.rulebook.regions.values():
        for given in _due_today(ports, region):
            written += _write(ports, given)
    return written


def _write(ports: Ports, given: dict[str, Any]) -> int:
    written = 0
    while True:
        with ports.begin() as session:
            plan_for_many(session)
            count: int = session.connection().execute(REMIND, {**given, "now": ports.now(), "part": PART}).rowcount
        written += count
        if count < PART:
            return written


def _due_today(ports: Ports, region: Region) -> list[dict[str, Any]]:
    """For each cut-off that is near: which reminder, for which areas, and which bills count."""
    today = ports.today()
    this_month = YearMonth.of(today)
    programs = [
        code for code, program in ports.partners.miniprograms.items() if region.code in program.regions and program.merchant
    ]
    if not programs or not ports.offers(region, Capability.PAY_OWN):
        return []
    found = []
    # A cut-off at the end of a month may have moved into the next one.
    for month in (this_month.plus(-1), this_month):
        areas_of: dict[CollectionCalendar, list[str]] = {}
        for area in region.pooling_areas:
            calendar = region.collection_calendar(area, month.first_day)
            if calendar is not None:
                areas_of.setdefault(calendar, []).append(area)
        for calendar, areas in areas_of.items():
            dates = collection_dates(region, areas[0], month)
            due_on = dates.due_on if dates is not None else None
            template = which_reminder(due_on, today) if due_on is not None else None
            if due_on is None or template is None:
                continue
            payable = payable_bills(region, month, today, supplements=calendar.supplements_online)
            found.append(
                {
                    "region": region.code,
                    "areas": areas,
                    "miniprograms": programs,
                    "month": month.number,
                    "template": template,
                    "due_on": due_on.isoformat(),
                    **as_arrays(payable),
                }
            )
    return found


def which_reminder(due_on: date, today: date) -> MessageKey | None:
    """The reminder that is due today: each from its day on until the next one's, the last until the cut-off itself. Pure."""
    due = [key for key, days in DAYS_BEFORE.items() if due_on - timedelta(days=days) <= today <= due_on]
    return due[-1] if due else None


@dataclass(frozen=True, kw_only=True)
class Payable:
    """Bills of one insurance and kind that are taken today, from one coverage month to another."""

    insurance_type: str
    kind: BillKind
    first: int
    last: int


def as_arrays(payable: Iterable[Payable]) -> dict[str, str]:
    """Whole columns for the statements that look for such bills. Pure."""
    rows = list(payable)
    return {
        "insurances": array(each.insurance_type for each in rows),
        "kinds": array(str(each.kind) for each in rows),
        "firsts": array(each.first for each in rows),
        "lasts": array(each.last for each in rows),
    }


def payable_bills(region: Region, month: YearMonth, today: date, *, supplements: bool) -> list[Payable]:
    """What bills are taken in a region today, on the phone and by debit alike, while `month` is collected. Pure."""
    found = []
    first_of_all = min(region.bills_from() or month, month)
    months = [first_of_all.plus(number) for number in range(month.minus(first_of_all) + 1)]
    for insurance in region.insurances(today):
        code = insurance.insurance_type
        try:
            window = region.arrears_window(code, today)
        except NoRuleInForce:
            continue
        allowed = [each.number for each in months if window.allows(each, today)]
        if allowed:
            found.append(Payable(insurance_type=code, kind=BillKind.NORMAL, first=min(allowed), last=max(allowed)))
        if supplements:
            found.append(Payable(insurance_type=code, kind=BillKind.SUPPLEMENT, first=first_of_all.number, last=month.number))
    return found
