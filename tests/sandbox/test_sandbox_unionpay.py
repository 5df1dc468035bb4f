"""The sandbox's UnionPay, asked and listened to by a merchant that was written for this test alone."""

from __future__ import annotations

import base64
import hashlib
from urllib.parse import parse_qsl

import pytest
import requests
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15

MERCHANT, CERTIFICATE_ID = "898320453110001", "69629715588"
NO, AMOUNT = "20261121100000ABCDEFGHJK", 160000


def text_to_sign(fields):
    given = sorted(each for each in fields.items() if each[1] and each[0] != "signature")
    return hashlib.sha256("&".join(f"{name}={value}" for name, value in given).encode()).hexdigest().encode()


@pytest.fixture
def merchant(sandbox, secrets, letterbox):
    letterbox.answer = (200, b"ok")
    return Merchant(sandbox.url, secrets)


class Merchant:
    def __init__(self, url, secrets):
        self.url = url
        pem = (secrets / f"unionpay-{MERCHANT}-merchant-private-key.pem").read_bytes()
        self.key = serialization.load_pem_private_key(pem, password=None)
        self.root = x509.load_pem_x509_certificate((secrets / "unionpay-root.pem").read_bytes())
        self.middle = x509.load_pem_x509_certificate((secrets / "unionpay-middle.pem").read_bytes())

    def call(self, path, **changes):
        fields = {
            "version": "5.1.0", "encoding": "UTF-8", "signMethod": "01", "certId": CERTIFICATE_ID, "txnSubType": "00",
            "bizType": "000000", "accessType": "0", "merId": MERCHANT, "txnTime": "20261121100000", **changes,
        }  # fmt: skip
        fields.setdefault(
            "signature", base64.b64encode(self.key.sign(text_to_sign(fields), PKCS1v15(), hashes.SHA256())).decode()
        )
        answer = requests.post(self.url + path, data=fields, timeout=5)
        told = dict(pair.split("=", 1) for pair in answer.text.split("&"))
        assert self.signed(told)
        return told

    def ask(self, number, **changes):
        return self.call("/gateway/api/queryTrans.do", txnType="00", orderId=number, **changes)

    def refund(self, number, query_id, amount, **changes):
        return self.call(
            "/gateway/api/backTransReq.do", txnType="04", orderId=number, origQryId=query_id, txnAmt=str(amount),
            currencyCode="156", backUrl="http://127.0.0.1:9/n", **changes,
        )  # fmt: skip

    def signed(self, told) -> bool:
        certificate = x509.load_pem_x509_certificate(told["signPubKeyCert"].encode())
        self.middle.verify_directly_issued_by(self.root)
        try:
            certificate.verify_directly_issued_by(self.middle)
            certificate.public_key().verify(
                base64.b64decode(told["signature"]), text_to_sign(told), PKCS1v15(), hashes.SHA256()
            )
        except InvalidSignature:
            return False
        return True


def letters(letterbox):
    return [dict(parse_qsl(each["body"].decode(), keep_blank_values=True)) for each in letterbox.letters]


def test_a_card_pays_the_merchant_is_told_and_whoever_asks_hears_the_same(remote, merchant, letterbox):
    assert merchant.ask(NO)["respCode"] == "34"
    paid = remote.pay_at_pos(NO, AMOUNT)
    assert paid["paid"]
    assert remote.wait_until_delivered()

    (told,) = letters(letterbox)
    assert merchant.signed(told)
    assert (told["orderId"], told["txnTime"], told["txnAmt"], told["respCode"]) == (NO, "20261121100000", str(AMOUNT), "00")
    asked = merchant.ask(NO)
    assert (asked["respCode"], asked["origRespCode"], asked["queryId"]) == ("00", "00", told["queryId"])
    assert merchant.ask(NO, txnTime="20261121100001")["respCode"] == "34"
    assert remote.money()[f"unionpay_pos:{MERCHANT}"] == AMOUNT


def test_one_number_is_paid_once_and_a_declined_card_may_be_followed_by_another(remote, merchant):
    assert not remote.pay_at_pos(NO, AMOUNT, outcome="decline")["paid"]
    assert merchant.ask(NO)["origRespCode"] == "51"
    assert remote.pay_at_pos(NO, AMOUNT)["paid"]
    assert not remote.pay_at_pos(NO, AMOUNT)["paid"]
    assert not remote.pay_at_pos(NO, 1)["paid"]
    assert remote.money()[f"unionpay_pos:{MERCHANT}"] == AMOUNT


def test_it_misbehaves_on_request(remote, merchant, letterbox):
    remote.pay_at_pos(NO, AMOUNT, faults=[{"fault": "forged"}, {"fault": "wrong_chain"}, {"fault": "duplicate"}])
    remote.pay_at_pos("20261121100000LOST000000", AMOUNT, faults=[{"fault": "lost"}])
    remote.pay_at_pos("20261121100000WRONG00000", AMOUNT, faults=[{"fault": "wrong_amount"}])
    assert remote.wait_until_delivered()

    told = letters(letterbox)
    assert sorted(merchant.signed(each) for each in told if each["orderId"] == NO) == [False, False, True, True]
    assert [each["txnAmt"] for each in told if "WRONG" in each["orderId"]] == [str(AMOUNT + 1)]
    assert not [each for each in told if "LOST" in each["orderId"]]
    assert merchant.ask("20261121100000LOST000000")["origRespCode"] == "00"
    remote.misbehave(NO, "in_doubt", times=1, operation="query")
    assert [merchant.ask(NO)["origRespCode"] for _ in range(2)] == ["04", "00"]


def test_a_refund_is_one_under_its_number_and_never_more_than_there_is(remote, merchant):
    remote.pay_at_pos(NO, AMOUNT)
    query_id = merchant.ask(NO)["queryId"]

    assert merchant.refund("REFUND000001", query_id, AMOUNT - 1)["respCode"] == "00"
    assert merchant.refund("REFUND000001", query_id, AMOUNT - 1)["respCode"] == "12"
    assert merchant.refund("REFUND000002", query_id, 2)["respCode"] == "61"
    assert merchant.refund("REFUND000003", "nobody", 2)["respCode"] == "34"
    assert (merchant.ask("REFUND000001")["origRespCode"], merchant.ask("REFUND000001")["txnAmt"]) == ("00", str(AMOUNT - 1))
    assert remote.money()[f"unionpay_pos:{MERCHANT}"] == 1


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"signature": "AAAA"}, "11"), ({"certId": "1"}, "11"), ({"merId": "1"}, "11"), ({"version": "5.0.0"}, "10"),
        ({"encoding": "GBK"}, "10"), ({"txnTime": "x"}, "10"), ({"orderId": "A-B"}, "10"), ({"bizType": ""}, "13"),
    ],
)  # fmt: skip
def test_a_request_that_is_not_as_agreed_is_refused(merchant, changes, code):
    assert merchant.call("/gateway/api/queryTrans.do", **{"txnType": "00", "orderId": NO, **changes})["respCode"] == code
