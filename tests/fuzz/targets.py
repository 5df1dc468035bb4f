"""Verifiers and parsers, each as a function of bytes that may refuse in its own words and in no other way.

A target raises only when a promise is broken. `parsers.py` drives them by coverage, `test_seeds.py` replays what was found.
"""

from __future__ import annotations

import base64
import contextlib
import csv
import hashlib
import io
import json
import re
import tempfile
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from config.rulebook import load_rulebook
from config.seals import SealBroken, load_seals, new_seal_keys
from config.settings import SettingsFault, load_partners
from miniprogram_api import fields
from miniprogram_api.errors import DoorRefusal
from providers.alipay import bill_rows as alipay_bill_rows
from providers.alipay.client import AlipayClient
from providers.alipay.pay import AlipayPay
from providers.bank_files import BankFileDamaged
from providers.banks.columns import LAYOUTS
from providers.banks.debits import BankFiles
from providers.banks.records import flag_of
from providers.bills import BillDamaged, BillRowKind
from providers.counters.signing import Signatures
from providers.http import Line
from providers.protocols import BadSignature
from providers.reading import Unreadable, json_object
from providers.unionpay.pay import UnionPayPos
from providers.wechat import bill_rows as wechat_bill_rows
from providers.wechat.messages import WeChatMessages
from providers.wechat.open_api import WeChatOpenApi
from providers.wechat.pay import WeChatPay
from providers.wechat.signing import Signer, Verifier
from sandbox import bank_files
from services import enrollment_feed
from services.errors import BusinessError
from services.people import mask_name, parse_id_number, parse_name
from services.pictures import LONGEST_SIDE, read_picture
from tests import photographs
from tests.fuzz.file_targets import authority_or_statement_file
from tests.providers import bill_writers, unionpay_wire, wire
from webhooks import bank_counters

if TYPE_CHECKING:
    from collections.abc import Callable

NOW = datetime(2026, 11, 21, 2, 0, tzinfo=UTC)
NOWHERE = "http://127.0.0.1:9"
TARGETS: dict[str, Callable[[bytes], None]] = {}


def target(what: Callable[[bytes], None]) -> Callable[[bytes], None]:
    TARGETS[what.__name__] = what
    return what


@cache
def _wechat() -> WeChatPay:
    return WeChatPay(
        line=Line(provider="wechat_pay", base_url=NOWHERE),
        app_id="wx1",
        signer=Signer("1900000001", "444F4864EA9B34415", wire.key("merchant")),
        verifier=Verifier({wire.PUBLIC_KEY_ID: wire.key("wechat").public_key()}),
        api_v3_key=wire.API_V3_KEY,
        notify_url="https://example.com/n",
        response_key=wire.PUBLIC_KEY_ID,
    )


@cache
def _alipay() -> AlipayPay:
    client = AlipayClient(
        line=Line(provider="alipay", base_url=NOWHERE),
        app_id="2021000000000001",
        private_key=wire.key("app"),
        alipay_public_key=wire.key("alipay").public_key(),
    )
    return AlipayPay(client=client, seller_id="2088000000000002", notify_url="https://example.com/n")


@target
def wechat_notice(data: bytes) -> None:
    """A letter that WeChat itself signed, with anything inside; or anybody's letter with any headers."""
    mode, rest = data[:1], data[1:]
    if mode < b"\x40":
        raw, headers = rest, wire.wechat_headers(rest, at=NOW.timestamp())
    elif mode < b"\x80":
        raw = wire.wechat_notice(rest)
        headers = wire.wechat_headers(raw, at=NOW.timestamp())
    else:
        head, _, raw = rest.partition(b"\0")
        names = ("Wechatpay-Timestamp", "Wechatpay-Nonce", "Wechatpay-Signature", "Wechatpay-Serial")
        headers = dict(zip(names, head.decode("latin-1").split("\n"), strict=False))
    with contextlib.suppress(BadSignature):
        _wechat().open_notice(headers, raw, now=NOW)


MESSAGE_KEY = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"


@cache
def _messages() -> WeChatMessages:
    api = WeChatOpenApi(line=Line(provider="wechat", base_url=NOWHERE), app_id="wx1", app_secret="s")
    return WeChatMessages(api=api, token="token", aes_key=base64.b64decode(MESSAGE_KEY + "="))


@target
def wechat_message(data: bytes) -> None:
    """A push that WeChat itself sealed, with anything inside; or signed, with anything sealed; or anybody's, with any query."""
    mode, rest = data[:1], data[1:]
    stamp = str(int(NOW.timestamp()))
    query = {"timestamp": stamp, "nonce": "n", "msg_signature": "-"}
    raw = rest
    if mode < b"\x80":
        plain = b"r" * 16 + len(rest).to_bytes(4, "big") + rest + b"wx1"
        sealed = base64.b64encode(rest if mode < b"\x40" else _sealed_message(plain)).decode()
        signed = hashlib.sha1("".join(sorted(["token", stamp, "n", sealed])).encode()).hexdigest()  # noqa: S324 - theirs
        query["msg_signature"], raw = signed, json.dumps({"Encrypt": sealed}).encode()
    elif mode < b"\xc0":
        head, _, raw = rest.partition(b"\0")
        names = ("msg_signature", "timestamp", "nonce", "signature", "echostr")
        query = dict(zip(names, head.decode("latin-1").split("\n"), strict=False))
        with contextlib.suppress(BadSignature):
            _messages().echo(query, now=NOW)
    with contextlib.suppress(BadSignature):
        _messages().open_event(query, raw, now=NOW)


def _sealed_message(plain: bytes) -> bytes:
    key = base64.b64decode(MESSAGE_KEY + "=")
    missing = 32 - len(plain) % 32
    sealer = Cipher(algorithms.AES(key), modes.CBC(key[:16])).encryptor()
    return sealer.update(plain + bytes([missing]) * missing) + sealer.finalize()


@target
def alipay_notice(data: bytes) -> None:
    """Any form; or one that Alipay itself signed, with any fields."""
    mode, rest = data[:1], data[1:]
    raw = rest
    if mode < b"\x80":
        fields_given = dict(parse_qsl(rest.decode("latin-1"), keep_blank_values=True))
        encoding = "utf-8" if mode < b"\x40" else "gbk"
        with contextlib.suppress(UnicodeEncodeError):
            raw = wire.alipay_form({"charset": encoding, **fields_given}, encoding=encoding)
    with contextlib.suppress(BadSignature):
        _alipay().open_notice({}, raw, now=NOW)


@cache
def _unionpay() -> UnionPayPos:
    return UnionPayPos(
        line=Line(provider="unionpay", base_url=NOWHERE),
        merchant=unionpay_wire.MERCHANT,
        private_key=wire.key("merchant"),
        certificate_id=unionpay_wire.CERTIFICATE_ID,
        chain=unionpay_wire.chain(),
        notify_url="https://example.com/n",
    )


@target
def unionpay_notice(data: bytes) -> None:
    """Any form; or one that UnionPay itself signed, with any fields; or with any certificate in it."""
    mode, rest = data[:1], data[1:]
    raw = rest
    if mode < b"\xc0":
        given = dict(parse_qsl(rest.decode("latin-1"), keep_blank_values=True))
        if mode < b"\x40":
            given = {**unionpay_wire.payment("20261121100000ABCDEFGHJK", 100), **given}
        fields = unionpay_wire.signed_fields(given)
        if mode >= b"\x80":
            fields["signPubKeyCert"] = rest.decode("latin-1")
        raw = unionpay_wire.form(fields)
    with contextlib.suppress(BadSignature):
        _unionpay().open_notice({}, raw, now=NOW)


@cache
def _counter() -> Signatures:
    return Signatures(theirs={"k": wire.key("counter BOC").public_key()}, key_id="c", private_key=wire.key("canbao"))


@target
def partner_request(data: bytes) -> None:
    """Anybody's request with any headers; or one that a bank signed, with any body: its fields are understood or named."""
    mode, rest = data[:1], data[1:]
    if mode < b"\x80":
        names = ("Canbao-Key", "Canbao-Timestamp", "Canbao-Nonce", "Canbao-Signature")
        head, _, raw = rest.partition(b"\0")
        headers = dict(zip(names, head.decode("latin-1").split("\n"), strict=False))
        with contextlib.suppress(BadSignature):
            _counter().open_request(headers, raw, method="POST", path="/x", now=NOW)
        return
    with contextlib.suppress(Unreadable):
        read = bank_counters.read_report(json_object(rest))
        assert read.amount_fen > 0
        assert read.taken_at.tzinfo is UTC


@target
def json_of_a_phone(data: bytes) -> None:
    with contextlib.suppress(DoorRefusal):
        given = fields._read(data)
        assert isinstance(given, dict)


@target
def name_and_number(data: bytes) -> None:
    text = (
        data.decode("utf-8", "surrogatepass" if data[:1] < b"\x10" else "replace") if _decodes(data) else data.decode("latin-1")
    )
    with contextlib.suppress(BusinessError):
        name = parse_name(text)
        assert parse_name(name) == name, "what is normalised stays as it is"
        assert mask_name(name) != name
    with contextlib.suppress(BusinessError):
        number = parse_id_number(text, today=NOW.date())
        assert parse_id_number(number.text, today=NOW.date()) == number
        assert number.text not in number.masked


def _decodes(data: bytes) -> bool:
    try:
        data.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return False
    return True


@cache
def _seals() -> Any:
    path = Path(_folder().name) / "seal-keys.json"
    path.write_text(new_seal_keys())
    return load_seals(path)


@cache
def _folder() -> Any:
    """Here until the end: for a key that it does not know, a seal looks into its file again."""
    return tempfile.TemporaryDirectory()


@target
def seal(data: bytes) -> None:
    with contextlib.suppress(SealBroken):
        _seals().open_bytes(data, place="persons.name_sealed:1")
        raise AssertionError("a seal that nobody made was opened")


@cache
def _rulebook() -> Any:
    from config.rulebook import SHIPPED_REGIONS

    return load_rulebook(SHIPPED_REGIONS)


HEADER = ",".join(enrollment_feed.REQUIRED + enrollment_feed.OPTIONAL).encode() + b"\n"


@target
def enrollment_feed_file(data: bytes) -> None:
    """A registrar's file, with its header or without: rows are understood or said to be bad, the file is read or refused."""
    raw = data[1:] if data[:1] < b"\x40" else HEADER + data[1:]
    rulebook = _rulebook()
    with contextlib.suppress(enrollment_feed.FeedRefused):
        encoding = enrollment_feed._encoding_of(io.BytesIO(raw))
        area_of = enrollment_feed._region_by_area(rulebook)
        lines = io.TextIOWrapper(io.BytesIO(raw), encoding=encoding, newline="")
        for line, given in enrollment_feed._rows(lines):
            with contextlib.suppress(enrollment_feed._BadValue, BusinessError):
                enrollment_feed.read_row(line, given, today=NOW.date(), area_of=area_of, rulebook=rulebook)


@target
def miniprograms_file(data: bytes) -> None:
    with tempfile.NamedTemporaryFile(suffix=".yaml") as file:
        file.write(data)
        file.flush()
        with contextlib.suppress(SettingsFault):
            load_partners(Path(file.name))


csv.field_size_limit(1 << 20)


@target
def picture(data: bytes) -> None:
    """Anybody's bytes; or a picture of ours with some of them over its middle."""
    mode, rest = data[:1], data[1:]
    raw = rest
    if mode >= b"\x80":
        whole = _photograph("JPEG" if mode < b"\xc0" else "PNG")
        at = int.from_bytes(rest[:2], "big") % len(whole)
        raw = whole[:at] + rest[2:] + whole[at + len(rest[2:]) :]
    with contextlib.suppress(BusinessError):
        kept = read_picture(raw)
        assert kept.content.startswith(b"\xff\xd8\xff")
        assert kept.content.endswith(b"\xff\xd9")
        assert max(kept.width, kept.height) <= LONGEST_SIDE
        assert read_picture(kept.content).width == kept.width, "what is kept is a picture itself"


@cache
def _photograph(form: str) -> bytes:
    return photographs.as_bytes(photographs.page(160, 100), form)


BILL_DAY = date(2026, 11, 20)


@target
def bill(data: bytes) -> None:
    """A day's bill: anybody's bytes, or rows between what genuine bills of each kind begin and end with."""
    mode, rest = data[:1], data[1:]
    merchant, seller = bill_writers.MCHID, bill_writers.SELLER
    with contextlib.suppress(BillDamaged):
        if mode < b"\x20":
            rows = list(alipay_bill_rows.zipped_rows(io.BytesIO(rest), merchant=seller, day=BILL_DAY))
        elif mode < b"\x40":
            packed = bill_writers.alipay_zip(rest, day=BILL_DAY)
            rows = list(alipay_bill_rows.zipped_rows(io.BytesIO(packed), merchant=seller, day=BILL_DAY))
        elif mode < b"\x80":
            table = bill_writers.alipay_table([], day=BILL_DAY)
            at = table.index("#-----------------------------------------业务明细列表结束".encode("gbk"))
            altered = table[:at] + rest + table[at:]
            rows = list(alipay_bill_rows.detail_rows(io.BytesIO(altered), merchant=seller, day=BILL_DAY))
        elif mode < b"\xc0":
            head = (bill_writers.WECHAT_ALL if mode < b"\xa0" else bill_writers.WECHAT_REFUND).encode()
            rows = list(wechat_bill_rows.trade_rows(io.BytesIO(head + b"\r\n" + rest), merchant=merchant))
        elif mode < b"\xe0":
            list(wechat_bill_rows.flow_rows(io.BytesIO(bill_writers.WECHAT_FLOW.encode() + b"\r\n" + rest)))
            return
        else:
            rows = list(wechat_bill_rows.trade_rows(io.BytesIO(rest), merchant=merchant))
        for row in rows:
            assert row.payment_no.isprintable()
            assert row.at.tzinfo is UTC
            assert row.amount_fen <= 0 if row.kind is BillRowKind.REFUND else row.amount_fen >= 0


BANK_UNIT, BANK_BATCH = "320400001", "320400001_20261125_0007_ret01.txt"


class _OneFile:
    """A transport with one file in it, whose flag always agrees."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def fetch(self, _name: str) -> tuple[bytes, bytes]:
        return self._content, flag_of(self._content, algorithm="SHA256")


target(authority_or_statement_file)


@target
def bank_result_file(data: bytes) -> None:
    """A bank's result file in either layout: anybody's bytes, or any lines below a head whose figures may be theirs."""
    mode, rest = data[:1], data[1:]
    layout = "fixed" if mode < b"\x80" else "delimited"
    if mode[-1:] >= b"\x40" and not b"\x80" <= mode < b"\xc0":
        lines = rest.split(b"\n")
        sums = [int(number) for number in re.findall(rb"[0-9]{1,9}", lines[0])[:4]] + [0] * 4
        head = {
            "unit": BANK_UNIT, "contract": f"DK{BANK_UNIT}", "batch": 7, "date": "20261125", "part": 1, "count": len(lines) - 1,
            "total_fen": sums[0], "ok_count": sums[1] % 1000, "ok_total_fen": sums[2],
        }  # fmt: skip
        rest = bank_files.compose(layout, "ret", head, []) + b"".join(line + b"\r\n" for line in lines[1:])
    bank = BankFiles(
        transport=_OneFile(rest),  # type: ignore[arg-type]
        layout=LAYOUTS[layout],
        unit=BANK_UNIT,
        contract=f"DK{BANK_UNIT}",
        authority="tax-320400",
        bank="BOC",
    )
    with contextlib.suppress(BankFileDamaged):
        file = bank.read(BANK_BATCH)
        assert (file.batch.number, file.part) == (7, 1)
        for line in file.lines:
            assert line.seq >= 0
            assert line.amount_fen >= 0
            assert line.payment_no.isalnum()
            assert line.result != "SUCCESS" or (line.bank_serial and line.booked_on)
