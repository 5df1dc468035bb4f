"""`canbao reconcile`, `canbao differences`: each day against the providers' own bills, and what did not agree."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import click

from config.clock import BEIJING
from jobs.asking import in_words, ports_of
from jobs.progress import bar
from providers.bills import BillDamaged, BillNotReady
from providers.protocols import ProviderError
from services import reconciliation
from services.differences import agree_to_difference, explain_difference

if TYPE_CHECKING:
    from datetime import datetime

    from rich.progress import Progress, TaskID


@click.command()
@click.option(
    "--day", required=True, type=click.DateTime(["%Y-%m-%d"]), help="A day of Beijing that is over, such as 2026-11-20."
)
@click.option("--account", help="One merchant account only, such as wechat_pay:1900003204.")
@click.option("--sign", is_flag=True, help="Sign the day instead, once nothing is open; the second of the staff closes it.")
@click.option("--who", help="With --sign: your own staff number, such as S1024.")
def reconcile(day: datetime, account: str | None, *, sign: bool, who: str | None) -> None:
    """Compare a day with the providers' own bills; what our books miss is heard from them. Again does no harm."""
    ports = ports_of()
    if sign:
        if not who or not account:
            raise click.ClickException("this wants --account and --who, such as --account wechat_pay:1900003204 --who S1024")
        with in_words():
            closed = reconciliation.sign_day(ports, merchant_account=account, day=day.date(), who=f"staff:{who}")
        click.echo("closed" if closed else "signed; somebody else closes it by signing too")
        return
    failed = open_count = 0
    for each in [account] if account else sorted(ports.daily_bills):
        try:
            with bar() as shown, in_words():
                task = shown.add_task(each, total=None)
                done = reconciliation.reconcile(
                    ports, merchant_account=each, day=day.date(), on_progress=partial(_show, shown, task)
                )
        except BillNotReady:
            trouble = "their bill is not made up yet; come back after 10:00"
        except BillDamaged as fault:
            trouble = f"their bill is damaged and nothing of it was used: {fault}"
        except ProviderError as fault:
            trouble = f"their bill cannot be had: {fault}"
        else:
            open_count += done.differences
            bill = f"{done.trades} payments, {done.refunds} refunds" if done.has_bill else "no bill, as of a day without trades"
            click.echo(
                f"{each} {done.day}: {bill}; {done.matched} agree, {done.heard} heard of only now, {done.differences} open; "
                f"came {done.trade_fen} fen, went back {done.refund_fen} fen, fees {done.fee_fen} fen"
            )
            continue
        failed += 1
        click.echo(f"{each} {day.date()}: {trouble}")
    if open_count:
        click.echo("what is open: canbao differences")
    if failed:
        raise click.exceptions.Exit(1)


@click.command()
@click.option(
    "--explain", "explained_id", type=int, metavar="ID", help="Say why the two do not agree; somebody else agrees to it."
)
@click.option("--agree", "agreed_id", type=int, metavar="ID", help="Agree to what somebody else said; it is open no longer.")
@click.option("--words", help="With --explain: why, in a few words; names and numbers of people are refused.")
@click.option("--who", help="Your own staff number, such as S1024.")
def differences(explained_id: int | None, agreed_id: int | None, words: str | None, who: str | None) -> None:
    """What the books and the providers' bills do not agree on, the oldest first."""
    ports = ports_of()
    if explained_id is not None:
        if not words or not who:
            raise click.ClickException("this wants --words and --who, such as --words '跨日入账，次日账单已有' --who S1024")
        with in_words():
            explain_difference(ports, difference_id=explained_id, words=words, who=f"staff:{who}")
        click.echo(f"explained; somebody else agrees to it: canbao differences --agree {explained_id} --who …")
        return
    if agreed_id is not None:
        if not who:
            raise click.ClickException("this wants --who, such as --who S2048")
        with in_words():
            agree_to_difference(ports, difference_id=agreed_id, who=f"staff:{who}")
        click.echo("resolved")
        return
    with ports.begin() as session:
        rows = reconciliation.open_differences(session)
    for row in rows:
        seen = row.first_seen_at.astimezone(BEIJING).strftime("%Y-%m-%d %H:%M")
        number = f"{row.provider_payment_no} {row.refund_key}".strip()
        click.echo(
            f"{row.id}  {row.merchant_account} {row.day}  {row.kind} {row.subject}  payment {row.payment_no}  theirs {number}"
        )
        if row.coverage_month is not None:
            where = "" if row.line is None else f", line {row.line} of its file"
            click.echo(f"    {row.insurance_type} of {row.coverage_month}{where}; {row.why or row.kind}")
        click.echo(f"    bill {_fen(row.bill_fen)}, books {_fen(row.our_fen)}, seen {seen}: {row.next_step}")
        if row.explained_by is not None:
            click.echo(f"    explained by {row.explained_by}: {row.resolution}; waits for somebody else to agree")
    if not rows:
        click.echo("none")


def _show(shown: Progress, task: TaskID, rows: int) -> None:
    shown.update(task, completed=rows)


def _fen(fen: int | None) -> str:
    return "nothing" if fen is None else f"{fen} fen"
