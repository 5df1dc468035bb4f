"""A person's page at the desk: all that happened with them, in time order, masked; of what the one who looks may see, and no more.

Whose affair a person is, is told by their enrolments and applications: staff of a region see those of that region, and what hangs on
them. Somebody who has neither there is none of their affair.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import ARRAY, BigInteger, Uuid, and_, bindparam, false, or_, select, text, true

from models.accounts import Account
from models.applications import EnrollmentApplication
from models.bills import ContributionBill
from models.enrollments import Enrollment
from models.orders import OrderLine, PaymentOrder
from models.payments import Payment
from models.people import Person
from models.withholding_agreements import WithholdingAgreement
from services.errors import NotFound
from services.person_story_rows import ROWS, Kind
from services.personal_data import note_look
from services.review_queue import Reviewer, in_scope, regions_below
from services.review_rules import refuse_own

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlalchemy import ColumnElement
    from sqlalchemy.orm import Session
    from sqlalchemy.types import TypeEngine

    from services.ports import Ports
    from services.staff import StaffView

A_PAGE: Final = 50
RANKS: Final = {what: rank for rank, what in enumerate(ROWS)}
MOST_ORDERS: Final = 2_000
TYPES: Final[dict[str, TypeEngine[Any]]] = {
    "person": Uuid(),
    "enrollments": ARRAY(BigInteger),
    "orders": ARRAY(BigInteger),
    "applications": ARRAY(Uuid),
    "agreements": ARRAY(Uuid),
    "accounts": ARRAY(Uuid),
}
"""Said, since an empty list does not say of what."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a page of a story goes on: before this entry."""

    at: datetime
    what: str
    key: str


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One thing that happened."""

    at: datetime
    what: str
    """As in ROWS."""
    key: str
    facts: dict[str, Any]

    @property
    def kind(self) -> Kind:
        return ROWS[self.what][0]


@dataclass(frozen=True, kw_only=True)
class PersonHead:
    """Who it is, masked, and how they stand now."""

    person_id: uuid.UUID
    name_masked: str
    id_number_masked: str
    enrollments: list[tuple[str, str, str]]
    """(region, insurance, state)."""
    accounts: list[tuple[str, str | None]]
    """(mini-program, phone masked)."""


@dataclass(frozen=True, kw_only=True)
class Story:
    head: PersonHead
    entries: list[Entry]
    older: Place | None


@dataclass(frozen=True, kw_only=True)
class _Seen:
    """What of a person may be seen, by ids."""

    enrollments: list[int]
    applications: list[uuid.UUID]
    agreements: list[uuid.UUID]
    orders: list[int]
    accounts: list[uuid.UUID]


def is_affair_of(ports: Ports, *, person_id: uuid.UUID, staff: StaffView) -> bool:
    """Whether a person is the affair of this one of the staff. Raises NotFound where there is no such person."""
    with ports.begin() as session:
        if session.get(Person, person_id) is None:
            raise NotFound
        return may_see(ports, session, person_id=person_id, staff=staff)


def may_see(ports: Ports, session: Session, *, person_id: uuid.UUID, staff: StaffView) -> bool:
    """Whoever sees every region sees everybody; others those who are enrolled or have applied with them."""
    if staff.region is None:
        return True
    enrolled = select(Enrollment.id).where(Enrollment.person_id == person_id, _in_reach(ports, Enrollment, staff)).limit(1)
    return session.scalar(enrolled) is not None or session.scalar(_applied(ports, person_id, staff).limit(1)) is not None


def read_story(
    ports: Ports,
    *,
    person_id: uuid.UUID,
    staff: StaffView,
    kinds: Collection[Kind],
    before: Place | None = None,
    limit: int = A_PAGE,
) -> Story:
    """A page of the story, the latest first. Leaves the row that says who looked.

    Raises NotFound (no such person, or none of their affair), OwnAffairs.
    """
    now = ports.now()
    with ports.begin() as session:
        person = session.get(Person, person_id)
        if person is None or not may_see(ports, session, person_id=person_id, staff=staff):
            raise NotFound
        refuse_own(ports, session, person=person, reviewer=Reviewer(who=staff.who, roles=frozenset()))
        note_look(session, person, purpose="person_story", who=staff.who, now=now)
        seen = _seen(ports, session, person_id=person_id, staff=staff)
        head = _head(session, person, seen)
        entries = _entries(session, person_id, seen, kinds=kinds, before=before, limit=limit + 1)
    last = entries[limit - 1] if len(entries) > limit else None
    older = Place(at=last.at, what=last.what, key=last.key) if last else None
    return Story(head=head, entries=entries[:limit], older=older)


def person_of_payment(ports: Ports, *, payment_no: str, staff: StaffView) -> tuple[uuid.UUID, str] | None:
    """(id, masked name) of the insured person that a payment is for; None where there is none, or none of their affair."""
    wanted = select(Person.id, Person.name_masked).join(PaymentOrder, PaymentOrder.person_id == Person.id)
    wanted = wanted.join(Payment, Payment.order_id == PaymentOrder.id).where(Payment.payment_no == payment_no)
    with ports.begin() as session:
        found = session.execute(wanted).one_or_none()
        if found is None or not may_see(ports, session, person_id=found.id, staff=staff):
            return None
        return found.id, found.name_masked


# --- what may be seen


def _in_reach(ports: Ports, each: Any, staff: StaffView) -> ColumnElement[bool]:
    """Of their region with all below it, and of their agency where they have one; what names no agency is every agency's."""
    if staff.region is None:
        return true()
    reach: ColumnElement[bool] = each.region.in_(regions_below(ports.rulebook, staff.region))
    return reach if staff.agency is None else and_(reach, or_(each.agency == staff.agency, each.agency.is_(None)))


def _applied(ports: Ports, person_id: uuid.UUID, staff: StaffView) -> Any:
    """A draft is nobody's but its writer's."""
    each = EnrollmentApplication
    reviewer = Reviewer(who=staff.who, roles=frozenset(), region=staff.region, agency=staff.agency)
    return select(each.id).where(
        each.person_id == person_id, each.submitted_at.is_not(None), in_scope(ports.rulebook, reviewer)
    )


def _seen(ports: Ports, session: Session, *, person_id: uuid.UUID, staff: StaffView) -> _Seen:
    enrollments = session.scalars(
        select(Enrollment.id).where(Enrollment.person_id == person_id, _in_reach(ports, Enrollment, staff))
    ).all()
    regions = None if staff.region is None else regions_below(ports.rulebook, staff.region)
    signed = WithholdingAgreement
    agreements = session.scalars(
        select(signed.id).where(signed.person_id == person_id, true() if regions is None else signed.region.in_(regions))
    ).all()
    programs = {
        code for code, each in ports.partners.miniprograms.items() if regions is None or set(each.regions) & set(regions)
    }
    mine = Account.person_id == person_id
    accounts = session.scalars(
        select(Account.id).where(mine, true() if regions is None else Account.miniprogram.in_(sorted(programs)))
    ).all()
    return _Seen(
        enrollments=list(enrollments),
        applications=list(session.scalars(_applied(ports, person_id, staff))),
        agreements=list(agreements),
        orders=_orders(ports, session, person_id=person_id, enrollments=enrollments, accounts=accounts, regions=regions),
        accounts=list(accounts),
    )


def _orders(
    ports: Ports,
    session: Session,
    *,
    person_id: uuid.UUID,
    enrollments: Collection[int],
    accounts: Collection[uuid.UUID],
    regions: list[str] | None,
) -> list[int]:
    """Those for their own months, and those that they placed for others with an authority of these regions; the latest so many."""
    each = PaymentOrder
    line = select(OrderLine.order_id).join(ContributionBill, ContributionBill.id == OrderLine.bill_id)
    own = line.where(OrderLine.order_id == each.id, ContributionBill.enrollment_id.in_(enrollments)).exists()
    authorities = {region.authority for code, region in ports.rulebook.regions.items() if regions is None or code in regions}
    near = true() if regions is None else each.authority.in_(sorted(filter(None, authorities)))
    for_others = and_(each.payer_account_id.in_(accounts), each.person_id != person_id, near) if accounts else false()
    wanted = select(each.id).where(or_(and_(each.person_id == person_id, own), for_others))
    return list(session.scalars(wanted.order_by(each.id.desc()).limit(MOST_ORDERS)))


# --- what is told


def _head(session: Session, person: Person, seen: _Seen) -> PersonHead:
    enrolled = select(Enrollment.region, Enrollment.insurance_type, Enrollment.state).where(Enrollment.id.in_(seen.enrollments))
    opened = select(Account.miniprogram, Account.phone_masked).where(Account.id.in_(seen.accounts), Account.closed_at.is_(None))
    return PersonHead(
        person_id=person.id,
        name_masked=person.name_masked,
        id_number_masked=person.id_number_masked,
        enrollments=[(row.region, row.insurance_type, row.state) for row in session.execute(enrolled.order_by(Enrollment.id))],
        accounts=[(row.miniprogram, row.phone_masked) for row in session.execute(opened.order_by(Account.id))],
    )


def _entries(
    session: Session, person_id: uuid.UUID, seen: _Seen, *, kinds: Collection[Kind], before: Place | None, limit: int
) -> list[Entry]:
    """One statement over all that is wanted: the database puts it in order."""
    wanted = [what for what, (kind, _) in ROWS.items() if kind in kinds]
    if not wanted:
        return []
    told = " UNION ALL ".join(
        f"SELECT at, '{what}' AS what, {RANKS[what]} AS rank, key COLLATE \"C\" AS key, facts FROM ({ROWS[what][1]}) AS t (at, key, facts)"  # noqa: S608 - our own words
        for what in wanted
    )
    earlier = "WHERE (at, rank, key) < (:at, :rank, :key)" if before else ""
    statement = (
        f"SELECT at, what, key, facts FROM ({told}) AS told {earlier} ORDER BY at DESC, rank DESC, key DESC LIMIT :limit"  # noqa: S608 - our own words
    )
    given: dict[str, Any] = {"person": person_id, "limit": limit, **vars(seen)}
    if before:
        given |= {"at": before.at, "rank": RANKS[before.what], "key": before.key}
    used = {name: value for name, value in given.items() if f":{name}" in statement}
    asked = text(statement).bindparams(*(bindparam(name, type_=its) for name, its in TYPES.items() if name in used))
    return [Entry(at=row.at, what=row.what, key=row.key, facts=row.facts) for row in session.execute(asked, used)]
