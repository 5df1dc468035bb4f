"""Jiangsu after the notice: final figures for 2026, as a rulebook of its own."""

from __future__ import annotations

import re
import shutil
from typing import TYPE_CHECKING

from config.rulebook import SHIPPED_REGIONS, load_rulebook

if TYPE_CHECKING:
    from pathlib import Path

    from config.rulebook import Rulebook

PLAN = "jiangsu-2025-twelve-tiers"


def final_rulebook(folder: Path, *, bases: dict[str, int]) -> Rulebook:
    """The rulebook after the notice: jiangsu-2026 in place of the provisional row, and these bases for some of the twelve tiers."""
    jiangsu = folder / "320000-jiangsu"
    shutil.copytree(SHIPPED_REGIONS / "320000-jiangsu", jiangsu)
    limits = jiangsu / "base_limits.yaml"
    final = limits.read_text().replace(
        "status: SECONDARY\n    source: 苏税发", "replaced_by: jiangsu-2026\n    status: SECONDARY\n    source: 苏税发"
    )
    assert "replaced_by" in final.split("- id: jiangsu-2026-provisional")[1]
    limits.write_text(
        final
        + "\n  - {id: jiangsu-2026, insurance_type: '110', base_year: 2026, wage_reference_year: 2025, published_on: 2026-11-20,"
        " provisional: false, floor_yuan: 4900, ceiling_yuan: 25500, reference_wage_yuan: 8500, effective_from: 2026-01-01,"
        " effective_to: 2026-12-31, status: VERIFIED, source: a notice of this test, checked_on: 2026-11-21}\n"
    )
    plans = jiangsu / "tier_plans.yaml"
    before, this_year = plans.read_text().split("title: 江苏省灵活就业人员十二档（2026年预征）")
    this_year = this_year.replace("provisional: true", "provisional: false")
    for tier, yuan in bases.items():
        this_year = re.sub(rf'(tier: "{tier}", label: \S+, base_yuan:) \d+', rf"\1 {yuan}", this_year)
    plans.write_text(before + "title: 江苏省灵活就业人员十二档（2026年）" + this_year)
    return load_rulebook(SHIPPED_REGIONS, folder)
