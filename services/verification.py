"""An account's verification: the steps that names, faces, bank cards and counters share. What was typed is sealed; whoever opens it leaves a record."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from models.accounts import Account
from models.base import new_id
from models.identity import (
    CounterCheck,
    CounterCheckState,
    FaceCheck,
    FaceCheckState,
    IdentityVerification,
    VerificationState,
)
from models.people import Person
from providers.protocols import RealName
from services.errors import SignInAgain
from services.insured_persons import add_self
from services.people import mask_id_number, mask_name
from services.personal_data import open_personal

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.orm import Session

    from services.ports import Ports


def verification_of(session: Session, *, account: Account, now: datetime) -> IdentityVerification:
    """The account's one verification, locked. Raises SignInAgain when the account was closed meanwhile: nothing new is kept for it."""
    session.execute(
        insert(IdentityVerification)
        .values(id=new_id(), account_id=account.id, state=VerificationState.NONE, created_at=now)
        .on_conflict_do_nothing()
    )
    found = session.scalars(
        select(IdentityVerification).where(IdentityVerification.account_id == account.id).with_for_update()
    ).one()
    if session.scalar(select(Account.closed_at).where(Account.id == account.id)) is not None:
        raise SignInAgain
    return found


def keep_given(ports: Ports, verification: IdentityVerification, given: RealName) -> None:
    place_of, row_id = IdentityVerification.place_of, verification.id
    verification.name_sealed = ports.seals.seal(given.name, place=place_of("name_sealed", row_id))
    verification.id_number_sealed = ports.seals.seal(given.id_number, place=place_of("id_number_sealed", row_id))
    verification.name_masked = mask_name(given.name)
    verification.id_number_masked = mask_id_number(given.id_number)


def clashes(ports: Ports, session: Session, given: RealName) -> bool:
    known = session.scalar(select(Person).where(Person.id_number_index == ports.seals.index("id_number", given.id_number)))
    return known is not None and not ports.seals.same(known.name_index, ports.seals.index("name", given.name))


def person_of(ports: Ports, session: Session, given: RealName, *, now: datetime) -> Person | None:
    """The person on record, or a new one; None when the record has another name."""
    seals, row_id = ports.seals, new_id()
    id_index, name_index = seals.index("id_number", given.id_number), seals.index("name", given.name)
    session.execute(
        insert(Person)
        .values(
            id=row_id,
            name_sealed=seals.seal(given.name, place=Person.name_place(row_id)),
            name_index=name_index,
            name_masked=mask_name(given.name),
            id_number_sealed=seals.seal(given.id_number, place=Person.id_number_place(row_id)),
            id_number_index=id_index,
            id_number_masked=mask_id_number(given.id_number),
            created_at=now,
        )
        .on_conflict_do_nothing()
    )
    person = session.scalars(select(Person).where(Person.id_number_index == id_index)).one()
    return person if seals.same(person.name_index, name_index) else None


def abandon_open_checks(session: Session, *, account: Account, now: datetime) -> None:
    """One account, one open check, for the name that was typed last: a face that passed for another name must prove nothing."""
    open_checks = session.scalars(
        select(FaceCheck)
        .where(FaceCheck.account_id == account.id, FaceCheck.state.in_((FaceCheckState.CREATED, FaceCheckState.PENDING)))
        .order_by(FaceCheck.id)
        .with_for_update()
    )
    for check in open_checks:
        check.finish(FaceCheckState.EXPIRED, provider_code="ABANDONED", who=f"account:{account.id}", at=now)


def withdraw_counter_codes(
    session: Session, *, account: Account, who: str, now: datetime, but: CounterCheck | None = None
) -> None:
    """A code for the counter is not needed any more, or not wanted: what a clerk may have typed is erased with it."""
    for check in session.scalars(
        select(CounterCheck)
        .where(
            CounterCheck.account_id == account.id,
            CounterCheck.state.in_((CounterCheckState.OPEN, CounterCheckState.ATTESTED)),
        )
        .with_for_update()
    ):
        if check is not but:
            check.withdraw(who=who, at=now)


def leave_face(session: Session, *, account: Account, verification: IdentityVerification, now: datetime) -> None:
    """Another way is taken: an open face check ends, and the name stands as it was matched."""
    abandon_open_checks(session, account=account, now=now)
    if verification.state == VerificationState.FACE_PENDING:
        verification.match_name(who=f"account:{account.id}", at=now)


def become(
    ports: Ports,
    session: Session,
    *,
    account: Account,
    verification: IdentityVerification,
    given: RealName,
    method: str,
    who: str,
    now: datetime,
    why: str | None = None,
    proof: CounterCheck | None = None,
) -> bool:
    """The account is this person from now on, and may pay for itself. False, and nothing changed, where the record has another name.

    Codes for the counter that are still open end, but for the one that is the proof.
    """
    found = person_of(ports, session, given, now=now)
    if found is None:
        return False
    verification.verify(method=method, who=who, at=now, why=why)
    row = session.get_one(Account, account.id)
    row.person_id = found.id
    add_self(session, account=row, person_id=found.id, now=now)
    withdraw_counter_codes(session, account=account, who=who, now=now, but=proof)
    return True


def given_of(
    ports: Ports, session: Session, verification: IdentityVerification, *, purpose: str, who: str, now: datetime
) -> RealName:
    """Open what was sealed, and leave a row that says so."""
    opened = open_personal(ports, session, verification, "name", "id_number", purpose=purpose, who=who, now=now)
    return RealName(name=opened["name"], id_number=opened["id_number"])


def open_given(
    ports: Ports,
    session: Session,
    verification: IdentityVerification,
    account: Account,
    *,
    purpose: str,
    now: datetime,
    who: str | None = None,
) -> tuple[RealName, str]:
    """What was typed, and the account's name at its platform: for the provider's eyes only. `who`: the account itself, unless told."""
    given = given_of(ports, session, verification, purpose=purpose, who=who or f"account:{account.id}", now=now)
    return given, ports.seals.open(account.subject_sealed, place=Account.subject_place(account.id))
