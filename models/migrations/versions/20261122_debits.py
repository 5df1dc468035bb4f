"""debits: runs, batches with their lines, the bank's files and what in them waits for a person, and who was reminded."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "bank_files",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("way", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("lines", sa.BigInteger(), nullable=False),
        sa.Column("read_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("state IN ('READ', 'REFUSED')", name=op.f("ck_bank_files_state_known")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bank_files")),
        sa.UniqueConstraint("way", "name", "digest", name=op.f("uq_bank_files_way_name_digest")),
    )
    op.create_index(op.f("ix_bank_files_read_at"), "bank_files", ["read_at"], unique=False)
    op.create_table(
        "debit_batches",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("way", sa.Text(), nullable=False),
        sa.Column("run_day", sa.Date(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), server_default="MAKING", nullable=False),
        sa.Column("lines", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("total_fen", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("result_due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("asks", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("next_ask_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("next_ask_at IS NULL OR state = 'SENT'", name=op.f("ck_debit_batches_asked_while_sent")),
        sa.CheckConstraint("state IN ('MAKING', 'MADE', 'SENT', 'ANSWERED')", name=op.f("ck_debit_batches_state_known")),
        sa.CheckConstraint("number BETWEEN 1 AND 9999", name=op.f("ck_debit_batches_number_fits")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_debit_batches")),
        sa.UniqueConstraint("way", "run_day", "number", name=op.f("uq_debit_batches_way_run_day_number")),
    )
    op.create_index(
        op.f("ix_debit_batches_next_ask_at"),
        "debit_batches",
        ["next_ask_at"],
        unique=False,
        postgresql_where=sa.text("next_ask_at IS NOT NULL"),
    )
    op.create_index(
        "ix_debit_batches_open", "debit_batches", ["id"], unique=False, postgresql_where=sa.text("state <> 'ANSWERED'")
    )
    op.create_table(
        "debit_runs",
        sa.Column("way", sa.Text(), nullable=False),
        sa.Column("run_day", sa.Date(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("way", "run_day", name=op.f("pk_debit_runs")),
    )
    op.create_table(
        "bank_file_faults",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("way", sa.Text(), nullable=False),
        sa.Column("file_name", sa.Text(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("line", sa.BigInteger(), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("batch_id", sa.BigInteger(), nullable=True),
        sa.Column("seq", sa.BigInteger(), nullable=True),
        sa.Column("amount_fen", sa.BigInteger(), nullable=True),
        sa.Column("first_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("resolved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("resolved_by", sa.Text(), nullable=True),
        sa.Column("words", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "kind IN ('FILE_DAMAGED', 'BATCH_UNKNOWN', 'LINE_UNKNOWN', 'LINE_TWICE', 'OTHER_PAYMENT', 'OTHER_AMOUNT', 'CODE_UNKNOWN', 'CONTRADICTION', 'NOT_TAKEN', 'NO_ANSWER')",
            name=op.f("ck_bank_file_faults_kind_known"),
        ),
        sa.CheckConstraint(
            "(resolved_at IS NULL) = (resolved_by IS NULL)", name=op.f("ck_bank_file_faults_resolved_by_somebody")
        ),
        sa.ForeignKeyConstraint(["batch_id"], ["debit_batches.id"], name=op.f("fk_bank_file_faults_batch_id_debit_batches")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bank_file_faults")),
        sa.UniqueConstraint(
            "way", "file_name", "digest", "line", "kind", name=op.f("uq_bank_file_faults_way_file_name_digest_line_kind")
        ),
    )
    op.create_index(
        "ix_bank_file_faults_open", "bank_file_faults", ["id"], unique=False, postgresql_where=sa.text("resolved_at IS NULL")
    )
    op.create_table(
        "debit_reminders",
        sa.Column("agreement_id", sa.Uuid(), nullable=False),
        sa.Column("run_day", sa.Date(), nullable=False),
        sa.Column("template", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_debit_reminders_account_id_accounts")),
        sa.ForeignKeyConstraint(
            ["agreement_id"], ["withholding_agreements.id"], name=op.f("fk_debit_reminders_agreement_id_withholding_agreements")
        ),
        sa.PrimaryKeyConstraint("agreement_id", "run_day", "template", name=op.f("pk_debit_reminders")),
    )
    op.create_index(op.f("ix_debit_reminders_created_at"), "debit_reminders", ["created_at"], unique=False)
    op.create_table(
        "debit_instructions",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("batch_id", sa.BigInteger(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("payment_id", sa.Uuid(), nullable=False),
        sa.Column("agreement_id", sa.Uuid(), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), server_default="IN_FLIGHT", nullable=False),
        sa.Column("result", sa.Text(), nullable=True),
        sa.Column("bank_code", sa.Text(), nullable=True),
        sa.Column("bank_serial", sa.Text(), nullable=True),
        sa.Column("booked_on", sa.Date(), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("(state = 'IN_FLIGHT') = (result IS NULL)", name=op.f("ck_debit_instructions_result_when_told")),
        sa.CheckConstraint(
            "result IN ('SUCCESS', 'INSUFFICIENT_FUNDS', 'ACCOUNT_FROZEN', 'NAME_MISMATCH', 'AGREEMENT_INVALID', 'FINANCIAL_FUNCTION_INACTIVE', 'LIMIT_EXCEEDED', 'BANK_TIMEOUT', 'SYSTEM_ERROR')",
            name=op.f("ck_debit_instructions_result_known"),
        ),
        sa.CheckConstraint(
            "state <> 'SUCCEEDED' OR (bank_serial IS NOT NULL AND booked_on IS NOT NULL)",
            name=op.f("ck_debit_instructions_success_has_serial"),
        ),
        sa.CheckConstraint(
            "state IN ('IN_FLIGHT', 'UNKNOWN', 'SUCCEEDED', 'FAILED')", name=op.f("ck_debit_instructions_state_known")
        ),
        sa.CheckConstraint("amount_fen > 0 AND seq > 0", name=op.f("ck_debit_instructions_positive")),
        sa.ForeignKeyConstraint(
            ["agreement_id"],
            ["withholding_agreements.id"],
            name=op.f("fk_debit_instructions_agreement_id_withholding_agreements"),
        ),
        sa.ForeignKeyConstraint(["batch_id"], ["debit_batches.id"], name=op.f("fk_debit_instructions_batch_id_debit_batches")),
        sa.ForeignKeyConstraint(["payment_id"], ["payments.id"], name=op.f("fk_debit_instructions_payment_id_payments")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_debit_instructions")),
        sa.UniqueConstraint("batch_id", "seq", name=op.f("uq_debit_instructions_batch_id_seq")),
        sa.UniqueConstraint("payment_id", name=op.f("uq_debit_instructions_payment_id")),
    )
    op.create_index(op.f("ix_debit_instructions_agreement_id"), "debit_instructions", ["agreement_id"], unique=False)
    op.create_index(
        "ix_debit_instructions_under_way",
        "debit_instructions",
        ["agreement_id"],
        unique=False,
        postgresql_where=sa.text("state IN ('IN_FLIGHT', 'UNKNOWN')"),
    )


def downgrade() -> None:
    op.drop_table("debit_instructions")
    op.drop_table("debit_reminders")
    op.drop_table("bank_file_faults")
    op.drop_table("debit_runs")
    op.drop_table("debit_batches")
    op.drop_table("bank_files")
