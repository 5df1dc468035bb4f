"""The rows that say what a region calls its withholding agreement, where it is signed, and what has to be done besides (R-XJ-52); and how its debits run."""

from datetime import time
from typing import Annotated

from pydantic import Field

from config.rulebook_facts import Row, RowId, Text

ClockTime = Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")]


class WithholdingTerms(Row):
    """Words alone: whether the phone signs it is told by the capability, which banks take part by the list of banks."""

    file, named_by = "withholding_terms", "id"
    id: RowId
    title: Text
    """The agreement's name here: one of the three, or the city's own."""
    where: Text
    """Where it is signed, and with what in hand."""
    recommended_card: Text
    signed_before: Text
    """For whoever has signed already (R-CZ-14)."""
    deposit: Text
    """How much has to lie on the card, and until when."""
    ending: Text
    """How it is ended."""
    is_main_way: bool = False
    """Whether the source calls it the main way to pay (R-CZ-40)."""
    activation: Text
    """金融功能激活 (R-CZ-41)."""

    @property
    def keys(self) -> tuple[str, ...]:
        return (KEY,)


KEY = "WITHHOLDING"
"""A region has one such row on a day."""


class DebitTerms(Row):
    """How a debit run goes. On which days one is, the collection calendar says (`debit_run_days`)."""

    file, named_by = "debit_terms", "id"
    id: RowId
    reminder_days_before: tuple[Annotated[int, Field(ge=1, le=20)], ...] = Field(min_length=1)
    """Days before a run on which people are told what has to lie on the card."""
    files_from: ClockTime
    """From when on, in Beijing on the day itself, the files are made: what is paid before is not debited."""
    result_within_working_days: Annotated[int, Field(ge=0, le=10)]
    """By when the banks' results must be there; 0: on the day itself."""
    result_by: ClockTime

    @property
    def keys(self) -> tuple[str, ...]:
        return (KEY,)

    @property
    def starts_at(self) -> time:
        return time.fromisoformat(self.files_from)
