"""Money at windows and bank counters, through the sandbox: its UnionPay and its partner bank speak to a letterbox over real HTTP."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest
from werkzeug.serving import make_server

from app import create_app
from config.clock import SystemClock, beijing_date
from config.settings import Settings
from models.identity import CounterDocument
from providers.counters.build import build_counters
from providers.unionpay.build import build_pos
from sandbox.keys import issue
from sandbox.remote import Sandbox
from sandbox.server import serve_in_thread
from sandbox.world import WORLD
from services import counter_orders
from services.payments import ask_about_silence
from services.refund_sending import return_surplus, send_refunds
from tests.conftest import MovableClock, fresh_database, ports_to
from tests.factories import COUNTER, POS, World, an_id_number

if TYPE_CHECKING:
    from collections.abc import Iterator

    from models.bills import ContributionBill
    from services.counter_orders import CounterOrderView

pytestmark = pytest.mark.timeout(120)
NUMBERS = iter(range(1, 500))


@dataclass
class Street:
    """Ours on one side, the sandbox on the other."""

    world: World
    sandbox: Sandbox
    clock: MovableClock

    def somebody(self) -> tuple[str, list[ContributionBill]]:
        number = an_id_number(next(NUMBERS), born="19820808")
        person = self.world.person(id_number=number)
        self.world.account(person)
        month = beijing_date(self.clock.now()).strftime("%Y-%m")
        return number, self.world.bills(self.world.enrollment(person, start_month=int(month.replace("-", ""))), month)

    def order(self, number: str) -> CounterOrderView:
        at = {"site": "CHANGZHOU", "document": CounterDocument.ID_CARD}
        found = counter_orders.look_for(self.world.ports, name="张三丰", id_number=number, by="S1024", **at)
        new = counter_orders.NewCounterOrder(
            person_id=found.person_id,
            bill_nos=tuple(each.bill_no for each in found.bills),
            expected_amount_fen=sum(each.amount_fen for each in found.bills),
            **at,
        )
        return counter_orders.make_counter_order(self.world.ports, new=new, by="S1024")

    def at_counter(self, number: str, bills: list[ContributionBill], **more: Any) -> dict[str, Any]:
        due = sum(bill.amount_fen for bill in bills)
        given = {"name": "张三丰", "id_number": number, "bill_nos": [bill.bill_no for bill in bills], "amount_fen": due, **more}
        return self.sandbox.pay_at_counter(COUNTER, **given)

    def rest(self) -> None:
        """Every notice is delivered, everything is settled, and what is owed goes back."""
        assert self.sandbox.wait_until_delivered()
        self.world.settle()
        return_surplus(self.world.ports)
        for _ in range(2):
            self.clock.move(seconds=62)
            send_refunds(self.world.ports)
        self.world.settle()

    def state(self, bill: ContributionBill) -> str:
        return self.world.scalar("SELECT state FROM contribution_bills WHERE id = :id", id=bill.id)

    def agree(self) -> None:
        """Each clearing account holds what the sandbox holds, to the fen."""
        books = {
            name.removeprefix("clearing:"): fen for name, fen in self.world.balances().items() if name.startswith("clearing:")
        }
        assert books == {account: fen for account, fen in self.sandbox.money().items() if fen}


@pytest.fixture(scope="module")
def street(server, template, rulebook, seals, tmp_path_factory) -> Iterator[Street]:
    folder, clock = tmp_path_factory.mktemp("street"), MovableClock(SystemClock().now())
    issue(folder / "home", folder / "secrets", WORLD)
    with fresh_database(server, template) as url, ports_to(url, rulebook=rulebook, seals=seals, clock=clock) as ports:
        app = create_app(Settings(), doors=["webhooks"], ports=ports)
        letterbox = make_server("127.0.0.1", 0, app, threaded=True)
        serving = threading.Thread(target=letterbox.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        serving.start()
        our_url = f"http://127.0.0.1:{letterbox.server_port}"
        with serve_in_thread(
            folder / "home", clock=lambda: clock.now().timestamp(), notice_time_scale=0.0001, letterbox_url=our_url
        ) as running:
            settings = Settings(secrets_dir=folder / "secrets", public_url=our_url, unionpay_url=running.url)
            real = {**build_pos(settings, ports.partners), **build_counters(settings, ports.partners)}
            ours = app.extensions["canbao.ports"] = replace(ports, payments={**ports.payments, **real})
            sandbox = Sandbox(running.url)
            yield Street(World(ours), sandbox, clock)
            sandbox.close()
        letterbox.shutdown()
        serving.join()
        letterbox.server_close()


@pytest.mark.parametrize(
    "faults",
    [[], ["duplicate"], ["parallel"], ["forged", "wrong_chain"], ["late"]],
    ids=lambda each: "_".join(each) or "plain",
)
def test_a_card_at_the_window_pays_once_whatever_happens_to_its_notice(street, faults):
    number, (bill,) = street.somebody()
    order = street.order(number)

    wanted = [{"fault": each, "value": 0.1 if each == "late" else None} for each in faults]
    assert street.sandbox.pay_at_pos(order.payment_no, order.amount_fen, faults=wanted)["paid"]
    street.clock.move(seconds=1)
    street.rest()

    assert street.state(bill) == "PAID"
    assert all(not each["accepted"] for each in street.sandbox.state(limit=0)["probes"].values())
    street.agree()


def test_a_notice_that_never_comes_is_asked_for(street):
    number, (bill,) = street.somebody()
    order = street.order(number)
    street.sandbox.pay_at_pos(order.payment_no, order.amount_fen, faults=[{"fault": "lost"}])
    street.sandbox.misbehave(order.payment_no, "in_doubt", times=1, operation="query")
    street.clock.move(minutes=3)
    ask_about_silence(street.world.ports)
    assert street.state(bill) == "LOCKED"

    street.clock.move(minutes=1)
    ask_about_silence(street.world.ports)

    assert street.state(bill) == "PAID"
    street.agree()


@pytest.mark.parametrize("answer", ["", "timeout_after_success", "server_error", "bad_signature_response", "rate_limited"])
def test_a_wrong_amount_goes_back_by_itself_by_one_refund_however_its_order_is_answered(street, answer):
    number, (bill,) = street.somebody()
    order = street.order(number)
    if answer:
        street.sandbox.misbehave(f"app:{POS}", answer, times=1, operation="refund")
    street.sandbox.pay_at_pos(order.payment_no, order.amount_fen, faults=[{"fault": "wrong_amount"}])

    street.rest()
    street.clock.move(minutes=2)
    street.rest()

    told = street.sandbox.order("unionpay_pos", order.payment_no)
    assert (told["refunded_fen"], len(told["refunds"])) == (told["paid_fen"], 1)
    assert street.state(bill) == "UNPAID"
    street.agree()


@pytest.mark.parametrize("fault", ["", "forged", "replayed", "skewed", "duplicate", "unanswered"])
def test_a_teller_takes_cash_once_whatever_happens_on_the_line(street, fault):
    number, bills = street.somebody()
    told = street.sandbox.ask_at_counter(COUNTER, name="张三丰", id_number=number)
    assert told["signed"]
    assert [each["bill_no"] for each in told["body"]["bills"]] == [bill.bill_no for bill in bills]

    paid = street.at_counter(number, bills, fault=fault)

    assert (paid["status"], paid["signed"], paid["body"]["state"]) == (200, True, "SETTLED")
    assert street.state(bills[0]) == "PAID"
    assert street.sandbox.ask_about_counter_payment(COUNTER, paid["serial"])["body"] == paid["body"]
    street.agree()


def test_a_report_that_was_lost_comes_later_under_its_serial(street):
    number, bills = street.somebody()
    taken_at = street.clock.now().isoformat()
    lost = street.at_counter(number, bills, fault="lost", serial="BOCLOSTREPORT01", taken_at=taken_at)
    assert lost["status"] == 0

    assert (
        street.at_counter(number, bills, serial=lost["serial"], taken_at=taken_at, money_taken=True)["body"]["state"]
        == "SETTLED"
    )
    street.agree()


def test_a_month_paid_at_the_window_and_at_the_bank_stands_once_and_the_other_goes_back(street):
    number, bills = street.somebody()
    assert street.at_counter(number, bills)["body"]["state"] == "SETTLED"
    again = street.at_counter(number, bills, money_taken=True)
    assert again["body"]["state"] == "SURPLUS"
    street.rest()
    (out,) = street.sandbox.pay_out_refunds(COUNTER)
    assert (out["serial"], out["status"], out["body"]["state"]) == (again["serial"], 200, "REFUNDED")
    assert street.sandbox.pay_out_refunds(COUNTER) == []

    street.rest()
    street.agree()


def test_money_for_nobody_is_in_the_drawer_and_with_the_unknown(street):
    _, bills = street.somebody()
    before = street.world.balances().get("unknown:bank_counter:BOC-320400", 0)
    nobody = an_id_number(3, born="19500505")
    assert street.at_counter(nobody, bills)["status"] == 409
    street.agree()

    assert street.at_counter(nobody, bills, money_taken=True)["body"]["state"] == "UNKNOWN"

    assert street.world.balances()["unknown:bank_counter:BOC-320400"] == before + bills[0].amount_fen
    assert street.state(bills[0]) == "UNPAID"

    street.agree()
