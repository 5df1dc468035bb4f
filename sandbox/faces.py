"""Face checks of all three vendors: asked for by the merchant, decided by whoever plays the person."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from sandbox import faults, notices
from sandbox.core import letters
from sandbox.faults import Target

if TYPE_CHECKING:
    from sandbox.core import Core
    from sandbox.store import Row


class Kind(StrEnum):
    """Which product was asked."""

    WECHAT = "wechat"
    ALIPAY = "alipay"
    ALIPAY_CERTIFY = "alipay_certify"
    ALIYUN = "aliyun"


class Outcome(StrEnum):
    """How a person's check ends; undecided ones have none."""

    PASSED = "passed"
    FAILED = "failed"
    DECLINED = "declined"
    ABANDONED = "abandoned"
    EXPIRED = "expired"


COMPLETED = {Outcome.PASSED, Outcome.FAILED}
PASSED_SUB_CODE, FAILED_SUB_CODE = 200, 207
LATE_SECONDS = 30.0


@dataclass(frozen=True, kw_only=True)
class Check:
    """One face check."""

    reference: str
    kind: str
    app_id: str
    order_no: str
    subject: str | None
    name: str
    id_number: str
    outcome: str | None
    code: int | None
    callback_url: str | None
    callback_token: str | None
    scene_id: str | None
    created_at: float
    expires_at: float

    def outcome_at(self, now: float) -> Outcome | None:
        """What is known now: undecided checks run out."""
        if self.outcome is not None:
            return Outcome(self.outcome)
        return Outcome.EXPIRED if now > self.expires_at else None

    @property
    def sub_code(self) -> int:
        return self.code or (PASSED_SUB_CODE if self.outcome == Outcome.PASSED else FAILED_SUB_CODE)


class OrderNumberUsedError(ValueError):
    """The merchant's number already names another check."""


def _check(row: Row | None) -> Check | None:
    return None if row is None else Check(**dict(row))


def find(core: Core, reference: str, *, kind: Kind | None = None) -> Check | None:
    found = _check(core.store.row("SELECT * FROM faces WHERE reference = ?", reference))
    return found if found is not None and kind in {None, found.kind} else None


def begin(
    core: Core,
    *,
    kind: Kind,
    app_id: str,
    order_no: str,
    name: str,
    id_number: str,
    lasts_seconds: float,
    reference_length: int = 32,
    subject: str | None = None,
    callback_url: str | None = None,
    callback_token: str | None = None,
    scene_id: str | None = None,
) -> Check:
    """Open a check; the same number with the same person is the same check. Raises OrderNumberUsedError."""
    with core.store.transaction() as db:
        known = _check(
            core.store.row("SELECT * FROM faces WHERE kind = ? AND app_id = ? AND order_no = ?", kind.value, app_id, order_no)
        )
        if known is not None:
            if (known.name, known.id_number, known.subject) != (name, id_number, subject):
                raise OrderNumberUsedError(order_no)
            return known
        now = core.now()
        check = Check(
            reference=letters(reference_length).lower(),
            kind=kind.value,
            app_id=app_id,
            order_no=order_no,
            subject=subject,
            name=name,
            id_number=id_number,
            outcome=None,
            code=None,
            callback_url=callback_url,
            callback_token=callback_token,
            scene_id=scene_id,
            created_at=now,
            expires_at=now + lasts_seconds,
        )
        names = list(vars(check))
        db.execute(
            f"INSERT INTO faces ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})",  # noqa: S608 - our own names
            list(vars(check).values()),
        )
        if check.callback_url and "early" in _faults_of(core, check, frozenset({"early"})):
            # Before the person did anything, and lying: a merchant that believes it lets in whoever asks.
            _queue_callback(core, check, sub_code=PASSED_SUB_CODE)
    core.courier.wake()
    return check


def decide(core: Core, reference: str, *, outcome: Outcome, code: int | None) -> Check | None:
    """Let the person pass, fail, refuse or walk away; only Alibaba Cloud tells the merchant, and only when completed."""
    with core.store.transaction() as db:
        db.execute("UPDATE faces SET outcome = ?, code = ? WHERE reference = ?", (outcome.value, code, reference))
        check = find(core, reference)
        if check is not None and check.callback_url and outcome in COMPLETED:
            _call_back(core, check)
    core.courier.wake()
    return check


def _call_back(core: Core, check: Check) -> None:
    """The one callback of a completed check, or what the faults make of it."""
    found = _faults_of(core, check, faults.FACE_FAULTS - {"early"})
    if "lost" in found:
        return
    copies = 1 + (faults.count(found["duplicate"], 1) if "duplicate" in found else 0)
    delay = faults.seconds(found["late"], LATE_SECONDS) if "late" in found else 0.0
    for _ in range(copies):
        _queue_callback(core, check, sub_code=check.sub_code, delay_seconds=delay)


def _faults_of(core: Core, check: Check, wanted: frozenset[str]) -> faults.Found:
    """By the merchant's number or by ours, whichever the wish named."""

    def take(name: str) -> faults.Found:
        return faults.take(core.store, wanted, Target(app_id="aliyun", order_no=name, operation="face_callback"))

    # Never both: a wish for the whole app would be used up twice.
    return take(check.order_no) or take(check.reference)


def _queue_callback(core: Core, check: Check, *, sub_code: int, delay_seconds: float = 0.0) -> None:
    now = core.now()
    with core.store.transaction() as db:
        notices.enqueue(
            db,
            channel="aliyun_face",
            merchant="aliyun",
            out_trade_no=check.order_no,
            app_id="aliyun",
            event="face",
            notification_id=check.reference,
            url=str(check.callback_url),
            content={"callbackToken": check.callback_token or "", "certifyId": check.reference, "passed": str(sub_code)},
            now=now,
            due_at=now + delay_seconds,
        )
