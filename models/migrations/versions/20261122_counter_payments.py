"""counter payments: what banks report from their counters, each serial once, and requests that nobody sends again."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "counter_payments",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("way", sa.Text(), nullable=False),
        sa.Column("serial", sa.Text(), nullable=False),
        sa.Column("request_hash", sa.LargeBinary(), nullable=True),
        sa.Column("refusal", sa.Text(), nullable=True),
        sa.Column("notified_as", sa.Text(), nullable=True),
        sa.Column("order_id", sa.BigInteger(), nullable=True),
        sa.Column("amount_fen", sa.BigInteger(), nullable=True),
        sa.Column("means", sa.Text(), nullable=True),
        sa.Column("site", sa.Text(), nullable=True),
        sa.Column("taken_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("means IN ('CASH', 'CARD')", name=op.f("ck_counter_payments_means_known")),
        sa.CheckConstraint("amount_fen > 0", name=op.f("ck_counter_payments_amount_positive")),
        sa.CheckConstraint("(refusal IS NULL) = (notified_as IS NOT NULL)", name=op.f("ck_counter_payments_refused_or_notified")),
        sa.CheckConstraint("refusal IS NOT NULL OR request_hash IS NOT NULL", name=op.f("ck_counter_payments_taken_as_reported")),
        sa.ForeignKeyConstraint(["order_id"], ["payment_orders.id"], name=op.f("fk_counter_payments_order_id_payment_orders")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_counter_payments")),
        sa.UniqueConstraint("way", "serial", name=op.f("uq_counter_payments_way_serial")),
    )
    op.create_index(op.f("ix_counter_payments_order_id"), "counter_payments", ["order_id"], unique=False)
    op.create_table(
        "partner_nonces",
        sa.Column("way", sa.Text(), nullable=False),
        sa.Column("nonce", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("way", "nonce", name=op.f("pk_partner_nonces")),
    )
    op.create_index(op.f("ix_partner_nonces_at"), "partner_nonces", ["at"], unique=False)


def downgrade() -> None:
    op.drop_table("partner_nonces")
    op.drop_table("counter_payments")
