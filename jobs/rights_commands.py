"""The operator's commands about people's own data: what they asked for, and what is over its term."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click

from config.clock import BEIJING
from config.retention import RetentionFault
from jobs.asking import ports_of
from services import own_data_requests
from services.errors import BusinessError
from services.retention import apply_retention, would_erase

if TYPE_CHECKING:
    import uuid


@click.command()
@click.option("--dry-run", is_flag=True, help="Only say what would be erased, table by table.")
def retention(*, dry_run: bool) -> None:
    """Erase what is over its term, as the worker does each night. Each batch leaves a row in `erasures`."""
    ports = ports_of()
    try:
        found = would_erase(ports)
        for each in found:
            before = each.older_than.astimezone(BEIJING).date()
            click.echo(f"{each.table:<24}  {each.policy:<20}  before {before}  {each.rows}")
        if dry_run:
            click.echo(f"{sum(each.rows for each in found)} would be erased; nothing was")
            return
        click.echo(f"erased {apply_retention(ports)}")
    except RetentionFault as fault:
        raise click.ClickException(str(fault)) from None


WHO: Final = click.option("--who", required=True, help="Your staff number, such as S1024.")


@click.group()
def requests() -> None:
    """What people asked for about their own data, and the answers to it."""


@requests.command("list")
def list_requests() -> None:
    """What waits for an answer, the most urgent first. Exits 1 when something is overdue."""
    ports = ports_of()
    with ports.begin() as session:
        waiting = own_data_requests.waiting_requests(session)
    click.echo(f"{len(waiting)} waiting" + (", the most urgent first" if waiting else ""))
    overdue = [each for each in waiting if each.due_at <= ports.now()]
    for each in waiting:
        due = each.due_at.astimezone(BEIJING)
        click.echo(f"{each.id}  {each.kind:<8}  due {due:%Y-%m-%d %H:%M}" + ("  OVERDUE" if each in overdue else ""))
    if overdue:
        raise SystemExit(1)


@requests.command()
@click.argument("request_id", type=click.UUID)
@WHO
def show(request_id: uuid.UUID, who: str) -> None:
    """Read what should be corrected. Its owner sees that one of the staff looked."""
    try:
        click.echo(own_data_requests.read_wish(ports_of(), request_id=request_id, who=who))
    except BusinessError:
        raise click.ClickException(f"no such request, or nothing is written in it: {request_id}") from None


@requests.command()
@click.argument("request_id", type=click.UUID)
@click.option("--done", "outcome", flag_value="done", help="It was corrected.")
@click.option("--refused", "outcome", flag_value="refused", help="It was not, and --why says the reason.")
@click.option("--why", required=True, help="For the person, in Chinese: what was done, or why not and where to turn.")
@WHO
def answer(request_id: uuid.UUID, outcome: str | None, why: str, who: str) -> None:
    """Answer a request; prints what the person reads."""
    if outcome is None or not why.strip():
        raise click.ClickException("this wants --done or --refused, and --why such as --why '手机号码已更新。'")
    try:
        said = own_data_requests.answer_request(
            ports_of(), request_id=request_id, done=outcome == "done", why=why.strip(), who=who
        )
    except BusinessError as fault:
        raise click.ClickException(f"{fault.title}: {request_id}") from None
    click.echo(said)
