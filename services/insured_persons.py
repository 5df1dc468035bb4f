"""Those I pay for: myself, and people whose name and ID number I gave rightly; with a uniform, slow answer to guessing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from sqlalchemy import case, func, literal, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from config.clock import day_start
from config.rulebook import Capability
from models.accounts import Account
from models.base import new_id
from models.insured_persons import InsuredPerson, PayerBlock, PersonLookup
from models.people import Person
from services.consents import refuse_taken_back, require_consent
from services.errors import BlockedByInsured, NotAvailableOnline, NotFound, PersonNotMatched, RealNameRequired, TooManyLookups
from services.people import parse_name, parse_persons_number
from services.probing import LOCK_WINDOW, MISSES_TO_LOCK, one_at_a_time, refuse_guessed_number

if TYPE_CHECKING:
    import uuid
    from datetime import datetime

    from sqlalchemy.orm import Session

    from services.ports import Ports

PERSONS_A_DAY: Final = 5
"""Distinct people that somebody may add in a Beijing day, by all their accounts together (domain §5.7)."""
ONE_OFF_LIFE: Final = timedelta(hours=24)


@dataclass(frozen=True, kw_only=True)
class Named:
    """A person as typed by somebody who says they know them."""

    name: str
    id_number: str


def list_insured_persons(ports: Ports, *, account: Account) -> list[InsuredPerson]:
    """Me first, then those I keep, in the order I added them."""
    with ports.begin() as session:
        rows = session.scalars(
            select(InsuredPerson)
            .where(
                InsuredPerson.account_id == account.id,
                InsuredPerson.removed_at.is_(None),
                or_(InsuredPerson.expires_at.is_(None), InsuredPerson.expires_at > ports.now()),
            )
            .order_by(InsuredPerson.is_self.desc(), InsuredPerson.id)
        ).all()
        session.expunge_all()
    return list(rows)


def add_insured_person(ports: Ports, *, account: Account, named: Named, relation: str | None, keep: bool) -> InsuredPerson:
    """Let this account pay for a person whom it named rightly.

    Raises ConsentRequired, RealNameRequired, IdNumberMalformed, NameMalformed, TooManyLookups, NotAvailableOnline, and
    PersonNotMatched: the same answer whether the ID number is unknown or the name is another.
    """
    now = ports.now()
    name = parse_name(named.name)
    id_number = parse_persons_number(named.id_number, today=ports.today())
    id_index, name_index = ports.seals.index("id_number", id_number.text), ports.seals.index("name", name)
    if account.person_id is None:
        raise RealNameRequired
    if not any(ports.offers(region, Capability.PAY_FOR_OTHERS) for region in ports.regions_of(account.miniprogram)):
        raise NotAvailableOnline
    with ports.begin() as session:
        refuse_taken_back(session, account_id=account.id, purpose="REAL_NAME", hold=True)
        require_consent(session, account_id=account.id, purpose="PROXY_PAYMENT", hold=True)
        one_at_a_time(session, str(account.person_id), id_index.hex())
        refuse_guessed_number(session, id_index=id_index, now=now)
        _refuse_probing(session, person_id=account.person_id, id_index=id_index, now=now)
        person = session.scalar(select(Person).where(Person.id_number_index == id_index))
        # Compared whether there is somebody or not, so that the time tells nothing either.
        hit = ports.seals.same(person.name_index if person else b"\0" * len(name_index), name_index) and person is not None
        session.add(PersonLookup(account_id=account.id, id_number_index=id_index, hit=hit, at=now))
        found = (
            _add(session, account=account, person=person, relation=relation, keep=keep, now=now)
            if hit and person is not None
            else None
        )
    # Raised outside, so that the miss stays counted.
    if found is None:
        raise PersonNotMatched
    return found


def _refuse_probing(session: Session, *, person_id: uuid.UUID, id_index: bytes, now: datetime) -> None:
    """Counted over all accounts of whoever asks: a second platform buys no more tries."""
    mine = select(PersonLookup).join(Account, Account.id == PersonLookup.account_id).where(Account.person_id == person_id)
    hits = set(
        session.scalars(
            mine.with_only_columns(PersonLookup.id_number_index).where(PersonLookup.hit, PersonLookup.at >= day_start(now))
        )
    )
    misses = session.scalar(
        mine.with_only_columns(func.count()).where(~PersonLookup.hit, PersonLookup.at >= now - LOCK_WINDOW).order_by(None)
    )
    if (len(hits) >= PERSONS_A_DAY and id_index not in hits) or (misses or 0) >= MISSES_TO_LOCK:
        raise TooManyLookups


def _add(
    session: Session, *, account: Account, person: Person, relation: str | None, keep: bool, now: datetime
) -> InsuredPerson:
    session.execute(
        insert(InsuredPerson)
        .values(
            id=new_id(),
            account_id=account.id,
            person_id=person.id,
            is_self=person.id == account.person_id,
            relation=relation,
            keep=keep,
            expires_at=None if keep else now + ONE_OFF_LIFE,
            created_at=now,
        )
        .on_conflict_do_update(
            index_elements=["account_id", "person_id"],
            index_where=InsuredPerson.removed_at.is_(None),
            # Adding again renews; a kept one does not turn into a one-off.
            set_={
                "keep": or_(InsuredPerson.keep, literal(keep)),
                "expires_at": case((or_(InsuredPerson.keep, literal(keep)), None), else_=now + ONE_OFF_LIFE),
            },
        )
    )
    found = session.scalars(
        select(InsuredPerson).where(
            InsuredPerson.account_id == account.id, InsuredPerson.person_id == person.id, InsuredPerson.removed_at.is_(None)
        )
    ).one()
    session.expunge(found)
    return found


def add_self(session: Session, *, account: Account, person_id: uuid.UUID, now: datetime) -> None:
    """A verified account may pay for itself. Harmless when repeated."""
    session.execute(
        insert(InsuredPerson)
        .values(
            id=new_id(), account_id=account.id, person_id=person_id, is_self=True, relation="本人", keep=True, created_at=now
        )
        .on_conflict_do_update(
            index_elements=["account_id", "person_id"],
            index_where=InsuredPerson.removed_at.is_(None),
            set_={"is_self": True, "keep": True, "expires_at": None, "relation": "本人"},
        )
    )


def remove_insured_person(ports: Ports, *, account: Account, insured_person_id: uuid.UUID) -> None:
    """Stop paying for somebody; orders already placed go on. Raises NotFound, also for oneself."""
    with ports.begin() as session:
        gone = session.execute(
            update(InsuredPerson)
            .where(
                InsuredPerson.id == insured_person_id,
                InsuredPerson.account_id == account.id,
                InsuredPerson.removed_at.is_(None),
                ~InsuredPerson.is_self,
            )
            .values(removed_at=ports.now())
            .returning(InsuredPerson.id)
        ).all()
    if not gone:
        raise NotFound


def relation_of(session: Session, *, account_id: uuid.UUID, insured_person_id: uuid.UUID, now: datetime) -> InsuredPerson:
    """The live relation, or NotFound: another account's ids do not exist for this one."""
    found = session.scalar(
        select(InsuredPerson).where(
            InsuredPerson.id == insured_person_id,
            InsuredPerson.account_id == account_id,
            InsuredPerson.removed_at.is_(None),
            or_(InsuredPerson.expires_at.is_(None), InsuredPerson.expires_at > now),
        )
    )
    if found is None:
        raise NotFound
    return found


def refuse_blocked(session: Session, *, person_id: uuid.UUID, payer_person_id: uuid.UUID) -> None:
    """The insured person's own word stands above the payer's wish. Raises BlockedByInsured."""
    blocked = session.scalar(
        select(PayerBlock.id).where(PayerBlock.person_id == person_id, PayerBlock.payer_person_id == payer_person_id)
    )
    if blocked is not None:
        raise BlockedByInsured
