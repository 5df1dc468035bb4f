"""Requests about one's own data: a copy and a deletion are carried out at once, a correction is answered by staff (PIPL Art 44–50)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from models.base import constraint_of, new_id
from models.personal_data import PersonalDataRequest, RequestKind, RequestState
from services import working_days
from services.account_closing import KEPT, close_account, lock_account, what_is_in_the_way
from services.errors import NotFound, PersonalDataRequestAnswered, PersonalDataRequestOpen
from services.idempotency import Asked, fingerprint, keep_result, known_result, made_once
from services.personal_data import open_personal

if TYPE_CHECKING:
    import uuid
    from datetime import datetime

    from sqlalchemy.orm import Session

    from config.rulebook import Region
    from models.accounts import Account
    from services.ports import Ports

ROUTE: Final = "POST /personal-data/requests"
ANSWERED_WITHIN: Final = 15
"""Working days by the region's calendar (PIPL Art 50 asks for a convenient and timely answer)."""
COPY_READY: Final = "您的个人信息副本已备好，请在“我的个人信息”中下载；已实名的账户须在登录后15分钟内下载完整副本。"
COPY_MASKED: Final = "您的个人信息副本已备好，请在“我的个人信息”中下载；账户尚未核验身份，副本中的敏感信息已脱敏。"
CORRECTION_NOTED: Final = (
    "我们已收到，将在15个工作日内答复。姓名、身份证号码等参保登记信息由登记机关更正，请同时拨打12333或到窗口办理。"
)
CLOSED: Final = (
    "您的账户已注销：登录标识、手机号码、实名信息、人脸核验凭证和代缴关系已删除，各项同意已撤回。"
    "依法须保留的记录见所附清单；您可以随时重新注册。"
)
TAKEN_BACK: Final = "您已撤回此请求。"


@dataclass(frozen=True, kw_only=True)
class RequestView:
    """One request as its holder sees it."""

    id: uuid.UUID
    kind: str
    state: str
    answer: str
    kept: list[dict[str, str]]
    """After a deletion: what stays, and why."""
    created_at: datetime
    due_at: datetime
    finished_at: datetime | None
    replayed: bool = False


def make_request(ports: Ports, *, account: Account, kind: str, wish: str | None, idempotency_key: str) -> RequestView:
    """Take a request, and carry it out where no person has to decide. The same key again tells the same request.

    A deletion that something stands in the way of is REFUSED, with what to do; a deletion that is DONE ends the session too.
    Raises PersonalDataRequestOpen, IdempotencyKeyReused.
    """
    asked = Asked(account_id=account.id, route=ROUTE, key=idempotency_key, request_hash=fingerprint(kind, wish))
    try:
        return made_once(lambda: _make(ports, account=account, kind=RequestKind(kind), wish=wish, asked=asked))
    except IntegrityError as fault:
        if constraint_of(fault) == "uq_personal_data_requests_account_id_kind_open":
            raise PersonalDataRequestOpen from None
        raise


def _make(ports: Ports, *, account: Account, kind: RequestKind, wish: str | None, asked: Asked) -> RequestView:
    now, who = ports.now(), f"account:{account.id}"
    with ports.begin() as session:
        # Held before anything is written: two deletions that each held a key and wanted the account would block one another.
        held = lock_account(session, account=account, now=now) if kind is RequestKind.DELETE else None
        known = known_result(session, asked)
        if known is not None:
            return _view(
                session.scalars(select(PersonalDataRequest).where(PersonalDataRequest.id == known)).one(), replayed=True
            )
        request = _take(ports, session, account=account, kind=kind, wish=wish, now=now)
        keep_result(session, asked, result_id=str(request.id), now=now)
        if kind is RequestKind.COPY:
            ready = COPY_READY if request.person_id is not None else COPY_MASKED
            request.finish(RequestState.DONE, answer=ready, who=who, at=now)
        elif held is not None:
            reason = what_is_in_the_way(session, account=held, now=now)
            if reason is None:
                request.finish(RequestState.DONE, answer=CLOSED, who=who, at=now)
                session.flush()
                close_account(ports, session, account=held, now=now)
            else:
                request.finish(RequestState.REFUSED, answer=reason, who=who, at=now)
        session.flush()
        return _view(request)


def _take(
    ports: Ports, session: Session, *, account: Account, kind: RequestKind, wish: str | None, now: datetime
) -> PersonalDataRequest:
    row_id = new_id()
    request = PersonalDataRequest(
        id=row_id,
        account_id=account.id,
        person_id=account.person_id,
        kind=kind,
        wish_sealed=None if wish is None else ports.seals.seal(wish, place=PersonalDataRequest.wish_place(row_id)),
        created_at=now,
        due_at=due_at(ports.regions_of(account.miniprogram)[0], now),
    )
    session.add(request)
    session.flush()
    return request


def due_at(region: Region, now: datetime) -> datetime:
    """The end, in Beijing, of the last of the working days in which an answer is owed."""
    return working_days.after(region, now, ANSWERED_WITHIN).ends_at()


def list_requests(ports: Ports, *, account: Account, limit: int = 50) -> list[RequestView]:
    """This account's requests, newest first."""
    with ports.begin() as session:
        rows = session.scalars(
            select(PersonalDataRequest)
            .where(PersonalDataRequest.account_id == account.id)
            .order_by(PersonalDataRequest.id.desc())
            .limit(limit)
        ).all()
        return [_view(row) for row in rows]


def take_back(ports: Ports, *, account: Account, request_id: uuid.UUID) -> None:
    """Take back what nobody has answered yet. Raises NotFound, also for other people's, and PersonalDataRequestAnswered."""
    with ports.begin() as session:
        request = session.scalar(
            select(PersonalDataRequest)
            .where(PersonalDataRequest.id == request_id, PersonalDataRequest.account_id == account.id)
            .with_for_update()
        )
        if request is None:
            raise NotFound
        if request.state == RequestState.WITHDRAWN:
            return
        if request.state != RequestState.RECEIVED:
            raise PersonalDataRequestAnswered
        request.finish(RequestState.WITHDRAWN, answer=TAKEN_BACK, who=f"account:{account.id}", at=ports.now())
        request.wish_sealed = None


def _view(row: PersonalDataRequest, *, replayed: bool = False) -> RequestView:
    is_closed = (row.kind, row.state) == (RequestKind.DELETE, RequestState.DONE)
    return RequestView(
        id=row.id,
        kind=row.kind,
        state=row.state,
        answer=row.answer or CORRECTION_NOTED,
        kept=[{"what": what, "why": why} for what, why in KEPT] if is_closed else [],
        created_at=row.created_at,
        due_at=row.due_at,
        finished_at=row.finished_at,
        replayed=replayed,
    )


# --- staff


def waiting_requests(session: Session) -> list[PersonalDataRequest]:
    """What waits for staff, the most urgent first."""
    wanted = select(PersonalDataRequest).where(PersonalDataRequest.state == RequestState.RECEIVED)
    return list(session.scalars(wanted.order_by(PersonalDataRequest.due_at, PersonalDataRequest.id)))


def read_wish(ports: Ports, *, request_id: uuid.UUID, who: str) -> str:
    """What should be corrected, in the person's own words; reading it leaves a row that the person sees. Raises NotFound, SealBroken."""
    with ports.begin() as session:
        request = session.get(PersonalDataRequest, request_id)
        if request is None or request.wish_sealed is None:
            raise NotFound
        opened = open_personal(ports, session, request, "wish", purpose="request_answer", who=f"staff:{who}", now=ports.now())
        return opened["wish"]


def answer_request(ports: Ports, *, request_id: uuid.UUID, done: bool, why: str, who: str) -> str:
    """Answer a request: done, or refused with its reason; answers what the person reads. Raises NotFound, PersonalDataRequestAnswered."""
    said = f"已按您的请求办理。{why}" if done else f"未能按您的请求办理。{why}如有异议，可拨打12333或向主管部门投诉。"
    with ports.begin() as session:
        request = session.get(PersonalDataRequest, request_id, with_for_update=True)
        if request is None:
            raise NotFound
        if request.state != RequestState.RECEIVED:
            raise PersonalDataRequestAnswered
        outcome = RequestState.DONE if done else RequestState.REFUSED
        request.finish(outcome, answer=said, who=f"staff:{who}", at=ports.now())
    return said
