"""`canbao agreements …`: withholding agreements that were signed at a bank's branch, and what banks say of agreements later.

Names and numbers are asked for on standard input: on the command line they would stay in the shell's history.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from config.clock import BEIJING
from jobs.asking import in_words, ports_of
from models.withholding_agreements import AgreementReason
from services import branch_agreements
from services.branch_agreements import STOPS, SignedPaper

if TYPE_CHECKING:
    from datetime import datetime

    from services.branch_agreements import RecordedView

BY = click.option("--by", required=True, help="Your staff number, such as S1024.")
NUMBER = click.argument("agreement_no")


@click.group()
def agreements() -> None:
    """Agreements signed at a branch: one of the staff records, another confirms. Names and numbers are asked for, never typed here."""


@agreements.command()
@BY
@click.option("--region", required=True, help="Such as 320400.")
@click.option("--insurance", required=True, help="Such as 110.")
@click.option("--bank", required=True, help="The bank's code, as in the region's banks.yaml, such as BOC.")
@click.option("--signed-on", type=click.DateTime(["%Y-%m-%d"]), required=True)
@click.option(
    "--activated/--not-activated", default=None, required=True, help="Whether the card's financial function is activated."
)
@click.option("--bank-number", default=None, help="The bank's own number of the agreement, where there is one.")
def record(
    by: str, region: str, insurance: str, bank: str, signed_on: datetime, *, activated: bool, bank_number: str | None
) -> None:
    """The first of the two: type what the agreement in your hand says."""
    name = click.prompt("姓名")
    id_number = click.prompt("证件号码")
    card_number = click.prompt("银行卡号")
    paper = SignedPaper(
        region=region,
        insurance_type=insurance,
        name=name,
        id_number=id_number,
        bank=bank,
        card_number=card_number,
        bank_agreement_no=bank_number,
        financial_function_activated=activated,
        signed_on=signed_on.date(),
    )
    with in_words():
        _show(branch_agreements.record(ports_of(), paper=paper, by=by))
    click.echo("recorded; another of the staff confirms it with: canbao agreements confirm")


@agreements.command()
@BY
@NUMBER
def confirm(by: str, agreement_no: str) -> None:
    """The second of the two: type the card's number again from the paper."""
    with in_words():
        _show(branch_agreements.look_at(ports_of(), agreement_no=agreement_no))
        card_number = click.prompt("银行卡号")
        branch_agreements.confirm(ports_of(), agreement_no=agreement_no, card_number=card_number, by=by)
    click.echo("confirmed")


@agreements.command()
@BY
@NUMBER
def refuse(by: str, agreement_no: str) -> None:
    """Either of the two: it was recorded wrongly."""
    with in_words():
        branch_agreements.refuse(ports_of(), agreement_no=agreement_no, by=by)
    click.echo("refused")


@agreements.command()
@BY
@NUMBER
@click.option("--why", type=click.Choice([str(each) for each in STOPS]), required=True)
def suspend(by: str, agreement_no: str, why: str) -> None:
    """The bank says that the card cannot be debited for now."""
    with in_words():
        branch_agreements.suspend(ports_of(), agreement_no=agreement_no, why=AgreementReason(why), by=by)
    click.echo("suspended")


@agreements.command()
@BY
@NUMBER
def resume(by: str, agreement_no: str) -> None:
    """The bank says that the card is well again."""
    with in_words():
        branch_agreements.resume(ports_of(), agreement_no=agreement_no, by=by)
    click.echo("resumed")


@agreements.command()
@BY
@NUMBER
def end(by: str, agreement_no: str) -> None:
    """It was ended at the bank."""
    with in_words():
        branch_agreements.end(ports_of(), agreement_no=agreement_no, by=by)
    click.echo("ended")


@agreements.command("list")
def list_command() -> None:
    """What waits for the second of the two."""
    waiting = branch_agreements.list_waiting(ports_of())
    click.echo(f"{len(waiting)} to confirm" + (", oldest first" if waiting else ""))
    for each in waiting:
        _show(each)


def _show(told: RecordedView) -> None:
    signed = told.signed_at.astimezone(BEIJING).date().isoformat()
    activated = {True: "activated", False: "not activated", None: "-"}[told.financial_function_activated]
    click.echo(
        f"{told.agreement_no}  {told.state}  {told.region}  {told.insurance_type}  {told.bank}  {told.card_masked}  "
        f"{told.name_masked}  {told.id_number_masked}  signed {signed}  {activated}  recorded by {told.recorded_by or '-'}"
    )
