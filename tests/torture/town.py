"""People for the torture: verified accounts whose phones are signed in, with this month's bills, seeded a thousand at a time."""

from __future__ import annotations

import hashlib
import secrets
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import insert, text

from config.clock import beijing_date
from config.months import YearMonth
from models.accounts import Account, AccountSession
from models.base import new_id
from models.enrollments import Enrollment
from models.insured_persons import InsuredPerson
from models.people import Person
from sandbox.remote import Sandbox
from services import assessment
from services.people import mask_name, parse_id_number
from tests.factories import an_id_number

if TYPE_CHECKING:
    import uuid

    from services.ports import Ports


@dataclass(frozen=True)
class Program:
    code: str
    app_id: str
    platform: str
    region: str
    area: str
    insurances: tuple[tuple[str, str], ...]
    """(insurance, tier) of each enrolment."""


PROGRAMS = (
    Program("jiangsu-tax-wechat", "wx3204000000000001", "wechat", "320400", "320402", (("110", "3"), ("310", "5"))),
    Program("jiangsu-tax-alipay", "2021003204000001", "alipay", "320400", "320402", (("110", "3"), ("310", "5"))),
    Program("xinjiang-tax-wechat", "wx6500000000000001", "wechat", "650000", "650102", (("110", "3"),)),
)
NAME = "张三"


@dataclass(frozen=True, kw_only=True)
class Citizen:
    """Somebody with a phone in the hand."""

    program: Program
    user_id: str
    token: str
    relation_id: uuid.UUID
    bills: tuple[tuple[str, int], ...]
    """(number, fen)."""


def settle_people(ports: Ports, sandbox_url: str, count: int) -> list[Citizen]:
    """So many people, spread over the mini-programs, each with what this month costs."""
    programs = [PROGRAMS[at % len(PROGRAMS)] for at in range(count)]
    sandbox = Sandbox(sandbox_url)
    users = [sandbox.make_user(program.app_id) for program in programs]
    sandbox.close()
    now, month = ports.now(), YearMonth.of(beijing_date(ports.now()))
    with ThreadPoolExecutor(2) as pool:
        rows = list(pool.map(lambda at: _rows(ports, at, programs[at], users[at]["subject"]), range(count)))
    with ports.begin() as session:
        for model, name in ((Person, "person"), (Account, "account"), (InsuredPerson, "relation"), (AccountSession, "session")):
            session.execute(insert(model), [row[name] for row in rows])
        session.execute(insert(Enrollment), [each for row in rows for each in row["enrollments"]])
    done = assessment.assess(ports, month=month)
    assert sum(each.issued for each in done) == sum(len(program.insurances) for program in programs), done
    with ports.begin() as session:
        # So many rows at once: without this the first plans are those of an empty town.
        session.execute(text("ANALYZE"))
        found = session.execute(
            text(
                "SELECT e.person_id, b.bill_no, b.amount_fen FROM contribution_bills b JOIN enrollments e ON e.id = b.enrollment_id"
            )
        ).all()
    bills: dict[uuid.UUID, list[tuple[str, int]]] = {}
    for person_id, bill_no, amount_fen in found:
        bills.setdefault(person_id, []).append((bill_no, amount_fen))
    assert now <= ports.now()
    return [
        Citizen(
            program=program,
            user_id=user["user_id"],
            token=row["token"],
            relation_id=row["relation"]["id"],
            bills=tuple(sorted(bills[row["person"]["id"]])),
        )
        for program, user, row in zip(programs, users, rows, strict=True)
    ]


def _rows(ports: Ports, at: int, program: Program, subject: str) -> dict[str, Any]:
    seals, now = ports.seals, ports.now()
    number = an_id_number(at % 500, place=program.area, born=f"19{60 + at // 500 % 30:02d}0101")
    person_id, account_id, relation_id, token = new_id(), new_id(), new_id(), secrets.token_urlsafe(32)
    return {
        "token": token,
        "person": {
            "id": person_id,
            "name_sealed": seals.seal(NAME, place=Person.name_place(person_id)),
            "name_index": seals.index("name", NAME),
            "name_masked": mask_name(NAME),
            "id_number_sealed": seals.seal(number, place=Person.id_number_place(person_id)),
            "id_number_index": seals.index("id_number", number),
            "id_number_masked": parse_id_number(number, today=ports.today()).masked,
            "created_at": now,
        },
        "account": {
            "id": account_id,
            "miniprogram": program.code,
            "subject_sealed": seals.seal(subject, place=Account.subject_place(account_id)),
            "subject_index": seals.index("subject", program.code, subject),
            "person_id": person_id,
            "elder_mode": False,
            "created_at": now,
        },
        "relation": {
            "id": relation_id,
            "account_id": account_id,
            "person_id": person_id,
            "is_self": True,
            "relation": "本人",
            "keep": True,
            "created_at": now,
        },
        "session": {
            "account_id": account_id,
            "token_hash": hashlib.sha256(token.encode()).digest(),
            "created_at": now,
            "expires_at": now + timedelta(hours=2),
        },
        "enrollments": [
            {
                "person_id": person_id,
                "region": program.region,
                "pooling_area": program.area,
                "insurance_type": insurance_type,
                "tier": tier,
                "state": "ACTIVE",
                "start_month": now.year * 100 + 1,
                "created_at": now,
                "updated_at": now,
            }
            for insurance_type, tier in program.insurances
        ],
    }
