"""A phone and its first visit: signed in through the real house, agreed to what must be agreed to, and proven who one is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from services.consents import give_consent, notice_texts, open_notice
from services.face_checks import finish_face_check, start_face_check
from services.insured_persons import list_insured_persons
from services.real_names import prove_name
from services.sign_in import authenticate, sign_in

if TYPE_CHECKING:
    import uuid

    from jobs.simulation.month import Month
    from jobs.simulation.town import Resident
    from models.accounts import Account


@dataclass(kw_only=True)
class Phone:
    """Somebody's mini-program, signed in."""

    resident: Resident
    miniprogram: str
    app_id: str
    platform: str
    user_id: str
    account: Account
    orders: int = 0
    payees: dict[int, uuid.UUID] = field(default_factory=dict)
    """Resident's number → id in this account's list."""


def take_out(month: Month, resident: Resident, *, platform: str) -> Phone:
    """The first visit: sign in, agree, prove who one is."""
    ports, street = month.place.ports, month.place.street
    miniprogram, program = next(
        (code, each)
        for code, each in sorted(ports.partners.miniprograms.items())
        if each.platform == platform and resident.region in each.regions and each.merchant
    )
    street.register(name=resident.name, id_number=resident.id_number, phone=resident.phone, bank_card=resident.bank_card)
    real_name = {"name": resident.name, "id_number": resident.id_number} if program.platform_real_name else None
    user_id = street.make_user(program.app_id, real_name=real_name)
    signed = sign_in(ports, miniprogram=miniprogram, code=street.make_code(program.app_id, user_id))
    account = signed.account
    if account.person_id is None:
        agree(month, account, "REAL_NAME", "FACE")
        prove_name(ports, account=account, name=resident.name, id_number=resident.id_number, phone=resident.phone)
        begun = start_face_check(ports, account=account, idempotency_key=f"face-{resident.number}")
        street.show_face((begun.launch or {})["verifyId"])
        finish_face_check(ports, account=account, check_id=begun.id)
        account = authenticate(ports, signed.token)
    me = next(row for row in list_insured_persons(ports, account=account) if row.is_self)
    month.tally["signed in"] += 1
    return Phone(
        resident=resident,
        miniprogram=miniprogram,
        app_id=program.app_id,
        platform=platform,
        user_id=user_id,
        account=account,
        payees={resident.number: me.id},
    )


def agree(month: Month, account: Account, *purposes: str) -> None:
    """Agree to the texts in force; those that want to be read first were opened long enough ago."""
    ports = month.place.ports
    texts = {text.purpose: text for text in notice_texts(ports, account=account)}
    for purpose in purposes:
        text = texts[purpose]
        give_consent(ports, account=account, purpose=purpose, version=text.version, text_hash=text.text_hash)


def open_to_read(month: Month, account: Account, purpose: str) -> None:
    """Open a text that is read before it is agreed to."""
    ports = month.place.ports
    text = next(each for each in notice_texts(ports, account=account) if each.purpose == purpose)
    open_notice(ports, account=account, purpose=purpose, version=text.version, text_hash=text.text_hash)
