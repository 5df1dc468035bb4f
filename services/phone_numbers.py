"""Phone numbers: what one looks like, what of it is shown, and those that a platform's button proved.

A number reaches a person, it never says who they are: no account is found, joined or verified by it.
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, Final

from config.logs import logger
from models.accounts import Account
from providers.protocols import BadSignature, ProviderRefused, ProviderUnreachable
from services.consents import require_consent
from services.errors import PhoneMalformed, PhoneNotProven, ProviderUnavailable, WrongWay
from services.personal_data import open_personal

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from sqlalchemy.orm import Session

    from services.ports import Ports

log = logger(__name__)

MOBILE: Final = re.compile(r"1[3-9][0-9]{9}")
BUTTONS: Final = {"wechat": "code", "alipay": "response"}
"""Platform → what its button must have given (getPhoneNumber, my.getPhoneNumber). The app has none: its number is the account."""


def parse_phone(given: str) -> str:
    """The mainland mobile number in its one form, eleven digits. Raises PhoneMalformed."""
    text = "".join(unicodedata.normalize("NFKC", given).split())
    text = re.sub(r"(?<=[0-9])[-‐-―](?=[0-9])", "", text)
    number = re.sub(r"^(?:\+|00)?86-?(?=1[0-9]{10}$)", "", text)
    if not MOBILE.fullmatch(number):
        raise PhoneMalformed
    return number


def mask_phone(number: str) -> str:
    """138****5678 (domain §6.5)."""
    return f"{number[:3]}****{number[-4:]}"


def add_phone(ports: Ports, *, account: Account, pressed: Mapping[str, str]) -> Account:
    """Keep the number that the platform's button gave, in place of an older one.

    Raises WrongWay, ConsentRequired (PHONE), PhoneNotProven, ProviderUnavailable.
    """
    login = ports.logins.get(account.miniprogram)
    if login is None or BUTTONS.get(ports.miniprogram(account.miniprogram).platform) not in pressed:
        raise WrongWay(detail="请在小程序里点击“获取手机号”；APP的手机号就是登录账户，不能在此更改。")
    with ports.begin() as session:
        require_consent(session, account_id=account.id, purpose="PHONE")
    try:
        number = parse_phone(login.phone_number(pressed))
    except ProviderRefused as fault:
        if fault.permanent:
            raise PhoneNotProven from None
        # A quota, a missing grant or key: the person at the phone cannot help it.
        log.warning("phone_number.refused", refusal=fault.code)
        raise ProviderUnavailable from None
    except (BadSignature, PhoneMalformed):
        raise PhoneNotProven from None
    except ProviderUnreachable:
        raise ProviderUnavailable(retry_after_seconds=3) from None
    with ports.begin() as session:
        # Taken back while the platform was asked: then nothing of the number is kept.
        require_consent(session, account_id=account.id, purpose="PHONE", hold=True)
        row = session.get_one(Account, account.id)
        keep_phone(ports, row, number)
        session.flush()
        session.expunge_all()
    return row


def remove_phone(ports: Ports, *, account: Account) -> None:
    """Forget the number; harmless where there is none. Raises WrongWay in the app, where the number is the account."""
    if ports.miniprogram(account.miniprogram).platform not in BUTTONS:
        raise WrongWay(detail="在APP里手机号就是登录账户，不能单独删除。")
    with ports.begin() as session:
        row = session.get_one(Account, account.id)
        row.phone_sealed = row.phone_index = row.phone_masked = None


def keep_phone(ports: Ports, account: Account, number: str) -> None:
    """Write a proven number on its account: sealed, findable, and masked for its holder's eyes."""
    account.phone_sealed = ports.seals.seal(number, place=Account.phone_place(account.id))
    account.phone_index = phone_index(ports, number)
    account.phone_masked = mask_phone(number)


def phone_index(ports: Ports, number: str) -> bytes:
    return ports.seals.index("phone", number)


def open_proven_phone(ports: Ports, session: Session, *, account: Account, purpose: str, now: datetime) -> str | None:
    """The account's proven number for a provider's eyes, and a row that says so; None where there is none."""
    if account.phone_sealed is None:
        return None
    opened = open_personal(ports, session, account, "phone", purpose=purpose, who=f"account:{account.id}", now=now)
    return opened["phone"]
