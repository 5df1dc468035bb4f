"""The retirement outlook: one's own, by the rules of one's region, with what we know was paid and what we cannot know."""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from config.rulebook import Rulebook, load_rulebook
from config.rulebook_rows import EligibilityRule, MinimumContribution
from models.identity import CounterDocument
from services.errors import ConsentRequired, FaceCheckRequired
from services.people import kept_number, parse_document_number
from services.retirement_outlook import Paid, outlook, read_outlook
from tests.factories import ALIPAY, WECHAT, XINJIANG, an_id_number

TODAY = date(2026, 11, 21)
BOOK = load_rulebook()
NOTHING = Paid(paid_months=0, tax_confirmed_months=0, posted_months=0, first_month=None, last_month=None)


def who(world, born: str, *, female: bool = False, miniprogram: str = WECHAT):
    number = an_id_number(7, born=born, female=female)
    return world.account(world.person(id_number=number), miniprogram=miniprogram)


def pay(world, person, enrollment, *months: str) -> None:
    """Somebody else pays these months; in Xinjiang those of one year may be paid together."""
    miniprogram = XINJIANG if enrollment.region == "650000" else WECHAT
    payer, entry = world.payer_for(person, miniprogram=miniprogram)
    view = world.order_for(payer, entry, world.bills(enrollment, *months))
    assert world.hear(world.paid_news(view, notice=view.payment_no), miniprogram=miniprogram)
    world.settle()


def move(world, month: int, state: str) -> None:
    """What became of the pension's month."""
    with world.ports.begin() as session:
        session.execute(
            text("UPDATE contribution_records SET state = :state WHERE coverage_month = :month AND insurance_type = '110'"),
            {"state": state, "month": month},
        )


# Whose, and when


def test_a_man_sees_his_month_his_choice_and_what_must_be_paid_until_then(world, ports):
    told = read_outlook(ports, account=who(world, "19670512"))

    (track,) = told.tracks
    assert (track.track, track.title, track.is_default) == ("M60", "男职工（原法定退休年龄60周岁）", True)
    assert (track.statutory_month, track.age_years, track.age_months, track.delay_months) == ("2028-01", 60, 8, 8)
    assert (track.is_reached, track.months_left) == (False, 14)
    assert (track.minimum_months, track.shortfall_months) == (180, 180)
    assert asdict(track.choice) == {
        "earliest_month": "2027-05",
        "earliest_minimum_months": 180,
        "earliest_to_confirm": False,
        "latest_month": "2031-01",
        "latest_to_confirm": True,
    }
    assert (told.on, told.region, told.rule_id) == (TODAY, "320400", "national-statutory-ages")


def test_a_woman_sees_both_tracks_and_why(world, ports):
    told = read_outlook(ports, account=who(world, "19760101", female=True))

    assert [(each.track, each.is_default, each.statutory_month, each.is_reached) for each in told.tracks] == [
        ("F55", True, "2032-08", False),
        ("F50", False, "2026-08", True),
    ]
    assert [each.minimum_months for each in told.tracks] == [198, 180]
    assert [each.months_left for each in told.tracks] == [69, 0]
    (note,) = [note for note in told.notes if "身份证号码看不出来" in note]
    assert "55周岁和50周岁两种" in note


def test_an_early_choice_asks_for_the_months_of_its_own_year(world, ports):
    """Born on 1 January 1977: on F55 at 56 years 10 months in November 2033, or from 55 in January 2032, with a year less to have paid."""
    (track, _) = read_outlook(ports, account=who(world, "19770101", female=True)).tracks

    assert (track.statutory_month, track.minimum_months) == ("2033-11", 204)
    assert (track.choice.earliest_month, track.choice.earliest_minimum_months) == ("2032-01", 198)


def test_whoever_was_of_age_long_ago_has_no_choice_and_no_minimum_that_was_made_up(world, ports):
    (track,) = read_outlook(ports, account=who(world, "19450101")).tracks

    assert (track.statutory_month, track.is_reached, track.months_left) == ("2005-01", True, 0)
    assert (track.minimum_months, track.shortfall_months, track.choice) == (None, None, None)


def test_the_day_itself_counts(world, ports, clock):
    account = who(world, "19660622")

    assert not read_outlook(ports, account=account).tracks[0].is_reached
    clock.set(datetime(2026, 11, 21, 16, 0, tzinfo=UTC))  # midnight in Beijing
    assert read_outlook(ports, account=account).tracks[0].is_reached


def test_the_notes_say_what_is_not_known_here_and_who_decides(world, ports):
    told = read_outlook(ports, account=who(world, "19900101"))

    said = "".join(told.notes)
    for words in ("以人社部门核定为准", "12333", "其他地区", "单位缴纳", "这里查不到", "灵活就业人员能否选择，以当地公布为准"):
        assert words in said
    assert told.hotline.number == "12333"


def test_every_figure_has_its_source_and_how_well_it_is_known(world, ports):
    told = read_outlook(ports, account=who(world, "19900101"))

    assert [(each.what, each.status) for each in told.sources] == [
        ("法定退休年龄", "DERIVED"),
        ("弹性提前退休", "DERIVED"),
        ("弹性延迟退休", "TO_CONFIRM"),
        ("最低缴费年限", "VERIFIED"),
    ]
    assert "人社部发〔2024〕94号" in told.sources[1].source
    assert not any("[" in each.source for each in told.sources)


# What was paid


def test_months_are_counted_once_and_by_how_far_they_came(world, ports):
    person, other = world.person(), world.person()
    pay(world, person, world.enrollment(person, region="650000"), "2026-08", "2026-09", "2026-10", "2026-11")
    pay(world, person, world.enrollment(person, insurance_type="310"), "2026-11")
    pay(world, other, world.enrollment(other, region="650000"), "2026-07")
    for month, state in ((202608, "POSTED"), (202609, "TAX_CONFIRMED"), (202611, "REVERSED")):
        move(world, month, state)

    told = read_outlook(ports, account=world.account(person))

    assert asdict(told.contributions) == {
        "paid_months": 3,
        "tax_confirmed_months": 2,
        "posted_months": 1,
        "first_month": "2026-08",
        "last_month": "2026-10",
        "months_elsewhere": None,
    }
    (track,) = told.tracks
    assert track.shortfall_months == track.minimum_months - 3


def test_years_with_an_employer_and_years_paid_here_add_up_and_the_parts_are_told(world, ports):
    person = world.person(id_number=an_id_number(7, born="19670512"))
    pay(world, person, world.enrollment(person, region="650000"), "2026-09", "2026-10")
    account = world.account(person, miniprogram=XINJIANG)
    with ports.begin() as session:
        session.execute(text("UPDATE enrollments SET months_elsewhere = 118 WHERE insurance_type = '110'"))

    told = read_outlook(ports, account=account)

    assert (told.contributions.paid_months, told.contributions.months_elsewhere, told.contributions.total_months) == (
        2,
        118,
        120,
    )
    assert told.tracks[0].shortfall_months == 180 - 120
    (note,) = [note for note in told.notes if "合计" in note]
    assert "合计120个月，其中经本系统缴纳2个月" in note
    assert "由单位缴纳、在其他渠道或其他地区缴纳的118个月" in note
    assert not any("没有计入" in each for each in told.notes)


def test_of_an_employers_years_that_the_registrar_has_not_told_it_is_said_that_they_are_not_in_it(world, ports):
    told = read_outlook(ports, account=who(world, "19670512"))

    assert (told.contributions.months_elsewhere, told.contributions.total_months) == (None, 0)
    assert any("由单位缴纳的" in each and "没有计入" in each for each in told.notes)


def test_a_difference_that_was_paid_later_is_no_month_of_its_own(world, ports):
    person = world.person()
    pay(world, person, world.enrollment(person, region="650000"), "2026-10", "2026-11")
    with ports.begin() as session:
        session.execute(text("UPDATE contribution_records SET kind = 'SUPPLEMENT' WHERE coverage_month = 202610"))

    assert read_outlook(ports, account=world.account(person)).contributions.paid_months == 1


def test_the_same_month_in_two_areas_is_one_month(world, ports):
    person = world.person()
    for area in ("320402", "320404"):
        pay(world, person, world.enrollment(person, pooling_area=area), "2026-11")

    assert world.scalar("SELECT count(*) FROM contribution_records") == 2
    assert read_outlook(ports, account=world.account(person)).contributions.paid_months == 1


def test_whoever_has_paid_nothing_is_told_zero(world, ports):
    assert read_outlook(ports, account=world.account()).contributions == NOTHING


# Who may ask


def test_an_account_that_nobody_is_verified_at_has_no_outlook(world, ports):
    with pytest.raises(FaceCheckRequired):
        read_outlook(ports, account=world.account(verified=False))
    assert world.scalar("SELECT count(*) FROM personal_data_accesses") == 0


def test_whoever_took_the_consent_back_is_looked_at_no_more(world, ports):
    from services.consent_withdrawals import withdraw_consent

    account = world.account()
    (consent,) = world.agree(account, "REAL_NAME")
    withdraw_consent(ports, account=account, consent_id=consent.id)

    with pytest.raises(ConsentRequired):
        read_outlook(ports, account=account)
    assert world.scalar("SELECT count(*) FROM personal_data_accesses WHERE purpose = 'retirement_outlook'") == 0


def test_opening_the_number_leaves_its_row_and_nothing_of_it_is_told(world, ports):
    person = world.person(id_number=an_id_number(7, born="19670512"))
    account = world.account(person)

    told = read_outlook(ports, account=account)

    assert world.rows("SELECT subject_table, subject_id, columns, purpose, who FROM personal_data_accesses") == [
        ("persons", person.id, "id_number", "retirement_outlook", f"account:{account.id}")
    ]
    assert told.name_masked == "张**"
    assert "19670512" not in repr(told)
    assert "张三丰" not in repr(told)


@pytest.mark.parametrize(("miniprogram", "region"), [(WECHAT, "320400"), (ALIPAY, "320400"), (XINJIANG, "650000")])
def test_the_rules_are_those_of_the_mini_programs_region(world, ports, miniprogram, region):
    person = world.person()
    world.enrollment(person, region="650000")

    assert read_outlook(ports, account=world.account(person, miniprogram=miniprogram)).region == region


def test_of_several_regions_the_one_where_the_pension_is_paid_gives_the_rules(world, ports):
    partners = ports.partners
    both = partners.miniprograms[WECHAT].model_copy(update={"regions": ("320400", "650000")})
    ports = replace(ports, partners=partners.model_copy(update={"miniprograms": {**partners.miniprograms, WECHAT: both}}))
    person, stranger = world.person(), world.person()
    world.enrollment(person, region="650000")
    world.enrollment(person, region="320400", state="SUSPENDED")

    assert read_outlook(ports, account=world.account(person)).region == "650000"
    assert read_outlook(ports, account=world.account(stranger)).region == "320400"


# Documents and rules of other kinds


def test_a_card_that_does_not_tell_the_sex_is_answered_with_every_track():
    number = kept_number("KAZ110090123105", today=TODAY)

    told = outlook(BOOK.region("320400"), number, name_masked="J**", paid=NOTHING, today=TODAY)

    assert [each.track for each in told.tracks] == ["M60", "F55", "F50"]
    assert any("看不出性别" in note for note in told.notes)


@pytest.mark.parametrize(
    ("number", "document"),
    [
        ("320402199001010017", "ID_CARD"),
        ("810000199001010019", "HMT_RESIDENCE_PERMIT"),
        ("911840199001010018", "FOREIGN_PERMANENT_RESIDENT_CARD"),
        ("KAZ110090123105", "FOREIGN_PERMANENT_RESIDENT_CARD"),
    ],
)
def test_every_number_that_a_counter_takes_in_can_be_read_again(number, document):
    taken = parse_document_number(number, document=CounterDocument(document), today=TODAY)

    assert kept_number(taken.text, today=TODAY) == taken


def without(shape, region):
    above = None if region.parent is None else without(shape, region.parent)
    return replace(region, parent=above, rows={**region.rows, shape: ()})


def test_where_no_rule_is_in_force_there_is_a_note_and_no_guess(world, ports):
    region = without(EligibilityRule, BOOK.region("320400"))
    ports = replace(ports, rulebook=Rulebook({**BOOK.regions, "320400": region}))

    told = read_outlook(ports, account=who(world, "19900101"))

    assert (told.tracks, told.sources, told.rule_id) == ([], [], None)
    assert told.notes == ["目前没有可供测算的退休年龄规定，以当地公布为准，咨询电话12333。"]


def test_before_2025_there_is_nothing_to_reckon_by():
    number = kept_number("320402199001010017", today=TODAY)

    assert outlook(BOOK.region("320400"), number, name_masked="张*", paid=NOTHING, today=date(2024, 12, 31)).tracks == []


def test_without_a_minimum_there_is_no_shortfall():
    number = kept_number("320402199001010017", today=TODAY)
    region = without(MinimumContribution, BOOK.region("320400"))

    (track,) = outlook(region, number, name_masked="张*", paid=NOTHING, today=TODAY).tracks

    assert (track.minimum_months, track.shortfall_months, track.choice.earliest_minimum_months) == (None, None, None)


@given(
    born=st.dates(date(1900, 1, 1), TODAY),
    female=st.booleans(),
    paid=st.integers(0, 600),
    today=st.dates(TODAY, date(2080, 1, 1)),
)
def test_whoever_asks_on_whatever_day_the_answer_hangs_together(born, female, paid, today):
    number = kept_number(an_id_number(3, born=f"{born:%Y%m%d}", female=female), today=TODAY)
    count = replace(NOTHING, paid_months=paid)

    told = outlook(BOOK.region("650000"), number, name_masked="张*", paid=count, today=today)

    assert [each.track for each in told.tracks] == (["F55", "F50"] if female else ["M60"])
    assert told.tracks[0].is_default
    for each in told.tracks:
        assert 0 <= each.age_months < 12
        assert each.months_left >= 0
        assert not (each.is_reached and each.months_left)
        assert each.shortfall_months is None or 0 <= each.shortfall_months <= each.minimum_months
        assert each.choice is None or each.choice.earliest_month <= each.statutory_month <= each.choice.latest_month
