"""Those I pay for: myself, and people I named rightly (缴费人管理, 添加他人身份信息)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from apiflask import APIBlueprint, Schema
from apiflask.fields import Boolean, DateTime, List, Nested, String
from apiflask.validators import Length

from miniprogram_api.auth import endpoint, me, ports
from miniprogram_api.fields import Given, short_text
from services import insured_persons
from services.errors import (
    ConsentRequired,
    IdNumberMalformed,
    NameMalformed,
    NotAvailableOnline,
    NotFound,
    PersonNotMatched,
    RealNameRequired,
    TooManyLookups,
)

if TYPE_CHECKING:
    import uuid

    from models.insured_persons import InsuredPerson

door = APIBlueprint("insured_persons", __name__, tag="Insured persons")


class InsuredPersonIn(Given):
    name = short_text(100, required=True)
    id_number = short_text(40, required=True)
    relation = String(validate=Length(max=20), load_default=None)
    keep = Boolean(load_default=True, metadata={"description": "false：只缴这一次，不保存"})


class InsuredPersonOut(Schema):
    id = String(required=True)
    is_self = Boolean(required=True)
    name = String(required=True, metadata={"description": "已脱敏"})
    id_number = String(required=True, metadata={"description": "已脱敏"})
    relation = String(required=True, allow_none=True)
    keep = Boolean(required=True)
    expires_at = DateTime(required=True, allow_none=True)


class InsuredPersonsOut(Schema):
    insured_persons = List(Nested(InsuredPersonOut), required=True)


def shown(row: InsuredPerson) -> dict[str, Any]:
    """A person as a payer may see them: masked."""
    return {
        "id": str(row.id),
        "is_self": row.is_self,
        "name": row.person.name_masked,
        "id_number": row.person.id_number_masked,
        "relation": row.relation,
        "keep": row.keep,
        "expires_at": row.expires_at,
    }


# What is answered alone stands above what lists it: APIFlask would otherwise enter its schema twice.
@door.post("/insured-persons")
@endpoint(
    door,
    takes=InsuredPersonIn,
    returns=InsuredPersonOut,
    status=201,
    fails=[
        ConsentRequired,
        RealNameRequired,
        IdNumberMalformed,
        NameMalformed,
        TooManyLookups,
        NotAvailableOnline,
        PersonNotMatched,
    ],
    creates=True,
)
def add_insured_person(given: dict[str, Any]) -> dict[str, Any]:
    """Add somebody by name and ID number. A miss is always the same answer. Adding again is the same person."""
    named = insured_persons.Named(name=given["name"], id_number=given["id_number"])
    return shown(
        insured_persons.add_insured_person(ports(), account=me(), named=named, relation=given["relation"], keep=given["keep"])
    )


@door.get("/insured-persons")
@endpoint(door, returns=InsuredPersonsOut)
def list_insured_persons() -> dict[str, Any]:
    """Me, and those I may pay for."""
    return {"insured_persons": [shown(row) for row in insured_persons.list_insured_persons(ports(), account=me())]}


@door.delete("/insured-persons/<uuid:insured_person_id>")
@endpoint(door, status=204, fails=[NotFound])
def remove_insured_person(insured_person_id: uuid.UUID) -> tuple[str, int]:
    """Stop paying for somebody."""
    insured_persons.remove_insured_person(ports(), account=me(), insured_person_id=insured_person_id)
    return "", 204
