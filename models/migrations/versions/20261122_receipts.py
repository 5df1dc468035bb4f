"""receipts: printouts that are about a paid order, and who fetched one."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("printouts", sa.Column("order_id", sa.BigInteger(), nullable=True))
    op.create_foreign_key(
        op.f("fk_printouts_order_id_payment_orders"), "printouts", "payment_orders", ["order_id"], ["id"]
    )
    op.drop_constraint(op.f("ck_printouts_kind_known"), "printouts")
    op.create_check_constraint(op.f("ck_printouts_kind_known"), "printouts", "kind IN ('REGISTRATION_FORM', 'RECEIPT')")
    op.drop_constraint(op.f("ck_printouts_about_something"), "printouts")
    op.create_check_constraint(
        op.f("ck_printouts_about_something"),
        "printouts",
        "(kind = 'REGISTRATION_FORM') = (application_id IS NOT NULL) AND (kind = 'RECEIPT') = (order_id IS NOT NULL)",
    )
    op.create_unique_constraint(op.f("uq_printouts_order_id_kind_version"), "printouts", ["order_id", "kind", "version"])
    op.create_index(
        "uq_printouts_order_id_kind_latest",
        "printouts",
        ["order_id", "kind"],
        unique=True,
        postgresql_where=sa.text("replaced_at IS NULL"),
    )
    op.create_table(
        "receipt_fetches",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("order_id", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_receipt_fetches_account_id_accounts")),
        sa.ForeignKeyConstraint(["order_id"], ["payment_orders.id"], name=op.f("fk_receipt_fetches_order_id_payment_orders")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_receipt_fetches")),
    )
    op.create_index(op.f("ix_receipt_fetches_account_id_at"), "receipt_fetches", ["account_id", "at"], unique=False)


def downgrade() -> None:
    op.drop_table("receipt_fetches")
    op.execute("DELETE FROM printouts WHERE kind = 'RECEIPT'")
    op.drop_index("uq_printouts_order_id_kind_latest", table_name="printouts")
    op.drop_constraint(op.f("uq_printouts_order_id_kind_version"), "printouts")
    op.drop_constraint(op.f("ck_printouts_about_something"), "printouts")
    op.create_check_constraint(
        op.f("ck_printouts_about_something"), "printouts", "kind <> 'REGISTRATION_FORM' OR application_id IS NOT NULL"
    )
    op.drop_constraint(op.f("ck_printouts_kind_known"), "printouts")
    op.create_check_constraint(op.f("ck_printouts_kind_known"), "printouts", "kind IN ('REGISTRATION_FORM')")
    op.drop_column("printouts", "order_id")
