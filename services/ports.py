"""What a use case may reach for: the clock, the database, the seals, the rulebook and the providers."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from datetime import date, datetime
    from pathlib import Path

    import psycopg
    from sqlalchemy import Engine
    from sqlalchemy.orm import Session, sessionmaker

    from config.clock import Clock
    from config.rulebook import Capability, Region, Rulebook
    from config.seals import Seals
    from config.settings import Merchant, Miniprogram, Partners
    from providers.bank_files import DebitProvider
    from providers.bills import BillProvider
    from providers.protocols import (
        CardProvider,
        DocumentProvider,
        FaceProvider,
        LoginProvider,
        MessageEventProvider,
        MessageProvider,
        NameProvider,
        PaymentProvider,
        ScanProvider,
        SmsProvider,
    )

from config.clock import beijing_date
from config.retention import Retention, shipped_retention
from config.rulebook import NoRuleInForce
from services.errors import UnknownMiniprogram

_open = threading.local()


@dataclass(frozen=True, kw_only=True)
class Ports:
    clock: Clock
    sessions: sessionmaker[Session]
    seals: Seals
    rulebook: Rulebook
    partners: Partners
    logins: Mapping[str, LoginProvider]
    """By mini-program code, as the next three; payments also by the code of any other way."""
    payments: Mapping[str, PaymentProvider]
    faces: Mapping[str, FaceProvider]
    messengers: Mapping[str, MessageProvider]
    """By mini-program code; only those through which messages go out."""
    message_events: Mapping[str, MessageEventProvider]
    """By mini-program code; only those whose platform pushes events to us, and where the keys for that are set."""
    names: NameProvider
    cards: CardProvider
    sms: SmsProvider
    documents: DocumentProvider
    daily_bills: Mapping[str, BillProvider] = field(default_factory=dict)
    """By merchant account, `{channel}:{merchant}`."""
    debit_banks: Mapping[str, DebitProvider] = field(default_factory=dict)
    """By the code of the way, as in `payments`."""
    authority_files: Path | None = None
    """Where the tax authority's and the registrar's files come; None: only by command."""
    scanner: ScanProvider | None = None
    """None: no scanner is configured, and pictures come in unscanned."""
    web_url: str = "http://127.0.0.1:8000"
    """Where people reach the web process: what the codes on printouts lead to."""
    watermark_font: Path | None = None
    """None: whatever font with Chinese characters this machine has, or Latin letters."""
    retention: Retention = field(default_factory=shipped_retention, repr=False)

    @contextmanager
    def begin(self) -> Iterator[Session]:
        """One transaction: commits at the end of the block, rolls back when it raises. Transactions never nest."""
        if transaction_is_open():
            raise RuntimeError("a use case was called inside a transaction; call a step instead")
        _open.now = True
        try:
            with self.sessions.begin() as session:
                yield session
        finally:
            _open.now = False

    @contextmanager
    def begin_one(self) -> Iterator[psycopg.Connection]:
        """A transaction of one statement, straight at the driver: it commits itself, in one trip to the database instead of three.

        For the letterbox, where a session costs as much as the statement (70 µs of 140). What goes wrong is a bare psycopg.Error.
        """
        if transaction_is_open():
            raise RuntimeError("a use case was called inside a transaction; call a step instead")
        engine = cast("Engine", self.sessions.kw["bind"])
        with closing(engine.raw_connection()) as pooled:
            driver = cast("psycopg.Connection", pooled.driver_connection)
            try:
                driver.autocommit = True
                yield driver
            finally:
                if driver.closed:
                    pooled.invalidate()
                else:
                    driver.autocommit = False

    def now(self) -> datetime:
        return self.clock.now()

    def today(self) -> date:
        """Today's date in Beijing."""
        return beijing_date(self.clock.now())

    def miniprogram(self, code: str) -> Miniprogram:
        """Raises UnknownMiniprogram."""
        try:
            return self.partners.miniprograms[code]
        except KeyError:
            raise UnknownMiniprogram from None

    def merchant_of(self, code: str) -> tuple[str, Merchant] | None:
        """The merchant behind a mini-program, with its number; None where it takes no payments."""
        number = self.miniprogram(code).merchant
        return None if number is None else (number, self.partners.merchants[number])

    def regions_of(self, code: str) -> list[Region]:
        return [self.rulebook.region(region) for region in self.miniprogram(code).regions]

    def offers(self, region: Region, capability: Capability) -> bool:
        """Whether the phone can do this in the region today. No rule in force means no."""
        try:
            return region.capability(capability, self.today()).available
        except NoRuleInForce:
            return False


def transaction_is_open() -> bool:
    """Whether this thread is inside `begin()`: no provider may be called then."""
    return getattr(_open, "now", False)
