"""What staff looked at and did: one row each, from where and how it ended. The table refuses changes; the audit chain covers it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from sqlalchemy import func, select

from models.staff import StaffAct
from services import networks
from services.staff_errors import TooManyStaffSignIns

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.orm import Session

    from services.ports import Ports

DONE: Final = "DONE"
SIGN_IN: Final = "staff.sign_in"
ENROL: Final = "staff.enrol"
NOBODY: Final = "nobody"
"""Who tried, where no number of ours was typed. What was typed is not kept: people type passwords there."""
OPERATOR: Final = "operator"
"""Whoever may run `canbao` on the machine."""
FAILURES: Final = 30
"""From one network within WITHIN: an office behind one address mistypes some, a guesser many."""
WITHIN: Final = timedelta(minutes=15)
LONGEST_SUBJECT: Final = 80


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Where a request came from."""

    address: str
    request_id: str


COMMAND_LINE: Final = Origin(address="-", request_id="-")


def network_of(address: str) -> str:
    """What tries are counted by; `-` where it is no address."""
    found = networks.address_of(address)
    return "-" if found is None else networks.network_of(found)


def note(session: Session, *, who: str, act: str, origin: Origin, now: datetime, subject: str = "", result: str = DONE) -> None:
    """Write the row beside what it tells of, in the same transaction."""
    session.add(
        StaffAct(
            who=who,
            act=act,
            subject=subject[:LONGEST_SUBJECT],
            result=result,
            address=origin.address,
            network=network_of(origin.address),
            request_id=origin.request_id,
            at=now,
        )
    )


def record(ports: Ports, *, who: str, act: str, subject: str, result: str, origin: Origin) -> None:
    """The row of one page that was asked for. Written before the page is shown: no look without its row."""
    with ports.begin() as session:
        note(session, who=who, act=act, subject=subject, result=result, origin=origin, now=ports.now())


def refuse_flood(session: Session, *, origin: Origin, now: datetime) -> None:
    """Raises TooManyStaffSignIns where too many tries from this network failed of late."""
    failures = session.scalar(
        select(func.count()).where(
            StaffAct.network == network_of(origin.address),
            StaffAct.at > now - WITHIN,
            StaffAct.result != DONE,
            StaffAct.act.in_((SIGN_IN, ENROL)),
        )
    )
    if (failures or 0) >= FAILURES:
        raise TooManyStaffSignIns(retry_after_seconds=int(WITHIN.total_seconds()))
