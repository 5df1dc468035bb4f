"""Forms: only what the region needs, with what is known filled in and masked; and a refusal before anybody fills in one for nothing."""

from __future__ import annotations

import pytest

from config.rulebook import ApplicationKind, FieldType, Submission
from services.application_forms import read_form
from services.errors import NotAvailableOnline, RegionMismatch
from tests.applying import HRSS_APP, HRSS_WECHAT, a_worker, an_applicant, in_xinjiang

NEW, RESUME, SUSPEND = ApplicationKind.NEW_ENROLLMENT, ApplicationKind.RESUMPTION, ApplicationKind.SUSPENSION


def form(ports, account, kind=NEW, **more):
    return read_form(ports, account=account, kind=kind, region_code=None, **more)


def fields(view):
    return {each.key: each for step in view.steps for each in step.fields}


def test_changzhous_form_has_the_sources_order_insurances_and_papers(world, ports):
    view = form(ports, an_applicant(world))

    assert (view.submission, view.submit_label) == (Submission.UPLOAD_CHECK_SUBMIT, "提交申报")
    assert [(step.step, step.asks_insurances) for step in view.steps] == [("BASIC", False), ("INSURANCES", True)]
    pension, medical = view.insurances
    assert [tier.label for tier in pension.tiers] == ["一档", "二档", "三档", "四档", "五档"]
    assert [tier.label for tier in medical.tiers] == ["第五档"]
    assert pension.may_be_declined
    assert medical.may_be_declined
    assert view.document_sets == [
        ["ID_FRONT", "ID_BACK", "HUKOU_FIRST_PAGE", "HUKOU_SELF_PAGE"],
        ["ID_FRONT", "ID_BACK", "RESIDENCE_PERMIT"],
    ]
    assert [(each["purpose"], each["given"]) for each in view.consents] == [("ENROLLMENT", True), ("DOCUMENTS", True)]
    assert not {"card_number", "bank_category", "change_reason"} & fields(view).keys()


def test_the_three_forms_of_employment_are_the_sources(world, ports):
    told = fields(form(ports, an_applicant(world)))["employment_form"]

    assert [(each.value, each.label) for each in told.options] == [
        ("PART_TIME", "非全日制"),
        ("TEMPORARY", "临时性"),
        ("FLEXIBLE", "弹性工作"),
    ]
    assert "灵活就业" in told.help


def test_who_one_is_comes_filled_in_masked_and_cannot_be_typed(world, ports):
    person = a_worker(world, born="19920315", female=True)
    told = fields(form(ports, an_applicant(world, person)))

    assert {key: told[key].value for key in ("name", "id_number", "sex", "birth_date")} == {
        "name": person.name_masked,
        "id_number": person.id_number_masked,
        "sex": "女",
        "birth_date": "1992年**月**日",
    }
    assert all(
        told[key].read_only and told[key].type == FieldType.IDENTITY for key in ("name", "id_number", "sex", "birth_date")
    )
    assert world.rows("SELECT purpose, columns FROM personal_data_accesses") == [("application_form", "id_number")]


def test_choosing_the_insurance_brings_its_bank_fields_and_tiers(world, ports):
    """R-XJ-15: and nothing of them before, but what they depend on."""
    account = in_xinjiang(world)
    before, chosen = fields(form(ports, account)), form(ports, account, insurance_type="110")

    assert before["card_number"].depends_on == {"key": "insurance_type", "values": ["110"]}
    assert before["card_number"].consent == "BANK_ACCOUNT"
    assert {"bank_category", "account_holder", "card_number"} <= fields(chosen).keys()
    (pension,) = chosen.insurances
    assert pension.allow_declared_wage
    assert (pension.floor_fen, pension.ceiling_fen) == (524_600, 2_623_100)
    assert chosen.submission == Submission.SAVE_SUBMITS


def test_resumption_shows_what_one_is_insured_in_and_asks_for_no_papers(world, ports):
    person = a_worker(world)
    world.enrollment(person, region="650000", state="SUSPENDED", end_month=202606)
    view = form(ports, in_xinjiang(world, person), RESUME)

    assert [(each.state, each.end_month, each.fits, each.pooling_area_name) for each in view.current] == [
        ("SUSPENDED", "2026-06", True, "天山区")
    ]
    assert (view.documents, view.document_sets) == ([], [])
    assert next(option.label for option in fields(view)["bank_category"].options) == "中国工商银行"


def test_suspension_offers_reasons_and_months_around_this_one(world, ports):
    person = a_worker(world)
    world.enrollment(person, region="650000")
    view = form(ports, in_xinjiang(world, person), SUSPEND)

    assert [each.value for each in fields(view)["change_reason"].options] == [
        "EMPLOYED",
        "6300",
        "6302",
        "6303",
        "6304",
        "6399",
    ]
    assert (view.first_month, view.default_month, view.last_month) == ("2026-08", "2026-11", "2026-12")
    assert fields(view)["effective_month"].value == "2026-11"
    assert view.insurances[0].tiers == []


def test_the_wrong_region_is_told_before_the_form(world, ports):
    person = a_worker(world)
    world.enrollment(person)
    with pytest.raises(RegionMismatch) as refusal:
        form(ports, world.account(person, miniprogram=HRSS_WECHAT), SUSPEND)
    assert refusal.value.facts["right_region_name"] == "常州市"


def test_what_the_phone_does_not_do_here_names_the_persons_own_window(world, ports):
    person = a_worker(world)
    world.enrollment(person, agency="LIYANG")
    with pytest.raises(NotAvailableOnline) as refusal:
        form(ports, world.account(person, miniprogram=HRSS_APP), SUSPEND)
    assert refusal.value.facts["counter"]["name"] == "溧阳市劳动就业管理机构窗口"


def test_the_corps_areas_are_in_the_list_and_marked_as_handled_elsewhere(world, ports):
    account = in_xinjiang(world)
    options = {each.value: each.elsewhere for each in fields(form(ports, account))["pooling_area"].options}

    assert (options["650102"], options["659001"]) == (False, True)
    with pytest.raises(NotAvailableOnline) as refusal:
        form(ports, account, pooling_area="659001")
    assert "兵团" in refusal.value.said
