"""The operator's commands about people's own data: what is over its term."""

from __future__ import annotations

import click

from config.clock import BEIJING
from config.retention import RetentionFault
from jobs.asking import ports_of
from services.retention import apply_retention, would_erase


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
