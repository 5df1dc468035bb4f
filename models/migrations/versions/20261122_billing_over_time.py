"""billing over time: tiers with their months, adjustments that a person judges, reminders, why a bill was issued."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

NUMBER = "upper(substr(replace(gen_random_uuid()::text, '-', ''), 1, 24))"


def upgrade() -> None:
    op.add_column("enrollments", sa.Column("enrollment_no", sa.Text(), server_default=sa.text(NUMBER), nullable=False))
    op.create_unique_constraint(op.f("uq_enrollments_enrollment_no"), "enrollments", ["enrollment_no"])
    op.add_column("enrollments", sa.Column("months_elsewhere", sa.BigInteger(), nullable=True))
    op.create_check_constraint(
        op.f("ck_enrollments_months_elsewhere_not_negative"), "enrollments", "months_elsewhere >= 0"
    )
    op.add_column("contribution_bills", sa.Column("reason", sa.Text(), nullable=True))
    op.create_check_constraint(
        op.f("ck_contribution_bills_reason_known"), "contribution_bills", "reason IN ('BASE_ADJUSTMENT')"
    )
    op.create_table(
        "enrollment_tiers",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("enrollment_id", sa.BigInteger(), nullable=False),
        sa.Column("from_month", sa.BigInteger(), nullable=False),
        sa.Column("tier_plan", sa.Text(), nullable=True),
        sa.Column("tier", sa.Text(), nullable=True),
        sa.Column("declared_wage_fen", sa.BigInteger(), nullable=True),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("source IN ('RECORD', 'REGISTRAR', 'PERSON')", name=op.f("ck_enrollment_tiers_source_known")),
        sa.CheckConstraint("mod(from_month, 100) BETWEEN 1 AND 12", name=op.f("ck_enrollment_tiers_from_month_is_a_month")),
        sa.CheckConstraint(
            "tier IS NOT NULL OR declared_wage_fen IS NOT NULL", name=op.f("ck_enrollment_tiers_has_a_base")
        ),
        sa.ForeignKeyConstraint(
            ["enrollment_id"], ["enrollments.id"], name=op.f("fk_enrollment_tiers_enrollment_id_enrollments")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_enrollment_tiers")),
    )
    op.create_index(op.f("ix_enrollment_tiers_enrollment_id_id"), "enrollment_tiers", ["enrollment_id", "id"], unique=False)
    op.create_table(
        "adjustment_reviews",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("bill_id", sa.BigInteger(), nullable=False),
        sa.Column("rule_id", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("assessed_fen", sa.BigInteger(), nullable=False),
        sa.Column("owed_fen", sa.BigInteger(), nullable=True),
        sa.Column("state", sa.Text(), server_default="OPEN", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("resolved_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("state IN ('OPEN', 'RESOLVED')", name=op.f("ck_adjustment_reviews_state_known")),
        sa.CheckConstraint(
            "reason IN ('OVERPAID', 'SECOND_SUPPLEMENT', 'PARTS_SHIFT', 'NO_FIGURE')",
            name=op.f("ck_adjustment_reviews_reason_known"),
        ),
        sa.CheckConstraint(
            "(state = 'RESOLVED') = (resolved_at IS NOT NULL)", name=op.f("ck_adjustment_reviews_resolved_has_a_moment")
        ),
        sa.ForeignKeyConstraint(
            ["bill_id"], ["contribution_bills.id"], name=op.f("fk_adjustment_reviews_bill_id_contribution_bills")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_adjustment_reviews")),
        sa.UniqueConstraint("bill_id", "rule_id", name=op.f("uq_adjustment_reviews_bill_id_rule_id")),
    )
    op.create_index(
        "ix_adjustment_reviews_open", "adjustment_reviews", ["id"], unique=False, postgresql_where=sa.text("state = 'OPEN'")
    )
    op.create_table(
        "payment_reminders",
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("region", sa.Text(), nullable=False),
        sa.Column("coverage_month", sa.BigInteger(), nullable=False),
        sa.Column("template", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_payment_reminders_account_id_accounts")),
        sa.ForeignKeyConstraint(["person_id"], ["persons.id"], name=op.f("fk_payment_reminders_person_id_persons")),
        sa.PrimaryKeyConstraint(
            "person_id", "region", "coverage_month", "template", name=op.f("pk_payment_reminders")
        ),
    )
    op.create_index(op.f("ix_payment_reminders_created_at"), "payment_reminders", ["created_at"], unique=False)
    for event, each in (("UPDATE OR DELETE", "ROW"), ("TRUNCATE", "STATEMENT")):
        name = "append_only" if each == "ROW" else "no_truncate"
        op.execute(
            f"CREATE TRIGGER enrollment_tiers_{name} BEFORE {event} ON enrollment_tiers FOR EACH {each} EXECUTE FUNCTION refuse_change()"
        )


def downgrade() -> None:
    raise NotImplementedError("which month had which tier does not come back: restore a backup instead")
