"""Counter codes: what a phone shows at a counter, so that two of the staff can say who stands there. The staff's side: counter_checks.

The way for whoever has no face or card to show, and the only one that needs no matched name before.
"""

from __future__ import annotations

import secrets
import uuid
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING, Final

from sqlalchemy import func, select

from config.clock import BEIJING, beijing_date, day_start
from models.base import new_id
from models.identity import CounterCheck, CounterCheckState, CounterRefusal, IdentityVerification, VerificationState
from services.consents import require_consent
from services.errors import AlreadyVerified, NotFound, TooManyCounterCodes
from services.idempotency import Asked, fingerprint, keep_result, known_result, made_once
from services.verification import verification_of
from services.ways import ways_on, ways_with_refusals

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from models.accounts import Account
    from services.ports import Ports
    from services.ways import Way

ROUTE: Final = "POST /identity/counter-checks"
CODE_LETTERS: Final = "34679ACDEFGHJKMNPQRTVWXY"
"""Nothing that a tired eye or a loud hall takes for something else: no 0 O, 1 I L, 2 Z, 5 S, 8 B, U. Eight make 10¹¹ codes."""
CODE_LENGTH: Final = 8
CODES_A_DAY: Final = 5
COUNTERS_CLOSE: Final = time(18)
SHORTEST_LIFE: Final = timedelta(hours=4)
"""A code made in the morning lasts until the counters close; one made later lasts four hours, for the queue."""
TOLD_FOR: Final = timedelta(days=1)
"""How long the phone may ask how its last check ended."""
REFUSED_BECAUSE: Final = {
    CounterRefusal.NOT_THE_HOLDER: "未能确认您是证件持有人本人，请本人携带证件到窗口办理。",
    CounterRefusal.DOCUMENT_DOUBTFUL: "证件已过期、损坏或无法确认，请换领证件后再到窗口办理。",
    CounterRefusal.TYPED_WRONGLY: "窗口录入有误，请重新取核验码，请工作人员再录入一次。",
    CounterRefusal.RECORD_DIFFERS: "证件信息与已有记录不一致，请在窗口办理信息更正后再核验。",
}


@dataclass(frozen=True, kw_only=True)
class CounterCheckView:
    """As its own account sees it."""

    id: uuid.UUID
    state: str
    code: str | None
    """For the clerk's eyes; None when the check is over."""
    expires_at: datetime
    refusal: str | None
    verification_state: str
    ways: list[Way]
    replayed: bool = False


def expires_at(now: datetime) -> datetime:
    """When a code made now lapses."""
    closing = datetime.combine(beijing_date(now), COUNTERS_CLOSE, tzinfo=BEIJING)
    return max(closing.astimezone(UTC), now + SHORTEST_LIFE)


def open_counter_check(ports: Ports, *, account: Account, idempotency_key: str) -> CounterCheckView:
    """A code for the clerk; while one is open, the same one. No name is needed before.

    Raises ConsentRequired, AlreadyVerified, TooManyCounterCodes.
    """
    asked = Asked(account_id=account.id, route=ROUTE, key=idempotency_key, request_hash=fingerprint())
    with ways_with_refusals(ports, account=account):
        # Two presses at the very same moment, or, once in 10¹¹, somebody else's code.
        return made_once(lambda: _open_check(ports, account=account, asked=asked), or_met="uq_counter_checks_code_index_open")


def _open_check(ports: Ports, *, account: Account, asked: Asked) -> CounterCheckView:
    now = ports.now()
    with ports.begin() as session:
        # Locked: one account opens one check, however many buttons are pressed.
        verification = verification_of(session, account=account, now=now)
        known = known_result(session, asked)
        if known is not None:
            check = session.get_one(CounterCheck, uuid.UUID(known))
            return replace(_view(ports, session, check, verification, account=account), replayed=True)
        require_consent(session, account_id=account.id, purpose="REAL_NAME")
        if verification.state == VerificationState.VERIFIED:
            raise AlreadyVerified
        found = _open_one(session, account=account, now=now)
        if found is None:
            today = session.scalar(
                select(func.count()).where(CounterCheck.account_id == account.id, CounterCheck.created_at >= day_start(now))
            )
            if (today or 0) >= CODES_A_DAY:
                raise TooManyCounterCodes
            found = _make(ports, session, account=account, now=now)
        keep_result(session, asked, result_id=str(found.id), now=now)
        return _view(ports, session, found, verification, account=account)


def _make(ports: Ports, session: Session, *, account: Account, now: datetime) -> CounterCheck:
    row_id, code = new_id(), "".join(secrets.choice(CODE_LETTERS) for _ in range(CODE_LENGTH))
    check = CounterCheck(
        id=row_id,
        account_id=account.id,
        code_index=index_of(ports, code),
        code_sealed=ports.seals.seal(code, place=CounterCheck.place_of("code_sealed", row_id)),
        created_at=now,
        expires_at=expires_at(now),
    )
    session.add(check)
    session.flush()
    return check


def read_counter_check(ports: Ports, *, account: Account) -> CounterCheckView:
    """The account's newest check of the last day, open or how it ended. Raises NotFound."""
    now = ports.now()
    with ports.begin() as session:
        verification = verification_of(session, account=account, now=now)
        check = session.scalar(
            select(CounterCheck)
            .where(CounterCheck.account_id == account.id, CounterCheck.created_at > now - TOLD_FOR)
            .order_by(CounterCheck.id.desc())
            .limit(1)
            .with_for_update()
        )
        if check is None:
            raise NotFound
        _lapse(check, now=now)
        return _view(ports, session, check, verification, account=account)


def withdraw_counter_check(ports: Ports, *, account: Account) -> None:
    """Take the open code back, and erase what a clerk may have typed. Raises NotFound."""
    now = ports.now()
    with ports.begin() as session:
        verification_of(session, account=account, now=now)
        check = _open_one(session, account=account, now=now)
        if check is None:
            raise NotFound
        check.withdraw(who=f"account:{account.id}", at=now)


def _open_one(session: Session, *, account: Account, now: datetime) -> CounterCheck | None:
    """The account's open check, locked; one whose time is over ends here."""
    check = session.scalar(
        select(CounterCheck)
        .where(
            CounterCheck.account_id == account.id,
            CounterCheck.state.in_((CounterCheckState.OPEN, CounterCheckState.ATTESTED)),
        )
        .with_for_update()
    )
    if check is not None and _lapse(check, now=now):
        session.flush()
        return None
    return check


def _lapse(check: CounterCheck, *, now: datetime) -> bool:
    if check.is_open and check.expires_at <= now:
        check.expire(who="counter_codes.expire", at=now)
        return True
    return False


def _view(
    ports: Ports, session: Session, check: CounterCheck, verification: IdentityVerification, *, account: Account
) -> CounterCheckView:
    code = None
    if check.is_open and check.expires_at > ports.now():
        code = ports.seals.open(check.code_sealed, place=CounterCheck.place_of("code_sealed", check.id))
    return CounterCheckView(
        id=check.id,
        state=check.state,
        code=code,
        expires_at=check.expires_at,
        refusal=REFUSED_BECAUSE[CounterRefusal(check.refused_why)] if check.refused_why else None,
        verification_state=verification.state,
        ways=ways_on(ports, session, account=account),
    )


def expire_counter_checks(ports: Ports, *, limit: int = 200) -> int:
    """The sweep: codes that nobody used lapse, and what was typed goes with them; answers how many."""
    now = ports.now()
    with ports.begin() as session:
        checks = session.scalars(
            select(CounterCheck)
            .where(
                CounterCheck.expires_at <= now,
                CounterCheck.state.in_((CounterCheckState.OPEN, CounterCheckState.ATTESTED)),
            )
            .limit(limit)
            .with_for_update(skip_locked=True)
        ).all()
        return sum(_lapse(check, now=now) for check in checks)


def index_of(ports: Ports, code: str) -> bytes:
    """How an open check is found by its code."""
    return ports.seals.index("counter_code", code)
