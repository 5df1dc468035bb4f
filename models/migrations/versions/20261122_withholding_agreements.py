"""withholding agreements: by whose card, and since when, one insurance of one person may be debited; what a bank was asked for."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("bank_card_checks", sa.Column("purpose", sa.Text(), server_default="IDENTITY", nullable=False))
    op.create_check_constraint(
        op.f("ck_bank_card_checks_purpose_known"), "bank_card_checks", "purpose IN ('IDENTITY', 'AGREEMENT')"
    )
    op.create_table(
        "withholding_agreements",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("agreement_no", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=True),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("region", sa.Text(), nullable=False),
        sa.Column("authority", sa.Text(), nullable=False),
        sa.Column("insurance_type", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("bank", sa.Text(), nullable=False),
        sa.Column("bank_category", sa.Text(), nullable=False),
        sa.Column("card_number_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("card_number_index", sa.LargeBinary(), nullable=True),
        sa.Column("card_masked", sa.Text(), nullable=False),
        sa.Column("phone_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("bank_agreement_no", sa.Text(), nullable=True),
        sa.Column("financial_function_activated", sa.Boolean(), nullable=True),
        sa.Column("text_version", sa.Text(), nullable=True),
        sa.Column("text_hash", sa.LargeBinary(), nullable=True),
        sa.Column("signed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_by", sa.Text(), nullable=True),
        sa.Column("confirmed_by", sa.Text(), nullable=True),
        sa.Column("next_ask_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("asks", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("verified_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "state IN ('PENDING_VERIFY', 'ACTIVE', 'SUSPENDED', 'TERMINATED', 'REJECTED')",
            name=op.f("ck_withholding_agreements_state_known"),
        ),
        sa.CheckConstraint("channel IN ('ONLINE', 'BRANCH')", name=op.f("ck_withholding_agreements_channel_known")),
        sa.CheckConstraint(
            "reason IN ('HOLDER_MISMATCH', 'CARD_UNSUPPORTED', 'NO_ANSWER', 'CONSENT_TAKEN_BACK', 'RECORDED_WRONGLY', "
            "'CARD_LOST', 'ACCOUNT_FROZEN')",
            name=op.f("ck_withholding_agreements_reason_known"),
        ),
        sa.CheckConstraint(
            "state IN ('TERMINATED', 'REJECTED') OR (card_number_sealed IS NOT NULL AND card_number_index IS NOT NULL)",
            name=op.f("ck_withholding_agreements_card_while_live"),
        ),
        sa.CheckConstraint(
            "(card_number_sealed IS NULL) = (card_number_index IS NULL)",
            name=op.f("ck_withholding_agreements_card_found_while_sealed"),
        ),
        sa.CheckConstraint(
            "phone_sealed IS NULL OR state = 'PENDING_VERIFY'", name=op.f("ck_withholding_agreements_phone_while_pending")
        ),
        sa.CheckConstraint(
            "next_ask_at IS NULL OR state = 'PENDING_VERIFY'", name=op.f("ck_withholding_agreements_asked_while_pending")
        ),
        sa.CheckConstraint(
            "(state IN ('TERMINATED', 'REJECTED')) = (finished_at IS NOT NULL)",
            name=op.f("ck_withholding_agreements_finished_when_over"),
        ),
        sa.CheckConstraint(
            "(state IN ('REJECTED', 'SUSPENDED')) = (reason IS NOT NULL)",
            name=op.f("ck_withholding_agreements_reason_when_stopped"),
        ),
        sa.CheckConstraint(
            "channel <> 'ONLINE' OR (account_id IS NOT NULL AND text_version IS NOT NULL AND text_hash IS NOT NULL)",
            name=op.f("ck_withholding_agreements_online_by_somebody_who_agreed"),
        ),
        sa.CheckConstraint(
            "(channel = 'BRANCH') = (recorded_by IS NOT NULL)",
            name=op.f("ck_withholding_agreements_branch_recorded_by_somebody"),
        ),
        sa.CheckConstraint("confirmed_by <> recorded_by", name=op.f("ck_withholding_agreements_two_people")),
        sa.CheckConstraint(
            "channel <> 'BRANCH' OR state IN ('PENDING_VERIFY', 'REJECTED') OR confirmed_by IS NOT NULL",
            name=op.f("ck_withholding_agreements_branch_confirmed_by_another"),
        ),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_withholding_agreements_account_id_accounts")),
        sa.ForeignKeyConstraint(["person_id"], ["persons.id"], name=op.f("fk_withholding_agreements_person_id_persons")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_withholding_agreements")),
        sa.UniqueConstraint("agreement_no", name=op.f("uq_withholding_agreements_agreement_no")),
    )
    op.create_index(
        "uq_withholding_agreements_live",
        "withholding_agreements",
        ["person_id", "insurance_type", "authority"],
        unique=True,
        postgresql_where=sa.text("state IN ('PENDING_VERIFY', 'ACTIVE', 'SUSPENDED')"),
    )
    op.create_index(op.f("ix_withholding_agreements_person_id"), "withholding_agreements", ["person_id"], unique=False)
    op.create_index(
        op.f("ix_withholding_agreements_card_number_index"), "withholding_agreements", ["card_number_index"], unique=False
    )
    op.create_index(
        op.f("ix_withholding_agreements_next_ask_at"),
        "withholding_agreements",
        ["next_ask_at"],
        unique=False,
        postgresql_where=sa.text("next_ask_at IS NOT NULL"),
    )


def downgrade() -> None:
    op.drop_table("withholding_agreements")
    op.drop_constraint(op.f("ck_bank_card_checks_purpose_known"), "bank_card_checks")
    op.drop_column("bank_card_checks", "purpose")
