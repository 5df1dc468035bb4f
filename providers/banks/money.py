"""Money that a bank debited for us, as a PaymentProvider: it goes back by a file of one line under the refund's own number.

A debit is ordered by its batch and told by its result file, so nothing is opened, asked or closed here.
"""

from __future__ import annotations

from datetime import datetime, time
from typing import TYPE_CHECKING, Final, NoReturn

from providers.bank_files import BankFileDamaged, BankResult
from providers.banks.columns import FileKind
from providers.banks.records import Unwritable, check_flag, flag_of, read_file, write_file
from providers.protocols import (
    BadSignature,
    Channel,
    NewsKind,
    PaymentNews,
    ProviderRefused,
    ProviderUnreachable,
    RefundOrder,
)
from providers.reading import BEIJING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from providers.banks.columns import Layout
    from providers.banks.records import Record
    from providers.banks.transport import Transport
    from providers.protocols import OpenedPayment

LINE: Final = 1
"""A payout file has one line."""


class OrderedByFile(RuntimeError):
    """Whoever calls this has mistaken a debit for a payment that a phone makes."""


class BankMoney:
    """A PaymentProvider."""

    channel = Channel.BANK_DEBIT

    def __init__(
        self, *, transport: Transport, layout: Layout, unit: str, contract: str, flag_algorithm: str = "SHA256"
    ) -> None:
        self.merchant = unit
        self._transport, self._layout, self._contract, self._algorithm = transport, layout, contract, flag_algorithm

    def __repr__(self) -> str:
        return f"BankMoney({self.merchant})"

    def refund(self, order: RefundOrder) -> PaymentNews:
        """Write the payout file; the same order is the same bytes under the same name, and the bank pays a number once."""
        head: dict[str, str | int] = {
            "unit": self.merchant,
            "contract": self._contract,
            "refund_no": order.refund_no,
            "count": 1,
            "total_fen": order.refund_fen,
        }
        detail: dict[str, str | int] = {
            "seq": LINE,
            "paid_serial": order.provider_payment_no,
            "amount_fen": order.refund_fen,
            "memo": order.payment_no,
            "reason": order.reason,
        }
        try:
            content = write_file(self._layout, FileKind.PAYOUT, head, [detail])
        except Unwritable as fault:
            raise ProviderRefused(f"UNWRITABLE_{fault}".upper()) from None
        name = self._name(order.refund_no, FileKind.PAYOUT)
        self._transport.put(name, content, flag_of(content, algorithm=self._algorithm))
        return self._news(order, NewsKind.REFUND_PENDING)

    def ask_refund(self, order: RefundOrder) -> PaymentNews:
        """What the bank's answer file says; NOT_FOUND where there is none yet: then the same file may be written again."""
        name = self._name(order.refund_no, FileKind.PAYOUT_ANSWER)
        found = self._transport.fetch(name)
        if found is None:
            return self._news(order, NewsKind.NOT_FOUND)
        content, flag = found
        try:
            news = self._read(order, content, flag)
        except BankFileDamaged:
            raise ProviderUnreachable("its answer is damaged") from None
        if news.kind is not NewsKind.REFUND_PENDING:
            self._transport.take_back(self._name(order.refund_no, FileKind.PAYOUT))
        return news

    def _read(self, order: RefundOrder, content: bytes, flag: bytes) -> PaymentNews:
        line = read_payout_answer(self._layout, content, flag, ours=(self.merchant, self._contract, order.refund_no))
        if (line.values["memo"], line.number("amount_fen")) != (order.payment_no, order.refund_fen):
            raise BankFileDamaged(line.line, "another payment or amount")
        result, booked_on = self._layout.codes.get(line.values["code"]), line.day("booked_on")
        if result is BankResult.SUCCESS:
            assert booked_on is not None  # noqa: S101 - it was read so
            at = datetime.combine(booked_on, time(), BEIJING)
            return self._news(order, NewsKind.REFUNDED, serial=line.values["serial"], at=at)
        if result is BankResult.BANK_TIMEOUT or result is None:
            return self._news(order, NewsKind.REFUND_PENDING)
        if result is BankResult.ACCOUNT_FROZEN:
            # The payer's account takes nothing: a person speaks with the bank, and the refund is not over.
            return self._news(order, NewsKind.REFUND_ABNORMAL)
        return self._news(order, NewsKind.REFUND_FAILED)

    def _news(
        self, order: RefundOrder, kind: NewsKind, *, serial: str | None = None, at: datetime | None = None
    ) -> PaymentNews:
        return PaymentNews(
            notification_id=f"payout:{order.refund_no}:{kind}",
            kind=kind,
            payment_no=order.payment_no,
            provider_payment_no=order.provider_payment_no,
            amount_fen=order.total_fen,
            happened_at=at,
            refund_no=order.refund_no,
            provider_refund_no=serial,
            refund_fen=order.refund_fen,
        )

    def _name(self, refund_no: str, kind: FileKind) -> str:
        return f"{self.merchant}_{refund_no}_{kind.value}.txt"

    def freeze(self, *, payment_no: str, amount_fen: int, description: str, expires_at: datetime, payer_subject: str) -> bytes:  # noqa: ARG002
        _by_file()

    def open_payment(self, frozen: bytes) -> OpenedPayment:  # noqa: ARG002
        _by_file()

    def launch(self, handle: str, *, now: datetime) -> dict[str, str]:  # noqa: ARG002
        """Nothing: no phone pays a debit."""
        return {}

    def ask(self, payment_no: str) -> PaymentNews:  # noqa: ARG002
        _by_file()

    def close(self, payment_no: str) -> None:  # noqa: ARG002
        _by_file()

    def open_notice(self, headers: Mapping[str, str], raw: bytes, *, now: datetime) -> PaymentNews:  # noqa: ARG002
        """A bank sends files, and no notices: whatever comes is not its."""
        raise BadSignature("no_notices")


def read_payout_answer(layout: Layout, content: bytes, flag: bytes, *, ours: tuple[str, str, str]) -> Record:
    """The one line of an answer. `ours`: unit, contract and refund number. Raises BankFileDamaged."""
    check_flag(flag, content)
    head, details = read_file(layout, FileKind.PAYOUT_ANSWER, content)
    said = head.values
    if (said["unit"], said["contract"], said["refund_no"]) != ours:
        raise BankFileDamaged(1, "another refund")
    if len(details) != 1 or (head.number("count"), head.number("total_fen")) != (1, details[0].number("amount_fen")):
        raise BankFileDamaged(1, "count or total_fen is not what the lines say")
    line = details[0]
    if layout.codes.get(line.values["code"]) is BankResult.SUCCESS and not (line.values["serial"] and line.day("booked_on")):
        raise BankFileDamaged(line.line, "a success without serial or booking date")
    return line


def _by_file() -> NoReturn:
    raise OrderedByFile("a debit is ordered by its batch and asked about by its inquiry file")
