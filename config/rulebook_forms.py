"""The rows of application forms: which fields there are, which of them a region asks for, and how its forms are submitted."""

from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from config.rulebook_facts import InsuranceCode, Name, Part, Row, Text
from config.rulebook_rows import ApplicationKind, NoticePurpose

FieldKey = Annotated[str, Field(pattern=r"^[a-z][a-z_]{1,39}$")]


class FieldType(StrEnum):
    """What may be written into a field."""

    IDENTITY = "IDENTITY"
    """Known from the real name that was proven; shown as a mask and never typed (R-CZ-25)."""
    TEXT = "TEXT"
    CHOICE = "CHOICE"
    DIVISION = "DIVISION"
    """The six digits of a division (行政区划代码)."""
    PHONE = "PHONE"
    CARD_NUMBER = "CARD_NUMBER"
    MONTH = "MONTH"
    """YYYY-MM, within the form's months."""


class OptionsFrom(StrEnum):
    """Whose rows are the options of a choice, where the field does not list them itself."""

    POOLING_AREAS = "POOLING_AREAS"
    AGENCIES = "AGENCIES"
    BANKS = "BANKS"
    CHANGE_REASONS = "CHANGE_REASONS"


class Submission(StrEnum):
    """How an application is handed in."""

    UPLOAD_CHECK_SUBMIT = "UPLOAD_CHECK_SUBMIT"
    """上传, then 核对, then 提交申报 (R-CZ-34, R-CZ-35)."""
    SAVE_SUBMITS = "SAVE_SUBMITS"
    """保存 submits it (R-XJ-20, R-XJ-35)."""


class FieldOption(Part):
    """One value of a choice, and how people read it."""

    value: Annotated[str, Field(pattern=r"^[A-Z0-9_]{1,30}$")]
    label: Text


class ApplicationField(Row):
    """A field that forms may ask for. Whatever is not a column of the application is kept sealed."""

    file, named_by = "application_fields", "key"
    key: FieldKey
    label: Text
    type: FieldType
    help: Text | None = None
    options: tuple[FieldOption, ...] = ()
    options_from: OptionsFrom | None = None
    longest: Annotated[int, Field(ge=1, le=200)] | None = None
    """Characters of a text."""
    consent: NoticePurpose | None = None
    """What has to be agreed to before this may be given."""
    shown_as_chosen: bool = False
    """A choice that says nothing private is shown as it was chosen; everything else is masked."""

    @model_validator(mode="after")
    def _options_belong_to_choices(self) -> Self:
        if (self.type is FieldType.CHOICE) != (bool(self.options) != (self.options_from is not None)):
            raise ValueError("a CHOICE has options or options_from, and nothing else has either, "
                             "such as options_from: BANKS")  # fmt: skip
        if (self.type is FieldType.TEXT) != (self.longest is not None):
            raise ValueError("a TEXT says how long it may be, and nothing else does, such as longest: 100")
        return self


class DependsOn(Part):
    """The field is asked for only where another one, or the choice of an insurance, says so."""

    key: FieldKey | Literal["insurance_type"]
    values: Annotated[tuple[str, ...], Field(min_length=1)]


class FormField(Part):
    """One field on a form."""

    key: FieldKey
    required: bool = True
    depends_on: DependsOn | None = None


class FormStep(Part):
    """One page of the wizard, in the region's words."""

    step: Name
    title: Text
    asks_insurances: bool = False
    """Insurances and tiers are chosen here."""
    fields: tuple[FormField, ...] = ()


class MonthWindow(Part):
    """Which months may be chosen, counted from the current one."""

    earliest: Annotated[int, Field(ge=-120, le=0)]
    latest: Annotated[int, Field(ge=0, le=12)]


class ApplicationForm(Row):
    """What a region asks for in one business, and how it is submitted."""

    file, named_by = "application_forms", "application"
    application: ApplicationKind
    submission: Submission
    submit_label: Text
    months: MonthWindow
    steps: Annotated[tuple[FormStep, ...], Field(min_length=1)]
    after: Text | None = None
    """What to do once it is submitted (R-XJ-35)."""

    @model_validator(mode="after")
    def _asks_once(self) -> Self:
        keys = [each.key for step in self.steps for each in step.fields]
        twice = sorted({key for key in keys if keys.count(key) > 1})
        if twice:
            raise ValueError(f"{twice[0]} is asked for twice; keep it in one step")
        if sum(step.asks_insurances for step in self.steps) != 1:
            raise ValueError("insurances are chosen in exactly one step, such as asks_insurances: true")
        return self

    @property
    def fields(self) -> tuple[FormField, ...]:
        """Every field, in the order of the pages."""
        return tuple(each for step in self.steps for each in step.fields)


class ChangeReason(Row):
    """Why somebody suspends (变更原因, AAE160)."""

    file, named_by = "change_reasons", "code"
    code: Annotated[str, Field(pattern=r"^[A-Z0-9_]{2,30}$")]
    label: Text


class ResidentScheme(Row):
    """A residents' scheme (城乡居民, 170 or 390) that people come for by the joint case, and where it is done (R-XJ-50)."""

    file, named_by = "resident_schemes", "insurance_type"
    insurance_type: InsuranceCode
    title: Text
    explanation: Text
    counter: Name | None = None
    """The code of an agency; none: the region's default window."""
