"""The one way in: raw bytes → verified and opened by the adapter → one committed row. The answer is the sender's own dialect."""

from __future__ import annotations

import time
from enum import StrEnum
from typing import TYPE_CHECKING, Final, cast

from flask import current_app, request
from prometheus_client import Counter, Histogram
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from werkzeug.exceptions import ClientDisconnected, RequestEntityTooLarge

from config.logs import logger
from providers.protocols import BadSignature, Channel
from services.inbox import receive

if TYPE_CHECKING:
    from collections.abc import Mapping

    from providers.protocols import PaymentNews
    from services.ports import Ports

log = logger(__name__)

LARGEST_NOTICE_BYTES: Final = 64 * 1024
QUIET: Final = frozenset({"signtest"})
"""Their own probes: a failure like any other, but nobody needs to be woken."""
LINES_A_MINUTE: Final = 60
"""Of refusals in the log, for each process: a flood of forgeries must not become a flood of lines. The counter counts them all."""

NOTICES: Final = Counter("canbao_notices_total", "Notices at the letterbox", ["channel", "miniprogram", "result"])
SECONDS: Final = Histogram("canbao_notice_seconds", "From the first byte read to the commit", ["channel"])


class Intake(StrEnum):
    """What happened to a knock at the door."""

    KEPT = "kept"
    KNOWN = "known"
    REFUSED = "refused"
    """Not authentic, or not for us: no row, no body in the log."""
    NOT_KEPT = "not_kept"
    """Authentic, but we could not commit it: they must come again."""


def take_in(*, channel: Channel, miniprogram: str) -> Intake:
    """Verify and keep the notice in this request. Acknowledge only KEPT and KNOWN: their commit is the promise."""
    started = time.perf_counter()
    ports: Ports = current_app.extensions["canbao.ports"]
    provider = ports.payments.get(miniprogram)
    if provider is None or provider.channel != channel:
        return refuse(channel, "-", "unknown_miniprogram")
    try:
        raw = read_letter()
        news = provider.open_notice(cast("Mapping[str, str]", request.headers), raw, now=ports.now())
    except BadSignature as fault:
        return refuse(channel, miniprogram, fault.reason)
    try:
        is_new = _keep(ports, miniprogram, news, raw)
    except SQLAlchemyError as fault:
        NOTICES.labels(channel, miniprogram, Intake.NOT_KEPT).inc()
        log.error("notice.not_kept", channel=channel, miniprogram=miniprogram, fault=type(fault).__name__)  # noqa: TRY400 - no traceback: it holds values
        return Intake.NOT_KEPT
    result = Intake.KEPT if is_new else Intake.KNOWN
    NOTICES.labels(channel, miniprogram, result).inc()
    SECONDS.labels(channel).observe(time.perf_counter() - started)
    return result


def read_letter() -> bytes:
    """The raw bytes of this request, at most 64 KiB of them. Raises BadSignature for what is too long or was cut off."""
    try:
        # Raw bytes first and only: a parsed form leaves none behind, and a parsed JSON is no longer what was signed.
        raw = request.get_data(cache=True, parse_form_data=False)
    except RequestEntityTooLarge:
        raise BadSignature("oversize") from None
    except ClientDisconnected:
        # Half a letter, or chunks that make no sense: anybody can do that, so nobody is woken.
        raise BadSignature("cut_off") from None
    if len(raw) > LARGEST_NOTICE_BYTES:
        raise BadSignature("oversize")
    return raw


def _keep(ports: Ports, miniprogram: str, news: PaymentNews, raw: bytes) -> bool:
    try:
        return receive(ports, miniprogram=miniprogram, news=news, raw=raw)
    except DBAPIError as fault:
        if not fault.connection_invalidated:
            raise
        # The database was restarted under a pooled connection. The insert is its own guard, so once more is safe.
        return receive(ports, miniprogram=miniprogram, news=news, raw=raw)


class Quota:
    """A few lines a minute, and then silence."""

    def __init__(self) -> None:
        self._minute, self._said = 0, 0

    def allows(self) -> bool:
        minute = int(time.monotonic() // 60)
        if minute != self._minute:
            self._minute, self._said = minute, 0
        self._said += 1
        return self._said <= LINES_A_MINUTE


_quota = Quota()


def refuse(channel: str, miniprogram: str, reason: str) -> Intake:
    """Count a refusal by its reason, and say it in the log, but not more than a few times a minute."""
    NOTICES.labels(channel, miniprogram, f"refused:{reason}").inc()
    if reason not in QUIET and _quota.allows():
        log.warning("notice.refused", channel=channel, miniprogram=miniprogram, reason=reason)
    return Intake.REFUSED
