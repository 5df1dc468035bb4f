"""What every check needs: a key that is read or told why not, a proof that it signs, and whether a provider answers and at what time."""

from __future__ import annotations

import secrets
from contextlib import contextmanager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Final, TypeVar

from config.clock import BEIJING
from config.settings import SettingsFault, secret
from providers.http import Line
from providers.keys import KeyFileError, load_private_key, rsa_sign, rsa_verifies
from providers.protocols import ProviderUnreachable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

    from config.clock import Clock
    from config.findings import Report
    from config.settings import Settings

Loaded = TypeVar("Loaded")

SKEW_SECONDS: Final = 60
"""WeChat Pay refuses from 300 s on; a clock that is a minute off is on its way there."""
SERVER_ERRORS: Final = range(500, 600)


@dataclass(frozen=True, kw_only=True)
class Desk:
    """What a check works with. `calls`: whether providers are asked."""

    settings: Settings
    report: Report
    clock: Clock
    calls: bool

    def load(self, what: str, step: Callable[[], Loaded]) -> Loaded | None:
        """What the step reads; None, and told, where the file is not as it must be."""
        try:
            return step()
        except (KeyFileError, SettingsFault) as fault:
            self.report.bad(what, str(fault), "put the right file into CANBAO_SECRETS_DIR")
            return None

    def private_key(self, what: str, name: str | None) -> RSAPrivateKey | None:
        """Our own key, once it has signed and its signature has verified."""
        if not name:
            self.report.bad(what, "no file is named", "name the key's file in CANBAO_MINIPROGRAMS_FILE")
            return None
        key = self.load(what, lambda: load_private_key(self.settings.secrets_dir / name))
        if key is None:
            return None
        text = secrets.token_bytes(32)
        if not rsa_verifies(key.public_key(), rsa_sign(key, text), text):
            self.report.bad(what, f"{name}: what it signs does not verify", "the file is damaged; take the copy from your safe")
            return None
        self.report.good(what, f"signs and verifies ({key.key_size} bits)")
        return key

    def secret(self, what: str, name: str | None) -> str | None:
        """The content of a secret file that is there and not empty."""
        found = self.load(what, lambda: secret(self.settings, name))
        if found == "":
            self.report.bad(what, f"{name} is empty", "put the right file into CANBAO_SECRETS_DIR")
            return None
        return found


def impossible_number(now: datetime) -> str:
    """A payment number that nobody ever had: it begins with a moment, as UnionPay wants, and the house's own are shorter."""
    return f"{now.astimezone(BEIJING):%Y%m%d%H%M%S}checkcfg{secrets.token_hex(4)}"


@contextmanager
def reached(desk: Desk, *, provider: str, base_url: str, setting: str) -> Iterator[Line | None]:
    """A line to a provider, closed afterwards; None where nobody is to be called, or nobody answered, which is told."""
    line = Line(provider=provider, base_url=base_url)
    try:
        yield line if desk.calls and _answers(desk, line, setting) else None
    finally:
        line.close()


def _answers(desk: Desk, line: Line, setting: str) -> bool:
    """Whether anybody is there, and what time it is there: told, and True where it is worth asking more."""
    try:
        told = line.request("GET", "")
    except ProviderUnreachable as trouble:
        desk.report.bad(
            setting, f"{line.base_url} does not answer ({trouble})", "check the address, the name server and the firewall"
        )
        return False
    if told.status_code in SERVER_ERRORS:
        desk.report.bad(setting, f"{line.base_url} answers {told.status_code}", "wait, or ask whoever runs the proxy between")
        return False
    try:
        # Some servers say it twice, and two become one line: the first will do.
        theirs = parsedate_to_datetime(told.headers.get("Date", "").partition(" GMT")[0] + " GMT")
        off_seconds = round((desk.clock.now() - theirs).total_seconds())
    except (TypeError, ValueError):
        desk.report.note(setting, f"{line.base_url} answers, without a Date header: the clocks were not compared")
        return True
    if abs(off_seconds) > SKEW_SECONDS:
        desk.report.bad(
            setting,
            f"our clock is {abs(off_seconds)} s {'ahead of' if off_seconds > 0 else 'behind'} the provider's",
            "set the clock by NTP: beyond 300 s every signature is refused, theirs and ours",
        )
    else:
        desk.report.good(setting, f"{line.base_url} answers, clocks agree within {max(abs(off_seconds), 1)} s")
    return True
