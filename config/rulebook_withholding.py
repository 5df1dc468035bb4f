"""The row that says what a region calls its withholding agreement, where it is signed, and what has to be done besides (R-XJ-52)."""

from config.rulebook_facts import Row, RowId, Text


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
