"""The auditor's reading: who opened whose data, what moved, what staff did. Newest first, masked, a page at a time; nothing is opened."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from sqlalchemy import select

from config.clock import BEIJING
from config.logs import strike_out
from models.accounts import Account
from models.applications import EnrollmentApplication
from models.audit import PersonalDataAccess
from models.base import Move
from models.people import Person
from models.staff import StaffAct
from models.tables import metadata

if TYPE_CHECKING:
    import uuid
    from collections.abc import Sequence

    from sqlalchemy import Select
    from sqlalchemy.orm import Session

    from services.ports import Ports

    Audited = PersonalDataAccess | Move | StaffAct

Line = TypeVar("Line")

A_PAGE: Final = 50


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What the auditor asked for; empty asks for everything."""

    who: str = ""
    """`staff:S1024`, or the beginning of it, such as `staff:`."""
    what: str = ""
    """The purpose of an opening, the noun of a move, the name of an act."""
    since: date | None = None
    until: date | None = None
    """Beijing days, both included."""
    before: int | None = None
    """Older than this row: where the page before ended."""


@dataclass(frozen=True, kw_only=True)
class AccessLine:
    id: int
    at: datetime
    who: str
    whose: str
    """The person, masked; `-` where the row is gone, or nobody's."""
    columns: tuple[str, ...]
    purpose: str


@dataclass(frozen=True, kw_only=True)
class MoveLine:
    id: int
    at: datetime
    who: str
    noun: str
    row_id: str
    from_state: str
    to_state: str
    why: str


@dataclass(frozen=True, kw_only=True)
class ActLine:
    id: int
    at: datetime
    who: str
    act: str
    subject: str
    result: str
    address: str
    request_id: str


@dataclass(frozen=True, kw_only=True)
class TrailPage(Generic[Line]):
    lines: list[Line]
    older: int | None
    """The id to go on before; None where this is the end."""


def read_accesses(ports: Ports, *, wanted: Wanted, limit: int = A_PAGE) -> TrailPage[AccessLine]:
    """Who opened whose sealed data, which columns, and why."""
    with ports.begin() as session:
        rows, older = _page(session, PersonalDataAccess, wanted, what=PersonalDataAccess.purpose, limit=limit)
        people = _people(session, rows)
        lines = [
            AccessLine(
                id=row.id,
                at=row.at,
                who=row.who,
                whose=people.get((row.subject_table, row.subject_id), "-"),
                columns=tuple(row.columns.split(",")),
                purpose=row.purpose,
            )
            for row in rows
        ]
    return TrailPage(lines=lines, older=older)


def read_moves(ports: Ports, *, wanted: Wanted, limit: int = A_PAGE) -> TrailPage[MoveLine]:
    """What went from which state to which, why, by whom."""
    with ports.begin() as session:
        rows, older = _page(session, Move, wanted, what=Move.noun, limit=limit)
        lines = [
            MoveLine(
                id=row.id, at=row.at, who=row.who, noun=row.noun, row_id=row.row_id, from_state=row.from_state,
                to_state=row.to_state, why=strike_out(row.why),
            )
            for row in rows
        ]  # fmt: skip
    return TrailPage(lines=lines, older=older)


def read_acts(ports: Ports, *, wanted: Wanted, limit: int = A_PAGE) -> TrailPage[ActLine]:
    """What staff looked at and did at the console, from where, and how it ended."""
    with ports.begin() as session:
        rows, older = _page(session, StaffAct, wanted, what=StaffAct.act, limit=limit)
        lines = [
            ActLine(
                id=row.id, at=row.at, who=row.who, act=row.act, subject=row.subject, result=row.result, address=row.address,
                request_id=row.request_id,
            )
            for row in rows
        ]  # fmt: skip
    return TrailPage(lines=lines, older=older)


def _page(session: Session, model: Any, wanted: Wanted, *, what: Any, limit: int) -> tuple[Sequence[Any], int | None]:
    """One page and where the next begins. By id, so that rows written meanwhile shift nothing."""
    asked: Select[Any] = select(model).order_by(model.id.desc()).limit(limit + 1)
    if wanted.who:
        asked = asked.where(model.who.startswith(wanted.who, autoescape=True))
    if wanted.what:
        asked = asked.where(what == wanted.what)
    if wanted.since is not None:
        asked = asked.where(model.at >= _midnight(wanted.since))
    if wanted.until is not None:
        asked = asked.where(model.at < _midnight(wanted.until + timedelta(days=1)))
    if wanted.before is not None:
        asked = asked.where(model.id < wanted.before)
    rows = session.scalars(asked).all()
    return rows[:limit], rows[limit - 1].id if len(rows) > limit else None


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time.min, tzinfo=BEIJING)


def _people(session: Session, rows: Sequence[PersonalDataAccess]) -> dict[tuple[str, uuid.UUID], str]:
    """(table, row id) → whose it is, masked. One statement for each table on the page."""
    by_table: dict[str, set[uuid.UUID]] = {}
    for row in rows:
        by_table.setdefault(row.subject_table, set()).add(row.subject_id)
    return {
        (name, row_id): f"{name_masked} {id_number_masked}"
        for name, ids in by_table.items()
        for row_id, name_masked, id_number_masked in _masks(session, name, ids)
    }


def _masks(session: Session, name: str, ids: set[uuid.UUID]) -> Sequence[Any]:
    table, masks = metadata.tables.get(name), (Person.name_masked, Person.id_number_masked)
    if table is None:
        return []
    if name == Person.__tablename__:
        return session.execute(select(Person.id, *masks).where(Person.id.in_(ids))).all()
    if "person_id" in table.columns:
        on = Person.id == table.c.person_id
        return session.execute(select(table.c.id, *masks).join(Person, on).where(table.c.id.in_(ids))).all()
    if "application_id" in table.columns:
        part = select(table.c.id, *masks).join(EnrollmentApplication, EnrollmentApplication.id == table.c.application_id)
        return session.execute(part.join(Person, Person.id == EnrollmentApplication.person_id).where(table.c.id.in_(ids))).all()
    if "account_id" in table.columns:
        owned = select(table.c.id, *masks).join(Account, Account.id == table.c.account_id)
        return session.execute(owned.join(Person, Person.id == Account.person_id).where(table.c.id.in_(ids))).all()
    return []
