"""The rows from which a month's bill follows: insurances, base limits, rates, tier plans."""

from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from config.rulebook_facts import Day, InsuranceCode, Part, PerMille, Row, RowId, Text, YuanAsFen


class BaseRounding(StrEnum):
    """To what a base reckoned from a percentage is rounded, half up, before the limits clamp it."""

    WHOLE_YUAN = "WHOLE_YUAN"
    FEN = "FEN"


class Insurance(Row):
    """An insurance that the region offers to flexible workers, and the tier plans one may choose in it."""

    file, named_by = "insurances", "insurance_type"
    insurance_type: InsuranceCode
    title: Text
    label: Text
    registrar: Literal["hrss", "nhsa"]
    default_plan: RowId
    plans: Annotated[tuple[RowId, ...], Field(min_length=1)]
    may_be_declined: bool
    """A person may choose 无 and join the other insurance alone."""

    @model_validator(mode="after")
    def _default_is_offered(self) -> Self:
        if self.default_plan not in self.plans:
            raise ValueError(f"default_plan {self.default_plan} is not among plans; name one of them, "
                             f"such as {self.plans[0]}")  # fmt: skip
        return self


class BaseLimits(Row):
    """The published floor and ceiling of the monthly base: integers as printed, never reckoned from the wage."""

    file, named_by, monthly = "base_limits", "id", True
    id: RowId
    insurance_type: InsuranceCode
    base_year: Annotated[int, Field(ge=2000, le=2100)]
    """The year whose standard this is; a provisional row lends an earlier year's standard to a later year."""
    wage_reference_year: Annotated[int, Field(ge=2000, le=2100)]
    published_on: Day | None
    provisional: bool
    floor_fen: YuanAsFen = Field(alias="floor_yuan")
    ceiling_fen: YuanAsFen = Field(alias="ceiling_yuan")
    reference_wage_fen: YuanAsFen = Field(alias="reference_wage_yuan")
    replaced_by: RowId | None = None

    @model_validator(mode="after")
    def _floor_is_below_ceiling(self) -> Self:
        if not 0 < self.floor_fen < self.ceiling_fen:
            raise ValueError("floor_yuan must be above 0 and below ceiling_yuan, such as 4952 and 24762")
        return self

    @property
    def keys(self) -> tuple[str, ...]:
        return (self.insurance_type,)

    @property
    def sets_rules(self) -> bool:
        return self.replaced_by is None


class Rate(Row):
    """What share of the base is owed, and what share of it goes to the person's own account."""

    file, named_by, monthly = "rates", "insurance_type", True
    insurance_type: InsuranceCode
    rate_per_mille: PerMille
    account_rate_per_mille: PerMille
    rounding: Literal["HALF_UP_TO_FEN"]

    @model_validator(mode="after")
    def _account_is_a_share(self) -> Self:
        if self.account_rate_per_mille > self.rate_per_mille:
            raise ValueError("account_rate_per_mille is more than rate_per_mille, so that the parts cannot sum; "
                             "write a share of it, such as 80 of 200")  # fmt: skip
        return self


class Tier(Part):
    """One tier (档次): a fixed base, a percentage of the reference wage, or a fixed amount with its two parts."""

    tier: Annotated[str, Field(pattern=r"^\d{1,2}$")]
    label: Text
    base_fen: YuanAsFen | None = Field(None, alias="base_yuan")
    percent_of_reference_wage: Annotated[int, Field(gt=0, le=300)] | None = None
    amount_fen: YuanAsFen | None = Field(None, alias="amount_yuan")
    account_part_fen: YuanAsFen | None = Field(None, alias="account_part_yuan")
    pooling_part_fen: YuanAsFen | None = Field(None, alias="pooling_part_yuan")

    @model_validator(mode="after")
    def _says_one_thing(self) -> Self:
        ways = (self.base_fen, self.percent_of_reference_wage, self.amount_fen)
        if sum(way is not None for way in ways) != 1:
            raise ValueError("a tier has exactly one of base_yuan, percent_of_reference_wage and amount_yuan, "
                             "such as base_yuan: 6000")  # fmt: skip
        parts = (self.account_part_fen, self.pooling_part_fen)
        if self.amount_fen is None and any(part is not None for part in parts):
            raise ValueError("the parts follow from the base and the rate; write only the base, such as base_yuan: 6000")
        if self.amount_fen is not None and None in parts:
            raise ValueError("a fixed amount names both its parts, "
                             'such as account_part_yuan: "0", pooling_part_yuan: "300.00"')  # fmt: skip
        if self.amount_fen is not None and sum(part or 0 for part in parts) != self.amount_fen:
            raise ValueError("account_part_yuan and pooling_part_yuan do not sum to amount_yuan; "
                             'write parts that do, such as "100.00" and "200.00" of "300.00"')  # fmt: skip
        return self

    def base_within(self, limits: BaseLimits, rounding: BaseRounding) -> int | None:
        """Reckon the base in fen under these limits; None where the tier fixes an amount."""
        if self.percent_of_reference_wage is None:
            return self.base_fen
        unit_fen = 100 if rounding is BaseRounding.WHOLE_YUAN else 1
        exact = Decimal(limits.reference_wage_fen * self.percent_of_reference_wage) / (100 * unit_fen)
        rounded = int(exact.to_integral_value(ROUND_HALF_UP)) * unit_fen
        return min(max(rounded, limits.floor_fen), limits.ceiling_fen)


class TierPlan(Row):
    """A plan of tiers under one id; a later row of the same id carries the next year's figures for the same tiers."""

    file, named_by, monthly = "tier_plans", "id", True
    id: RowId
    insurance_type: InsuranceCode
    title: Text
    allow_declared_wage: bool
    provisional: bool = False
    base_rounding: BaseRounding | None = None
    tiers: Annotated[tuple[Tier, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _tiers_agree(self) -> Self:
        codes = [tier.tier for tier in self.tiers]
        twice = sorted({code for code in codes if codes.count(code) > 1})
        if twice:
            raise ValueError(f'tier "{twice[0]}" stands twice; give each its own code, such as "1", "2", "3"')
        if self.fixes_amounts and not all(tier.amount_fen is not None for tier in self.tiers):
            raise ValueError("tiers with a fixed amount and tiers with a base do not mix; make two plans, "
                             "such as one per insurance")  # fmt: skip
        if self.fixes_amounts and self.allow_declared_wage:
            raise ValueError("a plan of fixed amounts has no rate for a declared wage; write allow_declared_wage: false, "
                             "such as in a medical plan")  # fmt: skip
        if self.takes_percentages and self.base_rounding is None:
            raise ValueError("percent_of_reference_wage needs the plan's base_rounding, such as WHOLE_YUAN")
        return self

    @property
    def fixes_amounts(self) -> bool:
        """Ask whether the tiers are amounts, with neither base nor rate."""
        return any(tier.amount_fen is not None for tier in self.tiers)

    @property
    def takes_percentages(self) -> bool:
        """Ask whether some base is reckoned from the reference wage."""
        return any(tier.percent_of_reference_wage is not None for tier in self.tiers)
