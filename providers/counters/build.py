"""From settings and the partners file to each bank whose counters query and pay."""

from __future__ import annotations

from typing import TYPE_CHECKING

from providers.counters.signing import Signatures
from providers.counters.way import BankCounter, CounterMoney
from providers.keys import KeyFileError, load_private_key, load_public_key_or_certificate
from providers.protocols import Channel

if TYPE_CHECKING:
    from config.settings import Counter, Partners, Settings


def build_counters(settings: Settings, partners: Partners) -> dict[str, BankCounter]:
    """By the code of the collecting way, such as `counter-boc-320400`. Raises KeyFileError."""
    return {
        code: BankCounter(
            merchant=counter.merchant,
            bank=counter.bank,
            region=counter.region,
            authority=counter.authority,
            signatures=_signatures(settings, counter),
        )
        for code, counter in partners.counters.items()
    }


def build_slips(partners: Partners) -> dict[str, CounterMoney]:
    """Money that papers tell of, by the code of the way, such as `slip-320400`."""
    return {code: CounterMoney(channel=Channel.SLIP, merchant=slips.merchant) for code, slips in partners.slips.items()}


def _signatures(settings: Settings, counter: Counter) -> Signatures:
    ours = load_private_key(settings.secrets_dir / counter.private_key_file)
    theirs = {}
    for key_id, name in counter.partner_keys.items():
        key = load_public_key_or_certificate(settings.secrets_dir / name)
        if key.public_key.public_numbers() == ours.public_key().public_numbers():
            raise KeyFileError(f"{name}: expected the bank's public key; found the public half of our own")
        theirs[key_id] = key.public_key
    return Signatures(theirs=theirs, key_id=counter.key_id, private_key=ours)
