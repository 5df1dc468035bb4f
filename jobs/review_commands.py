"""`canbao reviews …` and `canbao messages …`: what a supervisor or the night shift looks at without the console."""

from __future__ import annotations

import sys
from datetime import timedelta

import click

from config.clock import BEIJING
from jobs.asking import in_words, ports_of
from services import review_staff, undelivered


@click.group()
def reviews() -> None:
    """Reviews of applications."""


@reviews.command("is-person")
@click.option("--who", required=True, help="The staff number of the reviewer, such as S1024.")
@click.option("--by", required=True, help="Your own staff number.")
def is_person(who: str, by: str) -> None:
    """Note which person a reviewer is, by ID number, so that nobody reviews their own affairs. The number is asked for, never typed here."""
    id_number = click.prompt("身份证号码", hide_input=sys.stdin.isatty())
    with in_words():
        review_staff.note_person(ports_of(), who=who, id_number=id_number, by=by)
    click.echo("noted")


@click.group()
def messages() -> None:
    """Messages to people."""


@messages.command("given-up")
@click.option("--days", type=click.IntRange(1, 365), default=7, show_default=True)
def given_up(days: int) -> None:
    """What did not reach a phone and is not tried any more: somebody may have to call. It can still be read in the mini-program."""
    rows = undelivered.list_given_up(ports_of(), within=timedelta(days=days))
    for row in rows:
        at = row.written_at.astimezone(BEIJING).strftime("%Y-%m-%d %H:%M")
        click.echo(f"{row.message_id}  {at}  {row.key}  {row.about}  {row.way or '-'}  tries {row.tries}  {row.why}")
    if not rows:
        click.echo("none")
