"""What an account may see of its own applications and of what came of them: one statement for each kind, as in own_data_rows. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from models.applications import ApplicationDocument, ApplicationItem, EnrollmentApplication, JointCase
from models.enrollments import Enrollment, EnrollmentPeriod
from models.printouts import Printout
from models.reviews import ReviewOverride

if TYPE_CHECKING:
    from services.own_data_rows import Rows, Whose


def applications(whose: Whose) -> Rows:
    each = EnrollmentApplication
    columns = (
        each.case_no, each.kind, each.state, each.region, each.pooling_area, each.agency, each.hukou_division,
        each.residence_division, each.change_reason, each.effective_month, each.submitted_at, each.due_at, each.decided_at,
        each.decision_reason, each.created_at, each.updated_at,
    )  # fmt: skip
    return select(*columns).where(each.person_id == whose.person_id).order_by(each.id.desc())


def application_items(whose: Whose) -> Rows:
    each = ApplicationItem
    columns = (EnrollmentApplication.case_no, each.insurance_type, each.tier_plan, each.tier, each.declared_wage_fen)
    joined = select(*columns).join(EnrollmentApplication, EnrollmentApplication.id == each.application_id)
    return joined.where(each.person_id == whose.person_id).order_by(each.application_id.desc(), each.insurance_type)


def application_documents(whose: Whose) -> Rows:
    each = ApplicationDocument
    return _of_applications(whose, each, each.kind, each.media_type, each.byte_count, each.uploaded_at, each.erased_at)


def review_overrides(whose: Whose) -> Rows:
    each = ReviewOverride
    return _of_applications(whose, each, each.state, each.reason, each.asked_at, each.finished_at)


def printouts(whose: Whose) -> Rows:
    each = Printout
    return _of_applications(whose, each, each.kind, each.serial, each.version, each.issued_at, each.replaced_at)


def joint_cases(whose: Whose) -> Rows:
    each = JointCase
    columns = (each.case_no, each.region, each.resident_scheme, each.created_at)
    return select(*columns).where(each.person_id == whose.person_id).order_by(each.id.desc())


def enrollment_periods(whose: Whose) -> Rows:
    each = EnrollmentPeriod
    columns = (Enrollment.insurance_type, Enrollment.pooling_area, each.start_month, each.end_month)
    joined = select(*columns).join(Enrollment, Enrollment.id == each.enrollment_id)
    return joined.where(Enrollment.person_id == whose.person_id).order_by(each.id.desc())


def _of_applications(whose: Whose, each: Any, *columns: Any) -> Rows:
    joined = select(EnrollmentApplication.case_no, *columns).join(
        EnrollmentApplication, EnrollmentApplication.id == each.application_id
    )
    return joined.where(EnrollmentApplication.person_id == whose.person_id).order_by(each.id.desc())
