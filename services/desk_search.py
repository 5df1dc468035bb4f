"""Search at the desk: what a number stands for, in our numbers or a provider's; or a person by their ID number, through the blind index.

What was typed is kept nowhere. Each result says who it is about, masked, and whose affair it is; the door leaves out what is not.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from sqlalchemy import select, text

from models.people import Person
from services.errors import IdNumberMalformed
from services.people import OLD_FOREIGN_CARD, parse_persons_number
from services.person_story import may_see
from services.personal_data import note_look

if TYPE_CHECKING:
    import uuid

    from sqlalchemy.orm import Session

    from services.ports import Ports
    from services.staff import StaffView

NUMBER: Final = re.compile(r"[0-9A-Za-z][0-9A-Za-z_\-]{3,63}")
LIKE_AN_ID: Final = re.compile(r"[0-9]{15}|[0-9]{17}[0-9X]")
LIMIT: Final = 20


class Found(StrEnum):
    PERSON = "PERSON"
    ORDER = "ORDER"
    PAYMENT = "PAYMENT"
    REFUND = "REFUND"
    BILL = "BILL"
    APPLICATION = "APPLICATION"
    AGREEMENT = "AGREEMENT"


@dataclass(frozen=True, kw_only=True)
class Result:
    what: Found
    number: str
    """Ours, of the thing; of a person their ID number, masked."""
    state: str | None
    amount_fen: int | None
    person_id: uuid.UUID | None
    """Whose it is, as far as they are the affair of the one who looks."""
    name_masked: str | None
    key: str
    """What its page is found by: a payment's number, a refund's or an application's id."""
    merchant_account: str | None
    region: str | None
    agency: str | None


# Each number by its own unique index. A provider's is unique within a merchant account: those are walked from one to the next.
ORDERS: Final = """
    SELECT 'ORDER' AS what, o.order_no AS number, o.state, o.total_fen AS amount_fen, o.person_id, coalesce(p.payment_no, '') AS key,
        p.channel || ':' || p.merchant AS merchant_account, NULL AS region, NULL AS agency
    FROM payment_orders o LEFT JOIN LATERAL (SELECT * FROM payments WHERE order_id = o.id ORDER BY created_at LIMIT 1) p ON true
    WHERE o.order_no = :no
"""
PAYMENT: Final = """
    SELECT 'PAYMENT', p.payment_no, p.state, p.amount_fen, o.person_id, p.payment_no, p.channel || ':' || p.merchant, NULL, NULL
    FROM payments p LEFT JOIN payment_orders o ON o.id = p.order_id WHERE {which}
"""
THEIRS: Final = """
    p.id IN (WITH RECURSIVE merchants AS (
        (SELECT channel, merchant FROM payments ORDER BY channel, merchant LIMIT 1)
        UNION ALL SELECT n.channel, n.merchant FROM merchants m CROSS JOIN LATERAL (
            SELECT channel, merchant FROM payments WHERE (channel, merchant) > (m.channel, m.merchant)
            ORDER BY channel, merchant LIMIT 1) n)
    SELECT t.id FROM merchants m CROSS JOIN LATERAL (
        SELECT id FROM payments WHERE channel = m.channel AND merchant = m.merchant AND provider_payment_no = :no) t)
"""
REFUNDS: Final = """
    SELECT 'REFUND', r.refund_no, r.state, r.amount_fen, o.person_id, r.id::text, p.channel || ':' || p.merchant, NULL, NULL
    FROM refunds r JOIN payments p ON p.id = r.payment_id LEFT JOIN payment_orders o ON o.id = p.order_id WHERE r.refund_no = :no
"""
BILLS: Final = """
    SELECT 'BILL', b.bill_no, b.state, b.amount_fen, e.person_id, '', NULL, b.region, e.agency
    FROM contribution_bills b JOIN enrollments e ON e.id = b.enrollment_id WHERE b.bill_no = :no
"""
APPLICATIONS: Final = """
    SELECT 'APPLICATION', case_no, state, NULL, person_id, id::text, NULL, region, agency
    FROM enrollment_applications WHERE case_no = :no AND submitted_at IS NOT NULL
"""
AGREEMENTS: Final = """
    SELECT 'AGREEMENT', agreement_no, state, NULL, person_id, '', NULL, region, NULL
    FROM withholding_agreements WHERE agreement_no = :no
"""
BY_NUMBER: Final = text(
    " UNION ALL ".join(
        f"({each})"
        for each in (
            ORDERS,
            PAYMENT.format(which="p.payment_no = :no"),
            PAYMENT.format(which=f"p.payment_no <> :no AND {THEIRS}"),
            REFUNDS,
            BILLS,
            APPLICATIONS,
            AGREEMENTS,
        )
    )
    + f" LIMIT {LIMIT}"
)


def search(ports: Ports, *, typed: str, staff: StaffView) -> list[Result]:
    """What this number stands for. A person that is none of their affair is not found, and a find leaves its row. Raises IdNumberMalformed
    for what can be an ID number alone, and is none.
    """
    given = "".join(unicodedata.normalize("NFKC", each) for each in typed if not each.isspace())
    found: list[Result] = []
    with ports.begin() as session:
        person, fault = _person_by(ports, session, given.upper())
        if person is not None and may_see(ports, session, person_id=person.id, staff=staff):
            note_look(session, person, purpose="person_search", who=staff.who, now=ports.now())
            found.append(_result_of(person))
        if NUMBER.fullmatch(given):
            found += _by_number(ports, session, given, staff=staff)
    if not found and fault is not None:
        raise fault
    return found


def _person_by(ports: Ports, session: Session, given: str) -> tuple[Person | None, IdNumberMalformed | None]:
    if not (LIKE_AN_ID.fullmatch(given) or OLD_FOREIGN_CARD.fullmatch(given)):
        return None, None
    try:
        number = parse_persons_number(given, today=ports.today())
    except IdNumberMalformed as fault:
        return None, fault
    return session.scalar(select(Person).where(Person.id_number_index == ports.seals.index("id_number", number.text))), None


def _result_of(person: Person) -> Result:
    return Result(
        what=Found.PERSON,
        number=person.id_number_masked,
        state=None,
        amount_fen=None,
        person_id=person.id,
        name_masked=person.name_masked,
        key="",
        merchant_account=None,
        region=None,
        agency=None,
    )


def _by_number(ports: Ports, session: Session, number: str, *, staff: StaffView) -> list[Result]:
    """Our numbers are written in capitals; theirs as they are."""
    ours = {number, number.upper()}
    rows = {(row.what, row.number): row for each in sorted(ours) for row in session.execute(BY_NUMBER, {"no": each})}
    people = {row.person_id for row in rows.values() if row.person_id is not None}
    names = {
        each.id: each.name_masked
        for each in session.scalars(select(Person).where(Person.id.in_(people)))
        if may_see(ports, session, person_id=each.id, staff=staff)
    }
    return [
        Result(
            what=Found(row.what),
            number=row.number,
            state=row.state,
            amount_fen=row.amount_fen,
            person_id=row.person_id if row.person_id in names else None,
            name_masked=names.get(row.person_id),
            key=row.key,
            merchant_account=row.merchant_account,
            region=row.region,
            agency=row.agency,
        )
        for row in rows.values()
    ]
