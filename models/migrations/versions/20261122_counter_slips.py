"""counter slips: what one of the staff copied from a bank's paper and another one confirmed."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "counter_slips",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("slip_no", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("way", sa.Text(), nullable=False),
        sa.Column("region", sa.Text(), nullable=False),
        sa.Column("bank", sa.Text(), nullable=False),
        sa.Column("serial", sa.Text(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=True),
        sa.Column("bill_nos", postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("refund_no", sa.Text(), nullable=True),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("paid_on", sa.Date(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("recorded_by", sa.Text(), nullable=False),
        sa.Column("decided_by", sa.Text(), nullable=True),
        sa.Column("order_id", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("state IN ('RECORDED', 'APPROVED', 'REJECTED')", name=op.f("ck_counter_slips_state_known")),
        sa.CheckConstraint("kind IN ('PAYMENT', 'PAY_OUT')", name=op.f("ck_counter_slips_kind_known")),
        sa.CheckConstraint("amount_fen > 0", name=op.f("ck_counter_slips_amount_positive")),
        sa.CheckConstraint("state <> 'APPROVED' OR decided_by <> recorded_by", name=op.f("ck_counter_slips_two_people")),
        sa.CheckConstraint("(state = 'RECORDED') = (decided_by IS NULL)", name=op.f("ck_counter_slips_decided_by_somebody")),
        sa.CheckConstraint("(kind = 'PAY_OUT') = (refund_no IS NOT NULL)", name=op.f("ck_counter_slips_pay_out_of_a_refund")),
        sa.CheckConstraint("kind <> 'PAYMENT' OR cardinality(bill_nos) > 0", name=op.f("ck_counter_slips_paid_for_months")),
        sa.ForeignKeyConstraint(["order_id"], ["payment_orders.id"], name=op.f("fk_counter_slips_order_id_payment_orders")),
        sa.ForeignKeyConstraint(["person_id"], ["persons.id"], name=op.f("fk_counter_slips_person_id_persons")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_counter_slips")),
        sa.UniqueConstraint("slip_no", name=op.f("uq_counter_slips_slip_no")),
    )
    op.create_index(
        "uq_counter_slips_serial_live",
        "counter_slips",
        ["way", "bank", "kind", "serial"],
        unique=True,
        postgresql_where=sa.text("state <> 'REJECTED'"),
    )
    op.create_index(
        "uq_counter_slips_refund_no_live",
        "counter_slips",
        ["refund_no"],
        unique=True,
        postgresql_where=sa.text("state <> 'REJECTED' AND refund_no IS NOT NULL"),
    )
    op.create_index(op.f("ix_counter_slips_person_id"), "counter_slips", ["person_id"], unique=False)


def downgrade() -> None:
    op.drop_table("counter_slips")
