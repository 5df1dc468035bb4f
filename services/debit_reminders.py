"""Reminders of a debit run (R-XJ-24): some days before, and the day before, how much has to lie on the card. Never twice.

What is told is what the run would take: the bills that are unpaid on that day, as billed. A sweep that comes late reminds late, as long as the run
has not begun; the key of `debit_reminders` keeps the promise, in the transaction that writes the message.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import text

from models.messages import MessageKey
from services.arrays import array
from services.consents import NAME_NOT_TAKEN_BACK
from services.debit_calendar import runs, terms_of
from services.debit_making import WANTED
from services.payment_reminders import as_arrays

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from config.rulebook import Region
    from services.debit_calendar import Run
    from services.ports import Ports

FARTHEST: Final = timedelta(days=20)
"""No run is told of earlier than that."""
PART: Final = 10_000
"""Messages a transaction."""

REMIND = text(f"""
    WITH owed AS (
        SELECT a.id, a.person_id, a.account_id, sum(b.amount_fen)::bigint AS amount_fen,
            to_jsonb(array_agg(DISTINCT b.coverage_month)) AS months
        {WANTED} AND a.bank = ANY(CAST(:banks AS text[])) AND NOT EXISTS (SELECT 1 FROM debit_reminders n WHERE n.agreement_id = a.id AND n.run_day = :run_day AND n.template = :template)
        GROUP BY a.id),
    reached AS (
        SELECT DISTINCT ON (o.id) o.id AS agreement_id, a.id AS account_id, o.amount_fen, o.months
        FROM owed o JOIN accounts a ON a.person_id = o.person_id
        WHERE a.closed_at IS NULL AND a.miniprogram = ANY(CAST(:miniprograms AS text[]))
            AND {NAME_NOT_TAKEN_BACK}
        ORDER BY o.id, (a.id = o.account_id) DESC NULLS LAST, a.signed_in_at DESC NULLS LAST, a.id DESC),
    noted AS (
        INSERT INTO debit_reminders (agreement_id, run_day, template, account_id, created_at)
        SELECT r.agreement_id, :run_day, :template, r.account_id, :now FROM reached r ORDER BY r.agreement_id LIMIT :part
        ON CONFLICT DO NOTHING RETURNING agreement_id, account_id)
    INSERT INTO messages (account_id, template, facts, created_at)
    SELECT n.account_id, :template, jsonb_build_object('amount_fen', r.amount_fen, 'months', r.months, 'due_on', CAST(:due_on AS text)), :now
    FROM noted n JOIN reached r ON r.agreement_id = n.agreement_id
""")  # noqa: S608 - what is put in are words of our own


def remind_of_debits(ports: Ports) -> int:
    """Write what is due today, region by region; answers how many messages."""
    written = 0
    for region in ports.rulebook.regions.values():
        for given in _due_today(ports, region):
            written += _write(ports, given)
    return written


def _write(ports: Ports, given: dict[str, Any]) -> int:
    written = 0
    while True:
        with ports.begin() as session:
            count: int = session.connection().execute(REMIND, {**given, "now": ports.now(), "part": PART}).rowcount
        written += count
        if count < PART:
            return written


def _due_today(ports: Ports, region: Region) -> list[dict[str, Any]]:
    today = ports.today()
    programs = [code for code, program in ports.partners.miniprograms.items() if region.code in program.regions]
    banks = [link.bank for link in ports.partners.banks.values() if link.authority == region.authority]
    terms = terms_of(region, today)
    if not programs or not banks or terms is None:
        return []
    found, told = [], set[str]()
    # Only the next run of each area: what that one takes, the run after it need not announce.
    for run in runs(region, first=today, last=today + FARTHEST):
        areas = [area for area in run.areas if area not in told]
        told |= set(areas)
        template = which_reminder(run.day, today, terms.reminder_days_before)
        if template is not None and areas:
            found.append({**_given(region, run, areas, template), "banks": array(banks), "miniprograms": array(programs)})
    return found


def _given(region: Region, run: Run, areas: list[str], template: MessageKey) -> dict[str, Any]:
    return {
        "region": region.code,
        "areas": array(areas),
        "run_day": run.day,
        "due_on": run.day.isoformat(),
        "template": template,
        **as_arrays(run.payable),
    }


def which_reminder(run_day: date, today: date, days_before: Sequence[int]) -> MessageKey | None:
    """The reminder that is due today: the early one from the first of these days on, the last one from the last of them on; on the day
    of the run itself none, since the money may be under way already. Pure.
    """
    left = (run_day - today).days
    if left < 1 or left > max(days_before):
        return None
    return MessageKey.DEBIT_TOMORROW if left <= min(days_before) else MessageKey.DEBIT_COMING
