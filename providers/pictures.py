"""From settings to where pictures lie and who looks through them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from config.settings import SettingsFault
from providers.clamd import Clamd, ClamdFault
from providers.document_store import DocumentStore, DocumentStoreFault

if TYPE_CHECKING:
    from config.settings import Settings

STORE_OPTIONS: Final = "document-store.json"
"""In CANBAO_SECRETS_DIR, where the store needs them: key, secret, endpoint_url and the like."""


def build_document_store(settings: Settings) -> DocumentStore:
    """Raises SettingsFault."""
    more = settings.secrets_dir / STORE_OPTIONS
    try:
        options = json.loads(more.read_text(encoding="utf-8")) if more.exists() else {}
        url = settings.documents_url or (settings.state_dir / "documents").absolute().as_uri()
        return DocumentStore(url=url, options=options)
    except (OSError, TypeError, ValueError) as fault:
        raise SettingsFault(f"{STORE_OPTIONS}: cannot be read as a JSON object ({type(fault).__name__})") from None
    except DocumentStoreFault as fault:
        raise SettingsFault(f"CANBAO_DOCUMENTS_URL: {fault}") from None


def build_scanner(settings: Settings) -> Clamd | None:
    """None where no scanner is named. Raises SettingsFault."""
    try:
        return Clamd(address=settings.clamd_address) if settings.clamd_address else None
    except ClamdFault as fault:
        raise SettingsFault(f"CANBAO_CLAMD_ADDRESS: {fault}") from None
