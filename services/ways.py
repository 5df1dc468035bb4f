"""What an account can do next where a face did not do, or was not wanted: bank card, counter, family (人脸识别办法 Art 10).

One answer for every refusal, failure and lapse on the way to a verified person, made of the region's rulebook and of where this
account stands. Turning a face down is a choice and is told as one; elders are told in plainer words.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import func, select

from config.clock import day_start
from config.rulebook import Capability, HotlineTopic, NoRuleInForce
from models.identity import BankCardCheck, BankCardCheckState, FaceCheckState, IdentityVerification, VerificationState
from services.errors import AlreadyVerified, BusinessError, IdempotencyKeyReused, NotFound, RequestInFlight, SignInAgain

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date, datetime

    from sqlalchemy.orm import Session

    from config.rulebook import Region
    from models.accounts import Account
    from services.ports import Ports

BANK_CARD_CHECKS_A_DAY: Final = 5
BANK_CARD_PRESSES_A_DAY: Final = 20
"""With those that no bank answered, or that named a card no bank knows: each costs money at the authority."""


NOTHING_LOST: Final = (AlreadyVerified, RequestInFlight, IdempotencyKeyReused, NotFound, SignInAgain)
ADVICE: Final = {
    FaceCheckState.DECLINED: (
        "您选择了不刷脸，可以用下面的任何一种方式办理，结果相同。",
        "不刷脸也没关系，下面几种办法都能办，结果一样。",
    ),
    FaceCheckState.FAILED: (
        "这次没有核验成功，可以再试一次，也可以用下面的方式办理。",
        "这次没有认出来，不要紧。可以请家人帮忙再试一次，也可以用下面的办法。",
    ),
    FaceCheckState.EXPIRED: (
        "这次核验没有完成，已自动结束。可以重新开始，也可以用下面的方式办理。",
        "这次时间到了，不要紧。可以慢慢再来一次，也可以用下面的办法。",
    ),
}
"""How a face check ended → what that means, and the same for elders. To turn it down is a choice, and never called a failure."""


class WayKind(StrEnum):
    BANK_CARD = "BANK_CARD"
    COUNTER = "COUNTER"
    FAMILY = "FAMILY"
    """Somebody of the family pays, as R-CZ-48 and R-CZ-55 have it; nothing is proven then."""


@dataclass(frozen=True, kw_only=True)
class Way:
    """One way on, in words for the person."""

    way: str
    title: str
    detail: str
    """How it goes; where it is not available, why, and when it will be."""
    hotline: str
    available: bool


def advice_after(state: str, *, elder: bool) -> str | None:
    """What to say above the ways, once a face check ended like this; None where it goes on or passed."""
    said = {str(end): words for end, words in ADVICE.items()}.get(state)
    return None if said is None else said[elder]


def ways_on(ports: Ports, session: Session, *, account: Account) -> list[Way]:
    """Every way that leads on without a face, the quickest first; none for whoever is verified.

    Those that are shut today are told too, with the reason: a person should not have to search for them.
    """
    now, today = ports.now(), ports.today()
    state = session.scalar(select(IdentityVerification.state).where(IdentityVerification.account_id == account.id))
    if state == VerificationState.VERIFIED:
        return []
    regions = ports.regions_of(account.miniprogram)
    elder = account.elder_mode
    return [
        _bank_card(
            regions[0],
            has_name=state not in (None, VerificationState.NONE),
            may_try=may_try_bank_card(session, account=account, now=now),
            elder=elder,
        ),
        _counter(regions, elder=elder),
        _family(regions, today=today, elder=elder),
    ]


@contextmanager
def ways_with_refusals(ports: Ports, *, account: Account) -> Iterator[None]:
    """Whatever refuses on the way to a verified person, the ways on go with it (人脸识别办法 Art 10).

    Not where nothing is lost: who is verified already, or asked twice; nor where we do not know who asks.
    """
    try:
        yield
    except BusinessError as refusal:
        if not isinstance(refusal, NOTHING_LOST):
            refusal.facts["ways"] = tell_ways(ports, account=account)
        raise


def tell_ways(ports: Ports, *, account: Account) -> list[dict[str, Any]]:
    """The ways on, as a fact of a refusal."""
    with ports.begin() as session:
        return [asdict(way) for way in ways_on(ports, session, account=account)]


def may_try_bank_card(session: Session, *, account: Account, now: datetime) -> bool:
    """Whether a bank may be asked for this account on this Beijing day. Where nobody answered, it is a press and no try."""
    presses, silent = session.execute(
        select(func.count(), func.count().filter(BankCardCheck.state == BankCardCheckState.UNAVAILABLE)).where(
            BankCardCheck.account_id == account.id, BankCardCheck.created_at >= day_start(now)
        )
    ).one()
    return presses - silent < BANK_CARD_CHECKS_A_DAY and presses < BANK_CARD_PRESSES_A_DAY


def _bank_card(region: Region, *, has_name: bool, may_try: bool, elder: bool) -> Way:
    available = has_name and may_try
    if not has_name:
        detail = "请先填写姓名和身份证号码完成实名认证，再用银行卡核验。"
    elif not available:
        detail = "今日银行卡核验次数已用完，请明天再试。"
    elif elder:
        detail = "用您自己的银行卡也能办：照着卡面填卡号，再填办卡时留的手机号。不会扣钱，也不会保存卡号。"
    else:
        detail = "填写本人名下的银行卡号和银行预留手机号码即可，不扣款，不保存卡号。"
    return _way(WayKind.BANK_CARD, region, title="用本人银行卡核验", detail=detail, available=available)


def _counter(regions: list[Region], *, elder: bool) -> Way:
    counters = [region.counter_for(code) for region in regions for code in region.agencies]
    hours = dict.fromkeys(counter.hours for counter in counters)
    if len(hours) == 1:
        places = f"{'、'.join(counter.name for counter in counters)}。办公时间：{next(iter(hours))}"
    else:
        places = "；".join(f"{counter.name}（{counter.hours}）" for counter in counters)
    if elder:
        how = "请带上身份证和手机到窗口，工作人员会帮您办好，不用着急。可以请家人陪您一起去。"
    else:
        how = "请本人携带证件原件到窗口，在手机上取核验码交给工作人员，由两位工作人员当面核验。"
    return _way(WayKind.COUNTER, regions[0], title="到窗口核验", detail=f"{how}窗口：{places}。", available=True)


def _family(regions: list[Region], *, today: date, elder: bool) -> Way:
    title = "请家人代为缴费"
    explanation = ""
    for region in regions:
        try:
            rule = region.capability(Capability.PAY_FOR_OTHERS, today)
        except NoRuleInForce:
            continue
        if rule.available:
            if elder:
                detail = "也可以请家人用家人的手机帮您缴，记在您的名下。告诉家人您的姓名和身份证号码就行。"
            else:
                detail = "家人可用自己的手机为您缴费，缴费记录记在您的名下，您无需完成身份核验。"
            return _way(WayKind.FAMILY, region, title=title, detail=detail, available=True)
        explanation = explanation or rule.explanation or ""
    detail = explanation or "本地区暂不能由他人代为缴费，以当地公布为准。"
    return _way(WayKind.FAMILY, regions[0], title=title, detail=detail, available=False)


def _way(kind: WayKind, region: Region, *, title: str, detail: str, available: bool) -> Way:
    topic = HotlineTopic.PAYMENT if kind is WayKind.FAMILY else HotlineTopic.ENROLLMENT
    return Way(way=str(kind), title=title, detail=detail, hotline=region.hotline(topic).number, available=available)
