"""`canbao audit …`: whether what was written down is still what is there."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from config.clock import BEIJING
from jobs.asking import ports_of
from services import audit_chain

if TYPE_CHECKING:
    from datetime import datetime

    from services.audit_chain import Head


@click.group()
def audit() -> None:
    """The chain over moves, openings of personal data and transfers."""


@audit.command()
def chain() -> None:
    """Put what is not yet under a block under one, now. The worker does it every two minutes."""
    ports = ports_of()
    total = 0
    while rows := audit_chain.chain_audit(ports):
        total += rows
    click.echo(f"rows put under blocks: {total}")


@audit.command()
@click.option("--since", type=click.DateTime(["%Y-%m-%d"]), help="Only blocks made from this day on (Beijing).")
@click.option(
    "--export", type=click.Path(dir_okay=False, path_type=Path), help="Write the heads to this file, to be kept elsewhere."
)
@click.option(
    "--against",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    multiple=True,
    help="Heads that were written down before.",
)
def verify(since: datetime | None, export: Path | None, against: tuple[Path, ...]) -> None:
    """Walk the chain and every row under it. Exits 1 at the first row or block of a table that is not as it was.

    Whoever owns the database can make the whole chain anew. Keep exported heads where they cannot write, and verify against them.
    """
    if since is not None and against:
        raise click.ClickException("--against wants the whole chain; leave --since out")
    anchors = _anchors(against)
    given = None if since is None else since.replace(tzinfo=BEIJING)
    verified = audit_chain.verify(ports_of(), since=given, anchors=anchors)
    for source, head in verified.heads.items():
        click.echo(f"{source:<24} {head.rows:>12} rows in {head.blocks} blocks, head {head.last_id} {head.hash}")
    for source, rows in verified.not_yet.items():
        if rows:
            click.echo(f"{source:<24} {rows:>12} rows not under a block yet")
    for fault in verified.faults:
        click.echo(f"FAULT {fault.source}: {fault.what}", err=True)
    if verified.faults:
        # What may be forged is not written down as good.
        sys.exit(1)
    if export is not None:
        export.write_text(_text(verified.heads), encoding="utf-8")
    click.echo("✓ as it was written")


def _text(heads: dict[str, Head]) -> str:
    return json.dumps({source: {"last_id": head.last_id, "hash": head.hash} for source, head in heads.items()}, indent=2) + "\n"


def _anchors(files: tuple[Path, ...]) -> dict[str, list[tuple[int, str]]]:
    found: dict[str, list[tuple[int, str]]] = {source: [] for source in audit_chain.SOURCES}
    for file in files:
        try:
            for source, head in json.loads(file.read_text(encoding="utf-8")).items():
                found[source].append((int(head["last_id"]), str(head["hash"])))
        except (ValueError, KeyError, TypeError, AttributeError):
            raise click.ClickException(
                f"{file.name} is no file of heads; make one with: canbao audit verify --export"
            ) from None
    return found
