"""What a reviewer says to the applicant beside the reason: what is to be mended, by its name on the form, and the reviewer's own words. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from config.rulebook import NoRuleInForce
from models.applications import ApplicationState, DecisionReason
from services.review_errors import RemarkNeeded

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import date

    from config.rulebook import Region
    from models.applications import EnrollmentApplication

LONGEST_WORDS: Final = 400
MOST_TO_MEND: Final = 40


def remark_of(
    region: Region, application: EnrollmentApplication, words: str, *, to_mend: Collection[str] = (), on: date
) -> str:
    """The remark that goes with a no which was just decided. All that is to be mended is told at once, since nobody should come twice.

    Raises RemarkNeeded where nothing would tell the applicant what to do, for more than LONGEST_WORDS, and for what no form asks for.
    """
    said = words.strip()
    if len(said) > LONGEST_WORDS or len(to_mend) > MOST_TO_MEND:
        raise RemarkNeeded
    is_silent = not said and not to_mend
    if is_silent and (application.decision_reason == DecisionReason.OTHER or application.state == ApplicationState.RETURNED):
        raise RemarkNeeded
    if not to_mend:
        return said
    named = "、".join(label_of(region, each, on) for each in dict.fromkeys(to_mend))
    return f"需要补正：{named}。{said}"


def label_of(region: Region, key: str, on: date) -> str:
    """What the form calls a kind of paper or a field. Raises RemarkNeeded for what it does not know."""
    if key in region.documents:
        return region.documents[key].label
    try:
        return region.application_field(key, on).label
    except NoRuleInForce:
        raise RemarkNeeded from None
