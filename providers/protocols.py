"""What the house asks of providers, in the house's own words.

An adapter turns their words into these and nothing else: no database, no Flask. A provider fails in three ways:

    ProviderError
    ├── ProviderRefused      they understood and said no (tell the payer); `permanent` says whether asking again can help
    ├── ProviderUnreachable  no answer that can be trusted: the outcome is UNKNOWN, so ask before doing it again
    │   └── NotSent          nothing left this machine, so it did not happen
    └── BadSignature         what arrived was not signed by them, or not for us
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime


class ProviderError(Exception):
    """Something went wrong with a provider."""


class ProviderRefused(ProviderError):
    """They understood us and said no. `code` is their word for why, for logs and staff, never for payers."""

    def __init__(self, code: str, *, permanent: bool = True) -> None:
        super().__init__(code)
        self.code = code
        self.permanent = permanent


class ProviderUnreachable(ProviderError):
    """No answer, or none that can be trusted: what we asked for may or may not have happened. Ask before acting again."""


class NotSent(ProviderUnreachable):
    """No answer, because nothing was sent: the line was full. Whatever it was, it may be asked again."""


class BadSignature(ProviderError):
    """Not signed by them, or not meant for us. `reason` is a short fixed word, fit for a metric label; no payload in it."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Channel(StrEnum):
    """How the money came. The word stands in account names, so it never changes."""

    WECHAT_PAY = "wechat_pay"
    ALIPAY = "alipay"
    BANK_DEBIT = "bank_debit"
    UNIONPAY_POS = "unionpay_pos"
    BANK_COUNTER = "bank_counter"
    SLIP = "slip"
    """Counter money of which a paper alone told us."""
    TAX = "tax"
    """What the tax authority took in by ways that we have no part in."""


class NewsKind(StrEnum):
    """What a provider can tell us about one payment."""

    PAID = "PAID"
    CLOSED = "CLOSED"
    """Closed without any money taken: it can no longer be paid."""
    NOT_PAID = "NOT_PAID"
    """Known to them, still payable, no money taken yet. Only ever an answer to a question."""
    NOT_FOUND = "NOT_FOUND"
    """They never heard of it. Only ever an answer to a question."""
    REFUNDED = "REFUNDED"
    """Money went back to the payer, which also says that the payment had been paid."""
    REFUND_PENDING = "REFUND_PENDING"
    """They took the refund on, and the money has not moved yet."""
    REFUND_ABNORMAL = "REFUND_ABNORMAL"
    """The payer's card takes no money back; the refund is not over, and a person has to act at the provider (WeChat)."""
    REFUND_FAILED = "REFUND_FAILED"
    """A refund ended without moving money (WeChat CLOSED); the payment had been paid."""
    OTHER = "OTHER"
    """Authentic and ours, but nothing that moves money; kept, never guessed at."""


@dataclass(frozen=True, kw_only=True)
class PaymentNews:
    """One authentic piece of news about one payment, from a notice, an answer or a daily bill.

    The merchant and the app were already found to be ours; amount, currency and order are for the house to judge.
    Amounts are fen. `happened_at` is aware UTC.
    """

    notification_id: str
    """The provider's own id for this delivery, the same on each retry; for answers the asker makes one."""
    kind: NewsKind
    payment_no: str
    """Our number, as the provider repeats it (out_trade_no)."""
    provider_payment_no: str | None = None
    """Their number of the payment (transaction_id, trade_no)."""
    amount_fen: int | None = None
    """What the payment was for: their total, coupons included."""
    currency: str = "CNY"
    happened_at: datetime | None = None
    """When they took the money, or closed the payment, or sent it back."""
    refund_no: str | None = None
    """Our number of the refund, or theirs where we gave none."""
    provider_refund_no: str | None = None
    refund_fen: int | None = None
    """This refund alone (WeChat)."""
    refunded_total_fen: int | None = None
    """All refunds of this payment so far (Alipay counts them together)."""
    payer_subject: str | None = None
    """Who paid, under the app's own id; informative only."""


@dataclass(frozen=True, kw_only=True)
class OpenedPayment:
    """A payment that now stands at the provider and waits for the payer."""

    handle: str
    """What the phone needs to pay it: WeChat's prepay_id, Alipay's trade_no."""


@dataclass(frozen=True, kw_only=True)
class RefundOrder:
    """Money to be sent back to whoever paid it. Each retry says exactly the same, under the same number, and is one refund."""

    refund_no: str
    """Ours: 1 to 64 letters and digits."""
    payment_no: str
    provider_payment_no: str
    """Theirs: money that turned up by itself has no number of ours that they know."""
    refund_fen: int
    total_fen: int
    """What the payment was for, as they have it."""
    ordered_at: datetime
    """When it was decided: UnionPay knows each of its transactions by number and moment."""
    reason: str
    """A few words that the payer reads."""


class PaymentProvider(Protocol):
    """One merchant account at one payment provider, reached through one mini-program."""

    channel: Channel
    merchant: str
    """The merchant number, as it stands in account names and inbox keys."""

    def freeze(self, *, payment_no: str, amount_fen: int, description: str, expires_at: datetime, payer_subject: str) -> bytes:
        """The exact request that will open this payment; the same bytes are sent on every retry. No call is made."""

    def open_payment(self, frozen: bytes) -> OpenedPayment:
        """Send a frozen request. Raises ProviderRefused, or ProviderUnreachable (then ask, and send the same again)."""

    def launch(self, handle: str, *, now: datetime) -> dict[str, str]:
        """The parameters that the phone passes to its own pay function, freshly signed. No call is made."""

    def ask(self, payment_no: str) -> PaymentNews:
        """What they know of this payment now. NOT_FOUND is an answer. Raises ProviderUnreachable, ProviderRefused."""

    def close(self, payment_no: str) -> None:
        """After this returns it can never be paid. Raises ProviderRefused (it was paid: ask) or ProviderUnreachable."""

    def refund(self, order: RefundOrder) -> PaymentNews:
        """Order a refund, or order it again. Answers REFUNDED or one of REFUND_*. Raises ProviderRefused (no money moved under this
        number), or ProviderUnreachable (then ask, and order the same again).
        """

    def ask_refund(self, order: RefundOrder) -> PaymentNews:
        """What became of a refund: REFUNDED, one of REFUND_*, or NOT_FOUND. Raises ProviderUnreachable, ProviderRefused."""

    def open_notice(self, headers: Mapping[str, str], raw: bytes, *, now: datetime) -> PaymentNews:
        """Verify and open a notice from its raw bytes. Raises BadSignature and nothing else; never calls out."""


@dataclass(frozen=True, kw_only=True)
class RealName:
    """A person's name and resident ID number (never logged: repr is masked)."""

    name: str
    id_number: str

    def __repr__(self) -> str:
        return "RealName(***)"


@dataclass(frozen=True, kw_only=True)
class PlatformIdentity:
    """Who the platform says is on the phone."""

    subject: str
    """openid, or Alipay's open_id / user_id: unique under one app id."""
    union_subject: str | None = None
    real_name: RealName | None = None
    """Only where the platform itself vouches for it and the app holds that grant (Alipay)."""

    def __repr__(self) -> str:
        return "PlatformIdentity(***)"


class LoginProvider(Protocol):
    def sign_in(self, code: str) -> PlatformIdentity:
        """Trade the phone's one-time code. Raises ProviderRefused (bad or used code) or ProviderUnreachable."""

    def phone_number(self, pressed: Mapping[str, str]) -> str:
        """The number behind the platform's phone-number button, by what the button gave: WeChat's `code`; Alipay's `response` with
        its `sign` and what stands beside it. Raises ProviderRefused, ProviderUnreachable, BadSignature.
        """


class NameVerdict(StrEnum):
    MATCH = "MATCH"
    MISMATCH = "MISMATCH"
    NO_RECORD = "NO_RECORD"


class NameProvider(Protocol):
    def check(self, person: RealName, *, phone: str | None) -> NameVerdict:
        """Do name, ID number (and phone) belong together? Raises ProviderUnreachable, ProviderRefused."""


class CardVerdict(StrEnum):
    """What a bank says of a card, its holder and their phone. Only MISMATCH says anything about the person."""

    MATCH = "MATCH"
    MISMATCH = "MISMATCH"
    UNSUPPORTED = "UNSUPPORTED"
    UNAVAILABLE = "UNAVAILABLE"


@dataclass(frozen=True, kw_only=True)
class CardAnswer:
    verdict: CardVerdict
    provider_code: str
    """Their raw result code, kept as it came."""


class CardProvider(Protocol):
    def check(self, person: RealName, *, card_number: str, phone: str) -> CardAnswer:
        """Is this the person's own card, with the phone that the bank knows? Raises ProviderUnreachable, ProviderRefused."""


BAD_NUMBER = "BAD_NUMBER"
"""Our own word for a refusal of the number itself: no such phone."""


class SmsProvider(Protocol):
    def knows(self, template: str) -> bool:
        """Whether the operators approved a text for this key of ours. No call is made."""

    def send(self, phone: str, *, template: str, values: Mapping[str, str], our_id: str) -> str:
        """Send one message by our template key; answers their number of it. Raises ProviderRefused (BAD_NUMBER among them), or ProviderUnreachable
        (it may have gone out: a code that comes twice harms nobody).
        """


class Delivery(StrEnum):
    """What became of a message that we pushed."""

    TAKEN = "TAKEN"
    NOT_WANTED = "NOT_WANTED"
    """Its receiver turned such messages down, or used up the number that was allowed."""


class MessageWish(StrEnum):
    """What the owner of a phone wants of messages of one template."""

    ONE_MORE = "ONE_MORE"
    """One consent is one message."""
    NONE = "NONE"


@dataclass(frozen=True, kw_only=True)
class MessageEvent:
    """An authentic event that a mini-program's platform pushed to us."""

    event: str
    """Their word for it."""
    subject: str
    """Whose it is: the openid."""
    wishes: tuple[tuple[str, MessageWish], ...]
    """The platform's template id → what is wished of it now. None for events that change nothing here."""
    event_hash: bytes
    """SHA-256 of who, when and what: the same for each repetition of one event."""

    def __repr__(self) -> str:
        return f"MessageEvent({self.event})"


class MessageProvider(Protocol):
    """One mini-program's messages that go out to its users."""

    way: str
    """As a message's row holds it."""
    counts_allowances: bool
    """Whether its platform pushes us each yes, and we count them (WeChat). Where it does not, `send` asks it each time (Alipay)."""

    def template_of(self, key: str) -> str | None:
        """The platform's own id of the template for a key of ours; None where there is none. No call is made."""

    def send(self, subject: str, *, key: str, words: Mapping[str, str]) -> Delivery:
        """Push one message whose key has a template. `words`: its facts in words, cut here to what the platform's fields hold.
        Raises ProviderRefused (template, field or receiver are not as they have them), NotSent, or ProviderUnreachable (it may be out).
        """


class MessageEventProvider(Protocol):
    """What one mini-program's platform pushes to us about messages."""

    def echo(self, query: Mapping[str, str], *, now: datetime) -> str:
        """What proves that our address is ours, once theirs is proven. Raises BadSignature and nothing else; never calls out."""

    def open_event(self, query: Mapping[str, str], raw: bytes, *, now: datetime) -> MessageEvent:
        """Verify and open an event from query and raw bytes. Raises BadSignature and nothing else; never calls out."""


class FaceVerdict(StrEnum):
    PENDING = "PENDING"
    PASSED = "PASSED"
    FAILED = "FAILED"
    """The comparison was made and did not match, or the check broke: another try is fair."""
    DECLINED = "DECLINED"
    """The person turned it down or gave it no permission: offer the way without a face at once."""
    EXPIRED = "EXPIRED"


@dataclass(frozen=True, kw_only=True)
class StartedFaceCheck:
    reference: str
    """Their id of the check (verify_id, certify_id)."""
    launch: dict[str, str]
    """What the phone's own face function takes."""
    valid_for_seconds: int


@dataclass(frozen=True, kw_only=True)
class FaceAnswer:
    verdict: FaceVerdict
    provider_code: str
    """Their raw result code, kept as it came."""


class FaceProvider(Protocol):
    name: str
    asks_for_device: bool
    """Whether a check cannot be started without the device's own description."""

    def start(
        self, person: RealName, *, check_no: str, subject: str, device: str | None = None, elder: bool = False
    ) -> StartedFaceCheck:
        """Open a face check under our own number. `device` is what the app's own SDK says of the phone, where the platform asks
        for it; `elder` asks for the slower, larger way where there is one. Raises ProviderRefused, ProviderUnreachable.
        """

    def ask(self, reference: str, person: RealName, *, check_no: str, subject: str) -> FaceAnswer:
        """Their verdict, from their server. Raises ProviderUnreachable, ProviderRefused."""


@runtime_checkable
class FaceCallbacks(Protocol):
    """What a platform that calls back adds to its FaceProvider."""

    def open_callback(self, query: str) -> str:
        """The reference of the check that a callback is about, from its raw query; what it says of the outcome is nobody's proof.

        Raises BadSignature and nothing else: `no_token`, `wrong_token`, or `malformed` where the token was right. Never calls out.
        """


class DocumentProvider(Protocol):
    """Where sealed pictures lie. A name is two hexadecimal digits (the shard), a slash and a row's id; nothing of a person is in it."""

    def put(self, name: str, content: bytes) -> None:
        """Keep these bytes whole, or nothing of them. What had the name before is gone. Raises ProviderUnreachable."""

    def fetch(self, name: str) -> bytes | None:
        """The bytes; None where nothing has this name. Raises ProviderUnreachable."""

    def delete(self, name: str) -> None:
        """After this returns nothing has this name, whether something had it or not. Raises ProviderUnreachable."""

    def names(self, shard: str) -> list[str]:
        """Every name of one shard, with what a killed `put` left behind. Raises ProviderUnreachable."""


class ScanProvider(Protocol):
    """A virus scanner."""

    def scan(self, content: bytes) -> str | None:
        """What it found, in its own word, for logs; None: nothing. Raises ProviderUnreachable where it did not look at all of it."""
