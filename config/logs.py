"""Logs: JSON lines on standard error, with personal data struck out before a line is written."""

from __future__ import annotations

import logging
import re
import sys
from typing import TYPE_CHECKING, Any, Final

import structlog
from prometheus_client import Counter

if TYPE_CHECKING:
    from collections.abc import MutableMapping

STRUCK: Final = "***"
LINES: Final = Counter(
    "canbao_log_lines_total", "Lines at WARNING and above; one at ERROR means that somebody must act", ["level", "logger"]
)
"""By logger, never by text: a module's name holds nobody's data, and there are only so many."""

_PLAIN: Final = re.compile(r"[^a-z0-9]")


def _plain(key: object) -> str:
    """`certName`, `cert_name`, `Cert-Name` → `certname`: everybody writes the same field their own way."""
    return _PLAIN.sub("", str(key).lower())


SECRET_KEYS: Final = frozenset(
    _plain(key)
    for key in (
        "name", "id_number", "phone", "mobile", "token", "code", "session_key", "openid", "subject", "card", "bank_card",
        "authorization", "cookie", "password", "secret", "body", "raw", "signature", "cert_no", "cert_name",
        # As the providers call them.
        "real_name", "full_name", "user_name", "param_name", "identify_num", "id_no", "id_card", "id_card_no", "id_card_number",
        "identity_param", "card_no", "card_number", "bank_card_no", "bank_card_number", "mobile_no", "phone_number", "phone_numbers",
        "pure_phone_number", "unionid", "user_id", "open_id", "buyer_id", "buyer_open_id", "buyer_user_id", "payer_openid", "js_code",
        "auth_code", "sms_code", "template_param", "access_token", "refresh_token", "app_secret", "access_key_id",
        "access_key_secret", "private_key", "index_key", "api_v3_key", "meta_info", "certify_id", "certify_url", "verify_id",
        "cert_type_no", "biz_content", "set_cookie", "new_password", "password_again", "new_password_again", "totp_code", "form_token",
    )
)  # fmt: skip
"""Fields whose value never reaches a log line, whatever it looks like and however the field is written."""

PATTERNS: Final = [
    re.compile(r"(?<![0-9A-Za-z])[1-9]\d{16}[0-9Xx](?![0-9A-Za-z])"),  # resident ID and its look-alikes, GB 11643
    re.compile(r"(?<![0-9A-Za-z])\d{16,19}(?![0-9A-Za-z])"),  # bank cards
    re.compile(r"(?<![0-9A-Za-z])(?:\+?86[- ]?)?1[3-9]\d{9}(?![0-9A-Za-z])"),  # mobile numbers
    re.compile(r"(?i)bearer\s+[A-Za-z0-9._~+/=-]+"),
    re.compile(r"(?i)(?:access_token|js_code|secret|sign|UserName|IdentifyNum|Mobile|CertName|CertNo)=[^&\s\"']+"),
    # JSON, or a printed dict, that somebody put into a sentence.
    re.compile(
        r"(?i)[\"'](?:cert_?name|cert_?no|real_?name|user_?name|identify_?num|id_?number|id_?card(?:_?no)?|card_?(?:no|number)|bank_?card"
        r"|meta_?info|name|phone(?:_?numbers?)?|mobile|open_?id|user_?id|token|access_?token|session_?key|code|secret)[\"']\s*:\s*"
        r"(?:\"[^\"]*\"|'[^']*'|\d+)"
    ),
]


def strike_out(text: str) -> str:
    """The same text without ID numbers, phones, cards and tokens."""
    for pattern in PATTERNS:
        text = pattern.sub(STRUCK, text)
    return text


def _struck(value: Any) -> Any:
    if isinstance(value, str):
        return strike_out(value)
    if isinstance(value, dict):
        return {key: STRUCK if _plain(key) in SECRET_KEYS else _struck(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_struck(inner) for inner in value]
    if isinstance(value, bool | int | float) or value is None:
        return value if not isinstance(value, int) or isinstance(value, bool) else _struck_number(value)
    return strike_out(str(value))


def _struck_number(value: int) -> int | str:
    # An ID number or a card that travels as an int is still an ID number.
    text = str(value)
    return value if strike_out(text) == text else STRUCK


def _strike_out_event(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    return {key: STRUCK if _plain(key) in SECRET_KEYS else _struck(value) for key, value in event.items()}


class _Counting(logging.Handler):
    """Counts lines that somebody may have to look at, whoever writes them."""

    def emit(self, record: logging.LogRecord) -> None:
        LINES.labels(record.levelname.lower(), record.name).inc()


def set_up_logs(*, level: str = "INFO", stream: Any = None) -> None:
    """Send structlog and the standard library's loggers through one formatter that strikes personal data out."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _strike_out_event,
                structlog.processors.JSONRenderer(ensure_ascii=False),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler, _Counting(level=logging.WARNING)]
    root.setLevel(level)
    # They tell every tick at INFO.
    logging.getLogger("procrastinate").setLevel("WARNING")


def logger(name: str) -> structlog.stdlib.BoundLogger:
    """A logger whose events are past participles: `payment.settled`."""
    return structlog.stdlib.get_logger(name)
