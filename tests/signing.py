"""People who sign withholding agreements: verified, enrolled, agreed, with a card of their own."""

from __future__ import annotations

import itertools
import uuid
from datetime import date
from typing import TYPE_CHECKING

from sqlalchemy import select

from models.debits import DebitBatch, DebitInstruction
from models.enrollments import Enrollment
from models.people import Person
from models.withholding_agreements import WithholdingAgreement
from services import branch_agreements
from services.branch_agreements import SignedPaper
from services.withholding_agreements import NewAgreement, sign
from tests.applying import a_worker
from tests.factories import DEBIT, WECHAT, XINJIANG

if TYPE_CHECKING:
    from typing import Any

    from models.accounts import Account
    from models.payments import Payment
    from services.agreement_views import AgreementView
    from tests.factories import World

NAME = "张三丰"
PHONE = "13800138000"
FIRST, SECOND = "S1024", "S2048"
_cards = itertools.count()


def a_card() -> str:
    """A card that passes Luhn, another one each time."""
    body = f"622202100111{next(_cards):06}"
    doubled = [int(digit) * (2 - at % 2) for at, digit in enumerate(reversed(body))]
    return f"{body}{-sum(each - 9 * (each > 9) for each in doubled) % 10}"


def a_signer(
    world: World,
    person: Person | None = None,
    *,
    region: str = "650000",
    miniprogram: str = XINJIANG,
    agreed: tuple[str, ...] = ("BANK_ACCOUNT", "WITHHOLDING"),
    **enrolled: Any,
) -> Account:
    person = person or a_worker(world)
    world.enrollment(person, region=region, **enrolled)
    account = world.account(person, miniprogram=miniprogram)
    world.agree(account, *agreed)
    return account


def numbers_of(world: World, account: Account) -> tuple[str, str]:
    """Name and ID number, as the person would type them."""
    with world.ports.begin() as session:
        person = session.get_one(Person, account.person_id)
        seals = world.ports.seals
        return (
            seals.open(person.name_sealed, place=Person.name_place(person.id)),
            seals.open(person.id_number_sealed, place=Person.id_number_place(person.id)),
        )


def wanted(world: World, account: Account, **changes: str) -> NewAgreement:
    name, number = numbers_of(world, account)
    given = {
        "region": "650000",
        "insurance_type": "110",
        "name": name,
        "id_number": number,
        "bank": "ICBC",
        "card_number": a_card(),
        "phone": PHONE,
    }
    return NewAgreement(**{**given, **changes})


def press(world: World, account: Account, *, key: str | None = None, **changes: str) -> AgreementView:
    return sign(world.ports, account=account, new=wanted(world, account, **changes), idempotency_key=key or uuid.uuid4().hex)


def paper(world: World, account: Account, **changes: Any) -> SignedPaper:
    """What a branch of the bank gave the person to take home."""
    name, number = numbers_of(world, account)
    given = {
        "region": "320400",
        "insurance_type": "110",
        "name": name,
        "id_number": number,
        "bank": "BOC",
        "card_number": a_card(),
        "bank_agreement_no": "BOC-2026-0001",
        "financial_function_activated": True,
        "signed_on": date(2026, 11, 20),
    }
    return SignedPaper(**{**given, **changes})


def a_debit_under_way(world: World, agreement_id: uuid.UUID | str) -> Payment:
    """This month of the agreement's person stands in a batch that the bank has."""
    with world.ports.begin() as session:
        agreement = session.get_one(WithholdingAgreement, uuid.UUID(str(agreement_id)))
        person = session.get_one(Person, agreement.person_id)
        enrollment = session.scalars(select(Enrollment).where(Enrollment.person_id == person.id)).one()
        session.expunge_all()
    payment = world.outside_order(person, world.bills(enrollment))
    now = world.ports.now()
    with world.ports.begin() as session:
        batch = DebitBatch(way=DEBIT, run_day=world.ports.today(), number=1, state="SENT", result_due_at=now, created_at=now)
        session.add(batch)
        session.flush()
        session.add(
            DebitInstruction(
                batch_id=batch.id,
                seq=1,
                payment_id=payment.id,
                agreement_id=agreement.id,
                amount_fen=payment.amount_fen,
                created_at=now,
            )
        )
    return payment


def branch_signed(world: World, account: Account | None = None, **changes: Any) -> tuple[Account, uuid.UUID]:
    """Recorded by one of the staff, confirmed by another."""
    account = account or a_signer(world, region="320400", miniprogram=WECHAT, agreed=())
    signed = paper(world, account, **changes)
    told = branch_agreements.record(world.ports, paper=signed, by=FIRST)
    branch_agreements.confirm(world.ports, agreement_no=told.agreement_no, card_number=signed.card_number, by=SECOND)
    made = world.scalar("SELECT id FROM withholding_agreements WHERE agreement_no = :no", no=told.agreement_no)
    return account, made
