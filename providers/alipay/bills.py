"""Alipay's daily trade bill: a signed answer names where it lies, for half a minute; the zip itself is neither signed nor hashed."""

from __future__ import annotations

from functools import partial
from http import HTTPStatus
from tempfile import SpooledTemporaryFile
from typing import TYPE_CHECKING, cast
from urllib.parse import urlsplit

from providers.alipay.bill_rows import zipped_rows
from providers.bills import IN_MEMORY_BYTES, PACKED_LIMIT_BYTES, Bill, BillNotReady, NoBill, is_made_up
from providers.protocols import Channel, ProviderRefused, ProviderUnreachable
from providers.reading import Unreadable, text

if TYPE_CHECKING:
    from datetime import date, datetime
    from typing import BinaryIO

    from providers.alipay.client import AlipayClient
    from providers.bills import Funds
    from providers.http import Line

METHOD = "alipay.data.dataservice.bill.downloadurl.query"
NO_BILL = "isp.bill_not_exist"
USUAL_PORTS = {"http": 80, "https": 443}


class AlipayBills:
    """One seller's bills at Alipay. A BillProvider."""

    channel = Channel.ALIPAY
    counts_refunds_together = True

    def __init__(self, *, client: AlipayClient, line: Line, seller_id: str) -> None:
        """`client` of any app of this seller; `line` to the gateway, which says by its scheme how files are fetched."""
        self.merchant = seller_id
        self._client = client
        self._line = line

    def __repr__(self) -> str:
        return f"AlipayBills({self.merchant})"

    def fetch(self, day: date, *, now: datetime) -> Bill:
        try:
            told = self._client.call(METHOD, {"bill_type": "trade", "bill_date": day.isoformat()})
            address = text(told, "bill_download_url", limit=2048)
        except ProviderRefused as refusal:
            if refusal.code != NO_BILL:
                raise
            # They say the same of a day without trades and of one that is not made up.
            if is_made_up(day, now=now):
                raise NoBill from None
            raise BillNotReady(f"alipay: {refusal.code}") from None
        except Unreadable as trouble:
            raise ProviderUnreachable(f"alipay: bill without {trouble}") from None
        file = cast("BinaryIO", SpooledTemporaryFile(max_size=IN_MEMORY_BYTES))  # noqa: SIM115 (its reader closes it)
        try:
            self._download(self._trusted(address), file)
        except BaseException:
            file.close()
            raise
        return Bill(file, partial(zipped_rows, merchant=self.merchant, day=day))

    def funds(self, day: date, *, now: datetime) -> Funds | None:  # noqa: ARG002 - as the protocol has it
        """Their account flow is another product; the bill is held against its own sums."""
        return None

    def _download(self, address: str, file: BinaryIO) -> None:
        answer = self._line.download(address, into=file, limit_bytes=PACKED_LIMIT_BYTES)
        if answer.status_code != HTTPStatus.OK:
            raise ProviderUnreachable(f"alipay: a bill's file answered {answer.status_code}")

    def _trusted(self, address: str) -> str:
        """The file's address, which a signed answer gave. Nothing else proves the file, so it comes no less safely than answers do."""
        try:
            there, here = urlsplit(address), urlsplit(self._line.base_url)
            is_address = there.scheme in USUAL_PORTS and there.hostname and there.username is None
            port = there.port
        except ValueError:
            is_address, port = None, None
        if not is_address:
            raise ProviderUnreachable("alipay: a bill without an address")
        if here.scheme in {there.scheme, "http"}:
            return address
        # An http address while the gateway is https: their file hosts answer both.
        if port not in {None, USUAL_PORTS["http"]}:
            raise ProviderUnreachable("alipay: a bill that is not sent safely")
        return there._replace(scheme="https", netloc=there.hostname or "").geturl()
