"""The rows of a region's menu: what stands where on the phone, in the words of the region's own source."""

from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from config.rulebook_facts import Name, Row, Text
from config.rulebook_rows import Capability, HotlineTopic


class Side(StrEnum):
    """Whose mini-program it is: the registrar's, where people enrol, or the collector's, which takes their money."""

    REGISTRAR = "REGISTRAR"
    COLLECTOR = "COLLECTOR"


class MenuFunction(StrEnum):
    """What an entry opens that is no business of the region: the same page everywhere."""

    PROVE_IDENTITY = "PROVE_IDENTITY"
    INSURED_PERSONS = "INSURED_PERSONS"
    ADD_INSURED_PERSON = "ADD_INSURED_PERSON"
    CASE_STATUS = "CASE_STATUS"
    CASE_PROGRESS = "CASE_PROGRESS"


class MenuEntry(Row):
    """One entry. Entries under one name stand in the order of the file, which is the source's."""

    file, named_by = "menus", "code"
    code: Name
    title: Text
    under: Name | None = None
    """The entry that it stands under; none: on the first page."""
    side: Side | None = None
    """Only in this side's mini-programs; none: in both."""
    platforms: tuple[Literal["wechat", "alipay", "app"], ...] = ()
    """Only on these; none named: on all."""
    capability: Capability | None = None
    """The business behind it. Whether the phone can do it is told by capabilities.yaml."""
    function: MenuFunction | None = None
    topic: HotlineTopic = HotlineTopic.ENROLLMENT
    """Which line answers questions about it."""
    elder: bool = False
    """What elders come for: it stands first in their version."""
    elder_title: Annotated[str, Field(min_length=1, max_length=8)] | None = None
    """Fewer words for the same."""

    @model_validator(mode="after")
    def _stands_not_under_itself(self) -> Self:
        if self.under == self.code:
            raise ValueError(f"{self.code} stands under itself; name the entry above it, such as under: TO_DO")
        if self.elder_title is not None and not self.elder:
            raise ValueError("elder_title belongs to what elders see first; write it with elder: true, such as elder: true")
        return self

    def shown_in(self, *, side: Side, platform: str) -> bool:
        """Ask whether this mini-program shows the entry."""
        return self.side in (None, side) and (not self.platforms or platform in self.platforms)
