"""The journal for the sandbox's page. Only in sandbox mode: it has no lock, and no person's name either."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint

from miniprogram_api.auth import ports
from services import journal

door = APIBlueprint("sandbox_journal", __name__)


@door.get("/sandbox/journal")
@door.doc(hide=True)
def read_journal() -> dict[str, Any]:
    """Balances of all accounts, and the latest transfers."""
    with ports().begin() as session:
        balances = journal.balances(session)
        transfers = journal.latest_transfers(session)
    return {
        "accounts": [{"account": account, "balance_fen": balance_fen} for account, balance_fen in balances.items()],
        "transfers": [{**transfer, "at": transfer["at"].isoformat()} for transfer in transfers],
    }
