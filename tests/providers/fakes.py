"""Providers for tests of use cases: small classes that do what they were told and remember what they were asked.

FakePayments keeps its trades in a dict, so that it behaves like a provider out of the box: open, pay(), ask, close.
Anything can be told to fail once: `payments.fails.append(("open_payment", ProviderUnreachable("down")))`.
"""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from providers.bills import Bill, BillRow, Funds, NoBill
from providers.counters.way import CounterMoney
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
    ProviderError,
    ProviderRefused,
    RealName,
    StartedFaceCheck,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import date
    from typing import BinaryIO

    from providers.protocols import RefundOrder

PAID_AT = datetime(2026, 11, 21, 2, 0, tzinfo=UTC)


@dataclass
class _Told:
    """What every fake can do: note a call, and fail it where a test said so."""

    calls: list[tuple[str, object]] = field(default_factory=list)
    fails: list[tuple[str, ProviderError]] = field(default_factory=list)

    def _asked(self, call: str, about: object) -> None:
        self.calls.append((call, about))
        for at, (name, error) in enumerate(self.fails):
            if name == call:
                del self.fails[at]
                raise error

    def asked(self, call: str) -> list[object]:
        """What this call was about, each time."""
        return [about for name, about in self.calls if name == call]


@dataclass
class FakePayments(_Told):
    """A PaymentProvider. Its notices are plain JSON, and every notice without the right "signature" is bad."""

    channel: Channel = Channel.WECHAT_PAY
    merchant: str = "1900000109"
    news: dict[str, PaymentNews] = field(default_factory=dict)
    """What ask() answers, by payment number; a test may put anything here."""
    refunds: dict[str, NewsKind] = field(default_factory=dict)
    """How each refund stands, by its number. Ordered, it is pending until a test says what became of it."""

    def freeze(self, *, payment_no: str, amount_fen: int, description: str, expires_at: datetime, payer_subject: str) -> bytes:
        self.calls.append(("freeze", payment_no))
        return json.dumps([payment_no, amount_fen, description, expires_at.isoformat(), payer_subject]).encode()

    def open_payment(self, frozen: bytes) -> OpenedPayment:
        payment_no, amount_fen, *_, payer_subject = json.loads(frozen)
        self._asked("open_payment", payment_no)
        self.news.setdefault(
            payment_no, self._news(payment_no, NewsKind.NOT_PAID, amount_fen=amount_fen, payer_subject=payer_subject)
        )
        return OpenedPayment(handle=f"handle-{payment_no}")

    def launch(self, handle: str, *, now: datetime) -> dict[str, str]:
        return {"handle": handle, "at": str(int(now.timestamp()))}

    def ask(self, payment_no: str) -> PaymentNews:
        self._asked("ask", payment_no)
        return self.news.get(payment_no) or self._news(payment_no, NewsKind.NOT_FOUND)

    def close(self, payment_no: str) -> None:
        self._asked("close", payment_no)
        known = self.news.get(payment_no)
        if known is None:
            raise ProviderRefused("NOT_EXIST")
        if known.kind is NewsKind.PAID:
            raise ProviderRefused("PAID")
        self.news[payment_no] = self._news(payment_no, NewsKind.CLOSED)

    def refund(self, order: RefundOrder) -> PaymentNews:
        self._asked("refund", order)
        self.refunds.setdefault(order.refund_no, NewsKind.REFUND_PENDING)
        return self.refund_news(order)

    def ask_refund(self, order: RefundOrder) -> PaymentNews:
        self._asked("ask_refund", order)
        return self.refund_news(order)

    def refund_news(self, order: RefundOrder, *, notification_id: str = "", at: datetime = PAID_AT) -> PaymentNews:
        kind = self.refunds.get(order.refund_no, NewsKind.NOT_FOUND)
        return self._news(
            order.payment_no,
            kind,
            notification_id=notification_id or f"query:{order.payment_no}:{kind}:{order.refund_no}",
            provider_payment_no=order.provider_payment_no,
            amount_fen=order.total_fen,
            happened_at=at if kind is NewsKind.REFUNDED else None,
            refund_no=order.refund_no,
            provider_refund_no=f"R{order.refund_no}",
            refund_fen=order.refund_fen,
        )

    def open_notice(self, headers: Mapping[str, str], raw: bytes, *, now: datetime) -> PaymentNews:
        if headers.get("Signature") != "good":
            raise BadSignature("signature" if "Signature" in headers else "missing_header")
        try:
            told = json.loads(raw)
            return self._news(told["payment_no"], NewsKind(told["kind"]), notification_id=told["id"], **told["more"])
        except (ValueError, KeyError, TypeError, RecursionError):
            raise BadSignature("malformed") from None

    def pay(self, payment_no: str, *, amount_fen: int | None = None, at: datetime = PAID_AT) -> PaymentNews:
        """The payer pays: from now on ask() says PAID."""
        opened = self.news[payment_no]
        paid = self._news(
            payment_no,
            NewsKind.PAID,
            provider_payment_no=f"P{payment_no}",
            amount_fen=opened.amount_fen if amount_fen is None else amount_fen,
            happened_at=at,
            payer_subject=opened.payer_subject,
        )
        self.news[payment_no] = paid
        return paid

    def notice(self, news: PaymentNews, *, notice_id: str = "N1") -> tuple[dict[str, str], bytes]:
        """Headers and body that open_notice turns into this news again (its moments are left out)."""
        names = ("provider_payment_no", "amount_fen", "refund_no", "refund_fen", "refunded_total_fen", "payer_subject")
        more = {name: getattr(news, name) for name in names}
        told = {"id": notice_id, "kind": news.kind, "payment_no": news.payment_no, "more": more}
        return {"Signature": "good"}, json.dumps(told).encode()

    def _news(self, payment_no: str, kind: NewsKind, *, notification_id: str = "", **more) -> PaymentNews:
        return PaymentNews(
            notification_id=notification_id or f"query:{payment_no}:{kind}:{more.get('provider_payment_no') or ''}",
            kind=kind,
            payment_no=payment_no,
            **more,
        )


class FakeCounter(CounterMoney):
    """A bank's counters. Nobody is asked about its money; who speaks for it is proven by the real adapter alone."""

    def __init__(self, *, merchant: str, bank: str, region: str, authority: str) -> None:
        super().__init__(channel=Channel.BANK_COUNTER, merchant=merchant)
        self.bank, self.region, self.authority = bank, region, authority

    def open_request(self, headers: Mapping[str, str], raw: bytes, *, method: str, path: str, now: datetime) -> str:
        raise BadSignature("signature")

    def sign_answer(self, raw: bytes, *, status: int, path: str, nonce: str, now: datetime) -> dict[str, str]:
        return {}


@dataclass
class FakeLogins(_Told):
    """A LoginProvider: any code signs in as openid-<code>, unless a test says who it is."""

    people: dict[str, PlatformIdentity] = field(default_factory=dict)
    phone: str = "13800138000"
    """What its phone-number button gives."""

    def sign_in(self, code: str) -> PlatformIdentity:
        self._asked("sign_in", code)
        return self.people.get(code) or PlatformIdentity(subject=f"openid-{code}")

    def phone_number(self, pressed: Mapping[str, str]) -> str:
        self._asked("phone_number", dict(pressed))
        return self.phone


@dataclass
class FakeNames(_Told):
    """A NameProvider: everybody is who they say, unless a test says otherwise by ID number."""

    verdicts: dict[str, NameVerdict] = field(default_factory=dict)

    def check(self, person: RealName, *, phone: str | None) -> NameVerdict:
        self._asked("check", (person, phone))
        return self.verdicts.get(person.id_number, NameVerdict.MATCH)


@dataclass
class FakeCards(_Told):
    """A CardProvider: every card is its holder's, unless a test says otherwise by card number."""

    answers: dict[str, CardAnswer] = field(default_factory=dict)

    def check(self, person: RealName, *, card_number: str, phone: str) -> CardAnswer:
        self._asked("check", (person, card_number, phone))
        return self.answers.get(card_number) or CardAnswer(verdict=CardVerdict.MATCH, provider_code="101")


@dataclass
class FakeSms(_Told):
    """An SmsProvider that remembers what it sent."""

    sent: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    unknown: set[str] = field(default_factory=set)
    """Our keys that the operators approved no text for."""

    def knows(self, template: str) -> bool:
        return template not in self.unknown

    def send(self, phone: str, *, template: str, values: Mapping[str, str], our_id: str) -> str:
        self._asked("send", (phone, template))
        self.sent.append((phone, template, dict(values)))
        return f"biz-{our_id}"

    def code_for(self, phone: str) -> str:
        """The digits in the latest message to this phone."""
        return next(values["code"] for to, _, values in reversed(self.sent) if to == phone)


@dataclass
class FakeMessages(_Told):
    """A MessageProvider that remembers what it sent. It has a template for each key that a test names."""

    way: str = "wechat_subscription"
    counts_allowances: bool = True
    templates: dict[str, str] = field(default_factory=dict)
    """Our key → the platform's template id."""
    sent: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    unwilling: set[str] = field(default_factory=set)
    """Subjects who turned messages down."""

    def template_of(self, key: str) -> str | None:
        return self.templates.get(key)

    def send(self, subject: str, *, key: str, words: Mapping[str, str]) -> Delivery:
        self._asked("send", key)
        if subject in self.unwilling:
            return Delivery.NOT_WANTED
        self.sent.append((subject, key, dict(words)))
        return Delivery.TAKEN


@dataclass
class FakeFaces(_Told):
    """A FaceProvider: a check is pending until a test says how it went, by our own number of it."""

    name: str = "fake"
    asks_for_device: bool = False
    answers: dict[str, FaceAnswer] = field(default_factory=dict)
    switches: dict[str, tuple[str | None, bool]] = field(default_factory=dict)
    """Device and elder mode of each start, by our own number of it."""

    def start(
        self, person: RealName, *, check_no: str, subject: str, device: str | None = None, elder: bool = False
    ) -> StartedFaceCheck:
        self._asked("start", check_no)
        self.switches[check_no] = (device, elder)
        return StartedFaceCheck(reference=f"face-{check_no}", launch={"verifyId": f"face-{check_no}"}, valid_for_seconds=3600)

    def ask(self, reference: str, person: RealName, *, check_no: str, subject: str) -> FaceAnswer:
        self._asked("ask", check_no)
        return self.answers.get(check_no) or FaceAnswer(verdict=FaceVerdict.PENDING, provider_code="")

    def went(self, check_no: str, verdict: FaceVerdict, *, provider_code: str = "1") -> None:
        self.answers[check_no] = FaceAnswer(verdict=verdict, provider_code=provider_code)


@dataclass
class FakeDocuments(_Told):
    """A DocumentProvider in memory."""

    kept: dict[str, bytes] = field(default_factory=dict)

    def put(self, name: str, content: bytes) -> None:
        self._asked("put", name)
        self.kept[name] = content

    def fetch(self, name: str) -> bytes | None:
        self._asked("fetch", name)
        return self.kept.get(name)

    def delete(self, name: str) -> None:
        self._asked("delete", name)
        self.kept.pop(name, None)

    def names(self, shard: str) -> list[str]:
        self._asked("names", shard)
        return sorted(name for name in self.kept if name.startswith(f"{shard}/"))


@dataclass
class FakeScanner(_Told):
    """A ScanProvider that finds one word, and remembers how much it looked at."""

    virus: bytes = b"EICAR-STANDARD-ANTIVIRUS-TEST-FILE"

    def scan(self, content: bytes) -> str | None:
        self._asked("scan", len(content))
        return "Eicar-Test-Signature" if self.virus in content else None


@dataclass
class FakeBills(_Told):
    """A BillProvider. Days that a test put no rows into have no bill."""

    channel: Channel = Channel.WECHAT_PAY
    merchant: str = "1900000109"
    counts_refunds_together: bool = False
    days: dict[date, list[BillRow | ProviderError]] = field(default_factory=dict)
    """A fault among the rows is raised when the reader comes to it."""

    flows: dict[date, Funds] = field(default_factory=dict)
    """Days with a fund flow beside the bill."""

    def funds(self, day: date, *, now: datetime) -> Funds | None:
        return self.flows.get(day)

    def fetch(self, day: date, *, now: datetime) -> Bill:
        self._asked("fetch", day)
        if day not in self.days:
            raise NoBill

        def read(_: BinaryIO) -> Iterator[BillRow]:
            for row in self.days[day]:
                if isinstance(row, ProviderError):
                    raise row
                yield row

        return Bill(io.BytesIO(), read)
