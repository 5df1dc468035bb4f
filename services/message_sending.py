"""Sending: what waits is pushed to the phone where its owner said yes to that, and given up at once where nobody did.

WeChat asks its user for each template, and one yes is one message. That yes is the consent for a push and the only one that is
needed; our own record of it is the allowance (services/message_events.py). No other way out of the house is used here.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from sqlalchemy import or_, select, update

from config.logs import logger
from config.seals import SealBroken
from models.accounts import Account
from models.messages import Message, MessageAllowance, MessageState
from providers.protocols import Delivery, ProviderRefused, ProviderUnreachable
from services.messages import say

if TYPE_CHECKING:
    import uuid
    from datetime import datetime

    from sqlalchemy.orm import Session

    from services.ports import Ports

log = logger(__name__)

WHO: Final = "send_messages"
WECHAT_SUBSCRIPTION: Final = "wechat_subscription"
TRY_AGAIN_AFTER: Final = tuple(timedelta(minutes=minutes) for minutes in (2, 10, 30, 120, 360))
"""After each attempt that got no answer. The first is longer than a call can last with a new token (60 s): a claim never lapses
while its call is under way."""
MOST_TRIES: Final = len(TRY_AGAIN_AFTER)
AT_A_TIME: Final = 50
"""Read to be given up. Behind one that is pushed the next is read alone: a call follows each, and nobody else should wait for its lock."""
A_SWEEP_LASTS_SECONDS: Final = 20.0
"""Then the worker may end, if it was asked to; the next sweep goes on."""
SILENCES_END_A_SWEEP: Final = 3
"""Whoever does not answer three times is left in peace until the next sweep."""


class Why(StrEnum):
    """Why a message is not pushed. A refusal of theirs is written as `refused:` and their code."""

    NO_WAY = "no_way"
    """No template for it in this mini-program, or the owner allowed none."""
    NOT_WANTED = "not_wanted"
    """They said that the owner turned it down, or used up what was allowed."""
    ACCOUNT_CLOSED = "account_closed"
    UNKNOWN = "unknown_message"
    """Of a key or facts that this release has no words for."""
    UNREACHABLE = "unreachable"
    """No answer to any attempt: it may have gone out."""


class Allowance(StrEnum):
    """What becomes of the allowance that an attempt had taken."""

    USED = "used"
    GIVE_BACK = "give_back"
    NONE_LEFT = "none_left"


@dataclass(frozen=True, kw_only=True)
class Letter:
    """A claimed message, with all that its call needs."""

    id: int
    account_id: uuid.UUID
    miniprogram: str
    subject: str = field(repr=False)
    key: str
    words: dict[str, str] = field(repr=False)
    platform_template: str
    tries: int
    claimed_at: datetime


def send_messages(ports: Ports, *, lasts_seconds: float = A_SWEEP_LASTS_SECONDS) -> int:
    """The sweep: push what waits; answers how many are over, pushed or given up. Late, twice or never: all safe.

    A process that dies between claim and answer leaves the claim: the message is tried once more when it lapses, not sooner.
    """
    over = silences = 0
    ends_at = time.monotonic() + lasts_seconds
    complained: set[tuple[str, str, str]] = set()
    letter: Letter | None = None
    while time.monotonic() < ends_at and silences < SILENCES_END_A_SWEEP:
        letter, given_up = _claim(ports, at_a_time=AT_A_TIME if letter is None else 1)
        over += given_up
        if letter is None:
            if not given_up:
                break
        elif _push(ports, letter, complained):
            over += 1
        else:
            silences += 1
    return over


def _claim(ports: Ports, *, at_a_time: int = AT_A_TIME) -> tuple[Letter | None, int]:
    """The next message that can be pushed, its attempt and its allowance written first; and how many before it were given up."""
    now = ports.now()
    given_up = 0
    with ports.begin() as session:
        due = session.execute(
            select(Message, Account)
            .join(Account, Account.id == Message.account_id)
            .where(Message.state == MessageState.WAITING, or_(Message.next_try_at.is_(None), Message.next_try_at <= now))
            .order_by(Message.id)
            .limit(at_a_time)
            .with_for_update(of=Message, skip_locked=True)
        ).all()
        for message, account in due:
            try:
                found = _way_for(ports, session, message, account, now=now)
            except SealBroken:
                # Keys are missing: nothing is wrong with the message, and somebody must look at the keys.
                log.error("message.seal_broken", message=message.id)  # noqa: TRY400 - no traceback: nothing of the seal in a log
                message.next_try_at = now + TRY_AGAIN_AFTER[-1]
                continue
            if isinstance(found, Letter):
                return found, given_up
            message.give_up(why=found, who=WHO, at=now)
            given_up += 1
    return None, given_up


def _way_for(ports: Ports, session: Session, message: Message, account: Account, *, now: datetime) -> Letter | Why:
    """Claim an attempt, or say why there is none. Raises SealBroken, with nothing claimed."""
    messenger = ports.messengers.get(account.miniprogram)
    template = messenger.template_of(message.template) if messenger is not None else None
    told = say(message, language=account.language, elder=account.elder_mode)
    if account.closed_at is not None:
        return Why.ACCOUNT_CLOSED
    if told is None:
        return Why.UNKNOWN
    if message.tries >= MOST_TRIES:
        return Why.UNREACHABLE
    if template is None:
        return Why.NO_WAY
    subject = ports.seals.open(account.subject_sealed, place=Account.subject_place(account.id))
    # Tried before, it still holds the allowance of its first attempt.
    if message.way is None and not _take_allowance(session, account_id=account.id, platform_template=template, now=now):
        return Why.NO_WAY
    message.attempt(way=WECHAT_SUBSCRIPTION, next_try_at=now + TRY_AGAIN_AFTER[message.tries])
    return Letter(
        id=message.id,
        account_id=account.id,
        miniprogram=account.miniprogram,
        subject=subject,
        key=message.template,
        words=told.words,
        platform_template=template,
        tries=message.tries,
        claimed_at=now,
    )


def _take_allowance(session: Session, *, account_id: uuid.UUID, platform_template: str, now: datetime) -> bool:
    taken = session.execute(
        update(MessageAllowance)
        .where(
            MessageAllowance.account_id == account_id,
            MessageAllowance.platform_template == platform_template,
            MessageAllowance.remaining > 0,
        )
        .values(remaining=MessageAllowance.remaining - 1, changed_at=now)
        .returning(MessageAllowance.remaining)
    ).all()
    return bool(taken)


def _push(ports: Ports, letter: Letter, complained: set[tuple[str, str, str]]) -> bool:
    """Call, and write what came of it. True when the message is over, False when it will be tried again."""
    try:
        delivery = ports.messengers[letter.miniprogram].send(letter.subject, key=letter.key, words=letter.words)
    except ProviderUnreachable:
        log.warning("message.not_answered", message=letter.id, tries=letter.tries)
        return _try_again(ports, letter, then=Allowance.USED)
    except ProviderRefused as refusal:
        if not refusal.permanent:
            log.warning("message.refused_for_now", message=letter.id, refusal=refusal.code, tries=letter.tries)
            return _try_again(ports, letter, then=Allowance.GIVE_BACK)
        about = (letter.miniprogram, letter.key, refusal.code)
        if about not in complained:
            # Template, field or page are not as the platform has them: no message of this key goes out until somebody mends it.
            complained.add(about)
            log.error("message.refused", miniprogram=letter.miniprogram, template=letter.key, refusal=refusal.code)  # noqa: TRY400
        _end(ports, letter, why=f"refused:{refusal.code}", allowance=Allowance.GIVE_BACK)
        return True
    if delivery is Delivery.NOT_WANTED:
        _end(ports, letter, why=Why.NOT_WANTED, allowance=Allowance.NONE_LEFT)
    else:
        _end(ports, letter, why=None, allowance=Allowance.USED)
    return True


def _try_again(ports: Ports, letter: Letter, *, then: Allowance) -> bool:
    """The claim says when. After the last attempt it is over."""
    if letter.tries < MOST_TRIES:
        return False
    _end(ports, letter, why=Why.UNREACHABLE, allowance=then)
    return True


def _end(ports: Ports, letter: Letter, *, why: str | None, allowance: Allowance) -> None:
    """Write that it was pushed (no `why`) or given up, and what becomes of the allowance."""
    now = ports.now()
    with ports.begin() as session:
        message = session.scalar(
            select(Message).where(Message.id == letter.id, Message.state == MessageState.WAITING).with_for_update()
        )
        if message is None:
            return  # this process slept past its claim, and another one has ended it
        if why is None:
            message.send(who=WHO, at=now)
        else:
            message.give_up(why=why, who=WHO, at=now)
        _settle_allowance(session, letter, allowance, now=now)


def _settle_allowance(session: Session, letter: Letter, allowance: Allowance, *, now: datetime) -> None:
    held = update(MessageAllowance).where(
        MessageAllowance.account_id == letter.account_id,
        MessageAllowance.platform_template == letter.platform_template,
    )
    if allowance is Allowance.NONE_LEFT:
        session.execute(held.values(remaining=0, changed_at=now))
    elif allowance is Allowance.GIVE_BACK:
        # Not over a no that the owner said since then.
        session.execute(
            held.where(or_(MessageAllowance.remaining > 0, MessageAllowance.changed_at <= letter.claimed_at)).values(
                remaining=MessageAllowance.remaining + 1, changed_at=now
            )
        )
