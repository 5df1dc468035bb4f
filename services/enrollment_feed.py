"""The registrar's feed: a CSV of enrolments, columns named after GB/T 40217, in UTF-8 or GB18030.

Every row stands for itself: a bad one is reported with its line and a reason, the rest goes in. The same file twice changes
nothing. Columns and codes are told in docs/reference/enrollment-feed.md.
"""

from __future__ import annotations

import codecs
import csv
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import IO, TYPE_CHECKING, Any, Final

from sqlalchemy import text

from config.months import YearMonth
from models.base import new_id
from models.enrollments import EnrollmentState
from models.people import Person
from services.enrollment_feed_moves import leads, lock_existing, note_moves
from services.enrollment_tiers import Said, begin_said_tiers, changing_tiers, hold_bills
from services.errors import BusinessError
from services.people import mask_name, parse_name, parse_persons_number
from services.uncovered_bills import void_uncovered

if TYPE_CHECKING:
    import uuid
    from collections.abc import Callable, Iterable, Iterator
    from datetime import date, datetime
    from pathlib import Path

    from sqlalchemy.orm import Session

    from config.rulebook import Rulebook
    from services.enrollment_feed_moves import Key
    from services.ports import Ports

CHUNK: Final = 1000
MOST_MONTHS: Final = 840
REQUIRED: Final = ("AAC002", "AAC003", "AAE140", "AAB301", "AAC031", "AAE030")
OPTIONAL: Final = ("AAE031", "AAE180", "AAB034", "TIER", "TIER_PLAN", "MONTHS_ELSEWHERE")
PAYMENT_STATES: Final = {"1": EnrollmentState.ACTIVE, "2": EnrollmentState.SUSPENDED, "3": EnrollmentState.TERMINATED}
"""AAC031 缴费状态: 1 参保缴费, 2 暂停缴费, 3 终止缴费."""


class FeedRefused(Exception):
    """The file as a whole cannot be read; the sentence says why and gives a right example."""


@dataclass(frozen=True, kw_only=True)
class BadRow:
    line: int
    reason: str


@dataclass(kw_only=True)
class FeedReport:
    """What became of a feed, row by row."""

    added: int = 0
    changed: int = 0
    unchanged: int = 0
    bad: list[BadRow] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class FeedRow:
    line: int
    name: str
    id_number: str
    id_number_masked: str
    region: str
    pooling_area: str
    insurance_type: str
    state: EnrollmentState
    start_month: int
    end_month: int | None
    declared_wage_fen: int | None
    tier: str | None
    tier_plan: str | None
    agency: str | None
    months_elsewhere: int | None


def import_enrollments(ports: Ports, path: Path, *, on_progress: Callable[[int], None] | None = None) -> FeedReport:
    """Bring a feed in, a chunk a transaction. Raises FeedRefused when the file as a whole makes no sense."""
    report = FeedReport()
    today = ports.today()
    area_of = _region_by_area(ports.rulebook)
    with path.open("rb") as raw:
        encoding = _encoding_of(raw)
    with path.open(encoding=encoding, newline="") as lines:
        chunk: list[FeedRow] = []
        for line, given in _rows(lines):
            try:
                chunk.append(read_row(line, given, today=today, area_of=area_of, rulebook=ports.rulebook))
            except _BadValue as fault:
                report.bad.append(BadRow(line=line, reason=str(fault)))
            if len(chunk) == CHUNK:
                _store(ports, chunk, report)
                chunk = []
            if on_progress is not None:
                on_progress(line)
        _store(ports, chunk, report)
    report.bad.sort(key=lambda bad: bad.line)
    return report


class _BadValue(Exception):
    pass


def _encoding_of(raw: IO[bytes]) -> str:
    """UTF-8 if all of it is, else GB18030 if all of it is. Raises FeedRefused."""
    for encoding in ("utf-8-sig", "gb18030"):
        decoder = codecs.getincrementaldecoder(encoding)()
        raw.seek(0)
        try:
            while block := raw.read(1 << 20):
                decoder.decode(block)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            continue
        return encoding
    raise FeedRefused("the file is neither UTF-8 nor GB18030; save it in one of the two")


def _rows(lines: Iterable[str]) -> Iterator[tuple[int, dict[str, str]]]:
    reader = csv.reader(lines, strict=True)
    try:
        header = [column.strip().upper() for column in next(reader, [])]
        missing = [column for column in REQUIRED if column not in header]
        unknown = [column for column in header if column not in REQUIRED + OPTIONAL]
        if missing or unknown or len(set(header)) != len(header):
            raise FeedRefused(
                f"line 1: the header must name each of {','.join(REQUIRED)} once, and may name {','.join(OPTIONAL)}"
                + (f"; missing: {','.join(missing)}" if missing else "")
                + (f"; unknown: {','.join(unknown)}" if unknown else "")
            )
        for values in reader:
            if not any(value.strip() for value in values):
                continue
            if len(values) != len(header):
                yield reader.line_num, {"": f"{len(values)} values for {len(header)} columns"}
            else:
                yield reader.line_num, dict(zip(header, (value.strip() for value in values), strict=True))
    except csv.Error as fault:
        raise FeedRefused(f"line {reader.line_num}: not CSV: {fault}") from None


def read_row(line: int, given: dict[str, str], *, today: date, area_of: dict[str, str], rulebook: Rulebook) -> FeedRow:
    """One row, understood. Pure but for the rulebook."""
    if "" in given:
        raise _BadValue(given[""])
    try:
        id_number = parse_persons_number(given["AAC002"], today=today)
        name = parse_name(given["AAC003"])
    except BusinessError as fault:
        raise _BadValue(f"{'AAC002' if fault.code == 'ID_NUMBER_MALFORMED' else 'AAC003'}: {fault.said}") from None
    area = given["AAB301"]
    if area not in area_of:
        raise _BadValue(
            f"AAB301: no rulebook knows the pooling area {area!r}; a right one is such as {next(iter(area_of), '320402')}"
        )
    region = rulebook.region(area_of[area])
    insurance = given["AAE140"]
    if insurance not in {each.insurance_type for each in region.insurances(today)}:
        raise _BadValue(f"AAE140: {region.name} has no insurance {insurance!r}, such as 110")
    if given["AAC031"] not in PAYMENT_STATES:
        raise _BadValue(f"AAC031: {given['AAC031']!r} is not one of {', '.join(PAYMENT_STATES)}")
    start, end = _month(given, "AAE030"), _month(given, "AAE031")
    if start is None:
        raise _BadValue("AAE030: the first month is missing, such as 202601")
    if end is not None and end < start:
        raise _BadValue(f"AAE031: {end} lies before AAE030 {start}")
    wage, tier = _fen(given, "AAE180"), given.get("TIER") or None
    if wage is None and tier is None:
        raise _BadValue("TIER, AAE180: one of the two is needed, a tier such as 3 or a base such as 6000.00")
    plan = given.get("TIER_PLAN") or None
    if plan is not None and plan not in {each.id for each in region.plans(insurance, today)}:
        raise _BadValue(f"TIER_PLAN: {region.name} has no plan {plan!r} for {insurance}")
    return FeedRow(
        line=line,
        name=name,
        id_number=id_number.text,
        id_number_masked=id_number.masked,
        region=region.code,
        pooling_area=area,
        insurance_type=insurance,
        state=PAYMENT_STATES[given["AAC031"]],
        start_month=start,
        end_month=end,
        declared_wage_fen=wage,
        tier=tier,
        tier_plan=plan,
        agency=given.get("AAB034") or None,
        months_elsewhere=_count(given, "MONTHS_ELSEWHERE"),
    )


def _count(given: dict[str, str], column: str) -> int | None:
    """A number of months; nobody has paid for more than a working life."""
    said = given.get(column)
    if not said:
        return None
    if not (said.isascii() and said.isdigit()) or len(said) > len(str(MOST_MONTHS)) or int(said) > MOST_MONTHS:
        raise _BadValue(f"{column}: {said!r} is not a number of months up to {MOST_MONTHS}, such as 84")
    return int(said)


def _month(given: dict[str, str], column: str) -> int | None:
    if not given.get(column):
        return None
    try:
        return YearMonth.parse(given[column]).number
    except ValueError:
        raise _BadValue(f"{column}: {given[column]!r} is not a month, such as 202601") from None


def _fen(given: dict[str, str], column: str) -> int | None:
    """Yuan with at most two decimals, as D16.2 of the standard, to fen."""
    if not given.get(column):
        return None
    try:
        fen = Decimal(given[column]) * 100
    except InvalidOperation:
        raise _BadValue(f"{column}: {given[column]!r} is not an amount in yuan, such as 6000.00") from None
    if fen != fen.to_integral_value() or not 0 < fen < 10**12:
        raise _BadValue(f"{column}: {given[column]!r} is not an amount in yuan with two decimals, such as 6000.00")
    return int(fen)


def _region_by_area(rulebook: Rulebook) -> dict[str, str]:
    return {area: code for code, region in rulebook.regions.items() for area in region.pooling_areas}


UPSERT_PEOPLE = text("""
    INSERT INTO persons (id, name_sealed, name_index, name_masked, id_number_sealed, id_number_index, id_number_masked, created_at)
    SELECT *, :now FROM unnest(CAST(:ids AS uuid[]), CAST(:names AS bytea[]), CAST(:name_indexes AS bytea[]), CAST(:name_masks AS text[]),
        CAST(:id_numbers AS bytea[]), CAST(:id_indexes AS bytea[]), CAST(:id_masks AS text[]))
    ON CONFLICT (id_number_index) DO NOTHING
""")
PEOPLE = text("SELECT id, id_number_index, name_index FROM persons WHERE id_number_index = ANY(:id_indexes)")
UPSERT_ENROLLMENTS = text("""
    INSERT INTO enrollments (person_id, region, pooling_area, insurance_type, tier_plan, tier, declared_wage_fen, state, start_month,
        end_month, agency, months_elsewhere, created_at, updated_at)
    SELECT t.*, :now, :now FROM unnest(CAST(:people AS uuid[]), CAST(:regions AS text[]), CAST(:areas AS text[]), CAST(:insurances AS text[]),
        CAST(:plans AS text[]), CAST(:tiers AS text[]), CAST(:wages AS bigint[]), CAST(:states AS text[]), CAST(:starts AS bigint[]),
        CAST(:ends AS bigint[]), CAST(:agencies AS text[]), CAST(:months_elsewhere AS bigint[])) AS t
    ON CONFLICT (person_id, insurance_type, pooling_area) DO UPDATE SET
        region = excluded.region, tier_plan = excluded.tier_plan, tier = excluded.tier, declared_wage_fen = excluded.declared_wage_fen,
        state = excluded.state, start_month = excluded.start_month, end_month = excluded.end_month, agency = excluded.agency,
        -- A file without the column, or with an empty one, says nothing of it.
        months_elsewhere = coalesce(excluded.months_elsewhere, enrollments.months_elsewhere), updated_at = excluded.updated_at
    WHERE (enrollments.region, enrollments.tier_plan, enrollments.tier, enrollments.declared_wage_fen, enrollments.state,
           enrollments.start_month, enrollments.end_month, enrollments.agency, enrollments.months_elsewhere)
        IS DISTINCT FROM (excluded.region, excluded.tier_plan, excluded.tier, excluded.declared_wage_fen, excluded.state,
           excluded.start_month, excluded.end_month, excluded.agency, coalesce(excluded.months_elsewhere, enrollments.months_elsewhere))
    RETURNING id, (xmax = 0) AS added
""")


def _store(ports: Ports, rows: list[FeedRow], report: FeedReport) -> None:
    if not rows:
        return
    now = ports.now()
    with ports.begin() as session:
        people = _store_people(ports, session, rows)
        good = [row for row in rows if (row.id_number, row.name) in people]
        # The last row about the same enrolment wins, as it would one by one.
        newest = {(people[row.id_number, row.name], row.insurance_type, row.pooling_area): row for row in good}
        # Before any enrolment is locked: whoever issues bills waits for enrolments.
        hold_bills(session)
        held = lock_existing(session, newest)
        off_the_map = {key for key, was in held.items() if not leads(was.state, newest[key].state)}
        wanted = {key: row for key, row in newest.items() if key not in off_the_map}
        this_month = YearMonth.of(ports.today())
        touched = _store_enrollments(session, wanted, held, this_month=this_month, now=now) if wanted else []
    report.bad += [
        BadRow(line=row.line, reason="AAC003: another name is on record for this AAC002; a clerk must decide")
        for row in rows
        if (row.id_number, row.name) not in people
    ]
    report.bad += [
        BadRow(
            line=newest[key].line,
            reason=f"AAC031: on record it is {held[key].state}, and no road leads from there to {newest[key].state}; a clerk must decide",
        )
        for key in off_the_map
    ]
    report.added += sum(touched)
    report.changed += len(touched) - sum(touched)
    report.unchanged += len(good) - len(touched) - len(off_the_map)


def _store_people(ports: Ports, session: Session, rows: list[FeedRow]) -> dict[tuple[str, str], uuid.UUID]:
    """(ID number, name) → person. A name that differs from the one on record is a row for a clerk, not an update."""
    seals = ports.seals
    # The first name given for a new number is the one on record for the next row, as it would be one by one.
    one_each: dict[str, FeedRow] = {}
    for row in rows:
        one_each.setdefault(row.id_number, row)
    ids = [new_id() for _ in one_each]
    id_indexes = {number: seals.index("id_number", number) for number in one_each}
    name_indexes = {name: seals.index("name", name) for name in {row.name for row in rows}}
    session.execute(
        UPSERT_PEOPLE,
        {
            "now": ports.now(),
            "ids": ids,
            "names": [
                seals.seal(row.name, place=Person.name_place(row_id))
                for row_id, row in zip(ids, one_each.values(), strict=True)
            ],
            "name_indexes": [name_indexes[row.name] for row in one_each.values()],
            "name_masks": [mask_name(row.name) for row in one_each.values()],
            "id_numbers": [
                seals.seal(number, place=Person.id_number_place(row_id)) for row_id, number in zip(ids, one_each, strict=True)
            ],
            "id_indexes": list(id_indexes.values()),
            "id_masks": [row.id_number_masked for row in one_each.values()],
        },
    )
    held = {bytes(row.id_number_index): row for row in session.execute(PEOPLE, {"id_indexes": list(id_indexes.values())})}
    return {
        (row.id_number, row.name): held[id_indexes[row.id_number]].id
        for row in rows
        if seals.same(bytes(held[id_indexes[row.id_number]].name_index), name_indexes[row.name])
    }


def _store_enrollments(
    session: Session, wanted: dict[Key, FeedRow], held: dict[Key, Any], *, this_month: YearMonth, now: datetime
) -> list[bool]:
    """Whether each touched enrolment is new. Unpaid months that a changed one no longer covers are owed no longer."""
    rows = list(wanted.values())
    other_tiers = changing_tiers(session, [_said(key, row) for key, row in wanted.items()], now=now)
    touched = session.execute(
        UPSERT_ENROLLMENTS,
        {
            "now": now,
            "people": [person for person, _, _ in wanted],
            "regions": [row.region for row in rows],
            "areas": [row.pooling_area for row in rows],
            "insurances": [row.insurance_type for row in rows],
            "plans": [row.tier_plan for row in rows],
            "tiers": [row.tier for row in rows],
            "wages": [row.declared_wage_fen for row in rows],
            "states": [str(row.state) for row in rows],
            "starts": [row.start_month for row in rows],
            "ends": [row.end_month for row in rows],
            "agencies": [row.agency for row in rows],
            "months_elsewhere": [row.months_elsewhere for row in rows],
        },
    ).all()
    begin_said_tiers(session, other_tiers, from_month=this_month, now=now)
    changed = [row.id for row in touched if not row.added]
    if changed:
        note_moves(session, wanted, held, now=now)
        void_uncovered(session, enrollment_ids=changed, who="enrollment_feed", now=now)
    return [row.added for row in touched]


def _said(key: Key, row: FeedRow) -> Said:
    person_id, insurance_type, pooling_area = key
    return Said(
        person_id=person_id,
        insurance_type=insurance_type,
        pooling_area=pooling_area,
        tier_plan=row.tier_plan,
        tier=row.tier,
        declared_wage_fen=row.declared_wage_fen,
    )
