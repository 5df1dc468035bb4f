"""`canbao seals …`: the keys that seal personal data, while the house is open."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Final

import click

from config.seal_file import add_index_key, add_key, drop_previous_index_keys, retire_key, take_back_index_key
from config.seals import ALGORITHMS, SealKeysFault
from jobs.asking import ports_of, settings_of
from services import resealing
from services.index_rebuilding import HouseIsOpen, SealsAreBroken, is_rebuilt, rebuild_indexes, refuse_open_house

if TYPE_CHECKING:
    from pathlib import Path

RETIRES_AFTER_SECONDS: Final = 120
"""Until the last process has noticed that a key is no longer the current one, and its last transaction has ended."""


def _file() -> Path:
    return settings_of().secrets_dir / "seal-keys.json"


@click.group()
def seals() -> None:
    """The seal keys in life: a new one, which rows still need the old ones, and letting go of them."""


@seals.command("new-key")
@click.option("--algorithm", type=click.Choice(list(ALGORITHMS)), default="SM4-GCM", show_default=True)
def new_key(algorithm: str) -> None:
    """Add a key and make it the current one. Running processes find it by themselves; the worker seals old rows anew."""
    try:
        key_id = add_key(_file(), algorithm=algorithm)
    except SealKeysFault as fault:
        raise click.ClickException(str(fault)) from None
    click.echo(f"{key_id} is the current key. Back up {_file().name} now: what a lost key sealed is lost.")


@seals.command()
def status() -> None:
    """Per table and column, how many rows each key sealed. Exits 1 when something was sealed with a key that is not here."""
    ports = ports_of()
    with ports.begin() as session:
        counted = resealing.count_seals(session)
    lost = resealing.lost_seals(ports, counted)
    current = ports.seals.current
    for each in counted:
        click.echo(f"{each.table + '.' + each.column:<42} {each.key_id or 'not a seal':<12} {each.rows:>12}")
    in_use = {each.key_id for each in counted}
    for key_id in ports.seals.key_ids:
        told = "current" if key_id == current else "in use" if key_id in in_use else "may be retired"
        click.echo(f"{key_id}: {told}")
    for each in lost:
        click.echo(
            f"LOST: {each.rows} rows of {each.table}.{each.column}, sealed with {each.key_id or 'nothing'}: "
            f"{resealing.WHAT_IS_LOST[each.column.removesuffix('_sealed')]}",
            err=True,
        )
    if lost:
        click.echo("Bring back the seal key file that holds these keys, from its backup.", err=True)
    sys.exit(1 if lost else 0)


@seals.command("reseal")
def reseal_command() -> None:
    """Seal everything anew with the current key, now. Beside running processes, and again after an interruption."""
    ports = ports_of()
    total = 0
    while changed := resealing.reseal(ports):
        total += changed
    click.echo(f"sealed anew: {total}")


@seals.command("retire-key")
@click.argument("key_id")
def retire(key_id: str) -> None:
    """Take a key out of the file that no row needs any more. Backups of the database older than that still need it: keep its backup as long."""
    ports = ports_of()
    if time.time() - _file().stat().st_mtime < RETIRES_AFTER_SECONDS:
        raise click.ClickException(
            f"the key file changed just now; wait {RETIRES_AFTER_SECONDS} seconds, for processes that have not looked yet"
        )
    with ports.begin() as session:
        needed = [each for each in resealing.count_seals(session) if each.key_id == key_id]
    if needed:
        rows = sum(each.rows for each in needed)
        raise click.ClickException(f"{rows} rows are sealed with {key_id}; seal them anew with: canbao seals reseal")
    try:
        retire_key(_file(), key_id=key_id)
    except SealKeysFault as fault:
        raise click.ClickException(str(fault)) from None
    click.echo(f"{key_id} is retired. Keep its backup as long as backups of the database that need it.")


@seals.command("rebuild-indexes")
def rebuild() -> None:
    """Another key for the blind indexes, with the house closed: stop every process first. All or nothing; after a crash, run it again.

    Until it is through, no process starts.
    """
    ports = ports_of(while_rebuilding=True)
    goes_on = ports.seals.is_rebuilding_indexes
    try:
        refuse_open_house(ports)
        if not goes_on:
            add_index_key(_file())
            ports.seals.look_again()
        changed = rebuild_indexes(ports)
    except (HouseIsOpen, SealsAreBroken) as fault:
        # Our one transaction is undone for certain. How that of a run before us ended, the rows tell, once nobody else is connected.
        is_undone = isinstance(fault, SealsAreBroken) and is_rebuilt(ports) is False if goes_on else True
        if ports.seals.is_rebuilding_indexes and is_undone:
            take_back_index_key(_file())
        raise click.ClickException(str(fault)) from None
    drop_previous_index_keys(_file())
    click.echo(f"indexes made anew: {changed}. Back up {_file().name} now, and start the house again.")
