"""The authorities' files as the sandbox writes them, which knows our reader as little as they do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from models.enrollments import Enrollment
from models.people import Person
from sandbox.authorities import Line, file_of, put

if TYPE_CHECKING:
    from pathlib import Path

    from models.bills import ContributionBill
    from tests.factories import World

AUTHORITY = "tax-320400"


def id_number_of(world: World, enrollment_id: int) -> str:
    """A person's number, as the authority knows it."""
    with world.ports.begin() as session:
        person = session.get_one(Person, session.get_one(Enrollment, enrollment_id).person_id)
        return world.ports.seals.open(person.id_number_sealed, place=Person.id_number_place(person.id))


def line_of(world: World, bill: ContributionBill, *, receipt: str | None = None, **more) -> Line:
    """What an authority says of this bill's month."""
    given = {
        "receipt_no": receipt or f"3204002611{bill.id:08d}",
        "id_number": id_number_of(world, bill.enrollment_id),
        "insurance_type": bill.insurance_type,
        "coverage_month": bill.coverage_month,
        "kind": "2" if bill.kind == "SUPPLEMENT" else "1",
        "amount_fen": bill.amount_fen,
        "channel": "",
        "payment_no": "",
        "on": "20261121",
        **more,
    }
    return Line(**given)


def a_file(
    folder: Path, *lines: Line, kind: str = "TAX", authority: str = AUTHORITY, day: str = "20261121", fault: str | None = None
) -> Path:
    """A file of these lines in the folder, with its flag."""
    name = f"{kind}_{authority}_{day}.csv"
    put(folder, name, file_of(kind, authority, day, list(lines), fault=fault), fault=fault)
    return folder / name
