"""Verifying printouts: whoever holds the code on one learns masked facts alone, and nobody tries codes in peace.

A code has 140 bits: nobody guesses one, whatever proxies do to the counting of misses.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from sqlalchemy import func, select

from config.logs import logger
from models.printouts import Printout, PrintoutKind, PrintoutMiss
from services.networks import network_index
from services.printout_errors import PrintoutUnknown, TooManyPrintoutMisses
from services.printouts import hash_of, read_code
from services.receipt_standing import receipt_view
from services.registration_form_standing import form_view

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.orm import Session

    from services.ports import Ports
    from services.printouts import PrintoutView

log = logger(__name__)

MISSES_AN_HOUR: Final = 30
MISS_WINDOW: Final = timedelta(hours=1)
VIEWS: Final = {PrintoutKind.REGISTRATION_FORM: form_view, PrintoutKind.RECEIPT: receipt_view}
"""What of each kind may be told."""


def verify_printout(ports: Ports, *, code: str, caller: str | None) -> PrintoutView:
    """What may be told to whoever holds this code. `caller` is the address that the request came from.

    Raises PrintoutUnknown, the same for every code that is none, and TooManyPrintoutMisses.
    """
    known, now = read_code(code), ports.now()
    index = network_index(ports.seals, purpose="printout_caller", caller=caller, today=ports.today())
    with ports.begin() as session:
        if index is not None:
            _refuse_guessing(session, index, now=now)
        view = None if known is None else _view(ports, session, known)
        # What cannot be a code at all is a slip of the hand, and no guess.
        if view is None and known is not None and index is not None:
            session.add(PrintoutMiss(network_index=index, at=now))
    if view is None:
        raise PrintoutUnknown
    return view


def _refuse_guessing(session: Session, index: bytes, *, now: datetime) -> None:
    """Counted without a lock: calls at the same moment may go a few beyond. Raises TooManyPrintoutMisses."""
    misses = session.scalar(
        select(func.count()).where(PrintoutMiss.network_index == index, PrintoutMiss.at > now - MISS_WINDOW)
    )
    if (misses or 0) >= MISSES_AN_HOUR:
        log.warning("printouts.too_many_misses", bound=MISSES_AN_HOUR)
        raise TooManyPrintoutMisses(retry_after_seconds=int(MISS_WINDOW.total_seconds()))


def _view(ports: Ports, session: Session, code: str) -> PrintoutView | None:
    printout = session.scalar(select(Printout).where(Printout.code_hash == hash_of(code)))
    return None if printout is None else VIEWS[PrintoutKind(printout.kind)](ports, session, printout)
