"""The reviewers' desk: a queue with the working-day clock, one application with its papers beside what was declared, one decision."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from flask import Response, request

from config.clock import beijing_date
from config.rulebook import ApplicationKind
from console import review_words
from console.pages import REVIEWERS, field, go, me, page, ports, show, show_again
from models.applications import DecisionReason
from services import application_looks, review_overrides, review_queue, reviews
from services.errors import BusinessError, NotFound
from services.review_errors import ApplicationNotYours, OwnAffairs, ReviewedVersionChanged, RolePowerless
from services.review_findings import findings
from services.review_queue import Narrowed, Part, Place, Reviewer
from services.review_sheet import lay_out
from services.staff import Scope, covers
from services.staff_errors import ChoiceMissing

if TYPE_CHECKING:
    from services.ports import Ports
    from services.staff import StaffView

ONE: Final = "/reviews/<uuid:application_id>"
SECTION: Final = "list_reviews"
DONE: Final = {
    "approved": "审核通过已生效，结果已通知申请人。",
    "given_back": "已退回补正，申请人会收到通知。",
    "rejected": "审核不通过已记录，结果已通知申请人。",
    "put_back": "已退回队列，其他工作人员可以受理。",
    "override_asked": "已提请复核，请等待复核主管决定；等待期间申请仍在您手中。",
    "override_granted": "已同意破例，由受理人提交审核结论。",
    "override_refused": "已答复不同意破例。",
}
DIGITS_OF_A_VERSION: Final = 9
NOWHERE_TO_SHOW: Final = (NotFound, OwnAffairs, RolePowerless)
"""After these there is no page of the application that this reviewer may see."""


def as_reviewer(staff: StaffView) -> Reviewer:
    return Reviewer(who=staff.who, roles=frozenset(map(str, staff.roles)), region=staff.region, agency=staff.agency)


def scope_of_application(ports: Ports, *, application_id: uuid.UUID, **_more: str) -> Scope:
    """Raises NotFound. What names no agency is every agency's within its region."""
    region, agency = review_queue.place_of(ports, application_id=application_id)
    mine = me().scope
    if agency is None and covers(ports, Scope(region=mine.region), Scope(region=region)):
        return mine
    return Scope(region=region, agency=agency)


def scope_of_override(ports: Ports, *, override_id: uuid.UUID) -> Scope:
    """Raises NotFound."""
    return scope_of_application(ports, application_id=review_overrides.application_of(ports, override_id=override_id))


def waiting(ports: Ports, staff: StaffView) -> int:
    return review_queue.list_queue(ports, reviewer=as_reviewer(staff), limit=1).waiting


# --- the queue


@page("/reviews", roles=REVIEWERS, nav="审核申请", waiting=waiting)
def list_reviews() -> str:
    asked = {name: request.args.get(name, "") for name in ("region", "kind", "part")}
    regions = _regions()
    only = Narrowed(
        region=asked["region"] if asked["region"] in dict(regions) else None,
        kind=asked["kind"] if asked["kind"] in set(ApplicationKind) else None,
        part=Part(asked["part"]) if asked["part"] in set(Part) else None,
    )
    found = review_queue.list_queue(ports(), reviewer=as_reviewer(me()), only=only, after=_place(request.args.get("after", "")))
    kept = {name: value for name, value in vars(only).items() if value is not None}
    after = found.next_place
    return show(
        "reviews.html",
        found=found,
        rows=[(row, _region(row.region), _clock(row)) for row in found.rows],
        asked={name: kept.get(name, "") for name in asked},
        kept=kept,
        is_later_page="after" in request.args,
        onward={**kept, "after": f"{after.due_at.isoformat()}~{after.application_id}"} if after else None,
        regions=regions,
        told=review_words,
        done=DONE.get(request.args.get("done", "")),
    )


def _regions() -> list[tuple[str, str]]:
    """Code and name of every region within their scope where people apply."""
    return [
        (code, region.name)
        for code, region in sorted(ports().rulebook.regions.items())
        if covers(ports(), Scope(region=me().region), Scope(region=code))
    ]


def _place(text: str) -> Place | None:
    """Where a page goes on; None for what is no place of ours: then it begins at the front."""
    moment, _, application_id = text.partition("~")
    try:
        place = Place(due_at=datetime.fromisoformat(moment), application_id=uuid.UUID(application_id))
    except ValueError:
        return None
    return place if place.due_at.tzinfo is not None else None


def _region(code: str) -> Any:
    return ports().rulebook.region(code)


def _clock(row: Any) -> review_words.Clock:
    return review_words.clock_of(_region(row.region), target_at=row.target_at, due_at=row.due_at, now=ports().now())


# --- one application


@page(ONE, roles=REVIEWERS, scope=scope_of_application, section=SECTION)
def read_review(application_id: uuid.UUID) -> str:
    return show("review.html", **_shown(application_id), done=DONE.get(request.args.get("done", "")))


@page(f"{ONE}/documents/<string(minlength=2,maxlength=40):kind>", roles=REVIEWERS, scope=scope_of_application, section=SECTION)
def read_picture(application_id: uuid.UUID, kind: str) -> Response:
    """A photograph, under the mark of who looks."""
    opened = application_looks.open_picture(ports(), application_id=application_id, kind=kind, reviewer=as_reviewer(me()))
    return Response(opened.content, mimetype=opened.media_type)


@page(f"{ONE}/taking-up", roles=REVIEWERS, methods=("POST",), scope=scope_of_application, section=SECTION)
def take_up_review(application_id: uuid.UUID) -> Any:
    try:
        reviews.take_up(ports(), application_id=application_id, reviewer=as_reviewer(me()))
    except BusinessError as fault:
        return _again(application_id, fault)
    return go("read_review", application_id=application_id)


@page(f"{ONE}/putting-back", roles=REVIEWERS, methods=("POST",), scope=scope_of_application, section=SECTION)
def put_back_review(application_id: uuid.UUID) -> Any:
    try:
        reviews.put_back(ports(), application_id=application_id, reviewer=as_reviewer(me()))
    except BusinessError as fault:
        return _again(application_id, fault)
    return go("list_reviews", done="put_back")


@page(f"{ONE}/decision", roles=REVIEWERS, methods=("POST",), scope=scope_of_application, section=SECTION)
def decide_review(application_id: uuid.UUID) -> Any:
    given = {
        "decision": field("decision"),
        "reason": field("reason"),
        "remark": field("remark"),
        "to_mend": request.form.getlist("to_mend"),
    }
    try:
        done = _decide(application_id, given)
    except BusinessError as fault:
        return _again(application_id, fault, given=given)
    return go("list_reviews", done=done)


def _decide(application_id: uuid.UUID, given: dict[str, Any]) -> str:
    mine: dict[str, Any] = {"application_id": application_id, "version": _version(), "reviewer": as_reviewer(me())}
    decision, reason = given["decision"], given["reason"]
    if decision == "APPROVE":
        reviews.approve(ports(), **mine)
        return "approved"
    if decision not in review_words.DECISIONS:
        raise ChoiceMissing(detail="请先选择“通过”“退回补正”或“不通过”，再提交。")
    if reason not in set(DecisionReason):
        raise ChoiceMissing(detail="退回补正或不通过的，请选择原因，再提交。")
    why: dict[str, Any] = {"reason": DecisionReason(reason), "remark": given["remark"]}
    if decision == "REJECT":
        reviews.reject(ports(), **mine, **why)
        return "rejected"
    reviews.give_back(ports(), **mine, **why, to_mend=given["to_mend"])
    return "given_back"


# --- against the rules


@page(f"{ONE}/override", roles=REVIEWERS, methods=("POST",), scope=scope_of_application, section=SECTION)
def ask_override(application_id: uuid.UUID) -> Any:
    """The first of the two, in words that an auditor will read."""
    given, mine = {"override_reason": field("override_reason")}, as_reviewer(me())
    try:
        version, reason = _version(), given["override_reason"]
        review_overrides.ask_override(ports(), application_id=application_id, version=version, reason=reason, reviewer=mine)
    except BusinessError as fault:
        return _again(application_id, fault, given=given)
    return go("read_review", application_id=application_id, done="override_asked")


@page(
    "/review-overrides/<uuid:override_id>/decision",
    roles=REVIEWERS,
    methods=("POST",),
    scope=scope_of_override,
    section=SECTION,
)
def decide_override(override_id: uuid.UUID) -> Any:
    """The second of the two, who is a supervisor."""
    application_id, choice = review_overrides.application_of(ports(), override_id=override_id), field("choice")
    try:
        if choice not in ("GRANT", "REFUSE"):
            raise ChoiceMissing
        grant = choice == "GRANT"
        review_overrides.decide_override(ports(), override_id=override_id, grant=grant, reviewer=as_reviewer(me()))
    except BusinessError as fault:
        return _again(application_id, fault)
    return go("read_review", application_id=application_id, done="override_granted" if grant else "override_refused")


# --- what a page of one application shows


def _again(application_id: uuid.UUID, fault: BusinessError, *, given: dict[str, Any] | None = None) -> Any:
    """The application as it is now, with what went wrong read out first. Raises the fault where there is nothing to show."""
    if isinstance(fault, NOWHERE_TO_SHOW):
        raise fault
    return show_again("review.html", fault, **_shown(application_id, given=given), done=None)


def _shown(application_id: uuid.UUID, *, given: dict[str, Any] | None = None) -> dict[str, Any]:
    """Masked for everybody; opened for whoever has it in hand, and for others with a reason to look once they ask for it."""
    reviewer = as_reviewer(me())
    seen = application_looks.glance(ports(), application_id=application_id, reviewer=reviewer)
    region = _region(seen.region)
    return {
        "seen": seen,
        "region": region,
        "clock": _clock(seen),
        "told": review_words,
        "given": {"decision": "", "reason": "", "remark": "", "to_mend": [], "override_reason": "", **(given or {})},
        "whole": _whole(application_id, reviewer, region) if _is_to_be_opened(seen) else None,
    }


def _is_to_be_opened(seen: application_looks.Glance) -> bool:
    return seen.is_mine or (seen.may_open and "open" in request.args)


def _whole(application_id: uuid.UUID, reviewer: Reviewer, region: Any) -> dict[str, Any] | None:
    """Everything declared, which leaves its rows; None where it went out of reach a moment ago."""
    try:
        view = reviews.look_at(ports(), application_id=application_id, reviewer=reviewer)
    except ApplicationNotYours:
        return None
    row = view.application
    sheet = lay_out(region, view, on=ports().today())
    rules = findings(
        region,
        kind=ApplicationKind(row.kind),
        obstacles=view.obstacles,
        missing=sheet.missing,
        on=beijing_date(row.submitted_at or row.created_at),
    )
    override = view.override
    is_granted = override is not None and override.state == "GRANTED"
    covered = set(override.problems) if override is not None and is_granted else set()
    return {
        "view": view,
        "sheet": sheet,
        "findings": rules if row.is_waiting else [],
        "may_approve": all(each.code in covered and each.may_be_overridden for each in view.obstacles),
        "may_ask": bool(view.obstacles)
        and all(each.may_be_overridden for each in view.obstacles)
        and (override is None or override.state not in ("ASKED", "GRANTED")),
        "may_answer": override is not None
        and override.state == "ASKED"
        and reviewer.is_supervisor
        and override.asked_by != reviewer.who,
    }


def _version() -> int:
    """Of the application, as the form was shown. Raises ReviewedVersionChanged for what is no version."""
    given = field("version")
    if not (given.isascii() and given.isdigit() and len(given) <= DIGITS_OF_A_VERSION):
        raise ReviewedVersionChanged
    return int(given)
