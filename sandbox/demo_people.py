"""Demo people: made known to every provider of the sandbox, enrolled by the registrar's feed, and given a phone on the page."""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import requests

from sandbox.remote import Sandbox

if TYPE_CHECKING:
    from collections.abc import Sequence

BEIJING = timezone(timedelta(hours=8))
HEADER = "AAC002,AAC003,AAE140,AAB301,AAC031,AAE030,AAE031,AAE180,TIER"
WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)


def id_number(body: str) -> str:
    """A synthetic ID number from its first 17 digits (GB 11643)."""
    return body + "10X98765432"[sum(w * int(digit) for w, digit in zip(WEIGHTS, body, strict=True)) % 11]


@dataclass(frozen=True)
class Figure:
    """Somebody in the story: placeholders for names, synthetic numbers."""

    label: str
    name: str
    id_number: str
    phone: str
    bank_card: str
    """In place of the face, for whoever shows none."""
    row: str | None = None
    """The rest of their row in the feed, or none: not enrolled."""

    @property
    def feed_row(self) -> str:
        return f"{self.id_number},{self.name},{self.row}"


FATHER = Figure(
    "父亲", "张三", id_number("65010219680615001"), "13800000001", "6228481380000000104", "110,650102,1,{start},,6000.00,"
)
DAUGHTER = Figure(
    "女儿", "李四", id_number("65010219920308002"), "13800000002", "6228481380000000203", "110,650102,1,{start},,,2"
)
WORKER = Figure(
    "灵活就业人员甲", "王五", id_number("32040219880101003"), "13800000003", "6228481380000000302", "110,320402,1,{start},,,3"
)
NEIGHBOUR = Figure(
    "灵活就业人员乙", "赵六", id_number("32040219850520004"), "13800000004", "6228481380000000401", "110,320411,1,{start},,,1"
)
NEWCOMER = Figure("还没参保的人", "钱七", id_number("32040219950303005"), "13800000005", "6228481380000000500")
EVERYBODY = (FATHER, DAUGHTER, WORKER, NEIGHBOUR, NEWCOMER)


def months_to_bill(today: datetime, count: int = 3) -> list[str]:
    """This month and the ones before it, within this year: what may be paid on the phone where a region allows it."""
    return [f"{today.year}-{month:02d}" for month in range(max(1, today.month - count + 1), today.month + 1)]


def canbao(*words: str) -> subprocess.CompletedProcess[str]:
    """Run the operator's own command, as an operator would."""
    program = str(Path(sys.executable).with_name("canbao"))
    return subprocess.run([program, *words], capture_output=True, text=True, check=False)  # noqa: S603 - our own words


def write_feed(path: Path, figures: Sequence[Figure], *, bad_rows: Sequence[str] = ()) -> None:
    # From the first month that is billed on: the worker bills what is missing of any month that an enrolment covers.
    start = months_to_bill(datetime.now(BEIJING))[0].replace("-", "")
    rows = [figure.feed_row.format(start=start) for figure in figures if figure.row is not None]
    path.write_text("\n".join([HEADER, *rows, *bad_rows]) + "\n", encoding="gb18030")


def enrol(figures: Sequence[Figure]) -> None:
    """Feed and bills, by the operator's commands. Raises RuntimeError with what they said."""
    with tempfile.TemporaryDirectory() as folder:
        feed = Path(folder) / "enrollments.csv"
        write_feed(feed, figures)
        months = [word for month in months_to_bill(datetime.now(BEIJING)) for word in ("--month", month)]
        for command in (("import", "enrollments", str(feed)), ("assess", *months)):
            done = canbao(*command)
            if done.returncode:
                raise RuntimeError(f"canbao {' '.join(command[:2])}: {done.stdout}{done.stderr}")


def introduce(sandbox: Sandbox) -> list[dict[str, Any]]:
    """Register everybody with the providers, and lay their phones on the page: the daughter's first, who pays for her father too."""
    for figure in EVERYBODY:
        sandbox.register_person(figure.name, figure.id_number, phone=figure.phone, bank_card=figure.bank_card)
    people = [
        _person(DAUGHTER, others=[{"name": FATHER.name, "id_number": FATHER.id_number, "relation": "父亲"}]),
        _person(WORKER),
        _person(NEIGHBOUR),
        _person(FATHER),
        _person(NEWCOMER),
    ]
    requests.post(f"{sandbox.url}/_sandbox/demo-people", json=people, timeout=10).raise_for_status()
    return people


def _person(figure: Figure, *, others: Sequence[dict[str, str]] = ()) -> dict[str, Any]:
    return {
        "label": figure.label,
        "name": figure.name,
        "id_number": figure.id_number,
        "phone": figure.phone,
        "bank_card": figure.bank_card,
        "others": list(others),
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m sandbox.demo_people", description=__doc__)
    parser.add_argument("--sandbox-url", required=True)
    arguments = parser.parse_args()
    enrol(EVERYBODY)
    sandbox = Sandbox(arguments.sandbox_url)
    known = requests.get(f"{sandbox.url}/_sandbox/demo-people", timeout=10).json()["demo_people"]
    if not known:
        introduce(sandbox)


if __name__ == "__main__":
    main()
