"""desk: a comparison that somebody asked for at the console; and finding a day's transfers, and a refund by its number."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.add_column("reconciliations", sa.Column("asked_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("reconciliations", sa.Column("asked_by", sa.Text(), nullable=True))
    op.add_column("reconciliations", sa.Column("answered_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("reconciliations", sa.Column("ask_fault", sa.Text(), nullable=True))
    op.create_check_constraint(
        op.f("ck_reconciliations_ask_fault_known"),
        "reconciliations",
        "ask_fault IN ('NOT_READY', 'DAMAGED', 'NO_ANSWER', 'CLOSED')",
    )
    op.create_check_constraint(
        op.f("ck_reconciliations_asked_by_somebody"), "reconciliations", "(asked_at IS NULL) = (asked_by IS NULL)"
    )
    op.create_index(
        "ix_reconciliations_asked",
        "reconciliations",
        ["asked_at"],
        unique=False,
        postgresql_where=sa.text("asked_at IS NOT NULL AND answered_at IS NULL"),
    )
    op.create_index(
        op.f("ix_transfers_at"),
        "transfers",
        ["at"],
        unique=False,
        postgresql_using="brin",
        postgresql_with={"autosummarize": "on", "pages_per_range": "32"},
    )
    op.create_index(op.f("ix_refunds_refund_no"), "refunds", ["refund_no"], unique=False)


def downgrade() -> None:
    op.drop_index(op.f("ix_refunds_refund_no"), table_name="refunds")
    op.drop_index(op.f("ix_transfers_at"), table_name="transfers")
    op.drop_index("ix_reconciliations_asked", table_name="reconciliations")
    op.drop_constraint(op.f("ck_reconciliations_asked_by_somebody"), "reconciliations", type_="check")
    op.drop_constraint(op.f("ck_reconciliations_ask_fault_known"), "reconciliations", type_="check")
    for name in ("ask_fault", "answered_at", "asked_by", "asked_at"):
        op.drop_column("reconciliations", name)
