"""Audit: who opened whose data, what moved, what staff did. Read by auditors alone, and their reading is written down too."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any, Final

from flask import request

from console.pages import AUDITORS, page, ports, show
from services import audit_trail
from services.audit_trail import Wanted

if TYPE_CHECKING:
    from collections.abc import Callable

LONGEST: Final = 80
LARGEST: Final = 18
"""Digits of an id."""


@page("/audit/accesses", roles=AUDITORS, nav="个人信息查看记录")
def read_accesses() -> str:
    return _trail("audit_accesses.html", audit_trail.read_accesses)


@page("/audit/moves", roles=AUDITORS, nav="业务状态变更")
def read_moves() -> str:
    return _trail("audit_moves.html", audit_trail.read_moves)


@page("/audit/acts", roles=AUDITORS, nav="工作人员操作")
def read_acts() -> str:
    return _trail("audit_acts.html", audit_trail.read_acts)


def _trail(template: str, read: Callable[..., Any]) -> str:
    faults: list[str] = []
    asked = {name: request.args.get(name, "").strip()[:LONGEST] for name in ("who", "what", "since", "until", "before")}
    wanted = Wanted(
        who=asked["who"],
        what=asked["what"],
        since=_day(asked["since"], "起始日期", faults),
        until=_day(asked["until"], "截止日期", faults),
        before=int(asked["before"]) if _is_id(asked["before"]) else None,
    )
    found = read(ports(), wanted=wanted)
    return show(template, found=found, asked={name: text for name, text in asked.items() if name != "before"}, faults=faults)


def _day(text: str, name: str, faults: list[str]) -> date | None:
    if not text:
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = None
    # The first and last years of Python's calendar have no neighbouring day.
    if day is None or not date(2000, 1, 1) <= day <= date(2200, 1, 1):
        faults.append(f"{name}应写作 2026-11-22 这样的日期，本次没有按它筛选。")
        return None
    return day


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= LARGEST
