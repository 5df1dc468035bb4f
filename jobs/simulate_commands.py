"""`canbao simulate`: a month of people paying, in process time, and a verdict to the fen."""

from __future__ import annotations

import sys
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import click
import psycopg
from flask import current_app

from jobs.asking import settings_of
from jobs.simulation.chances import Chances
from jobs.simulation.clock import at, begins_on
from jobs.simulation.month import Month, play, town_of
from jobs.simulation.place import Builders, open_place
from jobs.simulation.street import StreetFault
from jobs.simulation.verdict import reckon, yuan
from jobs.simulation.ways import all_ways
from services.errors import NotFound
from services.journal import explain

if TYPE_CHECKING:
    from datetime import date

    from jobs.simulation.place import Place
    from jobs.simulation.verdict import Verdict

SHOWN_EVENTS: Final = 40
MOST_DAYS: Final = 92
"""Until the end of the year whose calendar is known."""


@click.command()
@click.option("--days", type=click.IntRange(1, MOST_DAYS), default=31, show_default=True, help="How many days people pay.")
@click.option("--seed", type=int, default=20261121, show_default=True, help="The same seed plays the same month.")
@click.option(
    "--people", "count", type=click.IntRange(1, 100_000), default=1000, show_default=True, help="How large the town is."
)
@click.option(
    "--faults",
    "fault_percent",
    type=click.FloatRange(0, 100),
    default=5.0,
    show_default=True,
    help="How many of a hundred orders, calls and bills go wrong.",
)
@click.option("--keep", is_flag=True, help="Leave database, sandbox files and log for whoever wants to look.")
def simulate(*, days: int, seed: int, count: int, fault_percent: float, keep: bool) -> None:
    """Play a month against the sandbox and hold the books against its money. The last line says how it came out, and so does the exit status."""
    builders = Builders(
        build_ports=current_app.extensions["canbao.build_ports"], create_app=current_app.extensions["canbao.create_app"]
    )
    chances = Chances(seed=seed, fault_percent=fault_percent)
    try:
        with open_place(builders, settings_of(), begins_at=at(begins_on(days), 0), keep=keep) as place:
            ways = all_ways()
            residents = town_of(chances, count=count, days=days, ways=ways)
            month = Month(place=place, chances=chances, residents=residents, ways=ways, days=days, tell=click.echo)
            today = play(month)
            verdict = _judge(month, until=today)
            _tell_counts(month)
            _tell_faults(place, verdict)
            if keep:
                click.echo(f"kept: {place.settings.database_url} and {place.folder}")
    except StreetFault as fault:
        raise click.ClickException(f"seed {seed}: {fault}") from None
    except psycopg.Error as fault:
        raise click.ClickException(f"the database server gives none: {type(fault).__name__}") from None
    click.echo(last_line(verdict, days=days, seed=seed, people=count, month=month))
    sys.exit(0 if verdict.holds else 1)


def _judge(month: Month, *, until: date) -> Verdict:
    """Yesterday has no bill yet; on it nothing moved any more."""
    days = [month.first_day + timedelta(days=number) for number in range((until - month.first_day).days - 1)]
    ports, ledger = month.place.ports, month.place.street.ledger()
    with ports.begin() as session:
        return reckon(session, ledger, accounts=ports.daily_bills, days=days)


def _tell_counts(month: Month) -> None:
    click.echo("\n" + "\n".join(f"  {count:>7}  {what}" for what, count in sorted(month.tally.items()) if count) + "\n")


def _tell_faults(place: Place, verdict: Verdict) -> None:
    """Each fault, and of the first payment that has a part in one everything that is known."""
    for fault in verdict.faults:
        click.echo(f"✗ {fault.what}" + (f"; canbao explain {fault.number}" if fault.number else ""))
    for number in [fault.number for fault in verdict.faults if fault.number]:
        try:
            with place.ports.begin() as session:
                events = explain(session, payment_no=number)
        except NotFound:
            continue
        click.echo(f"\n{number}:")
        for event in events[:SHOWN_EVENTS]:
            click.echo(f"  {event.at.isoformat(timespec='seconds')}  {event.table:<21}  {event.what}")
        return


def last_line(verdict: Verdict, *, days: int, seed: int, people: int, month: Month) -> str:
    """How it came out, in one line that a machine may compare: no number of it comes from anywhere but the seed."""
    head = f"seed {seed}, {days} days, {people} people"
    if not verdict.holds:
        first = verdict.faults[0]
        return f"✗ {head}: {len(verdict.faults)} faults, first {first.what}"
    faults = sum(count for what, count in month.tally.items() if what.startswith("fault "))
    way = f" + on its way {yuan(verdict.on_its_way)}" if verdict.on_its_way else ""
    explained = ", ".join(f"{count} {kind}" for kind, count in sorted(verdict.explained.items())) or "none"
    return (
        f"✓ {head}, {sum(verdict.payments.values())} payments ({', '.join(f'{way} {count}' for way, count in sorted(verdict.payments.items()))}), {faults} faults: "
        f"money in {yuan(verdict.money_in)} = confirmed {yuan(verdict.confirmed)} + owed on {yuan(verdict.owed_on)} + surplus "
        f"{yuan(verdict.surplus)} + unknown {yuan(verdict.unknown)}{way} + refunded {yuan(verdict.refunded)}; {verdict.accounts} clearing "
        f"accounts equal the sandbox's money, of which providers kept {yuan(verdict.fees)}; {verdict.days} days closed, differences explained by people: {explained}"
    )
