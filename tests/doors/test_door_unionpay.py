"""UnionPay at the letterbox: cards at a window's terminal, what UnionPay is told, and what stands in inbox and books."""

from __future__ import annotations

from functools import partial

import pytest

from models.orders import OrderOrigin
from services.counter_orders import terminals_number
from tests.doors.letters import counted
from tests.factories import POS
from tests.providers import unionpay_wire as upay
from tests.together import at_once

MERCHANT_ACCOUNT = "unionpay_pos:898320453110001"
ONLY = "/webhooks/unionpay"


@pytest.fixture
def waiting(letterbox):
    """An order that waits for a card at the window."""
    world = letterbox.world
    person = world.person()
    (bill,) = world.bills(world.enrollment(person))
    return world.outside_order(
        person, [bill], origin=OrderOrigin.POS, way=POS, payment_no=terminals_number(letterbox.clock.now())
    )


def card(letterbox, payment, *, path: str = f"/webhooks/unionpay/{POS}", by: str = "unionpay", **changes):
    return letterbox.unionpay(upay.payment(payment.payment_no, payment.amount_fen, **changes), path=path, by=by)


def told(letterbox, letter) -> tuple[int, bytes]:
    response = letterbox.post(letter)
    assert response.mimetype == "text/plain"
    return response.status_code, response.data


@pytest.mark.parametrize("path", [f"/webhooks/unionpay/{POS}", ONLY])
def test_unionpay_is_told_ok_once_the_notice_is_kept_and_the_month_is_paid(letterbox, waiting, path):
    before, held = counted("unionpay_pos", POS, "kept"), letterbox.standing(f"clearing:{MERCHANT_ACCOUNT}")

    assert told(letterbox, card(letterbox, waiting, path=path)) == (200, b"ok")

    assert letterbox.kept(waiting.payment_no) == [("PAID", "WAITING", None)]
    assert counted("unionpay_pos", POS, "kept") == before + 1
    assert letterbox.settled(waiting.payment_no) == ["PAID"]
    assert letterbox.standing(f"clearing:{MERCHANT_ACCOUNT}") == held + waiting.amount_fen


def test_unionpay_is_told_ok_again_when_it_comes_again(letterbox, waiting):
    answers = at_once(*[partial(letterbox.post, card(letterbox, waiting)) for _ in range(6)])

    assert [each.status_code for each in answers] == [200] * 6
    assert letterbox.settled(waiting.payment_no) == ["PAID"]


def test_the_same_number_at_another_moment_is_other_money(letterbox, waiting):
    assert told(letterbox, card(letterbox, waiting)) == (200, b"ok")
    assert told(letterbox, card(letterbox, waiting, txnTime="20261121110000", queryId="202611211100000009")) == (200, b"ok")

    assert sorted(letterbox.settled(waiting.payment_no)) == ["PAID", "UNCLAIMED"]


@pytest.mark.parametrize(
    ("changes", "outcome"),
    [({"txnAmt": "1"}, "WRONG_AMOUNT"), ({"currencyCode": "840"}, "WRONG_CURRENCY"), ({"respCode": "51"}, "NOTHING")],
)
def test_what_does_not_fit_is_kept_acknowledged_and_never_pays(letterbox, waiting, changes, outcome):
    assert told(letterbox, card(letterbox, waiting, **changes)) == (200, b"ok")

    assert letterbox.settled(waiting.payment_no) == [outcome]


def test_a_card_for_a_number_that_nobody_made_stands_with_the_unknown(letterbox):
    before = letterbox.standing(f"unknown:{MERCHANT_ACCOUNT}")
    letter = letterbox.unionpay(upay.payment("20261121100000NOBODYMADE", 777))

    assert told(letterbox, letter) == (200, b"ok")

    assert letterbox.settled("20261121100000NOBODYMADE") == ["UNCLAIMED"]
    assert letterbox.standing(f"unknown:{MERCHANT_ACCOUNT}") == before - 777


def test_a_forgery_leaves_no_row_and_no_word_of_it_in_the_log(letterbox, waiting, capsys):
    kept = letterbox.all_kept()
    own_chain = upay.signing(key="a stranger", by_key="a stranger")
    customer = upay.signing(to="041@Z12@某某商户有限公司@00000002", key="a stranger")
    fields = upay.payment(waiting.payment_no, waiting.amount_fen)
    forgeries = {
        "signature": letterbox.unionpay(fields, by="a stranger"),
        "certificate_chain": letterbox.unionpay(fields, by="a stranger", with_certificate=own_chain),
        "certificate_name": letterbox.unionpay(fields, by="a stranger", with_certificate=customer),
        "wrong_merchant": letterbox.unionpay({**fields, "merId": "898320453110002"}),
        "duplicate": letterbox.unionpay(fields),
        "oversize": letterbox.unionpay(fields),
    }
    forgeries["duplicate"].body += b"&txnAmt=1"
    forgeries["oversize"].body += b"&x=" + b"0" * 70_000

    for reason, letter in forgeries.items():
        before = counted("unionpay_pos", POS, f"refused:{reason}")
        assert told(letterbox, letter) == (401, b"refused"), reason
        assert counted("unionpay_pos", POS, f"refused:{reason}") == before + 1
    said = capsys.readouterr()
    assert waiting.payment_no not in said.out + said.err
    assert letterbox.all_kept() == kept


def test_a_way_that_is_not_unionpays_reads_no_letter_of_theirs(letterbox, waiting):
    for path in ("/webhooks/unionpay/jiangsu-tax-wechat", "/webhooks/unionpay/nobody", "/webhooks/unionpay/%00"):
        assert told(letterbox, card(letterbox, waiting, path=path)) == (401, b"refused")
    letter = card(letterbox, waiting)
    letter.path = f"/webhooks/wechat-pay/{POS}"
    assert letterbox.post(letter).status_code == 401


@pytest.mark.parametrize("path", [f"/webhooks/unionpay/{POS}", ONLY])
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE"])
def test_letters_are_posted(letterbox, path, method):
    assert letterbox.app.test_client().open(path, method=method).status_code == 405


def test_what_cannot_be_committed_is_not_acknowledged_and_comes_again(letterbox, waiting):
    letter = card(letterbox, waiting)
    letterbox.ports, kept = letterbox.reading, letterbox.ports
    letterbox.lose_database()

    assert told(letterbox, letter) == (503, b"come again")

    letterbox.find_database()
    letterbox.ports = kept
    assert told(letterbox, letter) == (200, b"ok")
    assert letterbox.settled(waiting.payment_no) == ["PAID"]
