"""How a day's bill is asked for and fetched: what is not a bill is told apart, and nobody but its keeper sees our signature."""

from __future__ import annotations

import hashlib
import tracemalloc
from contextlib import contextmanager
from datetime import UTC, date, datetime

import pytest

from providers.alipay.bills import METHOD, AlipayBills
from providers.alipay.client import AlipayClient
from providers.bills import BillDamaged, BillNotReady, NoBill
from providers.http import Line
from providers.protocols import ProviderRefused, ProviderUnreachable
from providers.wechat.bills import WeChatBills
from providers.wechat.signing import Signer, Verifier
from tests.providers import bill_writers as written
from tests.providers import wire
from tests.providers.bill_writers import MCHID, SELLER, alipay_paid, alipay_refunded, wechat_paid, wechat_refunded

DAY = date(2026, 11, 20)
EARLY, LATE = datetime(2026, 11, 21, 1, 59, 59, tzinfo=UTC), datetime(2026, 11, 21, 2, 0, tzinfo=UTC)
PATH = "/v3/billdownload/file"
WECHAT_BILL = written.wechat_all([wechat_paid()], [wechat_refunded()])
ALIPAY_BILL = written.alipay_zip(written.alipay_table([alipay_paid(), alipay_refunded()], day=DAY), day=DAY)


def wechat_bills(url: str) -> WeChatBills:
    return WeChatBills(
        line=Line(provider="wechat_pay", base_url=url),
        signer=Signer(MCHID, "444F4864EA9B34415", wire.key("merchant")),
        verifier=Verifier({wire.PUBLIC_KEY_ID: wire.key("wechat").public_key()}),
        response_key=wire.PUBLIC_KEY_ID,
    )


def alipay_bills(url: str) -> AlipayBills:
    line = Line(provider="alipay", base_url=f"{url}/gateway.do")
    client = AlipayClient(
        line=line, app_id="2021000000000001", private_key=wire.key("app"), alipay_public_key=wire.key("alipay").public_key()
    )
    return AlipayBills(client=client, line=line, seller_id=SELLER)


@contextmanager
def closing(bills):
    try:
        yield bills
    finally:
        bills._line.close()


@pytest.fixture
def there():
    with wire.wire() as it:
        yield it


@pytest.fixture
def wechat(there):
    with closing(wechat_bills(there.url)) as bills:
        yield bills


@pytest.fixture
def alipay(there):
    with closing(alipay_bills(there.url)) as bills:
        yield bills


def keeps(there, content=WECHAT_BILL, *, file=None, address=None, status=200, **more):
    """WeChat's end: a signed answer that names a file and its hash, and the file."""
    told = {
        "hash_type": "SHA1",
        "hash_value": hashlib.sha1(content).hexdigest(),  # noqa: S324 (the hash that they name)
        "download_url": address or f"{there.url}{PATH}?token=a%2Fb-c_d",
    } | more

    def answer(asked):
        if asked.path.endswith(PATH):
            return wire.Told(status, written.gzipped(content) if file is None else file)
        return wire.wechat_told(told)

    there.answer = answer


def fetched(bills, now=LATE):
    with bills.fetch(DAY, now=now) as bill:
        first, again = list(bill.rows()), list(bill.rows())
    assert first == again
    return [(row.kind, row.payment_no, row.amount_fen) for row in first]


BOTH = [("TRADE", "SB1", 38000), ("REFUND", "SB1", -8000)]


@pytest.mark.parametrize("packed", [True, False])
def test_a_wechat_bill_is_asked_for_signed_fetched_signed_and_its_hash_compared(there, wechat, packed):
    keeps(there, file=None if packed else WECHAT_BILL)

    assert fetched(wechat) == BOTH

    asked, download = there.asked
    assert (asked.path, asked.query) == (
        "/v3/bill/tradebill",
        {"bill_date": "2026-11-20", "bill_type": "ALL", "tar_type": "GZIP"},
    )
    assert download.target == f"{PATH}?token=a%2Fb-c_d"
    for each in there.asked:
        told = dict(part.split("=", 1) for part in each.headers["Authorization"].split(" ", 1)[1].split(","))
        told = {name: value.strip('"') for name, value in told.items()}
        wire.verifies(
            "merchant", told["signature"], f"GET\n{each.target}\n{told['timestamp']}\n{told['nonce_str']}\n\n".encode()
        )


def test_whatever_characters_an_address_holds_it_is_signed_as_it_stands_on_the_wire(there, wechat):
    keeps(there, address=f"{there.url}{PATH}?token=a%7eb|c d%2fé")

    fetched(wechat)

    download = there.last
    told = dict(part.split("=", 1) for part in download.headers["Authorization"].split(" ", 1)[1].split(","))
    told = {name: value.strip('"') for name, value in told.items()}
    wire.verifies(
        "merchant", told["signature"], f"GET\n{download.target}\n{told['timestamp']}\n{told['nonce_str']}\n\n".encode()
    )


@pytest.mark.parametrize("documented", ["https://api.mch.weixin.qq.com", "https://api2.mch.weixin.qq.com:443"])
def test_a_file_at_a_documented_host_is_asked_for_at_the_one_that_we_configured(there, documented):
    """Behind a proxy of ours, everything goes through it."""
    with closing(wechat_bills(f"{there.url}/through-a-proxy")) as bills:
        keeps(there, address=f"{documented}{PATH}?token=t")

        assert fetched(bills) == BOTH

    assert [asked.path for asked in there.asked] == ["/through-a-proxy/v3/bill/tradebill", f"/through-a-proxy{PATH}"]


@pytest.mark.parametrize(
    "address",
    [
        "https://evil.example/v3/billdownload/file?token=t",
        "https://api.mch.weixin.qq.com.evil.example/v3/billdownload/file",
        "https://api.mch.weixin.qq.com@evil.example/v3/billdownload/file",
        "https://api.mch.weixin.qq.com:8443/v3/billdownload/file",
        "http://api.mch.weixin.qq.com/v3/billdownload/file",
        "//evil.example/file",
        "file:///etc/passwd",
        "https://[::1/file",
        "https://api.mch.weixin.qq.com:port/file",
        "file",
    ],
)
def test_our_signature_goes_to_no_stranger(there, wechat, address):
    keeps(there, address=address)

    with pytest.raises(ProviderUnreachable):
        wechat.fetch(DAY, now=LATE)

    assert len(there.asked) == 1


def test_our_signature_follows_no_file_that_moved_elsewhere(there, wechat):
    with wire.wire() as stranger:
        keeps(there)
        signed = there.answer
        there.answer = lambda asked: (
            wire.Told(302, b"", {"Location": f"{stranger.url}/file"}) if asked.path == PATH else signed(asked)
        )

        with pytest.raises(ProviderUnreachable):
            wechat.fetch(DAY, now=LATE)

        assert stranger.asked == []


@pytest.mark.parametrize(
    ("file", "what"),
    [
        (written.gzipped(WECHAT_BILL.replace(b"380.00", b"381.00")), "not the file whose hash they signed"),
        (written.gzipped(WECHAT_BILL)[:-9], "gzip: EOFError"),
        (written.gzipped(WECHAT_BILL)[:-8] + b"\0" * 8, "gzip: BadGzipFile"),
        (written.gzipped(WECHAT_BILL)[:20] + b"\xff" * 20 + written.gzipped(WECHAT_BILL)[40:], "gzip: error"),
        (b"", "not the file whose hash they signed"),
    ],
)
def test_a_file_that_is_not_the_one_they_signed_is_refused_before_a_row_is_read(there, wechat, file, what):
    keeps(there, file=file)

    with pytest.raises(BillDamaged) as trouble:
        wechat.fetch(DAY, now=LATE)

    assert (trouble.value.line, trouble.value.what) == (0, what)


def test_a_gzip_that_unpacks_to_more_than_any_bill_is_refused_and_not_unpacked_whole(there, wechat, monkeypatch):
    monkeypatch.setattr("providers.wechat.bills.BILL_LIMIT_BYTES", 4 * 1024 * 1024)
    content = bytes(40 * 1024 * 1024)
    packed = written.gzipped(content)
    keeps(there, content=b"", file=packed)
    tracemalloc.start()

    with pytest.raises(BillDamaged, match="too long"):
        wechat.fetch(DAY, now=LATE)

    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 16 * 1024 * 1024


def test_a_file_longer_than_any_bill_is_not_taken(there, wechat, alipay, monkeypatch):
    monkeypatch.setattr("providers.wechat.bills.PACKED_LIMIT_BYTES", 100)
    keeps(there)

    with pytest.raises(ProviderUnreachable, match="too long"):
        wechat.fetch(DAY, now=LATE)


def refuses(there, code, status=400):
    there.answer = lambda _: wire.Told(
        status, b'{"code":"%s","message":"m"}' % code.encode(), {"Content-Type": "application/json"}
    )


def test_a_day_without_trades_is_told_apart_from_one_that_is_not_made_up_at_wechat(there, wechat):
    refuses(there, "NO_STATEMENT_EXIST")
    with pytest.raises(NoBill):
        wechat.fetch(DAY, now=LATE)
    with pytest.raises(BillNotReady):
        wechat.fetch(DAY, now=EARLY)

    refuses(there, "STATEMENT_CREATING")
    with pytest.raises(BillNotReady):
        wechat.fetch(DAY, now=LATE)


def test_no_bill_is_no_kind_of_trouble_and_not_ready_is():
    assert not issubclass(NoBill, ProviderUnreachable)
    assert not issubclass(NoBill, ProviderRefused)
    assert issubclass(BillNotReady, ProviderUnreachable)


@pytest.mark.parametrize(
    "told",
    [
        wire.Told(500, b"{}"),
        wire.Told(429, b'{"code":"FREQUENCY_LIMITED"}'),
        wire.Told(400, b"<html>"),
        wire.Told(400, b'{"code":"SYSTEM_ERROR"}'),
        wire.Told(200, b'{"hash_type":"SHA1"}'),
        wire.wechat_told(b"[]"),
        wire.wechat_told({"hash_type": "SHA1", "hash_value": "a"}),
        wire.wechat_told({"hash_type": "MD5", "hash_value": "a", "download_url": "b"}),
        wire.wechat_told({"hash_type": "SHA1", "hash_value": "a", "download_url": 7}),
        wire.wechat_told(
            {"hash_type": "SHA1", "hash_value": "a", "download_url": "https://api.mch.weixin.qq.com/"}, by="a stranger"
        ),
    ],
)
def test_what_is_no_answer_of_wechats_is_unreachable_and_no_day_without_trades(there, wechat, told):
    there.answer = lambda _: told

    with pytest.raises(ProviderUnreachable) as trouble:
        wechat.fetch(DAY, now=LATE)

    assert not isinstance(trouble.value, BillNotReady)
    assert len(there.asked) == 1


def test_a_refusal_is_told_as_one(there, wechat):
    refuses(there, "NO_AUTH", 403)

    with pytest.raises(ProviderRefused) as refusal:
        wechat.fetch(DAY, now=LATE)

    assert (refusal.value.code, refusal.value.permanent) == ("NO_AUTH", False)


@pytest.mark.parametrize("status", [404, 500])
def test_a_file_that_is_gone_is_no_bill_to_use(there, wechat, status):
    keeps(there, file=b'{"code":"RESOURCE_NOT_EXISTS"}', status=status)

    with pytest.raises((ProviderRefused, ProviderUnreachable)):
        wechat.fetch(DAY, now=LATE)


def test_the_fund_flow_is_asked_for_by_account(there, wechat):
    rows = [{
        "记账时间": "2026-11-20 10:00:00", "微信支付业务单号": "42SB1", "资金流水单号": "F1", "业务类型": "交易", "收支类型": "收入",
        "收支金额(元)": "380.00", "账户结余(元)": "380.00", "业务凭证号": "SB1",
    }]  # fmt: skip
    keeps(there, written.wechat(written.WECHAT_FLOW, rows, written.WECHAT_FLOW_SUMS, ["1.0", "1.0", "380.00", "0.0", "0.00"]))

    [row] = wechat.fund_flow(DAY, now=LATE)

    assert (row.amount_fen, row.our_no) == (38000, "SB1")
    assert there.asked[0].query == {"bill_date": "2026-11-20", "account_type": "BASIC", "tar_type": "GZIP"}
    with pytest.raises(ValueError):
        list(wechat.fund_flow(DAY, now=LATE, account="ALL"))


def names(there, address=None, *, file=ALIPAY_BILL, status=200):
    """Alipay's end: a signed answer that names a file, and the file."""

    def answer(asked):
        if asked.path == "/gateway.do":
            told = {"code": "10000", "bill_download_url": address or f"{there.url}/bill?fileId=1&bizType=trade"}
            return wire.alipay_told(told, method=METHOD)
        return wire.Told(status, file)

    there.answer = answer


def test_an_alipay_bill_is_asked_for_and_fetched_without_our_signature(there, alipay):
    names(there)

    assert fetched(alipay) == BOTH

    asked, download = there.asked
    assert b"2026-11-20" in asked.body
    assert download.target == "/bill?fileId=1&bizType=trade"
    assert "Authorization" not in download.headers
    assert "sign" not in download.query


def test_an_alipay_bill_of_another_day_or_seller_is_refused(there, alipay):
    for how in ({"day": date(2026, 11, 19)}, {"day": DAY, "seller": "2088000000000003"}):
        names(there, file=written.alipay_zip(written.alipay_table([alipay_paid()], **how), day=DAY))

        with alipay.fetch(DAY, now=LATE) as bill, pytest.raises(BillDamaged):
            list(bill.rows())


def test_a_day_without_trades_is_told_apart_from_one_that_is_not_made_up_at_alipay(there, alipay):
    told = {"code": "40004", "msg": "Business Failed", "sub_code": "isp.bill_not_exist"}
    there.answer = lambda _: wire.alipay_told(told, method=METHOD)
    with pytest.raises(NoBill):
        alipay.fetch(DAY, now=LATE)
    with pytest.raises(BillNotReady):
        alipay.fetch(DAY, now=EARLY)

    there.answer = lambda _: wire.alipay_told(told, method=METHOD, by="a stranger")
    with pytest.raises(ProviderUnreachable) as trouble:
        alipay.fetch(DAY, now=LATE)
    assert not isinstance(trouble.value, BillNotReady)


@pytest.mark.parametrize(
    "told",
    [
        {"code": "10000"},
        {"code": "10000", "bill_download_url": "ftp://a/b"},
        {"code": "10000", "bill_download_url": "https://[/"},
        {"code": "20000", "sub_code": "isp.unknow-error"},
    ],
)
def test_what_is_no_answer_of_alipays_is_unreachable(there, alipay, told):
    there.answer = lambda _: wire.alipay_told(told, method=METHOD)

    with pytest.raises(ProviderUnreachable):
        alipay.fetch(DAY, now=LATE)

    assert len(there.asked) == 1


def test_an_alipay_bill_comes_no_less_safely_than_answers_do():
    with closing(alipay_bills("https://openapi.alipay.com")) as bills:
        assert bills._trusted("http://dwbillcenter.alipay.com/d?x=1") == "https://dwbillcenter.alipay.com/d?x=1"
        assert bills._trusted("https://dwbillcenter.alipay.com/d?x=1") == "https://dwbillcenter.alipay.com/d?x=1"
        for address in ("http://dwbillcenter.alipay.com:8080/d", "https://a@b/c", "//a/b"):
            with pytest.raises(ProviderUnreachable):
                bills._trusted(address)


def test_a_long_bill_is_never_in_memory_whole(there, wechat):
    rows = [wechat_paid(f"SB{index:06}") for index in range(60_000)]
    content = written.wechat(
        written.WECHAT_ALL,
        rows,
        written.WECHAT_ALL_SUMS,
        ["60000", *(written.yuan(60_000 * fen) for fen in (38000, 0, 0)), "0.00000", written.yuan(60_000 * 38000), "0.00"],
    )
    keeps(there, content)
    there.answer(wire.Asked("GET", PATH, {}, b""))  # packed once, outside of what is measured
    size = len(content)
    assert size > 10 * 1024 * 1024
    del rows
    packed = written.gzipped(content)
    keeps(there, content, file=packed)
    tracemalloc.start()

    with wechat.fetch(DAY, now=LATE) as bill:
        total_fen = sum(row.amount_fen for row in bill.rows())

    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert total_fen == 60_000 * 38000
    assert peak < size / 2
