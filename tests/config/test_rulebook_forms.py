"""Forms are data: a region's own copy is changed line by line, and what cannot be drawn is told with file, key and example."""

import shutil
from dataclasses import replace
from datetime import date

import pytest

from config.rulebook import (
    SHIPPED_REGIONS,
    ApplicationForm,
    ApplicationKind,
    NoRuleInForce,
    RulebookFault,
    Submission,
    load_rulebook,
)

TODAY = date(2026, 11, 21)
NEW = ApplicationKind.NEW_ENROLLMENT


@pytest.fixture
def regions(tmp_path):
    shutil.copytree(SHIPPED_REGIONS, tmp_path / "regions")
    return tmp_path / "regions"


def change(regions, name, old, new):
    path = regions / name
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def faults(regions):
    with pytest.raises(RulebookFault) as refused:
        load_rulebook(regions)
    return list(refused.value.faults)


CHANGZHOU, XINJIANG, CHINA = (
    "320400-changzhou/application_forms.yaml",
    "650000-xinjiang/application_forms.yaml",
    "100000-china/application_fields.yaml",
)


def test_how_an_application_is_submitted_is_the_regions_own_word(rulebook):
    assert rulebook.region("320400").application_form(NEW, TODAY).submission is Submission.UPLOAD_CHECK_SUBMIT
    for kind in ApplicationKind:
        assert rulebook.region("650000").application_form(kind, TODAY).submission is Submission.SAVE_SUBMITS


def test_every_field_of_every_form_is_defined_and_labelled(rulebook):
    for region in rulebook.regions.values():
        for form in region.own(ApplicationForm):
            assert all(region.application_field(each.key, TODAY).label for each in form.fields)


def test_a_region_without_a_form_says_so(rulebook):
    with pytest.raises(NoRuleInForce, match="SUSPENSION"):
        rulebook.region("320400").application_form(ApplicationKind.SUSPENSION, TODAY)


def test_a_form_of_a_later_day_asks_from_that_day_on(rulebook):
    region = rulebook.region("320400")
    form = region.application_form(NEW, TODAY)
    first = form.model_copy(update={"effective_to": date(2026, 12, 31)})
    then = form.model_copy(update={"effective_from": date(2027, 1, 1), "submit_label": "提交"})
    changed = replace(region, rows={**region.rows, ApplicationForm: (first, then)})

    assert [changed.application_form(NEW, day).submit_label for day in (date(2026, 12, 31), date(2027, 1, 1))] == [
        "提交申报",
        "提交",
    ]


@pytest.mark.parametrize(
    ("name", "old", "new", "told"),
    [
        (CHANGZHOU, "{key: mobile}", "{key: phone_number}", "no application field has the key phone_number"),
        ("100000-china/documents.yaml", "shows: [hukou_kind,", "shows: [hukou_sort,", "no application field has the key hukou_sort"),
        (CHANGZHOU, "{key: mobile}", "{key: name}", "name is asked for twice"),
        (CHANGZHOU, "        asks_insurances: true\n", "", "insurances are chosen in exactly one step"),
        (CHANGZHOU, "UPLOAD_CHECK_SUBMIT", "BY_POST", "such as submission: SAVE_SUBMITS"),
        (XINJIANG, "key: insurance_type", "key: card_number", "depends on card_number, which is not asked for before it"),
        (XINJIANG, "{earliest: -3,", "{earliest: 3,", "such as earliest: 0"),
        (CHINA, "type: TEXT, longest: 100", "type: TEXT", "such as longest: 100"),
        (CHINA, "    options_from: BANKS\n", "", "such as options_from: BANKS"),
        (CHINA, "type: PHONE", "type: TELEX", "such as type: TEXT"),
        ("650000-xinjiang/change_reasons.yaml", 'code: "6303"', "code: 6303", "put it in quotes"),
        ("650000-xinjiang/resident_schemes.yaml", "title: 城乡居民基本医疗保险}", "title: 城乡居民基本医疗保险, counter: MOON}", "MOON is no agency"),
    ],
)  # fmt: skip
def test_what_cannot_be_drawn_is_told_with_an_example(regions, name, old, new, told):
    change(regions, name, old, new)

    assert any(name.split("/", 1)[1] in fault and told in fault for fault in faults(regions)), faults(regions)


# Forms to print.

PRINTED = "320400-changzhou/printed_forms.yaml"


def test_a_region_says_which_form_may_be_printed_and_what_is_read_before(rulebook):
    form = rulebook.region("320400").printed_form(NEW, TODAY)

    assert form.title == "常州市劳动事务代理申请登记表"
    assert form.notice == "AGENCY_CLIENT"
    assert [field.key for field in form.fields][:3] == ["name", "sex", "birth_date"]
    for code, kind in (("320400", ApplicationKind.SUSPENSION), ("650000", NEW)):
        with pytest.raises(NoRuleInForce):
            rulebook.region(code).printed_form(kind, TODAY)


def test_whatever_is_printed_of_a_form_was_asked_for_in_it(rulebook):
    region = rulebook.region("320400")

    assert {each.key for each in region.printed_form(NEW, TODAY).fields} <= {
        each.key for each in region.application_form(NEW, TODAY).fields
    }


def test_a_printed_field_has_to_be_defined(regions):
    change(regions, PRINTED, "{key: mobile}", "{key: shoe_size}")

    assert faults(regions) == [
        (
            "regions/320400-changzhou/printed_forms.yaml: printed_forms[NEW_ENROLLMENT].sections: no application field has the key shoe_size; "
            "name one that exists, such as account_holder"
        )
    ]


def test_a_field_is_printed_once(regions):
    change(regions, PRINTED, "{key: mobile}", "{key: name}")

    (fault,) = faults(regions)
    assert "name is printed twice" in fault


def test_the_text_to_read_before_has_to_be_there(regions):
    change(regions, "320400-changzhou/notices.yaml", "purpose: AGENCY_CLIENT", "purpose: PHONE")

    (fault,) = faults(regions)
    assert fault.startswith(
        "regions/320400-changzhou/printed_forms.yaml: printed_forms[NEW_ENROLLMENT].notice: no notice has the purpose AGENCY_CLIENT"
    )


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("content: INSURANCES", "content: FIELDS"),
        ("content: INSURANCES", "content: INSURANCES\n        text: 好"),
        ("content: SIGNATURES", "content: TEXT"),
        ("content: TEXT", "content: DOCUMENTS"),
    ],
)
def test_a_section_has_what_it_shows_and_nothing_else(regions, old, new):
    change(regions, PRINTED, old, new)

    (fault,) = faults(regions)
    assert "write what belongs to it and nothing else, such as content: INSURANCES" in fault


def test_whoever_may_print_has_something_to_print(regions):
    (regions / PRINTED).unlink()

    assert faults(regions) == [
        (
            "regions/320400-changzhou/capabilities.yaml: capabilities[PRINT_REGISTRATION_FORM].available: there is no form to print; "
            "add printed_forms.yaml, or say no, such as available: false"
        )
    ]


def test_another_layout_is_yaml_alone(regions):
    path = regions / PRINTED
    path.write_text(path.read_text(encoding="utf-8").replace("label: 申请人（签名）", "label: 本人签字"), encoding="utf-8")

    form = load_rulebook(regions).region("320400").printed_form(NEW, TODAY)

    assert form.sections[-1].signatures[0].label == "本人签字"
