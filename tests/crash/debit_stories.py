"""Debits by file, told for processes that may be killed anywhere on the way: made, sent, asked about, read, refused, and never taken."""

from __future__ import annotations

from sqlalchemy import text

from services.debit_faults import open_faults, resolve_fault
from services.debit_files import exchange
from services.debit_making import make_debits
from services.debit_reminders import remind_of_debits
from services.refund_sending import return_surplus, send_refunds
from tests.crash.stories import Stage, story
from tests.debiting import RUN
from tests.factories import WECHAT, World
from tests.signing import a_signer, branch_signed


def somebody_who_is_debited(stage: Stage) -> None:
    """Two of them, with this month unpaid; it is the morning of a run."""
    world = World(stage.ports)
    for _ in range(2):
        account = a_signer(world, region="320400", miniprogram=WECHAT, agreed=(), tier="3")
        branch_signed(world, account)
        world.bills_issued()
    stage.cast["card"] = card_of(stage)
    stage.move(seconds=(RUN - stage.ports.now()).total_seconds())


def card_of(stage: Stage) -> str:
    """The card of the first of them."""
    from models.withholding_agreements import WithholdingAgreement

    with stage.ports.begin() as session:
        row = session.query(WithholdingAgreement).order_by(WithholdingAgreement.id).first()
        place = WithholdingAgreement.place_of("card_number_sealed", row.id)
        return stage.ports.seals.open(row.card_number_sealed, place=place)


def banks_work(stage: Stage, *, file_fault: str | None = None) -> None:
    with stage.bank.debiting() as banks:
        banks.work(file_fault=file_fault)


def go_on(stage: Stage) -> None:
    """What goes on by itself: the run, the exchange, and the bank's own day."""
    make_debits(stage.ports)
    exchange(stage.ports)
    banks_work(stage)
    exchange(stage.ports)
    stage.settle()


def debited(name: str, **more):
    given = {"prepare": somebody_who_is_debited, "again": go_on, "sweep": go_on, **more}
    return story(name, **given)


def the_day_before(stage: Stage) -> None:
    somebody_who_is_debited(stage)
    stage.move(days=-1)


@debited(
    "people are told what has to lie on the card", prepare=the_day_before, sweep=lambda stage: remind_of_debits(stage.ports)
)
def told_before(stage: Stage) -> None:
    remind_of_debits(stage.ports)


@debited("months are debited")
def months_debited(stage: Stage) -> None:
    go_on(stage)


def whose_card_says(state: str):
    def prepare(stage: Stage) -> None:
        somebody_who_is_debited(stage)
        with stage.bank.debiting() as banks:
            banks.set_account(stage.cast["card"], state=state)

    return prepare


@debited("a debit fails", prepare=whose_card_says("insufficient"))
def debit_fails(stage: Stage) -> None:
    go_on(stage)


@debited("a bank does not know, and is asked", prepare=whose_card_says("timeout"))
def bank_does_not_know(stage: Stage) -> None:
    go_on(stage)
    stage.move(minutes=11)
    exchange(stage.ports)
    go_on(stage)


def a_card_that_nobody_can_open(stage: Stage) -> None:
    somebody_who_is_debited(stage)
    with stage.ports.begin() as session:
        session.execute(
            text(
                "UPDATE withholding_agreements SET card_number_sealed = '\\x00' WHERE id = (SELECT id FROM withholding_agreements ORDER BY id LIMIT 1)"
            )
        )


@debited("a card cannot be opened for the file", prepare=a_card_that_nobody_can_open)
def card_not_opened(stage: Stage) -> None:
    go_on(stage)


@debited("a bank's file is wrong, and then it is right")
def wrong_and_right(stage: Stage) -> None:
    make_debits(stage.ports)
    exchange(stage.ports)
    banks_work(stage, file_fault="wrong_total")
    exchange(stage.ports)
    with stage.ports.begin() as session:
        found = open_faults(session)
    for fault in found:
        resolve_fault(stage.ports, fault_id=fault.id, words="银行已重新回盘", who="staff:S1024")
    go_on(stage)


@debited("a bank takes its file a day late")
def taken_late(stage: Stage) -> None:
    make_debits(stage.ports)
    exchange(stage.ports)
    stage.move(hours=33)
    exchange(stage.ports)
    go_on(stage)


def taken_too_much(stage: Stage) -> None:
    """The bank took one yuan more than it was told from one of them."""
    somebody_who_is_debited(stage)
    make_debits(stage.ports)
    exchange(stage.ports)
    banks_work(stage, file_fault="late")
    with stage.bank.debiting() as banks, banks.store.transaction() as db:
        db.execute("UPDATE bank_lines SET amount_fen = amount_fen + 100 WHERE seq = 1")


def money_goes_back(stage: Stage) -> None:
    return_surplus(stage.ports)
    send_refunds(stage.ports)
    go_on(stage)


@debited("a bank took too much, and it goes back", prepare=taken_too_much, again=money_goes_back)
def too_much_goes_back(stage: Stage) -> None:
    go_on(stage)
    money_goes_back(stage)
    stage.move(seconds=61)
    money_goes_back(stage)
    exchange(stage.ports)
