"""Every consent precedes the processing it covers (domain §8.5 no. 15): people who agree, take back and go on, in any order."""

from __future__ import annotations

import contextlib
import random
import uuid

import pytest
from sqlalchemy import text

import models.tables  # noqa: F401 - every table
from models.base import Base
from providers.protocols import CardAnswer, CardVerdict, FaceVerdict
from services import face_checks, insured_persons
from services.bank_card_checks import check_bank_card
from services.bills import list_bills
from services.consent_withdrawals import withdraw_consent
from services.consents import list_consents
from services.documents import upload_document
from services.errors import BusinessError
from services.identity_asking import ask_face_checks
from services.real_names import prove_name
from tests import photographs
from tests.factories import WECHAT, an_id_number

CARD = "6228480402564890018"
COVERED = {
    "name checks": ("REAL_NAME", "SELECT subject_id, at FROM personal_data_accesses WHERE purpose = 'name_check'"),
    "matched names": (
        "REAL_NAME",
        (
            "SELECT v.account_id, m.at FROM moves m JOIN identity_verifications v ON v.id::text = m.row_id"
            " WHERE m.noun = 'identity_verification' AND m.to_state = 'NAME_ID_MATCHED' AND m.from_state IN ('NONE', 'FAILED', 'DECLINED')"
        ),
    ),
    "names opened for a face": (
        "FACE",
        (
            "SELECT v.account_id, a.at FROM personal_data_accesses a JOIN identity_verifications v ON v.id = a.subject_id"
            " WHERE a.purpose LIKE 'face_check%'"
        ),
    ),
    "face checks": ("FACE", "SELECT account_id, created_at FROM face_checks"),
    "card checks": ("BANK_CARD", "SELECT account_id, created_at FROM bank_card_checks WHERE purpose = 'IDENTITY'"),
    "card checks for agreements": (
        "BANK_ACCOUNT",
        "SELECT account_id, created_at FROM bank_card_checks WHERE purpose = 'AGREEMENT'",
    ),
    "agreements": ("WITHHOLDING", "SELECT account_id, created_at FROM withholding_agreements WHERE account_id IS NOT NULL"),
    "lookups": ("PROXY_PAYMENT|REAL_NAME|BANK_CARD|BANK_ACCOUNT", "SELECT account_id, at FROM person_lookups"),
    "people to pay for": ("PROXY_PAYMENT", "SELECT account_id, created_at FROM insured_persons WHERE NOT is_self"),
    "orders for others": ("PROXY_PAYMENT", "SELECT payer_account_id, created_at FROM payment_orders WHERE is_strangers"),
    "photographs of papers": ("DOCUMENTS", "SELECT account_id, at FROM document_uploads"),
    "photographs kept": (
        "DOCUMENTS",
        "SELECT a.account_id, d.uploaded_at FROM application_documents d JOIN enrollment_applications a ON a.id = d.application_id",
    ),
    "names not proven yet, kept": (
        "REAL_NAME",
        "SELECT account_id, :now FROM identity_verifications WHERE name_sealed IS NOT NULL AND state <> 'VERIFIED'",
    ),
    "people in the list": (
        "PROXY_PAYMENT",
        "SELECT account_id, :now FROM insured_persons WHERE NOT is_self AND removed_at IS NULL",
    ),
}
"""What is done with a person's data → the consent it needs, and the rows that show it: whose, and when."""
ELSEWHERE = {
    "account_sessions": "a token's life: no data of the person but the token",
    "idempotency_keys": "a hash of the request and its result",
    "consents": "the consent itself",
    "notice_readings": "that a text was opened",
    "counter_checks": "the person stands at the counter with the document in hand: asked there, and made by them on the phone",
    "debit_reminders": "that one was told of a debit that one had signed for",
    "messages": "read in the mini-program; whether one goes out is its allowance's affair",
    "message_allowances": "the platform's own consent for each message",
    "personal_data_requests": "a right, which needs no consent",
    "joint_cases": "a folder; what is declared stands in the application under it",
    "receipt_fetches": "a day and a number: how often somebody fetched receipts of what they paid",
    "payment_reminders": "that a message was written; whether one goes out is its allowance's affair",
}
"""Other tables with an account: why no consent of ours stands before them."""
UNCOVERED = """
    SELECT count(*) FROM ({rows}) AS done (account_id, at) WHERE NOT EXISTS (
        SELECT FROM consents c WHERE c.account_id = done.account_id AND c.purpose = ANY(string_to_array(:purpose, '|'))
        AND c.given_at <= done.at AND (c.withdrawn_at IS NULL OR c.withdrawn_at > done.at))
"""


def uncovered(ports) -> dict[str, int]:
    """What was done without a consent that stood at that moment; nothing, if all is well."""
    found = {}
    with ports.begin() as session:
        for what, (purpose, rows) in COVERED.items():
            given = {"purpose": purpose, "now": ports.now()}
            given = {name: value for name, value in given.items() if name == "purpose" or ":now" in rows}
            count = session.scalar(text(UNCOVERED.format(rows=rows.replace(":now", "CAST(:now AS timestamptz)"))), given)
            if count:
                found[what] = count
    return found


class Walker:
    """Somebody with a phone, who presses this and that."""

    def __init__(self, world, clock, dice: random.Random, at: int) -> None:
        self.world, self.ports, self.clock, self.dice = world, world.ports, clock, dice
        self.account = world.account(verified=False)
        self.name = ("张三丰", an_id_number(100 + at, born="19800303"))
        self.application = world.application(self.account, agreed=False)
        self.others = []
        for each in range(2):
            number = an_id_number(at * 2 + each, born="19600404")
            person = world.person(name="李小红", id_number=number)
            self.others.append((number, world.bills(world.enrollment(person))))

    def agree(self) -> None:
        live = {each.purpose for each in list_consents(self.ports, account=self.account) if each.withdrawn_at is None}
        if missing := [each for each in ("REAL_NAME", "FACE", "BANK_CARD", "PROXY_PAYMENT", "DOCUMENTS") if each not in live]:
            self.world.agree(self.account, self.dice.choice(missing))

    def take_back(self) -> None:
        live = [each for each in list_consents(self.ports, account=self.account) if each.withdrawn_at is None]
        if live:
            withdraw_consent(self.ports, account=self.account, consent_id=self.dice.choice(live).id)

    def type_name(self) -> None:
        prove_name(self.ports, account=self.account, name=self.name[0], id_number=self.name[1], phone=None)

    def show_face(self) -> None:
        check = face_checks.start_face_check(self.ports, account=self.account, idempotency_key=uuid.uuid4().hex)
        check_no = self.world.scalar("SELECT check_no FROM face_checks WHERE id = :id", id=check.id)
        self.ports.faces[WECHAT].went(
            check_no, self.dice.choice((FaceVerdict.PASSED, FaceVerdict.DECLINED, FaceVerdict.FAILED))
        )
        self.clock.move(seconds=1)
        if self.dice.random() < 0.3:
            self.take_back()
        if self.dice.random() < 0.7:
            face_checks.finish_face_check(self.ports, account=self.account, check_id=check.id)

    def show_card(self) -> None:
        verdict = self.dice.choice((CardVerdict.MATCH, CardVerdict.MISMATCH))
        self.ports.cards.answers[CARD] = CardAnswer(verdict=verdict, provider_code="201")
        check_bank_card(
            self.ports, account=self.account, card_number=CARD, phone="13800138000", idempotency_key=uuid.uuid4().hex
        )

    def sweep(self) -> None:
        ask_face_checks(self.ports)
        face_checks.expire_face_checks(self.ports)

    def name_another(self) -> None:
        number, _ = self.dice.choice(self.others)
        named = insured_persons.Named(name="李小红", id_number=number)
        keep = self.dice.random() < 0.5
        insured_persons.add_insured_person(self.ports, account=self.account, named=named, relation=None, keep=keep)

    def pay_for_another(self) -> None:
        listed = insured_persons.list_insured_persons(self.ports, account=self.account)
        theirs = [row for row in listed if not row.is_self]
        if theirs:
            row = self.dice.choice(theirs)
            list_bills(self.ports, account=self.account, insured_person_id=row.id)
            self.world.order_for(self.account, row.id, self.dice.choice(self.others)[1])

    def send_photograph(self) -> None:
        raw = photographs.photograph(seed=self.dice.randrange(3))
        upload_document(self.ports, account=self.account, application_id=self.application.id, kind="ID_FRONT", body=lambda: raw)

    def step(self) -> None:
        with self.ports.begin() as session:
            self.account = session.get_one(type(self.account), self.account.id)
            session.expunge_all()
        act = self.dice.choices(
            (
                self.agree,
                self.take_back,
                self.type_name,
                self.show_face,
                self.show_card,
                self.sweep,
                self.name_another,
                self.pay_for_another,
                self.send_photograph,
            ),
            weights=(6, 1, 3, 4, 2, 1, 3, 4, 2),
        )[0]
        with contextlib.suppress(BusinessError):
            act()


@pytest.mark.parametrize("seed", range(4))
def test_whatever_people_press_nothing_is_done_without_its_consent(world, ports, clock, seed):
    dice = random.Random(seed)
    walkers = [Walker(world, clock, dice, seed * 10 + at) for at in range(2)]

    for _ in range(120):
        dice.choice(walkers).step()
        clock.move(seconds=dice.choice((1, 7, 400, 30_000)))
        assert uncovered(ports) == {}

    done = world.scalar("SELECT count(*) FROM face_checks") + world.scalar("SELECT count(*) FROM person_lookups")
    taken_back = world.scalar("SELECT count(*) FROM consents WHERE withdrawn_at IS NOT NULL")
    assert done > 0
    assert world.scalar("SELECT count(*) FROM document_uploads") > 0
    assert taken_back > 0


def test_the_search_finds_what_was_done_without_a_consent(world, ports, clock):
    account = world.account(verified=False)
    consents = {consent.purpose: consent for consent in world.agree(account, "REAL_NAME", "FACE")}
    prove_name(ports, account=account, name="张三丰", id_number=an_id_number(1), phone=None)
    clock.move(seconds=1)
    face_checks.start_face_check(ports, account=account, idempotency_key="a-first-press")
    clock.move(seconds=1)
    withdraw_consent(ports, account=account, consent_id=consents["FACE"].id)
    assert uncovered(ports) == {}

    with ports.begin() as session:
        session.execute(text("UPDATE consents SET given_at = :now"), {"now": ports.now()})

    assert uncovered(ports).keys() == {"name checks", "matched names", "face checks", "names opened for a face"}


def test_every_table_with_an_account_is_covered_or_says_why_not():
    holding = {
        table.name
        for table in Base.metadata.sorted_tables
        if any(key.column.table.name == "accounts" for key in table.foreign_keys)
    }
    shown = {name for name in holding if any(name in rows for _, rows in COVERED.values())}

    assert holding - shown == ELSEWHERE.keys()
