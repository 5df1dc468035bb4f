"""WeChat Pay's daily bills: asked for in a signed answer, which names the file and its hash; the file itself comes unsigned.

The address lasts five minutes, so that asking and fetching are one step. Our Authorization goes to the host that we configured and to
no other, whatever host the answer names.
"""

from __future__ import annotations

import gzip
import hashlib
import zlib
from functools import partial
from http import HTTPStatus
from tempfile import SpooledTemporaryFile
from typing import TYPE_CHECKING, cast
from urllib.parse import urlsplit

import requests

from providers.bills import (
    BILL_LIMIT_BYTES,
    IN_MEMORY_BYTES,
    PACKED_LIMIT_BYTES,
    Bill,
    BillDamaged,
    BillNotReady,
    Funds,
    NoBill,
    is_made_up,
)
from providers.protocols import Channel, ProviderRefused, ProviderUnreachable
from providers.reading import Unreadable, json_object, must_say, text
from providers.wechat.bill_rows import FlowRow, flow_rows, trade_rows
from providers.wechat.signed_line import SignedLine, failure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import date, datetime
    from typing import BinaryIO, TypeVar
    from urllib.parse import SplitResult

    from providers.http import Line
    from providers.wechat.signing import Signer, Verifier

    Row = TypeVar("Row")

DOCUMENTED = frozenset({("https", "api.mch.weixin.qq.com", 443), ("https", "api2.mch.weixin.qq.com", 443)})
"""Where their pages say that files lie."""
USUAL_PORTS = {"http": 80, "https": 443}
NO_BILL, NOT_READY = "NO_STATEMENT_EXIST", "STATEMENT_CREATING"
ACCOUNTS = frozenset({"BASIC", "OPERATION", "FEES"})
GZIP_MAGIC = b"\x1f\x8b"
PIECE_BYTES = 1024 * 1024


class WeChatBills:
    """One merchant's bills at WeChat Pay. A BillProvider."""

    channel = Channel.WECHAT_PAY
    counts_refunds_together = False

    def __init__(self, *, line: Line, signer: Signer, verifier: Verifier, response_key: str | None = None) -> None:
        """As for WeChatPay; bills know no app."""
        self.merchant = signer.mchid
        self._line = line
        self._signed = SignedLine(line=line, signer=signer, verifier=verifier, response_key=response_key)

    def __repr__(self) -> str:
        return f"WeChatBills({self.merchant})"

    def fetch(self, day: date, *, now: datetime) -> Bill:
        file = self._fetch(f"/v3/bill/tradebill?bill_date={day.isoformat()}&bill_type=ALL&tar_type=GZIP", day, now)
        return Bill(file, partial(_unpacked, read=partial(trade_rows, merchant=self.merchant)))

    def fund_flow(self, day: date, *, now: datetime, account: str = "BASIC") -> Iterator[FlowRow]:
        """What moved on one of the merchant's accounts on one Beijing day. Raises as `fetch` does, and BillDamaged at any row."""
        if account not in ACCOUNTS:
            raise ValueError(f"an account is one of {', '.join(sorted(ACCOUNTS))}")
        path = f"/v3/bill/fundflowbill?bill_date={day.isoformat()}&account_type={account}&tar_type=GZIP"
        with self._fetch(path, day, now) as file:
            yield from _unpacked(file, read=flow_rows)

    def funds(self, day: date, *, now: datetime) -> Funds | None:
        """Withdrawals and whatever else moves on the account are not ours to compare."""
        came = went = fee = 0
        for row in self.fund_flow(day, now=now):
            match row.business:
                case "交易":
                    came += row.amount_fen
                case "退款":
                    went -= row.amount_fen
                case "扣除交易手续费" | "手续费":
                    fee -= row.amount_fen
        return Funds(came_fen=came, went_fen=went, fee_fen=fee)

    def _fetch(self, path: str, day: date, now: datetime) -> BinaryIO:
        try:
            answer = self._signed.call("GET", path)
            if answer.status_code != HTTPStatus.OK:
                raise failure(answer)
            told = json_object(answer.content)
            must_say(told, "hash_type", "SHA1")
            hashed, address = text(told, "hash_value"), text(told, "download_url", limit=2048)
        except Unreadable as trouble:
            raise ProviderUnreachable(f"wechat_pay: bill without {trouble}") from None
        except ProviderRefused as refusal:
            if refusal.code == NOT_READY or (refusal.code == NO_BILL and not is_made_up(day, now=now)):
                raise BillNotReady(f"wechat_pay: {refusal.code}") from None
            if refusal.code == NO_BILL:
                raise NoBill from None
            raise
        file = cast("BinaryIO", SpooledTemporaryFile(max_size=IN_MEMORY_BYTES))  # noqa: SIM115 (its reader closes it)
        try:
            self._download(address, file)
            _must_hash_to(hashed, file)
        except BaseException:
            file.close()
            raise
        return file

    def _download(self, address: str, file: BinaryIO) -> None:
        url = self._ours(address)
        answer = self._line.download(
            url,
            into=file,
            limit_bytes=PACKED_LIMIT_BYTES,
            # Signed as it will stand on the wire: whoever sends it may write some characters in another way.
            headers=self._signed.headers("GET", str(requests.Request("GET", url).prepare().path_url)),
        )
        if answer.status_code != HTTPStatus.OK:
            raise failure(answer)

    def _ours(self, address: str) -> str:
        """The address of the file at the host that we configured. Raises ProviderUnreachable where it names a stranger."""
        try:
            there, here = urlsplit(address), urlsplit(self._line.base_url)
            origin, our_origin = _origin(there), _origin(here)
        except ValueError:  # a port that is none
            raise ProviderUnreachable("wechat_pay: a bill without an address") from None
        if origin != our_origin and origin not in DOCUMENTED:
            raise ProviderUnreachable("wechat_pay: a bill on a host of strangers")
        base = f"{here.scheme}://{here.netloc}" if origin == our_origin else self._line.base_url
        return f"{base}{there.path}?{there.query}"


def _origin(parts: SplitResult) -> tuple[str, str, int]:
    return parts.scheme, (parts.hostname or "").lower(), parts.port or USUAL_PORTS.get(parts.scheme, 0)


def _opened(file: BinaryIO) -> BinaryIO:
    """The file unpacked, as it is read. GZIP was asked for; a plain one does no harm, its hash is that of the plain file anyway."""
    file.seek(0)
    packed = file.read(len(GZIP_MAGIC)) == GZIP_MAGIC
    file.seek(0)
    return cast("BinaryIO", gzip.GzipFile(fileobj=file, mode="rb")) if packed else file


def _must_hash_to(told: str, file: BinaryIO) -> None:
    """Raises BillDamaged where the unpacked file is not the one whose hash they signed."""
    hashed, size, unpacked = hashlib.sha1(usedforsecurity=False), 0, _opened(file)
    try:
        while piece := unpacked.read(PIECE_BYTES):
            size += len(piece)
            if size > BILL_LIMIT_BYTES:
                raise BillDamaged(0, "too long")
            hashed.update(piece)
    except (gzip.BadGzipFile, zlib.error, EOFError) as fault:
        raise BillDamaged(0, f"gzip: {type(fault).__name__}") from None
    if hashed.hexdigest() != told.lower():
        raise BillDamaged(0, "not the file whose hash they signed")


def _unpacked(file: BinaryIO, *, read: Callable[[BinaryIO], Iterator[Row]]) -> Iterator[Row]:
    return read(_opened(file))
