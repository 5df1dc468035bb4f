"""What the pages about money share: whose affair a merchant account is, and what was asked for in an address."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Final
from uuid import UUID

from flask import request

from console.pages import me, ports
from services.money_scope import accounts_within, is_within
from services.staff import EVERYWHERE, require_scope

if TYPE_CHECKING:
    from services.ports import Ports
    from services.staff import Scope, StaffView

EARLIEST, LATEST = date(2000, 1, 1), date(2200, 1, 1)
"""The first and last years of Python's calendar have no neighbouring day."""
LARGEST: Final = 18
"""Digits of an id."""
LONGEST: Final = 200


def accounts_of(ports: Ports, staff: StaffView) -> frozenset[str] | None:
    """Merchant accounts that one of the staff may see; None: all."""
    return accounts_within(ports, staff.scope)


def my_accounts() -> frozenset[str] | None:
    return accounts_of(ports(), me())


def scope_of_account(ports: Ports, merchant_account: str) -> Scope:
    """Their own scope where it lies within it, else everywhere: which nobody has who sees some regions."""
    return me().scope if is_within(ports, me().scope, merchant_account) else EVERYWHERE


def require_account(merchant_account: str) -> None:
    """Raises OutOfScope."""
    require_scope(ports(), staff=me(), scope=scope_of_account(ports(), merchant_account))


def asked(name: str) -> str:
    """What an address says; empty where it says nothing."""
    return request.args.get(name, "").strip()[:LONGEST]


def asked_id(name: str) -> int | None:
    """None for what is no id of ours: then a list begins at its front."""
    text = asked(name)
    return int(text) if text.isascii() and text.isdigit() and len(text) <= LARGEST else None


def asked_uuid(name: str) -> UUID | None:
    try:
        return UUID(asked(name))
    except ValueError:
        return None


def asked_day(name: str) -> date | None:
    return day_of(asked(name))


def day_of(text: str) -> date | None:
    """2026-11-22; None for what is no day of an office's life."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return day if EARLIEST <= day <= LATEST else None


def asked_month(name: str) -> date:
    """The first day of the month that an address names, 2026-11; of this month where it names none."""
    return day_of(f"{asked(name)}-01") or ports().today().replace(day=1)


def neighbours(month: date) -> tuple[date, date | None]:
    """The month before, and the month after unless it has not begun."""
    before = date(month.year - (month.month == 1), (month.month - 2) % 12 + 1, 1)
    after = date(month.year + (month.month == 12), month.month % 12 + 1, 1)  # noqa: PLR2004 - months of a year
    return before, after if after <= ports().today() else None
