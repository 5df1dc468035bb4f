"""The operator's commands for the annual adjustment: `canbao adjust`, `canbao adjustments`."""

from __future__ import annotations

import click

from jobs.asking import ports_of
from services import adjustments
from services.errors import BusinessError


@click.command()
@click.option("--year", required=True, type=click.IntRange(2000, 2100), help="The year whose final figures are out.")
@click.option("--region", help="One region only, such as 320400.")
def adjust(year: int, region: str | None) -> None:
    """Settle the difference (补差) of months that were billed on provisional figures. Again changes nothing."""
    done = adjustments.adjust(ports_of(), year=year, region=region)
    click.echo(f"{len(done)} months were billed on provisional figures" if done else f"nothing of {year} was provisional")
    for each in done:
        told = each.why_not or (
            f"supplements {each.supplements}, issued anew {each.reissued}, for staff {each.reviews}"
            + (f", being paid just now {each.waiting}: the worker comes back" if each.waiting else "")
        )
        click.echo(f"  {each.region} {each.insurance_type} {each.plan_id} {each.month}: {told}")
    if any(each.reviews for each in done):
        click.echo("what waits for staff: canbao adjustments")


@click.command("adjustments")
@click.option("--region", help="One region only, such as 320400.")
@click.option("--resolve", "review_id", type=int, metavar="ID", help="Mark a month as dealt with.")
@click.option("--reason", help="What was done about it.")
@click.option("--who", help="Who did it: a staff member's number.")
def adjustments_command(region: str | None, review_id: int | None, reason: str | None, who: str | None) -> None:
    """Paid months that the final figures ask less for, or that no bill can settle: they wait for a person."""
    ports = ports_of()
    if review_id is not None:
        if not reason or not who:
            raise click.ClickException("this wants --reason and --who, such as --reason '已转退费' --who S1024")
        try:
            adjustments.resolve_review(ports, review_id=review_id, reason=reason, who=who)
        except BusinessError:
            raise click.ClickException(f"no such month waits: {review_id}") from None
        click.echo("resolved")
        return
    with ports.begin() as session:
        waiting = adjustments.open_reviews(session, region=region)
    click.echo(f"{len(waiting)} waiting" + (", oldest first" if waiting else ""))
    for each in waiting:
        owed = "no figure" if each.owed_fen is None else f"{each.owed_fen} fen"
        click.echo(
            f"{each.id}  {each.region} {each.insurance_type} {each.month}  {each.reason}: "
            f"assessed {each.assessed_fen} fen, final {owed} ({each.rule_id}), bill {each.bill_no}"
        )
