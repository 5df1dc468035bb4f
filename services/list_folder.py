"""The folder into which the authorities' files come: each is read until nothing of it is open, and then put away."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from config.logs import logger
from providers.authorities.lists import FLAG, ListKind, open_list
from providers.bills import BillDamaged
from providers.protocols import ProviderError
from services.authority_lists import last_read_at, read_registrar_list, read_tax_list
from services.reconciliation_errors import ReconciliationClosed

if TYPE_CHECKING:
    from pathlib import Path

    from services.authority_lists import ListRead
    from services.ports import Ports

log = logger(__name__)

DONE: Final = "done"
AGAIN_AFTER: Final = timedelta(hours=1)
"""A file of which something is open is read again as often as this; one that was put right, at once."""
READERS: Final = {ListKind.TAX: read_tax_list, ListKind.REGISTRAR: read_registrar_list}


def read_what_came(ports: Ports) -> int:
    """The sweep: read every file whose flag is there, the tax authority's first; answers how many months moved.

    What is settled goes to `done/`. What has open differences stays and is read again; so does what is damaged, which a log line tells.
    """
    folder = ports.authority_files
    if folder is None or not folder.is_dir():
        return 0
    return sum(_read_one(ports, kind, path) for kind in ListKind for path in sorted(folder.glob(f"{kind}_*.csv")))


def _read_one(ports: Ports, kind: ListKind, path: Path) -> int:
    if not path.with_name(path.name + FLAG).exists():
        return 0
    try:
        if not _is_due(ports, kind, path):
            return 0
        done: ListRead = READERS[kind](ports, path)
    except BillDamaged as fault:
        log.error("list.damaged", file=path.name, line=fault.line, what=fault.what)  # noqa: TRY400 - what is wrong is told
        return 0
    except ReconciliationClosed:
        # Two of the staff closed its day: whatever it says now is theirs to look at.
        log.warning("list.of_a_closed_day", file=path.name)
        _put_away(path)
        return 0
    except (OSError, ProviderError) as fault:
        log.warning("list.not_read", file=path.name, fault=type(fault).__name__)
        return 0
    if not done.differences:
        _put_away(path)
    return done.moved


def _is_due(ports: Ports, kind: ListKind, path: Path) -> bool:
    with open_list(path, kind=kind) as given:
        read_at = last_read_at(ports, given.head)
    changed_at = datetime.fromtimestamp(path.stat().st_mtime, UTC)
    return read_at is None or read_at <= ports.now() - AGAIN_AFTER or changed_at > read_at


def _put_away(path: Path) -> None:
    """The flag goes last: a file that was killed between the two is read once more, which changes nothing."""
    folder = path.parent / DONE
    folder.mkdir(exist_ok=True)
    for each in (path, path.with_name(path.name + FLAG)):
        each.replace(folder / each.name)
