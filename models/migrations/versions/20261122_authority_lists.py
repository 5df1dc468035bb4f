"""Tax lists: what confirms and posts a month, differences of lists, and fees of a day."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

KINDS = (
    "PSP_ONLY", "LOCAL_ONLY", "AMOUNT_DIFF", "TAX_MISSING", "TAX_EXTRA", "REFUND_CROSSED", "NOT_CONFIRMED", "NOT_POSTED", "REGISTRAR_EXTRA",
)  # fmt: skip
SUBJECTS = ("TRADE", "REFUND", "MONTH", "FUNDS")
TRANSFERS = (
    "SETTLED", "SURPLUS", "UNCLAIMED", "REFUNDING", "REFUNDED", "NOT_REFUNDED", "REFUND_SEEN", "ASSIGNED", "CONFIRMED", "FEE", "REVERSAL",
)  # fmt: skip


def upgrade() -> None:
    op.add_column("contribution_records", sa.Column("tax_receipt_no", sa.Text(), nullable=True))
    op.add_column("contribution_records", sa.Column("treasury_on", sa.Date(), nullable=True))
    op.add_column("contribution_records", sa.Column("posted_on", sa.Date(), nullable=True))
    op.create_index(
        "ix_contribution_records_unconfirmed",
        "contribution_records",
        ["paid_at"],
        unique=False,
        postgresql_where=sa.text("state = 'PAID'"),
    )
    op.create_index(
        "ix_contribution_records_reversed",
        "contribution_records",
        ["enrollment_id", "coverage_month"],
        unique=False,
        postgresql_where=sa.text("state = 'REVERSED'"),
    )
    for name, kind in (
        ("why", sa.Text()),
        ("bill_id", sa.BigInteger()),
        ("insurance_type", sa.Text()),
        ("coverage_month", sa.BigInteger()),
        ("line", sa.BigInteger()),
    ):
        op.add_column("reconciliation_differences", sa.Column(name, kind, nullable=True))
    op.create_foreign_key(
        op.f("fk_reconciliation_differences_bill_id_contribution_bills"),
        "reconciliation_differences",
        "contribution_bills",
        ["bill_id"],
        ["id"],
    )
    op.create_index(
        op.f("ix_reconciliation_differences_bill_id"),
        "reconciliation_differences",
        ["bill_id"],
        unique=False,
        postgresql_where=sa.text("bill_id IS NOT NULL"),
    )
    _known("reconciliation_differences", "kind", KINDS)
    _known("reconciliation_differences", "subject", SUBJECTS)
    _known("transfers", "kind", TRANSFERS)
    op.add_column("refunds", sa.Column("billed_on", sa.Date(), nullable=True))
    op.alter_column("transfers", "payment_id", existing_type=sa.Uuid(), nullable=True)
    op.add_column("transfers", sa.Column("reconciliation_id", sa.BigInteger(), nullable=True))
    op.create_foreign_key(
        op.f("fk_transfers_reconciliation_id_reconciliations"), "transfers", "reconciliations", ["reconciliation_id"], ["id"]
    )
    op.create_index(
        "uq_transfers_payment_id_bill_id_confirmed",
        "transfers",
        ["payment_id", "bill_id"],
        unique=True,
        postgresql_where=sa.text("kind = 'CONFIRMED'"),
    )
    op.create_index(
        "ix_transfers_fees", "transfers", ["reconciliation_id"], unique=False, postgresql_where=sa.text("kind = 'FEE'")
    )
    op.create_check_constraint(
        op.f("ck_transfers_fee_of_a_day"), "transfers", "(kind = 'FEE') = (reconciliation_id IS NOT NULL)"
    )
    op.create_check_constraint(
        op.f("ck_transfers_all_but_fees_of_a_payment"), "transfers", "(kind = 'FEE') = (payment_id IS NULL)"
    )


def _known(table: str, column: str, words: tuple[str, ...]) -> None:
    """The database's own copy of a closed choice, with the words that are new."""
    name = op.f(f"ck_{table}_{column}_known")
    op.drop_constraint(name, table, type_="check")
    op.create_check_constraint(name, table, f"{column} IN ({', '.join(repr(word) for word in words)})")
