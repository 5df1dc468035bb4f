"""What may be chosen in a region and month: insurances, plans, tiers, a declared wage (R-CZ-26…30, R-XJ-15, R-XJ-33, R-XJ-34). Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from config.rulebook import HotlineTopic, NoRuleInForce
from services.application_errors import DeclaredWageOutOfLimits, InsuranceNotOffered, NoInsuranceSelected, TierNotOffered

if TYPE_CHECKING:
    from datetime import date

    from config.months import YearMonth
    from config.rulebook import AssessmentTable, Insurance, Region
    from services.errors import BusinessError


@dataclass(frozen=True, kw_only=True)
class Choice:
    """One insurance that is asked for."""

    insurance_type: str
    tier: str | None = None
    """The tier's code in its plan; None where a wage is declared instead, or nothing is to be paid (a suspension)."""
    declared_wage_fen: int | None = None
    """Fen a month. Beside a tier it must be the tier's own base."""
    plan: str | None = None
    """None: the region's default plan."""


def check_choices(
    region: Region, choices: tuple[Choice, ...], *, on: date, month: YearMonth, with_tiers: bool
) -> list[BusinessError]:
    """List what is wrong with the choices; empty where they are good. Never raises.

    `on` chooses the insurances on offer, `month` the figures. `with_tiers` False: only which insurances are named counts.
    """
    offers = {offer.insurance_type: offer for offer in region.insurances(on)}
    if not choices:
        return [NoInsuranceSelected()]
    found: list[BusinessError] = []
    chosen = [choice.insurance_type for choice in choices]
    for choice in choices:
        offer = offers.get(choice.insurance_type)
        if offer is None:
            names = "、".join(each.label for each in offers.values())
            found.append(
                InsuranceNotOffered(detail=f"{region.name}目前可以参加的险种：{names or '以当地公布为准'}，请重新选择。")
            )
        elif chosen.count(choice.insurance_type) > 1:
            found.append(TierNotOffered(detail=f"{offer.label}选了不止一次，请只保留一个档次。"))
        elif with_tiers and (fault := _fault_of(region, offer, choice, month)) is not None:
            found.append(fault)
    missing = [offer.label for code, offer in offers.items() if not offer.may_be_declined and code not in chosen]
    if with_tiers and missing:
        found.append(NoInsuranceSelected(detail=f"在{region.name}须参加{'、'.join(missing)}，不能选“无”。"))
    return found


def _fault_of(region: Region, offer: Insurance, choice: Choice, month: YearMonth) -> BusinessError | None:
    plan = choice.plan or offer.default_plan
    if plan not in offer.plans:
        return TierNotOffered(detail=f"{offer.label}没有所选的缴费方案，请从列表中重新选择。")
    try:
        table = region.assessment_table(offer.insurance_type, month, plan)
    except NoRuleInForce:
        line = region.hotline(HotlineTopic.PAYMENT)
        return TierNotOffered(
            detail=f"{offer.label}{month.year}年{month.month}月的缴费档次尚未公布，以当地公布为准，咨询电话{line.number}。"
        )
    if choice.tier is not None:
        return _fault_of_tier(offer, choice, table)
    if choice.declared_wage_fen is None or not table.allow_declared_wage:
        return TierNotOffered(detail=f"请选择{offer.label}的缴费档次：{_labels(table)}。", tiers=_codes(table))
    if table.admits_wage(choice.declared_wage_fen):
        return None
    floor_fen, ceiling_fen = table.floor_fen or 0, table.ceiling_fen or 0
    return DeclaredWageOutOfLimits(
        detail=f"{month.year}年{month.month}月的申报工资基数应在每月{_yuan(floor_fen)}元至{_yuan(ceiling_fen)}元之间，请重新填写。",
        floor_fen=floor_fen,
        ceiling_fen=ceiling_fen,
    )


def _fault_of_tier(offer: Insurance, choice: Choice, table: AssessmentTable) -> BusinessError | None:
    tier = table.tier(choice.tier or "")
    if tier is None:
        return TierNotOffered(detail=f"{offer.label}可以选择的缴费档次：{_labels(table)}，请重新选择。", tiers=_codes(table))
    if choice.declared_wage_fen in (None, tier.base_fen):
        return None
    if tier.base_fen is None:
        return DeclaredWageOutOfLimits(detail=f"{offer.label}{tier.label}是固定金额，不填写申报工资基数。")
    otherwise = "；要填其他金额，请不选档次" if table.allow_declared_wage else ""
    return DeclaredWageOutOfLimits(
        detail=f"{offer.label}{tier.label}的缴费工资是每月{_yuan(tier.base_fen)}元，不能另填{otherwise}。",
        floor_fen=tier.base_fen,
        ceiling_fen=tier.base_fen,
    )


def _labels(table: AssessmentTable) -> str:
    return "、".join(tier.label for tier in table.tiers)


def _codes(table: AssessmentTable) -> list[str]:
    return [tier.tier for tier in table.tiers]


def _yuan(fen: int) -> str:
    whole, cents = divmod(fen, 100)
    return f"{whole}.{cents:02d}" if cents else str(whole)
