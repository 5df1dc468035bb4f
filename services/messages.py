"""Messages: written beside what they tell, by key and facts; read by their account in its own language and manner.

Facts are numbers, and words that are masked already: a row says nothing of a person that a list of payments would not say.
Reading needs nobody's consent but the reader's own sign-in. Pushing to the phone is another matter: services/message_sending.py.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import select

from config.clock import BEIJING
from config.months import YearMonth
from config.wordings import Language, Wordings, load_wordings
from models.applications import ApplicationKind, DecisionReason
from models.debits import DebitResult
from models.messages import Message, MessageKey

if TYPE_CHECKING:
    import uuid
    from datetime import datetime

    from sqlalchemy.orm import Session

    from config.settings import Miniprogram
    from models.accounts import Account
    from services.ports import Ports

NUMBER: Final = re.compile(r"[0-9A-Z]{24}")
HOTLINE: Final = re.compile(r"[0-9]{5,8}|0[0-9]{2,3}-[0-9]{5,8}")
"""Short ones such as 12333, and a city's own. No mobile number is a hotline."""
MOST_MONTHS: Final = 600
PAGE: Final = 20
TITLE, TEXT, AT = "title", "text", "at"
"""What a platform's template may name beside the facts: the title, the whole text in the reader's manner (plainer in elder mode), and
when it happened."""


@dataclass(frozen=True, kw_only=True)
class Fact:
    """One kind of fact: what a row may hold, and the word that a text names it by."""

    word: str
    holds: Callable[[Any], bool]
    say: Callable[[Any, Language], str]


def _is_fen(value: Any) -> bool:
    return type(value) is int and value > 0


def _are_months(value: Any) -> bool:
    if not isinstance(value, list) or not 0 < len(value) <= MOST_MONTHS:
        return False
    try:
        return all(type(number) is int and bool(YearMonth.from_number(number)) for number in value)
    except ValueError:
        return False


def _is_day(value: Any) -> bool:
    try:
        return isinstance(value, str) and date.fromisoformat(value).isoformat() == value
    except ValueError:
        return False


def _say_day(value: str) -> str:
    day = date.fromisoformat(value)
    return f"{day.year}年{day.month}月{day.day}日"


def _is_number(value: Any) -> bool:
    return isinstance(value, str) and NUMBER.fullmatch(value) is not None


def _is_hotline(value: Any) -> bool:
    return isinstance(value, str) and HOTLINE.fullmatch(value) is not None


def _is_kind(value: Any) -> bool:
    return isinstance(value, str) and value in CALLED


def _is_failure(value: Any) -> bool:
    return isinstance(value, str) and value in FAILURES


def _is_reason(value: Any) -> bool:
    return isinstance(value, str) and value in REASONS


CALLED: Final = {
    ApplicationKind.NEW_ENROLLMENT: "灵活就业参保登记",
    ApplicationKind.RESUMPTION: "灵活就业续保",
    ApplicationKind.SUSPENSION: "灵活就业停保",
}
REASONS: Final = {
    DecisionReason.DOCUMENT_UNREADABLE: "材料照片不清楚",
    DecisionReason.DOCUMENT_MISSING: "材料不齐全",
    DecisionReason.DOCUMENT_EXPIRED: "证件已过有效期",
    DecisionReason.DOCUMENT_NOT_THE_APPLICANTS: "材料不是本人的",
    DecisionReason.DECLARED_DIFFERS: "填写内容与材料不一致",
    DecisionReason.NOT_ELIGIBLE: "不符合参保条件",
    DecisionReason.ACTIVE_ELSEWHERE: "已在其他地方参保",
    DecisionReason.OTHER: "详见审核意见",
}
FAILURES: Final = {
    DebitResult.INSUFFICIENT_FUNDS: "协议卡余额不足",
    DebitResult.ACCOUNT_FROZEN: "协议卡已冻结或挂失",
    DebitResult.NAME_MISMATCH: "协议卡的户名与参保人不符",
    DebitResult.AGREEMENT_INVALID: "银行没有查到有效的扣款协议",
    DebitResult.FINANCIAL_FUNCTION_INACTIVE: "社会保障卡的金融功能没有激活",
    DebitResult.LIMIT_EXCEEDED: "超过协议卡的扣款限额",
    DebitResult.SYSTEM_ERROR: "银行系统未能完成扣款",
}
"""Codes, as rows hold them → what people are told. A test holds them against the closed lists of the models."""

KINDS: Final[Mapping[str, Fact]] = {
    "order_no": Fact(word="order_no", holds=_is_number, say=lambda value, _: str(value)),
    "amount_fen": Fact(word="amount", holds=_is_fen, say=lambda fen, _: f"{fen // 100}.{fen % 100:02d}"),
    "months": Fact(word="months", holds=_are_months, say=lambda numbers, language: language.say_months(numbers)),
    "due_on": Fact(word="due_on", holds=_is_day, say=lambda day, _: _say_day(day)),
    "agreement_no": Fact(word="agreement_no", holds=_is_number, say=lambda value, _: str(value)),
    "case_no": Fact(word="case_no", holds=_is_number, say=lambda value, _: str(value)),
    "kind": Fact(word="kind", holds=_is_kind, say=lambda value, _: CALLED[value]),
    "reason": Fact(word="reason", holds=_is_reason, say=lambda value, _: REASONS[value]),
    "failure": Fact(word="failure", holds=_is_failure, say=lambda value, _: FAILURES[value]),
    "hotline": Fact(word="hotline", holds=_is_hotline, say=lambda value, _: str(value)),
}
"""Every kind of fact. A new one holds a number of ours, an amount, a date or a word that is masked already, and its test says so."""

FACTS: Final[Mapping[MessageKey, tuple[str, ...]]] = {
    MessageKey.PAYMENT_SUCCEEDED: ("order_no", "amount_fen", "months"),
    MessageKey.CONTRIBUTION_CONFIRMED: ("order_no", "amount_fen", "months"),
    MessageKey.PAYMENT_SURPLUS: ("order_no", "amount_fen", "months"),
    MessageKey.PAYMENT_MADE_TWICE: ("months",),
    MessageKey.REFUND_DONE: ("order_no", "amount_fen", "months"),
    MessageKey.REFUND_DELAYED: ("order_no", "amount_fen", "months"),
    MessageKey.PAYMENT_DUE_SOON: ("amount_fen", "months", "due_on"),
    MessageKey.PAYMENT_DUE_TOMORROW: ("amount_fen", "months", "due_on"),
    MessageKey.AGREEMENT_ACTIVE: ("agreement_no",),
    MessageKey.AGREEMENT_REJECTED: ("agreement_no",),
    MessageKey.AGREEMENT_SUSPENDED: ("agreement_no",),
    MessageKey.DEBIT_COMING: ("amount_fen", "months", "due_on"),
    MessageKey.DEBIT_TOMORROW: ("amount_fen", "months", "due_on"),
    MessageKey.DEBIT_FAILED: ("amount_fen", "months", "failure", "due_on"),
    MessageKey.DEBIT_FAILED_LAST: ("amount_fen", "months", "failure"),
    MessageKey.APPLICATION_APPROVED: ("case_no", "kind", "months", "hotline"),
    MessageKey.APPLICATION_APPROVED_WITH_NOTICE: ("case_no", "kind", "months", "hotline"),
    MessageKey.APPLICATION_APPROVED_WITH_AGREEMENT: ("case_no", "kind", "months", "hotline"),
    MessageKey.APPLICATION_SUSPENDED: ("case_no", "kind", "months", "hotline"),
    MessageKey.APPLICATION_SUSPENDED_AND_PAID: ("case_no", "kind", "months", "hotline"),
    MessageKey.APPLICATION_REJECTED: ("case_no", "kind", "reason", "hotline"),
    MessageKey.APPLICATION_RETURNED: ("case_no", "kind", "reason", "hotline"),
    MessageKey.APPLICATION_LAPSES_SOON: ("case_no", "kind", "due_on", "hotline"),
    MessageKey.APPLICATION_LAPSED: ("case_no", "kind", "hotline"),
    MessageKey.APPLICATION_OVERDUE: ("case_no", "kind", "hotline"),
}
"""Key → exactly the facts that its rows hold."""


def words_of(key: MessageKey) -> set[str]:
    """The names that a text of this key may put in braces."""
    return {KINDS[fact].word for fact in FACTS[key]}


@cache
def wordings() -> Wordings:
    """Every text, read once. Raises WordingsFault; the roof asks at the start, so that nobody finds a fault later."""
    return load_wordings({str(key): words_of(key) for key in MessageKey})


def template_faults(code: str, program: Miniprogram) -> list[str]:
    """What is wrong with a mini-program's `subscribe_templates`: keys that nobody writes, facts that a key does not have."""
    faults = []
    for key, template in program.subscribe_templates.items():
        place = f"miniprograms.{code}.subscribe_templates.{key}"
        if key not in set(MessageKey):
            faults.append(f"{place}: no message has this key; there are {', '.join(sorted(MessageKey))}")
            continue
        allowed = words_of(MessageKey(key)) | {TITLE, TEXT, AT}
        faults += [
            f"{place}.fields.{field}: there is no fact {fact!r}; there are {', '.join(sorted(allowed))}"
            for field, fact in template.fields.items()
            if fact not in allowed
        ]
    return faults


def tell(session: Session, *, account_id: uuid.UUID, key: MessageKey, facts: dict[str, Any], at: datetime) -> None:
    """Write a message in the transaction of what it tells. Raises ValueError where the facts are not exactly those of the key."""
    if (wrong := fact_fault(key, facts)) is not None:
        raise ValueError(f"{key}: {wrong}")
    session.add(Message(account_id=account_id, template=key, facts=facts, created_at=at))


def fact_fault(key: str, facts: Mapping[str, Any]) -> str | None:
    """Why these facts are not those of the key, without a value; None if they are."""
    if key not in set(MessageKey):
        return "no such key"
    wanted = FACTS[MessageKey(key)]
    if set(facts) != set(wanted):
        return f"its facts are {', '.join(wanted)}"
    odd = [name for name in wanted if not KINDS[name].holds(facts[name])]
    return f"{', '.join(odd)} cannot be told" if odd else None


@dataclass(frozen=True, kw_only=True)
class Told:
    """A message in words."""

    title: str
    text: str
    language: str
    """BCP 47: the one it really came out in, which is Chinese where nobody has translated it yet."""
    direction: str
    """ltr or rtl."""
    words: dict[str, str]
    """Facts in words, with `title`, `text` and `at`: what a platform's template takes."""


def say(message: Message, *, language: str, elder: bool) -> Told | None:
    """A message in words. None for a key or facts that this release does not know, such as those of a later one that was undone."""
    found = wordings().find(message.template, language=language)
    if found is None or fact_fault(message.template, message.facts) is not None:
        return None
    spoken, wording = found
    words = {KINDS[name].word: KINDS[name].say(value, spoken) for name, value in message.facts.items()}
    title, whole = wording.title.format_map(words), (wording.elder if elder else wording.text).format_map(words)
    return Told(
        title=title,
        text=whole,
        language=spoken.language,
        direction=spoken.direction,
        words={**words, TITLE: title, TEXT: whole, AT: _beijing(message.created_at)},
    )


def _beijing(moment: datetime) -> str:
    there = moment.astimezone(BEIJING)
    return f"{there.year}年{there.month}月{there.day}日 {there:%H:%M}"


@dataclass(frozen=True, kw_only=True)
class MessageView:
    key: str
    title: str
    text: str
    language: str
    direction: str
    created_at: datetime


@dataclass(frozen=True, kw_only=True)
class MessagePage:
    messages: list[MessageView]
    next_before: datetime | None
    """Where the next page begins; none where this is the last."""


def list_messages(ports: Ports, *, account: Account, before: datetime | None = None, limit: int = PAGE) -> MessagePage:
    """This account's messages, newest first, pushed or not. `before`: only what is older than this moment.

    A page never ends between two messages of the same moment, so it may be longer than `limit`, and none is lost between pages.
    """
    mine = select(Message).where(Message.account_id == account.id)
    if before is not None:
        mine = mine.where(Message.created_at < before)
    newest_first = (Message.created_at.desc(), Message.id.desc())
    with ports.begin() as session:
        rows = list(session.scalars(mine.order_by(*newest_first).limit(limit + 1)))
        is_last = len(rows) <= limit
        if not is_last:
            end = rows[limit - 1].created_at
            rows = list(session.scalars(mine.where(Message.created_at >= end).order_by(*newest_first)))
    told = [(row, say(row, language=account.language, elder=account.elder_mode)) for row in rows]
    return MessagePage(
        messages=[
            MessageView(
                key=row.template,
                title=words.title,
                text=words.text,
                language=words.language,
                direction=words.direction,
                created_at=row.created_at,
            )
            for row, words in told
            if words is not None
        ],
        next_before=None if is_last else rows[-1].created_at,
    )
