"""`canbao staff …`: how the first administrator comes in, and the way back when the last one is locked out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from config.clock import BEIJING
from jobs.asking import in_words, ports_of
from models.staff import StaffRole
from services import staff as service
from services.staff_acts import COMMAND_LINE

if TYPE_CHECKING:
    from services.staff import Invitation

NUMBER = click.option("--number", required=True, help="The staff number, such as S0001.")


@click.group()
def staff() -> None:
    """Who works at the console. Administrators do the rest there: /console/staff."""


@staff.command()
@NUMBER
@click.option(
    "--role", type=click.Choice([str(StaffRole.ADMINISTRATOR)]), required=True, help="All others are invited at the console."
)
@click.option("--again", is_flag=True, help="Another code for a number that has not enrolled yet.")
def invite(number: str, role: str, *, again: bool) -> None:
    """Print a code, once: with it an administrator sets password and phone at /console/enrolment."""
    with in_words():
        if again:
            invitation = service.issue_code(ports_of(), number=number.upper(), by=None, origin=COMMAND_LINE)
        else:
            invitation = service.invite(ports_of(), number=number, roles=[role], origin=COMMAND_LINE)
    _show(invitation)


@staff.command()
@NUMBER
def unlock(number: str) -> None:
    """Let somebody in again, where no administrator is left who could."""
    with in_words():
        service.unlock(ports_of(), number=number.upper(), by=None, origin=COMMAND_LINE)
    click.echo("unlocked")


def _show(invitation: Invitation) -> None:
    until = invitation.expires_at.astimezone(BEIJING).isoformat(timespec="minutes")
    click.echo(f"number  {invitation.number}\ncode    {invitation.code}\nuntil   {until}\nwhere   /console/enrolment")
