"""Who lives in a simulation: placeholders for names, synthetic numbers, one enrolment each, and a way in which each of them pays."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import random
    from collections.abc import Iterable, Mapping
    from datetime import date
    from pathlib import Path

    from jobs.simulation.chances import Chances

CHANGZHOU: Final = "320400"
XINJIANG: Final = "650000"
AREAS: Final = {CHANGZHOU: ("320402", "320404", "320411"), XINJIANG: ("650102", "650103", "650104")}
TIERS: Final = ("1", "2", "3")
NAMES: Final = ("张三", "李四", "王五", "赵六")
PENSION: Final = "110"
HEADER: Final = "AAC002,AAC003,AAE140,AAB301,AAC031,AAE030,AAE031,AAE180,TIER"
WEIGHTS: Final = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
A_DAY: Final = 500
"""Order codes that a day of birth has for one sex."""


@dataclass(frozen=True, kw_only=True)
class Resident:
    """One person of the town. `way` is the name of the way in which they pay, `region` where they are insured."""

    number: int
    name: str
    id_number: str
    region: str
    area: str
    tier: str
    way: str
    first_month: int
    """From when they are insured, YYYYMM."""
    joins_on: date
    """When the registrar tells us of them."""

    @property
    def phone(self) -> str:
        return f"139{self.number:08d}"

    @property
    def bank_card(self) -> str:
        return card_number(f"622848{self.number:012d}")

    @property
    def feed_row(self) -> str:
        return f"{self.id_number},{self.name},{PENSION},{self.area},1,{self.first_month},,,{self.tier}"


def people(chances: Chances, *, count: int, begins_on: date, shares: Mapping[tuple[str, str], int]) -> list[Resident]:
    """So many people, by `shares` of (way, region) in a hundred or in whatever they add up to. The same for the same seed."""
    kinds = [kind for kind, share in sorted(shares.items()) for _ in range(share)]
    return [_resident(chances.of("resident", number), number, kinds, begins_on=begins_on) for number in range(1, count + 1)]


def _resident(dice: random.Random, number: int, kinds: list[tuple[str, str]], *, begins_on: date) -> Resident:
    # In turn, not by lot: however small the town, every way has its people.
    way, region = kinds[(number * 37) % len(kinds)]
    area = dice.choice(AREAS[region])
    this_month = begins_on.year * 100 + begins_on.month
    back = dice.choice((0, 0, 1, 2)) if region == XINJIANG else 0
    late = dice.random() < LATE_SHARE
    return Resident(
        number=number,
        name=NAMES[number % len(NAMES)],
        id_number=id_number(number, area=area),
        region=region,
        area=area,
        tier=dice.choice(TIERS),
        way=way,
        first_month=_months_before(this_month, back),
        joins_on=begins_on + timedelta(days=dice.randrange(1, LATE_DAYS)) if late else begins_on,
    )


LATE_DAYS: Final = 5
LATE_SHARE: Final = 0.05
"""Of the town comes with a later file of the registrar's."""


def _months_before(month: int, back: int) -> int:
    counted = month // 100 * 12 + month % 100 - 1 - back
    return counted // 12 * 100 + counted % 12 + 1


def id_number(number: int, *, area: str) -> str:
    """A well-formed, synthetic resident ID number (GB 11643) of a man of working age; every number another one."""
    day, code = divmod(number, A_DAY)
    body = f"{area}{1975 + day // 336}{1 + day // 28 % 12:02d}{1 + day % 28:02d}{code * 2 + 1:03d}"
    return body + "10X98765432"[sum(weight * int(digit) for weight, digit in zip(WEIGHTS, body, strict=True)) % 11]


def card_number(body: str) -> str:
    """These digits with Luhn's at the end."""
    doubled = [int(digit) * (2 - at % 2) for at, digit in enumerate(reversed(body))]
    return body + str(-sum(each - 9 * (each > 9) for each in doubled) % 10)  # noqa: PLR2004 - of two digits their sum


def write_feed(path: Path, residents: Iterable[Resident]) -> int:
    """The registrar's file; how many rows."""
    rows = [resident.feed_row for resident in residents]
    path.write_text("\n".join([HEADER, *rows]) + "\n", encoding="gb18030")
    return len(rows)
