"""`canbao counter …`: two of the staff say who stands at the counter, until the desk on the web does.

Codes, names and numbers are asked for on standard input: on the command line they would stay in the shell's history, and everybody
on the machine could read them while it runs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from config.clock import BEIJING
from jobs.asking import in_words, ports_of
from models.identity import CounterDocument, CounterRefusal
from services import counter_checks

if TYPE_CHECKING:
    from services.counter_checks import AttestedView

WHO = click.option("--who", required=True, help="Your staff number, such as S1024.")


@click.group()
def counter() -> None:
    """Persons seen at a counter: one of the staff attests, another confirms. Codes and names are asked for, never typed here."""


@counter.command()
@WHO
@click.option("--site", required=True, help="The agency's code, as in the region's agencies.yaml, such as CHANGZHOU.")
@click.option("--document", type=click.Choice([str(each) for each in CounterDocument]), default="ID_CARD", show_default=True)
def attest(who: str, site: str, document: str) -> None:
    """The first of the two: type what the document in your hand says."""
    code = click.prompt("核验码")
    name = click.prompt("姓名")
    id_number = click.prompt("证件号码")
    with in_words():
        told = counter_checks.attest(
            ports_of(),
            code=code,
            name=name,
            id_number=id_number,
            document=CounterDocument(document),
            site=site,
            who=who,
        )
    _show(told)
    click.echo("attested; another of the staff confirms it with: canbao counter confirm")


@counter.command()
@WHO
def confirm(who: str) -> None:
    """The second of the two: hold what was typed against the document, and say yes."""
    code = click.prompt("核验码")
    with in_words():
        _show(counter_checks.look_at(ports_of(), code=code, who=who))
        if not click.confirm("人、证、信息一致"):
            raise click.ClickException("not confirmed; it waits, or ends with: canbao counter refuse")
        counter_checks.confirm(ports_of(), code=code, who=who)
    click.echo("confirmed")


@counter.command()
@WHO
@click.option("--why", type=click.Choice([str(each) for each in CounterRefusal if each is not CounterRefusal.RECORD_DIFFERS]),
              required=True)  # fmt: skip
def refuse(who: str, why: str) -> None:
    """Either of the two: say no, and why."""
    code = click.prompt("核验码")
    with in_words():
        counter_checks.refuse(ports_of(), code=code, why=CounterRefusal(why), who=who)
    click.echo("refused")


@counter.command("list")
def list_command() -> None:
    """What waits for the second of the two. No names: nothing sealed is opened for a list."""
    waiting = counter_checks.list_attested(ports_of())
    click.echo(f"{len(waiting)} to confirm" + (", oldest first" if waiting else ""))
    for each in waiting:
        _show(each)


def _show(told: AttestedView) -> None:
    if told.name_masked is not None:
        click.echo(f"{told.name_masked}  {told.id_number_masked}")
    attested = told.attested_at.astimezone(BEIJING).isoformat(timespec="minutes") if told.attested_at else "-"
    lapses = told.expires_at.astimezone(BEIJING).isoformat(timespec="minutes")
    click.echo(f"{told.document}  {told.site}  attested by {told.attested_by} at {attested}, lapses at {lapses}")
