"""The authorities' lists, told for processes that may be killed anywhere on the way: paid here, paid elsewhere, and on its way back."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import select, text

from models.bills import ContributionBill
from models.refunds import RefundReason
from services.list_folder import read_what_came
from services.refunds import RefundWish, apply_for_refund, decide_refund
from services.tax_missing import missing_months, tell_tax_missing
from tests.authority_files import a_file, line_of
from tests.crash.refund_stories import FIRST, SECOND, WHY
from tests.crash.stories import Stage, a_paid_order, story
from tests.factories import World, an_id_number


def paid_here_and_elsewhere(stage: Stage) -> None:
    """Two months paid on a phone, one of them to be sent back and not sent yet; and one that was paid at the tax authority's window."""
    a_paid_order(stage)
    (payment_no,) = stage.payment_nos()
    wish = RefundWish(payment_no=payment_no, bill_nos=(stage.cast["bills"][1],), reason=RefundReason.NOT_ELIGIBLE, words=WHY)
    number = apply_for_refund(stage.ports, wish=wish, who=FIRST)
    decide_refund(stage.ports, refund_no=number, approve=True, words=WHY, who=SECOND)
    world = World(stage.ports)
    person = world.person(id_number=an_id_number(77))
    [elsewhere] = world.bills(world.enrollment(person))
    stage.cast["tax_took_fen"] = elsewhere.amount_fen


def read_lists(stage: Stage) -> None:
    """The worker's sweeps, over the files as they lie there from the first day on."""
    folder = stage.bank.path.parent / "lists"
    bills = all_bills(stage)
    world = World(stage.ports)
    for kind in ("TAX", "REGISTRAR"):
        a_file(folder, *(line_of(world, bill) for bill in bills), kind=kind)
    read_what_came(replace(stage.ports, authority_files=folder))


def all_bills(stage: Stage) -> list[ContributionBill]:
    with stage.ports.begin() as session:
        found = session.scalars(select(ContributionBill).order_by(ContributionBill.id)).all()
        session.expunge_all()
    return list(found)


@story(
    "the tax authority's and the registrar's lists are read",
    prepare=paid_here_and_elsewhere,
    again=read_lists,
    repair=read_lists,
)
def lists_are_read(stage: Stage) -> None:
    read_lists(stage)


@story("a month waits too long for the tax authority", prepare=a_paid_order, again=lambda _stage: None)
def waits_too_long(stage: Stage) -> None:
    stage.move(days=20)
    tell_tax_missing(stage.ports)
    missing_months(stage.ports)
    with stage.ports.begin() as session:
        assert session.execute(text("SELECT count(*) FROM reconciliation_differences")).scalar() == len(stage.cast["bills"])
