"""Which notify addresses the payment providers accept: public https, except that loopback may do as it likes here."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from sandbox.replies import is_loopback

LONGEST = 255


def fault_of(url: object, *, longest: int = LONGEST) -> str | None:
    """Say what is wrong with a notify address, or nothing."""
    if not isinstance(url, str) or not url or len(url) > longest:
        return f"must be text of 1 to {longest} characters"
    parts = urlsplit(url)
    if parts.query or parts.fragment or "?" in url:
        return "must not carry a query string"
    if is_loopback(parts.hostname):
        return None if parts.scheme in {"http", "https"} else "must be an http or https address"
    if parts.scheme != "https" or not parts.hostname:
        return "must be an https address"
    return "must not be a private address" if _is_private(parts.hostname) else None


def _is_private(host: str) -> bool:
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return False
