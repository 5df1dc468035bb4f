"""Face checks: begun here, judged by the platform's server alone. Whatever a phone or a callback says only makes us ask."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from sqlalchemy import and_, func, not_, select, update
from sqlalchemy.exc import IntegrityError

from config.clock import day_start
from config.logs import logger
from models.base import constraint_of, new_id, new_number
from models.identity import FaceCheck, FaceCheckState, IdentityVerification, VerificationState
from providers.protocols import ProviderError
from services.consents import require_consent
from services.errors import (
    AlreadyVerified,
    DeviceRequired,
    NotAvailableOnline,
    NotFound,
    ProviderUnavailable,
    RealNameRequired,
    RequestInFlight,
    TooManyFaceChecks,
)
from services.idempotency import Asked, fingerprint, forget_result, keep_result, known_result, made_once
from services.identity_asking import ask_about_face, next_question, open_started, seal_started, write_verdict
from services.verification import (
    abandon_open_checks,
    open_given,
    verification_of,
)
from services.ways import advice_after, ways_on, ways_with_refusals

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from models.accounts import Account
    from providers.protocols import StartedFaceCheck
    from services.ports import Ports
    from services.ways import Way

log = logger(__name__)

FACE_CHECKS_A_DAY: Final = 5
FACE_PRESSES_A_DAY: Final = 30
"""With those that a platform would not start, for want of an answer or of a sound device."""
FACE_QUESTIONS_A_CHECK: Final = 100
"""That one phone may have us ask: more than anybody's patience, and too few to keep others from the platform."""
FACE_CHECK_LIFE: Final = timedelta(minutes=15)
"""Single use and short (domain §6.2); the platform's own hour ends sooner for us."""


@dataclass(frozen=True, kw_only=True)
class FaceCheckView:
    id: uuid.UUID
    state: str
    launch: dict[str, str] | None
    expires_at: datetime
    verification_state: str
    advice: str | None = None
    """Where the check is over and proved nothing: what that means, in words for the person."""
    ways: list[Way] = field(default_factory=list)
    """Offered at once when a face did not do (人脸识别办法 Art 10)."""
    replayed: bool = False


START_ROUTE: Final = "POST /identity/face-checks"
STARTING_TAKES_AT_MOST: Final = timedelta(seconds=15)
"""Connect and read time-outs of a call, and some: a start older than this died with its process."""


def start_face_check(ports: Ports, *, account: Account, idempotency_key: str, device: str | None = None) -> FaceCheckView:
    """Open a face check at the account's own platform; an older open one ends. The same key again tells the same check.

    `device` is what the app's face SDK says of the phone. It goes to the platform that asks for it, and is kept nowhere. Each reading
    of it differs, so it is no part of what makes two requests the same. With each refusal go the ways on.

    Raises ConsentRequired, RealNameRequired, AlreadyVerified, TooManyFaceChecks, NotAvailableOnline, DeviceRequired,
    ProviderUnavailable, RequestInFlight.
    """
    with ways_with_refusals(ports, account=account):
        return _start_face_check(ports, account=account, idempotency_key=idempotency_key, device=device)


def _start_face_check(ports: Ports, *, account: Account, idempotency_key: str, device: str | None) -> FaceCheckView:
    faces = ports.faces.get(account.miniprogram)
    if faces is None:
        raise NotAvailableOnline(detail="这里暂不能刷脸，请选择其他方式核验身份，或由家人代为缴费。")
    if faces.asks_for_device and not device:
        raise DeviceRequired
    asked = Asked(account_id=account.id, route=START_ROUTE, key=idempotency_key, request_hash=fingerprint())
    check_id, replayed = made_once(lambda: _begin_check(ports, account=account, asked=asked))
    if replayed:
        view = _replay(ports, account=account, check_id=check_id)
        if view is not None:
            return view
    return _start_at_provider(ports, account=account, check_id=check_id, asked=asked, device=device)


def _begin_check(ports: Ports, *, account: Account, asked: Asked) -> tuple[uuid.UUID, bool]:
    """The check's id, and whether it was there already. Written before anybody is called."""
    now = ports.now()
    with ports.begin() as session:
        known = known_result(session, asked)
        if known is not None:
            return uuid.UUID(known), True
        check_id = new_id()
        keep_result(session, asked, result_id=str(check_id), now=now)
        require_consent(session, account_id=account.id, purpose="FACE")
        verification = verification_of(session, account=account, now=now)
        if verification.state == VerificationState.VERIFIED:
            raise AlreadyVerified
        if not verification.may_start_face:
            raise RealNameRequired
        _refuse_too_many(session, account=account, now=now)
        abandon_open_checks(session, account=account, now=now)
        session.add(
            FaceCheck(
                id=check_id,
                account_id=account.id,
                check_no=new_number(),
                provider=ports.faces[account.miniprogram].name,
                created_at=now,
                expires_at=now + FACE_CHECK_LIFE,
            )
        )
    return check_id, False


def _refuse_too_many(session: Session, *, account: Account, now: datetime) -> None:
    """A check that the platform would not start is no try of the person's. But presses have an end too: each one is a call."""
    never_started = and_(FaceCheck.state == FaceCheckState.FAILED, FaceCheck.reference_sealed.is_(None))
    pressed, tried = session.execute(
        select(func.count(), func.count().filter(not_(never_started))).where(
            FaceCheck.account_id == account.id, FaceCheck.created_at >= day_start(now)
        )
    ).one()
    if tried >= FACE_CHECKS_A_DAY or pressed >= FACE_PRESSES_A_DAY:
        raise TooManyFaceChecks


def _replay(ports: Ports, *, account: Account, check_id: uuid.UUID) -> FaceCheckView | None:
    """The check that this key made before; None where its start died half way and has to be made again."""
    now = ports.now()
    with ports.begin() as session:
        check = _own_check(session, account=account, check_id=check_id)
        if check.state == FaceCheckState.CREATED:
            if now - check.created_at < STARTING_TAKES_AT_MOST:
                raise RequestInFlight(retry_after_seconds=3)
            return None
        launch = None
        if check.state == FaceCheckState.PENDING and check.expires_at > now:
            _, launch = open_started(ports, check)
        return replace(
            _view(ports, session, check, verification_of(session, account=account, now=now), account=account),
            launch=launch,
            replayed=True,
        )


def _start_at_provider(
    ports: Ports, *, account: Account, check_id: uuid.UUID, asked: Asked, device: str | None
) -> FaceCheckView:
    now = ports.now()
    with ports.begin() as session:
        verification = verification_of(session, account=account, now=now)
        check = _own_check(session, account=account, check_id=check_id)
        # Taken back, or another name typed, since the check was written: nobody is asked any more.
        require_consent(session, account_id=account.id, purpose="FACE")
        if check.state != FaceCheckState.CREATED or not verification.may_start_face:
            return _view(ports, session, check, verification, account=account)
        check_no = check.check_no
        person, subject = open_given(ports, session, verification, account, purpose="face_check_start", now=now)
    try:
        started = ports.faces[account.miniprogram].start(
            person, check_no=check_no, subject=subject, device=device, elder=account.elder_mode
        )
        return _record_started(ports, account=account, check_id=check_id, started=started)
    except (ProviderError, IntegrityError) as fault:
        if isinstance(fault, IntegrityError) and constraint_of(fault) != "ix_face_checks_reference_index":
            raise
        # Refused, silent, or the very reference of another check, which nobody could tell apart in a callback.
        log.warning("face_check.not_started", fault=type(fault).__name__)
        write_verdict(ports, check_id, FaceCheckState.FAILED, code=type(fault).__name__, who=f"account:{account.id}")
        with ports.begin() as session:
            forget_result(session, asked)
        raise ProviderUnavailable from None


def _record_started(ports: Ports, *, account: Account, check_id: uuid.UUID, started: StartedFaceCheck) -> FaceCheckView:
    now, who = ports.now(), f"account:{account.id}"
    with ports.begin() as session:
        verification = verification_of(session, account=account, now=now)
        check = session.scalars(select(FaceCheck).where(FaceCheck.id == check_id).with_for_update()).one()
        if check.state != FaceCheckState.CREATED or not verification.may_start_face:
            # Meanwhile another name was typed, or another check begun: this one counts no more.
            return _view(ports, session, check, verification, account=account)
        seal_started(ports, check, started)
        check.expires_at = min(check.expires_at, now + timedelta(seconds=started.valid_for_seconds))
        check.start(ask_at=next_question(0, expires_at=check.expires_at, now=now), who=who, at=now)
        verification.start_face(who=who, at=now)
        return replace(_view(ports, session, check, verification, account=account), launch=started.launch)


def finish_face_check(ports: Ports, *, account: Account, check_id: uuid.UUID) -> FaceCheckView:
    """The phone says that the person is done: ask the platform's server, and believe only it. Safe to repeat.

    Raises NotFound, ConsentRequired, ProviderUnavailable.
    """
    with ways_with_refusals(ports, account=account):
        if _count_press(ports, account=account, check_id=check_id):
            _ask_now(ports, account=account, check_id=check_id)
        return read_face_check(ports, account=account, check_id=check_id)


def _ask_now(ports: Ports, *, account: Account, check_id: uuid.UUID) -> None:
    try:
        ask_about_face(ports, check_id, who=f"account:{account.id}")
    except ProviderError as fault:
        log.warning("face_check.not_answered", fault=type(fault).__name__)
        raise ProviderUnavailable(retry_after_seconds=3) from None


def _count_press(ports: Ports, *, account: Account, check_id: uuid.UUID) -> bool:
    """Each press is a question to the platform: a phone has so many a check, and after them only the sweep asks. Raises NotFound."""
    with ports.begin() as session:
        check = _own_check(session, account=account, check_id=check_id)
        counted = session.execute(
            update(FaceCheck)
            .where(FaceCheck.id == check.id, FaceCheck.presses < FACE_QUESTIONS_A_CHECK)
            .values(presses=FaceCheck.presses + 1)
            .returning(FaceCheck.id)
        ).all()
    return bool(counted)


def read_face_check(ports: Ports, *, account: Account, check_id: uuid.UUID) -> FaceCheckView:
    """Where a check stands. Raises NotFound, also for other people's."""
    with ports.begin() as session:
        check = _own_check(session, account=account, check_id=check_id)
        return _view(ports, session, check, verification_of(session, account=account, now=ports.now()), account=account)


def _own_check(session: Session, *, account: Account, check_id: uuid.UUID) -> FaceCheck:
    check = session.scalar(select(FaceCheck).where(FaceCheck.id == check_id, FaceCheck.account_id == account.id))
    if check is None:
        raise NotFound
    return check


def _view(
    ports: Ports, session: Session, check: FaceCheck, verification: IdentityVerification, *, account: Account
) -> FaceCheckView:
    advice = None if verification.state == VerificationState.VERIFIED else advice_after(check.state, elder=account.elder_mode)
    return FaceCheckView(
        id=check.id,
        state=check.state,
        launch=None,
        expires_at=check.expires_at,
        verification_state=verification.state,
        advice=advice,
        ways=ways_on(ports, session, account=account) if advice else [],
    )


def expire_face_checks(ports: Ports, *, limit: int = 200) -> int:
    """The sweep: checks that nobody finished lapse; answers how many. A person may always start another."""
    now = ports.now()
    with ports.begin() as session:
        lapsed = session.scalars(
            select(FaceCheck.id)
            .where(FaceCheck.expires_at <= now, FaceCheck.state.in_((FaceCheckState.CREATED, FaceCheckState.PENDING)))
            .limit(limit)
        ).all()
    for check_id in lapsed:
        write_verdict(ports, check_id, FaceCheckState.EXPIRED, code="EXPIRED", who="expire_face_checks")
    return len(lapsed)
