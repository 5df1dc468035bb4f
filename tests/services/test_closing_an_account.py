"""Requests about one's own data: what is carried out at once, what staff answer, what is in the way; and what a deletion leaves."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest
from click.testing import CliRunner
from sqlalchemy import text

from app import create_app
from config.clock import BEIJING
from config.settings import Settings
from jobs.rights_commands import requests as requests_command
from models.accounts import Account, AccountSession
from models.base import new_id
from models.insured_persons import PersonLookup
from models.tables import metadata
from providers.protocols import CardAnswer, CardVerdict
from services import account_closing
from services.bank_card_checks import check_bank_card
from services.counter_codes import open_counter_check
from services.errors import (
    IdempotencyKeyReused,
    NotFound,
    PersonalDataRequestAnswered,
    PersonalDataRequestOpen,
    SignInAgain,
)
from services.own_data_requests import due_at, list_requests, make_request, take_back
from services.payments import close_payment
from services.real_names import prove_name
from services.sign_in import _hash, authenticate, sign_in
from tests.factories import ALIPAY, WECHAT, an_id_number
from tests.together import at_once


def ask(ports, account, kind="DELETE", *, wish=None, key=None):
    return make_request(ports, account=account, kind=kind, wish=wish, idempotency_key=key or f"key-{new_id()}")


def put(ports, sql, **given):
    with ports.begin() as session:
        session.execute(text(sql), given)


def signed_in(ports, miniprogram=WECHAT, code="c0de"):
    signed = sign_in(ports, miniprogram=miniprogram, code=code)
    return signed.account, signed.token


def full_house(world, ports):
    """An account with something in everything that a deletion touches."""
    account, order = world.order()
    world.hear(world.paid_news(order))
    world.settle()
    world.agree(account, "REAL_NAME", "FACE", "PROXY_PAYMENT")
    seals, phone = ports.seals, "13800138000"
    put(
        ports,
        "UPDATE accounts SET phone_sealed = :s, phone_index = :i, phone_masked = '138****8000' WHERE id = :id",
        s=seals.seal(phone, place=Account.phone_place(account.id)),
        i=seals.index("phone", phone),
        id=account.id,
    )
    row_id = new_id()
    put(
        ports,
        "INSERT INTO identity_verifications (id, account_id, state, name_sealed, id_number_sealed, name_masked, id_number_masked, method, created_at)"
        " VALUES (:row, :id, 'VERIFIED', 'a', 'b', '张**', '320***', 'wechat_face', now())",
        row=row_id,
        id=account.id,
    )
    put(
        ports,
        "INSERT INTO face_checks (id, account_id, check_no, provider, state, reference_sealed, reference_index, created_at, expires_at, finished_at)"
        " VALUES (:row, :id, :no, 'wechat_face', 'PASSED', 'r', :index, now(), now(), now())",
        row=new_id(),
        id=account.id,
        no=f"{account.id}",
        index=account.id.bytes,
    )
    put(ports, "INSERT INTO message_allowances VALUES (:id, 'T', 3, now())", id=account.id)
    put(ports, "INSERT INTO messages (account_id, template, facts, created_at) VALUES (:id, 'T', '{}', now())", id=account.id)
    put(
        ports,
        "INSERT INTO account_sessions (account_id, token_hash, created_at, expires_at) VALUES (:id, :hash, now(), now() + interval '1 hour')",
        id=account.id,
        hash=_hash(f"token-{account.id}"),
    )
    with ports.begin() as session:
        session.add(PersonLookup(account_id=account.id, id_number_index=b"x", hit=True, at=ports.now()))
    return account


def snapshot(world, account) -> dict[str, list]:
    """Every row of every table, as text, that names this account."""
    found = {}
    for table in metadata.sorted_tables:
        column = "id" if table.name == "accounts" else "account_id"
        if column in table.columns:
            found[table.name] = world.rows(
                f"SELECT t::text FROM {table.name} t WHERE {column} = :id ORDER BY 1",  # noqa: S608 - our own names
                id=account.id,
            )
    return found


# --- what a deletion does


def test_nothing_finds_the_holder_any_more_and_what_the_law_keeps_stays(world, ports):
    account = full_house(world, ports)
    subject = ports.seals.open(account.subject_sealed, place=Account.subject_place(account.id))
    kept = "SELECT (SELECT count(*) FROM payments), (SELECT count(*) FROM payment_orders), (SELECT count(*) FROM contribution_records), (SELECT count(*) FROM transfers), (SELECT count(*) FROM consents), (SELECT count(*) FROM person_lookups)"
    before = world.rows(kept)

    view = ask(ports, account)

    assert (view.state, bool(view.kept)) == ("DONE", True)
    assert world.rows(kept) == before
    ((closed_at, index, sealed, phone, phone_index, masked),) = world.rows(
        "SELECT closed_at, subject_index, subject_sealed, phone_sealed, phone_index, phone_masked FROM accounts WHERE id = :id",
        id=account.id,
    )
    assert closed_at == ports.now()
    assert (phone, phone_index, masked) == (None, None, None)
    assert bytes(index) != ports.seals.index("subject", WECHAT, subject)
    assert subject not in ports.seals.open(sealed, place=Account.subject_place(account.id))
    assert world.rows("SELECT name_sealed, id_number_sealed, name_masked, id_number_masked FROM identity_verifications") == [
        (None, None, None, None)
    ]
    assert world.rows("SELECT state, reference_sealed, reference_index FROM face_checks") == [("PASSED", None, None)]
    assert world.scalar("SELECT count(*) FROM consents WHERE withdrawn_at IS NULL") == 0
    for table in ("insured_persons", "message_allowances", "idempotency_keys"):
        assert world.scalar(f"SELECT count(*) FROM {table}") == 0, table  # noqa: S608 - our own names
    assert world.scalar("SELECT count(*) FROM messages WHERE state = 'WAITING'") == 0
    assert world.scalar("SELECT count(request_sealed) FROM payments") == 0
    with pytest.raises(SignInAgain):
        authenticate(ports, f"token-{account.id}")


def test_no_seal_of_the_account_opens_afterwards_but_the_noise(world, ports):
    """Whatever column is added later: where it hangs on the account and is sealed, this finds it."""
    account = full_house(world, ports)
    ask(ports, account)

    for table in metadata.sorted_tables:
        if "account_id" not in table.columns:
            continue
        for column in table.columns:
            if column.name.endswith("_sealed") and column.nullable:
                left = world.scalar(
                    f"SELECT count({column.name}) FROM {table.name} WHERE account_id = :id",  # noqa: S608 - our own names
                    id=account.id,
                )
                assert left == 0, f"{table.name}.{column.name}"


def test_the_same_phone_registers_anew_and_gets_a_fresh_account(world, ports):
    first, token = signed_in(ports)
    ask(ports, first)
    second, _ = signed_in(ports)

    assert first.id != second.id
    assert second.person_id is None
    with pytest.raises(SignInAgain):
        authenticate(ports, token)


def test_another_account_of_the_same_person_is_untouched(world, ports):
    account = full_house(world, ports)
    other = world.account(world.person(), miniprogram=ALIPAY)
    put(ports, "UPDATE accounts SET person_id = :person WHERE id = :id", person=account.person_id, id=other.id)
    world.agree(other, "FACE")
    before = snapshot(world, other)

    ask(ports, account)

    assert snapshot(world, other) == before
    assert world.scalar("SELECT name_sealed IS NOT NULL FROM persons WHERE id = :id", id=account.person_id)


def test_a_stranger_loses_nothing_by_it(world, ports):
    account, stranger = full_house(world, ports), full_house(world, ports)
    before = snapshot(world, stranger)

    ask(ports, account)

    assert snapshot(world, stranger) == before


def test_whoever_never_enrolled_and_never_paid_leaves_no_name_behind(world, ports):
    account = world.account()
    ask(ports, account)

    assert world.scalar("SELECT count(*) FROM persons") == 0
    assert world.rows("SELECT person_id FROM accounts") == [(None,)]


@pytest.mark.parametrize("bond", ["enrolled", "in a list", "blocked", "paid for others"])
def test_whom_the_law_or_somebody_else_needs_keeps_the_link(world, ports, bond):
    account = world.account()
    with ports.begin() as session:
        person = session.get_one(type(account), account.id).person
        session.expunge_all()
    if bond == "enrolled":
        world.enrollment(person)
    elif bond == "in a list":
        world.payer_for(person)
    elif bond == "blocked":
        world.block(world.person(), payer=account)
    else:
        insured = world.person()
        bills = world.bills(world.enrollment(insured))
        world.agree(account, "PROXY_PAYMENT")
        entry = new_id()
        put(
            ports,
            "INSERT INTO insured_persons (id, account_id, person_id, is_self, keep, created_at) VALUES (:id, :account, :person, false, true, now())",
            id=entry,
            account=account.id,
            person=insured.id,
        )
        order = world.order_for(account, entry, bills)
        world.hear(world.paid_news(order))
        world.settle()

    assert ask(ports, account).state == "DONE"
    assert world.scalar("SELECT person_id FROM accounts WHERE id = :id", id=account.id) == person.id
    assert world.scalar("SELECT count(*) FROM persons WHERE id = :id", id=person.id) == 1


def test_other_wishes_end_with_the_account_and_their_words_are_gone(world, ports):
    account = world.account()
    ask(ports, account, "CORRECT", wish="请更正")
    ask(ports, account)

    assert world.rows("SELECT kind, state, wish_sealed FROM personal_data_requests ORDER BY kind") == [
        ("CORRECT", "WITHDRAWN", None),
        ("DELETE", "DONE", None),
    ]


def test_every_step_leaves_its_move(world, ports):
    account = world.account(verified=False)
    ask(ports, account)

    assert ("personal_data_request", "RECEIVED", "DONE", f"account:{account.id}") in world.rows(
        "SELECT noun, from_state, to_state, who FROM moves"
    )


# --- what is in the way


def test_an_order_under_way_is_finished_first(world, ports):
    account, order = world.order()
    before = {name: rows for name, rows in snapshot(world, account).items() if name not in ("personal_data_requests", "idempotency_keys", "identity_verifications")}  # fmt: skip

    refused = ask(ports, account)
    assert refused.state == "REFUSED"
    assert "1笔订单正在支付" in refused.answer
    after = snapshot(world, account)
    assert {name: after[name] for name in before} == before

    assert close_payment(ports, order.payment_no)
    assert ask(ports, account).state == "DONE"


def test_money_that_comes_late_to_a_closed_account_is_booked_all_the_same(world, ports):
    account, order = world.order()
    close_payment(ports, order.payment_no)
    ask(ports, account)
    world.hear(world.paid_news(order))
    world.settle()

    assert world.read_payment(order.payment_no).state == "SUCCEEDED"
    assert [record.state for record in world.records()] == ["PAID"]


def test_closing_and_coming_back_buys_no_more_tries_at_somebodys_name(world, ports, clock):
    account, _ = signed_in(ports)
    world.agree(account, "REAL_NAME")
    prove_name(ports, account=account, name="王小明", id_number=an_id_number(3), phone=None)

    refused = ask(ports, account)
    assert (refused.state, "明天" in refused.answer) == ("REFUSED", True)
    clock.move(days=1)
    assert ask(ports, account).state == "DONE"


@pytest.mark.parametrize("way", ["card", "counter"])
def test_nor_at_a_bank_card_or_a_counter(world, ports, clock, way):
    account, _ = signed_in(ports)
    world.agree(account, "REAL_NAME", "BANK_CARD")
    prove_name(ports, account=account, name="王小明", id_number=an_id_number(3), phone=None)
    clock.move(days=1)
    if way == "card":
        card, phone = "6228480402564890018", "13800138000"
        ports.cards.answers[card] = CardAnswer(verdict=CardVerdict.MISMATCH, provider_code="201")
        check_bank_card(ports, account=account, card_number=card, phone=phone, idempotency_key="k-card-check")
    else:
        open_counter_check(ports, account=account, idempotency_key="k-counter-check")

    assert ask(ports, account).state == "REFUSED"
    clock.move(days=1)
    assert ask(ports, account).state == "DONE"


# --- races


def test_two_deletions_at_once_close_it_once(world, ports):
    account = full_house(world, ports)
    said = at_once(*[lambda: ask(ports, account)] * 4)
    told = ["closed" if isinstance(each, SignInAgain) else each.state for each in said]

    assert sorted(told) == ["DONE", "closed", "closed", "closed"]
    assert world.scalar("SELECT count(*) FROM personal_data_requests") == 1


def test_a_name_that_comes_back_from_the_authority_after_the_deletion_is_not_kept(world, ports):
    account, _ = signed_in(ports)
    world.agree(account, "REAL_NAME")
    check = ports.names.check

    def slow(*given, **how):
        with ports.begin() as session:
            held = account_closing.lock_account(session, account=account, now=ports.now())
            account_closing.close_account(ports, session, account=held, now=ports.now())
        return check(*given, **how)

    ports.names.check = slow
    with pytest.raises(SignInAgain):
        prove_name(ports, account=account, name="王小明", id_number=an_id_number(3), phone=None)

    assert world.rows("SELECT name_sealed, name_masked FROM identity_verifications") == [(None, None)]


def test_an_order_that_was_on_its_way_finds_nobody_to_pay_for(world, ports):
    person = world.person()
    bills = world.bills(world.enrollment(person))
    account = world.account(person)
    entry = world.me_in_list(account)
    ask(ports, account)

    with pytest.raises(NotFound):
        world.order_for(account, entry, bills)


def test_a_session_that_began_beside_the_deletion_opens_nothing(world, ports):
    account = world.account()
    ask(ports, account)
    with ports.begin() as session:
        session.add(AccountSession(account_id=account.id, token_hash=_hash("late"), created_at=ports.now(), expires_at=ports.now() + timedelta(hours=1)))  # fmt: skip

    with pytest.raises(SignInAgain):
        authenticate(ports, "late")


@pytest.mark.parametrize("step", ["_end_identity", "_end_what_lives", "_end_requests", "_forget_person"])
def test_a_death_anywhere_inside_leaves_everything_as_it_was(world, ports, step, monkeypatch):
    account = full_house(world, ports)
    before = snapshot(world, account)
    inner = getattr(account_closing, step)

    def dies(*given, **how):
        inner(*given, **how)
        raise MemoryError(step)

    monkeypatch.setattr(account_closing, step, dies)
    with pytest.raises(MemoryError):
        ask(ports, account)

    assert snapshot(world, account) == before


# --- copies and corrections


def test_a_copy_is_ready_at_once_and_says_how_to_get_it(world, ports):
    assert "登录后15分钟内" in ask(ports, world.account(), "COPY").answer
    assert "脱敏" in ask(ports, world.account(verified=False), "COPY").answer


def test_the_same_key_tells_the_same_request_and_other_words_are_refused(world, ports):
    account = world.account()
    first = ask(ports, account, "CORRECT", wish="甲", key="same-key-1")
    again = ask(ports, account, "CORRECT", wish="甲", key="same-key-1")

    assert (first.id, again.replayed) == (again.id, True)
    with pytest.raises(IdempotencyKeyReused):
        ask(ports, account, "CORRECT", wish="乙", key="same-key-1")
    with pytest.raises(PersonalDataRequestOpen):
        ask(ports, account, "CORRECT", wish="乙")


def test_a_correction_waits_for_staff_points_to_the_registrar_and_its_words_are_sealed(world, ports):
    account = world.account()
    view = ask(ports, account, "CORRECT", wish="我的姓名写错了")

    assert (view.state, view.finished_at) == ("RECEIVED", None)
    assert "12333" in view.answer
    sealed = bytes(world.scalar("SELECT wish_sealed FROM personal_data_requests"))
    assert "姓名写错".encode() not in sealed


@pytest.mark.parametrize(
    ("asked", "due"),
    [
        (datetime(2026, 11, 20, 9, tzinfo=BEIJING), date(2026, 12, 12)),
        (datetime(2026, 11, 21, 10, tzinfo=BEIJING), date(2026, 12, 12)),
        (datetime(2026, 9, 17, 23, 59, tzinfo=BEIJING), date(2026, 10, 15)),
        (datetime(2026, 12, 28, 9, tzinfo=BEIJING), date(2027, 1, 19)),
    ],
)
def test_an_answer_is_due_at_the_end_of_fifteen_working_days(ports, asked, due):
    """Worked by hand: 17 September has a make-up Sunday, 中秋 25–27 September and seven days off from 1 October before it ends; 2027's
    calendar is not published, so Monday to Friday count after 1 January, which is a Friday and counts too."""
    assert due_at(ports.regions_of(WECHAT)[0], asked) == datetime.combine(due, datetime.min.time(), tzinfo=BEIJING)


def test_taking_back_works_once_for_ones_own_and_while_nobody_answered(world, ports):
    account, stranger = world.account(), world.account()
    open_one, copy = ask(ports, account, "CORRECT", wish="甲"), ask(ports, account, "COPY")

    with pytest.raises(NotFound):
        take_back(ports, account=stranger, request_id=open_one.id)
    with pytest.raises(PersonalDataRequestAnswered):
        take_back(ports, account=account, request_id=copy.id)
    take_back(ports, account=account, request_id=open_one.id)
    take_back(ports, account=account, request_id=open_one.id)
    assert [each.state for each in list_requests(ports, account=account)] == ["DONE", "WITHDRAWN"]
    assert world.scalar("SELECT count(wish_sealed) FROM personal_data_requests") == 0
    assert list_requests(ports, account=stranger) == []


# --- staff


def command(ports, *words):
    with create_app(Settings(), doors=[], ports=ports).app_context():
        return CliRunner().invoke(requests_command, list(words))


def test_staff_see_what_waits_read_it_with_a_record_and_answer_once(world, ports, clock):
    account = world.account()
    request = ask(ports, account, "CORRECT", wish="手机号码已更换")
    listed = command(ports, "list")
    assert (listed.exit_code, str(request.id) in listed.output) == (0, True)
    assert "手机号码已更换" not in listed.output

    assert command(ports, "show", str(request.id), "--who", "S1024").output == "手机号码已更换\n"
    assert world.rows("SELECT subject_table, columns, purpose, who FROM personal_data_accesses") == [
        ("personal_data_requests", "wish", "request_answer", "staff:S1024")
    ]
    clock.move(days=30)
    assert (command(ports, "list").exit_code, "OVERDUE" in command(ports, "list").output) == (1, True)
    told = command(ports, "answer", str(request.id), "--done", "--why", "手机号码已更新。", "--who", "S1024")
    assert told.output == "已按您的请求办理。手机号码已更新。\n"
    (view,) = list_requests(ports, account=account)
    assert (view.state, view.answer) == ("DONE", "已按您的请求办理。手机号码已更新。")
    again = command(ports, "answer", str(request.id), "--refused", "--why", "不。", "--who", "S2")
    assert (again.exit_code, "已经办结" in again.output) == (1, True)


def test_a_refusal_says_why_and_where_to_turn(world, ports):
    account = world.account()
    request = ask(ports, account, "CORRECT", wish="甲")
    answered = command(ports, "answer", str(request.id), "--refused", "--why", "登记信息由登记机关更正。", "--who", "S1")

    assert "登记信息由登记机关更正。" in answered.output
    assert "12333" in list_requests(ports, account=account)[0].answer


@pytest.mark.parametrize(
    "words",
    [
        ("answer", "NOBODY", "--done", "--why", "好。", "--who", "S1"),
        ("show", "NOBODY", "--who", "S1"),
        ("answer", "REAL", "--why", "好。", "--who", "S1"),
        ("answer", "REAL", "--done", "--why", " ", "--who", "S1"),
    ],
)
def test_what_a_command_cannot_do_it_says_and_exits_with_another_code(world, ports, words):
    request = ask(ports, world.account(), "CORRECT", wish="甲")
    ids = {"NOBODY": str(new_id()), "REAL": str(request.id)}

    told = command(ports, *(ids.get(word, word) for word in words))

    assert told.exit_code == 1
    assert told.output.startswith("Error: ")
    assert world.scalar("SELECT state FROM personal_data_requests") == "RECEIVED"
