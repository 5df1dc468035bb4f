"""Withholding agreements, told for processes that may be killed anywhere on the way: signed, unanswered, given up, ended, and recorded."""

from __future__ import annotations

import contextlib
from datetime import date

from sqlalchemy import text

from models.withholding_agreements import AgreementReason
from services import branch_agreements
from services.agreement_asking import AGAIN_AFTER, ask_about_agreements
from services.branch_agreements import SignedPaper
from services.errors import BusinessError
from services.verification import verification_of
from services.withholding_agreements import NewAgreement, list_agreements, sign, terminate
from tests.crash.stories import Stage, story
from tests.factories import WECHAT, XINJIANG, World, an_id_number

NAME, NUMBER, CARD = "张三丰", an_id_number(88), "6228480402564890018"
FIRST, SECOND = "S1024", "S2048"


def an_insured_person(stage: Stage, *, region: str, miniprogram: str) -> World:
    world = World(stage.ports)
    person = world.person(name=NAME, id_number=NUMBER)
    world.enrollment(person, region=region)
    account = world.account(person, miniprogram=miniprogram)
    world.agree(account, "BANK_ACCOUNT", "WITHHOLDING")
    with stage.ports.begin() as session:
        made = verification_of(session, account=account, now=stage.ports.now())
        session.execute(
            text("UPDATE identity_verifications SET state = 'VERIFIED', method = 'face' WHERE id = :id"), {"id": made.id}
        )
    stage.cast |= {"payer": str(account.id)}
    return world


def in_xinjiang(stage: Stage) -> None:
    an_insured_person(stage, region="650000", miniprogram=XINJIANG)


def in_changzhou(stage: Stage) -> None:
    an_insured_person(stage, region="320400", miniprogram=WECHAT)


def press(stage: Stage, *, key: str = "sign-1") -> None:
    new = NewAgreement(
        region="650000",
        insurance_type="110",
        name=NAME,
        id_number=NUMBER,
        bank="ICBC",
        card_number=CARD,
        phone="13800138000",
    )
    with contextlib.suppress(BusinessError):
        sign(stage.ports, account=stage.account(), new=new, idempotency_key=key)


def press_again(stage: Stage) -> None:
    """The same press comes back; where the first one was through, it tells the same and asks nobody."""
    press(stage)
    press(stage, key="sign-2")
    assert len(list_agreements(stage.ports, account=stage.account()).agreements) == 1


def press_whatever_became_of_it(stage: Stage) -> None:
    press(stage)


SIGNING = {"prepare": in_xinjiang, "again": press_again}


@story("an agreement is signed", **SIGNING)
def signed(stage: Stage) -> None:
    press(stage)
    press(stage)


@story("an agreement's bank does not answer at once", **SIGNING)
def unanswered(stage: Stage) -> None:
    stage.bank.will_fail("check", "unreachable")
    press(stage)
    stage.move(seconds=61)
    ask_about_agreements(stage.ports)


@story("an agreement's bank never answers", prepare=in_xinjiang, again=press_whatever_became_of_it)
def never_answered(stage: Stage) -> None:
    for _ in AGAIN_AFTER:
        stage.bank.will_fail("check", "unreachable")
    press(stage)
    for wait in AGAIN_AFTER:
        stage.move(seconds=wait.total_seconds())
        ask_about_agreements(stage.ports)


@story("an agreement's card can no longer be opened", prepare=in_xinjiang, again=press_whatever_became_of_it)
def sealed_for_ever(stage: Stage) -> None:
    stage.bank.will_fail("check", "unreachable")
    press(stage)
    with stage.ports.begin() as session:
        session.execute(text("UPDATE withholding_agreements SET card_number_sealed = '\\x00'"))
    stage.move(seconds=61)
    ask_about_agreements(stage.ports)


@story("an agreement is ended", prepare=in_xinjiang, again=press_whatever_became_of_it)
def ended(stage: Stage) -> None:
    press(stage)
    for row in list_agreements(stage.ports, account=stage.account()).agreements:
        terminate(stage.ports, account=stage.account(), agreement_id=row.id)


def record_and_confirm(stage: Stage) -> None:
    """What the two of the staff do, and do again after a death: whatever step is due."""
    paper = SignedPaper(
        region="320400",
        insurance_type="110",
        name=NAME,
        id_number=NUMBER,
        bank="BOC",
        card_number=CARD,
        bank_agreement_no=None,
        financial_function_activated=True,
        signed_on=date(2026, 11, 1),
    )
    with contextlib.suppress(BusinessError):
        branch_agreements.record(stage.ports, paper=paper, by=FIRST)
    for waiting in branch_agreements.list_waiting(stage.ports):
        branch_agreements.look_at(stage.ports, agreement_no=waiting.agreement_no)
        branch_agreements.confirm(stage.ports, agreement_no=waiting.agreement_no, card_number=CARD, by=SECOND)


@story("an agreement of a branch is recorded, stopped and ended", prepare=in_changzhou, again=record_and_confirm)
def recorded(stage: Stage) -> None:
    record_and_confirm(stage)
    ports = stage.ports
    for row in list_agreements(ports, account=stage.account()).agreements:
        branch_agreements.suspend(ports, agreement_no=row.agreement_no, why=AgreementReason.CARD_LOST, by=FIRST)
        branch_agreements.resume(ports, agreement_no=row.agreement_no, by=FIRST)
        branch_agreements.end(ports, agreement_no=row.agreement_no, by=FIRST)
