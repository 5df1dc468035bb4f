"""Applications as their applicant sees them: what was filled in, masked; where the case stands, and every step on the way (R-XJ-36, R-XJ-37)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sqlalchemy import select

from config.months import YearMonth
from config.rulebook import ApplicationKind, NoRuleInForce, Submission
from models.applications import (
    ENDED_UNDONE,
    ApplicationDocument,
    ApplicationItem,
    ApplicationState,
    DecisionReason,
    EnrollmentApplication,
)
from services.application_fields import options_of
from services.application_lapsing import mend_by
from services.application_steps import form_to_print, missing_documents, moves_of, own_application
from services.personal_data import open_personal

if TYPE_CHECKING:
    import uuid
    from collections.abc import Sequence
    from datetime import date, datetime
    from typing import Any

    from sqlalchemy.orm import Session

    from config.rulebook import AssessmentTable, Region
    from models.accounts import Account
    from services.ports import Ports

_S = ApplicationState
STATES: Final = {
    _S.DRAFT: "草稿，尚未提交",
    _S.DOCUMENTS_READY: "材料已上传，待核对提交",
    _S.SUBMITTED: "已提交，等待审核",
    _S.UNDER_REVIEW: "审核中",
    _S.RETURNED: "已退回，请补正后重新提交",
    _S.APPROVED: "审核通过",
    _S.REJECTED: "审核不通过",
    _S.WITHDRAWN: "已撤回",
    _S.LAPSED: "逾期未补正，已失效",
}
KINDS: Final = {
    ApplicationKind.NEW_ENROLLMENT: "新参保",
    ApplicationKind.RESUMPTION: "续保",
    ApplicationKind.SUSPENSION: "停保",
}
STEPS: Final = {
    "application.begun": "新建申请",
    "application.documents_handed_in": "上传材料",
    "application.changed": "修改申请",
    "application.submitted": "提交申报",
    "application.submitted_again": "补正后重新提交",
    "application.taken_up": "开始审核",
    "application.put_back": "转其他人员审核",
    "application.approved": "审核通过",
    "application.rejected": "审核不通过",
    "application.returned": "退回补正",
    "application.withdrawn": "撤回申请",
    "application.lapsed": "逾期未补正，申请失效",
}
"""Every event of an application's road, and its beginning, as people read it. A test walks the road."""
REASONS: Final = {
    DecisionReason.DOCUMENT_UNREADABLE: "材料照片不清晰，请重新拍摄",
    DecisionReason.DOCUMENT_MISSING: "材料不齐全，请补齐",
    DecisionReason.DOCUMENT_EXPIRED: "证件已过有效期，请更换",
    DecisionReason.DOCUMENT_NOT_THE_APPLICANTS: "材料不是申请人本人的",
    DecisionReason.DECLARED_DIFFERS: "填写的内容与材料不一致，请核对",
    DecisionReason.NOT_ELIGIBLE: "不符合参保条件",
    DecisionReason.ACTIVE_ELSEWHERE: "正在其他地区或单位参保",
    DecisionReason.OTHER: "其他原因，见审核意见",
}
LATE: Final = "审核超过了承诺的时间，非常抱歉，我们已在催办。急需办理的请拨打12333。"
DECIDED: Final = (_S.APPROVED, _S.REJECTED, _S.RETURNED)
MOST_LISTED: Final = 50


@dataclass(frozen=True, kw_only=True)
class TimelineStep:
    """One step of the case."""

    step: str
    title: str
    at: datetime
    actor: str
    """APPLICANT, STAFF or SYSTEM: the role, never the person."""
    remark: str | None


@dataclass(frozen=True, kw_only=True)
class FieldValue:
    key: str
    label: str
    value: str
    """Masked, where it says anything private."""


@dataclass(frozen=True, kw_only=True)
class ItemView:
    """One insurance that is asked for."""

    insurance_type: str
    label: str
    tier_plan: str | None
    tier: str | None
    tier_label: str | None
    base_fen: int | None
    """The tier's base or the declared wage, fen a month."""
    amount_fen: int | None
    """What a month would cost by today's figures; None for a suspension, and where there are none."""
    sample: bool
    provisional: bool


@dataclass(frozen=True, kw_only=True)
class ApplicationView:
    """One application of one's own."""

    id: uuid.UUID
    case_no: str
    kind: str
    kind_text: str
    state: str
    state_text: str
    version: int
    region: str
    region_name: str
    joint_case_id: uuid.UUID | None
    submission: str | None
    can: tuple[str, ...]
    """What may be done with it now: CHANGE, HAND_IN_DOCUMENTS, SUBMIT, WITHDRAW, COPY, PRINT_FORM."""
    fields: list[FieldValue]
    insurances: list[ItemView]
    documents: list[dict[str, Any]]
    missing_documents: list[dict[str, Any]]
    submitted_at: datetime | None
    target_at: datetime | None
    due_at: datetime | None
    due_is_provisional: bool
    apology: str | None
    """Told once the promised time has passed."""
    reason: str | None
    reason_text: str | None
    what_next: str | None
    created_at: datetime
    updated_at: datetime
    mend_by: date | None
    """Returned: the last day on which it can be handed in again; None where nothing lapses."""
    timeline: list[TimelineStep]
    """Empty in lists."""
    replayed: bool = False


def read_application(ports: Ports, *, account: Account, application_id: uuid.UUID) -> ApplicationView:
    """One application with its whole timeline. A reviewer's remark is opened, and that leaves its row. Raises NotFound."""
    with ports.begin() as session:
        row = own_application(session, account=account, application_id=application_id)
        (view,) = _views(ports, session, [row])
        timeline = _timeline(ports, session, row, who=f"account:{account.id}", now=ports.now())
    return ApplicationView(**{**view.__dict__, "timeline": timeline})


def list_applications(ports: Ports, *, account: Account) -> list[ApplicationView]:
    """This account's applications, newest first (办件状态)."""
    each = EnrollmentApplication
    with ports.begin() as session:
        found = select(each).where(each.account_id == account.id).order_by(each.created_at.desc(), each.id.desc())
        return _views(ports, session, session.scalars(found.limit(MOST_LISTED)).all())


def _views(ports: Ports, session: Session, rows: Sequence[EnrollmentApplication]) -> list[ApplicationView]:
    ids = [row.id for row in rows]
    items = session.scalars(
        select(ApplicationItem).where(ApplicationItem.application_id.in_(ids)).order_by(ApplicationItem.insurance_type)
    ).all()
    documents = session.scalars(
        select(ApplicationDocument)
        .where(ApplicationDocument.application_id.in_(ids), ApplicationDocument.live)
        .order_by(ApplicationDocument.kind)
    ).all()
    return [
        _view(
            ports,
            row,
            [item for item in items if item.application_id == row.id],
            [document for document in documents if document.application_id == row.id],
        )
        for row in rows
    ]


def _view(
    ports: Ports,
    row: EnrollmentApplication,
    items: list[ApplicationItem],
    documents: list[ApplicationDocument],
) -> ApplicationView:
    region, today = ports.rulebook.region(row.region), ports.today()
    try:
        form = region.application_form(ApplicationKind(row.kind), today)
    except NoRuleInForce:
        form = None
    submission = None if form is None else form.submission
    late = row.is_waiting and row.due_at is not None and row.due_at < ports.now()
    is_no = row.state in (ApplicationState.REJECTED, ApplicationState.RETURNED) and row.decision_reason is not None
    return ApplicationView(
        id=row.id,
        case_no=row.case_no,
        kind=row.kind,
        kind_text=KINDS[ApplicationKind(row.kind)],
        state=row.state,
        state_text=STATES[ApplicationState(row.state)],
        version=row.version,
        region=row.region,
        region_name=region.name,
        joint_case_id=row.joint_case_id,
        submission=submission,
        can=_can(row, submission, prints=form_to_print(ports, region, row) is not None),
        fields=_fields(region, row, today),
        insurances=[item_view(region, row, item, today) for item in items],
        documents=[
            {"kind": each.kind, "label": _document_label(region, each.kind), "uploaded_at": each.uploaded_at}
            for each in documents
        ],
        missing_documents=missing_documents(row, {each.kind for each in documents}, region=region, on=today)
        if row.is_editable
        else [],
        submitted_at=row.submitted_at,
        target_at=row.target_at,
        due_at=row.due_at,
        due_is_provisional=row.due_is_provisional,
        apology=LATE if late else None,
        reason=row.decision_reason if is_no else None,
        reason_text=REASONS[DecisionReason(row.decision_reason)] if is_no and row.decision_reason else None,
        what_next=form.after if form is not None and row.is_waiting else None,
        created_at=row.created_at,
        updated_at=row.updated_at,
        mend_by=mend_by(region, row),
        timeline=[],
    )


def _can(row: EnrollmentApplication, submission: Submission | None, *, prints: bool) -> tuple[str, ...]:
    told = []
    if row.is_editable and submission is not None:
        told.append("CHANGE")
        if submission is Submission.UPLOAD_CHECK_SUBMIT and row.state == ApplicationState.DRAFT:
            told.append("HAND_IN_DOCUMENTS")
        else:
            told.append("SUBMIT")
    if EnrollmentApplication.MOVES.allows(row.state, ApplicationState.WITHDRAWN):
        told.append("WITHDRAW")
    if row.state in ENDED_UNDONE:
        told.append("COPY")
    if prints and row.state == ApplicationState.APPROVED:
        told.append("PRINT_FORM")
    return tuple(told)


def _document_label(region: Region, kind: str) -> str:
    return region.documents[kind].label if kind in region.documents else kind


def _fields(region: Region, row: EnrollmentApplication, today: date) -> list[FieldValue]:
    plain = {
        "pooling_area": row.pooling_area,
        "agency": row.agency,
        "hukou_division": row.hukou_division,
        "residence_division": row.residence_division,
        "change_reason": row.change_reason,
        "effective_month": None if row.effective_month is None else str(YearMonth.from_number(row.effective_month)),
    }
    shown = {key: value for key, value in {**plain, **(row.details_masked or {})}.items() if value is not None}
    told = []
    for key, value in shown.items():
        try:
            known = region.application_field(key, today)
        except NoRuleInForce:  # it was asked for once
            continue
        labels = {option.value: option.label for option in options_of(region, known, today)} if key in plain else {}
        told.append(FieldValue(key=key, label=known.label, value=labels.get(value, value)))
    return told


def item_view(region: Region, row: EnrollmentApplication, item: ApplicationItem, today: date) -> ItemView:
    """One insurance that is asked for, with its tier and what a month costs. Pure."""
    month = YearMonth.from_number(row.effective_month) if row.effective_month else YearMonth.of(today)
    table: AssessmentTable | None = None
    label = item.insurance_type
    try:
        label = region.insurance(item.insurance_type, today).label
        if row.kind != ApplicationKind.SUSPENSION:
            table = region.assessment_table(item.insurance_type, month, item.tier_plan)
    except NoRuleInForce:
        table = None
    tier = table.tier(item.tier) if table is not None and item.tier is not None else None
    base, amount = item.declared_wage_fen, None
    if tier is not None:
        base, amount = tier.base_fen, tier.amount_fen
    elif table is not None and base is not None:
        amount = table.parts_of(base).total_fen
    return ItemView(
        insurance_type=item.insurance_type,
        label=label,
        tier_plan=item.tier_plan,
        tier=item.tier,
        tier_label=tier.label if tier is not None else None,
        base_fen=base,
        amount_fen=amount,
        sample=table is not None and table.sample,
        provisional=table is not None and table.provisional,
    )


def _timeline(ports: Ports, session: Session, row: EnrollmentApplication, *, who: str, now: datetime) -> list[TimelineStep]:
    """From the beginning; the reviewer's remark stands at the last decision, since only that one is kept."""
    moves = moves_of(session, row)
    begun = TimelineStep(
        step="application.begun", title=STEPS["application.begun"], at=row.created_at, actor="APPLICANT", remark=None
    )
    last = max((move.id for move in moves if move.to_state in DECIDED), default=None)
    said = None
    if row.remark_sealed is not None:
        said = open_personal(ports, session, row, "remark", purpose="application_remark", who=who, now=now)["remark"]
    told = [begun]
    for move in moves:
        event, _, reason = move.why.partition(": ")
        words = [REASONS[DecisionReason(reason)]] if reason else []
        words += [said] if said is not None and move.id == last else []
        told.append(
            TimelineStep(
                step=event,
                title=STEPS[event],
                at=move.at,
                actor=_role(move.who),
                remark="。".join(words) or None,
            )
        )
    return told


def _role(who: str) -> str:
    return "APPLICANT" if who.startswith("account:") else "STAFF" if who.startswith("staff:") else "SYSTEM"
