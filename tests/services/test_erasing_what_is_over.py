"""Retention: what is over its term goes, nothing younger ever does, and each batch leaves a row."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from click.testing import CliRunner
from sqlalchemy import text

from app import create_app
from config.retention import Policy, Retention, RetentionFault
from config.settings import Settings
from jobs.rights_commands import retention
from services.retention import apply_retention, would_erase
from tests.factories import WECHAT

BEIJING = ZoneInfo("Asia/Shanghai")
ERASURES = "SELECT policy, subject_table, row_count FROM erasures ORDER BY id"


def put(ports, sql: str, **given) -> None:
    with ports.begin() as session:
        session.execute(text(sql), given)


def an_sms_code(ports, sent_at: datetime) -> None:
    put(
        ports,
        "INSERT INTO sms_codes (id, miniprogram, phone_index, code_hash, sent_at, expires_at) VALUES (gen_random_uuid(), 'a', 'x', 'y', :at, :at)",
        at=sent_at,
    )


def only(ports, *policies: Policy):
    return replace(ports, retention=Retention(policies))


def a_policy(**changes) -> Policy:
    given = {
        "policy": "sms-codes",
        "table": "sms_codes",
        "column": "sent_at",
        "keep_days": 30,
        "legal_ground": "law",
        "source": "source",
        "effective_from": date(2026, 1, 1),
        "status": "CONFIRMED",
        **changes,
    }
    return Policy.model_validate({key: value for key, value in given.items() if value is not None})


def test_a_row_goes_when_the_beijing_day_after_its_term_begins_and_no_second_sooner(ports, clock, world):
    clock.set(datetime(2026, 11, 21, 23, 59, 59, tzinfo=BEIJING))
    an_sms_code(ports, datetime(2026, 10, 22, 0, 0, 0, tzinfo=BEIJING))
    an_sms_code(ports, datetime(2026, 10, 22, 23, 59, 59, tzinfo=BEIJING))
    an_sms_code(ports, datetime(2026, 10, 23, 0, 0, 0, tzinfo=BEIJING))

    assert apply_retention(ports) == 0
    clock.set(datetime(2026, 11, 22, 0, 0, 0, tzinfo=BEIJING))
    assert apply_retention(ports) == 2
    assert apply_retention(ports) == 0
    assert world.scalar("SELECT count(*) FROM sms_codes") == 1
    assert world.rows(ERASURES) == [("sms-codes", "sms_codes", 2)]
    assert world.scalar("SELECT older_than FROM erasures") == datetime(2026, 10, 23, tzinfo=BEIJING)


def test_nothing_younger_is_ever_erased_in_any_table(ports, clock, world):
    """Everything that a lively day leaves is there the next day."""
    account, order = world.order()
    world.hear(world.paid_news(order))
    world.settle()
    world.agree(account, "REAL_NAME")
    count = """SELECT (SELECT count(*) FROM idempotency_keys), (SELECT count(*) FROM notices), (SELECT count(*) FROM consents),
               (SELECT count(request_sealed) FROM payments), (SELECT count(content_sealed) FROM notices)"""
    (before,) = world.rows(count)
    clock.move(days=1)

    assert apply_retention(ports) == 0
    assert world.rows(count) == [before] == [(1, 1, 1, 1, 1)]


def test_keys_go_after_two_days_and_ended_sessions_after_half_a_year(ports, clock, world):
    account, _ = world.order()
    now = ports.now()
    for number, ago in enumerate((179, 181, 186)):
        at = now - timedelta(days=ago)
        put(
            ports,
            "INSERT INTO account_sessions (account_id, token_hash, created_at, expires_at) VALUES (:account, :hash, :at, :at)",
            account=account.id,
            hash=bytes([number]),
            at=at,
        )

    clock.move(days=2)
    apply_retention(ports)
    assert world.scalar("SELECT count(*) FROM idempotency_keys") == 1
    assert world.scalar("SELECT count(*) FROM account_sessions") == 2
    clock.move(days=1)
    apply_retention(ports)
    assert world.scalar("SELECT count(*) FROM idempotency_keys") == 0


def test_a_notices_content_goes_and_its_row_stays_but_not_while_a_person_has_to_look(ports, clock, world):
    _, order = world.order()
    world.hear(world.paid_news(order))
    world.hear(world.paid_news(order, notice="N2", payment_no="0" * 24, provider_payment_no="P2"))
    world.settle()
    put(ports, "UPDATE notices SET state = 'PARKED' WHERE notification_id = 'N2'")
    clock.move(days=3660)

    apply_retention(ports)
    assert world.rows("SELECT notification_id, content_sealed IS NULL FROM notices ORDER BY 1") == [("N1", True), ("N2", False)]
    put(ports, "UPDATE notices SET resolved_at = now(), resolution = 'done' WHERE notification_id = 'N2'")
    apply_retention(ports)
    assert world.scalar("SELECT count(*) FROM notices WHERE content_sealed IS NULL") == 2


def test_a_live_payments_request_is_never_taken_from_it(ports, clock, world):
    world.order()
    put(ports, "UPDATE payments SET request_sealed = 'x'")
    clock.move(days=400)

    apply_retention(ports)
    assert world.scalar("SELECT request_sealed IS NOT NULL FROM payments") is True
    put(ports, "UPDATE payments SET state = 'CLOSED'")
    apply_retention(ports)
    assert world.scalar("SELECT request_sealed IS NULL FROM payments") is True


def test_a_face_checks_reference_goes_with_its_index_and_the_check_stays(ports, clock, world):
    account = world.account(verified=False, miniprogram=WECHAT)
    put(
        ports,
        "INSERT INTO face_checks (id, account_id, check_no, provider, state, reference_sealed, reference_index, created_at, expires_at, finished_at)"
        " VALUES (gen_random_uuid(), :account, 'n', 'wechat_face', 'PASSED', 'r', 'i', :at, :at, :at)",
        account=account.id,
        at=ports.now(),
    )
    clock.move(days=2)

    apply_retention(ports)
    assert world.rows("SELECT state, reference_sealed, reference_index FROM face_checks") == [("PASSED", None, None)]
    assert apply_retention(ports) == 0, "an emptied row is not emptied again"


def test_a_changed_row_changes_only_what_it_says(ports, clock, world):
    an_sms_code(ports, ports.now() - timedelta(days=20))
    put(ports, "INSERT INTO platform_events (id, miniprogram, event_hash, event, received_at) VALUES (gen_random_uuid(), 'a', 'h', 'e', :at)", at=ports.now() - timedelta(days=20))  # fmt: skip
    events = a_policy(policy="platform-events", table="platform_events", column="received_at")
    changed = only(ports, a_policy(), events, a_policy(keep_days=10, effective_from=date(2026, 11, 23)))

    assert apply_retention(changed) == 0
    clock.move(days=2)
    assert apply_retention(changed) == 1
    assert world.scalar("SELECT count(*) FROM platform_events") == 1


def test_many_rows_go_in_batches_each_with_its_own_row(ports, world):
    for _ in range(7):
        an_sms_code(ports, ports.now() - timedelta(days=60))

    assert apply_retention(ports, batch=3) == 7
    assert [count for _, _, count in world.rows(ERASURES)] == [3, 3, 1]


def test_a_row_that_somebody_holds_is_left_for_the_next_night(ports, world):
    an_sms_code(ports, ports.now() - timedelta(days=60))
    other = ports.sessions()
    other.execute(text("SELECT 1 FROM sms_codes FOR UPDATE"))

    assert apply_retention(ports) == 0
    other.rollback()
    other.close()
    assert apply_retention(ports) == 1


def test_a_dry_run_counts_and_changes_nothing(ports, world):
    an_sms_code(ports, ports.now() - timedelta(days=60))

    found = {each.policy: each.rows for each in would_erase(ports)}

    assert found["sms-codes"] == 1
    assert sum(found.values()) == 1
    assert world.scalar("SELECT count(*) FROM sms_codes") == 1
    assert world.rows(ERASURES) == []


def test_a_policy_that_cannot_be_carried_out_stops_the_sweep_before_anything_is_erased(ports, world):
    an_sms_code(ports, ports.now() - timedelta(days=60))

    with pytest.raises(RetentionFault, match="moves rows are never erased"):
        apply_retention(only(ports, a_policy(), a_policy(policy="moves", table="moves", column="at")))

    assert world.scalar("SELECT count(*) FROM sms_codes") == 1


def test_the_command_says_table_policy_and_count(ports, world):
    an_sms_code(ports, ports.now() - timedelta(days=60))

    def command(*words: str) -> str:
        with create_app(Settings(), doors=[], ports=ports).app_context():
            return CliRunner().invoke(retention, words).output

    dry = command("--dry-run")
    assert "1 would be erased; nothing was" in dry
    assert any(line.split() == ["sms_codes", "sms-codes", "before", "2026-10-22", "1"] for line in dry.splitlines())
    assert world.scalar("SELECT count(*) FROM sms_codes") == 1
    assert "erased 1" in command()
    assert world.scalar("SELECT count(*) FROM sms_codes") == 0
