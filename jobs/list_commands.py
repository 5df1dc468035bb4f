"""`canbao tax-list`, `canbao registrar-list`, `canbao tax-missing`: the authorities' files, and what to send to them once more."""

from __future__ import annotations

import csv
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from config.clock import BEIJING
from jobs.asking import in_words, ports_of
from jobs.progress import bar
from providers.bills import BillDamaged, BillNotReady
from services import authority_lists, tax_missing

if TYPE_CHECKING:
    from collections.abc import Callable

    from services.authority_lists import ListRead

FILE = click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))


@click.command("tax-list")
@FILE
def tax_list(file: Path) -> None:
    """Confirm the months of a tax authority's list. Again changes nothing. Exits 1 when lines wait for a person."""
    _read(file, authority_lists.read_tax_list, moved="confirmed")


@click.command("registrar-list")
@FILE
def registrar_list(file: Path) -> None:
    """Post the months of a registrar's return file. Again changes nothing. Exits 1 when lines wait for a person."""
    _read(file, authority_lists.read_registrar_list, moved="posted")


def _read(file: Path, read: Callable[..., ListRead], *, moved: str) -> None:
    try:
        with bar() as shown, in_words():
            task = shown.add_task(file.name, total=None)
            done = read(ports_of(), file, on_progress=lambda number, of: shown.update(task, completed=number, total=of))
    except BillNotReady as fault:
        raise click.ClickException(f"{file.name}: {fault}") from None
    except BillDamaged as fault:
        raise click.ClickException(f"{file.name} is damaged and nothing of it was used: {fault}") from None
    click.echo(
        f"{done.account} {done.day}: {done.lines} lines, {done.total_fen} fen; {done.moved} {moved}, {done.taken_in} of them heard of "
        f"only now; {done.known} known before, {done.differences} open"
    )
    if done.differences:
        click.echo("what is open: canbao differences")
        sys.exit(1)


@click.command("tax-missing")
def tax_missing_command() -> None:
    """What was paid and waits too long for the tax authority's list, as CSV to send to them once more. Nothing of a person is in it."""
    ports = ports_of()
    tax_missing.tell_tax_missing(ports)
    written = csv.writer(sys.stdout, lineterminator="\n")
    written.writerow(
        (
            "authority",
            "payment_no",
            "provider_payment_no",
            "bill_no",
            "insurance_type",
            "coverage_month",
            "amount_fen",
            "paid_at",
        )
    )
    for each in tax_missing.missing_months(ports):
        written.writerow(
            (
                each.authority, each.payment_no, each.provider_payment_no, each.bill_no, each.insurance_type, each.coverage_month,
                each.amount_fen, each.paid_at.astimezone(BEIJING).isoformat(timespec="seconds"),
            )
        )  # fmt: skip
