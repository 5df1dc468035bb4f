"""reconciliation: a merchant account's days and their differences, and finding payments by the day they were paid."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(op.f("ix_payments_paid_at"), "payments", ["paid_at"], unique=False, postgresql_using="brin")
    op.create_table(
        "reconciliations",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("merchant_account", sa.Text(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("state", sa.Text(), server_default="OPEN", nullable=False),
        sa.Column("runs", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("compared_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("has_bill", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("trades", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("refunds", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("matched", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("trade_fen", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("refund_fen", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("fee_fen", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("signed_by", sa.Text(), nullable=True),
        sa.Column("closed_by", sa.Text(), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("state IN ('OPEN', 'COMPARED', 'CLOSED')", name=op.f("ck_reconciliations_state_known")),
        sa.CheckConstraint("signed_by <> closed_by", name=op.f("ck_reconciliations_two_people")),
        sa.CheckConstraint("(state = 'CLOSED') = (closed_by IS NOT NULL)", name=op.f("ck_reconciliations_closed_by_somebody")),
        sa.CheckConstraint("closed_by IS NULL OR signed_by IS NOT NULL", name=op.f("ck_reconciliations_signed_before_closed")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reconciliations")),
        sa.UniqueConstraint("merchant_account", "day", name=op.f("uq_reconciliations_merchant_account_day")),
    )
    op.create_table(
        "reconciliation_differences",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("reconciliation_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("payment_no", sa.Text(), nullable=False),
        sa.Column("provider_payment_no", sa.Text(), nullable=False),
        sa.Column("refund_key", sa.Text(), server_default="", nullable=False),
        sa.Column("provider_refund_no", sa.Text(), nullable=True),
        sa.Column("bill_fen", sa.BigInteger(), nullable=True),
        sa.Column("our_fen", sa.BigInteger(), nullable=True),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("happened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("is_done", sa.Boolean(), nullable=False),
        sa.Column("first_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_run", sa.BigInteger(), nullable=False),
        sa.Column("explained_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("explained_by", sa.Text(), nullable=True),
        sa.Column("resolved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("resolved_by", sa.Text(), nullable=True),
        sa.Column("resolution", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "kind IN ('PSP_ONLY', 'LOCAL_ONLY', 'AMOUNT_DIFF')", name=op.f("ck_reconciliation_differences_kind_known")
        ),
        sa.CheckConstraint("subject IN ('TRADE', 'REFUND')", name=op.f("ck_reconciliation_differences_subject_known")),
        sa.CheckConstraint(
            "resolved_by IS NULL OR resolved_at IS NOT NULL", name=op.f("ck_reconciliation_differences_resolved_at_a_time")
        ),
        sa.CheckConstraint(
            "(explained_by IS NULL) = (explained_at IS NULL) AND (explained_by IS NULL OR resolution IS NOT NULL)",
            name=op.f("ck_reconciliation_differences_explained_in_words"),
        ),
        sa.CheckConstraint(
            "resolved_by IS NULL OR (explained_by IS NOT NULL AND explained_by <> resolved_by)",
            name=op.f("ck_reconciliation_differences_two_people"),
        ),
        sa.ForeignKeyConstraint(
            ["reconciliation_id"],
            ["reconciliations.id"],
            name=op.f("fk_reconciliation_differences_reconciliation_id_reconciliations"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reconciliation_differences")),
        sa.UniqueConstraint(
            "reconciliation_id",
            "subject",
            "provider_payment_no",
            "refund_key",
            name="uq_reconciliation_differences_one_a_row",
        ),
    )
    op.create_index(
        "ix_reconciliation_differences_open",
        "reconciliation_differences",
        ["id"],
        unique=False,
        postgresql_where=sa.text("resolved_at IS NULL"),
    )
