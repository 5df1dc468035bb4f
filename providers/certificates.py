"""Certificates among the secret files, and when each of them ends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from cryptography import x509

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

MARK: Final = b"-----BEGIN CERTIFICATE-----"
LARGEST_BYTES: Final = 256 * 1024


def certificate_ends(folder: Path) -> dict[str, datetime]:
    """File name → when the first of its certificates to end does so. What is no certificate is passed over; keys are not kept or told."""
    ends: dict[str, datetime] = {}
    for path in sorted(folder.iterdir()) if folder.is_dir() else []:
        try:
            raw = path.read_bytes() if path.is_file() and path.stat().st_size <= LARGEST_BYTES else b""
            if MARK in raw:
                ends[path.name] = min(each.not_valid_after_utc for each in x509.load_pem_x509_certificates(raw))
        except (OSError, ValueError):
            # Whoever needs this file says what is wrong with it, at the start.
            continue
    return ends
