"""`canbao refunds …`: apply for a refund, decide it, and follow the treasury's road; what staff do until they do it at the console."""

from __future__ import annotations

import click

from config.clock import BEIJING
from jobs.asking import in_words, ports_of
from models.refunds import RefundReason, RefundState
from services import money_back
from services import refunds as refunds_service

STEPS = {
    "registrar-agreed": RefundState.TAX_REVIEW,
    "tax-agreed": RefundState.TREASURY,
    "treasury-paid": RefundState.REFUNDED,
    "refused": RefundState.REJECTED,
}
who_option = click.option("--who", required=True, help="Your own staff number, such as S1024.")
words_option = click.option("--words", required=True, help="Why, in a few words; names and numbers of people are refused.")


@click.group("refunds")
def refunds() -> None:
    """Money that goes back."""


@refunds.command("list")
def list_command() -> None:
    """What is not over yet, or failed and is owed as before; the oldest first."""
    with ports_of().begin() as session:
        rows = money_back.open_refunds(session)
    for row in rows:
        at = row.created_at.astimezone(BEIJING).strftime("%Y-%m-%d %H:%M")
        fault = f"  {row.fault}" if row.fault else ""
        click.echo(
            f"{row.refund_no}  {at}  {row.state}  {row.amount_fen} fen  {row.reason}  payment {row.payment_no}  {row.applied_by}{fault}"
        )
    if not rows:
        click.echo("none")


@refunds.command("apply")
@click.argument("payment_no")
@click.option("--bill", "bill_nos", multiple=True, help="A month that this payment paid, by its bill number; again for each.")
@click.option("--already-back", is_flag=True, help="The provider sent these months' money back unasked: only the books follow.")
@click.option("--fen", type=click.IntRange(1), help="Of money that settled nothing: how much, where not all of it.")
@click.option("--reason", required=True, type=click.Choice([str(each) for each in RefundReason]))
@words_option
@who_option
def apply_command(
    *, payment_no: str, bill_nos: tuple[str, ...], already_back: bool, fen: int | None, reason: str, words: str, who: str
) -> None:
    """Ask that money goes back: months that were paid, or what of a payment settled nothing. Somebody else decides."""
    wish = refunds_service.RefundWish(
        payment_no=payment_no,
        bill_nos=bill_nos,
        amount_fen=fen,
        reason=RefundReason(reason),
        words=words,
        went_back_already=already_back,
    )
    with in_words():
        click.echo(refunds_service.apply_for_refund(ports_of(), wish=wish, who=f"staff:{who}"))


@refunds.command("approve")
@click.argument("refund_no")
@words_option
@who_option
def approve_command(refund_no: str, words: str, who: str) -> None:
    """Yes: the worker sends it, the treasury's road begins, or the books follow what went back."""
    with in_words():
        refunds_service.decide_refund(ports_of(), refund_no=refund_no, approve=True, words=words, who=f"staff:{who}")
    click.echo("approved")


@refunds.command("reject")
@click.argument("refund_no")
@words_option
@who_option
def reject_command(refund_no: str, words: str, who: str) -> None:
    """No: everything stays as it is."""
    with in_words():
        refunds_service.decide_refund(ports_of(), refund_no=refund_no, approve=False, words=words, who=f"staff:{who}")
    click.echo("rejected")


@refunds.command("step")
@click.argument("refund_no")
@click.argument("answer", type=click.Choice(list(STEPS)))
@words_option
@who_option
def step_command(refund_no: str, answer: str, words: str, who: str) -> None:
    """Write down what registrar, tax authority or treasury answered about money that the treasury has."""
    with in_words():
        refunds_service.advance_refund(ports_of(), refund_no=refund_no, to=STEPS[answer], words=words, who=f"staff:{who}")
    click.echo("noted")
