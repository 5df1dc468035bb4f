"""The letterbox, letter by letter: what providers send, what they are told, and what stands in the inbox and in the books."""

from __future__ import annotations

import json
from decimal import Decimal
from functools import partial

import psycopg
import pytest

from tests.doors.letters import Letter, counted
from tests.factories import ALIPAY, WECHAT, XINJIANG
from tests.providers import wire
from tests.together import at_once

# --- WeChat Pay: the status is the verdict


def test_wechat_is_told_204_and_nothing_else_once_the_notice_is_kept(letterbox):
    order = letterbox.order()
    before = counted("wechat_pay", WECHAT, "kept")

    response = letterbox.post(letterbox.wechat(letterbox.wechat_transaction(order)))

    assert (response.status_code, response.data) == (204, b"")
    assert letterbox.kept(order.payment_no) == [("PAID", "WAITING", None)]
    assert counted("wechat_pay", WECHAT, "kept") == before + 1
    assert letterbox.settled(order.payment_no) == ["PAID"]


def test_wechat_is_told_204_again_when_it_comes_again(letterbox):
    order = letterbox.order()
    transaction = letterbox.wechat_transaction(order)

    # Each retry carries the same id, sealed and signed anew.
    answers = [letterbox.post(letterbox.wechat(transaction, notice_id=order.payment_no)).status_code for _ in range(3)]

    assert answers == [204, 204, 204]
    assert letterbox.settled(order.payment_no) == ["PAID"]


def test_eight_at_the_same_moment_are_one_notice(letterbox):
    order = letterbox.order()
    letters = [
        letterbox.wechat(letterbox.wechat_transaction(order, transaction_id="4200001"), notice_id=order.payment_no)
        for _ in range(8)
    ]
    answers = [answer.status_code for answer in at_once(*[partial(letterbox.post, letter) for letter in letters])]

    assert answers == [204] * 8
    assert letterbox.settled(order.payment_no) == ["PAID"]


def test_two_notices_of_one_payment_are_both_kept_and_paid_once(letterbox):
    order = letterbox.order()
    transaction = letterbox.wechat_transaction(order)

    for _ in range(2):
        assert letterbox.post(letterbox.wechat(transaction)).status_code == 204

    assert sorted(letterbox.settled(order.payment_no)) == ["ALREADY", "PAID"]


def test_a_platform_certificate_signs_as_well_as_the_public_key(letterbox):
    order = letterbox.order()
    merchant = letterbox.ports.partners.miniprograms[WECHAT].merchant
    letter = letterbox.wechat(letterbox.wechat_transaction(order))
    letter.headers |= wire.wechat_headers(
        letter.body, by=f"wechat certificate {merchant}", serial=wire.CERTIFICATE_SERIAL, at=letterbox.clock.now().timestamp()
    )

    assert letterbox.post(letter).status_code == 204


@pytest.mark.parametrize("late", [-299, 299, 0])
def test_within_five_minutes_it_is_fresh(letterbox, late):
    assert letterbox.post(letterbox.wechat(letterbox.wechat_transaction(), late=late)).status_code == 204


def _changed(letter: Letter) -> Letter:
    letter.body = letter.body.replace(b"TRANSACTION.SUCCESS", b"TRANSACTION.SUCCESs")
    return letter


def _probe(letter: Letter) -> Letter:
    letter.headers["Wechatpay-Signature"] = "WECHATPAY/SIGNTEST/" + letter.headers["Wechatpay-Signature"][19:]
    return letter


def _without(letter: Letter, name: str) -> Letter:
    del letter.headers[name]
    return letter


def _resealed(box) -> Letter:
    """Signed as it should be, sealed with a key that is not ours."""
    merchant = box.ports.partners.miniprograms[WECHAT].merchant
    notice = json.loads(wire.wechat_notice(box.wechat_transaction()))
    notice["resource"]["nonce"] = "000000000000"
    body = json.dumps(notice).encode()
    headers = wire.wechat_headers(body, by=f"wechat {merchant}", at=box.clock.now().timestamp())
    return Letter(f"/webhooks/wechat-pay/{WECHAT}", body, headers)


BAD_WECHAT = {
    "stale": lambda box: box.wechat(box.wechat_transaction(), late=-300),
    "stale ahead": lambda box: box.wechat(box.wechat_transaction(), late=300),
    "signature": lambda box: box.wechat(box.wechat_transaction(), by="a thief"),
    "signature of another merchant": lambda box: box.wechat(box.wechat_transaction(), by="wechat 1900006500"),
    "signature over another body": lambda box: _changed(box.wechat(box.wechat_transaction())),
    "signature in bad base64": lambda box: box.wechat(box.wechat_transaction(), **{"Wechatpay-Signature": "_-_-"}),
    "signature that is empty": lambda box: box.wechat(box.wechat_transaction(), **{"Wechatpay-Signature": ""}),
    "signtest": lambda box: _probe(box.wechat(box.wechat_transaction())),
    "unknown_serial": lambda box: box.wechat(box.wechat_transaction(), **{"Wechatpay-Serial": "PUB_KEY_ID_0"}),
    "unknown_signature_type": lambda box: box.wechat(
        box.wechat_transaction(), **{"Wechatpay-Signature-Type": "WECHATPAY2-SM2-WITH-SM3"}
    ),
    "malformed": lambda box: box.wechat(box.wechat_transaction(), **{"Wechatpay-Timestamp": "now"}),
    "malformed inside": lambda box: box.wechat({**box.wechat_transaction(), "amount": {"total": "12345"}}),
    "malformed beyond BIGINT": lambda box: box.wechat({**box.wechat_transaction(), "amount": {"total": 2**63}}),
    "malformed with a NUL": lambda box: box.wechat({**box.wechat_transaction(), "transaction_id": "42\x00"}),
    "malformed with half a pair": lambda box: box.wechat(
        json.dumps({**box.wechat_transaction(), "out_trade_no": "42\ud800"}).encode()
    ),
    "wrong_app": lambda box: box.wechat(box.wechat_transaction(appid="wx9999999999999999")),
    "wrong_merchant": lambda box: box.wechat(box.wechat_transaction(mchid="1900000001")),
    "wrong_seal": _resealed,
    **{
        f"missing_header {name}": lambda box, name=name: _without(box.wechat(box.wechat_transaction()), name)
        for name in ("Wechatpay-Timestamp", "Wechatpay-Nonce", "Wechatpay-Serial", "Wechatpay-Signature")
    },
}
"""The reason that the counter names, and some words more to tell them apart."""


@pytest.mark.parametrize("why", BAD_WECHAT)
def test_what_wechat_did_not_sign_for_us_is_refused_and_not_kept(letterbox, why):
    letter, reason = BAD_WECHAT[why](letterbox), f"refused:{why.split()[0]}"
    kept, before = letterbox.all_kept(), counted("wechat_pay", WECHAT, reason)

    response = letterbox.post(letter)

    assert (response.status_code, response.json["code"]) == (401, "FAIL")
    assert letterbox.all_kept() == kept
    assert counted("wechat_pay", WECHAT, reason) == before + 1


def test_the_right_one_that_follows_a_probe_is_kept(letterbox):
    order = letterbox.order()
    transaction = letterbox.wechat_transaction(order)

    assert letterbox.post(_probe(letterbox.wechat(transaction, notice_id=order.payment_no))).status_code == 401
    assert letterbox.post(letterbox.wechat(transaction, notice_id=order.payment_no)).status_code == 204
    assert letterbox.settled(order.payment_no) == ["PAID"]
    assert not [line for line in letterbox.logged() if line.get("reason") == "signtest"]


# --- Alipay: only seven bytes count


def test_alipay_is_told_exactly_seven_bytes(letterbox):
    order = letterbox.order(ALIPAY)

    response = letterbox.post(letterbox.alipay(letterbox.alipay_fields(order)))

    assert response.status_code == 200
    assert response.data == b"success"
    assert response.headers["Content-Length"] == "7"
    assert response.mimetype == "text/plain"
    assert letterbox.settled(order.payment_no) == ["PAID"]


def test_alipay_is_told_success_again_when_it_comes_again(letterbox):
    order = letterbox.order(ALIPAY)
    letter = letterbox.alipay(letterbox.alipay_fields(order))

    assert [letterbox.post(letter).data for _ in range(3)] == [b"success"] * 3
    assert letterbox.settled(order.payment_no) == ["PAID"]


def test_a_gbk_form_is_read_as_it_was_signed(letterbox):
    order = letterbox.order(ALIPAY)

    response = letterbox.post(letterbox.alipay(letterbox.alipay_fields(order, charset="GBK"), encoding="gbk"))

    assert response.data == b"success"
    assert letterbox.settled(order.payment_no) == ["PAID"]


@pytest.mark.parametrize(
    "changes", [{"refund_fee": "0.00"}, {"refund_fee": ""}, {"something_new": "新字段"}, {"total_amount": "plain"}]
)
def test_a_payment_is_a_payment_with_old_empty_and_new_fields(letterbox, changes):
    order = letterbox.order(ALIPAY)
    if changes == {"total_amount": "plain"}:
        changes = {"total_amount": str(Decimal(order.total_fen) / 100)}

    assert letterbox.post(letterbox.alipay(letterbox.alipay_fields(order, **changes))).data == b"success"
    assert letterbox.settled(order.payment_no) == ["PAID"]


def test_trade_finished_without_success_before_it_pays(letterbox):
    order = letterbox.order(ALIPAY)

    assert letterbox.post(letterbox.alipay(letterbox.alipay_fields(order, trade_status="TRADE_FINISHED"))).data == b"success"
    assert letterbox.settled(order.payment_no) == ["PAID"]


def test_trade_finished_after_success_changes_nothing(letterbox):
    order = letterbox.order(ALIPAY)
    for status in ("TRADE_SUCCESS", "TRADE_FINISHED"):
        letterbox.post(letterbox.alipay(letterbox.alipay_fields(order, trade_status=status, trade_no="2026000001")))

    assert sorted(letterbox.settled(order.payment_no)) == ["ALREADY", "PAID"]


def test_a_partial_refund_comes_as_trade_success_and_pays_no_second_time(letterbox):
    order = letterbox.order(ALIPAY)
    fields = letterbox.alipay_fields(order)
    refund = {
        **fields,
        "notify_id": f"r{fields['notify_id']}",
        "refund_fee": "1.00",
        "gmt_refund": fields["gmt_payment"],
        "out_biz_no": "R1",
    }

    for letter in (letterbox.alipay(fields), letterbox.alipay(refund)):
        assert letterbox.post(letter).data == b"success"

    assert sorted(letterbox.settled(order.payment_no)) == ["PAID", "REFUND_SEEN"]
    assert letterbox.world.read_payment(order.payment_no).refunded_fen == 100


def test_trade_closed_without_money_closes_the_order(letterbox):
    order = letterbox.order(ALIPAY)
    fields = letterbox.alipay_fields(order, without=("gmt_payment", "receipt_amount"), trade_status="TRADE_CLOSED")

    assert letterbox.post(letterbox.alipay({**fields, "gmt_close": fields["gmt_create"]})).data == b"success"
    assert letterbox.settled(order.payment_no) == ["CLOSED"]
    assert letterbox.world.read_order_row(order.order_no).state == "CLOSED"


def test_trade_closed_by_a_full_refund_was_paid_and_went_back(letterbox):
    order = letterbox.order(ALIPAY)
    fields = letterbox.alipay_fields(order, trade_status="TRADE_CLOSED")
    refund = {"refund_fee": fields["total_amount"], "gmt_refund": fields["gmt_create"], "gmt_close": fields["gmt_create"]}

    assert letterbox.post(letterbox.alipay(fields | refund)).data == b"success"
    assert letterbox.settled(order.payment_no) == ["REFUND_SEEN"]
    assert letterbox.world.read_payment(order.payment_no).refunded_fen == order.total_fen


def test_a_letter_about_something_else_is_kept_and_moves_nothing(letterbox):
    order = letterbox.order(ALIPAY)
    fields = letterbox.alipay_fields(order, notify_type="dut_user_sign")

    assert letterbox.post(letterbox.alipay(fields)).data == b"success"
    assert letterbox.kept(order.payment_no) == [("OTHER", "WAITING", None)]
    assert letterbox.settled(order.payment_no) == ["NOTHING"]


BAD_ALIPAY = {
    "signature": lambda box: box.alipay(box.alipay_fields(), by="a thief"),
    "signature by our own key": lambda box: box.alipay(box.alipay_fields(), by="app"),
    "signature over other words": lambda box: _with_body(
        box.alipay(box.alipay_fields()), lambda raw: raw.replace(b"123.45", b"923.45")
    ),
    "signature over fewer fields": lambda box: _with_body(
        box.alipay(box.alipay_fields()), lambda raw: raw + b"&refund_fee=1.00"
    ),
    "missing_signature": lambda box: _with_body(box.alipay(box.alipay_fields()), lambda raw: raw.split(b"&sign=")[0]),
    "unknown_signature_type": lambda box: _with_body(
        box.alipay(box.alipay_fields()), lambda raw: raw.replace(b"sign_type=RSA2", b"sign_type=RSA")
    ),
    "duplicate": lambda box: _with_body(box.alipay(box.alipay_fields()), lambda raw: raw + b"&out_trade_no=1"),
    "wrong_app": lambda box: box.alipay(box.alipay_fields(app_id="2021000000000000")),
    "wrong_merchant": lambda box: box.alipay(box.alipay_fields(seller_id="2088000000000000")),
    "malformed amount": lambda box: box.alipay(box.alipay_fields(total_amount="1.234")),
    "malformed by its length": lambda box: box.alipay(box.alipay_fields(total_amount="9" * 30)),
    "malformed with a NUL": lambda box: box.alipay(box.alipay_fields(trade_no="1\x00")),
    "malformed charset": lambda box: box.alipay(box.alipay_fields(charset="klingon")),
    "malformed by its moment": lambda box: box.alipay(box.alipay_fields(gmt_payment="2026-02-30 10:00:00")),
}


def _with_body(letter: Letter, change) -> Letter:
    changed = change(letter.body)
    assert changed != letter.body
    letter.body = changed
    return letter


@pytest.mark.parametrize("why", BAD_ALIPAY)
def test_what_alipay_did_not_sign_for_us_is_refused_and_not_kept(letterbox, why):
    letter, reason = BAD_ALIPAY[why](letterbox), f"refused:{why.split()[0]}"
    kept, before = letterbox.all_kept(), counted("alipay", ALIPAY, reason)

    response = letterbox.post(letter)

    assert response.data == b"failure"
    assert letterbox.all_kept() == kept
    assert counted("alipay", ALIPAY, reason) == before + 1


# --- authentic, and not what we expected: kept, acknowledged, and put where somebody finds it


def test_a_wrong_amount_is_kept_and_stands_in_surplus(letterbox):
    order = letterbox.order()
    less = {"total": order.total_fen - 1, "payer_total": 1, "currency": "CNY"}

    assert letterbox.post(letterbox.wechat(letterbox.wechat_transaction(order, amount=less))).status_code == 204

    assert letterbox.settled(order.payment_no) == ["WRONG_AMOUNT"]
    assert letterbox.standing(f"surplus:{order.payment_no}") == -(order.total_fen - 1)


def test_a_wrong_currency_is_kept_and_parked_and_its_months_are_free_again(letterbox):
    order = letterbox.order()
    dollars = {"total": order.total_fen, "payer_total": order.total_fen, "currency": "USD"}

    assert letterbox.post(letterbox.wechat(letterbox.wechat_transaction(order, amount=dollars))).status_code == 204

    assert letterbox.settled(order.payment_no) == ["WRONG_CURRENCY"]
    assert letterbox.world.read_payment(order.payment_no).state == "CLOSED"
    assert (
        letterbox.world.scalar("SELECT closed_why FROM payment_orders WHERE order_no = :no", no=order.order_no)
        == "WRONG_CURRENCY"
    )


def test_coupons_do_not_make_the_amount_wrong(letterbox):
    order = letterbox.order()
    with_coupon = {"total": order.total_fen, "payer_total": order.total_fen - 500, "currency": "CNY"}

    letterbox.post(letterbox.wechat(letterbox.wechat_transaction(order, amount=with_coupon)))

    assert letterbox.settled(order.payment_no) == ["PAID"]


def test_money_without_an_order_is_kept_in_the_unknown_account(letterbox):
    wechat, alipay = letterbox.wechat_transaction(), letterbox.alipay_fields()
    accounts = [
        f"unknown:wechat_pay:{wechat['mchid']}",
        f"unknown:alipay:{alipay['seller_id']}",
    ]
    letterbox.world.settle()  # what other stories left waiting is not this one's
    before = [letterbox.standing(account) for account in accounts]

    assert letterbox.post(letterbox.wechat(wechat)).status_code == 204
    assert letterbox.post(letterbox.alipay(alipay)).data == b"success"

    assert letterbox.settled(wechat["out_trade_no"]) == ["UNCLAIMED"]
    assert letterbox.settled(alipay["out_trade_no"]) == ["UNCLAIMED"]
    assert [letterbox.standing(account) for account in accounts] == [standing - 12345 for standing in before]


def test_a_refund_that_comes_first_proves_the_payment(letterbox):
    order = letterbox.order()
    refund = letterbox.wechat_refund(order, "4200000001")

    assert letterbox.post(letterbox.wechat(refund, event="REFUND.SUCCESS")).status_code == 204
    assert letterbox.post(letterbox.wechat(letterbox.wechat_transaction(order, transaction_id="4200000001"))).status_code == 204

    assert sorted(letterbox.settled(order.payment_no)) == ["ALREADY", "REFUND_SEEN"]


@pytest.mark.parametrize(("event", "outcome"), [("REFUND.ABNORMAL", "REFUND_ABNORMAL"), ("REFUND.CLOSED", "REFUND_FAILED")])
def test_a_refund_that_failed_waits_for_a_person(letterbox, event, outcome):
    order = letterbox.order()
    refund = letterbox.wechat_refund(order, f"4299{event}", refund_status=event.partition(".")[2])

    assert letterbox.post(letterbox.wechat(refund, event=event)).status_code == 204

    assert letterbox.settled(order.payment_no) == [outcome]


def test_an_event_nobody_knows_is_kept_and_moves_nothing(letterbox):
    transaction = letterbox.wechat_transaction()

    assert letterbox.post(letterbox.wechat(transaction, event="PAPAY.SIGN")).status_code == 204
    assert letterbox.settled(transaction["out_trade_no"]) == ["NOTHING"]


# --- the wrong door


def test_an_unknown_miniprogram_is_counted_without_its_name(letterbox):
    before = counted("wechat_pay", "-", "refused:unknown_miniprogram"), counted("alipay", "-", "refused:unknown_miniprogram")
    wechat, alipay = letterbox.wechat(letterbox.wechat_transaction()), letterbox.alipay(letterbox.alipay_fields())
    wechat.path, alipay.path = "/webhooks/wechat-pay/nowhere", "/webhooks/alipay/nowhere"

    assert letterbox.post(wechat).status_code == 401
    assert letterbox.post(alipay).data == b"failure"
    after = counted("wechat_pay", "-", "refused:unknown_miniprogram"), counted("alipay", "-", "refused:unknown_miniprogram")
    assert after == (before[0] + 1, before[1] + 1)


def test_each_channel_reads_its_own_letters_only(letterbox):
    kept = letterbox.all_kept()
    wechat, alipay = letterbox.wechat(letterbox.wechat_transaction()), letterbox.alipay(letterbox.alipay_fields())
    wechat.path, alipay.path = f"/webhooks/alipay/{WECHAT}", f"/webhooks/wechat-pay/{ALIPAY}"

    assert letterbox.post(wechat).data == b"failure"
    assert letterbox.post(alipay).status_code == 401

    wechat.path, alipay.path = f"/webhooks/alipay/{ALIPAY}", f"/webhooks/wechat-pay/{WECHAT}"
    assert letterbox.post(wechat).data == b"failure"
    assert letterbox.post(alipay).status_code == 401
    assert letterbox.all_kept() == kept


def test_a_letter_for_one_miniprogram_is_not_read_by_another(letterbox):
    letter = letterbox.wechat(letterbox.wechat_transaction())
    letter.path = f"/webhooks/wechat-pay/{XINJIANG}"

    assert letterbox.post(letter).status_code == 401


def test_a_miniprogram_without_a_merchant_takes_no_letters(letterbox):
    letter = letterbox.wechat(letterbox.wechat_transaction())
    letter.path = "/webhooks/wechat-pay/xinjiang-hrss-wechat"

    assert letterbox.post(letter).status_code == 401


@pytest.mark.parametrize("path", [f"/webhooks/wechat-pay/{WECHAT}", f"/webhooks/alipay/{ALIPAY}"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE"])
def test_letters_are_posted(letterbox, method, path):
    response = letterbox.app.test_client().open(path, method=method)

    assert response.status_code == 405
    assert b"success" not in response.data


@pytest.mark.parametrize(
    "path",
    [
        f"/webhooks/wechat-pay/{WECHAT}/",
        f"/webhooks//alipay/{ALIPAY}",
        "/webhooks/alipay/",
        "/webhooks/alipay/%00",
        "/webhooks",
        "/",
    ],
)
def test_a_slightly_wrong_address_is_unknown_and_never_a_redirect(letterbox, path):
    letter = letterbox.wechat(letterbox.wechat_transaction())
    letter.path = path

    response = letterbox.post(letter)

    assert response.status_code in (401, 404) or response.data == b"failure"


# --- the acknowledgement is the commit


@pytest.mark.parametrize("miniprogram", [WECHAT, ALIPAY])
def test_when_the_status_line_goes_out_anybody_can_see_the_row(letterbox, shared_database, miniprogram):
    order = letterbox.order(miniprogram)
    letter = (
        letterbox.wechat(letterbox.wechat_transaction(order))
        if miniprogram == WECHAT
        else letterbox.alipay(letterbox.alipay_fields(order))
    )
    seen: list[int] = []
    inner = letterbox.app.wsgi_app

    def watched(environ, start_response):
        def starts(status, headers, *more):
            # At this very moment, through a connection that has nothing to do with ours.
            with psycopg.connect(shared_database.replace("+psycopg", "")) as other:
                row = other.execute("SELECT count(*) FROM notices WHERE payment_no = %s", [order.payment_no]).fetchone()
            seen.append(row[0])
            return start_response(status, headers, *more)

        return inner(environ, starts)

    letterbox.app.wsgi_app = watched
    letterbox.post(letter)

    assert seen == [1]


REFUSE_ROWS = (
    "CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no: %', NEW.payment_no; END $$"
)
BREAKS = {
    "at the insert": "CREATE TRIGGER no BEFORE INSERT ON notices FOR EACH ROW EXECUTE FUNCTION no()",
    "at the commit": "CREATE CONSTRAINT TRIGGER no AFTER INSERT ON notices DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION no()",
}


@pytest.mark.parametrize("where", BREAKS)
def test_what_cannot_be_committed_is_not_acknowledged_and_comes_again(lone_letterbox, where):
    letterbox = lone_letterbox
    wechat, alipay = letterbox.wechat(letterbox.wechat_transaction()), letterbox.alipay(letterbox.alipay_fields())
    letterbox.execute(REFUSE_ROWS)
    letterbox.execute(BREAKS[where])

    refused = letterbox.post(wechat), letterbox.post(alipay)

    assert (refused[0].status_code, refused[0].json["code"]) == (503, "FAIL")
    assert refused[1].data == b"failure"
    assert letterbox.all_kept() == 0

    letterbox.execute("DROP TRIGGER no ON notices")
    assert letterbox.post(wechat).status_code == 204
    assert letterbox.post(alipay).data == b"success"
    assert letterbox.all_kept() == 2


def test_without_a_database_nothing_is_acknowledged(letterbox):
    wechat, alipay = letterbox.wechat(letterbox.wechat_transaction()), letterbox.alipay(letterbox.alipay_fields())
    before = counted("wechat_pay", WECHAT, "not_kept")

    letterbox.ports, kept = letterbox.reading, letterbox.ports
    letterbox.lose_database()
    answers = letterbox.post(wechat), letterbox.post(alipay)
    letterbox.find_database()
    letterbox.ports = kept

    assert answers[0].status_code == 503
    assert answers[1].data == b"failure"
    assert counted("wechat_pay", WECHAT, "not_kept") == before + 1
    assert letterbox.post(wechat).status_code == 204
    assert letterbox.post(alipay).data == b"success"


def test_connections_that_died_in_the_pool_cost_no_notice(lone_letterbox, server):
    letterbox = lone_letterbox
    for _ in range(2):
        assert letterbox.post(letterbox.wechat(letterbox.wechat_transaction())).status_code == 204
    with server.connect() as other:
        other.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s",
            [letterbox.world.ports.sessions.kw["bind"].url.database],
        )

    assert letterbox.post(letterbox.wechat(letterbox.wechat_transaction())).status_code == 204
    assert letterbox.all_kept() == 3
