"""The worker's sweeps of debits: runs are made, files exchanged with the banks, and people reminded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jobs.sweeping import sweep
from services.debit_files import exchange
from services.debit_making import make_debits
from services.debit_reminders import remind_of_debits

if TYPE_CHECKING:
    from services.ports import Ports


@sweep("make_debits", cron="*/10 * * * *")
def make_debit_runs(ports: Ports) -> int:
    """On the day of a run, from its hour on: every bank's batches, once."""
    return make_debits(ports)


@sweep("exchange_debits", cron="*/5 * * * *")
def exchange_with_banks(ports: Ports) -> int:
    """Batches go out, results come in, and silence is asked about. Banks take hours, and count how often somebody connects."""
    return exchange(ports)


@sweep("remind_of_debits", cron="23 1-12 * * *")
def remind_debited(ports: Ports) -> int:
    """Before a run, by day in Beijing (09:23 to 20:23): how much has to lie on the card."""
    return remind_of_debits(ports)
