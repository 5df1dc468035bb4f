"""Which person one of the staff is, so that nobody reviews their own affairs. Only the ID number is kept: sealed, and findable."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from models.base import new_id
from models.reviews import StaffPerson
from services.counter_errors import SecondPersonRequired
from services.people import parse_id_number
from services.staff_numbers import parse_staff_number

if TYPE_CHECKING:
    from services.ports import Ports


def note_person(ports: Ports, *, who: str, id_number: str, by: str) -> None:
    """Note it, or correct it. By another one of the staff: whoever could name their own number could name another's.

    Raises StaffNumberMalformed, SecondPersonRequired, IdNumberMalformed.
    """
    staff, noting = f"staff:{parse_staff_number(who)}", f"staff:{parse_staff_number(by)}"
    if staff == noting:
        raise SecondPersonRequired(detail="本人的身份信息由另一位工作人员登记。")
    number = parse_id_number(id_number, today=ports.today()).text
    now = ports.now()
    with ports.begin() as session:
        row = session.scalar(select(StaffPerson).where(StaffPerson.who == staff).with_for_update())
        if row is None:
            row = StaffPerson(id=new_id(), who=staff)
            session.add(row)
        row.id_number_sealed = ports.seals.seal(number, place=StaffPerson.place_of("id_number_sealed", row.id))
        row.id_number_index = ports.seals.index("id_number", number)
        row.noted_by, row.noted_at = noting, now
