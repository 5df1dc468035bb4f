"""Bank card checks: a person proven by the bank that knows them (四要素), for whoever cannot or will not show a face.

The bank's word stands for the name that was matched when it was asked; card and phone pass through and are not kept.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from sqlalchemy import select

from config.logs import logger
from models.base import new_id
from models.identity import BankCardCheck, BankCardCheckState, BankCardPurpose, IdentityVerification, VerificationState
from providers.protocols import CardVerdict, ProviderError, RealName
from services.consents import is_taken_back, require_consent
from services.errors import AlreadyVerified, NotFound, RealNameRequired, RequestInFlight, TooManyBankCardChecks
from services.idempotency import Asked, fingerprint, keep_result, known_result, made_once
from services.people import mask_card_number, parse_card_number
from services.probing import NUMBER_TRIED_TOO_OFTEN, forget_miss, note_miss
from services.verification import become, given_of, leave_face, verification_of
from services.ways import may_try_bank_card, ways_on, ways_with_refusals

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from models.accounts import Account
    from services.ports import Ports
    from services.ways import Way

log = logger(__name__)

ROUTE: Final = "POST /identity/bank-card-checks"
ASKING_TAKES_AT_MOST: Final = timedelta(seconds=15)
"""Connect and read time-outs of a call, and some: a check older than this, and without an answer, died with its process."""

OUTCOMES: Final = {
    CardVerdict.MATCH: BankCardCheckState.MATCHED,
    CardVerdict.MISMATCH: BankCardCheckState.MISMATCHED,
    CardVerdict.UNSUPPORTED: BankCardCheckState.UNSUPPORTED,
    CardVerdict.UNAVAILABLE: BankCardCheckState.UNAVAILABLE,
}
SAID: Final = {
    BankCardCheckState.CREATED: ("正在核验", "银行正在核对，请稍候。"),
    BankCardCheckState.MATCHED: ("已通过银行卡核验", "您已完成身份核验，可以办理业务。"),
    BankCardCheckState.MISMATCHED: (
        "银行卡信息未核对一致",
        "请核对卡号和银行预留手机号码，并使用本人名下的银行卡；也可以用下面的其他方式。",
    ),
    BankCardCheckState.UNSUPPORTED: (
        "这张银行卡不支持核验",
        "发卡银行不支持用这张卡核验，与您本人无关。请换一张本人名下的借记卡，或用下面的其他方式。",
    ),
    BankCardCheckState.UNAVAILABLE: (
        "银行暂时没有答复",
        "这一次不计次数，请稍后再试，或用下面的其他方式。您的信息和资金不受影响。",
    ),
}
"""State → (title, detail). One text for every mismatch: which of the four did not fit is nobody's to learn here."""


@dataclass(frozen=True, kw_only=True)
class BankCardCheckView:
    id: uuid.UUID
    state: str
    card_masked: str
    title: str
    detail: str
    verification_state: str
    ways: list[Way]
    replayed: bool = False


def check_bank_card(ports: Ports, *, account: Account, card_number: str, phone: str, idempotency_key: str) -> BankCardCheckView:
    """Ask the bank whether this card, with the phone that it knows, is the person's whose name was matched.

    A match verifies the account. The same key again tells the same check and asks nobody.
    Raises CardNumberMalformed, ConsentRequired, RealNameRequired, AlreadyVerified, TooManyBankCardChecks, TooManyLookups,
    RequestInFlight, IdempotencyKeyReused. A bank that does not answer is no refusal: the check says UNAVAILABLE, and the try is not counted.
    """
    with ways_with_refusals(ports, account=account):
        return _check(ports, account=account, card=parse_card_number(card_number), phone=phone, idempotency_key=idempotency_key)


def _check(ports: Ports, *, account: Account, card: str, phone: str, idempotency_key: str) -> BankCardCheckView:
    # A card's number has few secrets left once its bank is known: a plain hash of it could be undone, an index cannot.
    words = ports.seals.index("bank_card_check", card, phone).hex()
    asked = Asked(account_id=account.id, route=ROUTE, key=idempotency_key, request_hash=fingerprint(words))
    check_id, miss = made_once(lambda: _begin_check(ports, account=account, card=card, asked=asked))
    if miss is None:
        return _replay(ports, account=account, check_id=check_id)
    return _ask_bank(ports, account=account, check_id=check_id, card=card, phone=phone, miss=miss)


def _begin_check(ports: Ports, *, account: Account, card: str, asked: Asked) -> tuple[uuid.UUID, int | None]:
    """The check's id, and the miss that it is until the bank says otherwise; no miss where it was there already.

    Written, and so counted, before the bank is asked: for the account, and for the ID number whoever asks. A crowd of accounts that
    knows somebody's name and number guesses their card no faster than one account could.
    """
    now = ports.now()
    with ports.begin() as session:
        known = known_result(session, asked)
        if known is not None:
            return uuid.UUID(known), None
        check_id = new_id()
        keep_result(session, asked, result_id=str(check_id), now=now)
        require_consent(session, account_id=account.id, purpose="BANK_CARD")
        # Locked: two tries at once would both see the count before either.
        verification = verification_of(session, account=account, now=now)
        if verification.state == VerificationState.VERIFIED:
            raise AlreadyVerified
        if not verification.has_matched_name:
            raise RealNameRequired
        refuse_more_tries(session, account=account, now=now)
        place = IdentityVerification.place_of("id_number_sealed", verification.id)
        index = ports.seals.index_of_sealed(verification.id_number_sealed or b"", place=place, words=("id_number",), pick=str)
        purpose = BankCardPurpose.IDENTITY
        miss = begin_try(session, check_id=check_id, account_id=account.id, id_index=index, card=card, purpose=purpose, now=now)
        leave_face(session, account=account, verification=verification, now=now)
    return check_id, miss


def refuse_more_tries(session: Session, *, account: Account, now: datetime, detail: str | None = None) -> None:
    """Raises TooManyBankCardChecks where this account tried as many cards today as anybody may, for whatever they were tried."""
    if not may_try_bank_card(session, account=account, now=now):
        raise TooManyBankCardChecks(detail=detail)


def begin_try(
    session: Session,
    *,
    check_id: uuid.UUID,
    account_id: uuid.UUID,
    id_index: bytes,
    card: str,
    purpose: BankCardPurpose,
    now: datetime,
) -> int:
    """A try at a card, counted before the bank is asked: for the account, and for the ID number whoever asks. Answers the miss that
    it is until the bank says otherwise. Raises TooManyLookups.
    """
    miss = note_miss(session, account_id=account_id, id_index=id_index, now=now, detail=NUMBER_TRIED_TOO_OFTEN)
    masked = mask_card_number(card)
    session.add(BankCardCheck(id=check_id, account_id=account_id, purpose=purpose, card_masked=masked, created_at=now))
    return miss


def end_try(
    session: Session, *, check_id: uuid.UUID, miss: int, outcome: BankCardCheckState, code: str, who: str, now: datetime
) -> None:
    """What the bank said of a try, where nobody ended it meanwhile. Only a mismatch stays counted as a guess."""
    check = session.get(BankCardCheck, check_id, with_for_update=True)
    if check is not None and check.state == BankCardCheckState.CREATED:
        check.finish(outcome, provider_code=code, who=who, at=now)
    if outcome is not BankCardCheckState.MISMATCHED:
        forget_miss(session, miss)


def ask_bank(ports: Ports, person: RealName, *, card_number: str, phone: str) -> tuple[BankCardCheckState, str]:
    """What the bank says of name, ID number, card and phone, and in which code. One that does not answer says UNAVAILABLE."""
    try:
        answer = ports.cards.check(person, card_number=card_number, phone=phone)
    except ProviderError as fault:
        log.warning("bank_card_check.not_answered", fault=type(fault).__name__)
        return BankCardCheckState.UNAVAILABLE, type(fault).__name__
    return OUTCOMES[answer.verdict], answer.provider_code


def _replay(ports: Ports, *, account: Account, check_id: uuid.UUID) -> BankCardCheckView:
    """The check that this key made before; one whose process died is over, since the bank's answer went with it."""
    now = ports.now()
    with ports.begin() as session:
        verification = verification_of(session, account=account, now=now)
        check = _own_check(session, account=account, check_id=check_id)
        if check.state == BankCardCheckState.CREATED:
            if now - check.created_at < ASKING_TAKES_AT_MOST:
                raise RequestInFlight(retry_after_seconds=3)
            _give_up(check, who=f"account:{account.id}", now=now)
        return replace(_view(ports, session, check, verification, account=account), replayed=True)


def _ask_bank(ports: Ports, *, account: Account, check_id: uuid.UUID, card: str, phone: str, miss: int) -> BankCardCheckView:
    now, who = ports.now(), f"account:{account.id}"
    with ports.begin() as session:
        verification = verification_of(session, account=account, now=now)
        person = given_of(ports, session, verification, purpose="bank_card_check", who=who, now=now)
        # Sealing again makes other bytes, so these say which name the bank was asked about. (A key that changes just now does too:
        # then the press is lost, uncounted, and nothing worse.)
        seal = verification.id_number_sealed
    outcome, code = ask_bank(ports, person, card_number=card, phone=phone)
    with ports.begin() as session:
        verification = verification_of(session, account=account, now=ports.now())
        check = _own_check(session, account=account, check_id=check_id)
        if check.state == BankCardCheckState.CREATED:
            if verification.id_number_sealed != seal:
                # Meanwhile another name was typed: the bank's word was about the one before, and is told to nobody.
                outcome, code = BankCardCheckState.UNAVAILABLE, "ABANDONED"
            elif is_taken_back(session, account_id=account.id, purpose="BANK_CARD"):
                outcome, code = BankCardCheckState.UNAVAILABLE, "CONSENT_TAKEN_BACK"
            outcome = _take(ports, session, outcome, account=account, verification=verification, person=person)
            check.finish(outcome, provider_code=code, who=who, at=ports.now())
        if outcome is not BankCardCheckState.MISMATCHED:
            forget_miss(session, miss)
        return _view(ports, session, check, verification, account=account)


def _take(
    ports: Ports,
    session: Session,
    outcome: BankCardCheckState,
    *,
    account: Account,
    verification: IdentityVerification,
    person: RealName,
) -> BankCardCheckState:
    """A match makes the account that person; but not where the record has another name, which is one more mismatch."""
    if outcome is not BankCardCheckState.MATCHED or verification.state == VerificationState.VERIFIED:
        return outcome
    now = ports.now()
    leave_face(session, account=account, verification=verification, now=now)  # one that was begun while the bank was asked
    who = f"account:{account.id}"
    done = become(
        ports, session, account=account, verification=verification, given=person, method="bank_card", who=who, now=now
    )
    return BankCardCheckState.MATCHED if done else BankCardCheckState.MISMATCHED


def _own_check(session: Session, *, account: Account, check_id: uuid.UUID) -> BankCardCheck:
    check = session.scalar(
        select(BankCardCheck).where(BankCardCheck.id == check_id, BankCardCheck.account_id == account.id).with_for_update()
    )
    if check is None:
        raise NotFound
    return check


def _give_up(check: BankCardCheck, *, who: str, now: datetime) -> None:
    check.finish(BankCardCheckState.UNAVAILABLE, provider_code="SILENT", who=who, at=now)


def _view(
    ports: Ports, session: Session, check: BankCardCheck, verification: IdentityVerification, *, account: Account
) -> BankCardCheckView:
    title, detail = SAID[BankCardCheckState(check.state)]
    return BankCardCheckView(
        id=check.id,
        state=check.state,
        card_masked=check.card_masked,
        title=title,
        detail=detail,
        verification_state=verification.state,
        ways=ways_on(ports, session, account=account),
    )


def end_silent_checks(ports: Ports, *, limit: int = 200) -> int:
    """The sweep: checks whose process died while the bank was asked come to rest, uncounted; answers how many."""
    now = ports.now()
    with ports.begin() as session:
        checks = session.scalars(
            select(BankCardCheck)
            .where(
                BankCardCheck.state == BankCardCheckState.CREATED,
                BankCardCheck.created_at <= now - ASKING_TAKES_AT_MOST,
            )
            .limit(limit)
            .with_for_update(skip_locked=True)
        ).all()
        for check in checks:
            _give_up(check, who="bank_card_checks.end_silent_checks", now=now)
    return len(checks)
