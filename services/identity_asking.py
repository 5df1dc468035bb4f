"""Asking about faces: the platform's server alone knows the verdict. The phone, a callback and the clock only make us ask.

All three take the same road: `ask_about_face`, and one verdict written once under the check's lock.
"""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from sqlalchemy import select, update

from config.logs import logger
from config.seals import SealBroken
from models.accounts import Account
from models.identity import FaceCheck, FaceCheckState, VerificationState
from providers.protocols import FaceVerdict, ProviderRefused, ProviderUnreachable
from services.consents import require_consent
from services.errors import ConsentRequired, SignInAgain
from services.verification import become, open_given, verification_of

if TYPE_CHECKING:
    import uuid
    from datetime import datetime

    from providers.protocols import RealName, StartedFaceCheck
    from services.ports import Ports

log = logger(__name__)

ASK_AFTER: Final = tuple(timedelta(seconds=seconds) for seconds in (20, 60, 180, 600))
"""How long silence lasts before we ask: 20 s after the start, then 1, 3 and 10 min more. A callback begins the ladder anew."""
LAST_WORD: Final = timedelta(seconds=15)
"""This long before a check lapses it is asked about once more, so that a face that passed is not thrown away."""
PASS_SECONDS: Final = 5.0
"""A pass of the sweep begins no question after this, so that a slow platform holds up another's checks no longer than that and one call."""
PLATFORMS_AT_ONCE: Final = 8
VERDICTS: Final = {
    FaceVerdict.PASSED: FaceCheckState.PASSED,
    FaceVerdict.FAILED: FaceCheckState.FAILED,
    FaceVerdict.DECLINED: FaceCheckState.DECLINED,
    FaceVerdict.EXPIRED: FaceCheckState.EXPIRED,
}
"""PENDING is not here: an unfinished check stays as it is."""


def seal_started(ports: Ports, check: FaceCheck, started: StartedFaceCheck) -> None:
    """Keep what the platform calls the check, with what the phone needs: a lost answer can be told again, a callback can be matched."""
    text = json.dumps([started.reference, started.launch])
    check.reference_sealed = ports.seals.seal(text, place=FaceCheck.reference_place(check.id))
    check.reference_index = reference_index(ports, started.reference)


def open_started(ports: Ports, check: FaceCheck) -> tuple[str, dict[str, str]]:
    reference, launch = json.loads(ports.seals.open(check.reference_sealed or b"", place=FaceCheck.reference_place(check.id)))
    return reference, launch


def reference_index(ports: Ports, reference: str) -> bytes:
    return ports.seals.index("face_reference", reference)


def next_question(asks: int, *, expires_at: datetime, now: datetime) -> datetime:
    """When to ask by ourselves again after so many questions, if nobody gives a sign of life before."""
    wanted = now + ASK_AFTER[min(asks, len(ASK_AFTER) - 1)]
    last = expires_at - LAST_WORD
    return min(wanted, last) if now < last else wanted


def ask_about_face(ports: Ports, check_id: uuid.UUID, *, who: str) -> None:
    """Ask the platform's server about an open check and write its verdict, if it has one. Safe to repeat, and to do twice at once.

    Raises ConsentRequired (then not even the verdict is fetched, and the check lapses by itself), ProviderRefused, ProviderUnreachable.
    """
    now = ports.now()
    with ports.begin() as session:
        check = session.get_one(FaceCheck, check_id)
        account = session.get_one(Account, check.account_id)
        verification = verification_of(session, account=account, now=now)
        if check.state != FaceCheckState.PENDING or verification.state != VerificationState.FACE_PENDING:
            return
        require_consent(session, account_id=account.id, purpose="FACE")
        person, subject = open_given(ports, session, verification, account, purpose="face_check_ask", now=now, who=who)
        reference, _ = open_started(ports, check)
        check_no, miniprogram = check.check_no, account.miniprogram
    answer = ports.faces[miniprogram].ask(reference, person, check_no=check_no, subject=subject)
    outcome = VERDICTS.get(answer.verdict)
    if outcome is not None:
        write_verdict(ports, check_id, outcome, code=answer.provider_code, who=who, person=person)


def write_verdict(
    ports: Ports, check_id: uuid.UUID, outcome: FaceCheckState, *, code: str, who: str, person: RealName | None = None
) -> None:
    """Write a verdict once; whoever comes second finds it written."""
    now = ports.now()
    with ports.begin() as session:
        account = session.get_one(Account, session.get_one(FaceCheck, check_id).account_id)
        verification = verification_of(session, account=account, now=now)
        check = session.scalars(
            select(FaceCheck).where(FaceCheck.id == check_id).with_for_update().execution_options(populate_existing=True)
        ).one()
        if not check.is_open:
            return
        was_asked = check.state == FaceCheckState.PENDING and verification.state == VerificationState.FACE_PENDING
        check.finish(outcome, provider_code=code, who=who, at=now)
        if not was_asked:
            return
        if outcome is FaceCheckState.PASSED and person is not None:
            if not become(
                ports, session, account=account, verification=verification, given=person, method=check.provider, who=who, now=now
            ):  # fmt: skip
                verification.fail(who=who, at=now)
        elif outcome is FaceCheckState.DECLINED:
            verification.decline(who=who, at=now)
        else:
            verification.fail(who=who, at=now)


def hear_of_face(ports: Ports, reference: str) -> bool:
    """A platform called back about its check: ask at once. False where there is nothing to ask about, which is not told to anybody.

    Early, late, doubled or about something finished: all are harmless. No platform is called here.
    """
    with ports.begin() as session:
        heard = session.execute(
            update(FaceCheck)
            .where(FaceCheck.reference_index == reference_index(ports, reference), FaceCheck.state == FaceCheckState.PENDING)
            .values(next_ask_at=ports.now(), asks=0)
            .returning(FaceCheck.id)
        ).all()
    return bool(heard)


def ask_face_checks(ports: Ports) -> int:
    """The sweep: ask about checks whose silence has lasted long enough, or that a callback named; answers how many.

    Each mini-program's platform is asked on a thread of its own, so that a slow one holds up nobody else's checks.
    """
    now = ports.now()
    with ports.begin() as session:
        due = session.scalars(
            select(Account.miniprogram)
            .join(FaceCheck, FaceCheck.account_id == Account.id)
            .where(FaceCheck.next_ask_at <= now, FaceCheck.state == FaceCheckState.PENDING)
            .distinct()
        ).all()
    programs = [code for code in due if code in ports.faces]
    if not programs:
        return 0
    with ThreadPoolExecutor(min(len(programs), PLATFORMS_AT_ONCE), thread_name_prefix="faces") as pool:
        return sum(pool.map(lambda code: _ask_due(ports, code), programs))


def _ask_due(ports: Ports, miniprogram: str) -> int:
    """One mini-program's due checks, the longest due first. A platform that does not answer is left alone until the next pass."""
    until, asked = time.monotonic() + PASS_SECONDS, 0
    while time.monotonic() < until and (check_id := _claim_due(ports, miniprogram)) is not None:
        asked += 1
        try:
            ask_about_face(ports, check_id, who="ask_face_checks")
        except (ConsentRequired, SignInAgain) as refusal:
            # Taken back, or the account closed, since it was claimed.
            log.info("face_check.not_asked", check_id=str(check_id), why=refusal.code)
        except SealBroken:
            # Another key, or altered bytes: somebody must look, and nobody else's check waits for that.
            log.error("face_check.seal_broken", check_id=str(check_id))  # noqa: TRY400 - a traceback adds nothing
        except ProviderRefused as refusal:
            log.warning("face_check.not_answered", check_id=str(check_id), refusal=refusal.code)
        except ProviderUnreachable as fault:
            log.warning("face_check.not_answered", check_id=str(check_id), fault=type(fault).__name__)
            break
    return asked


def _claim_due(ports: Ports, miniprogram: str) -> uuid.UUID | None:
    """Take one due check and set its next question first: if we die while asking, the next question comes anyway."""
    now = ports.now()
    with ports.begin() as session:
        check = session.scalar(
            select(FaceCheck)
            .join(Account, Account.id == FaceCheck.account_id)
            .where(FaceCheck.next_ask_at <= now, FaceCheck.state == FaceCheckState.PENDING, Account.miniprogram == miniprogram)
            .order_by(FaceCheck.next_ask_at)
            .limit(1)
            .with_for_update(of=FaceCheck, skip_locked=True)
        )
        if check is None:
            return None
        check.asks += 1
        check.next_ask_at = next_question(check.asks, expires_at=check.expires_at, now=now)
        return check.id
