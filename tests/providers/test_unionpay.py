"""UnionPay at a POS: who signed a notice, what it says, and what questions and refunds are answered."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta

import pytest

from providers.http import Line
from providers.keys import KeyFileError
from providers.protocols import BadSignature, NewsKind, ProviderRefused, ProviderUnreachable, RefundOrder
from providers.unionpay.pay import UnionPayPos
from providers.unionpay.signing import Chain, load_certificate
from tests.providers import unionpay_wire as upay
from tests.providers import wire

NOW = datetime(2026, 11, 21, 2, 1, tzinfo=UTC)
NO, AMOUNT_FEN, PROVIDER_NO = "20261121100000ABCDEFGHJK", 123456, "202611211000000001"
REFUND = RefundOrder(
    refund_no="RF2026112100000001", payment_no=NO, provider_payment_no=PROVIDER_NO, refund_fen=100, total_fen=AMOUNT_FEN,
    ordered_at=NOW, reason="社保费重复缴费退款",
)  # fmt: skip


@pytest.fixture(scope="module")
def there():
    with wire.wire() as it:
        yield it


@pytest.fixture
def pos(there):
    line = Line(provider="unionpay", base_url=there.url)
    yield UnionPayPos(
        line=line,
        merchant=upay.MERCHANT,
        private_key=wire.key("merchant"),
        certificate_id=upay.CERTIFICATE_ID,
        chain=upay.chain(),
        notify_url="https://example.com/webhooks/unionpay/pos-changzhou",
    )
    line.close()


def opened(pos, fields, *, now=NOW, **how):
    return pos.open_notice({}, upay.form(upay.signed_fields(fields, **how)), now=now)


def why_not(pos, raw: bytes, *, now=NOW) -> str:
    with pytest.raises(BadSignature) as refusal:
        pos.open_notice({}, raw, now=now)
    return refusal.value.reason


# --- what a notice says


@pytest.mark.parametrize("code", ["00", "A6"])
def test_a_card_that_paid_is_news_of_our_number(pos, code):
    news = opened(pos, upay.payment(NO, AMOUNT_FEN, respCode=code, queryId=PROVIDER_NO))

    assert (news.kind, news.payment_no, news.provider_payment_no) == (NewsKind.PAID, NO, PROVIDER_NO)
    assert (news.amount_fen, news.currency) == (AMOUNT_FEN, "CNY")
    assert news.happened_at == datetime(2026, 11, 21, 2, 1, 2, tzinfo=UTC)
    assert news.notification_id == f"{NO}:20261121100000"


@pytest.mark.parametrize(
    ("changes", "at"),
    [
        ({"traceTime": ""}, datetime(2026, 11, 21, 2, 0, tzinfo=UTC)),
        ({"txnTime": "20261231235959", "traceTime": "0101000003"}, datetime(2026, 12, 31, 16, 0, 3, tzinfo=UTC)),
    ],
)
def test_when_the_card_was_taken_is_the_traces_moment_also_over_new_year(pos, changes, at):
    assert opened(pos, upay.payment(NO, AMOUNT_FEN, **changes)).happened_at == at


def test_money_that_is_no_renminbi_says_so(pos):
    assert opened(pos, upay.payment(NO, AMOUNT_FEN, currencyCode="840")).currency == "840"


@pytest.mark.parametrize("changes", [{"respCode": "51"}, {"txnType": "04", "origQryId": PROVIDER_NO}, {"txnType": "02"}])
def test_what_is_no_payment_moves_nothing(pos, changes):
    assert opened(pos, upay.payment(NO, AMOUNT_FEN, **changes)).kind is NewsKind.OTHER


def test_a_payment_that_was_revoked_at_the_terminal_went_back_whole(pos):
    news = opened(pos, upay.payment("REVOKED00001", AMOUNT_FEN, txnType="31", origQryId=PROVIDER_NO, origOrderId=NO))

    assert (news.kind, news.payment_no, news.provider_payment_no) == (NewsKind.REFUNDED, NO, PROVIDER_NO)
    assert (news.refund_no, news.refund_fen, news.amount_fen) == ("REVOKED00001", AMOUNT_FEN, AMOUNT_FEN)


# --- who signed it


def test_whoever_is_no_unionpay_is_refused_whatever_they_bring(pos):
    fields = upay.payment(NO, AMOUNT_FEN)
    stranger = {"by": "a stranger"}
    own_chain = upay.signing(key="a stranger", by_key="a stranger")
    another_customer = upay.signing(to="041@Z12@某某商户有限公司@00000002", key="a stranger")
    short_name = upay.signing(to="00040000:SIGN", key="a stranger")

    assert why_not(pos, upay.form(upay.signed_fields(fields, **stranger))) == "signature"
    assert why_not(pos, upay.form(upay.signed_fields(fields, **stranger, with_certificate=own_chain))) == "certificate_chain"
    assert (
        why_not(pos, upay.form(upay.signed_fields(fields, **stranger, with_certificate=another_customer))) == "certificate_name"
    )
    assert why_not(pos, upay.form(upay.signed_fields(fields, **stranger, with_certificate=short_name))) == "certificate_name"
    assert (
        why_not(pos, upay.form(upay.signed_fields(fields, by=upay.MIDDLE, with_certificate=upay.middle())))
        == "certificate_chain"
    )
    assert (
        why_not(pos, upay.form(upay.signed_fields(fields, by=upay.ROOT, with_certificate=upay.root()))) == "certificate_chain"
    )


def test_a_certificate_counts_from_its_first_day_to_its_last(pos):
    ends = NOW + timedelta(days=1)
    certificate = upay.signing(begins=NOW - timedelta(days=1), ends=ends)
    raw = upay.form(upay.signed_fields(upay.payment(NO, AMOUNT_FEN), with_certificate=certificate))

    assert pos.open_notice({}, raw, now=NOW).kind is NewsKind.PAID
    assert why_not(pos, raw, now=ends + timedelta(seconds=1)) == "certificate_expired"
    assert why_not(pos, raw, now=NOW - timedelta(days=2)) == "certificate_expired"
    assert why_not(pos, raw, now=NOW + timedelta(days=4000)) == "certificate_expired"


def changed(raw: bytes, **changes: str | None) -> bytes:
    from urllib.parse import parse_qsl

    fields = {**dict(parse_qsl(raw.decode(), keep_blank_values=True)), **changes}
    return upay.form({name: value for name, value in fields.items() if value is not None})


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"txnAmt": "1"}, "signature"), ({"orderId": "20261121100000ZZZZZZZZZZ"}, "signature"), ({"extra": "1"}, "signature"),
        ({"signature": None}, "missing_signature"), ({"signature": "AAAA"}, "signature"), ({"signature": "ü"}, "signature"),
        ({"signPubKeyCert": None}, "missing_certificate"), ({"signPubKeyCert": "x"}, "certificate"),
        ({"signPubKeyCert": "x" * 9000}, "certificate"), ({"signMethod": "11"}, "unknown_signature_type"),
        ({"version": "5.0.0"}, "unknown_signature_type"), ({"version": None}, "unknown_signature_type"),
    ],
)  # fmt: skip
def test_a_letter_that_was_touched_is_refused(pos, changes, reason):
    raw = upay.form(upay.signed_fields(upay.payment(NO, AMOUNT_FEN)))

    assert why_not(pos, changed(raw, **changes)) == reason


def test_a_name_given_twice_a_pair_hidden_in_a_value_and_a_second_decoding_are_refused(pos):
    good = upay.form(upay.signed_fields(upay.payment(NO, AMOUNT_FEN)))
    assert why_not(pos, good + b"&orderId=" + NO.encode()) == "duplicate"
    # The signed text is the same; what it says is not.
    fields = upay.signed_fields(upay.payment(NO, AMOUNT_FEN))
    hidden = {name: value for name, value in fields.items() if name != "txnAmt"}
    hidden["traceTime"] += f"&txnAmt={fields['txnAmt']}"
    assert upay.text_to_sign(hidden) == upay.text_to_sign(fields)
    assert why_not(pos, upay.form(hidden)) == "malformed"
    assert why_not(pos, upay.form(upay.signed_fields(upay.payment(NO, AMOUNT_FEN, reqReserved="a&txnAmt=1")))) == "malformed"
    # %2B in the certificate's base64 is a plus; decoded once more it would be a space.
    assert b"%2B" in good
    assert why_not(pos, good.replace(b"%2B", b"+")) in ("certificate", "signature")


def test_another_merchants_letter_is_none_of_ours(pos):
    assert why_not(pos, upay.form(upay.signed_fields(upay.payment(NO, 1, merId="898320453110002")))) == "wrong_merchant"


@pytest.mark.parametrize(
    "changes",
    [
        {"orderId": ""}, {"orderId": "1"}, {"orderId": "x" * 41}, {"orderId": "A-B_C-D_E"}, {"txnTime": "2026"},
        {"txnTime": "20261321100000", "traceTime": ""}, {"traceTime": "x"}, {"traceTime": "1321100102"}, {"txnAmt": "1.00"},
        {"txnAmt": "-1"}, {"txnAmt": "1" * 13}, {"txnAmt": ""}, {"currencyCode": ""}, {"queryId": ""}, {"queryId": "a\nb"},
        {"respCode": ""}, {"txnType": ""},
    ],
)  # fmt: skip
def test_authentic_nonsense_is_malformed_and_never_news(pos, changes):
    assert why_not(pos, upay.form(upay.signed_fields(upay.payment(NO, AMOUNT_FEN) | changes))) == "malformed"


@pytest.mark.parametrize("raw", [b"", b"x", b"\xff=1", b"a=%ff", b"&".join(b"a%d=1" % n for n in range(101)), b"x" * 70_000])
def test_bytes_that_are_no_form_are_refused(pos, raw):
    assert why_not(pos, raw) in ("malformed", "oversize", "missing_signature")


def test_pinned_certificates_must_belong_together(tmp_path):
    with pytest.raises(KeyFileError, match="belong together"):
        Chain(root=upay.root(), middle=upay.signing(), name=upay.NAME)
    with pytest.raises(KeyFileError, match="belong together"):
        Chain(root=upay.middle(), middle=upay.middle(), name=upay.NAME)
    (tmp_path / "x.pem").write_text("x")
    with pytest.raises(KeyFileError, match="found something else"):
        load_certificate(tmp_path / "x.pem")
    with pytest.raises(KeyFileError, match="No such file"):
        load_certificate(tmp_path / "nowhere.pem")


# --- questions


def says(there, **fields: str) -> None:
    def answer(asked: wire.Asked) -> wire.Told:
        given = asked.form
        wire.verifies("merchant", given["signature"], upay.text_to_sign(given))
        assert (given["version"], given["certId"], given["signMethod"]) == ("5.1.0", upay.CERTIFICATE_ID, "01")
        how = {"by": fields["by"]} if "by" in fields else {}
        told = {"merId": upay.MERCHANT, "orderId": given["orderId"], "txnTime": given["txnTime"], **fields}
        told.pop("by", None)
        return upay.answer(told, **how)

    there.answer = answer


PAID = {
    "respCode": "00", "origRespCode": "00", "queryId": PROVIDER_NO, "txnAmt": str(AMOUNT_FEN), "currencyCode": "156",
    "traceTime": "1121100102", "respMsg": "成功",
}  # fmt: skip


def test_asking_names_number_and_moment_and_hears_that_it_was_paid(there, pos):
    says(there, **PAID)

    news, again = pos.ask(NO), pos.ask(NO)

    assert news == again
    assert (news.kind, news.provider_payment_no, news.amount_fen) == (NewsKind.PAID, PROVIDER_NO, AMOUNT_FEN)
    asked = there.asked[-1]
    assert asked.path == "/gateway/api/queryTrans.do"
    assert (asked.form["orderId"], asked.form["txnTime"], asked.form["txnType"]) == (NO, "20261121100000", "00")


@pytest.mark.parametrize(
    ("fields", "kind"),
    [({"respCode": "34"}, NewsKind.NOT_FOUND), ({**PAID, "origRespCode": "51"}, NewsKind.NOT_PAID)],
)
def test_an_order_that_no_card_paid_can_still_be_paid_and_may_be_closed(there, pos, fields, kind):
    says(there, **fields)

    assert pos.ask(NO).kind is kind
    assert pos.close(NO) is None


def test_what_was_paid_does_not_close(there, pos):
    says(there, **PAID)

    with pytest.raises(ProviderRefused):
        pos.close(NO)


@pytest.mark.parametrize(
    "fields",
    [
        {**PAID, "origRespCode": "03"}, {**PAID, "origRespCode": "04"}, {**PAID, "origRespCode": "05"}, {"respCode": "06"}, {},
        {**PAID, "by": "a stranger"}, {**PAID, "orderId": "OTHER00000000001"}, {**PAID, "merId": "898320453110002"},
        {**PAID, "txnAmt": "x"}, {**PAID, "queryId": ""}, {**PAID, "origRespCode": ""},
    ],
)  # fmt: skip
def test_doubt_is_neither_yes_nor_no(there, pos, fields):
    says(there, **fields)

    for call in (pos.ask, pos.close):
        with pytest.raises(ProviderUnreachable):
            call(NO)


@pytest.mark.parametrize(
    "told", [wire.Told(502, b"x"), wire.Told(200, b"<html>"), wire.Told(200, b"\xff\xfe"), wire.Told(200, b"")]
)
def test_an_answer_that_is_none_leaves_the_outcome_unknown(there, pos, told):
    there.answer = lambda _: told

    for call, about in ((pos.ask, NO), (pos.close, NO), (pos.refund, REFUND), (pos.ask_refund, REFUND)):
        with pytest.raises(ProviderUnreachable):
            call(about)


def test_a_number_without_a_moment_is_not_asked_about(there, pos):
    there.answer = None
    with pytest.raises(ProviderRefused):
        pos.ask("ABCDEFGHIJKLMNOPQRSTUVWX")


def test_nothing_is_opened_from_here(pos):
    with pytest.raises(ProviderRefused):
        pos.open_payment(b"")
    with pytest.raises(ValueError, match="terminal"):
        pos.freeze(payment_no=NO, amount_fen=1, description="", expires_at=NOW, payer_subject="")
    assert pos.launch("", now=NOW) == {}


# --- refunds


def test_a_refund_goes_out_under_its_own_number_and_moment_on_every_retry(there, pos):
    says(there, respCode="00")

    news = pos.refund(REFUND)
    pos.refund(dataclasses.replace(REFUND))

    assert (news.kind, news.refund_no, news.refund_fen) == (NewsKind.REFUND_PENDING, REFUND.refund_no, 100)
    first, second = (each.form for each in there.asked[-2:])
    assert first == second
    assert (first["txnType"], first["orderId"], first["origQryId"]) == ("04", REFUND.refund_no, PROVIDER_NO)
    assert (first["txnTime"], first["txnAmt"], first["currencyCode"]) == ("20261121100100", "100", "156")


@pytest.mark.parametrize("code", ["03", "04", "05", "12"])
def test_a_refund_that_may_have_got_through_is_asked_about(there, pos, code):
    says(there, respCode=code)

    with pytest.raises(ProviderUnreachable):
        pos.refund(REFUND)


@pytest.mark.parametrize(("code", "permanent"), [("06", False), ("11", False), ("61", True), ("34", True)])
def test_a_refund_that_they_refuse_moved_nothing(there, pos, code, permanent):
    says(there, respCode=code)

    with pytest.raises(ProviderRefused) as refusal:
        pos.refund(REFUND)
    assert (refusal.value.code, refusal.value.permanent) == (code, permanent)


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({"respCode": "34"}, NewsKind.NOT_FOUND),
        ({**PAID, "origRespCode": "05"}, NewsKind.REFUND_PENDING),
        ({**PAID, "origRespCode": "01"}, NewsKind.REFUND_FAILED),
        ({**PAID, "txnAmt": "100"}, NewsKind.REFUNDED),
    ],
)
def test_what_became_of_a_refund_is_asked(there, pos, fields, kind):
    says(there, **fields)

    news = pos.ask_refund(REFUND)

    assert (news.kind, news.refund_no, news.provider_payment_no) == (kind, REFUND.refund_no, PROVIDER_NO)
    assert there.asked[-1].form["txnTime"] == "20261121100100"


def test_a_refund_of_another_amount_is_nothing_that_we_ordered(there, pos):
    says(there, **PAID)

    with pytest.raises(ProviderUnreachable):
        pos.ask_refund(REFUND)
