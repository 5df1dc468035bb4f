"""How the providers do, as far as our own rows tell: who is silent since when, which calls failed lately, when the last notice came."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import text

from models.base import first_id_at
from providers.protocols import Channel

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from sqlalchemy.orm import Session

    from services.ports import Ports

LATELY: Final = timedelta(hours=1)
LAST_NOTICES: Final = 20_000
"""Among so many the last good notice of each account is looked for: a bound, however many there ever were."""
SOON_DAYS: Final = 30
"""A certificate that ends within so many days is to be seen to now."""

# Each by an index that holds only what is under way: payments that are asked about, live payments, open refunds.
SILENT_PAYMENTS: Final = text("""
    SELECT channel || ':' || merchant AS account, count(*) AS number, min(last_asked_at) AS since
    FROM payments WHERE next_ask_at IS NOT NULL AND asks > 0 GROUP BY 1
""")
IN_DOUBT: Final = text("""
    SELECT p.channel || ':' || p.merchant AS account, count(*) AS number, min(p.created_at) AS since
    FROM payments p JOIN payment_orders o ON o.id = p.order_id
    WHERE p.state IN ('CREATED', 'OPEN') AND o.state = 'UNKNOWN' GROUP BY 1
""")
SILENT_REFUNDS: Final = text("""
    SELECT p.channel || ':' || p.merchant AS account, count(*) AS number, min(r.last_asked_at) AS since
    FROM refunds r JOIN payments p ON p.id = r.payment_id
    WHERE r.state NOT IN ('REFUNDED', 'REJECTED') AND r.state IN ('APPROVED', 'SENT') AND r.asks > 0 GROUP BY 1
""")
NOTICES: Final = text("""
    SELECT merchant_account AS account, max(received_at) AS at FROM (
        SELECT merchant_account, received_at, content_sealed IS NOT NULL AS is_pushed FROM notices ORDER BY id DESC LIMIT :limit) AS latest
    WHERE is_pushed GROUP BY 1
""")
# Rows that were made within the hour, by their moment or by their id, which sorts by it.
SMS: Final = text("""
    SELECT count(*) AS number, count(*) FILTER (WHERE failed_at IS NOT NULL) AS failed FROM sms_codes WHERE sent_at >= :since
""")
CARDS: Final = text("""
    SELECT count(*) AS number, count(*) FILTER (WHERE state = 'UNAVAILABLE') AS failed FROM bank_card_checks WHERE id >= :first
""")
FACES: Final = text("""
    SELECT provider, count(*) AS number, count(*) FILTER (WHERE state = 'FAILED' AND reference_sealed IS NULL) AS failed
    FROM face_checks WHERE id >= :first GROUP BY 1
""")
SILENT_FACES: Final = text("""
    SELECT provider, count(*) AS number, min(created_at) AS since FROM face_checks
    WHERE next_ask_at IS NOT NULL AND asks > 0 GROUP BY 1
""")
SILENT_AGREEMENTS: Final = text("""
    SELECT count(*) AS number, min(created_at) AS since FROM withholding_agreements WHERE next_ask_at IS NOT NULL AND asks > 1
""")
SILENT_BANKS: Final = text("""
    SELECT way, count(*) AS number, min(sent_at) AS since FROM debit_batches WHERE next_ask_at IS NOT NULL AND asks > 0 GROUP BY 1
""")


@dataclass(frozen=True, kw_only=True)
class Silence:
    """Of how many something was asked that was never answered, and since when the longest."""

    count: int
    since: datetime | None


NO_SILENCE: Final = Silence(count=0, since=None)


@dataclass(frozen=True, kw_only=True)
class AccountHealth:
    """One merchant account at its provider."""

    account: str
    silent_payments: Silence
    in_doubt: Silence
    """Orders that were sent, and nobody knows whether the provider has them."""
    silent_refunds: Silence
    last_notice_at: datetime | None
    """None: not among the latest notices."""
    key_days_left: int | None
    """Until the first of the provider's certificates ends; None: its keys have no end, or none is known."""

    @property
    def is_well(self) -> bool:
        return not (self.silent_payments.count or self.in_doubt.count or self.silent_refunds.count or self.key_ends_soon)

    @property
    def key_ends_soon(self) -> bool:
        return self.key_days_left is not None and self.key_days_left < SOON_DAYS


@dataclass(frozen=True, kw_only=True)
class ServiceHealth:
    """A service that all regions share: SMS, bank cards, faces, banks that are asked about agreements and debits."""

    name: str
    calls: int | None
    """Within the last hour; None where nothing counts them."""
    failed: int
    silence: Silence

    @property
    def is_well(self) -> bool:
        return not (self.failed or self.silence.count)


def accounts_health(ports: Ports, *, accounts: Collection[str] | None = None) -> list[AccountHealth]:
    """Every merchant account of a provider, by name. `accounts`: those that may be seen; None: all."""
    keys = {f"{each.channel}:{each.merchant}": each for each in ports.payments.values() if each.channel != Channel.TAX}
    with ports.begin() as session:
        silent, doubt, back = (_silences(session, each) for each in (SILENT_PAYMENTS, IN_DOUBT, SILENT_REFUNDS))
        notices = {row.account: row.at for row in session.execute(NOTICES, {"limit": LAST_NOTICES})}
    found = sorted(keys.keys() | silent.keys() | doubt.keys() | back.keys())
    return [
        AccountHealth(
            account=name,
            silent_payments=silent.get(name, NO_SILENCE),
            in_doubt=doubt.get(name, NO_SILENCE),
            silent_refunds=back.get(name, NO_SILENCE),
            last_notice_at=notices.get(name),
            key_days_left=_days_left(keys.get(name), ports.now()),
        )
        for name in found
        if accounts is None or name in accounts
    ]


def services_health(ports: Ports) -> list[ServiceHealth]:
    """What all regions share, by its name."""
    since = ports.now() - LATELY
    given = {"since": since, "first": first_id_at(since)}
    with ports.begin() as session:
        sms, cards = session.execute(SMS, given).one(), session.execute(CARDS, given).one()
        faces = {row.provider: row for row in session.execute(FACES, given)}
        silent_faces = {row.provider: Silence(count=row.number, since=row.since) for row in session.execute(SILENT_FACES)}
        agreements = session.execute(SILENT_AGREEMENTS).one()
        banks = {row.way: Silence(count=row.number, since=row.since) for row in session.execute(SILENT_BANKS)}
    providers = sorted({each.name for each in ports.faces.values()} | faces.keys() | silent_faces.keys())
    return [
        ServiceHealth(name="sms", calls=sms.number, failed=sms.failed, silence=NO_SILENCE),
        ServiceHealth(name="bank_card", calls=cards.number, failed=cards.failed, silence=NO_SILENCE),
        *[
            ServiceHealth(
                name=name,
                calls=faces[name].number if name in faces else 0,
                failed=faces[name].failed if name in faces else 0,
                silence=silent_faces.get(name, NO_SILENCE),
            )
            for name in providers
        ],
        ServiceHealth(name="agreement", calls=None, failed=0, silence=Silence(count=agreements.number, since=agreements.since)),
        *[ServiceHealth(name=f"debit:{way}", calls=None, failed=0, silence=silence) for way, silence in sorted(banks.items())],
    ]


def _silences(session: Session, statement: Any) -> dict[str, Silence]:
    return {row.account: Silence(count=row.number, since=row.since) for row in session.execute(statement)}


def _days_left(provider: object, now: datetime) -> int | None:
    """Whole days; what is over is below zero."""
    ends = [end for end in getattr(provider, "keys_end_at", ()) if end is not None]
    return (min(ends) - now).days if ends else None
