"""Providers whose memory is a file: a process that asked them may be killed, and they still know what they were asked.

One `Bank` stands for all of them. Payments are opened, paid, asked about, closed and sent back as `providers/protocols.py` says;
each payment and each refund leaves a notice in the outbox, which the tests deliver late, twice, or never.
"""

from __future__ import annotations

import json
import time
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from providers.protocols import (
    BadSignature,
    CardAnswer,
    CardVerdict,
    Channel,
    Delivery,
    FaceAnswer,
    FaceVerdict,
    NameVerdict,
    NewsKind,
    OpenedPayment,
    PaymentNews,
    PlatformIdentity,
    ProviderRefused,
    ProviderUnreachable,
    RealName,
    RefundOrder,
    StartedFaceCheck,
)
from sandbox.banks import Banks
from sandbox.store import Store
from sandbox.world import WORLD

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

SLOW_SECONDS = 2.0
EMPTY: dict[str, Any] = {"trades": {}, "refunds": {}, "outbox": [], "faces": {}, "fails": [], "now": None}


class Bank:
    """What every provider knows, in one JSON file that is replaced as a whole: a kill leaves the old one or the new one."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "bank.json"
        if not self.path.exists():
            self._write(EMPTY)

    def read(self) -> dict[str, Any]:
        known: dict[str, Any] = json.loads(self.path.read_text())
        return known

    def _write(self, known: dict[str, Any]) -> None:
        half = self.path.with_suffix(".half")
        half.write_text(json.dumps(known))
        half.replace(self.path)

    def change(self, change: Any) -> Any:
        known = self.read()
        said = change(known)
        self._write(known)
        return said

    def will_fail(self, verb: str, how: str) -> None:
        """The next call of this verb: "unreachable" (nothing done), "silent" (done, but no answer), "refused", "slow"."""
        self.change(lambda known: known["fails"].append([verb, how]))

    def mood(self, verb: str) -> str | None:
        """How this call shall fail, if it shall; used up by asking."""

        def take(known: dict[str, Any]) -> str | None:
            for at, (name, how) in enumerate(known["fails"]):
                if name == verb:
                    del known["fails"][at]
                    return str(how)
            return None

        return self.change(take)

    def trades(self) -> dict[str, dict[str, Any]]:
        return dict(self.read()["trades"])

    def money(self) -> dict[str, int]:
        """What each merchant account holds, in fen."""
        held = self._debited()
        for trade in self.trades().values():
            account = f"{trade['channel']}:{trade['merchant']}"
            held[account] = held.get(account, 0) + trade["paid_fen"] - trade["refunded_fen"]
        return {account: fen for account, fen in held.items() if fen}

    @contextmanager
    def debiting(self) -> Iterator[Banks]:
        """The banks that debit by file, over their own ledger and the folders beside it; open for as long as the block."""
        store = Store(self.path.parent / "sandbox")
        try:
            now = self.time()
            yield Banks(
                store=store,
                folder=self.path.parent / "banks",
                units=WORLD.bank_units,
                clock=lambda: now.timestamp() if now else 0.0,
            )
        finally:
            store.close()

    def _debited(self) -> dict[str, int]:
        if not (self.path.parent / "sandbox").exists():
            return {}
        with self.debiting() as banks:
            return banks.money()

    def pay(self, payment_no: str, *, at: datetime) -> bool:
        """The payer pays, if it can still be paid; a notice is put into the outbox."""

        def take(known: dict[str, Any]) -> bool:
            trade = known["trades"].get(payment_no)
            if trade is None or trade["state"] != NewsKind.NOT_PAID:
                return False
            trade |= {"state": NewsKind.PAID, "paid_fen": trade["amount_fen"], "at": at.isoformat()}
            known["outbox"].append({**_told(payment_no, trade), "notification_id": f"notice-{payment_no}"})
            return True

        return bool(self.change(take))

    def stray(self, payment_no: str, *, merchant: str, amount_fen: int, at: datetime) -> None:
        """Authentic money that nobody of ours asked for."""
        trade = {"channel": Channel.WECHAT_PAY, "merchant": merchant, "amount_fen": amount_fen, "refunded_fen": 0}

        def take(known: dict[str, Any]) -> None:
            known["trades"][payment_no] = trade | {"state": NewsKind.NOT_PAID, "paid_fen": 0, "code": "jiangsu-tax-wechat"}

        self.change(take)
        self.pay(payment_no, at=at)

    def refund(self, payment_no: str, amount_fen: int, *, at: datetime) -> None:
        """Somebody at the merchant's portal sends money back."""

        def take(known: dict[str, Any]) -> None:
            trade = known["trades"][payment_no]
            trade["refunded_fen"] += amount_fen
            back = {
                "kind": NewsKind.REFUNDED,
                "refund_no": f"R{payment_no}",
                "refund_fen": amount_fen,
                "happened_at": at.isoformat(),
            }
            known["outbox"].append({**_told(payment_no, trade), **back, "notification_id": f"refund-{payment_no}"})

        self.change(take)

    def outbox(self) -> list[tuple[str, PaymentNews]]:
        """Every notice that was ever sent: (mini-program, news)."""
        known = self.read()
        return [(known["trades"][each["payment_no"]]["code"], _news(each)) for each in known["outbox"]]

    def keep_time(self, now: datetime) -> None:
        self.change(lambda known: known.update(now=now.isoformat()))

    def time(self) -> datetime | None:
        now = self.read()["now"]
        return None if now is None else datetime.fromisoformat(now)


def _told(payment_no: str, trade: dict[str, Any]) -> dict[str, Any]:
    paid = trade["state"] == NewsKind.PAID
    return {
        "kind": trade["state"],
        "payment_no": payment_no,
        "provider_payment_no": f"P{payment_no}" if paid else None,
        "amount_fen": trade["amount_fen"],
        "happened_at": trade.get("at") if paid else None,
    }


def _news(told: dict[str, Any]) -> PaymentNews:
    at = told.get("happened_at")
    return PaymentNews(
        **{**told, "kind": NewsKind(told["kind"]), "happened_at": None if at is None else datetime.fromisoformat(at)}
    )


@dataclass(kw_only=True)
class BankPayments:
    """A PaymentProvider over the bank."""

    bank: Bank
    code: str
    channel: Channel
    merchant: str

    def freeze(self, *, payment_no: str, amount_fen: int, description: str, expires_at: datetime, payer_subject: str) -> bytes:
        return json.dumps([payment_no, amount_fen, description, expires_at.isoformat(), payer_subject]).encode()

    def launch(self, handle: str, *, now: datetime) -> dict[str, str]:
        return {"handle": handle}

    def open_payment(self, frozen: bytes) -> OpenedPayment:
        payment_no, amount_fen, *_ = json.loads(frozen)
        mood = self.bank.mood("open_payment")
        if mood == "unreachable":
            raise ProviderUnreachable("down")
        if mood == "refused":
            raise ProviderRefused("NO_AUTH")

        def stand(known: dict[str, Any]) -> str:
            trade = known["trades"].setdefault(
                payment_no,
                {
                    "code": self.code,
                    "channel": self.channel,
                    "merchant": self.merchant,
                    "amount_fen": amount_fen,
                    "paid_fen": 0,
                    "refunded_fen": 0,
                    "state": NewsKind.NOT_PAID,
                },
            )
            assert trade["amount_fen"] == amount_fen, "the same number was asked for with another amount"
            return str(trade["state"])

        state = self.bank.change(stand)
        if state != NewsKind.NOT_PAID:
            raise ProviderRefused(f"ORDER{state}")
        if mood == "silent":
            raise ProviderUnreachable("no answer")
        return OpenedPayment(handle=f"handle-{payment_no}")

    def ask(self, payment_no: str) -> PaymentNews:
        mood = self.bank.mood("ask")
        if mood == "unreachable":
            raise ProviderUnreachable("down")
        if mood == "slow":
            (self.bank.path.parent / "asking").touch()
            time.sleep(SLOW_SECONDS)
        trade = self.bank.trades().get(payment_no)
        if trade is None:
            return PaymentNews(notification_id=f"query:{payment_no}:NOT_FOUND:", kind=NewsKind.NOT_FOUND, payment_no=payment_no)
        told = _told(payment_no, trade)
        return _news({**told, "notification_id": f"query:{payment_no}:{told['kind']}:{told['provider_payment_no'] or ''}"})

    def close(self, payment_no: str) -> None:
        mood = self.bank.mood("close")
        if mood == "unreachable":
            raise ProviderUnreachable("down")

        def shut(known: dict[str, Any]) -> str:
            trade = known["trades"].get(payment_no)
            if trade is None:
                return "NOT_EXIST"
            if trade["state"] == NewsKind.PAID:
                return "PAID"
            trade["state"] = NewsKind.CLOSED
            return ""

        refusal = self.bank.change(shut)
        if refusal:
            raise ProviderRefused(refusal)
        if mood == "silent":
            raise ProviderUnreachable("no answer")

    def refund(self, order: RefundOrder) -> PaymentNews:
        mood = self.bank.mood("refund")
        if mood == "unreachable":
            raise ProviderUnreachable("down")
        if mood == "refused":
            raise ProviderRefused("INVALID_REQUEST")

        def take_on(known: dict[str, Any]) -> None:
            same = known["refunds"].setdefault(order.refund_no, {"fen": order.refund_fen, "state": NewsKind.REFUND_PENDING})
            assert same["fen"] == order.refund_fen, "the same number was asked for with another amount"

        self.bank.change(take_on)
        if mood == "silent":
            raise ProviderUnreachable("no answer")
        return self._refund_told(order)

    def ask_refund(self, order: RefundOrder) -> PaymentNews:
        """By the time that somebody asks, it is done."""
        if self.bank.mood("ask_refund") == "unreachable":
            raise ProviderUnreachable("down")

        def finish(known: dict[str, Any]) -> None:
            refund = known["refunds"].get(order.refund_no)
            if refund is None or refund["state"] == NewsKind.REFUNDED:
                return
            refund["state"] = NewsKind.REFUNDED
            trade = known["trades"][order.provider_payment_no.removeprefix("P")]
            trade["refunded_fen"] += refund["fen"]
            assert trade["refunded_fen"] <= trade["paid_fen"], "more went back than came"
            back = {
                "kind": NewsKind.REFUNDED, "refund_no": order.refund_no, "refund_fen": refund["fen"], "happened_at": known["now"],
            }  # fmt: skip
            told = _told(order.provider_payment_no.removeprefix("P"), trade)
            known["outbox"].append({**told, **back, "notification_id": f"refund-{order.refund_no}"})

        self.bank.change(finish)
        return self._refund_told(order)

    def _refund_told(self, order: RefundOrder) -> PaymentNews:
        refund = self.bank.read()["refunds"].get(order.refund_no)
        kind = NewsKind.NOT_FOUND if refund is None else NewsKind(refund["state"])
        return PaymentNews(
            notification_id=f"query:{order.payment_no}:{kind}:{order.refund_no}",
            kind=kind,
            payment_no=order.payment_no,
            provider_payment_no=order.provider_payment_no,
            amount_fen=order.total_fen,
            refund_no=order.refund_no,
            refund_fen=order.refund_fen,
        )

    def open_notice(self, headers: Any, raw: bytes, *, now: datetime) -> PaymentNews:
        raise BadSignature("missing_header")


@dataclass(kw_only=True)
class BankFaces:
    bank: Bank
    name: str
    asks_for_device: bool = False

    def start(
        self, person: RealName, *, check_no: str, subject: str, device: str | None = None, elder: bool = False
    ) -> StartedFaceCheck:
        if self.bank.mood("start"):
            raise ProviderUnreachable("down")
        self.bank.change(lambda known: known["faces"].setdefault(check_no, FaceVerdict.PENDING))
        return StartedFaceCheck(reference=f"face-{check_no}", launch={"verifyId": f"face-{check_no}"}, valid_for_seconds=3600)

    def ask(self, reference: str, person: RealName, *, check_no: str, subject: str) -> FaceAnswer:
        if self.bank.mood("ask_face"):
            raise ProviderUnreachable("down")
        return FaceAnswer(verdict=FaceVerdict(self.bank.read()["faces"][check_no]), provider_code="1")


@dataclass(kw_only=True)
class BankNames:
    bank: Bank

    def check(self, person: RealName, *, phone: str | None) -> NameVerdict:
        if self.bank.mood("check"):
            raise ProviderUnreachable("down")
        return NameVerdict.MATCH


@dataclass(kw_only=True)
class BankCards:
    bank: Bank

    def check(self, person: RealName, *, card_number: str, phone: str) -> CardAnswer:
        if self.bank.mood("check"):
            raise ProviderUnreachable("down")
        return CardAnswer(verdict=CardVerdict.MATCH, provider_code="101")


@dataclass(kw_only=True)
class BankSms:
    bank: Bank

    def knows(self, template: str) -> bool:
        return True

    def send(self, phone: str, *, template: str, values: Mapping[str, str], our_id: str) -> str:
        if self.bank.mood("send"):
            raise ProviderUnreachable("down")
        self.bank.change(lambda known: known.setdefault("sms", []).append([phone, template, dict(values)]))
        return our_id


class BankScanner:
    """A scanner that finds nothing: what it finds is told elsewhere; here a process may die beside it."""

    def scan(self, content: bytes) -> str | None:
        return None


@dataclass(kw_only=True)
class BankMessages:
    """Sends what it is asked to; the stories' phones allow nothing, so nothing is asked."""

    bank: Bank

    def template_of(self, key: str) -> str | None:
        return None

    def send(self, subject: str, *, key: str, words: Mapping[str, str]) -> Delivery:
        self.bank.change(lambda known: known.setdefault("messages", []).append([subject, key, dict(words)]))
        return Delivery.TAKEN


@dataclass(kw_only=True)
class BankLogins:
    bank: Bank

    def sign_in(self, code: str) -> PlatformIdentity:
        return PlatformIdentity(subject=f"openid-{code}")


class FileClock:
    """A clock that stands still until it is moved, and stays where it was when its process dies."""

    def __init__(self, bank: Bank, start: datetime) -> None:
        self._bank = bank
        if bank.time() is None:
            bank.keep_time(start)

    def now(self) -> datetime:
        now = self._bank.time()
        assert now is not None
        return now

    def move(self, **by: float) -> None:
        self._bank.keep_time(self.now() + timedelta(**by))
