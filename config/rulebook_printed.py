"""The rows of printed forms: which business ends with a form to print, what is read before, and what stands on it in which order."""

from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field, model_validator

from config.rulebook_facts import Part, Row, Text
from config.rulebook_forms import FieldKey
from config.rulebook_rows import ApplicationKind, NoticePurpose

_LONGEST_BAND = 8


class PrintedContent(StrEnum):
    """What a section of a printed form shows."""

    FIELDS = "FIELDS"
    INSURANCES = "INSURANCES"
    """Each insurance with its tier, base, first month and state."""
    DOCUMENTS = "DOCUMENTS"
    """The kinds of paper that were handed in."""
    TEXT = "TEXT"
    SIGNATURES = "SIGNATURES"


class PrintedField(Part):
    """One field of the application form, under its own label or another one."""

    key: FieldKey
    label: Text | None = None
    is_wide: bool = False
    """A line of its own."""


class Signature(Part):
    """A place to sign or to seal."""

    label: Text
    tells_decision: bool = False
    """The decision and its day are printed there."""


class PrintedSection(Part):
    """One block of the form, with its title down the left side."""

    title: Annotated[str, Field(min_length=1, max_length=_LONGEST_BAND)]
    content: PrintedContent = PrintedContent.FIELDS
    fields: tuple[PrintedField, ...] = ()
    text: Text | None = None
    signatures: tuple[Signature, ...] = ()

    @model_validator(mode="after")
    def _has_its_content(self) -> Self:
        given = {
            PrintedContent.FIELDS: bool(self.fields),
            PrintedContent.TEXT: self.text is not None,
            PrintedContent.SIGNATURES: bool(self.signatures),
        }
        for content, is_there in given.items():
            if is_there != (self.content is content):
                raise ValueError(f"fields belong to FIELDS, text to TEXT and signatures to SIGNATURES, and this one's content is {self.content}; "
                                 "write what belongs to it and nothing else, such as content: INSURANCES")  # fmt: skip
        return self


class PrintedForm(Row):
    """The form that people may print once their application is approved (R-CZ-37, R-CZ-38)."""

    file, named_by = "printed_forms", "application"
    application: ApplicationKind
    title: Text
    notice: NoticePurpose | None = None
    """The text to read and agree to before printing."""
    sections: Annotated[tuple[PrintedSection, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _prints_once(self) -> Self:
        keys = [each.key for each in self.fields]
        twice = sorted({key for key in keys if keys.count(key) > 1})
        if twice:
            raise ValueError(f"{twice[0]} is printed twice; keep it in one section")
        return self

    @property
    def fields(self) -> tuple[PrintedField, ...]:
        """Every field, in the order of the sections."""
        return tuple(each for section in self.sections for each in section.fields)
