"""What is kept of somebody's debits: the lines that a bank was told, and the reminders before them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from models.debits import DebitBatch, DebitInstruction, DebitReminder
from models.withholding_agreements import WithholdingAgreement

if TYPE_CHECKING:
    from services.own_data_rows import Rows, Whose


def debits(whose: Whose) -> Rows:
    each = DebitInstruction
    columns = (
        WithholdingAgreement.agreement_no, DebitBatch.run_day, each.amount_fen, each.state, each.result, each.bank_serial,
        each.booked_on, each.created_at, each.ended_at,
    )  # fmt: skip
    joined = (
        select(*columns)
        .join(DebitBatch, DebitBatch.id == each.batch_id)
        .join(WithholdingAgreement, WithholdingAgreement.id == each.agreement_id)
    )
    return joined.where(WithholdingAgreement.person_id == whose.person_id).order_by(each.id.desc())


def reminders(whose: Whose) -> Rows:
    each = DebitReminder
    columns = (each.run_day, each.template, each.created_at)
    return select(*columns).where(each.account_id == whose.account_id).order_by(each.created_at.desc(), each.template)
