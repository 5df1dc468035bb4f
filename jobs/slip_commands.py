"""`canbao slips …`: counter money of which only a bank's paper tells, and what a bank paid out for us over its counter.

Names and numbers are asked for on standard input: on the command line they would stay in the shell's history.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from jobs.asking import in_words, ports_of
from services import counter_refunds, counter_slips
from services.counter_slip_papers import PayOutPaper, SlipPaper

if TYPE_CHECKING:
    from datetime import datetime

    from services.counter_slips import SlipView

BY = click.option("--by", required=True, help="Your staff number, such as S1024.")
BANK = click.option("--bank", required=True, help="The bank's code, as in the region's banks.yaml, such as ICBC.")
SERIAL = click.option("--serial", required=True, help="The bank's number of it, as printed on the paper.")
FEN = click.option("--fen", required=True, type=click.IntRange(1), help="The amount, in fen.")
PAID_ON = click.option("--paid-on", type=click.DateTime(["%Y-%m-%d"]), required=True, help="The day on the paper.")


@click.group()
def slips() -> None:
    """Paper slips of banks: one of the staff records, another approves. Names and numbers are asked for, never typed here."""


@slips.command()
@BY
@click.option("--region", required=True, help="Such as 320400.")
@BANK
@SERIAL
@click.option("--month", "months", multiple=True, required=True, help="Such as 2026-11; again for each.")
@click.option("--insurance", default=None, help="Such as 110, where the paper names one.")
@FEN
@PAID_ON
def record(
    *, by: str, region: str, bank: str, serial: str, months: tuple[str, ...], insurance: str | None, fen: int, paid_on: datetime
) -> None:
    """The first of the two: copy what the paper in your hand says."""
    name = click.prompt("姓名")
    id_number = click.prompt("证件号码")
    paper = SlipPaper(
        region=region,
        bank=bank,
        serial=serial,
        name=name,
        id_number=id_number,
        months=months,
        insurance_type=insurance,
        amount_fen=fen,
        paid_on=paid_on.date(),
    )
    with in_words():
        _show(counter_slips.record_slip(ports_of(), paper=paper, by=by))
    click.echo("recorded; another of the staff approves it with: canbao slips approve")


@slips.command("paid-out")
@BY
@click.argument("refund_no")
@BANK
@SERIAL
@FEN
@PAID_ON
def paid_out_command(*, by: str, refund_no: str, bank: str, serial: str, fen: int, paid_on: datetime) -> None:
    """The first of the two: a bank gave a refund back over its counter, and this is its paper."""
    paper = PayOutPaper(refund_no=refund_no, bank=bank, serial=serial, amount_fen=fen, paid_on=paid_on.date())
    with in_words():
        _show(counter_slips.record_pay_out(ports_of(), paper=paper, by=by))
    click.echo("recorded; another of the staff approves it with: canbao slips approve")


@slips.command()
@BY
@click.argument("slip_no")
@SERIAL
@FEN
def approve(by: str, slip_no: str, serial: str, fen: int) -> None:
    """The second of the two: read serial and amount again from the paper."""
    with in_words():
        _show(counter_slips.approve_slip(ports_of(), slip_no=slip_no, amount_fen=fen, serial=serial, by=by))
    click.echo("approved")


@slips.command()
@BY
@click.argument("slip_no")
def reject(by: str, slip_no: str) -> None:
    """Either of the two: it was copied wrongly."""
    with in_words():
        counter_slips.reject_slip(ports_of(), slip_no=slip_no, by=by)
    click.echo("rejected")


@slips.command("list")
def list_command() -> None:
    """What waits for the second of the two, and what banks have to pay out on paper."""
    ports = ports_of()
    waiting = counter_slips.list_slips(ports)
    click.echo(f"{len(waiting)} to approve" + (", oldest first" if waiting else ""))
    for each in waiting:
        _show(each)
    due = [each for way in sorted(ports.partners.slips) for each in counter_refunds.list_pay_outs(ports, way=way)]
    click.echo(f"{len(due)} to be paid out by banks")
    for refund in due:
        click.echo(f"{refund.refund_no}  {refund.amount_fen} fen  of {refund.serial}  {refund.reason}  {refund.state}")


def _show(told: SlipView) -> None:
    months = ",".join(f"{month // 100}-{month % 100:02d}" for month in told.months) or "-"
    click.echo(
        f"{told.slip_no}  {told.kind}  {told.state}  {told.bank}  {told.serial}  {told.amount_fen} fen  {told.paid_on.isoformat()}  "
        f"{months}  {told.name_masked or '-'}  {told.id_number_masked or '-'}  by {told.recorded_by}  {told.payment_state or ''}".rstrip()
    )
