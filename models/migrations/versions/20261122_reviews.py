"""reviews: earlier runs of months, overrides, and which of the staff is which person."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_constraint(op.f("ck_enrollments_state_known"), "enrollments")
    op.create_check_constraint(
        op.f("ck_enrollments_state_known"), "enrollments", "state IN ('NONE', 'ACTIVE', 'SUSPENDED', 'TERMINATED', 'RETIRED')"
    )
    op.create_index(
        "ix_enrollments_suspended",
        "enrollments",
        ["id"],
        unique=False,
        postgresql_where=sa.text("state = 'SUSPENDED' AND end_month IS NOT NULL"),
    )
    op.create_table(
        "enrollment_periods",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("enrollment_id", sa.BigInteger(), nullable=False),
        sa.Column("start_month", sa.BigInteger(), nullable=False),
        sa.Column("end_month", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("end_month > start_month", name=op.f("ck_enrollment_periods_months_in_order")),
        sa.ForeignKeyConstraint(
            ["enrollment_id"], ["enrollments.id"], name=op.f("fk_enrollment_periods_enrollment_id_enrollments")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_enrollment_periods")),
        sa.UniqueConstraint(
            "enrollment_id", "start_month", name=op.f("uq_enrollment_periods_enrollment_id_start_month")
        ),
    )
    op.create_table(
        "review_overrides",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("application_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("problems", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("asked_by", sa.Text(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_by", sa.Text(), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("decided_by IS NULL OR decided_by <> asked_by", name=op.f("ck_review_overrides_two_people")),
        sa.CheckConstraint(
            "state NOT IN ('GRANTED', 'REFUSED') OR decided_by IS NOT NULL", name=op.f("ck_review_overrides_decided_by_somebody")
        ),
        sa.CheckConstraint("cardinality(problems) > 0", name=op.f("ck_review_overrides_about_something")),
        sa.CheckConstraint(
            "state IN ('ASKED', 'GRANTED', 'REFUSED', 'LAPSED')", name=op.f("ck_review_overrides_state_known")
        ),
        sa.ForeignKeyConstraint(
            ["application_id"],
            ["enrollment_applications.id"],
            name=op.f("fk_review_overrides_application_id_enrollment_applications"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_review_overrides")),
    )
    op.create_index(
        "uq_review_overrides_application_id_open",
        "review_overrides",
        ["application_id"],
        unique=True,
        postgresql_where=sa.text("state IN ('ASKED', 'GRANTED')"),
    )
    op.create_table(
        "staff_persons",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("id_number_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("id_number_index", sa.LargeBinary(), nullable=False),
        sa.Column("noted_by", sa.Text(), nullable=False),
        sa.Column("noted_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_staff_persons")),
        sa.UniqueConstraint("who", name=op.f("uq_staff_persons_who")),
    )


def downgrade() -> None:
    op.drop_table("staff_persons")
    op.drop_table("review_overrides")
    op.drop_table("enrollment_periods")
    op.drop_index("ix_enrollments_suspended", table_name="enrollments")
    op.drop_constraint(op.f("ck_enrollments_state_known"), "enrollments")
    op.create_check_constraint(
        op.f("ck_enrollments_state_known"), "enrollments", "state IN ('ACTIVE', 'SUSPENDED', 'TERMINATED', 'RETIRED')"
    )
