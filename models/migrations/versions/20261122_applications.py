"""applications: what somebody asks the registrar for, the insurances in it, the papers with it, and joint cases."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "joint_cases",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("case_no", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("region", sa.Text(), nullable=False),
        sa.Column("resident_scheme", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_joint_cases_account_id_accounts")),
        sa.ForeignKeyConstraint(["person_id"], ["persons.id"], name=op.f("fk_joint_cases_person_id_persons")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_joint_cases")),
        sa.UniqueConstraint("case_no", name=op.f("uq_joint_cases_case_no")),
    )
    op.create_index(op.f("ix_joint_cases_account_id_created_at"), "joint_cases", ["account_id", "created_at"], unique=False)
    op.create_table(
        "enrollment_applications",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("case_no", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("miniprogram", sa.Text(), nullable=False),
        sa.Column("region", sa.Text(), nullable=False),
        sa.Column("joint_case_id", sa.Uuid(), nullable=True),
        sa.Column("copied_from_id", sa.Uuid(), nullable=True),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("pooling_area", sa.Text(), nullable=True),
        sa.Column("agency", sa.Text(), nullable=True),
        sa.Column("hukou_division", sa.Text(), nullable=True),
        sa.Column("residence_division", sa.Text(), nullable=True),
        sa.Column("details_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("details_masked", postgresql.JSONB(), nullable=True),
        sa.Column("change_reason", sa.Text(), nullable=True),
        sa.Column("effective_month", sa.BigInteger(), nullable=True),
        sa.Column("submitted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("target_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("due_is_provisional", sa.Boolean(), nullable=False),
        sa.Column("taken_up_by", sa.Text(), nullable=True),
        sa.Column("taken_up_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decided_by", sa.Text(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decision_reason", sa.Text(), nullable=True),
        sa.Column("remark_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "decision_reason IN ('DOCUMENT_UNREADABLE', 'DOCUMENT_MISSING', 'DOCUMENT_EXPIRED', 'DOCUMENT_NOT_THE_APPLICANTS', 'DECLARED_DIFFERS', 'NOT_ELIGIBLE', 'ACTIVE_ELSEWHERE', 'OTHER')",
            name=op.f("ck_enrollment_applications_decision_reason_known"),
        ),
        sa.CheckConstraint(
            "kind IN ('NEW_ENROLLMENT', 'RESUMPTION', 'SUSPENSION')", name=op.f("ck_enrollment_applications_kind_known")
        ),
        sa.CheckConstraint(
            "state IN ('DRAFT', 'DOCUMENTS_READY', 'SUBMITTED', 'UNDER_REVIEW', 'RETURNED', 'APPROVED', 'REJECTED', 'WITHDRAWN', 'LAPSED')",
            name=op.f("ck_enrollment_applications_state_known"),
        ),
        sa.CheckConstraint(
            "state IN ('DRAFT', 'DOCUMENTS_READY', 'WITHDRAWN') OR submitted_at IS NOT NULL",
            name=op.f("ck_enrollment_applications_submitted_has_a_moment"),
        ),
        sa.CheckConstraint(
            "state NOT IN ('APPROVED', 'REJECTED') OR decided_by IS NOT NULL",
            name=op.f("ck_enrollment_applications_decided_by_somebody"),
        ),
        sa.CheckConstraint(
            "state NOT IN ('REJECTED', 'RETURNED') OR decision_reason IS NOT NULL",
            name=op.f("ck_enrollment_applications_no_has_a_reason"),
        ),
        sa.CheckConstraint(
            "mod(effective_month, 100) BETWEEN 1 AND 12", name=op.f("ck_enrollment_applications_effective_month_is_a_month")
        ),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_enrollment_applications_account_id_accounts")),
        sa.ForeignKeyConstraint(
            ["copied_from_id"],
            ["enrollment_applications.id"],
            name=op.f("fk_enrollment_applications_copied_from"),
            ondelete="SET NULL",
        ),
        sa.ForeignKeyConstraint(
            ["joint_case_id"], ["joint_cases.id"], name=op.f("fk_enrollment_applications_joint_case_id_joint_cases")
        ),
        sa.ForeignKeyConstraint(["person_id"], ["persons.id"], name=op.f("fk_enrollment_applications_person_id_persons")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_enrollment_applications")),
        sa.UniqueConstraint("case_no", name=op.f("uq_enrollment_applications_case_no")),
    )
    op.create_index(
        op.f("ix_enrollment_applications_account_id_created_at"),
        "enrollment_applications",
        ["account_id", "created_at"],
        unique=False,
    )
    op.create_index(op.f("ix_enrollment_applications_person_id"), "enrollment_applications", ["person_id"], unique=False)
    op.create_index(
        op.f("ix_enrollment_applications_copied_from_id"),
        "enrollment_applications",
        ["copied_from_id"],
        unique=False,
        postgresql_where=sa.text("copied_from_id IS NOT NULL"),
    )
    op.create_index(
        op.f("ix_enrollment_applications_joint_case_id"),
        "enrollment_applications",
        ["joint_case_id"],
        unique=False,
        postgresql_where=sa.text("joint_case_id IS NOT NULL"),
    )
    op.create_index(
        "ix_enrollment_applications_returned",
        "enrollment_applications",
        ["id"],
        unique=False,
        postgresql_where=sa.text("state = 'RETURNED'"),
    )
    op.create_index(
        "ix_enrollment_applications_queue",
        "enrollment_applications",
        ["region", "due_at"],
        unique=False,
        postgresql_where=sa.text("state IN ('SUBMITTED', 'UNDER_REVIEW')"),
    )
    op.create_table(
        "application_documents",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("application_id", sa.Uuid(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("media_type", sa.Text(), nullable=False),
        sa.Column("byte_count", sa.BigInteger(), nullable=False),
        sa.Column("width", sa.BigInteger(), nullable=False),
        sa.Column("height", sa.BigInteger(), nullable=False),
        sa.Column("content_hash", sa.LargeBinary(), nullable=False),
        sa.Column("scanned_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("live", sa.Boolean(), nullable=False),
        sa.Column("uploaded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("erased_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("byte_count > 0", name=op.f("ck_application_documents_not_empty")),
        sa.ForeignKeyConstraint(
            ["application_id"],
            ["enrollment_applications.id"],
            name=op.f("fk_application_documents_application_id_enrollment_applications"),
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_application_documents")),
    )
    op.create_index(
        op.f("ix_application_documents_application_id"), "application_documents", ["application_id"], unique=False
    )
    op.create_index(
        "uq_application_documents_application_id_kind_live",
        "application_documents",
        ["application_id", "kind"],
        unique=True,
        postgresql_where=sa.text("live"),
    )
    op.create_table(
        "application_items",
        sa.Column("application_id", sa.Uuid(), nullable=False),
        sa.Column("insurance_type", sa.Text(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("tier_plan", sa.Text(), nullable=True),
        sa.Column("tier", sa.Text(), nullable=True),
        sa.Column("declared_wage_fen", sa.BigInteger(), nullable=True),
        sa.Column("enrollment_id", sa.BigInteger(), nullable=True),
        sa.Column("live", sa.Boolean(), nullable=False),
        sa.CheckConstraint("declared_wage_fen > 0", name=op.f("ck_application_items_wage_positive")),
        sa.ForeignKeyConstraint(
            ["application_id"],
            ["enrollment_applications.id"],
            name=op.f("fk_application_items_application_id_enrollment_applications"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["enrollment_id"], ["enrollments.id"], name=op.f("fk_application_items_enrollment_id_enrollments")
        ),
        sa.ForeignKeyConstraint(["person_id"], ["persons.id"], name=op.f("fk_application_items_person_id_persons")),
        sa.PrimaryKeyConstraint("application_id", "insurance_type", name=op.f("pk_application_items")),
    )
    op.create_index(
        "uq_application_items_person_id_insurance_type_live",
        "application_items",
        ["person_id", "insurance_type"],
        unique=True,
        postgresql_where=sa.text("live"),
    )


def downgrade() -> None:
    op.drop_table("application_items")
    op.drop_table("application_documents")
    op.drop_table("enrollment_applications")
    op.drop_table("joint_cases")
