"""What lasts and is no money: an account's end, what its holder asks for, the seals and their key file, the blind indexes, the audit chain.
Pictures of papers, and the sweeps over months and applications, stand in papers_and_sweeps.py.

Told and killed as the stories of the money path are, and at each line besides. A story says two things more: what holds the moment
after any death, before anybody has mended anything; and what is true at the end, when somebody pressed again or the next run came.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import json
import os
import time
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import create_engine, text

from app import create_app
from config.seal_file import add_index_key, add_key
from config.seals import SealBroken, _index, load_seals
from config.settings import HOME, Settings
from jobs.seal_commands import seals as seals_commands
from models.accounts import Account
from models.applications import EnrollmentApplication
from models.base import new_id, place
from models.tables import metadata
from providers.protocols import FaceVerdict
from services import audit_chain, index_rebuilding, own_data_requests, resealing
from services.errors import SignInAgain
from services.sign_in import authenticate, find_account, sign_in
from tests.crash.stories import Stage, Story, a_payer_with_an_order, prove_name, show_face
from tests.factories import WECHAT, World, an_id_number

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from click.testing import Result
    from sqlalchemy.orm import Session

    from services.own_data_requests import RequestView

LASTING_MODULES = frozenset(
    {"account_closing", "own_data_requests", "resealing", "index_rebuilding", "audit_chain"}
    | {"documents", "document_sweeps", "application_lapsing"}
    | {"assessment", "billing_sweep", "adjustments", "uncovered_bills"}
)
"""Their commits are all passed by a story of LASTING, and ELSEWHERE has no excuse for them."""
WATCHED = frozenset(
    {str(HOME / "services" / f"{module}.py") for module in LASTING_MODULES}
    | {str(HOME / "config" / "seal_file.py"), str(HOME / "jobs" / "seal_commands.py")}
)
"""Killed before each of their lines."""

LASTING: dict[str, Lasting] = {}


@dataclass(kw_only=True)
class Lasting(Story):
    holds: Callable[[Stage], None]
    """True the moment after any death."""
    ended: Callable[[Stage], None]
    """True when `again` has run."""
    by_line: bool = False
    """Whether also the usual suite kills it between its lines, not `-m full` alone."""


def lasting(name: str, **more: Any) -> Callable[[Callable[[Stage], None]], Callable[[Stage], None]]:
    def tell(act: Callable[[Stage], None]) -> Callable[[Stage], None]:
        LASTING[name] = Lasting(act=act, **more)
        return act

    return tell


def rows(stage: Stage, sql: str, **given: Any) -> list[tuple[Any, ...]]:
    with stage.ports.begin() as session:
        return [tuple(row) for row in session.execute(text(sql), given)]


def fingerprint(stage: Stage) -> dict[str, str]:
    """Of each table as it stands: where nothing happened, the same."""
    each = " UNION ALL ".join(
        f"SELECT '{table.name}', coalesce(md5(string_agg(t::text, '|' ORDER BY t::text)), '') FROM {table.name} t"  # noqa: S608
        for table in metadata.sorted_tables
    )
    return dict(rows(stage, each))  # type: ignore[arg-type]


def key_file(stage: Stage) -> Path:
    return stage.bank.path.parent / "seal-keys.json"


def canbao(stage: Stage, *words: str) -> Result:
    """`canbao seals …`, which as a process of its own would have just read the key file."""
    stage.ports.seals.look_again()
    app = create_app(Settings(secrets_dir=key_file(stage).parent), doors=[], ports=stage.ports)
    app.cli.add_command(seals_commands)
    with app.app_context():
        done = app.test_cli_runner().invoke(args=["seals", *words])
    # A refusal ends it with a sentence; anything else is a fault of ours.
    assert done.exception is None or isinstance(done.exception, SystemExit), repr(done.exception)
    return done


# An account's end


def ask(stage: Stage, kind: str, *, key: str, wish: str | None = None) -> RequestView:
    return own_data_requests.make_request(stage.ports, account=stage.account(), kind=kind, wish=wish, idempotency_key=key)


def somebody_verified(stage: Stage) -> World:
    """By the ordinary ways, so that every seal and index was made by its own maker."""
    world = World(stage.ports)
    signed = sign_in(stage.ports, miniprogram=WECHAT, code="mine")
    stage.cast |= {"payer": str(signed.account.id), "token": signed.token, "name": "王小明", "id_number": an_id_number(77)}
    world.agree(signed.account, "REAL_NAME", "FACE")
    prove_name(stage)
    show_face(stage, FaceVerdict.PASSED)
    assert stage.account().person_id is not None
    return world


def something_everywhere(stage: Stage) -> None:
    """A deletion finds something in everything that it touches."""
    world = somebody_verified(stage)
    account, seals, phone = stage.account(), stage.ports.seals, "13800138000"
    given = {"s": seals.seal(phone, place=Account.phone_place(account.id)), "i": seals.index("phone", phone), "id": account.id}
    with stage.ports.begin() as session:
        session.execute(
            text("UPDATE accounts SET phone_sealed = :s, phone_index = :i, phone_masked = '138****8000' WHERE id = :id"), given
        )
        session.execute(text("INSERT INTO message_allowances VALUES (:id, 'T', 3, now())"), given)
        session.execute(
            text("INSERT INTO messages (account_id, template, facts, created_at) VALUES (:id, 'T', '{}', now())"), given
        )
        row_id = new_id()
        session.add(
            EnrollmentApplication(
                id=row_id,
                kind="NEW_ENROLLMENT",
                account_id=account.id,
                person_id=account.person_id,
                miniprogram=account.miniprogram,
                region="320400",
                details_sealed=seals.seal("{}", place=EnrollmentApplication.details_place(row_id)),
                created_at=stage.ports.now(),
                updated_at=stage.ports.now(),
            )
        )
    world.agree(account, "PROXY_PAYMENT")
    ask(stage, "CORRECT", key="correct-1", wish="出生日期有误")


def who_has_paid(stage: Stage) -> None:
    something_everywhere(stage)
    world, account = World(stage.ports), stage.account()
    bills = world.bills(world.enrollment(account.person))
    order = world.order_for(account, world.me_in_list(account), bills)
    stage.pay(order.payment_no)
    stage.hear()
    stage.settle()
    stage.cast["before"] = fingerprint(stage)


def whom_nobody_knows(stage: Stage) -> None:
    something_everywhere(stage)
    stage.cast["before"] = fingerprint(stage)


GONE = {
    "a mark of the holder": "SELECT 1 FROM accounts WHERE id = :id AND num_nonnulls(phone_sealed, phone_index, phone_masked) > 0",
    "what was typed": "SELECT 1 FROM identity_verifications WHERE account_id = :id"
    " AND num_nonnulls(name_sealed, id_number_sealed, name_masked, id_number_masked) > 0",
    "a face's reference": "SELECT 1 FROM face_checks WHERE account_id = :id AND num_nonnulls(reference_sealed, reference_index) > 0",
    "an open face check": "SELECT 1 FROM face_checks WHERE account_id = :id AND state IN ('CREATED', 'PENDING')",
    "a session": "SELECT 1 FROM account_sessions WHERE account_id = :id AND revoked_at IS NULL",
    "a consent": "SELECT 1 FROM consents WHERE account_id = :id AND withdrawn_at IS NULL",
    "a message on its way": "SELECT 1 FROM messages WHERE account_id = :id AND state = 'WAITING'",
    "a frozen request": "SELECT 1 FROM payments p JOIN payment_orders o ON o.id = p.order_id"
    " WHERE o.payer_account_id = :id AND p.request_sealed IS NOT NULL",
    "a wish": "SELECT 1 FROM personal_data_requests WHERE account_id = :id AND (wish_sealed IS NOT NULL OR state = 'RECEIVED')",
    "a draft": "SELECT 1 FROM enrollment_applications WHERE account_id = :id",
    "one whom it paid for": "SELECT 1 FROM insured_persons WHERE account_id = :id",
    "an allowance": "SELECT 1 FROM message_allowances WHERE account_id = :id",
    "a remembered press": "SELECT 1 FROM idempotency_keys WHERE account_id = :id",
}
"""What a deletion leaves nothing of → the question that finds it."""


def may_come_in(stage: Stage) -> bool:
    """By its token or by its openid, which must agree."""
    try:
        authenticate(stage.ports, stage.cast["token"])
    except SignInAgain:
        by_token = False
    else:
        by_token = True
    with stage.ports.begin() as session:
        found = find_account(stage.ports, session, miniprogram=WECHAT, subject="openid-mine")
        by_subject = found is not None and str(found.id) == stage.cast["payer"]
    assert by_token == by_subject
    return by_token


def there_as_before_or_gone(stage: Stage) -> None:
    mine = uuid.UUID(stage.cast["payer"])
    if may_come_in(stage):
        assert fingerprint(stage) == stage.cast["before"], "a deletion that is not through has touched something"
        return
    left = [what for what, sql in GONE.items() if rows(stage, sql, id=mine)]
    assert not left, f"the account is closed and has left {left}"
    assert rows(stage, "SELECT state FROM personal_data_requests WHERE account_id = :id AND kind = 'DELETE'", id=mine) == [
        ("DONE",)
    ]
    # The noise is a seal as everywhere, and no openid.
    account = stage.account()
    assert "openid" not in stage.ports.seals.open(account.subject_sealed, place=Account.subject_place(account.id))


def the_holder_presses_again(stage: Stage) -> None:
    """With the token that the phone still has. Where it is refused, the deletion had gone through."""
    if may_come_in(stage):
        assert ask(stage, "DELETE", key="close-1").state == "DONE"
    with contextlib.suppress(SignInAgain):
        authenticate(stage.ports, stage.cast["token"])
        raise AssertionError("the token outlived the account")


def gone_for_good(stage: Stage) -> None:
    assert not may_come_in(stage)
    there_as_before_or_gone(stage)
    orders = rows(stage, "SELECT count(*) FROM payment_orders WHERE state = 'PAID'")[0][0]
    # Who paid is kept by law; whom nobody knows leaves no name behind.
    assert (stage.account().person_id is not None) == bool(orders)
    assert len(rows(stage, "SELECT id FROM persons")) == orders
    somebody_new = sign_in(stage.ports, miniprogram=WECHAT, code="mine").account
    assert (str(somebody_new.id) != stage.cast["payer"], somebody_new.person_id) == (True, None)


CLOSING = {"again": the_holder_presses_again, "holds": there_as_before_or_gone, "ended": gone_for_good}


@lasting("an account that has paid is closed", prepare=who_has_paid, **CLOSING, by_line=True)
def closed_after_paying(stage: Stage) -> None:
    assert ask(stage, "DELETE", key="close-1").state == "DONE"


@lasting("an account that nobody else knows is closed", prepare=whom_nobody_knows, **CLOSING)
def closed_without_trace(stage: Stage) -> None:
    assert ask(stage, "DELETE", key="close-1").state == "DONE"


def who_is_paying(stage: Stage) -> None:
    a_payer_with_an_order(stage)
    stage.cast["before"] = fingerprint(stage)


def nothing_but_the_request(stage: Stage) -> None:
    now = fingerprint(stage)
    touched = {name for name, hash_ in now.items() if hash_ != stage.cast["before"][name]}
    # The refusal itself; and the verification that was locked, made where none was.
    assert touched <= {"personal_data_requests", "idempotency_keys", "moves", "identity_verifications"}
    assert rows(stage, "SELECT state FROM personal_data_requests") in ([], [("REFUSED",)])
    assert stage.account().closed_at is None


def refused_once(stage: Stage) -> None:
    nothing_but_the_request(stage)
    assert rows(stage, "SELECT state FROM personal_data_requests") == [("REFUSED",)]


def close_in_vain(stage: Stage) -> None:
    assert ask(stage, "DELETE", key="close-1").state == "REFUSED"


lasting(
    "a deletion is refused while an order is being paid",
    prepare=who_is_paying,
    again=close_in_vain,
    holds=nothing_but_the_request,
    ended=refused_once,
)(close_in_vain)


def requests_stand(stage: Stage) -> None:
    """One request for each press, of which none is half answered; and one move for each that came to rest."""
    found = rows(stage, "SELECT state, answer IS NULL, finished_at IS NULL FROM personal_data_requests")
    for state, unanswered, unfinished in found:
        assert (state == "RECEIVED") == unanswered == unfinished
    ((keys, moves),) = rows(
        stage,
        "SELECT (SELECT count(*) FROM idempotency_keys k JOIN personal_data_requests r ON r.id::text = k.result_id),"
        " (SELECT count(*) FROM moves WHERE noun = 'personal_data_request')",
    )
    assert (keys, moves) == (len(found), sum(state != "RECEIVED" for state, *_ in found))
    assert not rows(stage, "SELECT 1 FROM personal_data_requests WHERE state = 'WITHDRAWN' AND wish_sealed IS NOT NULL")


def requests_are_over(stage: Stage) -> None:
    requests_stand(stage)
    assert rows(stage, "SELECT kind, state FROM personal_data_requests ORDER BY 1, 2") == [
        ("COPY", "DONE"),
        ("CORRECT", "DONE"),
        ("CORRECT", "WITHDRAWN"),
    ]
    assert rows(stage, "SELECT DISTINCT who FROM personal_data_accesses WHERE subject_table = 'personal_data_requests'") == [
        ("staff:S1024",)
    ]


def the_holder_and_staff(stage: Stage) -> None:
    """Each press may come again: it finds what it made, and does what is still to be done."""
    ports, account = stage.ports, stage.account()
    ask(stage, "COPY", key="copy-1")
    first = ask(stage, "CORRECT", key="correct-1", wish="出生日期有误")
    own_data_requests.list_requests(ports, account=account)
    own_data_requests.take_back(ports, account=account, request_id=first.id)
    second = ask(stage, "CORRECT", key="correct-2", wish="姓名有误")
    if second.state == "RECEIVED":
        with ports.begin() as session:
            (waiting,) = own_data_requests.waiting_requests(session)
        assert own_data_requests.read_wish(ports, request_id=waiting.id, who="S1024") == "姓名有误"
        own_data_requests.answer_request(ports, request_id=waiting.id, done=True, why="已更正。", who="S1024")


lasting(
    "somebody asks, takes back, and is answered",
    prepare=somebody_verified,
    again=the_holder_and_staff,
    holds=requests_stand,
    ended=requests_are_over,
)(the_holder_and_staff)


# Seals and their keys


def contents(stage: Stage) -> dict[str, str]:
    """What each seal holds, opened with the key file as it lies there now."""
    seals, found = load_seals(key_file(stage)), {}
    for table, column in resealing.sealed_columns():
        for row_id, sealed in rows(stage, f"SELECT id, {column} FROM {table} WHERE {column} IS NOT NULL"):  # noqa: S608
            opened = seals.open_bytes(sealed, place=place(table, column, row_id))
            found[f"{table}.{column}:{row_id}"] = hashlib.sha256(opened).hexdigest()
    return found


def everything_sealed(stage: Stage) -> None:
    who_has_paid(stage)
    for _ in range(3):
        World(stage.ports).person(id_number=an_id_number(len(rows(stage, "SELECT 1 FROM persons")), born="19600101"))
    stage.cast["contents"] = contents(stage)


def under_another_key(stage: Stage) -> None:
    everything_sealed(stage)
    add_key(key_file(stage), algorithm="AES-256-GCM")


def every_seal_opens(stage: Stage) -> None:
    """To what it held, under its old key or its new one; and the file is a key file."""
    assert contents(stage) == stage.cast["contents"]


def reseal_the_rest(stage: Stage) -> None:
    while resealing.reseal(stage.ports):
        pass


def under_one_key(stage: Stage) -> None:
    every_seal_opens(stage)
    with stage.ports.begin() as session:
        assert {each.key_id for each in resealing.count_seals(session)} == {load_seals(key_file(stage)).current}


@lasting(
    "old rows are sealed anew", prepare=under_another_key, again=reseal_the_rest, holds=every_seal_opens, ended=under_one_key
)
def sealed_anew(stage: Stage) -> None:
    resealing.BATCH = 2  # type: ignore[misc]
    assert resealing.reseal(stage.ports) > 5
    assert resealing.tell_lost_seals(stage.ports) == 0


def as_if_two_minutes_ago(stage: Stage) -> None:
    """An operator waits for processes that have not looked at the file yet."""
    long_ago = time.time() - 600
    os.utime(key_file(stage), (long_ago, long_ago))


def turn_the_key(stage: Stage) -> None:
    assert canbao(stage, "new-key").exit_code == 0
    assert canbao(stage, "reseal").exit_code == 0
    retire_the_old(stage)


def retire_the_old(stage: Stage) -> None:
    seals = load_seals(key_file(stage))
    for key_id in seals.key_ids:
        if key_id != seals.current:
            as_if_two_minutes_ago(stage)
            done = canbao(stage, "retire-key", key_id)
            assert done.exit_code == 0, done.output
    assert canbao(stage, "status").exit_code == 0


def the_operator_turns_the_key_again(stage: Stage) -> None:
    """Whoever does not know how far it came begins anew."""
    turn_the_key(stage)


def under_the_one_key_there_is(stage: Stage) -> None:
    under_one_key(stage)
    assert load_seals(key_file(stage)).key_ids == [load_seals(key_file(stage)).current]


@lasting(
    "a seal key turns",
    prepare=everything_sealed,
    again=the_operator_turns_the_key_again,
    holds=every_seal_opens,
    ended=under_the_one_key_there_is,
    by_line=True,
)
def key_turned(stage: Stage) -> None:
    resealing.BATCH = 5  # type: ignore[misc]
    turn_the_key(stage)


# The blind indexes


def living(how: index_rebuilding.Indexed) -> str:
    """A closed account's index is noise until a rebuild makes it from its seal, which is noise too."""
    return "closed_at IS NULL" if how.table == "accounts" else "true"


def keys_that_fit(stage: Stage) -> set[int]:
    """Which index keys of the file every index fits, 0 the one in force. More than one row never fits two keys."""
    seals = load_seals(key_file(stage))
    fits = set(range(len(seals._ring.index_keys)))
    for how in index_rebuilding.INDEXED:
        found = rows(
            stage,
            f"SELECT id, {how.index}, {how.sealed}, {how.beside or 'NULL'} FROM {how.table} "  # noqa: S608 - our own names
            f"WHERE {how.index} IS NOT NULL AND {how.sealed} IS NOT NULL AND {living(how)}",
        )
        for row_id, index, sealed, beside in found:
            words = how.words if how.beside is None else (*how.words, beside)
            try:
                opened = seals.open(sealed, place=place(how.table, how.sealed, row_id))
            except SealBroken:
                continue
            value = str(json.loads(opened)[0]) if how.is_first_of_json else opened
            fits &= {at for at, key in enumerate(seals._ring.index_keys) if _index(key, (*words, value)) == bytes(index)}
    return fits


def people_in_many_indexes(stage: Stage) -> None:
    who_has_paid(stage)
    own_data_requests.make_request(
        stage.ports,
        account=World(stage.ports).account(verified=False),
        kind="DELETE",
        wish=None,
        idempotency_key="a-closed-account",
    )
    for each in range(4):
        World(stage.ports).person(id_number=an_id_number(each, born="19600101"))


def with_one_broken_seal(stage: Stage) -> None:
    """The last of them, so that others are made anew before it is met."""
    people_in_many_indexes(stage)
    with stage.ports.begin() as session:
        session.execute(
            text(
                "UPDATE persons SET id_number_sealed = name_sealed WHERE id = (SELECT id FROM persons ORDER BY id DESC LIMIT 1)"
            )
        )
    stage.cast["keys"] = key_file(stage).read_text()


def never_two_keys(stage: Stage) -> None:
    """Equal values under two keys would be two people; and while the house may open, the key in force finds everybody."""
    fits = keys_that_fit(stage)
    rebuilding = load_seals(key_file(stage)).is_rebuilding_indexes
    assert len(fits) == 1, "some rows stand under one index key and some under another"
    assert rebuilding or fits == {0}, "a house opens in which nobody is found"


def rebuild_through(stage: Stage) -> Result:
    """The operator's next try. Whoever was killed may still be connected for a moment: then the house is not closed yet."""
    until = time.monotonic() + 10
    while "stop web" in (done := _rebuild(stage)).output and time.monotonic() < until:
        time.sleep(0.05)
    return done


def _rebuild(stage: Stage) -> Result:
    stage.ports.sessions.kw["bind"].dispose()
    return canbao(stage, "rebuild-indexes")


def rebuild_again(stage: Stage) -> None:
    done = rebuild_through(stage)
    assert done.exit_code == 0, done.output


def everybody_is_found(stage: Stage) -> None:
    never_two_keys(stage)
    assert not load_seals(key_file(stage)).is_rebuilding_indexes
    stage.ports.seals.look_again()
    assert may_come_in(stage)
    index = stage.ports.seals.index("id_number", stage.cast["id_number"])
    assert rows(stage, "SELECT count(*) FROM persons WHERE id_number_index = :index", index=index) == [(1,)]


@lasting(
    "the index key turns",
    prepare=people_in_many_indexes,
    again=rebuild_again,
    holds=never_two_keys,
    ended=everybody_is_found,
)
def index_key_turned(stage: Stage) -> None:
    index_rebuilding.BATCH = 2  # type: ignore[misc]
    rebuild_again(stage)


def refused_again(stage: Stage) -> None:
    done = rebuild_through(stage)
    assert (done.exit_code, "persons.id_number_sealed of row" in done.output) == (1, True), done.output


def the_house_opens_as_it_was(stage: Stage) -> None:
    assert key_file(stage).read_text() == stage.cast["keys"]
    everybody_is_found(stage)


@lasting(
    "the index key cannot turn, for a seal is broken",
    prepare=with_one_broken_seal,
    again=refused_again,
    holds=never_two_keys,
    ended=the_house_opens_as_it_was,
    by_line=True,
)
def index_key_refused(stage: Stage) -> None:
    index_rebuilding.BATCH = 2  # type: ignore[misc]
    refused_again(stage)


def with_a_rebuild_begun_and_a_broken_seal(stage: Stage) -> None:
    """Somebody was killed after the file had its new key, and before any row had."""
    with_one_broken_seal(stage)
    add_index_key(key_file(stage))


lasting(
    "a rebuild that was begun goes on and meets a broken seal",
    prepare=with_a_rebuild_begun_and_a_broken_seal,
    again=refused_again,
    holds=never_two_keys,
    ended=the_house_opens_as_it_was,
)(index_key_refused)


# The audit chain


def nothing_altered(stage: Stage) -> None:
    """The walk over the chain, and the same by hand: blocks end to end, none twice, and each as many rows as it says."""
    assert audit_chain.verify(stage.ports).faults == []
    for source in audit_chain.SOURCES:
        blocks = rows(
            stage, "SELECT first_id, last_id, row_count FROM audit_blocks WHERE source = :source ORDER BY id", source=source
        )
        ends = 0
        for first, last, count in blocks:
            assert first == ends + 1 <= last
            between = f"SELECT count(*) FROM {source} WHERE id BETWEEN :first AND :last"  # noqa: S608 - our own names
            assert rows(stage, between, first=first, last=last) == [(count,)]
            ends = last


def chain_the_rest(stage: Stage) -> None:
    while audit_chain.chain_audit(stage.ports):
        pass


def all_of_it_under_blocks(stage: Stage) -> None:
    nothing_altered(stage)
    assert set(audit_chain.verify(stage.ports).not_yet.values()) == {0}
    for source in audit_chain.SOURCES:
        under = "SELECT coalesce(sum(row_count), 0) FROM audit_blocks WHERE source = :source"
        assert rows(stage, under, source=source) == rows(stage, f"SELECT count(*) FROM {source}")  # noqa: S608 - our own names


CHAIN = {"prepare": who_has_paid, "again": chain_the_rest, "holds": nothing_altered, "ended": all_of_it_under_blocks}


@lasting("what happened is put under blocks", **CHAIN)
def chained(stage: Stage) -> None:
    audit_chain.A_BLOCK = 2  # type: ignore[misc]
    assert audit_chain.chain_audit(stage.ports) > 6
    assert audit_chain.verify(stage.ports).faults == []


@lasting("somebody is still writing while the chain is made", **CHAIN)
def chained_beside_a_writer(stage: Stage) -> None:
    """Who ends when the chain has looked for writers twice."""
    engine = create_engine(stage.ports.sessions.kw["bind"].url)
    writer = engine.connect()
    writer.execute(
        text(
            "INSERT INTO moves (noun, row_id, from_state, to_state, why, who, at)"
            " VALUES ('story', '1', 'A', 'B', 'story.told', 'system', now())"
        )
    )
    writers, looks = audit_chain._writers, itertools.count(1)

    def look(session: Session, source: str) -> set[str]:
        found = writers(session, source)
        if next(looks) == 2:
            assert found
            writer.commit()
        return found

    audit_chain._writers = look
    assert audit_chain.chain_audit(stage.ports) > 6
    writer.close()
    engine.dispose()
