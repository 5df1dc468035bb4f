"""Stories of withholding agreements: what succeeds, and every refusal that is promised."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from models.people import Person
from providers.protocols import CardAnswer, CardVerdict
from services.probing import note_miss
from tests.doors.stories import CHILD, NOBODY, Ask, good, newcomer, refused, somebody, taking_the_name_back, with_given
from tests.factories import WECHAT, XINJIANG
from tests.signing import a_card, a_debit_under_way, a_signer, branch_signed, numbers_of

if TYPE_CHECKING:
    from tests.doors.house import House

SIGN, END = "sign_withholding_agreement", "terminate_withholding_agreement"
READ, LIST = "read_withholding_agreement", "list_withholding_agreements"


@good
def sign_withholding_agreement(house: House) -> Ask:
    account = a_signer(house.world)
    name, number = numbers_of(house.world, account)
    given = {
        "region": "650000",
        "insurance_type": "110",
        "name": name,
        "id_number": number,
        "bank": "ICBC",
        "card_number": a_card(),
        "phone": "13800138000",
    }
    return Ask(method="POST", path="/withholding-agreements", given=given, account=account)


def signed(house: House) -> tuple[Ask, str]:
    ask = sign_withholding_agreement(house)
    return ask, ask.send(house).json["id"]


@good
def list_withholding_agreements(house: House) -> Ask:
    ask, _ = signed(house)
    return Ask(method="GET", path="/withholding-agreements", account=ask.account)


@good
def read_withholding_agreement(house: House) -> Ask:
    ask, made = signed(house)
    return Ask(method="GET", path=f"/withholding-agreements/{made}", account=ask.account)


@good
def terminate_withholding_agreement(house: House) -> Ask:
    return replace(read_withholding_agreement(house), method="DELETE")


@refused(LIST, "FACE_CHECK_REQUIRED")
def _(house: House) -> Ask:
    return replace(list_withholding_agreements(house), account=newcomer(house))


@refused(LIST, "CONSENT_REQUIRED")
def _(house: House) -> Ask:
    return taking_the_name_back(house, list_withholding_agreements(house))


@refused(READ, "NOT_FOUND")
def _(house: House) -> Ask:
    return replace(read_withholding_agreement(house), path=f"/withholding-agreements/{NOBODY}")


@refused(END, "NOT_FOUND")
def _(house: House) -> Ask:
    return replace(terminate_withholding_agreement(house), account=somebody(house))


@refused(END, "NOT_AVAILABLE_ONLINE")
def _(house: House) -> Ask:
    account, agreement_id = branch_signed(house.world)
    return Ask(method="DELETE", path=f"/withholding-agreements/{agreement_id}", account=account)


@refused(END, "DEBIT_IN_FLIGHT")
def _(house: House) -> Ask:
    ask = terminate_withholding_agreement(house)
    agreement_id = ask.path.rpartition("/")[2]
    a_debit_under_way(house.world, agreement_id)
    return ask


@refused(SIGN, "NAME_MALFORMED")
def _(house: House) -> Ask:
    return with_given(sign_withholding_agreement(house), name="王")


@refused(SIGN, "ID_NUMBER_MALFORMED")
def _(house: House) -> Ask:
    return with_given(sign_withholding_agreement(house), id_number="320402198505051111")


@refused(SIGN, "UNDER_SIXTEEN")
def _(house: House) -> Ask:
    return with_given(sign_withholding_agreement(house), id_number=CHILD)


@refused(SIGN, "CARD_NUMBER_MALFORMED")
def _(house: House) -> Ask:
    return with_given(sign_withholding_agreement(house), card_number="6228480402564890019")


@refused(SIGN, "NOT_FOUND")
def _(house: House) -> Ask:
    return with_given(sign_withholding_agreement(house), region="320000")


@refused(SIGN, "REGION_MISMATCH")
def _(house: House) -> Ask:
    return with_given(sign_withholding_agreement(house), region="320400")


@refused(SIGN, "FACE_CHECK_REQUIRED")
def _(house: House) -> Ask:
    return replace(sign_withholding_agreement(house), account=newcomer(house, miniprogram=XINJIANG))


@refused(SIGN, "CONSENT_REQUIRED")
def _(house: House) -> Ask:
    ask = sign_withholding_agreement(house)
    other = a_signer(house.world, agreed=("BANK_ACCOUNT",))
    name, number = numbers_of(house.world, other)
    return replace(with_given(ask, name=name, id_number=number), account=other)


@refused(SIGN, "AGREEMENT_IN_FORCE")
def _(house: House) -> Ask:
    ask, _ = signed(house)
    return ask


@refused(SIGN, "NOT_AVAILABLE_ONLINE")
def _(house: House) -> Ask:
    account = a_signer(house.world, region="320400", miniprogram=WECHAT)
    name, number = numbers_of(house.world, account)
    ask = with_given(sign_withholding_agreement(house), region="320400", bank="BOC", name=name, id_number=number)
    return replace(ask, account=account)


@refused(SIGN, "BANK_NOT_LISTED")
def _(house: House) -> Ask:
    return with_given(sign_withholding_agreement(house), bank="NOBANK")


@refused(SIGN, "NAME_ID_MISMATCH")
def _(house: House) -> Ask:
    return with_given(sign_withholding_agreement(house), name="李四光")


@refused(SIGN, "NOT_ACTIVE")
def _(house: House) -> Ask:
    return with_given(sign_withholding_agreement(house), insurance_type="310")


@refused(SIGN, "TOO_MANY_BANK_CARD_CHECKS")
def _(house: House) -> Ask:
    ask = sign_withholding_agreement(house)
    card = (ask.given or {})["card_number"]
    house.ports.cards.answers[card] = CardAnswer(verdict=CardVerdict.MISMATCH, provider_code="201")
    for _ in range(5):
        assert ask.send(house).json["state"] == "REJECTED"
    return ask


@refused(SIGN, "TOO_MANY_LOOKUPS")
def _(house: House) -> Ask:
    ask = sign_withholding_agreement(house)
    others = [somebody(house) for _ in range(10)]
    with house.ports.begin() as session:
        person = session.get_one(Person, ask.account.person_id if ask.account else None)
        for other in others:
            index = bytes(person.id_number_index)
            note_miss(session, account_id=other.id, id_index=index, now=house.ports.now(), detail="")
    return ask


@refused(SIGN, "IDEMPOTENCY_KEY_REUSED")
def _(house: House) -> Ask:
    ask = replace(sign_withholding_agreement(house), key="one-key-for-two-cards")
    assert ask.send(house).status_code == 201
    return with_given(ask, phone="13800138001")
