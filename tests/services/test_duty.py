"""What the one on duty reads: today's money from the books, sweeps by what the clock queued, providers by our own rows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from croniter import croniter
from sqlalchemy import text

from config.clock import BEIJING
from jobs.worker import SWEEPS
from models.base import first_id_at, new_id
from models.orders import OrderState
from services.duty_money import money_today
from services.duty_providers import LATELY, accounts_health, services_health
from services.duty_sweeps import RHYTHMS, sweeps_now
from services.money_scope import accounts_within
from services.parked_notices import stand_of_parked
from services.review_queue import stand_of_queue
from services.staff import Scope
from tests.factories import ALIPAY, WECHAT
from tests.money_desk import ACCOUNTS, unclaimed
from tests.reviewing import REVIEWER, an_application

WECHATS, ALIPAYS = ACCOUNTS["320400"], "alipay:2088003204000001"


def run(ports, sql, **given):
    with ports.begin() as session:
        session.execute(text(sql), given)


def parts_of(today, account=WECHATS):
    its = next(each for each in today.accounts if each.account == account)
    return {part: (each.payments, each.fen) for part, each in its.parts.items() if each.payments}


# --- money


def test_todays_money_is_what_the_books_moved_by_account_and_by_what_became_of_it(world, ports):
    _, paid = world.order()
    world.hear(world.paid_news(paid))
    _, other = world.order(miniprogram=ALIPAY)
    world.hear(world.paid_news(other, notice="N2"), miniprogram=ALIPAY)
    _, waits = world.order()
    world.settle()
    unclaimed(world, fen=4200)

    today = money_today(ports)

    assert parts_of(today) == {"settled": (1, paid.total_fen), "waiting": (1, waits.total_fen), "unclaimed": (1, 4200)}
    assert parts_of(today, ALIPAYS) == {"settled": (1, other.total_fen)}
    assert today.came_fen == paid.total_fen + other.total_fen + 4200
    assert today.by_hour[10] == today.came_fen, "it is ten in the morning in Beijing"
    assert sum(today.by_hour) == today.came_fen


def test_yesterdays_money_is_not_todays_and_midnight_is_beijings(world, ports, clock):
    clock.set(datetime(2026, 11, 21, 23, 59, 59, tzinfo=BEIJING))
    unclaimed(world, fen=100)
    clock.set(datetime(2026, 11, 22, tzinfo=BEIJING))
    unclaimed(world, fen=300)

    today = money_today(ports)

    assert (today.came_fen, today.by_hour[0]) == (300, 300)


def test_of_todays_money_a_region_is_shown_its_own_accounts_alone(world, ports):
    unclaimed(world, fen=100)
    unclaimed(world, region="650000", fen=300)
    mine = accounts_within(ports, Scope(region="320400"))

    today = money_today(ports, accounts=mine)

    assert [each.account for each in today.accounts] == [WECHATS]
    assert (today.came_fen, sum(today.by_hour)) == (100, 100)
    assert stand_of_parked(ports, accounts=mine).count == 1
    assert {each.account for each in accounts_health(ports, accounts=mine)} <= mine
    assert money_today(ports, accounts=frozenset()).accounts == []


def test_a_refund_of_today_is_told_as_gone_back_and_does_not_lessen_what_came(world, ports):
    unclaimed(world, fen=4200)
    run(
        ports,
        "INSERT INTO transfers (debit_account, credit_account, amount_fen, kind, payment_id, who, at) "
        "SELECT 'refunding:R1', 'clearing:' || channel || ':' || merchant, 4200, 'REFUNDED', id, 'settle', :at FROM payments",
        at=ports.now(),
    )

    today = money_today(ports)

    assert parts_of(today) == {"unclaimed": (1, 4200), "back": (1, 4200)}
    assert (today.came_fen, sum(today.by_hour)) == (4200, 4200)


def test_parked_notices_are_told_by_number_age_and_money(world, ports, clock):
    assert stand_of_parked(ports).oldest_at is None
    began = ports.now()
    unclaimed(world, fen=100)
    clock.move(hours=3)
    unclaimed(world, fen=250)
    run(ports, "UPDATE notices SET currency = 'USD' WHERE amount_fen = 250")

    parked = stand_of_parked(ports)

    assert (parked.count, parked.oldest_at, parked.amount_fen) == (2, began, 100)


# --- reviews


def test_the_queue_is_told_against_its_clock_in_ones_own_region(world, ports):
    now = ports.now()
    for due in (-1, 3, 50):
        an_application(world, due_at=now + timedelta(hours=due), submitted_at=now - timedelta(hours=60 - due))
    an_application(world, region="650000", due_at=now - timedelta(days=1))
    changzhou = SimpleNamespace(**{**vars(REVIEWER), "region": "320400", "agency": None})

    whole, mine = stand_of_queue(ports, reviewer=REVIEWER), stand_of_queue(ports, reviewer=changzhou)

    assert (whole.count, whole.overdue) == (4, 2)
    assert (mine.count, mine.overdue, mine.due_today, mine.later) == (3, 1, 1, 1)
    assert mine.oldest_at == now - timedelta(hours=61)
    assert mine.next_due_at == now + timedelta(hours=3)


# --- sweeps


def test_every_sweep_of_the_worker_has_its_words_and_its_rhythm_is_the_clocks():
    crons = {each.task.name: each.cron for each in SWEEPS.periodic_registry.periodic_tasks.values()}
    moments = [datetime(2026, 11, 22, tzinfo=UTC) + timedelta(minutes=37 * at, seconds=11 * at) for at in range(60)]

    assert {name.removeprefix("canbao:") for name in crons} == set(RHYTHMS)
    for name, cron in crons.items():
        rhythm = RHYTHMS[name.removeprefix("canbao:")][1]
        for moment in moments:
            expected = croniter(cron, moment + timedelta(microseconds=1)).get_prev(datetime)
            assert rhythm.last(moment) == expected, f"{name}: {cron} at {moment}"


def called(ports, name, at):
    run(
        ports,
        "INSERT INTO procrastinate_periodic_defers (task_name, periodic_id, defer_timestamp) VALUES (:name, '', :at)",
        name=f"canbao:{name}",
        at=int(at.timestamp()),
    )


def stand(ports, name):
    return next(each for each in sweeps_now(ports).sweeps if each.name == name)


def test_a_sweep_is_late_when_a_tick_passed_without_it(ports, clock):
    now = ports.now()
    called(ports, "ask_providers", now - timedelta(seconds=20))
    called(ports, "send_refunds", now - timedelta(minutes=5))
    called(ports, "assess", now - timedelta(minutes=10))

    assert not stand(ports, "ask_providers").is_late
    assert stand(ports, "send_refunds").is_late
    assert not stand(ports, "assess").is_late
    assert stand(ports, "close_stale_orders").is_late, "it was never called, and is all day long"
    assert not stand(ports, "apply_retention").is_late, "its night has not come yet"


def test_an_hourly_sweep_of_the_day_sleeps_at_night_and_is_late_in_the_morning(ports, clock):
    called(ports, "reconcile", datetime(2026, 11, 21, 23, 17, tzinfo=BEIJING))

    for hour, minute, late in ((6, 0, False), (10, 30, False), (10, 50, True)):
        clock.set(datetime(2026, 11, 22, hour, minute, tzinfo=BEIJING))
        assert stand(ports, "reconcile").is_late is late, (hour, minute)


def test_a_sweep_that_is_under_way_for_too_long_hangs_and_the_last_heartbeat_is_told(ports):
    now = ports.now()
    called(ports, "exchange_debits", now)
    for name, age in (("exchange_debits", 20), ("assess", 3)):
        run(
            ports,
            "WITH j AS (INSERT INTO procrastinate_jobs (queue_name, task_name, status) VALUES ('default', :name, 'doing') RETURNING id) "
            "INSERT INTO procrastinate_events (job_id, type, at) SELECT id, 'started', :at FROM j",
            name=f"canbao:{name}",
            at=now - timedelta(minutes=age),
        )
    run(ports, "INSERT INTO procrastinate_workers (last_heartbeat) VALUES (:at)", at=now - timedelta(seconds=7))

    assert stand(ports, "exchange_debits").hangs
    assert not stand(ports, "assess").hangs
    assert stand(ports, "exchange_debits") in sweeps_now(ports).late
    assert sweeps_now(ports).heartbeat_at == now - timedelta(seconds=7)


# --- providers


def health(ports, account=WECHATS):
    return next(each for each in accounts_health(ports) if each.account == account)


def test_a_silent_provider_is_told_by_how_many_and_since_when(world, ports):
    now = ports.now()
    _, silent = world.order()
    _, doubtful = world.order()
    assert health(ports).is_well
    asked = "UPDATE payments SET asks = 3, last_asked_at = :at, next_ask_at = :at WHERE payment_no = :no"
    run(ports, asked, at=now - timedelta(minutes=9), no=silent.payment_no)
    run(ports, "UPDATE payment_orders SET state = :to WHERE order_no = :no", to=OrderState.UNKNOWN, no=doubtful.order_no)

    told = health(ports)

    assert not told.is_well
    assert (told.silent_payments.count, told.silent_payments.since) == (1, now - timedelta(minutes=9))
    assert told.in_doubt.count == 1
    assert health(ports, ALIPAYS).is_well


def test_the_last_notice_is_a_pushed_one_and_an_answer_to_a_question_is_none(world, ports, clock):
    _, order = world.order()
    world.hear(world.paid_news(order))
    came = ports.now()
    clock.move(hours=1)
    _, asked = world.order()
    from services.inbox import receive

    receive(ports, miniprogram=WECHAT, news=world.paid_news(asked, notice="query:1"), raw=None)

    assert health(ports).last_notice_at == came
    assert health(ports, ACCOUNTS["650000"]).last_notice_at is None


@pytest.mark.parametrize(("days", "soon"), [(29, True), (31, False), (-2, True)])
def test_the_days_left_of_a_providers_certificate_are_told_where_it_has_one(ports, days, soon):
    assert health(ports).key_days_left is None
    ports.payments[WECHAT].keys_end_at = (ports.now() + timedelta(days=400), ports.now() + timedelta(days=days))

    assert health(ports).key_days_left == days
    assert health(ports).key_ends_soon is soon


def test_calls_of_shared_services_that_failed_within_the_hour_are_counted(world, ports, clock):
    account = world.account()
    now = clock.now()
    clock.set(datetime.now(UTC))
    for minutes, failed in ((5, True), (5, False), (90, True)):
        at = clock.now() - timedelta(minutes=minutes)
        run(
            ports,
            "INSERT INTO sms_codes (id, miniprogram, phone_index, code_hash, sent_at, expires_at, failed_at) "
            "VALUES (:id, 'x', '', '', :at, :at, :failed)",
            id=new_id(),
            at=at,
            failed=at if failed else None,
        )
    card = "INSERT INTO bank_card_checks (id, account_id, state, card_masked, created_at) VALUES (:id, :account, :state, '****', :at)"
    for made, state in (
        (new_id(), "UNAVAILABLE"),
        (new_id(), "MATCHED"),
        (first_id_at(clock.now() - 2 * LATELY), "UNAVAILABLE"),
    ):
        run(ports, card, id=made, account=account.id, state=state, at=now)

    told = {each.name: each for each in services_health(ports)}

    assert (told["sms"].calls, told["sms"].failed) == (2, 1)
    assert (told["bank_card"].calls, told["bank_card"].failed) == (2, 1)
    assert not told["sms"].is_well
    assert told["wechat_face"].is_well


def test_ids_made_from_a_moment_on_are_not_smaller_than_the_first_of_it():
    moment = datetime.now(UTC)
    made = new_id()

    assert first_id_at(moment - timedelta(milliseconds=1)).bytes < made.bytes < first_id_at(moment + timedelta(seconds=5)).bytes
    assert first_id_at(moment).version == 7
