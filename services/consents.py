"""Consents: each purpose for itself, each text by its hash, and never before it was read (PIPL Art 14–17, 29).

What taking one back stops stands in `consent_withdrawals`.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import timedelta
from math import ceil
from typing import TYPE_CHECKING, Final

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from config.rulebook import Notice
from models.base import new_id
from models.consents import Consent, NoticeReading
from services.errors import ConsentRequired, ConsentTextChanged, NotFound, ReadTheNoticeFirst

if TYPE_CHECKING:
    import uuid
    from datetime import datetime

    from sqlalchemy.orm import Session

    from models.accounts import Account
    from services.ports import Ports

MOST_CONSENTS: Final = 100
"""How many are told, the newest first; what is in force is always among them."""

NAME_NOT_TAKEN_BACK: Final = """(
    NOT EXISTS (SELECT 1 FROM consents c WHERE c.account_id = a.id AND c.purpose = 'REAL_NAME' AND c.withdrawn_at IS NOT NULL)
    OR EXISTS (SELECT 1 FROM consents c WHERE c.account_id = a.id AND c.purpose = 'REAL_NAME' AND c.withdrawn_at IS NULL))"""
"""For statements about many accounts `a`: whoever took the consent back, and gave no new one, is not told what their name owes."""


@dataclass(frozen=True, kw_only=True)
class NoticeText:
    """A text to read before agreeing (not to be taken for an inbox notice)."""

    purpose: str
    title: str
    version: str
    text: str
    text_hash: str
    """SHA-256 of the text, hex: what the phone sends back."""
    given: bool
    issuer: str
    sample: bool
    """示例文本: the official text is not ours to write."""
    regions: list[str]
    """Where it is in force, among the regions of this mini-program."""
    reading_seconds: int | None
    opened_at: datetime | None
    """When this account opened it first; told only where it asks to be read."""


@dataclass(frozen=True, kw_only=True)
class Reading:
    """A text that asks to be read, opened by this account."""

    purpose: str
    version: str
    text_hash: str
    opened_at: datetime
    reading_seconds: int
    may_agree_at: datetime


@dataclass(frozen=True, kw_only=True)
class ConsentView:
    """One consent, as whoever gave it may see it."""

    id: uuid.UUID
    purpose: str
    title: str
    version: str
    given_at: datetime
    withdrawn_at: datetime | None
    replaced: bool
    """It ended because a newer text was agreed to, not because it was taken back."""
    text_changed: bool
    """Another text is in force by now: ask again."""
    text: str | None
    """The text that was agreed to, where the rulebook still has it."""
    withdrawing_stops: str | None
    goes_on: str | None


def notice_texts(ports: Ports, *, account: Account) -> list[NoticeText]:
    """The texts that are in force today in the regions of this mini-program, and which of them this account agreed to."""
    texts = _texts_in_force(ports, account)
    with ports.begin() as session:
        given = {
            (consent.purpose, consent.text_hash)
            for consent in session.scalars(
                select(Consent).where(Consent.account_id == account.id, Consent.withdrawn_at.is_(None))
            )
        }
        opened = {
            reading.text_hash: reading.opened_at
            for reading in session.scalars(select(NoticeReading).where(NoticeReading.account_id == account.id))
        }
    return [
        NoticeText(
            purpose=str(notice.purpose),
            title=notice.title,
            version=notice.version,
            text=notice.text,
            text_hash=text_hash,
            given=(str(notice.purpose), text_hash) in given,
            issuer=notice.issuer,
            sample=notice.status == "TO_CONFIRM",
            regions=regions,
            reading_seconds=notice.reading_seconds,
            opened_at=opened.get(text_hash),
        )
        for (_, text_hash), (notice, regions) in texts.items()
    ]


def open_notice(ports: Ports, *, account: Account, purpose: str, version: str, text_hash: str) -> Reading:
    """Note that this account opened the text; the first time counts. Raises NotFound, ConsentTextChanged."""
    notice = _text_named(ports, account, purpose=purpose, version=version, text_hash=text_hash)
    with ports.begin() as session:
        session.execute(
            insert(NoticeReading)
            .values(account_id=account.id, text_hash=text_hash, purpose=purpose, version=version, opened_at=ports.now())
            .on_conflict_do_nothing()
        )
        opened_at = session.get_one(NoticeReading, (account.id, text_hash)).opened_at
    seconds = notice.reading_seconds or 0
    return Reading(
        purpose=purpose,
        version=version,
        text_hash=text_hash,
        opened_at=opened_at,
        reading_seconds=seconds,
        may_agree_at=opened_at + timedelta(seconds=seconds),
    )


def give_consent(ports: Ports, *, account: Account, purpose: str, version: str, text_hash: str) -> Consent:
    """Record that this very text was agreed to.

    Raises NotFound (no such purpose), ConsentTextChanged (an older text), ReadTheNoticeFirst (opened too short a time ago, or never).
    """
    notice = _text_named(ports, account, purpose=purpose, version=version, text_hash=text_hash)
    in_force = _texts_in_force(ports, account).keys()
    now = ports.now()
    with ports.begin() as session:
        live = session.scalars(
            select(Consent)
            .where(Consent.account_id == account.id, Consent.purpose == purpose, Consent.withdrawn_at.is_(None))
            .with_for_update()
        ).all()
        for known in live:
            if known.text_hash == text_hash:
                session.expunge(known)
                return known
        _refuse_unread(session, account_id=account.id, notice=notice, text_hash=text_hash, now=now)
        for older in live:
            # An older consent to an older text is closed, not overwritten. Another region's text of today stands beside this one.
            if (purpose, older.text_hash) not in in_force:
                older.withdrawn_at = now
        session.flush()
        session.execute(
            insert(Consent)
            .values(id=new_id(), account_id=account.id, purpose=purpose, version=version, text_hash=text_hash, given_at=now)
            .on_conflict_do_nothing()  # pressed twice at once: the first press is the consent
        )
        consent = session.scalars(
            select(Consent).where(
                Consent.account_id == account.id,
                Consent.purpose == purpose,
                Consent.text_hash == text_hash,
                Consent.withdrawn_at.is_(None),
            )
        ).one()
        session.expunge(consent)
    return consent


def list_consents(ports: Ports, *, account: Account) -> list[ConsentView]:
    """What this account agreed to: what is in force first, then what has ended, each the newest first."""
    in_force = _texts_in_force(ports, account)
    known = _texts_ever(ports, account)
    with ports.begin() as session:
        rows = session.scalars(
            select(Consent)
            .where(Consent.account_id == account.id)
            .order_by(Consent.withdrawn_at.is_not(None), Consent.given_at.desc(), Consent.id.desc())
            .limit(MOST_CONSENTS)
        ).all()
        session.expunge_all()
    began = {(row.purpose, row.given_at) for row in rows}
    return [
        ConsentView(
            id=row.id,
            purpose=row.purpose,
            title=text.title if (text := known.get((row.purpose, row.text_hash))) else row.purpose,
            version=row.version,
            given_at=row.given_at,
            withdrawn_at=row.withdrawn_at,
            replaced=(row.purpose, row.withdrawn_at) in began,
            text_changed=row.withdrawn_at is None and (row.purpose, row.text_hash) not in in_force,
            text=text.text if text else None,
            withdrawing_stops=STOPS[row.purpose] if row.withdrawn_at is None else None,
            goes_on=GOES_ON[row.purpose] if row.withdrawn_at is None else None,
        )
        for row in rows
    ]


def require_consent(session: Session, *, account_id: uuid.UUID, purpose: str, hold: bool = False) -> None:
    """No processing before its consent. Raises ConsentRequired naming the purpose.

    `hold`: taking it back waits until this transaction has ended, and then sees what it did.
    """
    asked = select(Consent.id).where(
        Consent.account_id == account_id, Consent.purpose == purpose, Consent.withdrawn_at.is_(None)
    )
    if session.scalars(asked.with_for_update(read=True) if hold else asked).first() is None:
        raise ConsentRequired(purpose=purpose)


def require_text(session: Session, *, account_id: uuid.UUID, notice: Notice) -> None:
    """This very text of today was read and agreed to; taking it back waits. Raises ConsentRequired naming the text to read."""
    agreed = select(Consent.id).where(
        Consent.account_id == account_id,
        Consent.purpose == str(notice.purpose),
        Consent.text_hash == _hash(notice.text),
        Consent.withdrawn_at.is_(None),
    )
    if session.scalars(agreed.with_for_update(read=True)).first() is None:
        raise ConsentRequired(
            detail=f"请先打开《{notice.title}》仔细阅读，点“同意”以后再继续。",
            purpose=str(notice.purpose),
            version=notice.version,
        )


def is_taken_back(session: Session, *, account_id: uuid.UUID, purpose: str, hold: bool = False) -> bool:
    """Whether it was given once and is not given now.

    Who never gave it to us may have given it elsewhere: on the authorisation page of a platform that vouches (R-CZ-52).
    """
    asked = select(Consent.withdrawn_at).where(Consent.account_id == account_id, Consent.purpose == purpose)
    ended = session.scalars(asked.with_for_update(read=True) if hold else asked).all()
    return bool(ended) and None not in ended


def refuse_taken_back(session: Session, *, account_id: uuid.UUID, purpose: str, hold: bool = False) -> None:
    """What a consent covered has stopped with it. Raises ConsentRequired naming the purpose. `hold` as in `require_consent`."""
    if is_taken_back(session, account_id=account_id, purpose=purpose, hold=hold):
        raise ConsentRequired(purpose=purpose)


STOPS: Final = {
    "REAL_NAME": "停止使用您的姓名和身份证号码：不能再核验身份，不能查询应缴记录，不能下新的缴费订单。尚未通过核验的，填写的内容随即删除。",
    "FACE": "停止人脸核验：正在进行的核验立即作废，也不再向平台查询结果。可改用其他方式核验身份。",
    "BANK_CARD": "停止银行卡信息核验。可改用其他方式核验身份。",
    "PROXY_PAYMENT": "停止为他人缴费：名单里的他人一并移除，不能再查询他们的应缴记录，不能再为他们下单。给自己缴费不受影响。",
    "PHONE": "停止使用您的手机号码：号码随即删除，不再发送短信和消息提醒。提醒内容仍可在小程序里查看。",
    "DOCUMENTS": "停止接收新的证件和材料照片，不能再用照片在手机上提交参保申请。",
    "BANK_ACCOUNT": "停止使用您的银行账户：不能再签订新的委托扣款缴费协议。",
    "WITHHOLDING": "停止签约：不能再签订新的委托扣款缴费协议，银行还在核对的协议不再生效。",
    "ENROLLMENT": "停止网上参保申报：不能再提交新的申请。",
    "AGENCY_CLIENT": "停止网上打印登记表。",
}
"""Purpose → what ends with the consent, in the words for the person."""
GOES_ON: Final = {
    "REAL_NAME": "已经付款的月份照常入账；缴费和参保记录按法律规定的年限保存。已下的订单会办完，或者到期自动关闭。",
    "FACE": "已经通过的核验仍然有效；我们没有保存照片和人脸特征。",
    "BANK_CARD": "已经通过的核验仍然有效；我们没有保存卡号。",
    "PROXY_PAYMENT": "已经付款的月份照常入账。已下的订单会办完，或者到期自动关闭，您也可以取消。",
    "PHONE": "用手机号码登录的，登录号码保留到注销账户为止，仍会发送您自己要求的登录验证码。",
    "DOCUMENTS": "已经提交审核的申请照常办完，材料按参保档案的规定年限保存。",
    "BANK_ACCOUNT": "已签的协议请另行解约，解约以前的扣款照常入账。",
    "WITHHOLDING": "已签的协议请另行解约，解约以前的扣款照常入账。",
    "ENROLLMENT": "已经提交的申请照常办完，参保记录按法律规定的年限保存。",
    "AGENCY_CLIENT": "参保关系和已经付款的月份不受影响。",
}
"""Purpose → what goes on all the same: what the law asks for, and money that is under way."""


def _refuse_unread(session: Session, *, account_id: uuid.UUID, notice: Notice, text_hash: str, now: datetime) -> None:
    if notice.reading_seconds is None:
        return
    reading = session.get(NoticeReading, (account_id, text_hash))
    read_for = (now - reading.opened_at).total_seconds() if reading is not None else 0
    if read_for >= notice.reading_seconds:
        return
    left = min(ceil(notice.reading_seconds - read_for), notice.reading_seconds)
    raise ReadTheNoticeFirst(
        detail=f"请打开《{notice.title}》仔细阅读，{left}秒后再点“同意”。",
        retry_after_seconds=left,
        purpose=str(notice.purpose),
        seconds_left=left,
    )


def _texts_in_force(ports: Ports, account: Account) -> dict[tuple[str, str], tuple[Notice, list[str]]]:
    """(purpose, hash) → text, and the regions where it is in force. A text that regions share stands once."""
    texts: dict[tuple[str, str], tuple[Notice, list[str]]] = {}
    for region in ports.regions_of(account.miniprogram):
        for notice in region.notices(ports.today()):
            texts.setdefault((str(notice.purpose), _hash(notice.text)), (notice, []))[1].append(region.code)
    return texts


def _texts_ever(ports: Ports, account: Account) -> dict[tuple[str, str], Notice]:
    """(purpose, hash) → text, of every day that the rulebook knows."""
    regions = ports.regions_of(account.miniprogram)
    return {(str(notice.purpose), _hash(notice.text)): notice for region in regions for notice in region.all(Notice)}


def _text_named(ports: Ports, account: Account, *, purpose: str, version: str, text_hash: str) -> Notice:
    """The text in force that the phone means. Raises NotFound, ConsentTextChanged."""
    offered = [notice for notice, _ in _texts_in_force(ports, account).values() if notice.purpose == purpose]
    if not offered:
        raise NotFound
    for notice in offered:
        if (notice.version, _hash(notice.text)) == (version, text_hash):
            return notice
    raise ConsentTextChanged(version=offered[0].version)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
