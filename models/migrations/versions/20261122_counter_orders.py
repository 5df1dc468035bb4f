"""counter orders: what the staff of a window made for somebody, to be paid at its terminal."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "counter_orders",
        sa.Column("order_id", sa.BigInteger(), nullable=False),
        sa.Column("region", sa.Text(), nullable=False),
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("made_by", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "document IN ('ID_CARD', 'HMT_RESIDENCE_PERMIT', 'FOREIGN_PERMANENT_RESIDENT_CARD')",
            name=op.f("ck_counter_orders_document_known"),
        ),
        sa.ForeignKeyConstraint(["order_id"], ["payment_orders.id"], name=op.f("fk_counter_orders_order_id_payment_orders")),
        sa.PrimaryKeyConstraint("order_id", name=op.f("pk_counter_orders")),
    )
    op.create_index(op.f("ix_counter_orders_created_at"), "counter_orders", ["created_at"], unique=False)


def downgrade() -> None:
    op.drop_table("counter_orders")
