"""One story for each operation that succeeds, and one for each refusal that it promises.

A story furnishes the house and answers with the question to ask. What is common to all operations is not told here.
"""

from __future__ import annotations

import itertools
import uuid
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from sqlalchemy import select, text

from config.rulebook import Region, Rulebook, TierChangePolicy, TierChangePolicyKind
from models.applications import DocumentUpload
from models.bills import ContributionBill
from models.identity import IdentityVerification
from providers.protocols import CardAnswer, CardVerdict, FaceVerdict, NameVerdict, ProviderRefused, ProviderUnreachable
from services.probing import note_miss
from services.receipts import RECEIPTS_A_DAY
from tests import photographs
from tests.factories import ALIPAY, APP, WECHAT, XINJIANG, an_id_number
from tests.providers.fakes import FakeScanner

if TYPE_CHECKING:
    from collections.abc import Callable

    from werkzeug.test import TestResponse

    from models.accounts import Account
    from tests.doors.house import House

NOBODY = "01980000-0000-7000-8000-000000000000"
NO_NUMBER = "0" * 24
CHILD = an_id_number(1, born="20150101")
_adults = itertools.count()


def an_adults_number() -> str:
    """An ID number that nobody in the shared database has yet."""
    count = next(_adults)
    return an_id_number(count, born=f"19{50 + count // 500 % 45}0909")


_phones = itertools.count()


def a_phone() -> str:
    """A mobile number that nobody in the shared database has yet."""
    return f"139{next(_phones):08}"


@dataclass(frozen=True, kw_only=True)
class Ask:
    """A question: who asks, what, and how to ask it."""

    method: str
    path: str
    given: dict[str, Any] | None = None
    account: Account | None = None
    key: str = ""
    before: list[Callable[[], object]] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    raw: bytes | None = None

    def send(self, house: House, **how: Any) -> TestResponse:
        for step in self.before:
            step()
        how = {"given": self.given, "key": self.key, "headers": self.headers, "raw": self.raw, **how}
        return house.phone(self.account).ask(self.method, self.path, **how)


GOOD: dict[str, Callable[[House], Ask]] = {}
REFUSALS: dict[tuple[str, str], Callable[[House], Ask]] = {}
UNREACHABLE = {
    ("list_regions", "BUSY"): "the rulebook is in memory: no database is asked",
    ("read_region", "BUSY"): "the rulebook is in memory: no database is asked",
}
"""Promised to everybody, and never said by these; test_regions_need_no_database proves it."""


def good(story: Callable[[House], Ask]) -> Callable[[House], Ask]:
    GOOD[story.__name__] = story
    return story


def refused(operation: str, code: str) -> Callable[[Callable[[House], Ask]], Callable[[House], Ask]]:
    def note(story: Callable[[House], Ask]) -> Callable[[House], Ask]:
        REFUSALS[operation, code] = story
        return story

    return note


# --- furniture


def somebody(house: House, **how: Any) -> Account:
    return house.world.account(**how)


def newcomer(house: House, *purposes: str, miniprogram: str = WECHAT) -> Account:
    """Signed in, not verified, and agreed to these texts."""
    account = house.world.account(verified=False, miniprogram=miniprogram)
    house.world.agree(account, *purposes)
    return account


def named(house: House, *, miniprogram: str = WECHAT) -> Account:
    """A newcomer whose name the authority matched."""
    account = newcomer(house, "REAL_NAME", "FACE", miniprogram=miniprogram)
    given = {"name": "王小明", "id_number": an_adults_number()}
    assert house.phone(account).post("/identity/real-name", given).status_code == 200
    return account


def face_check(house: House) -> tuple[Account, str]:
    account = named(house)
    return account, house.phone(account).post("/identity/face-checks", {}).json["id"]


def own_order(house: House, **how: Any) -> tuple[Account, str]:
    account, view = house.world.order(**how)
    return account, view.order_no


def an_order_to_place(house: House, *, region: str = "320400", miniprogram: str = WECHAT, months: tuple[str, ...] = ()) -> Ask:
    person = house.world.person()
    bills = house.world.bills(house.world.enrollment(person, region=region), *months)
    account = house.world.account(person, miniprogram=miniprogram)
    return Ask(
        method="POST",
        path="/payment-orders",
        given={
            "insured_person_id": str(house.world.me_in_list(account)),
            "bill_ids": [bill.bill_no for bill in bills],
            "expected_amount_fen": sum(bill.amount_fen for bill in bills),
        },
        account=account,
    )


def with_given(ask: Ask, **changes: Any) -> Ask:
    return replace(ask, given={**(ask.given or {}), **changes})


def a_strangers_order(house: House) -> tuple[Account, Account]:
    """The insured person's account, and that of a stranger whose order holds their month."""
    person = house.world.person()
    bills = house.world.bills(house.world.enrollment(person))
    payer, entry = house.world.payer_for(person)
    house.world.order_for(payer, entry, bills)
    return house.world.account(person), payer


def text_of(house: House, account: Account, purpose: str) -> dict[str, str]:
    notices = house.phone(account).get("/notices").json["notices"]
    return next(
        {name: each[name] for name in ("purpose", "version", "text_hash")} for each in notices if each["purpose"] == purpose
    )


def add_person(account: Account, *, name: str = "李四", id_number: str | None = None) -> Ask:
    given = {"name": name, "id_number": id_number or an_adults_number()}
    return Ask(method="POST", path="/insured-persons", given=given, account=account)


def without_capability(house: House, capability: str) -> None:
    """The region no longer offers this on the phone."""
    from config.rulebook import CapabilityRule, Rulebook

    def closed(region: Any) -> Any:
        rows = dict(region.rows)
        rows[CapabilityRule] = tuple(
            row.model_copy(update={"available": False, "explanation": "请到窗口办理。"})
            if row.capability == capability
            else row
            for row in region.own(CapabilityRule)
        )
        return replace(region, rows=rows)

    regions = {code: closed(region) for code, region in house.ports.rulebook.regions.items()}
    house.swap_ports(rulebook=Rulebook(regions))


# --- sessions


@good
def create_session(house: House) -> Ask:
    return Ask(method="POST", path="/sessions", given={"miniprogram": WECHAT, "code": "c0de"})


@refused("create_session", "UNKNOWN_MINIPROGRAM")
def _(house: House) -> Ask:
    return with_given(create_session(house), miniprogram="nowhere-tax-wechat")


@refused("create_session", "SIGN_IN_CODE_REFUSED")
def _(house: House) -> Ask:
    house.ports.logins[WECHAT].fails.append(("sign_in", ProviderRefused("40029")))
    return create_session(house)


@refused("create_session", "PROVIDER_UNAVAILABLE")
def _(house: House) -> Ask:
    house.ports.logins[WECHAT].fails.append(("sign_in", ProviderUnreachable("down")))
    return create_session(house)


@refused("create_session", "WRONG_WAY_FOR_PLATFORM")
def _(house: House) -> Ask:
    return with_given(create_session(house), miniprogram=APP)


def sms_code_for(house: House, phone: str) -> str:
    """The digits that came to this phone a moment ago."""
    assert house.phone().post("/sms-codes", {"miniprogram": APP, "phone": phone}).status_code == 202
    return house.ports.sms.code_for(phone)


def entering(house: House, path: str) -> Ask:
    """With a right code, before the phone's number has an account."""
    phone = a_phone()
    given = {"miniprogram": APP, "phone": phone, "sms_code": sms_code_for(house, phone)}
    return Ask(method="POST", path=path, given=given)


def wrong(sms_code: str) -> str:
    return f"{(int(sms_code) + 1) % 10**6:06}"


@refused("create_session", "PHONE_MALFORMED")
def _(house: House) -> Ask:
    return with_given(entering(house, "/sessions"), phone="12345678901")


@refused("create_session", "SMS_CODE_WRONG")
def _(house: House) -> Ask:
    ask = entering(house, "/sessions")
    return with_given(ask, sms_code=wrong(ask.given["sms_code"]))


@refused("create_session", "REGISTER_FIRST")
def _(house: House) -> Ask:
    return entering(house, "/sessions")


@good
def end_session(house: House) -> Ask:
    return Ask(method="DELETE", path="/sessions/current", account=somebody(house))


@good
def read_me(house: House) -> Ask:
    return Ask(method="GET", path="/me", account=somebody(house))


@good
def set_preferences(house: House) -> Ask:
    return Ask(method="PATCH", path="/me/preferences", given={"elder_mode": True}, account=somebody(house))


# --- accounts


@good
def create_sms_code(house: House) -> Ask:
    return Ask(method="POST", path="/sms-codes", given={"miniprogram": APP, "phone": a_phone()})


@refused("create_sms_code", "UNKNOWN_MINIPROGRAM")
def _(house: House) -> Ask:
    return with_given(create_sms_code(house), miniprogram="nowhere-hrss-app")


@refused("create_sms_code", "WRONG_WAY_FOR_PLATFORM")
def _(house: House) -> Ask:
    return with_given(create_sms_code(house), miniprogram=WECHAT)


@refused("create_sms_code", "PHONE_MALFORMED")
def _(house: House) -> Ask:
    return with_given(create_sms_code(house), phone="0519-86680000")


@refused("create_sms_code", "SMS_CODE_TOO_SOON")
def _(house: House) -> Ask:
    ask = create_sms_code(house)
    assert ask.send(house).status_code == 202
    return ask


@refused("create_sms_code", "TOO_MANY_SMS_CODES")
def _(house: House) -> Ask:
    ask = create_sms_code(house)
    for _ in range(10):
        assert ask.send(house).status_code == 202
        house.clock.move(minutes=1)
    return ask


@refused("create_sms_code", "SMS_BUSY")
def _(house: House) -> Ask:
    ask = create_sms_code(house)
    assert create_sms_code(house).send(house).status_code == 202
    partners = house.ports.partners
    small = partners.miniprograms[APP].model_copy(update={"sms_codes_an_hour": 1})
    house.swap_ports(partners=partners.model_copy(update={"miniprograms": {**partners.miniprograms, APP: small}}))
    return ask


@refused("create_sms_code", "PROVIDER_UNAVAILABLE")
def _(house: House) -> Ask:
    house.ports.sms.fails.append(("send", ProviderUnreachable("down")))
    return create_sms_code(house)


@good
def create_account(house: House) -> Ask:
    return entering(house, "/accounts")


@refused("create_account", "UNKNOWN_MINIPROGRAM")
def _(house: House) -> Ask:
    return with_given(create_account(house), miniprogram="nowhere-hrss-app")


@refused("create_account", "WRONG_WAY_FOR_PLATFORM")
def _(house: House) -> Ask:
    return with_given(create_account(house), miniprogram=ALIPAY)


@refused("create_account", "PHONE_MALFORMED")
def _(house: House) -> Ask:
    return with_given(create_account(house), phone="+85291234567")


@refused("create_account", "SMS_CODE_WRONG")
def _(house: House) -> Ask:
    ask = create_account(house)
    return with_given(ask, sms_code=wrong(ask.given["sms_code"]))


@refused("create_account", "ALREADY_REGISTERED")
def _(house: House) -> Ask:
    ask = create_account(house)
    assert ask.send(house).status_code == 201
    house.clock.move(minutes=1)
    return with_given(ask, sms_code=sms_code_for(house, ask.given["phone"]))


@good
def add_phone(house: House) -> Ask:
    account = somebody(house)
    house.world.agree(account, "PHONE")
    return Ask(method="POST", path="/me/phone", given={"code": "c0de"}, account=account)


@refused("add_phone", "CONSENT_REQUIRED")
def _(house: House) -> Ask:
    return replace(add_phone(house), account=somebody(house))


@refused("add_phone", "WRONG_WAY_FOR_PLATFORM")
def _(house: House) -> Ask:
    return replace(add_phone(house), account=somebody(house, miniprogram=ALIPAY))


@refused("add_phone", "PHONE_NOT_PROVEN")
def _(house: House) -> Ask:
    house.ports.logins[WECHAT].fails.append(("phone_number", ProviderRefused("40029")))
    return add_phone(house)


@refused("add_phone", "PROVIDER_UNAVAILABLE")
def _(house: House) -> Ask:
    house.ports.logins[WECHAT].fails.append(("phone_number", ProviderUnreachable("down")))
    return add_phone(house)


@good
def remove_phone(house: House) -> Ask:
    ask = add_phone(house)
    assert ask.send(house).status_code == 200
    return Ask(method="DELETE", path="/me/phone", account=ask.account)


@refused("remove_phone", "WRONG_WAY_FOR_PLATFORM")
def _(house: House) -> Ask:
    return Ask(method="DELETE", path="/me/phone", account=somebody(house, miniprogram=APP))


# --- regions


@good
def list_regions(house: House) -> Ask:
    return Ask(method="GET", path="/regions")


@good
def read_region(house: House) -> Ask:
    return Ask(method="GET", path="/regions/320400")


@refused("read_region", "NOT_FOUND")
def _(house: House) -> Ask:
    return Ask(method="GET", path="/regions/320000")


# --- menu


@good
def read_menu(house: House) -> Ask:
    return Ask(method="GET", path="/menu?region=320400", account=newcomer(house))


@refused("read_menu", "NOT_FOUND")
def _(house: House) -> Ask:
    return replace(read_menu(house), path="/menu?region=320000")


@refused("read_menu", "REGION_MISMATCH")
def _(house: House) -> Ask:
    return replace(read_menu(house), path="/menu?region=650000")


# --- consents


@good
def list_notices(house: House) -> Ask:
    return Ask(method="GET", path="/notices", account=newcomer(house))


@good
def open_notice(house: House) -> Ask:
    account = newcomer(house)
    return Ask(method="POST", path="/notices/readings", given=text_of(house, account, "ENROLLMENT"), account=account)


@refused("open_notice", "NOT_FOUND")
def _(house: House) -> Ask:
    return with_given(open_notice(house), purpose="EVERYTHING")


@refused("open_notice", "CONSENT_TEXT_CHANGED")
def _(house: House) -> Ask:
    return with_given(open_notice(house), version="2020-12-16")


@good
def list_consents(house: House) -> Ask:
    return Ask(method="GET", path="/consents", account=newcomer(house, "REAL_NAME"))


@good
def create_consent(house: House) -> Ask:
    account = newcomer(house)
    return Ask(method="POST", path="/consents", given=text_of(house, account, "REAL_NAME"), account=account)


@refused("create_consent", "NOT_FOUND")
def _(house: House) -> Ask:
    return with_given(create_consent(house), purpose="EVERYTHING")


@refused("create_consent", "CONSENT_TEXT_CHANGED")
def _(house: House) -> Ask:
    return with_given(create_consent(house), text_hash="0" * 64)


@refused("create_consent", "READ_THE_NOTICE_FIRST")
def _(house: House) -> Ask:
    ask = create_consent(house)
    return replace(ask, given=text_of(house, ask.account, "ENROLLMENT"))


@good
def withdraw_consent(house: House) -> Ask:
    account = newcomer(house)
    (consent,) = house.world.agree(account, "REAL_NAME")
    return Ask(method="DELETE", path=f"/consents/{consent.id}", account=account)


@refused("withdraw_consent", "NOT_FOUND")
def _(house: House) -> Ask:
    return replace(withdraw_consent(house), account=somebody(house))


# --- identity


@good
def prove_name(house: House) -> Ask:
    return Ask(
        method="POST",
        path="/identity/real-name",
        given={"name": "王小明", "id_number": an_adults_number(), "phone": "13800138000"},
        account=newcomer(house, "REAL_NAME"),
    )


@refused("prove_name", "CONSENT_REQUIRED")
def _(house: House) -> Ask:
    return replace(prove_name(house), account=newcomer(house))


@refused("prove_name", "NAME_MALFORMED")
def _(house: House) -> Ask:
    return with_given(prove_name(house), name="王")


@refused("prove_name", "ID_NUMBER_MALFORMED")
def _(house: House) -> Ask:
    return with_given(prove_name(house), id_number="320402198505051111")


@refused("prove_name", "UNDER_SIXTEEN")
def _(house: House) -> Ask:
    return with_given(prove_name(house), id_number=CHILD)


@refused("prove_name", "ALREADY_VERIFIED")
def _(house: House) -> Ask:
    account, check = face_check(house)
    passes(house, account)
    assert house.phone(account).post(f"/identity/face-checks/{check}/finished").json["verification_state"] == "VERIFIED"
    return replace(prove_name(house), account=account)


@refused("prove_name", "NAME_ID_MISMATCH")
def _(house: House) -> Ask:
    ask = prove_name(house)
    house.ports.names.verdicts[ask.given["id_number"]] = NameVerdict.MISMATCH
    return ask


@refused("prove_name", "TOO_MANY_LOOKUPS")
def _(house: House) -> Ask:
    ask = prove_name(house)
    for _ in range(5):
        ask.send(house)
    return ask


@refused("prove_name", "PROVIDER_UNAVAILABLE")
def _(house: House) -> Ask:
    house.ports.names.fails.append(("check", ProviderUnreachable("down")))
    return prove_name(house)


def passes(house: House, account: Account, verdict: FaceVerdict = FaceVerdict.PASSED) -> None:
    """The platform's server will say so of whatever check it is asked about next."""
    faces = house.ports.faces[account.miniprogram]
    for check_no in faces.asked("start"):
        faces.went(check_no, verdict)


@good
def start_face_check(house: House) -> Ask:
    return Ask(method="POST", path="/identity/face-checks", given={}, account=named(house))


@refused("start_face_check", "DEVICE_REQUIRED")
def _(house: House) -> Ask:
    return replace(start_face_check(house), account=named(house, miniprogram=APP))


@refused("start_face_check", "CONSENT_REQUIRED")
def _(house: House) -> Ask:
    return replace(start_face_check(house), account=newcomer(house))


@refused("start_face_check", "REAL_NAME_REQUIRED")
def _(house: House) -> Ask:
    return replace(start_face_check(house), account=newcomer(house, "FACE"))


@refused("start_face_check", "ALREADY_VERIFIED")
def _(house: House) -> Ask:
    account, check = face_check(house)
    passes(house, account)
    house.phone(account).post(f"/identity/face-checks/{check}/finished")
    return replace(start_face_check(house), account=account)


@refused("start_face_check", "TOO_MANY_FACE_CHECKS")
def _(house: House) -> Ask:
    ask = start_face_check(house)
    for _ in range(5):
        assert ask.send(house).status_code == 201
    return ask


@refused("start_face_check", "NOT_AVAILABLE_ONLINE")
def _(house: House) -> Ask:
    ask = start_face_check(house)
    house.swap_ports(faces={})
    return ask


@refused("start_face_check", "PROVIDER_UNAVAILABLE")
def _(house: House) -> Ask:
    house.ports.faces[WECHAT].fails.append(("start", ProviderUnreachable("down")))
    return start_face_check(house)


@refused("start_face_check", "REQUEST_IN_FLIGHT")
def _(house: House) -> Ask:
    account, check = face_check(house)
    ask = Ask(method="POST", path="/identity/face-checks", given={}, account=account, key="pressed-twice")
    assert ask.send(house).status_code == 201
    with house.ports.begin() as session:
        # As it stands while the first press still waits for the platform.
        from sqlalchemy import text

        session.execute(text("UPDATE face_checks SET state = 'CREATED' WHERE id <> :other"), {"other": check})
    return ask


@good
def finish_face_check(house: House) -> Ask:
    account, check = face_check(house)
    return Ask(method="POST", path=f"/identity/face-checks/{check}/finished", account=account)


@refused("finish_face_check", "NOT_FOUND")
def _(house: House) -> Ask:
    return replace(finish_face_check(house), account=somebody(house))


@refused("finish_face_check", "CONSENT_REQUIRED")
def _(house: House) -> Ask:
    """Taking it back by the API ends the check with it; whatever else ends a consent is met here."""
    ask = finish_face_check(house)
    with house.ports.begin() as session:
        session.execute(
            text("UPDATE consents SET withdrawn_at = :now WHERE account_id = :id AND purpose = 'FACE'"),
            {"now": house.ports.now(), "id": ask.account.id},
        )
    return ask


@refused("finish_face_check", "PROVIDER_UNAVAILABLE")
def _(house: House) -> Ask:
    house.ports.faces[WECHAT].fails.append(("ask", ProviderUnreachable("down")))
    return finish_face_check(house)


@good
def read_face_check(house: House) -> Ask:
    account, check = face_check(house)
    return Ask(method="GET", path=f"/identity/face-checks/{check}", account=account)


@refused("read_face_check", "NOT_FOUND")
def _(house: House) -> Ask:
    return replace(read_face_check(house), account=somebody(house))


# --- ways without a face


GOOD_CARD = "6228480402564890018"


def card_given(**changes: str) -> dict[str, str]:
    return {"card_number": GOOD_CARD, "phone": "13800138000", **changes}


def named_with_card(house: House) -> Account:
    account = named(house)
    house.world.agree(account, "BANK_CARD")
    return account


@good
def check_bank_card(house: House) -> Ask:
    return Ask(method="POST", path="/identity/bank-card-checks", given=card_given(), account=named_with_card(house))


@refused("check_bank_card", "CARD_NUMBER_MALFORMED")
def _(house: House) -> Ask:
    return with_given(check_bank_card(house), card_number="6228480402564890019")


@refused("check_bank_card", "CONSENT_REQUIRED")
def _(house: House) -> Ask:
    return replace(check_bank_card(house), account=named(house))


@refused("check_bank_card", "REAL_NAME_REQUIRED")
def _(house: House) -> Ask:
    return replace(check_bank_card(house), account=newcomer(house, "BANK_CARD"))


@refused("check_bank_card", "ALREADY_VERIFIED")
def _(house: House) -> Ask:
    ask = check_bank_card(house)
    assert ask.send(house).json["verification_state"] == "VERIFIED"
    return ask


@refused("check_bank_card", "TOO_MANY_BANK_CARD_CHECKS")
def _(house: House) -> Ask:
    ask = check_bank_card(house)
    house.ports.cards.answers[GOOD_CARD] = CardAnswer(verdict=CardVerdict.MISMATCH, provider_code="201")
    for _ in range(5):
        assert ask.send(house).json["state"] == "MISMATCHED"
    return ask


@refused("check_bank_card", "TOO_MANY_LOOKUPS")
def _(house: House) -> Ask:
    ask = check_bank_card(house)
    number = house.world.scalar("SELECT id_number_sealed FROM identity_verifications WHERE account_id = :id", id=ask.account.id)
    row = house.world.scalar("SELECT id FROM identity_verifications WHERE account_id = :id", id=ask.account.id)
    place = IdentityVerification.place_of("id_number_sealed", row)
    index = house.ports.seals.index_of_sealed(bytes(number), place=place, words=("id_number",), pick=str)
    others = [somebody(house) for _ in range(10)]
    with house.ports.begin() as session:
        for other in others:
            note_miss(session, account_id=other.id, id_index=index, now=house.ports.now(), detail="")
    return ask


@refused("check_bank_card", "IDEMPOTENCY_KEY_REUSED")
def _(house: House) -> Ask:
    ask = replace(check_bank_card(house), key="one-key-for-two-cards")
    assert ask.send(house).status_code == 201
    return with_given(ask, phone="13800138001")


@refused("check_bank_card", "REQUEST_IN_FLIGHT")
def _(house: House) -> Ask:
    ask = replace(check_bank_card(house), key="pressed-twice")
    made = ask.send(house).json["id"]
    with house.ports.begin() as session:
        # As it stands while the first press still waits for the bank.
        session.execute(text("UPDATE bank_card_checks SET state = 'CREATED' WHERE id = :id"), {"id": made})
    return ask


@good
def open_counter_check(house: House) -> Ask:
    return Ask(method="POST", path="/identity/counter-checks", given={}, account=newcomer(house, "REAL_NAME"))


@refused("open_counter_check", "CONSENT_REQUIRED")
def _(house: House) -> Ask:
    return replace(open_counter_check(house), account=newcomer(house))


@refused("open_counter_check", "ALREADY_VERIFIED")
def _(house: House) -> Ask:
    ask = check_bank_card(house)
    assert ask.send(house).json["verification_state"] == "VERIFIED"
    return replace(open_counter_check(house), account=ask.account)


@refused("open_counter_check", "TOO_MANY_COUNTER_CODES")
def _(house: House) -> Ask:
    ask = open_counter_check(house)
    for _ in range(5):
        assert ask.send(house).status_code == 201
        assert house.phone(ask.account).delete("/identity/counter-checks/current").status_code == 204
    return ask


@good
def read_counter_check(house: House) -> Ask:
    ask = open_counter_check(house)
    assert ask.send(house).status_code == 201
    return Ask(method="GET", path="/identity/counter-checks/current", account=ask.account)


@refused("read_counter_check", "NOT_FOUND")
def _(house: House) -> Ask:
    return replace(read_counter_check(house), account=somebody(house))


@good
def withdraw_counter_check(house: House) -> Ask:
    return replace(read_counter_check(house), method="DELETE")


@refused("withdraw_counter_check", "NOT_FOUND")
def _(house: House) -> Ask:
    return replace(withdraw_counter_check(house), account=somebody(house))


# --- insured persons


def proxy(house: House) -> Account:
    account = somebody(house)
    house.world.agree(account, "PROXY_PAYMENT")
    return account


@good
def list_insured_persons(house: House) -> Ask:
    return Ask(method="GET", path="/insured-persons", account=somebody(house))


@good
def add_insured_person(house: House) -> Ask:
    house.world.person(name="李四", id_number=(number := an_adults_number()))
    return add_person(proxy(house), id_number=number)


@refused("add_insured_person", "CONSENT_REQUIRED")
def _(house: House) -> Ask:
    return add_person(somebody(house))


@refused("add_insured_person", "REAL_NAME_REQUIRED")
def _(house: House) -> Ask:
    return add_person(newcomer(house, "PROXY_PAYMENT"))


@refused("add_insured_person", "ID_NUMBER_MALFORMED")
def _(house: House) -> Ask:
    return add_person(proxy(house), id_number="110101900101001")


@refused("add_insured_person", "NAME_MALFORMED")
def _(house: House) -> Ask:
    return add_person(proxy(house), name="L4")


@refused("add_insured_person", "TOO_MANY_LOOKUPS")
def _(house: House) -> Ask:
    account = proxy(house)
    for _ in range(20):
        assert add_person(account).send(house).status_code == 409
    return add_person(account)


@refused("add_insured_person", "NOT_AVAILABLE_ONLINE")
def _(house: House) -> Ask:
    account = proxy(house)
    without_capability(house, "PAY_FOR_OTHERS")
    return add_person(account)


@refused("add_insured_person", "PERSON_NOT_MATCHED")
def _(house: House) -> Ask:
    house.world.person(name="李四", id_number=(number := an_adults_number()))
    return add_person(proxy(house), name="李五", id_number=number)


@good
def remove_insured_person(house: House) -> Ask:
    payer, entry = house.world.payer_for(house.world.person())
    return Ask(method="DELETE", path=f"/insured-persons/{entry}", account=payer)


@refused("remove_insured_person", "NOT_FOUND")
def _(house: House) -> Ask:
    return replace(remove_insured_person(house), account=somebody(house))


# --- payer blocks


@good
def list_payers(house: House) -> Ask:
    insured, _ = a_strangers_order(house)
    return Ask(method="GET", path="/payer-blocks", account=insured)


@refused("list_payers", "FACE_CHECK_REQUIRED")
def _(house: House) -> Ask:
    return Ask(method="GET", path="/payer-blocks", account=newcomer(house))


@good
def block_payer(house: House) -> Ask:
    insured, _ = a_strangers_order(house)
    (payer,) = house.phone(insured).get("/payer-blocks").json["payers"]
    return Ask(method="POST", path="/payer-blocks", given={"payer_id": payer["payer_id"]}, account=insured)


@refused("block_payer", "FACE_CHECK_REQUIRED")
def _(house: House) -> Ask:
    return replace(block_payer(house), account=newcomer(house))


@refused("block_payer", "NOT_FOUND")
def _(house: House) -> Ask:
    return replace(block_payer(house), account=somebody(house))


@good
def unblock_payer(house: House) -> Ask:
    ask = block_payer(house)
    block = ask.send(house).json["block_id"]
    return Ask(method="DELETE", path=f"/payer-blocks/{block}", account=ask.account)


@refused("unblock_payer", "NOT_FOUND")
def _(house: House) -> Ask:
    return replace(unblock_payer(house), account=somebody(house))


# --- bills


@good
def list_bills(house: House) -> Ask:
    person = house.world.person()
    house.world.bills(house.world.enrollment(person))
    account = house.world.account(person)
    return Ask(method="GET", path=f"/insured-persons/{house.world.me_in_list(account)}/bills", account=account)


@refused("list_bills", "NOT_FOUND")
def _(house: House) -> Ask:
    return replace(list_bills(house), account=somebody(house))


# --- enrolments


@good
def list_enrollments(house: House) -> Ask:
    person = house.world.person()
    enrollment = house.world.enrollment(person, region="650000")
    house.world.bills(enrollment, "2026-10", "2026-11")
    return Ask(method="GET", path="/enrollments", account=house.world.account(person, miniprogram=XINJIANG))


@refused("list_enrollments", "FACE_CHECK_REQUIRED")
def _(house: House) -> Ask:
    return replace(list_enrollments(house), account=newcomer(house))


@refused("list_enrollments", "CONSENT_REQUIRED")
def _(house: House) -> Ask:
    return taking_the_name_back(house, list_enrollments(house))


def taking_the_name_back(house: House, ask: Ask) -> Ask:
    (consent,) = house.world.agree(ask.account, "REAL_NAME")
    assert house.phone(ask.account).delete(f"/consents/{consent.id}").status_code == 200
    return ask


@good
def change_tier(house: House, *, miniprogram: str = XINJIANG, tier: str | None = "5", **more: Any) -> Ask:
    person = house.world.person()
    enrollment = house.world.enrollment(person, **{"region": "650000", **more})
    return Ask(
        method="POST",
        path=f"/enrollments/{enrollment.enrollment_no}/tier-changes",
        given={"tier": tier},
        account=house.world.account(person, miniprogram=miniprogram),
    )


@refused("change_tier", "FACE_CHECK_REQUIRED")
def _(house: House) -> Ask:
    return replace(change_tier(house), account=newcomer(house, miniprogram=XINJIANG))


@refused("change_tier", "CONSENT_REQUIRED")
def _(house: House) -> Ask:
    return taking_the_name_back(house, change_tier(house))


@refused("change_tier", "NOT_FOUND")
def _(house: House) -> Ask:
    return replace(change_tier(house), account=somebody(house, miniprogram=XINJIANG))


@refused("change_tier", "REGION_MISMATCH")
def _(house: House) -> Ask:
    return change_tier(house, miniprogram=WECHAT)


@refused("change_tier", "NOT_ACTIVE")
def _(house: House) -> Ask:
    return change_tier(house, state="SUSPENDED")


@refused("change_tier", "NOT_AVAILABLE_ONLINE")
def _(house: House) -> Ask:
    xinjiang = house.ports.rulebook.region("650000")
    (policy,) = xinjiang.own(TierChangePolicy)
    none = policy.model_copy(update={"policy": TierChangePolicyKind.NONE})
    region = Region(xinjiang.header, xinjiang.parent, {**xinjiang.rows, TierChangePolicy: (none,)})
    house.swap_ports(rulebook=Rulebook({**house.ports.rulebook.regions, "650000": region}))
    return change_tier(house)


@refused("change_tier", "TIER_NOT_OFFERED")
def _(house: House) -> Ask:
    return change_tier(house, tier="9")


@refused("change_tier", "DECLARED_WAGE_OUT_OF_LIMITS")
def _(house: House) -> Ask:
    return replace(change_tier(house), given={"declared_wage_fen": 100})


@refused("change_tier", "TIER_UNCHANGED")
def _(house: House) -> Ask:
    return change_tier(house, tier="3")


@refused("change_tier", "TOO_MANY_TIER_CHANGES")
def _(house: House) -> Ask:
    ask = change_tier(house)
    for tier in ("1", "2", "1", "2", "1"):
        assert replace(ask, given={"tier": tier}).send(house).status_code == 201
    return ask


@refused("change_tier", "IDEMPOTENCY_KEY_REUSED")
def _(house: House) -> Ask:
    ask = replace(change_tier(house), key="a-key-of-mine")
    assert replace(ask, given={"tier": "1"}).send(house).status_code == 201
    return ask


# --- retirement outlook


@good
def read_retirement_outlook(house: House) -> Ask:
    return Ask(method="GET", path="/retirement-outlook", account=somebody(house))


@refused("read_retirement_outlook", "FACE_CHECK_REQUIRED")
def _(house: House) -> Ask:
    return replace(read_retirement_outlook(house), account=newcomer(house))


@refused("read_retirement_outlook", "CONSENT_REQUIRED")
def _(house: House) -> Ask:
    ask = read_retirement_outlook(house)
    (consent,) = house.world.agree(ask.account, "REAL_NAME")
    assert house.phone(ask.account).delete(f"/consents/{consent.id}").status_code == 200
    return ask


# --- payment orders


@good
def place_order(house: House) -> Ask:
    return an_order_to_place(house)


@refused("place_order", "FACE_CHECK_REQUIRED")
def _(house: House) -> Ask:
    return replace(an_order_to_place(house), account=newcomer(house))


@refused("place_order", "NOT_FOUND")
def _(house: House) -> Ask:
    other = an_order_to_place(house)
    return with_given(an_order_to_place(house), bill_ids=other.given["bill_ids"])


@refused("place_order", "CONSENT_REQUIRED")
def _(house: House) -> Ask:
    ask = place_order(house)
    (consent,) = house.world.agree(ask.account, "REAL_NAME")
    assert house.phone(ask.account).delete(f"/consents/{consent.id}").status_code == 200
    return ask


def a_proxys_order(house: House) -> Ask:
    person = house.world.person()
    (bill,) = house.world.bills(house.world.enrollment(person))
    payer, entry = house.world.payer_for(person)
    given = {"insured_person_id": str(entry), "bill_ids": [bill.bill_no], "expected_amount_fen": bill.amount_fen}
    return Ask(method="POST", path="/payment-orders", given=given, account=payer)


def a_blocked_payer(house: House) -> tuple[Account, dict[str, Any], dict[str, Any]]:
    """Somebody who saw the bills, and was blocked after that."""
    insured, payer = a_strangers_order(house)
    (entry,) = [each for each in house.phone(payer).get("/insured-persons").json["insured_persons"] if not each["is_self"]]
    (bill,) = house.phone(payer).get(f"/insured-persons/{entry['id']}/bills").json["bills"]
    (told,) = house.phone(insured).get("/payer-blocks").json["payers"]
    house.phone(insured).post("/payer-blocks", {"payer_id": told["payer_id"]})
    return payer, entry, bill


@refused("list_bills", "CONSENT_REQUIRED")
def _(house: House) -> Ask:
    ask = list_bills(house)
    (consent,) = house.world.agree(ask.account, "REAL_NAME")
    assert house.phone(ask.account).delete(f"/consents/{consent.id}").status_code == 200
    return ask


@refused("list_bills", "BLOCKED_BY_INSURED_PERSON")
def _(house: House) -> Ask:
    payer, entry, _bill = a_blocked_payer(house)
    return Ask(method="GET", path=f"/insured-persons/{entry['id']}/bills", given=None, account=payer)


@refused("place_order", "BLOCKED_BY_INSURED_PERSON")
def _(house: House) -> Ask:
    payer, entry, bill = a_blocked_payer(house)
    given = {"insured_person_id": entry["id"], "bill_ids": [bill["id"]], "expected_amount_fen": bill["amount_fen"]}
    return Ask(method="POST", path="/payment-orders", given=given, account=payer)


@refused("place_order", "REGION_MISMATCH")
def _(house: House) -> Ask:
    return an_order_to_place(house, region="650000")


@refused("place_order", "NOT_AVAILABLE_ONLINE")
def _(house: House) -> Ask:
    return an_order_to_place(house, months=("2026-10",))


@refused("place_order", "BILL_NOT_PAYABLE")
def _(house: House) -> Ask:
    account, view = house.world.order()
    house.world.hear(house.world.paid_news(view, notice=view.payment_no))
    house.world.settle()
    entry = house.world.me_in_list(account)
    (bill,) = house.phone(account).get(f"/insured-persons/{entry}/bills").json["bills"]
    given = {"insured_person_id": str(entry), "bill_ids": [bill["id"]], "expected_amount_fen": bill["amount_fen"]}
    return Ask(method="POST", path="/payment-orders", given=given, account=account)


@refused("place_order", "BILL_RESERVED")
def _(house: House) -> Ask:
    ask = an_order_to_place(house)
    assert ask.send(house).status_code == 201
    return ask


@refused("place_order", "DEBIT_IN_FLIGHT")
def _(house: House) -> Ask:
    ask = an_order_to_place(house)
    with house.ports.begin() as session:
        bills = session.scalars(select(ContributionBill).where(ContributionBill.bill_no.in_(ask.given["bill_ids"]))).all()
        session.expunge_all()
    house.world.outside_order(ask.account.person, bills, account=ask.account)
    return ask


@refused("place_order", "AMOUNT_CHANGED")
def _(house: House) -> Ask:
    ask = an_order_to_place(house)
    return with_given(ask, expected_amount_fen=ask.given["expected_amount_fen"] - 1)


@refused("place_order", "ORDER_MUST_BE_SPLIT")
def _(house: House) -> Ask:
    ask = an_order_to_place(house)
    person = ask.account.person
    (second,) = house.world.bills(house.world.enrollment(person, insurance_type="310"))
    with house.ports.begin() as session:
        from models.bills import ContributionBill

        session.get_one(ContributionBill, second.id).authority = "nhsa-320400"
    return with_given(
        ask,
        bill_ids=[*ask.given["bill_ids"], second.bill_no],
        expected_amount_fen=ask.given["expected_amount_fen"] + second.amount_fen,
    )


@refused("place_order", "TOO_MANY_OPEN_ORDERS")
def _(house: House) -> Ask:
    payer = proxy(house)
    asks = []
    for _ in range(4):
        number = an_adults_number()
        person = house.world.person(name="李四", id_number=number)
        (bill,) = house.world.bills(house.world.enrollment(person))
        entry = add_person(payer, id_number=number).send(house).json["id"]
        given = {"insured_person_id": entry, "bill_ids": [bill.bill_no], "expected_amount_fen": bill.amount_fen}
        asks.append(Ask(method="POST", path="/payment-orders", given=given, account=payer))
    for ask in asks[:3]:
        assert ask.send(house).status_code == 201
    return asks[3]


@refused("place_order", "IDEMPOTENCY_KEY_REUSED")
def _(house: House) -> Ask:
    ask = replace(an_order_to_place(house), key="pressed-twice")
    assert ask.send(house).status_code == 201
    return with_given(ask, expected_amount_fen=1)


@refused("place_order", "REQUEST_IN_FLIGHT")
def _(house: House) -> Ask:
    ask = replace(an_order_to_place(house), key="pressed-twice")
    house.ports.payments[WECHAT].fails.append(("open_payment", ProviderUnreachable("down")))
    assert ask.send(house).json["state"] == "UNKNOWN"
    return ask


@refused("place_order", "PAYMENT_REFUSED")
def _(house: House) -> Ask:
    house.ports.payments[WECHAT].fails.append(("open_payment", ProviderRefused("MCH_NOT_EXISTS")))
    return an_order_to_place(house)


@good
def list_orders(house: House) -> Ask:
    account, _ = own_order(house)
    return Ask(method="GET", path="/payment-orders", account=account)


@good
def read_order(house: House) -> Ask:
    account, number = own_order(house)
    return Ask(method="GET", path=f"/payment-orders/{number}", account=account)


@refused("read_order", "NOT_FOUND")
def _(house: House) -> Ask:
    return replace(read_order(house), account=somebody(house))


@good
def cancel_order(house: House) -> Ask:
    account, number = own_order(house)
    return Ask(method="POST", path=f"/payment-orders/{number}/cancel", account=account)


@refused("cancel_order", "NOT_FOUND")
def _(house: House) -> Ask:
    return replace(cancel_order(house), account=somebody(house))


@refused("cancel_order", "ORDER_CANNOT_BE_CANCELLED")
def _(house: House) -> Ask:
    account, view = house.world.order()
    house.world.hear(house.world.paid_news(view, notice=view.payment_no))
    house.world.settle()
    return Ask(method="POST", path=f"/payment-orders/{view.order_no}/cancel", account=account)


@refused("cancel_order", "BILL_RESERVED")
def _(house: House) -> Ask:
    house.ports.payments[WECHAT].fails.append(("close", ProviderUnreachable("down")))
    return cancel_order(house)


# --- receipts


@good
def print_receipt(house: House) -> Ask:
    account, view = house.world.order()
    house.world.hear(house.world.paid_news(view, notice=view.payment_no))
    house.world.settle()
    return Ask(method="GET", path=f"/payment-orders/{view.order_no}/receipt", account=account)


@refused("print_receipt", "NOT_FOUND")
def _(house: House) -> Ask:
    return replace(print_receipt(house), account=somebody(house))


@refused("print_receipt", "NOT_PAID_YET")
def _(house: House) -> Ask:
    account, number = own_order(house)
    return Ask(method="GET", path=f"/payment-orders/{number}/receipt", account=account)


@refused("print_receipt", "TOO_MANY_PRINTS")
def _(house: House) -> Ask:
    ask = print_receipt(house)
    with house.ports.begin() as session:
        session.execute(
            text(
                "INSERT INTO receipt_fetches (account_id, order_id, at) SELECT payer_account_id, id, :now"
                " FROM payment_orders, generate_series(1, :times) WHERE payer_account_id = :id"
            ),
            {"id": ask.account.id, "now": house.ports.now(), "times": RECEIPTS_A_DAY},
        )
    return ask


# --- messages


@good
def list_messages(house: House) -> Ask:
    account, view = house.world.order()
    house.world.hear(house.world.paid_news(view, notice=view.payment_no))
    house.world.settle()
    return Ask(method="GET", path="/messages", account=account)


__all__ = ["ALIPAY", "GOOD", "NOBODY", "NO_NUMBER", "REFUSALS", "UNREACHABLE", "XINJIANG", "Ask", "uuid"]


# --- personal data


def a_correction(house: House, account: Account | None = None) -> Ask:
    given = {"kind": "CORRECT", "wish": "手机号码已更换"}
    return Ask(method="POST", path="/personal-data/requests", given=given, account=account or somebody(house))


def an_open_request(house: House) -> tuple[Account, str]:
    ask = a_correction(house)
    return ask.account, ask.send(house).json["id"]


@good
def read_own_data(house: House) -> Ask:
    account, _ = own_order(house)
    return Ask(method="GET", path="/personal-data", account=account)


@good
def read_own_copy(house: House) -> Ask:
    return Ask(method="GET", path="/personal-data/copy", account=somebody(house))


@refused("read_own_copy", "FRESH_SIGN_IN_REQUIRED")
def _(house: House) -> Ask:
    account = somebody(house)
    house.clock.move(minutes=-15)
    token = house.token(account)
    house.clock.move(minutes=15)
    return Ask(method="GET", path="/personal-data/copy", account=account, headers={"Authorization": f"Bearer {token}"})


@good
def list_accesses(house: House) -> Ask:
    return Ask(method="GET", path="/personal-data/accesses?limit=5", account=named(house))


@good
def make_data_request(house: House) -> Ask:
    return a_correction(house)


@refused("make_data_request", "PERSONAL_DATA_REQUEST_OPEN")
def _(house: House) -> Ask:
    account, _ = an_open_request(house)
    return a_correction(house, account)


@refused("make_data_request", "IDEMPOTENCY_KEY_REUSED")
def _(house: House) -> Ask:
    ask = replace(a_correction(house), key="the-same-key")
    ask.send(house)
    return with_given(ask, wish="另一件事")


@good
def list_data_requests(house: House) -> Ask:
    account, _ = an_open_request(house)
    return Ask(method="GET", path="/personal-data/requests", account=account)


@good
def take_back_data_request(house: House) -> Ask:
    account, request = an_open_request(house)
    return Ask(method="DELETE", path=f"/personal-data/requests/{request}", account=account)


@refused("take_back_data_request", "NOT_FOUND")
def _(house: House) -> Ask:
    _, request = an_open_request(house)
    return Ask(method="DELETE", path=f"/personal-data/requests/{request}", account=somebody(house))


@refused("take_back_data_request", "PERSONAL_DATA_REQUEST_ANSWERED")
def _(house: House) -> Ask:
    ask = with_given(a_correction(house), kind="COPY")
    ask.given.pop("wish")
    request = ask.send(house).json["id"]
    return Ask(method="DELETE", path=f"/personal-data/requests/{request}", account=ask.account)


# --- documents


def a_photograph(house: House, *, kind: str = "ID_FRONT", raw: bytes | None = None, **how: Any) -> Ask:
    account = somebody(house)
    application = house.world.application(account, **how)
    path = f"/applications/{application.id}/documents/{kind}"
    return Ask(method="PUT", path=path, raw=raw or photographs.photograph(), account=account)


def a_kept_photograph(house: House) -> Ask:
    ask = a_photograph(house)
    assert ask.send(house).status_code == 200
    return ask


@good
def upload_document(house: House) -> Ask:
    return a_photograph(house)


@refused("upload_document", "NOT_FOUND")
def _(house: House) -> Ask:
    return replace(upload_document(house), account=somebody(house))


@refused("upload_document", "CONSENT_REQUIRED")
def _(house: House) -> Ask:
    return a_photograph(house, agreed=False)


@refused("upload_document", "DOCUMENTS_NOT_EDITABLE")
def _(house: House) -> Ask:
    return a_photograph(house, state="SUBMITTED")


@refused("upload_document", "DOCUMENT_NOT_ASKED")
def _(house: House) -> Ask:
    return a_photograph(house, kind="MARRIAGE_CERTIFICATE")


@refused("upload_document", "TOO_MANY_UPLOADS")
def _(house: House) -> Ask:
    ask = upload_document(house)
    with house.ports.begin() as session:
        session.add_all(DocumentUpload(account_id=ask.account.id, kind="ID_FRONT", at=house.clock.now()) for _ in range(60))
    return ask


@refused("upload_document", "PICTURE_NOT_ACCEPTED")
def _(house: House) -> Ask:
    return a_photograph(house, raw=photographs.NOT_PICTURES["a page of HTML"])


@refused("upload_document", "PICTURE_DAMAGED")
def _(house: House) -> Ask:
    return a_photograph(house, raw=photographs.photograph()[:5_000])


@refused("upload_document", "PICTURE_TOO_LARGE")
def _(house: House) -> Ask:
    return a_photograph(house, raw=photographs.jpeg_that_promises(65_000, 65_000))


@refused("upload_document", "PICTURE_INFECTED")
def _(house: House) -> Ask:
    scanner = FakeScanner()
    house.swap_ports(scanner=scanner)
    return a_photograph(house, raw=photographs.photograph() + scanner.virus)


@refused("upload_document", "PROVIDER_UNAVAILABLE")
def _(house: House) -> Ask:
    house.ports.documents.fails.append(("put", ProviderUnreachable("down")))
    return upload_document(house)


@good
def remove_document(house: House) -> Ask:
    return replace(a_kept_photograph(house), method="DELETE", raw=None)


@refused("remove_document", "NOT_FOUND")
def _(house: House) -> Ask:
    return replace(upload_document(house), method="DELETE", raw=None)


@refused("remove_document", "DOCUMENTS_NOT_EDITABLE")
def _(house: House) -> Ask:
    ask = remove_document(house)
    submitted(house, ask)
    return ask


def submitted(house: House, ask: Ask) -> None:
    with house.ports.begin() as session:
        session.execute(
            text("UPDATE enrollment_applications SET state = 'SUBMITTED', submitted_at = now() WHERE account_id = :id"),
            {"id": ask.account.id},
        )


@good
def link_to_document(house: House) -> Ask:
    return replace(a_kept_photograph(house), method="GET", raw=None)


@refused("link_to_document", "NOT_FOUND")
def _(house: House) -> Ask:
    return replace(upload_document(house), method="GET", raw=None)


@good
def show_picture(house: House) -> Ask:
    url = link_to_document(house).send(house).json["url"]
    return Ask(method="GET", path=url.removeprefix("/api/v1"))


@refused("show_picture", "PICTURE_LINK_ENDED")
def _(house: House) -> Ask:
    ask = show_picture(house)
    house.clock.move(minutes=5)
    return ask


@refused("show_picture", "PICTURE_LOST")
def _(house: House) -> Ask:
    ask = show_picture(house)
    house.ports.documents.kept.clear()
    return ask


@refused("show_picture", "TOO_MANY_LOOKS")
def _(house: House) -> Ask:
    ask = show_picture(house)
    with house.ports.begin() as session:
        session.execute(
            text(
                "INSERT INTO personal_data_accesses (subject_table, subject_id, columns, purpose, who, at) "
                "SELECT 'application_documents', d.id, 'picture_key', 'document_look', 'account:' || a.account_id, :now "
                "FROM application_documents d JOIN enrollment_applications a ON a.id = d.application_id, generate_series(1, 100)"
            ),
            {"now": house.clock.now()},
        )
    return ask


@refused("show_picture", "PROVIDER_UNAVAILABLE")
def _(house: House) -> Ask:
    ask = show_picture(house)
    house.ports.documents.fails.append(("fetch", ProviderUnreachable("down")))
    return ask


from tests.doors import agreement_stories, application_stories  # noqa: E402, F401 - they furnish with what stands above
