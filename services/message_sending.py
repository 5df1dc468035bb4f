"""Sending: what waits is pushed to the phone where its owner said yes to that, and given up at once where nobody did.

One message goes out one way. What the office owes an answer to (BY_SMS) goes by SMS where the phone is proven and its consent stands;
everything else, and whoever has no proven phone, by the mini-program where that was allowed. Both platforms ask their users for each
template, and that yes is the consent for a push. WeChat tells us each yes, and one is one message: our record of it is the allowance
(services/message_events.py). Alipay tells nobody, and is asked before each push, by its adapter.

Nothing goes out twice. An SMS or an Alipay message whose attempt has no known end is not sent again (at WeChat the allowance bounds
it); it can be read in the mini-program, and staff see it among those given up (`canbao messages given-up`).
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
from models.messages import Message, MessageAllowance, MessageKey, MessageState
from providers.protocols import BAD_NUMBER, Delivery, NotSent, ProviderRefused, ProviderUnreachable
from services.consents import is_taken_back
from services.messages import say, words_of
from services.personal_data import open_personal

if TYPE_CHECKING:
    import uuid
    from datetime import datetime

    from sqlalchemy.orm import Session

    from services.messages import Told
    from services.ports import Ports

log = logger(__name__)

WHO: Final = "send_messages"
WECHAT_SUBSCRIPTION: Final = "wechat_subscription"
ALIPAY_TEMPLATE: Final = "alipay_template"
SMS: Final = "sms"
ONLY_ONCE: Final = frozenset({SMS, ALIPAY_TEMPLATE})
"""Ways on which nothing bounds how often the same message arrives: an attempt with no known end is the last."""
BY_SMS: Final = frozenset(key for key in MessageKey if key.startswith("application."))
"""The receiving agency answers by SMS (R-CZ-36)."""
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
    """No answer to any attempt, or none to the only attempt on a way of ONLY_ONCE: it may have gone out."""
    BUSY = "busy"
    """Every attempt was refused for the moment: it did not go out."""


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
    way: str
    subject: str = field(repr=False)
    """The platform's name of its user, or the phone number."""
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
    told = say(message, language=account.language, elder=account.elder_mode)
    if account.closed_at is not None:
        return Why.ACCOUNT_CLOSED
    if told is None:
        return Why.UNKNOWN
    if message.way in ONLY_ONCE:
        # Claimed once, and nobody wrote how it ended.
        return Why.UNREACHABLE
    if message.tries >= MOST_TRIES:
        return Why.UNREACHABLE if message.way is not None else Why.BUSY
    if _goes_by_sms(ports, session, message, account):
        phone = open_personal(ports, session, account, "phone", purpose="message_sms", who=WHO, now=now)["phone"]
        return _claimed(message, account, told, way=SMS, subject=phone, template=message.template, now=now)
    messenger = ports.messengers.get(account.miniprogram)
    template = messenger.template_of(message.template) if messenger is not None else None
    if messenger is None or template is None:
        return Why.NO_WAY
    subject = ports.seals.open(account.subject_sealed, place=Account.subject_place(account.id))
    # Tried before, it still holds the allowance of its first attempt.
    needs_one = messenger.counts_allowances and message.way is None
    if needs_one and not _take_allowance(session, account_id=account.id, platform_template=template, now=now):
        return Why.NO_WAY
    return _claimed(message, account, told, way=messenger.way, subject=subject, template=template, now=now)


def _goes_by_sms(ports: Ports, session: Session, message: Message, account: Account) -> bool:
    """Only what began by no other way, to a proven number whose owner has not taken that consent back."""
    return (
        message.way is None
        and message.template in BY_SMS
        and account.phone_sealed is not None
        and ports.sms.knows(message.template)
        and not is_taken_back(session, account_id=account.id, purpose="PHONE")
    )


def _claimed(message: Message, account: Account, told: Told, *, way: str, subject: str, template: str, now: datetime) -> Letter:
    """Write the attempt down before it is made."""
    message.attempt(way=way, next_try_at=now + TRY_AGAIN_AFTER[message.tries])
    return Letter(
        id=message.id,
        account_id=account.id,
        miniprogram=account.miniprogram,
        way=way,
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
        delivery = _send_sms(ports, letter) if letter.way == SMS else _send_push(ports, letter)
    except ProviderUnreachable as silence:
        log.warning("message.not_answered", message=letter.id, way=letter.way, tries=letter.tries)
        if letter.way not in ONLY_ONCE:
            return _try_again(ports, letter, then=Allowance.USED)
        if isinstance(silence, NotSent):
            return _try_again_unsent(ports, letter)
        _end(ports, letter, why=Why.UNREACHABLE, allowance=Allowance.USED)
        return True
    except ProviderRefused as refusal:
        if not refusal.permanent:
            log.warning("message.refused_for_now", message=letter.id, refusal=refusal.code, tries=letter.tries)
            if letter.way in ONLY_ONCE:
                return _try_again_unsent(ports, letter)
            return _try_again(ports, letter, then=Allowance.GIVE_BACK)
        about = (letter.miniprogram, letter.key, refusal.code)
        if about not in complained and refusal.code != BAD_NUMBER:
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


def _send_push(ports: Ports, letter: Letter) -> Delivery:
    return ports.messengers[letter.miniprogram].send(letter.subject, key=letter.key, words=letter.words)


def _send_sms(ports: Ports, letter: Letter) -> Delivery:
    values = {name: word for name, word in letter.words.items() if name in words_of(MessageKey(letter.key))}
    ports.sms.send(letter.subject, template=letter.key, values=values, our_id=f"message-{letter.id}-{letter.tries}")
    return Delivery.TAKEN


def _try_again_unsent(ports: Ports, letter: Letter) -> bool:
    """It is known that nothing went out, and that is written down: only so is there another attempt."""
    if letter.tries >= MOST_TRIES:
        _end(ports, letter, why=Why.BUSY, allowance=Allowance.USED)
        return True
    with ports.begin() as session:
        message = session.scalar(
            select(Message)
            .where(Message.id == letter.id, Message.state == MessageState.WAITING, Message.tries == letter.tries)
            .with_for_update()
        )
        if message is not None:
            message.take_back_attempt()
    return False


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
        if letter.way == WECHAT_SUBSCRIPTION:
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
