"""What an applicant is told of a decision, written in the transaction of the decision. Keys are chosen by what the region's rules say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import select

from config.rulebook import Capability, HotlineTopic, Notice, NoticePurpose
from models.applications import ApplicationKind, ApplicationState, EnrollmentApplication
from models.messages import Message, MessageKey
from services.messages import tell

if TYPE_CHECKING:
    from datetime import date, datetime

    from sqlalchemy import ColumnElement
    from sqlalchemy.orm import Session

    from config.rulebook import Region
    from services.enrollment_changes import Effects
    from services.ports import Ports

NO: Final = {
    ApplicationState.REJECTED: MessageKey.APPLICATION_REJECTED,
    ApplicationState.RETURNED: MessageKey.APPLICATION_RETURNED,
}


def tell_approved(
    ports: Ports, session: Session, application: EnrollmentApplication, *, effects: Effects, at: datetime
) -> None:
    """Approved, from which month on, and what comes next in this region (domain §1.4)."""
    region = ports.rulebook.region(application.region)
    facts = _facts(application, region)
    if application.kind == ApplicationKind.SUSPENSION:
        key = MessageKey.APPLICATION_SUSPENDED
    elif region.find(Notice, NoticePurpose.AGENCY_CLIENT.value, ports.today()) is not None:
        key = MessageKey.APPLICATION_APPROVED_WITH_NOTICE
    elif ports.offers(region, Capability.WITHHOLDING_SIGN_ONLINE):
        key = MessageKey.APPLICATION_APPROVED_WITH_AGREEMENT
    else:
        key = MessageKey.APPLICATION_APPROVED
    tell(session, account_id=application.account_id, key=key, facts={**facts, "months": [effects.from_month]}, at=at)
    paid = sorted(effects.paid_months | effects.months_being_paid)
    if paid:
        key = MessageKey.APPLICATION_SUSPENDED_AND_PAID
        tell(session, account_id=application.account_id, key=key, facts={**facts, "months": paid}, at=at)


def tell_refused(ports: Ports, session: Session, application: EnrollmentApplication, *, at: datetime) -> None:
    """Rejected or returned, with its reason. What the reviewer wrote beside it stands in the application, and in no message."""
    facts = {**_facts(application, ports.rulebook.region(application.region)), "reason": str(application.decision_reason)}
    tell(session, account_id=application.account_id, key=NO[ApplicationState(application.state)], facts=facts, at=at)


def not_told_of_delay() -> ColumnElement[bool]:
    """In a question about applications: nobody was told of the delay since it was handed in. Pure."""
    each = EnrollmentApplication
    told = select(Message.id).where(
        Message.account_id == each.account_id,
        Message.template == MessageKey.APPLICATION_OVERDUE,
        Message.facts["case_no"].astext == each.case_no,
        Message.created_at >= each.submitted_at,
    )
    return ~told.exists()


def tell_delay(ports: Ports, session: Session, application: EnrollmentApplication, *, at: datetime) -> None:
    """An apology. The application is locked, and nobody was told since it was handed in."""
    facts = _facts(application, ports.rulebook.region(application.region))
    tell(session, account_id=application.account_id, key=MessageKey.APPLICATION_OVERDUE, facts=facts, at=at)


def was_told_to_mend(session: Session, application: EnrollmentApplication) -> bool:
    """Whether its applicant was reminded since it was returned."""
    told = select(Message.id).where(
        Message.account_id == application.account_id,
        Message.template == MessageKey.APPLICATION_LAPSES_SOON,
        Message.facts["case_no"].astext == application.case_no,
        Message.created_at > application.decided_at,
    )
    return session.scalar(select(told.exists())) or False


def tell_to_mend(ports: Ports, session: Session, application: EnrollmentApplication, *, mend_by: date, at: datetime) -> None:
    """The last day is near. The application is locked, and nobody was told since it was returned."""
    facts = {**_facts(application, ports.rulebook.region(application.region)), "due_on": mend_by.isoformat()}
    tell(session, account_id=application.account_id, key=MessageKey.APPLICATION_LAPSES_SOON, facts=facts, at=at)


def tell_lapsed(ports: Ports, session: Session, application: EnrollmentApplication, *, at: datetime) -> None:
    """It is over, and another may be made from it."""
    facts = _facts(application, ports.rulebook.region(application.region))
    tell(session, account_id=application.account_id, key=MessageKey.APPLICATION_LAPSED, facts=facts, at=at)


def _facts(application: EnrollmentApplication, region: Region) -> dict[str, Any]:
    return {
        "case_no": application.case_no,
        "kind": str(application.kind),
        "hotline": region.hotline(HotlineTopic.ENROLLMENT).number,
    }
