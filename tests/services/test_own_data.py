"""What is held about me: complete by construction, masked on the page, whole in a copy, and never anybody else's."""

from __future__ import annotations

import ast
import json
import secrets
from datetime import timedelta

import pytest
from sqlalchemy import text

from models.accounts import AccountSession
from models.audit import PersonalDataAccess
from models.tables import metadata
from services import own_data as own_data_module
from services.errors import FreshSignInRequired
from services.own_data import KINDS, WITHHELD, own_accesses, own_copy, own_data
from services.own_data_requests import make_request
from services.own_data_rows import COLUMNS, PURPOSES, SUBJECTS, Whose
from services.personal_data import NOT_PERSONAL
from services.retention import policy_faults
from services.sign_in import _hash
from tests.architecture.reading import functions
from tests.factories import an_id_number

NAME, NUMBER = "欧阳测试", an_id_number(77, born="19880808")


def kind_of(ports, account, kind):
    return next(each for each in own_data(ports, account=account) if each.kind == kind)


def a_token(ports, account, *, ago=timedelta(0)):
    token, now = secrets.token_urlsafe(32), ports.now() - ago
    with ports.begin() as session:
        session.add(
            AccountSession(account_id=account.id, token_hash=_hash(token), created_at=now, expires_at=now + timedelta(hours=2))
        )
    return token


def a_copy(ports, account, **how):
    return json.loads("".join(own_copy(ports, account=account, token=a_token(ports, account, **how))))


def someone(world, *, phone: str | None = None):
    account = world.account(world.person(name=NAME, id_number=NUMBER))
    if phone is not None:
        seals = world.ports.seals
        with world.ports.begin() as session:
            session.execute(
                text("UPDATE accounts SET phone_sealed = :sealed, phone_index = :index, phone_masked = :masked WHERE id = :id"),
                {
                    "sealed": seals.seal(phone, place=type(account).phone_place(account.id)),
                    "index": seals.index("phone", phone),
                    "masked": f"{phone[:3]}****{phone[-4:]}",
                    "id": account.id,
                },
            )
    return account


# --- complete by construction


def test_every_table_is_told_of_or_left_out_with_a_reason():
    told = {table for kind in KINDS for table in kind.tables}

    assert set(metadata.tables) - told - set(WITHHELD) == set(), "export it as a kind of own_data, or say in WITHHELD why not"
    assert told.isdisjoint(WITHHELD)
    assert told <= set(metadata.tables)
    assert all(WITHHELD.values())


def test_what_hangs_on_an_account_or_a_person_is_left_out_only_where_it_says_nothing_of_them():
    near = {"accounts", "persons"}
    while True:
        more = {
            table.name
            for table in metadata.tables.values()
            if any(key.column.table.name in near for column in table.columns for key in column.foreign_keys)
        }
        if more <= near:
            break
        near |= more

    assert near & set(WITHHELD) == {"idempotency_keys", "reconciliation_differences", "refund_lines", "transfers"}


def test_every_table_with_a_personal_seal_is_looked_through_for_accesses():
    sealed = {
        table.name
        for table in metadata.tables.values()
        for column in table.columns
        if column.name.endswith("_sealed") and column.name.removesuffix("_sealed") not in NOT_PERSONAL
    }

    # A picture belongs to an account through its application. Of staff only the index is ever compared: the seal is for making it anew.
    assert sealed - {"staff_persons"} == {"accounts", "persons", "application_documents", *SUBJECTS}


def test_no_kind_reads_a_seal_an_index_a_hash_of_a_token_or_a_providers_number():
    whose = Whose(account_id=an_uuid(), person_id=an_uuid(), phone_index=b"x")
    for kind in KINDS:
        names = {column.name for column in kind.rows(whose).selected_columns}
        assert not [name for name in names if name.endswith(("_sealed", "_index", "reference", "token_hash", "code_hash"))], (
            kind.kind
        )
        assert "id" not in names or kind.kind == "requests"
        assert names.isdisjoint({"account_id", "person_id", "provider_code", "handle", "check_no"}), kind.kind


def an_uuid():
    from models.base import new_id

    return new_id()


def test_every_kind_says_why_whence_by_what_right_and_how_long(world, ports):
    for view in own_data(ports, account=world.account()):
        for said in (view.title, view.purpose, view.source, view.legal_ground, view.retention):
            assert said.strip(), view.kind
    assert policy_faults(ports.retention.in_force(ports.today())) == []


def test_every_purpose_and_column_of_an_opening_has_its_chinese_words():
    """Read from the code: a purpose that somebody adds has to be told to the people whose data it opens."""
    said = {
        word.value.value
        for read in functions().values()
        for call in ast.walk(read.node)
        if isinstance(call, ast.Call) and ast.unparse(call.func).rpartition(".")[2] in OPENERS
        for word in call.keywords
        if word.arg == "purpose" and isinstance(word.value, ast.Constant)
    }
    sealed = {column.name.removesuffix("_sealed") for table in metadata.tables.values() for column in table.columns}

    assert len(said) >= 5
    assert said <= PURPOSES.keys()
    assert COLUMNS.keys() <= sealed


OPENERS = {"open_personal", "open_given", "PersonalDataAccess"}


# --- what is told


def test_my_page_is_masked_and_holds_nothing_that_identifies_me_elsewhere(world, ports):
    account = someone(world, phone="13800138000")
    world.agree(account, "REAL_NAME")
    told = json.dumps([view.__dict__ for view in own_data(ports, account=account)], ensure_ascii=False, default=str)

    assert NAME not in told
    assert NUMBER not in told
    assert "13800138000" not in told
    assert "138****8000" in told
    assert NUMBER[-4:] in told
    assert "openid-" not in told


def test_consents_stand_there_also_when_taken_back(world, ports):
    from services.consent_withdrawals import withdraw_consent

    account = world.account()
    (consent,) = world.agree(account, "FACE")
    withdraw_consent(ports, account=account, consent_id=consent.id)

    (item,) = kind_of(ports, account, "consents").items
    assert item["purpose"] == "FACE"
    assert item["withdrawn_at"] == ports.now().isoformat()


def test_who_pays_for_me_is_masked_with_the_months_and_when(world, ports):
    person = world.person(name="李四光")
    bills = world.bills(world.enrollment(person), "2026-11")
    payer, entry = world.payer_for(person)
    order = world.order_for(payer, entry, bills)
    world.hear(world.paid_news(order))
    world.settle()
    mine = world.account(person)

    (item,) = kind_of(ports, mine, "payers").items
    assert (item["payer_name_masked"], item["coverage_months"]) == ("张**", ["2026-11"])
    assert item["paid_at"] == ports.now().isoformat()
    assert kind_of(ports, mine, "orders").count == 0, "their order is not mine"
    (theirs,) = kind_of(ports, payer, "orders").items
    assert (theirs["insured_name_masked"], theirs["total_fen"]) == ("李**", order.total_fen)
    assert kind_of(ports, payer, "records").count == 0, "the months are the insured person's, not the payer's"
    assert kind_of(ports, mine, "records").count == 1


def test_another_accounts_data_is_never_among_mine(world, ports):
    account, _order = world.order()
    world.agree(account, "REAL_NAME")
    stranger = world.account()

    told = {view.kind: view.count for view in own_data(ports, account=stranger)}
    assert {kind for kind, count in told.items() if count} == {"account", "person", "insured_persons"}


def test_somebody_not_verified_sees_no_persons_data(world, ports):
    person = world.person()
    world.bills(world.enrollment(person))
    told = {view.kind: view.count for view in own_data(ports, account=world.account(verified=False))}

    assert {kind for kind, count in told.items() if count} == {"account"}


def test_a_long_life_is_shown_by_its_newest_and_counted_whole(world, ports):
    account = world.account()
    with ports.begin() as session:
        session.execute(
            text(
                "INSERT INTO messages (account_id, template, facts, created_at) SELECT :id, 'T' || n, '{}', now() FROM generate_series(1, 1203) n"
            ),
            {"id": account.id},
        )
    view = kind_of(ports, account, "messages")

    assert (view.count, len(view.items), view.items[0]["template"]) == (1203, 50, "T1203")
    copied = next(kind for kind in a_copy(ports, account)["kinds"] if kind["kind"] == "messages")
    assert copied["count"] == 1203
    assert [item["template"] for item in copied["items"]] == [f"T{n}" for n in range(1203, 0, -1)]


# --- who looked


def looked(ports, *rows):
    with ports.begin() as session:
        for table, row_id, who in rows:
            session.add(
                PersonalDataAccess(
                    subject_table=table,
                    subject_id=row_id,
                    columns="name,id_number",
                    purpose="counter_look",
                    who=who,
                    at=ports.now(),
                )
            )


def test_who_looked_is_told_by_role_also_when_they_looked_through_my_other_account(world, ports):
    person = world.person()
    account, other, stranger = world.account(person), world.account(person, miniprogram="jiangsu-tax-alipay"), world.account()
    looked(
        ports,
        ("accounts", account.id, f"account:{account.id}"),
        ("persons", person.id, "staff:S1024"),
        ("accounts", other.id, f"account:{other.id}"),
        ("accounts", other.id, "reseal"),
        ("accounts", stranger.id, "staff:S9"),
        ("persons", stranger.person_id, "staff:S9"),
    )

    count, rows = own_accesses(ports, account=account, limit=10, offset=0)
    assert count == 4
    assert [row["who"] for row in rows] == ["系统", "本人的其他账户", "工作人员", "本人"]
    assert {(row["what"], row["why"]) for row in rows} == {("姓名、身份证号码", "窗口核验")}
    assert "S1024" not in json.dumps(rows, ensure_ascii=False)
    assert [row["who"] for row in own_accesses(ports, account=account, limit=1, offset=2)[1]] == ["工作人员"]


# --- a copy


def test_a_copy_holds_all_of_it_in_full_and_leaves_its_rows(world, ports):
    account = someone(world, phone="13800138000")
    make_request(ports, account=account, kind="CORRECT", wish="我的手机换号了", idempotency_key="k-correct")
    copy = a_copy(ports, account)

    assert copy["full"] is True
    assert (copy["opened"]["name"], copy["opened"]["id_number"], copy["opened"]["phone"]) == (NAME, NUMBER, "13800138000")
    assert copy["opened"]["wishes"][0]["wish"] == "我的手机换号了"
    assert [kind["kind"] for kind in copy["kinds"]] == [kind.kind for kind in KINDS]
    assert world.rows("SELECT subject_table, columns, purpose FROM personal_data_accesses ORDER BY id") == [
        ("persons", "name,id_number", "own_copy"),
        ("accounts", "phone", "own_copy"),
        ("personal_data_requests", "wish", "own_copy"),
    ]


@pytest.mark.parametrize(("seconds", "given"), [(0, True), (899, True), (900, False), (86_400, False)])
def test_a_full_copy_wants_a_sign_in_of_the_last_fifteen_minutes(world, ports, seconds, given):
    account, ago = someone(world), timedelta(seconds=seconds)
    if given:
        assert a_copy(ports, account, ago=ago)["full"] is True
        return
    with pytest.raises(FreshSignInRequired):
        own_copy(ports, account=account, token=a_token(ports, account, ago=ago))
    assert world.scalar("SELECT count(*) FROM personal_data_accesses") == 0


def test_who_is_not_verified_gets_a_masked_copy_at_any_time(world, ports):
    account = world.account(verified=False)
    copy = a_copy(ports, account, ago=timedelta(hours=1))

    assert (copy["full"], copy["opened"]) == (False, {})
    assert world.scalar("SELECT count(*) FROM personal_data_accesses") == 0


def test_a_copy_is_of_one_moment_whatever_is_written_while_it_is_made(world, ports, monkeypatch):
    account = world.account()
    token = a_token(ports, account)
    wanted = "INSERT INTO messages (account_id, template, facts, created_at) VALUES (:id, :template, '{}', now())"
    with ports.begin() as session:
        session.execute(text(wanted), [{"id": account.id, "template": f"T{n}"} for n in range(5)])
    page, engine = own_data_module._page, ports.sessions.kw["bind"]

    def read_beside_a_writer(session, kind, whose, **how):
        with engine.begin() as beside:
            beside.execute(text(wanted), {"id": account.id, "template": "LATE"})
            beside.execute(text("UPDATE accounts SET language = 'ug-CN' WHERE id = :id"), {"id": account.id})
        return page(session, kind, whose, **how)

    monkeypatch.setattr(own_data_module, "A_PAGE", 2)
    monkeypatch.setattr(own_data_module, "_page", read_beside_a_writer)
    copied = {kind["kind"]: kind for kind in json.loads("".join(own_copy(ports, account=account, token=token)))["kinds"]}

    assert [item["template"] for item in copied["messages"]["items"]] == ["T4", "T3", "T2", "T1", "T0"]
    assert copied["messages"]["count"] == 5
    assert copied["account"]["items"][0]["language"] == "zh-CN"


def test_nothing_is_held_while_a_copy_is_read(world, ports):
    account = world.account()
    pieces = own_copy(ports, account=account, token=a_token(ports, account))
    next(pieces)

    assert ports.sessions.kw["bind"].pool.checkedout() == 0


def test_others_stay_masked_in_my_full_copy(world, ports):
    person = world.person(name="王五常", id_number=an_id_number(5, born="19700101"))
    payer, _ = world.payer_for(person)

    assert "王五常" not in json.dumps(a_copy(ports, payer), ensure_ascii=False)
    assert "王**" in json.dumps(a_copy(ports, payer), ensure_ascii=False)
