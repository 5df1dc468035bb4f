"""`canbao debits …`: make a run, exchange files with the banks, and look at what came of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from config.clock import BEIJING
from jobs.asking import in_words, ports_of
from services import debit_batches, debit_faults, debit_files, debit_making

if TYPE_CHECKING:
    from services.debit_batches import BatchView

MOST_LISTED = 200


@click.group()
def debits() -> None:
    """Debit runs: batches to banks, and their results. The worker does the first two by itself."""


@debits.command("make")
def make_command() -> None:
    """Make today's run, where the calendar has one and its hour has come. Again adds nothing."""
    made = debit_making.make_debits(ports_of())
    click.echo(f"{made} lines" if made else "nothing to make: no run today, not its hour yet, made already, or nobody owes")


@debits.command("exchange")
@click.option("--way", help="One bank's code in the mini-programs file; otherwise all.")
def exchange_command(way: str | None) -> None:
    """Send what is made, read what the banks have written, ask about what is silent."""
    ports = ports_of()
    if way is not None and way not in ports.debit_banks:
        raise click.ClickException(f"there is no bank {way}; there are {', '.join(sorted(ports.debit_banks)) or 'none'}")
    done = debit_files.exchange(ports, way=way)
    with ports.begin() as session:
        waiting = len(debit_faults.open_faults(session))
    click.echo(f"{done} files" + (f"; {waiting} things wait for a person: canbao debits faults" if waiting else ""))


@debits.command("list")
def list_command() -> None:
    """Batches, the newest first."""
    with ports_of().begin() as session:
        batches, _ = debit_batches.list_batches(session, ways=None, limit=MOST_LISTED)
    for batch in batches:
        _show(batch)
    if not batches:
        click.echo("none")


@debits.command("show")
@click.argument("batch_id", type=int)
def show_command(batch_id: int) -> None:
    """One batch with each of its lines; of a card only the last four digits."""
    with in_words(), ports_of().begin() as session:
        batch = debit_batches.read_batch(session, batch_id=batch_id)
        lines, _ = debit_batches.list_lines(session, batch_id=batch_id, limit=batch.lines)
    _show(batch)
    for line in lines:
        told = f"{line.result or '-'} {line.bank_code or ''}".strip()
        serial = f"  {line.bank_serial} booked {line.booked_on}" if line.bank_serial else ""
        click.echo(
            f"{line.seq:>6}  {line.state}  {line.amount_fen} fen  {told}  payment {line.payment_no}  agreement {line.agreement_no}  "
            f"{line.card_masked}{serial}"
        )


@debits.command("faults")
@click.option("--resolve", "fault_id", type=int, metavar="ID", help="Say what became of it.")
@click.option("--words", help="What you found, in a few words; names and numbers of people are refused.")
@click.option("--who", help="Your own staff number, such as S1024.")
def faults_command(fault_id: int | None, words: str | None, who: str | None) -> None:
    """What in the banks' files made no sense, the oldest first."""
    ports = ports_of()
    if fault_id is not None:
        if not words or not who:
            raise click.ClickException("this wants --words and --who, such as --words 银行已重新回盘 --who S1024")
        with in_words():
            debit_faults.resolve_fault(ports, fault_id=fault_id, words=words, who=f"staff:{who}")
        click.echo("resolved")
        return
    with ports.begin() as session:
        rows = debit_faults.open_faults(session)
    for row in rows:
        seen = row.first_seen_at.astimezone(BEIJING).strftime("%Y-%m-%d %H:%M")
        where = f"{row.file_name}" + (f":{row.line}" if row.line else "") + (f" line no. {row.seq}" if row.seq else "")
        fen = "" if row.amount_fen is None else f"  {row.amount_fen} fen"
        click.echo(f"{row.id}  {row.way}  {where}  {row.kind}  {row.what}{fen}  seen {seen}: {row.next_step}")
    if not rows:
        click.echo("none")


def _show(batch: BatchView) -> None:
    due = batch.result_due_at.astimezone(BEIJING).strftime("%Y-%m-%d %H:%M")
    click.echo(
        f"{batch.id}  {batch.way}  {batch.run_day} no. {batch.number}  {batch.state}  {batch.lines} lines {batch.total_fen} fen  "
        f"paid {batch.succeeded} ({batch.succeeded_fen} fen), failed {batch.failed}, under way {batch.under_way}  "
        f"asked {batch.asks}, results by {due}"
    )
