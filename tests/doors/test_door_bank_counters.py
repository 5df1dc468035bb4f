"""The partner API: what a bank may ask and report, what it is answered, and what nobody may forge, replay or outrun."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from prometheus_client import REGISTRY

from providers.counters.way import CounterMoney
from providers.protocols import Channel
from services.refund_sending import return_surplus, send_refunds
from tests.factories import COUNTER, an_id_number
from tests.providers import wire
from tests.together import at_once

if TYPE_CHECKING:
    from models.bills import ContributionBill
    from models.people import Person
    from tests.doors.letters import Letterbox

CLEARING = "clearing:bank_counter:BOC-320400"
UNKNOWN = "unknown:bank_counter:BOC-320400"


@dataclass
class Answer:
    status: int
    body: dict[str, Any]

    @property
    def code(self) -> str:
        return self.body["code"]


@dataclass
class Bank:
    """A bank's machine, written from the page that we give to banks."""

    letterbox: Letterbox
    way: str = COUNTER
    by: str = "counter BOC"
    key_id: str = "boc-2026"
    headers: dict[str, str] = field(default_factory=dict)

    def sign(self, method: str, path: str, raw: bytes, *, late: float = 0, nonce: str = "", by: str = "") -> dict[str, str]:
        stamp, nonce = str(int(self.letterbox.clock.now().timestamp() + late)), nonce or secrets.token_hex(16)
        text = f"{method}\n{path}\n{stamp}\n{nonce}\n".encode() + raw
        return {
            "Canbao-Key": self.key_id, "Canbao-Timestamp": stamp, "Canbao-Nonce": nonce,
            "Canbao-Signature": wire.signed(by or self.by, text), "Content-Type": "application/json",
        }  # fmt: skip

    def call(self, method: str, what: str, body: Any = None, *, signed_path: str = "", **how: Any) -> Answer:
        path = f"/webhooks/bank-counters/{self.way}{what}"
        raw = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
        return self.send(method, path, raw, self.sign(method, signed_path or path, raw, **how))

    def send(self, method: str, path: str, raw: bytes, headers: dict[str, str]) -> Answer:
        response = self.letterbox.app.test_client().open(path, method=method, data=raw, headers=headers)
        assert response.content_type == "application/json; charset=utf-8"
        answer = Answer(response.status_code, response.json)
        if answer.status != 401 or answer.code == "PARTNER_CLOCK_SKEW":
            text = f"{response.status_code}\n{path}\n{response.headers['Canbao-Timestamp']}\n{headers['Canbao-Nonce']}\n"
            wire.verifies("canbao", response.headers["Canbao-Signature"], text.encode() + response.data)
            assert response.headers["Canbao-Nonce"] == headers["Canbao-Nonce"]
        else:
            assert "Canbao-Signature" not in response.headers
        return answer

    def query(self, name: str, number: str, **more: str) -> Answer:
        return self.call("POST", "/queries", {"name": name, "id_number": number, **more})

    def pay(self, payer: Payer, *, serial: str = "", **changes: Any) -> Answer:
        return self.call("POST", "/payments", self.report(payer, serial=serial, **changes))

    def report(self, payer: Payer, *, serial: str = "", **changes: Any) -> dict[str, Any]:
        return {
            "serial": serial or f"BOC{secrets.token_hex(8).upper()}", "name": payer.name, "id_number": payer.number,
            "bill_nos": [bill.bill_no for bill in payer.bills], "amount_fen": sum(bill.amount_fen for bill in payer.bills),
            "means": "CASH", "site": "0001", "taken_at": "2026-11-21T09:59:00+08:00", **changes,
        }  # fmt: skip


@dataclass
class Payer:
    person: Person
    bills: list[ContributionBill]
    name: str
    number: str


NUMBERS = iter(range(1, 500))


@pytest.fixture
def payer(letterbox) -> Payer:
    """Somebody with two unpaid months, one of them old."""
    world, number = letterbox.world, an_id_number(next(NUMBERS), born="19810707")
    person = world.person(id_number=number)
    return Payer(person, world.bills(world.enrollment(person), "2026-10", "2026-11"), "张三丰", number)


@pytest.fixture
def bank(letterbox) -> Bank:
    return Bank(letterbox)


def states(letterbox, payer) -> list[str]:
    wanted = [bill.id for bill in payer.bills]
    return [
        s for (s,) in letterbox.world.rows("SELECT state FROM contribution_bills WHERE id = ANY(:ids) ORDER BY id", ids=wanted)
    ]


def counted(operation: str, result: str, partner: str = COUNTER) -> float:
    labels = {"partner": partner, "operation": operation, "result": result}
    return REGISTRY.get_sample_value("canbao_partner_requests_total", labels) or 0.0


# --- query and pay


def test_a_teller_hears_what_the_person_may_pay_oldest_first_and_masked(bank, payer):
    told = bank.query(payer.name, payer.number)

    assert (told.status, told.body["name"], told.body["id_number"]) == (200, "张**", payer.person.id_number_masked)
    assert [each["coverage_month"] for each in told.body["bills"]] == ["2026-10", "2026-11"]
    assert [each["amount_fen"] for each in told.body["bills"]] == [bill.amount_fen for bill in payer.bills]
    assert {each["state"] for each in told.body["bills"]} == {"PAYABLE"}
    assert payer.number not in json.dumps(told.body)
    alone = bank.query(payer.name, payer.number, voucher_no=payer.bills[1].bill_no)
    assert [each["coverage_month"] for each in alone.body["bills"]] == ["2026-11"]


@pytest.mark.parametrize(
    ("changes", "code"),
    [({"name": "李四光"}, "PERSON_NOT_MATCHED"), ({"number": an_id_number(7, born="19500101")}, "PERSON_NOT_MATCHED"),
     ({"number": "1"}, "ID_NUMBER_MALFORMED"), ({"name": "x"}, "NAME_MALFORMED")],
)  # fmt: skip
def test_nobody_is_told_of_by_half_of_what_the_card_says(bank, payer, changes, code):
    told = bank.query(changes.get("name", payer.name), changes.get("number", payer.number))

    assert told.code == code
    assert "bills" not in told.body


def test_a_bank_guesses_no_names_either(letterbox, bank, payer):
    for letter in "甲乙丙丁戊己庚辛壬":
        assert bank.query(f"李{letter}", payer.number).code == "PERSON_NOT_MATCHED"
    assert bank.pay(payer, serial="GUESS001", name="李癸", money_taken=False).code == "PERSON_NOT_MATCHED"
    assert bank.pay(payer, serial="GUESS001", name="李癸", money_taken=False).code == "PERSON_NOT_MATCHED", (
        "told again, not counted"
    )

    assert bank.query(payer.name, payer.number).code == "TOO_MANY_LOOKUPS"
    assert bank.pay(payer, serial="GUESS002", money_taken=False).code == "TOO_MANY_LOOKUPS"
    assert bank.pay(payer, serial="TAKEN001", money_taken=True).body["state"] == "SETTLED"
    letterbox.world.ports.clock.move(days=1)
    assert bank.query(payer.name, payer.number).status == 200


@pytest.mark.parametrize("means", ["CASH", "CARD"])
def test_what_was_paid_at_the_counter_is_settled_at_once(letterbox, bank, payer, means):
    total, held = sum(bill.amount_fen for bill in payer.bills), letterbox.standing(CLEARING)
    account = letterbox.world.account(payer.person)

    told = bank.pay(payer, serial=f"BOCSERIAL{payer.number[-6:]}", means=means)

    assert (told.status, told.body["state"], told.body["amount_fen"]) == (200, "SETTLED", total)
    assert states(letterbox, payer) == ["PAID", "PAID"]
    assert letterbox.standing(CLEARING) == held + total
    assert letterbox.world.rows("SELECT template FROM messages WHERE account_id = :id", id=account.id) == [
        ("payment.succeeded",)
    ]
    assert letterbox.kept(told.body["payment_no"]) == [("PAID", "SETTLED", "PAID")]
    assert bank.query(payer.name, payer.number).body["bills"] == []


@pytest.mark.parametrize("bank_code", ["BOC", "ABC", "ICBC", "CCB", "BOCOM", "JSB", "JNB", "PSBC"])
def test_cash_is_taken_by_exactly_the_eight_banks_of_the_rulebook(letterbox, bank, payer, bank_code):
    letterbox.reading.payments[COUNTER].bank = bank_code

    assert bank.pay(payer).body["state"] == "SETTLED"


def test_a_bank_that_is_none_of_the_eight_takes_cards_alone(letterbox, bank, payer):
    letterbox.reading.payments[COUNTER].bank = "CMB"

    assert bank.pay(payer).code == "CASH_NOT_TAKEN"
    assert bank.pay(payer, means="CARD").body["state"] == "SETTLED"


# --- refused before money is taken


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"name": "李四光"}, (409, "PERSON_NOT_MATCHED")), ({"amount_fen": 1}, (409, "AMOUNT_CHANGED")),
        ({"bill_nos": ["A" * 24]}, (409, "BILL_NOT_PAYABLE")), ({"taken_at": "2026-11-21T10:06:00+08:00"}, (422, "COUNTER_MOMENT_WRONG")),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_and_nothing_moved_and_stays_refused(letterbox, bank, payer, changes, refusal):
    before, serial = letterbox.all_kept(), f"BOC{secrets.token_hex(8).upper()}"

    first, again = (bank.pay(payer, serial=serial, **changes) for _ in range(2))

    assert (first.status, first.code) == refusal
    assert again == first
    assert bank.call("GET", f"/payments/{serial}").body == {
        "serial": serial, "state": "REFUSED", "payment_no": None, "amount_fen": changes.get("amount_fen", sum(b.amount_fen for b in payer.bills)),
        "refusal": refusal[1],
    }  # fmt: skip
    assert (letterbox.all_kept(), states(letterbox, payer)) == (before, ["UNPAID", "UNPAID"])


def test_a_month_that_a_phone_is_paying_is_shown_and_not_taken(letterbox, bank, payer):
    world = letterbox.world
    account = world.account(payer.person)
    world.order_for(account, world.me_in_list(account), payer.bills[1:])

    assert [each["state"] for each in bank.query(payer.name, payer.number).body["bills"]] == ["PAYABLE", "IN_PAYMENT"]
    assert bank.pay(payer).code == "BILL_RESERVED"


def test_another_persons_month_is_not_payable(letterbox, bank, payer):
    world = letterbox.world
    (other,) = world.bills(world.enrollment(world.person()))

    assert bank.pay(payer, bill_nos=[other.bill_no], amount_fen=other.amount_fen).code == "BILL_NOT_PAYABLE"


# --- taken all the same


@pytest.mark.parametrize(
    "changes", [{"name": "李四光"}, {"bill_nos": ["A" * 24]}, {"id_number": an_id_number(9, born="19500101")}], ids=str
)
def test_money_for_nobody_that_cannot_be_given_back_stands_with_the_unknown(letterbox, bank, payer, changes):
    before, held = letterbox.standing(UNKNOWN), letterbox.standing(CLEARING)

    told = bank.pay(payer, money_taken=True, amount_fen=777, **changes)

    assert (told.status, told.body["state"]) == (200, "UNKNOWN")
    assert (letterbox.standing(UNKNOWN), letterbox.standing(CLEARING)) == (before - 777, held + 777)
    assert states(letterbox, payer) == ["UNPAID", "UNPAID"]


def test_what_was_refused_may_turn_out_to_have_been_taken_and_then_comes_in_once(letterbox, bank, payer):
    serial, before = f"BOC{secrets.token_hex(8).upper()}", letterbox.standing(UNKNOWN)
    assert bank.pay(payer, serial=serial, name="李四光").code == "PERSON_NOT_MATCHED"

    told = [bank.pay(payer, serial=serial, name="李四光", money_taken=True).body["state"] for _ in range(3)]

    assert told == ["UNKNOWN"] * 3
    assert letterbox.standing(UNKNOWN) == before - sum(bill.amount_fen for bill in payer.bills)


def test_money_of_another_amount_that_was_taken_pays_nothing_and_is_owed_back(letterbox, bank, payer):
    told = bank.pay(payer, money_taken=True, amount_fen=777)

    assert told.body["state"] == "SURPLUS"
    assert states(letterbox, payer) == ["UNPAID", "UNPAID"]
    assert letterbox.standing(f"surplus:{told.body['payment_no']}") == -777


# --- paid twice, and back


def test_a_month_that_the_phone_paid_meanwhile_goes_back_by_the_banks_list_and_both_payers_are_told(letterbox, bank, payer):
    world, bill = letterbox.world, payer.bills[1]
    mine = world.account(payer.person)
    child, relation = world.payer_for(payer.person)
    order = world.order_for(child, relation, [bill])
    world.hear(world.paid_news(order, notice=f"W{order.order_no}"))
    world.settle()
    payer.bills = [bill]
    held = letterbox.standing(CLEARING)

    told = bank.pay(payer, money_taken=True)
    assert told.body["state"] == "SURPLUS"
    return_surplus(letterbox.ports)
    send_refunds(letterbox.ports)
    (waits,) = [each for each in bank.call("GET", "/refunds").body["refunds"] if each["serial"] == told.body["serial"]]
    assert (waits["amount_fen"], waits["state"], waits["reason"]) == (bill.amount_fen, "SENT", "社保费重复缴费退款")
    result = {"result": "PAID_OUT", "serial": "OUT0000001", "amount_fen": bill.amount_fen, "at": "2026-11-21T10:00:00+08:00"}
    answers = [bank.call("POST", f"/refunds/{waits['refund_no']}/results", result) for _ in range(2)]

    assert [each.body for each in answers] == [{"refund_no": waits["refund_no"], "state": "REFUNDED"}] * 2
    assert letterbox.standing(CLEARING) == held
    assert not [each for each in bank.call("GET", "/refunds").body["refunds"] if each["refund_no"] == waits["refund_no"]]
    for changes in ({"serial": "OUT0000002"}, {"result": "REFUSED"}, {"amount_fen": 1}):
        assert (
            bank.call("POST", f"/refunds/{waits['refund_no']}/results", {**result, **changes}).code == "REFUND_RESULT_DIFFERS"
        )
    assert letterbox.standing(CLEARING) == held
    messages = "SELECT template FROM messages WHERE account_id = :who ORDER BY id"
    assert world.rows(messages, who=mine.id) == [("payment.surplus",), ("refund.done",)]
    assert world.rows(messages, who=child.id) == [("payment.succeeded",), ("payment.made_twice",)]


def test_a_payee_who_cannot_be_reached_stays_on_the_list_until_paid(letterbox, bank, payer):
    told = bank.pay(payer, money_taken=True, amount_fen=777)
    return_surplus(letterbox.ports)
    send_refunds(letterbox.ports)
    (waits,) = [each for each in bank.call("GET", "/refunds").body["refunds"] if each["serial"] == told.body["serial"]]
    result = {"result": "PAYEE_NOT_REACHED", "serial": "OUT0000003", "amount_fen": 777, "at": "2026-11-21T10:00:00+08:00"}
    path = f"/refunds/{waits['refund_no']}/results"

    assert bank.call("POST", path, result).body["state"] == "ABNORMAL"
    assert [
        each["state"] for each in bank.call("GET", "/refunds").body["refunds"] if each["refund_no"] == waits["refund_no"]
    ] == ["ABNORMAL"]
    assert bank.call("POST", path, {**result, "result": "PAID_OUT"}).body["state"] == "REFUNDED"


def test_two_tellers_who_pay_one_refund_out_at_once_are_told_apart(letterbox, bank, payer):
    told = bank.pay(payer, money_taken=True, amount_fen=777)
    return_surplus(letterbox.ports)
    send_refunds(letterbox.ports)
    (waits,) = [each for each in bank.call("GET", "/refunds").body["refunds"] if each["serial"] == told.body["serial"]]
    result = {"result": "PAID_OUT", "amount_fen": 777, "at": "2026-11-21T10:00:00+08:00"}
    jobs = [
        partial(bank.call, "POST", f"/refunds/{waits['refund_no']}/results", {**result, "serial": f"OUT10000{n}"})
        for n in range(4)
    ]

    assert sorted(each.status for each in at_once(*jobs)) == [200, 409, 409, 409]


def test_another_banks_refund_is_not_found(letterbox, bank, payer):
    told = bank.pay(payer, money_taken=True, amount_fen=777)
    return_surplus(letterbox.ports)
    number = letterbox.world.scalar(
        "SELECT r.refund_no FROM refunds r JOIN payments p ON p.id = r.payment_id WHERE p.payment_no = :no",
        no=told.body["payment_no"],
    )
    other = Bank(letterbox, way="counter-jnb-320400", by="counter JNB", key_id="jnb-2026")
    result = {"result": "PAID_OUT", "serial": "OUT0000004", "amount_fen": 777, "at": "2026-11-21T10:00:00+08:00"}

    assert other.call("POST", f"/refunds/{number}/results", result).code == "NOT_FOUND"
    assert other.call("GET", "/refunds").body == {"refunds": []}
    assert other.call("GET", f"/payments/{told.body['serial']}").body["state"] == "REFUSED"


# --- one serial, one answer


def test_the_same_report_has_the_same_answer_and_another_is_refused(letterbox, bank, payer):
    serial = f"BOC{secrets.token_hex(8).upper()}"
    report = bank.report(payer, serial=serial)

    answers = [bank.call("POST", "/payments", report) for _ in range(3)]

    assert answers == [answers[0]] * 3
    for changes in (
        {"amount_fen": 1},
        {"means": "CARD"},
        {"site": "0002"},
        {"bill_nos": report["bill_nos"][:1]},
        {"name": "李四光"},
    ):
        assert bank.call("POST", "/payments", {**report, **changes}).code == "SERIAL_REUSED", changes
    assert bank.call("GET", f"/payments/{serial}").body == answers[0].body
    assert letterbox.kept(answers[0].body["payment_no"]) == [("PAID", "SETTLED", "PAID")]


def test_six_at_the_same_moment_are_one_payment(letterbox, bank, payer):
    held, report = letterbox.standing(CLEARING), bank.report(payer)

    answers = at_once(*[partial(bank.call, "POST", "/payments", report) for _ in range(6)])

    assert {each.body["state"] for each in answers} == {"SETTLED"}
    assert letterbox.standing(CLEARING) == held + report["amount_fen"]


def test_two_tellers_with_one_person_are_one_payment_and_one_refusal(letterbox, bank, payer):
    answers = at_once(*[partial(bank.pay, payer) for _ in range(2)])

    assert sorted(each.status for each in answers) == [200, 409]
    assert states(letterbox, payer) == ["PAID", "PAID"]


def test_a_report_that_comes_after_the_bank_was_told_that_none_came_is_refused_unless_it_was_taken(letterbox, bank, payer):
    serial = f"BOC{secrets.token_hex(8).upper()}"
    assert bank.call("GET", f"/payments/{serial}").body["refusal"] == "SERIAL_CLOSED"

    assert bank.pay(payer, serial=serial).code == "SERIAL_CLOSED"
    assert states(letterbox, payer) == ["UNPAID", "UNPAID"]
    assert bank.pay(payer, serial=serial, money_taken=True).body["state"] == "SETTLED"


# --- who may speak


def test_whoever_is_not_the_bank_is_told_nothing_and_leaves_nothing(letterbox, bank, payer, capsys):
    rows = "SELECT (SELECT count(*) FROM counter_payments), (SELECT count(*) FROM partner_nonces)"
    before, report = letterbox.world.rows(rows), bank.report(payer)
    path, raw = f"/webhooks/bank-counters/{COUNTER}/payments", json.dumps(report).encode()
    good = bank.sign("POST", path, raw)
    forged = {
        "signature": [
            (raw, bank.sign("POST", path, raw, by="a stranger")), (raw.replace(b"CASH", b"CARD"), good), (raw, bank.sign("GET", path, raw)),
            (raw, bank.sign("POST", path + "/x", raw)), (raw, {**good, "Canbao-Nonce": "0" * 32}),
            (raw, {**good, "Canbao-Timestamp": str(int(good["Canbao-Timestamp"]) + 1)}), (raw, {**good, "Canbao-Signature": "AAAA"}),
        ],
        "unknown_key": [(raw, {**good, "Canbao-Key": "jnb-2026"})],
        "missing_header": [(raw, {name: value for name, value in good.items() if name != left}) for left in list(good)[:4]],
        "malformed": [(raw, {**good, "Canbao-Nonce": "short"}), (raw, {**good, "Canbao-Timestamp": "x"})],
        "oversize": [(raw + b" " * 70_000, good)],
    }  # fmt: skip

    for reason, letters in forged.items():
        for body, headers in letters:
            counter = counted("payment", f"refused:{reason}")
            answer = bank.send("POST", path, body, {"Canbao-Nonce": "", **headers})
            assert (answer.status, answer.code) == (401, "PARTNER_NOT_AUTHENTIC"), reason
            assert counted("payment", f"refused:{reason}") == counter + 1, reason
    said = capsys.readouterr()
    assert payer.number not in said.out + said.err
    assert letterbox.world.rows(rows) == before


def test_a_request_is_used_once(letterbox, bank, payer):
    report = bank.report(payer)
    path, raw = f"/webhooks/bank-counters/{COUNTER}/payments", json.dumps(report).encode()
    headers = bank.sign("POST", path, raw)

    assert bank.send("POST", path, raw, headers).status == 200
    assert bank.send("POST", path, raw, headers).code == "PARTNER_REPLAY"
    again = [partial(bank.query, payer.name, payer.number) for _ in range(2)]
    assert {each.status for each in at_once(*again)} == {200}
    shared = bank.sign("POST", path, raw, nonce="N" * 20)
    answers = at_once(*[partial(bank.send, "POST", path, raw, shared) for _ in range(4)])
    assert sorted(each.status for each in answers) == [200, 409, 409, 409]


@pytest.mark.parametrize("late", [-301, 301, -86400])
def test_a_clock_that_is_off_is_told_our_time_and_nothing_is_done(letterbox, bank, payer, late):
    told = bank.call("POST", "/payments", bank.report(payer), late=late)

    assert (told.status, told.code) == (401, "PARTNER_CLOCK_SKEW")
    assert told.body["our_time"] == int(letterbox.clock.now().timestamp())
    assert "五分钟" in told.body["title"]
    assert states(letterbox, payer) == ["UNPAID", "UNPAID"]
    assert bank.call("POST", "/payments", bank.report(payer), late=late / abs(late) * 299).body["state"] == "SETTLED"


@pytest.mark.parametrize("way", ["nobody", "jiangsu-tax-wechat", "pos-changzhou", "%00", "changzhou-hrss-app"])
def test_there_is_no_partner_but_a_bank(letterbox, way, payer):
    assert Bank(letterbox, way=way).query(payer.name, payer.number).code == "PARTNER_NOT_AUTHENTIC"


def test_a_query_string_is_nothing_that_anybody_signed(letterbox, bank):
    path = f"/webhooks/bank-counters/{COUNTER}/refunds"
    assert bank.send("GET", path + "?x=1", b"", bank.sign("GET", path, b"")).code == "PARTNER_NOT_AUTHENTIC"


# --- what is malformed


@pytest.mark.parametrize(
    ("changes", "field_name"),
    [
        ({"serial": "x"}, "serial"), ({"serial": "a b c d e f"}, "serial"), ({"serial": 1}, "serial"), ({"amount_fen": "1"}, "amount_fen"),
        ({"amount_fen": 0}, "amount_fen"), ({"amount_fen": -1}, "amount_fen"), ({"amount_fen": 1.5}, "amount_fen"),
        ({"amount_fen": 2**70}, "amount_fen"), ({"amount_fen": True}, "amount_fen"), ({"means": "BARTER"}, "means"), ({"means": None}, "means"),
        ({"site": ""}, "site"), ({"taken_at": "yesterday"}, "taken_at"), ({"taken_at": "2026-11-21T10:00:00"}, "taken_at"),
        ({"bill_nos": []}, "bill_nos"), ({"bill_nos": "x"}, "bill_nos"), ({"bill_nos": ["A" * 24] * 2}, "bill_nos"),
        ({"bill_nos": ["a"]}, "bill_nos"), ({"bill_nos": [None]}, "bill_nos"), ({"bill_nos": ["A" * 24] * 201}, "bill_nos"),
        ({"money_taken": "yes"}, "money_taken"), ({"name": "\u0000"}, "name"), ({"name": None}, "name"), ({"id_number": 1}, "id_number"),
    ],
    ids=str,
)  # fmt: skip
def test_a_field_that_is_not_as_agreed_is_named(bank, payer, changes, field_name):
    told = bank.pay(payer, **changes)

    assert (told.status, told.code, told.body["field"]) == (422, "PARTNER_BODY_MALFORMED", field_name)


@pytest.mark.parametrize("raw", [b"", b"[]", b"x", b"{" * 30_000, b'{"serial": ' + b"1" * 5_000 + b"}", b"\xff"])
def test_a_body_that_is_no_json_object_is_malformed(bank, raw):
    assert bank.call("POST", "/payments", raw).code == "PARTNER_BODY_MALFORMED"


@pytest.mark.parametrize(
    "changes", [{"result": "MAYBE"}, {"at": "2026-11-21T10:06:00+08:00"}, {"at": None}, {"serial": ""}, {"amount_fen": "1"}]
)
def test_a_result_that_makes_no_sense_is_malformed(bank, changes):
    result = {"result": "PAID_OUT", "serial": "OUT0000001", "amount_fen": 1, "at": "2026-11-21T10:00:00+08:00", **changes}

    assert bank.call("POST", f"/refunds/{'A' * 24}/results", result).code == "PARTNER_BODY_MALFORMED"
    assert bank.call("POST", "/refunds/x/results", {**result, "result": "PAID_OUT"}).code == "PARTNER_BODY_MALFORMED"


def test_there_is_no_refund_under_a_number_that_nobody_made(bank):
    result = {"result": "PAID_OUT", "serial": "OUT0000001", "amount_fen": 1, "at": "2026-11-21T10:00:00+08:00"}
    assert bank.call("POST", f"/refunds/{'A' * 24}/results", result).code == "NOT_FOUND"


def test_without_a_database_the_bank_is_told_to_come_again(letterbox, bank, payer):
    letterbox.ports, kept = letterbox.reading, letterbox.ports
    letterbox.lose_database()

    answer = bank.pay(payer)

    letterbox.find_database()
    letterbox.ports = kept
    assert (answer.status, answer.code) == (503, "UNAVAILABLE")
    assert bank.pay(payer).body["state"] == "SETTLED"


def test_nobody_is_asked_about_counter_money(letterbox):
    money = CounterMoney(channel=Channel.BANK_COUNTER, merchant="BOC-320400")
    assert "BOC-320400" in repr(money)
    for call in (money.ask, money.close):
        with pytest.raises(Exception, match="NOT_"):
            call("x")
