"""Opening a person's own data: the only way to it, and it leaves a row that says who opened what, of whom, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from config.seals import SealBroken
from models.audit import PersonalDataAccess

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.orm import Session

    from models.base import Base
    from models.people import Person
    from services.ports import Ports

NOT_PERSONAL: Final = frozenset({"subject", "request", "reference", "content", "code", "totp", "digest"})
"""Sealed too, and opened where they are used: what a provider gave us, our own frozen request, a notice for evidence, a counter's or a printout's
code, the hash of what was printed, the secret that a staff member's phone shares."""


def open_personal(
    ports: Ports, session: Session, row: Base, *columns: str, purpose: str, who: str, now: datetime
) -> dict[str, str]:
    """Open sealed columns of one row, named without `_sealed`, and write the PersonalDataAccess row that tells of it.

    `purpose` is one word such as `face_check_start`, `who` such as `account:…` or `staff:…`. Answers a text for each column.
    Raises SealBroken where a seal does not open or nothing was sealed: then nothing is told. Raises ValueError where the table
    has no such sealed column, or the column is not a person's own.
    """
    table = type(row).__table__
    for column in columns:
        if f"{column}_sealed" not in table.columns or column in NOT_PERSONAL:
            raise ValueError(f"{table}: {column} is no personal sealed column")
    if not columns:
        raise ValueError("name what is to be opened")
    row_id = row.id  # type: ignore[attr-defined]  # rows with sealed columns have a UUID of ours
    opened = {column: _open(ports, row, f"{column}_sealed", row_id) for column in columns}
    session.add(
        PersonalDataAccess(
            subject_table=str(table), subject_id=row_id, columns=",".join(columns), purpose=purpose, who=who, at=now
        )
    )
    return opened


def note_look(session: Session, person: Person, *, purpose: str, who: str, now: datetime) -> None:
    """Somebody found or was shown a person, masked. Nothing was opened, and the person may know of it all the same."""
    session.add(
        PersonalDataAccess(
            subject_table="persons", subject_id=person.id, columns="name,id_number", purpose=purpose, who=who, at=now
        )
    )


def _open(ports: Ports, row: Base, column: str, row_id: object) -> str:
    sealed = getattr(row, column)
    place = type(row).place_of(column, row_id)
    if sealed is None:
        raise SealBroken(f"nothing is sealed at {place.split(':', maxsplit=1)[0]}")
    return ports.seals.open(sealed, place=place)
