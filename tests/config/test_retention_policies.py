"""The policies: strictly read, told with file, row and a right example; their days are Beijing's; the newest row that has begun counts."""

from __future__ import annotations

from datetime import date, datetime

import pytest

from config.clock import BEIJING
from config.retention import Policy, RetentionFault, load_retention
from models.tables import metadata
from services.retention import APPEND_ONLY, AT_REST, policy_faults

GOOD = {
    "policy": "sms-codes",
    "table": "sms_codes",
    "column": "sent_at",
    "keep_days": 30,
    "legal_ground": "law",
    "source": "source",
    "effective_from": date(2026, 1, 1),
    "status": "CONFIRMED",
}


def policy(**changes) -> Policy:
    return Policy.model_validate({key: value for key, value in {**GOOD, **changes}.items() if value is not None})


def fault_of(tmp_path, *rows) -> str:
    import yaml

    path = tmp_path / "retention.yaml"
    path.write_text(yaml.safe_dump([{key: value for key, value in row.items() if value is not None} for row in rows]))
    with pytest.raises(RetentionFault) as fault:
        load_retention(path)
    return str(fault.value)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"keep_days": None}, "no term; say one of keep_days, keep_months, with_account, for_ever, such as keep_days: 30"),
        ({"keep_months": 6}, "says keep_days and keep_months"),
        ({"keep_days": 0}, "keep_days: 0 will not do, such as keep_days: 30"),
        ({"keep_days": "30"}, "keep_days: '30' will not do, such as keep_days: 30"),
        ({"keep_days": True}, "keep_days: True will not do"),
        ({"column": None}, "no moment that it counts from; add one, such as column: created_at"),
        ({"keep_days": None, "for_ever": True}, "nothing is ever erased; leave out column and erases"),
        ({"keep_days": None, "column": None, "for_ever": False}, "for_ever: False will not do, such as for_ever: true"),
        ({"keeps": 3}, "keeps: is not a key of a policy"),
        ({"legal_ground": None}, "legal_ground: is missing, such as legal_ground: 网络安全法第23条"),
        ({"table": "sms codes; DROP"}, "table: 'sms codes; DROP' will not do, such as table: sms_codes"),
        ({"status": "PERHAPS"}, "status: 'PERHAPS' will not do, such as status: TO_CONFIRM"),
        ({"effective_from": "soon"}, "effective_from: 'soon' will not do, such as effective_from: 2026-11-22"),
    ],
)
def test_a_bad_row_is_told_with_file_row_key_and_a_right_example(tmp_path, changes, said):
    told = fault_of(tmp_path, GOOD, {**GOOD, "policy": "other", **changes})

    assert told.startswith("retention.yaml: row 2 (other): ")
    assert said in told


def test_every_fault_is_told_at_once(tmp_path):
    told = fault_of(tmp_path, {**GOOD, "column": None}, {**GOOD, "policy": "x-y-z", "status": "no"})

    assert len(told.splitlines()) == 2


def test_two_rows_from_the_same_day_and_a_name_for_two_tables_are_refused(tmp_path):
    assert "sms-codes: two rows from 2026-01-01" in fault_of(tmp_path, GOOD, {**GOOD, "keep_days": 40})
    assert "stands for sms_codes and for messages" in fault_of(
        tmp_path, GOOD, {**GOOD, "table": "messages", "effective_from": date(2027, 1, 1)}
    )


@pytest.mark.parametrize("text", ["", "policy: x", "- [", "[]", "\x00"])
def test_what_is_no_list_of_policies_is_refused(tmp_path, text):
    path = tmp_path / "retention.yaml"
    path.write_text(text)

    with pytest.raises(RetentionFault, match=r"retention\.yaml: "):
        load_retention(path)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(RetentionFault, match="cannot be read"):
        load_retention(tmp_path / "gone.yaml")


@pytest.mark.parametrize(
    ("kept", "today", "first_kept"),
    [
        ({"keep_days": 1}, date(2026, 11, 22), datetime(2026, 11, 21, tzinfo=BEIJING)),
        ({"keep_days": 30}, date(2026, 3, 1), datetime(2026, 1, 30, tzinfo=BEIJING)),
        ({"keep_days": None, "keep_months": 6}, date(2026, 8, 31), datetime(2026, 2, 28, tzinfo=BEIJING)),
        ({"keep_days": None, "keep_months": 6}, date(2028, 8, 31), datetime(2028, 2, 29, tzinfo=BEIJING)),
        ({"keep_days": None, "keep_months": 24}, date(2026, 11, 22), datetime(2024, 11, 22, tzinfo=BEIJING)),
    ],
)
def test_a_term_ends_at_a_beijing_midnight(kept, today, first_kept):
    assert policy(**kept).older_than(today) == first_kept


def test_what_has_no_term_is_never_over():
    assert policy(keep_days=None, column=None, for_ever=True).older_than(date(2999, 1, 1)) is None
    assert policy(keep_days=None, column=None, with_account=True).older_than(date(2999, 1, 1)) is None


def test_a_later_row_counts_from_its_day_on_and_no_sooner(tmp_path):
    import yaml

    path = tmp_path / "retention.yaml"
    path.write_text(yaml.safe_dump([{**GOOD, "keep_days": 10, "effective_from": date(2027, 1, 1)}, GOOD]))
    retention = load_retention(path)

    assert [each.keep_days for each in retention.in_force(date(2025, 12, 31))] == []
    assert [each.keep_days for each in retention.in_force(date(2026, 12, 31))] == [30]
    assert [each.keep_days for each in retention.in_force(date(2027, 1, 1))] == [10]


# --- what is shipped


def test_every_table_has_a_policy_and_every_policy_fits_the_database():
    policies = load_retention().in_force(date(2026, 11, 22))

    assert policy_faults(policies) == []
    assert set(metadata.tables) - {each.table for each in policies} == set(), "say in config/retention.yaml how long it is kept"


def test_what_cannot_be_erased_says_for_ever():
    assert {each.table for each in load_retention().policies if each.for_ever} >= APPEND_ONLY


def test_sign_ins_are_kept_at_least_half_a_year():
    (sessions,) = load_retention().of_table("account_sessions", date(2026, 11, 22))

    assert (date(2026, 11, 22) - sessions.older_than(date(2026, 11, 22)).date()).days >= 180


def test_what_is_at_rest_is_known_by_states_that_exist():
    assert AT_REST["face_checks"] == ("DECLINED", "EXPIRED", "FAILED", "PASSED")
    for table, states in AT_REST.items():
        assert states
        assert "state" in metadata.tables[table].columns


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"table": "sms_code"}, "there is no table sms_code, such as table: sms_codes"),
        ({"column": "sent"}, "sms_codes has no moment sent, such as column: sent_at"),
        ({"column": "tries"}, "sms_codes has no moment tries"),
        ({"table": "moves", "column": "at"}, "moves rows are never erased; write for_ever: true"),
        ({"erases": ("code_hash",)}, "sms_codes.code_hash cannot be emptied"),
        ({"erases": ("nothing",)}, "sms_codes.nothing cannot be emptied"),
    ],
)
def test_what_the_database_cannot_do_is_told(changes, said):
    (told,) = policy_faults([policy(**changes)])

    assert said in told


def test_a_table_to_come_is_no_fault():
    assert policy_faults([policy(table="applications", column="created_at", table_to_come=True)]) == []
