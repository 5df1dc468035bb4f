"""Applications: what somebody asks the registrar for (enrolment, resumption, suspension), the papers with it, and what became of it."""

from __future__ import annotations

import uuid
from datetime import datetime
from enum import StrEnum
from typing import ClassVar

from sqlalchemy import CheckConstraint, ForeignKey, Identity, Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column, relationship

from models.base import Base, Moves, Stateful, new_id, new_number, one_of


class ApplicationKind(StrEnum):
    NEW_ENROLLMENT = "NEW_ENROLLMENT"
    """新参保 (参保登记)."""
    RESUMPTION = "RESUMPTION"
    """续保: contributions go on after a pause. No insurance is renewed."""
    SUSPENSION = "SUSPENSION"
    """停保."""


class ApplicationState(StrEnum):
    """DRAFT → DOCUMENTS_READY → SUBMITTED → UNDER_REVIEW → APPROVED | REJECTED | RETURNED → SUBMITTED | LAPSED (domain §8.4)."""

    DRAFT = "DRAFT"
    DOCUMENTS_READY = "DOCUMENTS_READY"
    """上传 was pressed and nothing was missing; where a region knows no such step, it is passed over."""
    SUBMITTED = "SUBMITTED"
    UNDER_REVIEW = "UNDER_REVIEW"
    RETURNED = "RETURNED"
    """补正: back to the applicant, to be corrected and handed in again."""
    APPROVED = "APPROVED"
    REJECTED = "REJECTED"
    WITHDRAWN = "WITHDRAWN"
    LAPSED = "LAPSED"
    """Returned, and not mended in time (config/regions, mending_terms). Another one may be made from it."""


class DecisionReason(StrEnum):
    """Why an application was rejected or returned. A closed list: what else is to be said goes sealed beside it."""

    DOCUMENT_UNREADABLE = "DOCUMENT_UNREADABLE"
    DOCUMENT_MISSING = "DOCUMENT_MISSING"
    DOCUMENT_EXPIRED = "DOCUMENT_EXPIRED"
    DOCUMENT_NOT_THE_APPLICANTS = "DOCUMENT_NOT_THE_APPLICANTS"
    DECLARED_DIFFERS = "DECLARED_DIFFERS"
    """What was declared is not what the papers say."""
    NOT_ELIGIBLE = "NOT_ELIGIBLE"
    ACTIVE_ELSEWHERE = "ACTIVE_ELSEWHERE"
    OTHER = "OTHER"


_A = ApplicationState
OPEN_STATES = (_A.DRAFT, _A.DOCUMENTS_READY, _A.SUBMITTED, _A.UNDER_REVIEW, _A.RETURNED)
"""One of these per person and insurance (domain §1.4)."""
WAITING_STATES = (_A.SUBMITTED, _A.UNDER_REVIEW)
"""At the registrar, who has to decide."""
EDITABLE_STATES = (_A.DRAFT, _A.DOCUMENTS_READY, _A.RETURNED)
ENDED_UNDONE = (_A.REJECTED, _A.WITHDRAWN, _A.LAPSED)
"""Over, and nothing came of it: its pictures are of no use, and another one may be made from its data."""


class JointCase(Base):
    """联合办: one case under which an enrolment, its debit agreement and its first payment are followed together (R-XJ-50)."""

    __tablename__ = "joint_cases"
    __table_args__ = (Index(None, "account_id", "created_at"),)

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    case_no: Mapped[str] = mapped_column(unique=True, default=new_number)
    account_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("accounts.id"))
    person_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("persons.id"))
    region: Mapped[str]
    resident_scheme: Mapped[str | None]
    """170 or 390, where somebody came in by the residents' entry; empty for flexible employment."""
    created_at: Mapped[datetime]


class EnrollmentApplication(Stateful, Base):
    """One request of one person. Nobody changes what was submitted; it goes back first."""

    __tablename__ = "enrollment_applications"
    __table_args__ = (
        one_of(ApplicationKind, "kind"),
        one_of(ApplicationState),
        one_of(DecisionReason, "decision_reason"),
        CheckConstraint("mod(effective_month, 100) BETWEEN 1 AND 12", name="effective_month_is_a_month"),
        CheckConstraint(
            "state IN ('DRAFT', 'DOCUMENTS_READY', 'WITHDRAWN') OR submitted_at IS NOT NULL", name="submitted_has_a_moment"
        ),
        CheckConstraint("state NOT IN ('APPROVED', 'REJECTED') OR decided_by IS NOT NULL", name="decided_by_somebody"),
        CheckConstraint("state NOT IN ('REJECTED', 'RETURNED') OR decision_reason IS NOT NULL", name="no_has_a_reason"),
        Index(None, "account_id", "created_at"),
        Index(None, "person_id"),
        Index(None, "copied_from_id", postgresql_where=text("copied_from_id IS NOT NULL")),
        Index(None, "joint_case_id", postgresql_where=text("joint_case_id IS NOT NULL")),
        Index("ix_enrollment_applications_returned", "id", postgresql_where=text("state = 'RETURNED'")),
        Index(
            "ix_enrollment_applications_queue",
            "region",
            "due_at",
            postgresql_where=text("state IN ('SUBMITTED', 'UNDER_REVIEW')"),
        ),
    )
    MOVES: ClassVar[Moves] = Moves(
        "enrollment_application",
        {
            (_A.DRAFT, _A.DOCUMENTS_READY): "application.documents_handed_in",
            (_A.DOCUMENTS_READY, _A.DRAFT): "application.changed",
            (_A.DRAFT, _A.SUBMITTED): "application.submitted",
            (_A.DOCUMENTS_READY, _A.SUBMITTED): "application.submitted",
            (_A.RETURNED, _A.SUBMITTED): "application.submitted_again",
            (_A.SUBMITTED, _A.UNDER_REVIEW): "application.taken_up",
            (_A.UNDER_REVIEW, _A.SUBMITTED): "application.put_back",
            (_A.UNDER_REVIEW, _A.APPROVED): "application.approved",
            (_A.UNDER_REVIEW, _A.REJECTED): "application.rejected",
            (_A.UNDER_REVIEW, _A.RETURNED): "application.returned",
            (_A.DRAFT, _A.WITHDRAWN): "application.withdrawn",
            (_A.DOCUMENTS_READY, _A.WITHDRAWN): "application.withdrawn",
            (_A.SUBMITTED, _A.WITHDRAWN): "application.withdrawn",
            (_A.RETURNED, _A.WITHDRAWN): "application.withdrawn",
            (_A.RETURNED, _A.LAPSED): "application.lapsed",
        },
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    case_no: Mapped[str] = mapped_column(unique=True, default=new_number)
    """办件编号: the number people and staff say to each other."""
    kind: Mapped[str]
    state: Mapped[str] = mapped_column(default=ApplicationState.DRAFT)
    account_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("accounts.id"))
    person_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("persons.id"))
    miniprogram: Mapped[str]
    region: Mapped[str]
    joint_case_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("joint_cases.id"))
    copied_from_id: Mapped[uuid.UUID | None] = mapped_column(
        ForeignKey("enrollment_applications.id", name="fk_enrollment_applications_copied_from", ondelete="SET NULL")
    )
    """The rejected, withdrawn or lapsed one whose data were taken over."""
    version: Mapped[int] = mapped_column(default=1)
    """Goes up with every change by the applicant: who submits or decides says which one they saw."""

    pooling_area: Mapped[str | None]
    agency: Mapped[str | None]
    """The labour-affairs agency that the person entrusts (R-CZ-18)."""
    hukou_division: Mapped[str | None]
    residence_division: Mapped[str | None]
    details_sealed: Mapped[bytes | None]
    """What the person declared about themselves and their bank, as JSON: addresses, ethnic group, card and the like (domain §1.4)."""
    details_masked: Mapped[dict[str, str] | None] = mapped_column(JSONB)
    """The same as it may be shown: masks, and plain words for choices that say nothing private."""
    change_reason: Mapped[str | None]
    """AAE160, for a suspension."""
    effective_month: Mapped[int | None]
    """YYYYMM: the first month of coverage, or the first no longer covered."""

    submitted_at: Mapped[datetime | None]
    target_at: Mapped[datetime | None]
    due_at: Mapped[datetime | None]
    """End of the second working day (R-CZ-36)."""
    due_is_provisional: Mapped[bool] = mapped_column(default=False)
    """Reckoned while the coming year's holidays were not published yet."""
    taken_up_by: Mapped[str | None]
    taken_up_at: Mapped[datetime | None]
    decided_by: Mapped[str | None]
    decided_at: Mapped[datetime | None]
    decision_reason: Mapped[str | None]
    remark_sealed: Mapped[bytes | None]
    """What the reviewer says to the applicant beside the reason."""
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]

    items: Mapped[list[ApplicationItem]] = relationship(lazy="raise", order_by="ApplicationItem.insurance_type")
    documents: Mapped[list[ApplicationDocument]] = relationship(
        lazy="raise",
        primaryjoin="and_(ApplicationDocument.application_id == EnrollmentApplication.id, ApplicationDocument.live)",
        viewonly=True,
        order_by="ApplicationDocument.kind",
    )

    @classmethod
    def details_place(cls, row_id: uuid.UUID) -> str:
        return cls.place_of("details_sealed", row_id)

    @classmethod
    def remark_place(cls, row_id: uuid.UUID) -> str:
        return cls.place_of("remark_sealed", row_id)

    # Verbs. Each leaves its row in `moves`, and `change` none: a draft is the applicant's own scribbling.

    def change(self, *, who: str, at: datetime) -> None:
        """Something in it changed: what was handed in as complete is to be looked at again."""
        if self.state == ApplicationState.DOCUMENTS_READY:
            self._move(ApplicationState.DRAFT, who=who, at=at)
        self.version, self.updated_at = self.version + 1, at

    def hand_in_documents(self, *, who: str, at: datetime) -> None:
        """上传 (R-CZ-34)."""
        self._move(ApplicationState.DOCUMENTS_READY, who=who, at=at)
        self.updated_at = at

    def submit(self, *, target_at: datetime, due_at: datetime, is_provisional: bool, who: str, at: datetime) -> None:
        """提交申报, or 保存 where that is the same (R-CZ-35, R-XJ-20). The clock starts anew each time."""
        self._move(ApplicationState.SUBMITTED, who=who, at=at)
        self.submitted_at = self.updated_at = at
        self.target_at, self.due_at, self.due_is_provisional = target_at, due_at, is_provisional

    def withdraw(self, *, who: str, at: datetime) -> None:
        """By the applicant, until somebody reviews it."""
        self._move(ApplicationState.WITHDRAWN, who=who, at=at)
        self.updated_at = at

    def lapse(self, *, who: str, at: datetime) -> None:
        """Nobody mended it in time: its insurances are free for another one."""
        self._move(ApplicationState.LAPSED, who=who, at=at)
        self.updated_at = at

    def take_up(self, *, who: str, at: datetime) -> None:
        """By one of the staff, who alone decides it from now on."""
        self._move(ApplicationState.UNDER_REVIEW, who=who, at=at)
        self.taken_up_by, self.taken_up_at, self.updated_at = who, at, at

    def put_back(self, *, who: str, at: datetime) -> None:
        """Undecided, for another."""
        self._move(ApplicationState.SUBMITTED, who=who, at=at)
        self.taken_up_by, self.taken_up_at, self.updated_at = None, None, at

    def approve(self, *, who: str, at: datetime) -> None:
        self._move(ApplicationState.APPROVED, who=who, at=at)
        self.decided_by, self.decided_at, self.updated_at = who, at, at

    def reject(self, reason: DecisionReason, *, who: str, at: datetime) -> None:
        self._refuse(ApplicationState.REJECTED, reason, who=who, at=at)

    def give_back(self, reason: DecisionReason, *, who: str, at: datetime) -> None:
        """退回补正: nothing is decided; the applicant mends it and hands it in again."""
        self._refuse(ApplicationState.RETURNED, reason, who=who, at=at)
        self.taken_up_by, self.taken_up_at = None, None

    def _refuse(self, to: ApplicationState, reason: DecisionReason, *, who: str, at: datetime) -> None:
        self.decision_reason = reason
        self._move(to, who=who, at=at, why=f"{self.MOVES.event(self.state, to)}: {reason}")
        self.decided_by, self.decided_at, self.updated_at = who, at, at

    @property
    def is_open(self) -> bool:
        return self.state in OPEN_STATES

    @property
    def is_waiting(self) -> bool:
        return self.state in WAITING_STATES

    @property
    def is_editable(self) -> bool:
        return self.state in EDITABLE_STATES


class ApplicationItem(Base):
    """One insurance that an application asks for, with its tier or declared wage."""

    __tablename__ = "application_items"
    __table_args__ = (
        Index(
            "uq_application_items_person_id_insurance_type_live",
            "person_id",
            "insurance_type",
            unique=True,
            postgresql_where=text("live"),
        ),
        CheckConstraint("declared_wage_fen > 0", name="wage_positive"),
    )

    application_id: Mapped[uuid.UUID] = mapped_column(
        ForeignKey("enrollment_applications.id", ondelete="CASCADE"), primary_key=True
    )
    insurance_type: Mapped[str] = mapped_column(primary_key=True)
    person_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("persons.id"))
    tier_plan: Mapped[str | None]
    tier: Mapped[str | None]
    declared_wage_fen: Mapped[int | None]
    """Fen a month, where the plan takes a declared wage (R-XJ-34)."""
    enrollment_id: Mapped[int | None] = mapped_column(ForeignKey("enrollments.id"))
    """What is to be resumed or suspended; after approval, what came of it."""
    live: Mapped[bool] = mapped_column(default=True)
    """While the application is open: the database lets nobody have two for one insurance."""


class ApplicationDocument(Base):
    """One photograph of one kind of paper. The picture itself lies sealed in the document store."""

    __tablename__ = "application_documents"
    __table_args__ = (
        Index(
            "uq_application_documents_application_id_kind_live",
            "application_id",
            "kind",
            unique=True,
            postgresql_where=text("live"),
        ),
        Index(None, "application_id"),
        CheckConstraint("byte_count > 0", name="not_empty"),
        Index(
            "ix_application_documents_to_erase", "id", postgresql_where=text("picture_key_sealed IS NULL AND erased_at IS NULL")
        ),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    application_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("enrollment_applications.id", ondelete="SET NULL"))
    """Empty once the application was erased: the row stays until its picture is gone too, or nobody would know of the picture."""
    kind: Mapped[str]
    media_type: Mapped[str]
    byte_count: Mapped[int]
    width: Mapped[int]
    height: Mapped[int]
    content_hash: Mapped[bytes]
    """Keyed hash of the picture as kept: the same one twice changes nothing."""
    picture_key_sealed: Mapped[bytes | None]
    """The key that opens the picture (config/blob_seals.py). Without it the picture is noise, wherever a copy of it lies."""
    scanned_at: Mapped[datetime | None]
    """When a virus scanner let it pass; empty where none is configured."""
    live: Mapped[bool] = mapped_column(default=True)
    """False once another took its place or the applicant took it back. The sweep takes the picture away then, and where
    `application_id` is empty."""
    uploaded_at: Mapped[datetime]
    unused_since: Mapped[datetime | None]
    """When it lost its use: another took its place, or the application was rejected, withdrawn or lapsed. Its term counts from here."""
    erased_at: Mapped[datetime | None]
    """When the store let go of the picture."""

    @classmethod
    def picture_key_place(cls, row_id: uuid.UUID) -> str:
        return cls.place_of("picture_key_sealed", row_id)

    def retire(self, *, at: datetime) -> None:
        """No use of it any more: from this moment nobody can open it, and the sweep takes what is left of it."""
        self.live, self.picture_key_sealed, self.unused_since = False, None, self.unused_since or at


class DocumentUpload(Base):
    """One try to upload a picture, whatever came of it: tries are counted, since each costs a scan and a decoding."""

    __tablename__ = "document_uploads"
    __table_args__ = (Index(None, "account_id", "at"),)

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    account_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("accounts.id"))
    kind: Mapped[str]
    at: Mapped[datetime]
