"""Small use cases, each played by a process that may be killed anywhere on the way.

A story prepares its world (in the test's own process), acts (in the doomed one), and knows what the phone does when it comes back.
Every commit and every provider call of the money path must be passed by at least one of them: a new one without a story fails
`test_every_point_of_the_money_path_is_passed_by_a_story`.
"""

from __future__ import annotations

import contextlib
import uuid
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Self

from sqlalchemy import create_engine, select, text

from models.accounts import Account
from models.applications import DecisionReason
from models.identity import CounterDocument, CounterRefusal, FaceCheck
from models.payments import Payment
from models.reviews import ReviewOverride
from providers.protocols import FaceVerdict
from services import (
    bank_card_checks,
    counter_checks,
    counter_codes,
    face_checks,
    identity_asking,
    inbox,
    order_views,
    orders,
    real_names,
    review_overrides,
    review_queue,
    reviews,
)
from services.errors import BillsReserved, BusinessError, CannotCancel, ProviderUnavailable, RealNameRequired, RequestInFlight
from services.payments import ask_about_silence, close_stale
from services.review_staff import note_person
from services.settlement import settle
from tests.crash.bank import Bank
from tests.factories import ALIPAY, WECHAT, World, an_id_number
from tests.reviewing import REVIEWER, SUPERVISOR, an_application

if TYPE_CHECKING:
    from collections.abc import Callable

    from services.face_checks import FaceCheckView
    from services.order_views import OrderView
    from services.ports import Ports

STORIES: dict[str, Story] = {}


@dataclass(kw_only=True)
class Stage:
    """What an act works with: the house, the providers, and who is in the play (plain values only)."""

    ports: Ports
    bank: Bank
    cast: dict[str, Any]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.ports.sessions.kw["bind"].dispose()

    def account(self, who: str = "payer") -> Account:
        with self.ports.begin() as session:
            account = session.get_one(Account, uuid.UUID(self.cast[who]))
            session.expunge_all()
            return account

    def place(self, who: str = "payer", *, key: str = "key-1") -> OrderView:
        new = orders.NewOrder(
            insured_person_id=uuid.UUID(self.cast[f"{who}_pays_for"]),
            bill_nos=tuple(self.cast["bills"]),
            expected_amount_fen=self.cast["total_fen"],
        )
        return orders.place_order(self.ports, account=self.account(who), new=new, idempotency_key=key)

    def pay(self, payment_no: str) -> bool:
        return self.bank.pay(payment_no, at=self.ports.now())

    def hear(self) -> None:
        """Every notice that is in the post."""
        for miniprogram, news in self.bank.outbox():
            inbox.receive(self.ports, miniprogram=miniprogram, news=news, raw=b"raw")

    def settle(self) -> None:
        while settle(self.ports):
            pass

    def move(self, **by: float) -> None:
        self.ports.clock.move(**by)  # type: ignore[attr-defined]

    def payment_nos(self) -> list[str]:
        with self.ports.begin() as session:
            return list(session.scalars(select(Payment.payment_no).order_by(Payment.created_at)))


@dataclass(kw_only=True)
class Story:
    """One use case."""

    prepare: Callable[[Stage], object]
    act: Callable[[Stage], None]
    again: Callable[[Stage], None]
    """What the phone does when it comes back."""
    repair: Callable[[Stage], None] = lambda _stage: None
    """What a person does before the sweeps can end it."""
    sweep: Callable[[Stage], None] = lambda _stage: None
    """What else goes on by itself, again and again, here and across the street."""
    facts: dict[str, Any] = field(default_factory=dict)


def story(name: str, **more: Any) -> Callable[[Callable[[Stage], None]], Callable[[Stage], None]]:
    def tell(act: Callable[[Stage], None]) -> Callable[[Stage], None]:
        given = {"prepare": a_payer_with_a_bill, "again": the_phone_comes_back, **more}
        STORIES[name] = Story(act=act, **given)
        return act

    return tell


def a_payer_with_a_bill(stage: Stage, *, miniprogram: str = WECHAT) -> World:
    world = World(stage.ports)
    person = world.person()
    bills = [
        bill
        for insurance_type in ("110", "310")
        for bill in world.bills(world.enrollment(person, insurance_type=insurance_type))
    ]
    payer = world.account(person, miniprogram=miniprogram)
    stage.cast |= {
        "payer": str(payer.id),
        "payer_pays_for": str(world.me_in_list(payer)),
        "bills": [bill.bill_no for bill in bills],
        "total_fen": sum(bill.amount_fen for bill in bills),
    }
    return world


def a_payer_with_an_order(stage: Stage) -> None:
    a_payer_with_a_bill(stage, miniprogram=ALIPAY)
    stage.cast["order_no"] = stage.place().order_no


def an_order_somewhere(stage: Stage) -> OrderView | None:
    """What the phone finds when it presses the same button again: the same order, or a new one where none was kept."""
    for _ in range(3):
        try:
            return stage.place()
        except RequestInFlight:
            stage.move(seconds=16)
        except BillsReserved as held:
            # It was there already, under another key of this person.
            if "order_no" in held.facts:
                return order_views.read_order(stage.ports, account=stage.account(), order_no=held.facts["order_no"])
            stage.move(seconds=61)
        except BusinessError:
            return None
    return None


def the_phone_comes_back(stage: Stage) -> None:
    """The same press again, then a look, then the cashier if it opens."""
    order = an_order_somewhere(stage)
    if order is None:
        return
    order = orders.refresh_order(stage.ports, account=stage.account(), order_no=order.order_no)
    if order.launch is not None:
        stage.pay(order.payment_no)
    stage.move(seconds=4)
    orders.refresh_order(stage.ports, account=stage.account(), order_no=order.order_no)


@story("an order is paid and its notice comes")
def paid_and_heard(stage: Stage) -> None:
    order = stage.place()
    stage.pay(order.payment_no)
    stage.hear()
    stage.settle()


@story("an order is paid and nobody says so")
def paid_and_not_heard(stage: Stage) -> None:
    order = stage.place()
    stage.pay(order.payment_no)
    stage.move(seconds=6)
    ask_about_silence(stage.ports)


@story("an order is paid and the payer looks", prepare=a_payer_with_an_order)
def paid_and_looked_at(stage: Stage) -> None:
    stage.pay(stage.payment_nos()[0])
    stage.move(seconds=4)
    orders.refresh_order(stage.ports, account=stage.account(), order_no=stage.cast["order_no"])
    order_views.list_orders(stage.ports, account=stage.account())


@story("an order is paid, its notice waits, and the payer looks", prepare=a_payer_with_an_order)
def paid_waiting_and_looked_at(stage: Stage) -> None:
    stage.pay(stage.payment_nos()[0])
    stage.hear()
    orders.refresh_order(stage.ports, account=stage.account(), order_no=stage.cast["order_no"])


@story("an order is paid and its notice finds a lost connection")
def heard_over_a_lost_connection(stage: Stage) -> None:
    stage.pay(stage.place().payment_no)
    engine = stage.ports.sessions.kw["bind"]
    with engine.connect() as connection:
        pooled = connection.scalar(text("SELECT pg_backend_pid()"))
    other = create_engine(engine.url)
    with other.connect() as connection:
        connection.execute(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": pooled})
    other.dispose()
    stage.hear()
    stage.settle()


def a_paid_order(stage: Stage) -> None:
    a_payer_with_an_order(stage)
    stage.pay(stage.payment_nos()[0])
    stage.hear()
    stage.settle()


@story("a paid order is looked at", prepare=a_paid_order)
def looked_at(stage: Stage) -> None:
    orders.refresh_order(stage.ports, account=stage.account(), order_no=stage.cast["order_no"])


@story("an order is cancelled", prepare=a_payer_with_an_order)
def cancelled(stage: Stage) -> None:
    orders.cancel_order(stage.ports, account=stage.account(), order_no=stage.cast["order_no"])


@story("an order is cancelled when it was paid", prepare=a_payer_with_an_order)
def cancelled_too_late(stage: Stage) -> None:
    stage.pay(stage.payment_nos()[0])
    with contextlib.suppress(CannotCancel):
        orders.cancel_order(stage.ports, account=stage.account(), order_no=stage.cast["order_no"])


@story("an order lapses", prepare=a_payer_with_an_order)
def lapsed(stage: Stage) -> None:
    stage.move(minutes=31)
    close_stale(stage.ports)


@story("an order lapses and the close gets no answer", prepare=a_payer_with_an_order)
def lapsed_in_silence(stage: Stage) -> None:
    stage.bank.will_fail("close", "silent")
    stage.move(minutes=31)
    close_stale(stage.ports)
    close_stale(stage.ports)


@story("an opening gets no answer, though it was made")
def opened_in_silence(stage: Stage) -> None:
    stage.bank.will_fail("open_payment", "silent")
    order = stage.place()
    stage.move(seconds=16)
    orders.refresh_order(stage.ports, account=stage.account(), order_no=order.order_no)
    stage.pay(order.payment_no)
    stage.hear()
    stage.settle()


@story("an opening never arrived")
def never_opened(stage: Stage) -> None:
    stage.bank.will_fail("open_payment", "unreachable")
    order = stage.place()
    stage.move(minutes=31)
    close_stale(stage.ports)
    assert not stage.pay(order.payment_no)


@story("an opening is refused for good")
def refused(stage: Stage) -> None:
    stage.bank.will_fail("open_payment", "refused")
    with contextlib.suppress(BusinessError):
        stage.place()


def a_stranger_holds_the_months(stage: Stage) -> None:
    world = a_payer_with_a_bill(stage)
    with stage.ports.begin() as session:
        person = session.get_one(Account, uuid.UUID(stage.cast["payer"])).person
        session.expunge_all()
    stranger, relation = world.payer_for(person)
    stage.cast |= {"stranger": str(stranger.id), "stranger_pays_for": str(relation)}
    stage.place("stranger", key="stranger-1")


@story("the insured person's own wish goes first", prepare=a_stranger_holds_the_months)
def own_wish_first(stage: Stage) -> None:
    stage.place()


@story("the insured person's own wish meets a stranger who has paid", prepare=a_stranger_holds_the_months)
def own_wish_too_late(stage: Stage) -> None:
    stage.pay(stage.payment_nos()[0])
    with contextlib.suppress(BusinessError):
        stage.place()


def two_paid_orders_and_a_month_already_on_record(stage: Stage) -> None:
    """One of two notices of a batch meets a constraint: the batch is rolled back and taken one by one."""
    world = World(stage.ports)
    _, first = world.order("2026-11")
    _, second = world.order("2026-11")
    with stage.ports.begin() as session:
        session.execute(
            text(
                "INSERT INTO contribution_records (enrollment_id, insurance_type, coverage_month, kind, bill_id, payment_id, amount_fen,"
                " state, paid_at) SELECT b.enrollment_id, b.insurance_type, b.coverage_month, b.kind, b.id, p.id, b.amount_fen, 'PAID', now()"
                " FROM payments p JOIN payment_order_lines l ON l.order_id = p.order_id JOIN contribution_bills b ON b.id = l.bill_id"
                " WHERE p.payment_no = :no"
            ),
            {"no": first.payment_no},
        )
    stage.cast["taken"] = first.payment_no
    for payment_no in (first.payment_no, second.payment_no):
        stage.pay(payment_no)
    stage.hear()


def nobody(_stage: Stage) -> None:
    """Nobody's phone is in this story."""


@story("a batch is taken apart", prepare=two_paid_orders_and_a_month_already_on_record, again=nobody)
def taken_apart(stage: Stage) -> None:
    settle(stage.ports)


POISON = "ALTER TABLE transfers ADD CONSTRAINT poison CHECK (amount_fen = 0) NOT VALID"


def a_database_that_objects(stage: Stage) -> None:
    """Some constraint says no to whatever is tried: a bug of tomorrow."""
    a_payer_with_an_order(stage)
    with stage.ports.begin() as session:
        session.execute(text(POISON))
    stage.pay(stage.payment_nos()[0])


def the_cause_is_removed(stage: Stage) -> None:
    with stage.ports.begin() as session:
        session.execute(text("ALTER TABLE transfers DROP CONSTRAINT poison"))


def a_notice_that_could_not_be_booked(stage: Stage) -> None:
    a_database_that_objects(stage)
    stage.hear()
    stage.settle()
    the_cause_is_removed(stage)


@story("a person has the notice settled again", prepare=a_notice_that_could_not_be_booked)
def settled_again(stage: Stage) -> None:
    with stage.ports.begin() as session:
        (row,) = inbox.parked(session)
    inbox.settle_again(stage.ports, notice_id=str(row.id), reason="冲突已排除", who="S1024")
    stage.settle()


@story("a notice cannot be settled at all", prepare=a_database_that_objects, repair=the_cause_is_removed)
def cannot_be_settled(stage: Stage) -> None:
    stage.hear()
    stage.settle()


def money_from_nowhere(stage: Stage) -> None:
    stage.bank.stray("NOBODYASKEDFORTHIS000001", merchant="1900003204", amount_fen=12345, at=stage.ports.now())


@story("money comes that nobody asked for", prepare=money_from_nowhere, again=nobody, facts={"unclaimed": 1})
def unclaimed(stage: Stage) -> None:
    stage.hear()
    stage.settle()
    with stage.ports.begin() as session:
        (row,) = inbox.parked(session)
    inbox.resolve(stage.ports, notice_id=str(row.id), reason="已原路退回", who="S1024")


@story("money goes back at the merchant's portal", prepare=a_payer_with_an_order)
def sent_back(stage: Stage) -> None:
    payment_no = stage.payment_nos()[0]
    stage.pay(payment_no)
    stage.bank.refund(payment_no, 100, at=stage.ports.now())
    stage.hear()
    stage.settle()


# Applications under review


def applications_in_the_queue(stage: Stage) -> None:
    world = World(stage.ports)
    stage.cast["cases"] = {
        name: str(an_application(world, **more).id)
        for name, more in {
            "good": {},
            "bad": {},
            "unclear": {"region": "650000"},
            "stranger": {"hukou_division": "110101", "residence_division": "110101"},
            "forgotten": {},
        }.items()
    }


def in_the_office(stage: Stage) -> None:
    """A morning: each step may have been done before, and whoever does it again does no harm."""
    ports, cases = stage.ports, {name: uuid.UUID(value) for name, value in stage.cast["cases"].items()}
    here = {"version": 1, "reviewer": REVIEWER}
    no = {"reason": DecisionReason.DOCUMENT_MISSING, "remark": "缺少居住证"}
    note_person(ports, who="S1001", id_number=an_id_number(4321), by="S2001")
    review_queue.stand_of_queue(ports, reviewer=REVIEWER)
    review_queue.list_queue(ports, reviewer=REVIEWER)
    review_queue.place_of(ports, application_id=cases["good"])
    for application_id in cases.values():
        with contextlib.suppress(BusinessError):
            reviews.take_up(ports, application_id=application_id, reviewer=REVIEWER)
    with contextlib.suppress(BusinessError):
        reviews.look_at(ports, application_id=cases["good"], reviewer=REVIEWER)
    with contextlib.suppress(BusinessError):
        reviews.approve(ports, application_id=cases["good"], **here)
    with contextlib.suppress(BusinessError):
        reviews.reject(ports, application_id=cases["bad"], **here, **no)
    with contextlib.suppress(BusinessError):
        reviews.put_back(ports, application_id=cases["unclear"], reviewer=REVIEWER)
    with contextlib.suppress(BusinessError):
        reviews.take_up(ports, application_id=cases["unclear"], reviewer=REVIEWER)
    with contextlib.suppress(BusinessError):
        reviews.give_back(ports, application_id=cases["unclear"], **here, **no)
    with contextlib.suppress(BusinessError):
        review_overrides.ask_override(ports, application_id=cases["stranger"], reason="迁移证明已当面核对", **here)
    with ports.begin() as session:
        asked = session.scalar(select(ReviewOverride.id).where(ReviewOverride.state == "ASKED"))
    if asked is not None:
        assert review_overrides.application_of(ports, override_id=asked) == cases["stranger"]
        review_overrides.decide_override(ports, override_id=asked, grant=True, reviewer=SUPERVISOR)
    with contextlib.suppress(BusinessError):
        reviews.approve(ports, application_id=cases["stranger"], **here)
    stage.move(days=3)
    review_queue.count_overdue(ports)
    reviews.put_back_forgotten(ports)
    reviews.tell_overdue(ports)


@story("applications are taken up, looked at and decided", prepare=applications_in_the_queue, again=in_the_office)
def reviewed(stage: Stage) -> None:
    in_the_office(stage)


# Identity


def somebody_not_verified(stage: Stage) -> None:
    world = World(stage.ports)
    account = world.account(verified=False)
    world.agree(account, "REAL_NAME", "FACE", "BANK_CARD")
    stage.cast |= {"payer": str(account.id), "name": "王小明", "id_number": an_id_number(77)}


def somebody_with_a_proven_name(stage: Stage) -> None:
    somebody_not_verified(stage)
    prove_name(stage)


def prove_name(stage: Stage) -> None:
    with contextlib.suppress(BusinessError):
        real_names.prove_name(
            stage.ports, account=stage.account(), name=stage.cast["name"], id_number=stage.cast["id_number"], phone=None
        )


def start_face(stage: Stage, *, key: str | None = None) -> FaceCheckView:
    return face_checks.start_face_check(stage.ports, account=stage.account(), idempotency_key=key or uuid.uuid4().hex)


def decide_face(stage: Stage, view: FaceCheckView, verdict: FaceVerdict) -> str:
    """Before the camera; answers what the platform calls the check."""
    with stage.ports.begin() as session:
        check_no = session.get_one(FaceCheck, view.id).check_no
    stage.bank.change(lambda known: known["faces"].update({check_no: verdict}))
    return f"face-{check_no}"


def show_face(stage: Stage, verdict: FaceVerdict) -> None:
    view = start_face(stage)
    decide_face(stage, view, verdict)
    face_checks.finish_face_check(stage.ports, account=stage.account(), check_id=view.id)


def the_person_tries_again(stage: Stage) -> None:
    """From the beginning, as a person would: whatever was left behind must not be in the way."""
    stage.move(minutes=16)
    face_checks.expire_face_checks(stage.ports)
    for _ in range(2):
        # The trouble that the story had in store may be still to come.
        if stage.account().person_id is None:
            prove_name(stage)
            with contextlib.suppress(ProviderUnavailable, RealNameRequired):
                show_face(stage, FaceVerdict.PASSED)
    assert stage.account().person_id is not None


PERSON = {"prepare": somebody_with_a_proven_name, "again": the_person_tries_again}


@story("a name is proven", prepare=somebody_not_verified, again=the_person_tries_again)
def name_proven(stage: Stage) -> None:
    prove_name(stage)


@story("a name cannot be checked", prepare=somebody_not_verified, again=the_person_tries_again)
def name_not_checked(stage: Stage) -> None:
    stage.bank.will_fail("check", "unreachable")
    prove_name(stage)


@story("a face passes", **PERSON)
def face_passes(stage: Stage) -> None:
    show_face(stage, FaceVerdict.PASSED)


@story("a face passes and the phone never comes back", **PERSON)
def face_passes_in_silence(stage: Stage) -> None:
    decide_face(stage, start_face(stage), FaceVerdict.PASSED)
    stage.move(seconds=21)
    identity_asking.ask_face_checks(stage.ports)


@story("a face passes and the platform calls back", **PERSON)
def face_passes_and_is_called_back(stage: Stage) -> None:
    reference = decide_face(stage, start_face(stage), FaceVerdict.PASSED)
    identity_asking.hear_of_face(stage.ports, reference)
    identity_asking.ask_face_checks(stage.ports)


@story("a face is declined", **PERSON)
def face_declined(stage: Stage) -> None:
    show_face(stage, FaceVerdict.DECLINED)


@story("a face check cannot be started", **PERSON)
def face_not_started(stage: Stage) -> None:
    stage.bank.will_fail("start", "unreachable")
    with contextlib.suppress(BusinessError):
        start_face(stage)


@story("a face check is abandoned", **PERSON)
def face_abandoned(stage: Stage) -> None:
    start_face(stage)
    stage.move(minutes=16)
    face_checks.expire_face_checks(stage.ports)


@story("a face check is asked for twice", **PERSON)
def face_asked_for_twice(stage: Stage) -> None:
    start_face(stage, key="face-1")
    start_face(stage, key="face-1")


@story("somebody looks at a face check", **PERSON)
def face_looked_at(stage: Stage) -> None:
    view = start_face(stage)
    face_checks.read_face_check(stage.ports, account=stage.account(), check_id=view.id)


def check_card(stage: Stage, *, key: str | None = None) -> None:
    with contextlib.suppress(BusinessError):
        bank_card_checks.check_bank_card(
            stage.ports,
            account=stage.account(),
            card_number="6228480402564890018",
            phone="13800138000",
            idempotency_key=key or uuid.uuid4().hex,
        )


def the_person_takes_the_card_again(stage: Stage) -> None:
    """The same press comes back, and where that one was lost, another."""
    check_card(stage, key="card-1")
    stage.move(seconds=16)
    check_card(stage, key="card-1")
    if stage.account().person_id is None:
        prove_name(stage)
        check_card(stage)
    assert stage.account().person_id is not None


@story("a bank card is matched", prepare=somebody_with_a_proven_name, again=the_person_takes_the_card_again)
def card_matched(stage: Stage) -> None:
    check_card(stage, key="card-1")
    check_card(stage, key="card-1")


@story("a face check is left for a bank card", prepare=somebody_with_a_proven_name, again=the_person_takes_the_card_again)
def card_after_face(stage: Stage) -> None:
    start_face(stage)
    check_card(stage, key="card-1")


@story("a bank does not answer", prepare=somebody_with_a_proven_name, again=the_person_takes_the_card_again)
def card_unanswered(stage: Stage) -> None:
    stage.bank.will_fail("check", "unreachable")
    check_card(stage, key="card-1")
    bank_card_checks.end_silent_checks(stage.ports)


def somebody_at_the_counter(stage: Stage) -> None:
    somebody_not_verified(stage)
    stage.cast["code"] = counter_codes.open_counter_check(stage.ports, account=stage.account(), idempotency_key="code-1").code


def two_of_the_staff(stage: Stage, code: str) -> None:
    given = {"name": stage.cast["name"], "id_number": stage.cast["id_number"], "document": CounterDocument.ID_CARD}
    with contextlib.suppress(BusinessError):
        counter_checks.attest(stage.ports, code=code, site="CHANGZHOU", who="S1024", **given)
    with contextlib.suppress(BusinessError):
        counter_checks.look_at(stage.ports, code=code, who="S2048")
        counter_checks.confirm(stage.ports, code=code, who="S2048")


def the_staff_try_again(stage: Stage) -> None:
    """With a code told again, or a new one where the first is over."""
    if stage.account().person_id is None:
        view = counter_codes.open_counter_check(stage.ports, account=stage.account(), idempotency_key=uuid.uuid4().hex)
        two_of_the_staff(stage, view.code or "")
    assert stage.account().person_id is not None


@story("a person is seen at the counter", prepare=somebody_not_verified, again=the_staff_try_again)
def seen_at_the_counter(stage: Stage) -> None:
    view = counter_codes.open_counter_check(stage.ports, account=stage.account(), idempotency_key="code-1")
    assert view.code is not None
    two_of_the_staff(stage, view.code)
    counter_codes.read_counter_check(stage.ports, account=stage.account())


@story("the staff refuse somebody", prepare=somebody_at_the_counter, again=the_staff_try_again)
def refused_at_the_counter(stage: Stage) -> None:
    counter_checks.list_attested(stage.ports)
    counter_checks.refuse(stage.ports, code=stage.cast["code"], why=CounterRefusal.NOT_THE_HOLDER, who="S1024")


@story("a code for the counter is taken back", prepare=somebody_at_the_counter, again=the_staff_try_again)
def code_taken_back(stage: Stage) -> None:
    counter_codes.withdraw_counter_check(stage.ports, account=stage.account())


@story("a code for the counter lapses", prepare=somebody_at_the_counter, again=the_staff_try_again)
def code_lapses(stage: Stage) -> None:
    stage.move(hours=9)
    counter_codes.expire_counter_checks(stage.ports)


SWEEP_STEPS = tuple(timedelta(seconds=seconds) for seconds in (6, 31, 121, 601, 1300, 3601))
"""The clock after a death: each question of the ladder, the lapse of every order, and an hour more."""
