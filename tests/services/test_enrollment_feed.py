"""The registrar's feed: every row for itself, the same file twice changes nothing, and a file that makes no sense says why."""

from __future__ import annotations

import itertools
import time
from dataclasses import replace

import pytest

from services.enrollment_feed import BadRow, FeedRefused, import_enrollments
from services.errors import IdNumberMalformed
from services.insured_persons import Named, add_insured_person, list_insured_persons
from tests.factories import an_id_number

HEADER = "AAC002,AAC003,AAE140,AAB301,AAC031,AAE030"
FULL = HEADER + ",AAE031,AAE180,AAB034,TIER,TIER_PLAN"
GOOD = "320402199001010017,张三丰,110,320402,1,202601,,,WUJIN,3,"
_files = itertools.count()


@pytest.fixture
def feed(ports, tmp_path):
    def give(*rows, header=FULL, encoding="utf-8"):
        path = tmp_path / f"feed-{next(_files)}.csv"
        path.write_bytes("\n".join([header, *rows, ""]).encode(encoding))
        return import_enrollments(ports, path)

    return give


def enrolments(world):
    return world.rows(
        "SELECT p.name_masked, e.insurance_type, e.region, e.pooling_area, e.state, e.start_month, e.end_month, e.tier,"
        " e.declared_wage_fen, e.agency FROM enrollments e JOIN persons p ON p.id = e.person_id ORDER BY e.id"
    )


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_a_row_goes_in_whatever_the_file_is_encoded_in(feed, world, encoding):
    report = feed(GOOD.replace("张三丰", "古丽巴哈尔•买买提"), encoding=encoding)

    assert (report.added, report.changed, report.unchanged, report.bad) == (1, 0, 0, [])
    assert enrolments(world) == [("古丽**", "110", "320400", "320402", "ACTIVE", 202601, None, "3", None, "WUJIN")]


def test_rare_characters_survive_gb18030(feed, world, ports):
    from models.people import Person

    feed(GOOD.replace("张三丰", "\U00020bb7野家"), encoding="gb18030")

    ((row_id, sealed),) = world.rows("SELECT id, name_sealed FROM persons")
    assert ports.seals.open(sealed, place=Person.name_place(row_id)) == "\U00020bb7野家"


def test_names_and_numbers_are_sealed_at_rest(feed, world):
    feed(GOOD)

    kept = b"".join(
        bytes(column)
        for row in world.rows("SELECT name_sealed, id_number_sealed, id_number_index FROM persons")
        for column in row
    )
    assert "张三丰".encode() not in kept
    assert b"320402199001010017" not in kept


BAD_ROWS = [
    ("320402199001010018,张三丰,110,320402,1,202601,,,,3,", "AAC002: 身份证号码的校验位不对"),
    ("320402900101001,张三丰,110,320402,1,202601,,,,3,", "AAC002: 第一代"),
    ("320402199001010017,张三1,110,320402,1,202601,,,,3,", "AAC003: "),
    ("320402199001010017,,110,320402,1,202601,,,,3,", "AAC003: "),
    ("320402199001010017,张三丰,110,110101,1,202601,,,,3,", "AAB301: no rulebook knows the pooling area '110101'"),
    ("320402199001010017,张三丰,999,320402,1,202601,,,,3,", "AAE140: 常州市 has no insurance '999'"),
    ("320402199001010017,张三丰,110,320402,9,202601,,,,3,", "AAC031: '9' is not one of 1, 2, 3"),
    ("320402199001010017,张三丰,110,320402,1,,,,,3,", "AAE030: the first month is missing"),
    ("320402199001010017,张三丰,110,320402,1,202613,,,,3,", "AAE030: '202613' is not a month"),
    ("320402199001010017,张三丰,110,320402,1,2026年1月,,,,3,", "AAE030: '2026年1月' is not a month"),
    ("320402199001010017,张三丰,110,320402,1,202601,202512,,,3,", "AAE031: 202512 lies before AAE030 202601"),
    ("320402199001010017,张三丰,110,320402,1,202601,,,,,", "TIER, AAE180: one of the two is needed"),
    ("320402199001010017,张三丰,110,320402,1,202601,,六千,,,", "AAE180: '六千' is not an amount in yuan"),
    (
        "320402199001010017,张三丰,110,320402,1,202601,,6000.005,,,",
        "AAE180: '6000.005' is not an amount in yuan with two decimals",
    ),
    ("320402199001010017,张三丰,110,320402,1,202601,,-1,,,", "AAE180: '-1' is not"),
    ("320402199001010017,张三丰,110,320402,1,202601,,NaN,,,", "AAE180: 'NaN' is not"),
    ("320402199001010017,张三丰,110,320402,1,202601,,Infinity,,,", "AAE180: 'Infinity' is not"),
    ("320402199001010017,张三丰,110,320402,1,202601,,,,3,no-such-plan", "TIER_PLAN: 常州市 has no plan 'no-such-plan'"),
    ("320402199001010017,张三丰,110,320402,1,202601", "6 values for 11 columns"),
    ("320402199001010017,张三丰,110,320402,1,202601,,,,3,,,,", "14 values for 11 columns"),
]


@pytest.mark.parametrize(("row", "reason"), BAD_ROWS)
def test_a_bad_row_is_told_by_its_line_and_the_others_go_in(feed, world, row, reason):
    other = f"{an_id_number(7)},李四,110,320402,1,202601,,,,3,"

    report = feed(other, row, f"{an_id_number(8)},王五,110,320402,1,202601,,,,4,")

    assert report.added == 2
    assert [bad.line for bad in report.bad] == [3]
    assert report.bad[0].reason.startswith(reason)
    assert "320402199001010017" not in report.bad[0].reason
    assert world.scalar("SELECT count(*) FROM enrollments") == 2


def test_the_same_file_twice_changes_nothing(feed, world):
    rows = [GOOD, f"{an_id_number(7)},李四,310,320402,1,202601,,,,5,"]
    feed(*rows)
    before = world.rows("SELECT * FROM enrollments ORDER BY id"), world.rows("SELECT * FROM persons ORDER BY id")

    report = feed(*rows)

    assert (report.added, report.changed, report.unchanged) == (0, 0, 2)
    assert (world.rows("SELECT * FROM enrollments ORDER BY id"), world.rows("SELECT * FROM persons ORDER BY id")) == before


@pytest.mark.parametrize(
    ("row", "column", "now"),
    [
        (GOOD.replace(",1,202601", ",2,202601"), "state", "SUSPENDED"),
        (GOOD.replace(",1,202601", ",3,202601"), "state", "TERMINATED"),
        (GOOD.replace("WUJIN,3", "WUJIN,4"), "tier", "4"),
        (GOOD.replace("202601,,", "202601,202701,"), "end_month", 202701),
        (GOOD.replace("202601,,,", "202601,,6000.5,"), "declared_wage_fen", 600_050),
        (GOOD.replace("WUJIN", "LIYANG"), "agency", "LIYANG"),
        (GOOD.replace("WUJIN", ""), "agency", None),
        (GOOD + "jiangsu-2025-twelve-tiers", "tier_plan", "jiangsu-2025-twelve-tiers"),
    ],
)
def test_a_changed_row_changes_its_enrolment(feed, world, row, column, now):
    feed(GOOD)

    report = feed(row)

    assert (report.added, report.changed, report.unchanged) == (0, 1, 0)
    assert world.rows(f"SELECT {column} FROM enrollments") == [(now,)]  # noqa: S608 - our own words


def test_whoever_proved_an_old_foreign_card_at_a_counter_is_enrolled_and_paid_for_by_the_same_number(feed, world, ports):
    assert (
        feed(
            "KAZ110090123105,AIGERIM SAPAR,110,320402,1,202601,,,,3,",
            "ｋａｚ110090123106,AIGERIM SAPAR,110,320402,1,202601,,,,3,",
        ).added
        == 1
    )
    payer = world.account()
    world.agree(payer, "PROXY_PAYMENT")
    named = Named(name="AIGERIM SAPAR", id_number="kaz1100 9012 3105")

    found = add_insured_person(ports, account=payer, named=named, relation=None, keep=True)

    assert list_insured_persons(ports, account=payer)[1].person.id_number_masked == "KAZ********3105"
    assert world.scalar("SELECT person_id FROM enrollments") == found.person_id
    with pytest.raises(IdNumberMalformed, match="ID_NUMBER_MALFORMED") as refusal:
        add_insured_person(ports, account=payer, named=replace(named, id_number="KAZ110090123106"), relation=None, keep=True)
    assert "校验位" in refusal.value.said


def test_another_name_for_a_known_number_is_for_a_clerk_and_does_not_go_in(feed, world):
    feed(GOOD)

    report = feed(GOOD.replace("张三丰", "李四").replace("WUJIN,3", "WUJIN,5"))

    assert report.bad == [BadRow(line=2, reason="AAC003: another name is on record for this AAC002; a clerk must decide")]
    assert (report.added, report.changed, report.unchanged) == (0, 0, 0)
    assert enrolments(world)[0][0] == "张**"
    assert enrolments(world)[0][7] == "3"


def test_another_dot_is_the_same_name(feed):
    feed(GOOD.replace("张三丰", "古丽巴哈尔·买买提"))

    report = feed(GOOD.replace("张三丰", "古丽巴哈尔．买买提"))

    assert (report.unchanged, report.bad) == (1, [])


def test_a_name_clash_inside_one_file_keeps_the_row_that_agrees_with_the_record(feed, world):
    feed(GOOD)
    other_insurance = GOOD.replace(",110,", ",310,").replace("WUJIN,3", "WUJIN,5")

    report = feed(other_insurance, GOOD.replace("张三丰", "李四").replace("WUJIN,3", "WUJIN,1"))

    assert [bad.line for bad in report.bad] == [3]
    assert (report.added, report.changed) == (1, 0)
    assert [row[7] for row in enrolments(world)] == ["3", "5"]


def test_two_names_for_a_new_number_in_one_file_go_as_they_would_one_by_one(feed, world):
    report = feed(GOOD, GOOD.replace("张三丰", "李四"))

    assert (report.added, [bad.line for bad in report.bad]) == (1, [3])
    assert [row[0] for row in enrolments(world)] == ["张**"]


def test_the_last_row_about_one_enrolment_wins(feed, world):
    report = feed(GOOD, GOOD.replace("WUJIN,3", "WUJIN,5"))

    assert (report.added, report.unchanged, report.bad) == (1, 1, [])
    assert [row[7] for row in enrolments(world)] == ["5"]


def test_one_person_may_have_two_insurances_and_two_areas(feed, world):
    report = feed(GOOD, GOOD.replace(",110,", ",310,"), GOOD.replace("320402,1", "320411,1"))

    assert report.added == 3
    assert world.scalar("SELECT count(*) FROM persons") == 1


@pytest.mark.parametrize(
    ("header", "said"),
    [
        (HEADER.removesuffix(",AAE030"), "missing: AAE030"),
        (HEADER + ",AAC999", "unknown: AAC999"),
        (HEADER + ",AAC003", "must name each of"),
        ("", "missing: AAC002"),
        ("姓名,身份证", "missing: AAC002"),
        (HEADER.replace(",", ";"), "missing: AAC002"),
    ],
)
def test_a_header_that_makes_no_sense_refuses_the_file(feed, world, header, said):
    with pytest.raises(FeedRefused) as refusal:
        feed(GOOD, header=header)

    assert said in str(refusal.value)
    assert world.scalar("SELECT count(*) FROM persons") == 0


def test_columns_may_come_in_any_order_and_case(feed):
    report = feed("3,1,110,张三丰,202601,320402,320402199001010017", header="tier,aac031,aae140,aac003,aae030,aab301,aac002")

    assert (report.added, report.bad) == (1, [])


def test_a_file_that_is_no_text_is_refused(ports, tmp_path):
    path = tmp_path / "feed.xls"
    path.write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\xff\xff\xff\x80")

    with pytest.raises(FeedRefused, match="neither UTF-8 nor GB18030"):
        import_enrollments(ports, path)


def test_an_empty_file_is_refused_and_blank_lines_are_not_rows(ports, tmp_path, feed):
    path = tmp_path / "feed.csv"
    path.write_bytes(b"")
    with pytest.raises(FeedRefused, match="line 1"):
        import_enrollments(ports, path)

    report = feed("", GOOD, "", " , ,,,,,,,,,")

    assert (report.added, report.bad) == (1, [])


def test_broken_quotes_are_told_with_their_line(feed):
    with pytest.raises(FeedRefused, match="line 3: not CSV"):
        feed(GOOD, '"320402199001010017,张三丰"x,110')


@pytest.mark.slow
def test_five_thousand_rows_go_in_at_once_and_again_change_nothing(feed, world):
    rows = [
        f"{an_id_number(at % 500, born=f'19{60 + at // 500:02d}0101')},张三,110,320402,1,202601,,,,{at % 5 + 1},"
        for at in range(5000)
    ]
    rows[2500] = "bad"

    began = time.monotonic()
    report = feed(*rows)
    again = feed(*rows)

    assert (report.added, [bad.line for bad in report.bad]) == (4999, [2502])
    assert (again.added, again.changed, again.unchanged) == (0, 0, 4999)
    assert world.scalar("SELECT count(*) FROM enrollments") == 4999
    assert time.monotonic() - began < 60


def test_progress_is_told_line_by_line(ports, tmp_path):
    path = tmp_path / "feed.csv"
    path.write_text(f"{FULL}\n{GOOD}\nbad")
    lines = []

    import_enrollments(ports, path, on_progress=lines.append)

    assert lines == [2, 3]


def test_a_month_that_the_enrolment_no_longer_covers_is_owed_no_longer(feed, world):
    person = world.person(name="张三丰", id_number="320402199001010017")
    bills = world.bills(world.enrollment(person, agency="WUJIN"), "2026-10", "2026-11")
    assert [bill.state for bill in bills] == ["UNPAID", "UNPAID"]

    feed(GOOD.replace("202601,,", "202601,202611,"))

    assert world.bill_states() == ["UNPAID", "VOID"]
    assert world.rows("SELECT row_id, from_state, to_state, why, who FROM moves") == [
        (str(bills[1].id), "UNPAID", "VOID", "bill.voided", "enrollment_feed")
    ]


def test_a_month_that_is_being_paid_stays_when_the_enrolment_ends(feed, world):
    person = world.person(name="张三丰", id_number="320402199001010017")
    bills = world.bills(world.enrollment(person, agency="WUJIN"))
    account = world.account(person)
    order = world.order_for(account, world.me_in_list(account), bills)

    feed(GOOD.replace("202601,,", "202601,202611,"))
    world.hear(world.paid_news(order))
    world.settle()

    assert world.bill_states() == ["PAID"]


def test_a_voided_month_is_billed_anew_when_the_registrar_takes_it_back(feed, world):
    person = world.person(name="张三丰", id_number="320402199001010017")
    enrollment = world.enrollment(person, agency="WUJIN")
    world.bills(enrollment)
    feed(GOOD.replace("202601,,", "202601,202611,"))

    feed(GOOD)
    world.bills(enrollment)

    assert sorted(world.bill_states()) == ["UNPAID", "VOID"]


def elsewhere(world):
    return world.scalar("SELECT months_elsewhere FROM enrollments")


def test_months_that_the_registrar_counts_besides_are_kept_until_it_says_otherwise(feed, world):
    more = FULL + ",MONTHS_ELSEWHERE"
    feed(GOOD + ",84", header=more)
    assert elsewhere(world) == 84

    assert feed(GOOD).unchanged == 1
    assert feed(GOOD + ",", header=more).unchanged == 1
    assert elsewhere(world) == 84

    assert feed(GOOD + ",96", header=more).changed == 1
    assert elsewhere(world) == 96
    assert feed(GOOD + ",0", header=more).changed == 1
    assert elsewhere(world) == 0


@pytest.mark.parametrize("given", ["-1", "7.5", "八十", "841", "٨٤", "9" * 400])
def test_a_number_of_months_that_cannot_be_is_told_by_its_line(feed, world, given):
    report = feed(f"{GOOD},{given}", header=FULL + ",MONTHS_ELSEWHERE")

    ((line, reason),) = [(bad.line, bad.reason) for bad in report.bad]
    assert line == 2
    assert reason.startswith("MONTHS_ELSEWHERE: ")
    assert world.scalar("SELECT count(*) FROM enrollments") == 0
