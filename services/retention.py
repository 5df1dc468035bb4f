"""Retention: what is over its term is erased by dated policies, in small batches, each with a row that says so."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

from sqlalchemy import and_, delete, exists, func, null, or_, select, true, tuple_, update

from config.logs import logger
from config.retention import RetentionFault
from models.applications import EnrollmentApplication
from models.audit import Erasure
from models.identity import BankCardCheck, CounterCheck, FaceCheck
from models.personal_data import PersonalDataRequest
from models.tables import metadata
from models.withholding_agreements import WithholdingAgreement

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import ColumnElement, CursorResult, Table
    from sqlalchemy.orm import Session

    from config.retention import Policy
    from models.base import Stateful
    from services.ports import Ports

log = logger(__name__)

BATCH: Final = 5_000
APPEND_ONLY: Final = frozenset({"transfers", "moves", "personal_data_accesses", "audit_blocks", "erasures", "staff_acts"})
"""Their triggers refuse to change or delete a row, so a term for them would only fail every night."""


def _ends(machine: type[Stateful]) -> tuple[str, ...]:
    """The states that no road leaves."""
    roads = machine.MOVES.roads
    return tuple(sorted({end for _, end in roads} - {start for start, end in roads if start != end}))


AT_REST: Final = {
    "notices": ("SETTLED",),
    # A closed one may still be paid late, but by then nobody sends its request again.
    "payments": ("SUCCEEDED", "SURPLUS", "UNCLAIMED", "CLOSED"),
    "face_checks": _ends(FaceCheck),
    "bank_card_checks": _ends(BankCardCheck),
    "counter_checks": _ends(CounterCheck),
    "personal_data_requests": _ends(PersonalDataRequest),
    "withholding_agreements": _ends(WithholdingAgreement),
    # A draft waits for nobody but its writer, who had the whole term; so had whoever let a returned one lapse.
    "enrollment_applications": ("DRAFT", "DOCUMENTS_READY", "WITHDRAWN", "LAPSED"),
}
"""Table → the states in which nobody waits for the row any more. No policy, however short, touches a row in another."""


@dataclass(frozen=True, kw_only=True)
class Erased:
    """What one policy erased, or would erase."""

    policy: str
    table: str
    rows: int
    older_than: datetime


def apply_retention(ports: Ports, *, batch: int = BATCH) -> int:
    """The daily sweep: erase what is over its term today; answers how many rows. Safe to run again, late, or twice at once.

    Raises RetentionFault before anything is erased, when a policy names what the database does not have.
    """
    now, total = ports.now(), Counter[str]()
    for policy in _due(ports):
        older_than = policy.older_than(ports.today())
        while older_than is not None:
            with ports.begin() as session:
                rows = _erase(session, policy, older_than=older_than, batch=batch, now=now)
            total[policy.policy] += rows
            if rows < batch:
                break
        if total[policy.policy]:
            log.info("retention.erased", policy=policy.policy, count=total[policy.policy])
    return total.total()


def would_erase(ports: Ports) -> list[Erased]:
    """What the sweep would erase now, policy by policy, changing nothing. Raises RetentionFault."""
    found = []
    for policy in _due(ports):
        older_than = policy.older_than(ports.today())
        if older_than is None:
            continue
        with ports.begin() as session:
            table = metadata.tables[policy.table]
            rows = session.scalar(select(func.count()).select_from(table).where(_over(table, policy, older_than))) or 0
        found.append(Erased(policy=policy.policy, table=policy.table, rows=rows, older_than=older_than))
    return found


def _due(ports: Ports) -> list[Policy]:
    """The policies in force today whose table exists and that erase anything. All of them are judged before the first is applied."""
    in_force = ports.retention.in_force(ports.today())
    if faults := policy_faults(in_force):
        raise RetentionFault("\n".join(faults))
    return [policy for policy in in_force if policy.has_a_term and policy.table in metadata.tables]


def policy_faults(policies: list[Policy]) -> list[str]:
    """What policies say that this database cannot do, each with a right example. Pure."""
    faults = []
    for policy in policies:
        table = metadata.tables.get(policy.table)
        if table is None:
            if not policy.table_to_come:
                faults.append(f"{policy.policy}: there is no table {policy.table}, such as table: sms_codes")
            continue
        if not policy.has_a_term:
            continue
        if policy.table in APPEND_ONLY:
            faults.append(f"{policy.policy}: {policy.table} rows are never erased; write for_ever: true")
        moments = [column.name for column in table.columns if _is_moment(column)]
        if policy.column not in moments:
            faults.append(f"{policy.policy}: {policy.table} has no moment {policy.column}, such as column: {moments[0]}")
        faults += [
            f"{policy.policy}: {policy.table}.{name} cannot be emptied; name a column that may be empty"
            for name in policy.erases
            if name not in table.columns or not table.columns[name].nullable
        ]
    return faults


def _is_moment(column: ColumnElement[Any]) -> bool:
    return type(column.type).__name__ == "UtcDateTime"


def _over(table: Table, policy: Policy, older_than: datetime) -> ColumnElement[bool]:
    """Which rows: over their term, at rest, and with something left to erase."""
    states = AT_REST.get(policy.table)
    at_rest: ColumnElement[bool] = table.c.state.in_(states) if states else true()
    if policy.table == "notices":
        # A parked one that a person has dealt with keeps its state, and is at rest all the same.
        at_rest = or_(at_rest, table.c.resolved_at.is_not(None))
    if policy.table == "joint_cases":
        at_rest = ~exists().where(EnrollmentApplication.joint_case_id == table.c.id)
    left = or_(*(table.c[name].is_not(None) for name in policy.erases)) if policy.erases else true()
    return and_(table.c[str(policy.column)] < older_than, at_rest, left)


def _erase(session: Session, policy: Policy, *, older_than: datetime, batch: int, now: datetime) -> int:
    table = metadata.tables[policy.table]
    key = list(table.primary_key.columns)
    # Rows that somebody works on are left for the next day. As a CTE, since a LIMIT inside IN may be taken more than once.
    chosen = select(*key).where(_over(table, policy, older_than)).limit(batch).with_for_update(skip_locked=True).cte("chosen")
    these = tuple_(*key).in_(select(*chosen.columns))
    change = (
        update(table).where(these).values(dict.fromkeys(policy.erases, null())) if policy.erases else delete(table).where(these)
    )
    rows = int(cast("CursorResult[Any]", session.execute(change)).rowcount)
    if rows:
        session.add(Erasure(policy=policy.policy, subject_table=policy.table, older_than=older_than, row_count=rows, at=now))
    return rows
