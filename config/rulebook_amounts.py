"""What a month costs: pure arithmetic in whole fen, and the table from which bills are issued."""

from dataclasses import dataclass

from config.rulebook_facts import Status
from config.rulebook_money import BaseLimits, BaseRounding, Rate, TierPlan


def round_half_up(numerator: int, denominator: int) -> int:
    """Divide two amounts that are not negative, and round a half up, as contribution notices do."""
    return (2 * numerator + denominator) // (2 * denominator)


@dataclass(frozen=True, kw_only=True, slots=True)
class Parts:
    """An amount and its two parts; they always sum, because the pooling part is what the account part leaves."""

    total_fen: int
    account_part_fen: int
    pooling_part_fen: int


def amount_parts(base_fen: int, rate_per_mille: int, account_rate_per_mille: int) -> Parts:
    """Reckon what a base owes in a month: HALF_UP to the fen, the account part likewise, pooling is the rest."""
    total_fen = round_half_up(base_fen * rate_per_mille, 1000)
    account_part_fen = round_half_up(base_fen * account_rate_per_mille, 1000)
    return Parts(total_fen=total_fen, account_part_fen=account_part_fen, pooling_part_fen=total_fen - account_part_fen)


@dataclass(frozen=True, kw_only=True, slots=True)
class TierAmount:
    """One tier of a table, and what it owes in a month."""

    tier: str
    label: str
    base_fen: int | None
    """None where the plan fixes an amount and there is no base."""
    amount_fen: int
    account_part_fen: int
    pooling_part_fen: int


@dataclass(frozen=True, kw_only=True)
class AssessmentTable:
    """Everything that a bill of one region, insurance, plan and coverage month is issued from."""

    region: str
    insurance_type: str
    plan_id: str
    rule_id: str
    """The plan with its edition and the limits with theirs; kept on the bill, so that it can be explained for ever."""
    provisional: bool
    """The year's own figures are not published yet: a difference (补差) may follow."""
    sample: bool
    """Some figure is TO_CONFIRM: the amount is shown as 示例金额."""
    rate_per_mille: int
    """0 where the plan fixes amounts."""
    account_rate_per_mille: int
    floor_fen: int | None
    ceiling_fen: int | None
    allow_declared_wage: bool
    tiers: tuple[TierAmount, ...]
    sources: tuple[str, ...]

    def tier(self, code: str) -> TierAmount | None:
        """Find a tier by its code; None for a tier that the plan does not have."""
        return next((tier for tier in self.tiers if tier.tier == code), None)

    def admits_wage(self, declared_wage_fen: int) -> bool:
        """Ask whether this wage may be declared as a base: the plan allows it and the limits enclose it."""
        if not self.allow_declared_wage or self.floor_fen is None or self.ceiling_fen is None:
            return False
        return self.floor_fen <= declared_wage_fen <= self.ceiling_fen

    def parts_of(self, base_fen: int) -> Parts:
        """Reckon what a declared wage owes in a month at this table's rate."""
        return amount_parts(base_fen, self.rate_per_mille, self.account_rate_per_mille)


def table_of_fixed_amounts(region: str, plan: TierPlan) -> AssessmentTable:
    """Make the table of a plan that has neither base nor rate."""
    return AssessmentTable(
        region=region,
        insurance_type=plan.insurance_type,
        plan_id=plan.id,
        rule_id=f"{plan.id}@{plan.effective_from}",
        provisional=plan.provisional,
        sample=plan.status is Status.TO_CONFIRM,
        rate_per_mille=0,
        account_rate_per_mille=0,
        floor_fen=None,
        ceiling_fen=None,
        allow_declared_wage=False,
        tiers=tuple(
            TierAmount(
                tier=tier.tier,
                label=tier.label,
                base_fen=None,
                amount_fen=tier.amount_fen or 0,
                account_part_fen=tier.account_part_fen or 0,
                pooling_part_fen=tier.pooling_part_fen or 0,
            )
            for tier in plan.tiers
        ),
        sources=(plan.source,),
    )


def table_of_bases(region: str, plan: TierPlan, limits: BaseLimits, rate: Rate) -> AssessmentTable:
    """Make the table of a plan whose tiers are bases under these limits, at this rate."""
    facts = (plan, limits, rate)
    return AssessmentTable(
        region=region,
        insurance_type=plan.insurance_type,
        plan_id=plan.id,
        rule_id=f"{plan.id}@{plan.effective_from}+{limits.id}",
        provisional=plan.provisional or limits.provisional,
        sample=any(fact.status is Status.TO_CONFIRM for fact in facts),
        rate_per_mille=rate.rate_per_mille,
        account_rate_per_mille=rate.account_rate_per_mille,
        floor_fen=limits.floor_fen,
        ceiling_fen=limits.ceiling_fen,
        allow_declared_wage=plan.allow_declared_wage,
        tiers=tuple(_tier_amounts(plan, limits, rate)),
        sources=tuple(fact.source for fact in facts),
    )


def _tier_amounts(plan: TierPlan, limits: BaseLimits, rate: Rate) -> list[TierAmount]:
    amounts = []
    for tier in plan.tiers:
        base_fen = tier.base_within(limits, plan.base_rounding or BaseRounding.FEN) or 0
        parts = amount_parts(base_fen, rate.rate_per_mille, rate.account_rate_per_mille)
        amounts.append(
            TierAmount(
                tier=tier.tier,
                label=tier.label,
                base_fen=base_fen,
                amount_fen=parts.total_fen,
                account_part_fen=parts.account_part_fen,
                pooling_part_fen=parts.pooling_part_fen,
            )
        )
    return amounts
