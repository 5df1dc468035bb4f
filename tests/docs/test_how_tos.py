"""What the how-tos show can be done as shown: their YAML loads, their tables have every kind that there is, their commands exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from config.rulebook_rows import Bank
from config.settings import (
    Aliyun,
    BankLink,
    Counter,
    Merchant,
    Miniprogram,
    Partners,
    Pos,
    Settings,
    SettingsFault,
    Slips,
    load_settings,
)
from models.reconciliation import DifferenceKind
from services.reconciliation_views import REASONS

ROOT = Path(__file__).resolve().parents[2]
HOW_TO = ROOT / "docs" / "how-to"


def text_of(name: str) -> str:
    return (HOW_TO / name).read_text(encoding="utf-8")


def test_every_kind_of_difference_and_every_reason_is_told():
    page = text_of("read-a-difference.md")

    assert [kind for kind in DifferenceKind if f"`{kind}`" not in page] == []
    assert [why for why in REASONS if f"`{why}`" not in page] == []


def test_the_bank_of_the_how_to_loads():
    blocks = [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", text_of("add-a-bank.md"), re.DOTALL)]
    (row,), *rest = blocks[0]["banks"], *blocks[1:]
    partners = {"miniprograms": {}, "merchants": {}, "aliyun": {"access_key_id_file": "a", "access_key_secret_file": "b"}}
    for each in rest:
        partners |= each

    bank = Bank.model_validate(row | {"effective_from": str(row["effective_from"]), "checked_on": str(row["checked_on"])})
    loaded = Partners.model_validate(partners)

    assert loaded.banks["debit-cmb-320400"].bank == bank.code == loaded.counters["counter-cmb-320400"].bank
    assert set(loaded.slips) == {"slip-320400"}
    assert len(loaded.statements) == 2


def test_every_key_that_going_live_names_is_one_that_there_is():
    page = text_of("go-live.md")
    keys = {
        name
        for shape in (Miniprogram, Merchant, Aliyun, Pos, Counter, Slips, BankLink, Partners)
        for name in shape.model_fields
    }
    named = set(re.findall(r"`(?:[a-z]+\.)?(?:….)?([a-z0-9]+(?:_[a-z0-9]+)+)`", page))

    assert {
        name for name in named if name.endswith(("_file", "_id", "_serial", "_key", "_keys", "_name", "_templates"))
    } - keys == set()
    files = {name for shape in (Miniprogram, Merchant, Aliyun) for name in shape.model_fields if name.endswith("_file")}
    assert files - named == set(), "each key file has a row that says where it comes from"


def test_every_setting_that_production_needs_is_set_in_the_how_to():
    page = text_of("go-live.md")
    with pytest.raises(SettingsFault) as fault:
        load_settings({"CANBAO_MODE": "production"})
    needed = re.findall(r"^(CANBAO_\w+): production needs it", str(fault.value), re.MULTILINE)

    exported = dict(re.findall(r"^export (CANBAO_\w+)=(\S+)$", page, re.MULTILINE))

    assert needed
    assert set(needed) <= set(exported)
    assert load_settings(exported).in_production
    assert set(exported) <= {f"CANBAO_{name.upper()}" for name in Settings.model_fields}
    assert all(f"`{name}`" in page for name in needed)
