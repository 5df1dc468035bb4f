"""refunds: ordered ones beside those that were only seen, and the accounts each takes from."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

STATES = (
    "'APPLIED', 'APPROVED', 'SENT', 'ABNORMAL', 'HRSS_REVIEW', 'TAX_REVIEW', 'TREASURY', 'REFUNDED', 'FAILED', 'REJECTED'"
)
REASONS = "'DUPLICATE', 'OVERPAID', 'WRONG_PERSON', 'NOT_ELIGIBLE', 'EMPLOYER_OVERLAP', 'DEATH', 'UNCLAIMED'"
KINDS = "'SETTLED', 'SURPLUS', 'UNCLAIMED', 'REFUNDING', 'REFUNDED', 'NOT_REFUNDED', 'REFUND_SEEN', 'ASSIGNED', 'REVERSAL'"


def upgrade() -> None:
    op.add_column("payments", sa.Column("told_refunded_fen", sa.BigInteger(), server_default="0", nullable=False))
    op.drop_constraint(op.f("ck_transfers_kind_known"), "transfers")
    op.create_check_constraint(op.f("ck_transfers_kind_known"), "transfers", f"kind IN ({KINDS})")
    op.create_index(
        "ix_transfers_surplus", "transfers", ["payment_id"], unique=False, postgresql_where=sa.text("kind = 'SURPLUS'")
    )
    # Rows from before were all of them only seen.
    op.add_column("refunds", sa.Column("origin", sa.Text(), server_default="SEEN", nullable=False))
    op.add_column("refunds", sa.Column("road", sa.Text(), server_default="PROVIDER", nullable=False))
    op.add_column("refunds", sa.Column("reason", sa.Text(), nullable=True))
    op.add_column("refunds", sa.Column("words", sa.Text(), nullable=True))
    op.add_column("refunds", sa.Column("state", sa.Text(), server_default="REFUNDED", nullable=False))
    op.add_column("refunds", sa.Column("applied_by", sa.Text(), nullable=True))
    op.add_column("refunds", sa.Column("decided_by", sa.Text(), nullable=True))
    op.add_column("refunds", sa.Column("created_at", sa.DateTime(timezone=True), nullable=True))
    op.execute("UPDATE refunds SET created_at = refunded_at")
    op.alter_column("refunds", "created_at", nullable=False)
    op.alter_column("refunds", "origin", server_default=None)
    op.alter_column("refunds", "state", server_default="APPLIED")
    op.alter_column("refunds", "refunded_at", nullable=True)
    op.add_column("refunds", sa.Column("asks", sa.BigInteger(), server_default="0", nullable=False))
    op.add_column("refunds", sa.Column("next_ask_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("refunds", sa.Column("last_asked_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("refunds", sa.Column("fault", sa.Text(), nullable=True))
    op.create_check_constraint(op.f("ck_refunds_state_known"), "refunds", f"state IN ({STATES})")
    op.create_check_constraint(op.f("ck_refunds_origin_known"), "refunds", "origin IN ('ORDERED', 'SEEN')")
    op.create_check_constraint(op.f("ck_refunds_road_known"), "refunds", "road IN ('PROVIDER', 'TREASURY', 'REVERSAL')")
    op.create_check_constraint(op.f("ck_refunds_reason_known"), "refunds", f"reason IN ({REASONS})")
    op.create_check_constraint(
        op.f("ck_refunds_refunded_at_a_time"), "refunds", "(state = 'REFUNDED') = (refunded_at IS NOT NULL)"
    )
    op.create_check_constraint(
        op.f("ck_refunds_ordered_for_a_reason"), "refunds", "origin = 'SEEN' OR (reason IS NOT NULL AND applied_by IS NOT NULL)"
    )
    op.create_index(
        op.f("ix_refunds_next_ask_at"),
        "refunds",
        ["next_ask_at"],
        unique=False,
        postgresql_where=sa.text("next_ask_at IS NOT NULL"),
    )
    op.create_index(
        "ix_refunds_open",
        "refunds",
        ["id"],
        unique=False,
        postgresql_where=sa.text("state NOT IN ('REFUNDED', 'REJECTED')"),
    )
    op.create_table(
        "refund_lines",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("refund_id", sa.BigInteger(), nullable=False),
        sa.Column("bill_id", sa.BigInteger(), nullable=True),
        sa.Column("from_account", sa.Text(), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("live", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.CheckConstraint("amount_fen > 0", name=op.f("ck_refund_lines_amount_positive")),
        sa.ForeignKeyConstraint(["bill_id"], ["contribution_bills.id"], name=op.f("fk_refund_lines_bill_id_contribution_bills")),
        sa.ForeignKeyConstraint(["refund_id"], ["refunds.id"], name=op.f("fk_refund_lines_refund_id_refunds")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_refund_lines")),
    )
    op.create_index(op.f("ix_refund_lines_refund_id"), "refund_lines", ["refund_id"], unique=False)
    op.create_index(
        "uq_refund_lines_bill_id_live", "refund_lines", ["bill_id"], unique=True, postgresql_where=sa.text("live")
    )
