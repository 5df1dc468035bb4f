"""the money path."""

import sqlalchemy as sa
from alembic import op
from procrastinate.schema import SchemaManager
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

APPEND_ONLY = ("transfers", "moves", "personal_data_accesses")
"""What happened stays: a mistake is put right by another row."""

REFUSE_CHANGE = """
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% rows are never changed or deleted; put a mistake right with another row', TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation';
END $$
"""


def upgrade() -> None:
    op.execute(REFUSE_CHANGE)
    # Its schema holds percent signs, which SQLAlchemy's text() would read as parameters: straight to the driver.
    op.get_bind().connection.driver_connection.execute(SchemaManager.get_schema())

    op.create_table(
        "moves",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("noun", sa.Text(), nullable=False),
        sa.Column("row_id", sa.Text(), nullable=False),
        sa.Column("from_state", sa.Text(), nullable=False),
        sa.Column("to_state", sa.Text(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_moves")),
    )
    op.create_index(op.f("ix_moves_noun_row_id"), "moves", ["noun", "row_id"], unique=False)
    op.create_table(
        "notices",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("merchant_account", sa.Text(), nullable=False),
        sa.Column("notification_id", sa.Text(), nullable=False),
        sa.Column("miniprogram", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("payment_no", sa.Text(), nullable=False),
        sa.Column("provider_payment_no", sa.Text(), nullable=True),
        sa.Column("amount_fen", sa.BigInteger(), nullable=True),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("happened_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("refund_no", sa.Text(), nullable=True),
        sa.Column("provider_refund_no", sa.Text(), nullable=True),
        sa.Column("refund_fen", sa.BigInteger(), nullable=True),
        sa.Column("refunded_total_fen", sa.BigInteger(), nullable=True),
        sa.Column("content_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.Text(), server_default="WAITING", nullable=False),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("resolved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("resolution", sa.Text(), nullable=True),
        sa.CheckConstraint("state IN ('WAITING', 'SETTLED', 'PARKED')", name=op.f("ck_notices_state_known")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notices")),
        sa.UniqueConstraint("merchant_account", "notification_id", name=op.f("uq_notices_merchant_account_notification_id")),
    )
    op.create_index("ix_notices_parked", "notices", ["id"], unique=False, postgresql_where=sa.text("state = 'PARKED'"))
    op.create_index(op.f("ix_notices_payment_no"), "notices", ["payment_no"], unique=False)
    op.create_index("ix_notices_waiting", "notices", ["id"], unique=False, postgresql_where=sa.text("state = 'WAITING'"))
    op.create_table(
        "personal_data_accesses",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("subject_table", sa.Text(), nullable=False),
        sa.Column("subject_id", sa.Uuid(), nullable=False),
        sa.Column("columns", sa.Text(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_personal_data_accesses")),
    )
    op.create_index(
        op.f("ix_personal_data_accesses_subject_table_subject_id"),
        "personal_data_accesses",
        ["subject_table", "subject_id"],
        unique=False,
    )
    op.create_table(
        "persons",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("name_index", sa.LargeBinary(), nullable=False),
        sa.Column("name_masked", sa.Text(), nullable=False),
        sa.Column("id_number_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("id_number_index", sa.LargeBinary(), nullable=False),
        sa.Column("id_number_masked", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_persons")),
        sa.UniqueConstraint("id_number_index", name=op.f("uq_persons_id_number_index")),
    )
    op.create_table(
        "accounts",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("miniprogram", sa.Text(), nullable=False),
        sa.Column("subject_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("subject_index", sa.LargeBinary(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=True),
        sa.Column("elder_mode", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["persons.id"], name=op.f("fk_accounts_person_id_persons")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_accounts")),
        sa.UniqueConstraint("miniprogram", "subject_index", name=op.f("uq_accounts_miniprogram_subject_index")),
    )
    op.create_index(op.f("ix_accounts_person_id"), "accounts", ["person_id"], unique=False)
    op.create_table(
        "enrollments",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("region", sa.Text(), nullable=False),
        sa.Column("pooling_area", sa.Text(), nullable=False),
        sa.Column("insurance_type", sa.Text(), nullable=False),
        sa.Column("tier_plan", sa.Text(), nullable=True),
        sa.Column("tier", sa.Text(), nullable=True),
        sa.Column("declared_wage_fen", sa.BigInteger(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("start_month", sa.BigInteger(), nullable=False),
        sa.Column("end_month", sa.BigInteger(), nullable=True),
        sa.Column("agency", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "state IN ('ACTIVE', 'SUSPENDED', 'TERMINATED', 'RETIRED')", name=op.f("ck_enrollments_state_known")
        ),
        sa.CheckConstraint("end_month IS NULL OR end_month >= start_month", name=op.f("ck_enrollments_months_in_order")),
        sa.CheckConstraint("mod(end_month, 100) BETWEEN 1 AND 12", name=op.f("ck_enrollments_end_month_is_a_month")),
        sa.CheckConstraint("mod(start_month, 100) BETWEEN 1 AND 12", name=op.f("ck_enrollments_start_month_is_a_month")),
        sa.CheckConstraint("tier IS NOT NULL OR declared_wage_fen IS NOT NULL", name=op.f("ck_enrollments_has_a_base")),
        sa.ForeignKeyConstraint(["person_id"], ["persons.id"], name=op.f("fk_enrollments_person_id_persons")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_enrollments")),
        sa.UniqueConstraint(
            "person_id", "insurance_type", "pooling_area", name=op.f("uq_enrollments_person_id_insurance_type_pooling_area")
        ),
    )
    op.create_index(
        op.f("ix_enrollments_region_insurance_type_state"), "enrollments", ["region", "insurance_type", "state"], unique=False
    )
    op.create_table(
        "payer_blocks",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("payer_person_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["payer_person_id"], ["persons.id"], name=op.f("fk_payer_blocks_payer_person_id_persons")),
        sa.ForeignKeyConstraint(["person_id"], ["persons.id"], name=op.f("fk_payer_blocks_person_id_persons")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payer_blocks")),
        sa.UniqueConstraint("person_id", "payer_person_id", name=op.f("uq_payer_blocks_person_id_payer_person_id")),
    )
    op.create_table(
        "account_sessions",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_account_sessions_account_id_accounts")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_account_sessions")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_account_sessions_token_hash")),
    )
    op.create_index(
        op.f("ix_account_sessions_account_id"),
        "account_sessions",
        ["account_id"],
        unique=False,
        postgresql_where=sa.text("revoked_at IS NULL"),
    )
    op.create_table(
        "consents",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("text_hash", sa.Text(), nullable=False),
        sa.Column("given_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_consents_account_id_accounts")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_consents")),
    )
    op.create_index(
        "uq_consents_account_id_purpose_live",
        "consents",
        ["account_id", "purpose"],
        unique=True,
        postgresql_where=sa.text("withdrawn_at IS NULL"),
    )
    op.create_table(
        "contribution_bills",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column(
            "bill_no",
            sa.Text(),
            server_default=sa.text("upper(substr(replace(gen_random_uuid()::text, '-', ''), 1, 24))"),
            nullable=False,
        ),
        sa.Column("enrollment_id", sa.BigInteger(), nullable=False),
        sa.Column("insurance_type", sa.Text(), nullable=False),
        sa.Column("region", sa.Text(), nullable=False),
        sa.Column("authority", sa.Text(), nullable=False),
        sa.Column("coverage_month", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), server_default="NORMAL", nullable=False),
        sa.Column("rule_id", sa.Text(), nullable=False),
        sa.Column("tier_plan", sa.Text(), nullable=False),
        sa.Column("tier", sa.Text(), nullable=True),
        sa.Column("base_fen", sa.BigInteger(), nullable=True),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("account_part_fen", sa.BigInteger(), nullable=False),
        sa.Column("pooling_part_fen", sa.BigInteger(), nullable=False),
        sa.Column("late_fee_fen", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("provisional", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("sample", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("state", sa.Text(), server_default="UNPAID", nullable=False),
        sa.Column("voided", sa.Boolean(), sa.Computed("state = 'VOID'", persisted=True), nullable=False),
        sa.Column("issued_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("kind IN ('NORMAL', 'SUPPLEMENT')", name=op.f("ck_contribution_bills_kind_known")),
        sa.CheckConstraint(
            "state IN ('UNPAID', 'LOCKED', 'PAID', 'TAX_CONFIRMED', 'POSTED', 'VOID', 'REFUNDING', 'REFUNDED')",
            name=op.f("ck_contribution_bills_state_known"),
        ),
        sa.CheckConstraint("account_part_fen + pooling_part_fen = amount_fen", name=op.f("ck_contribution_bills_parts_sum")),
        sa.CheckConstraint(
            "amount_fen > 0 AND account_part_fen >= 0 AND pooling_part_fen >= 0",
            name=op.f("ck_contribution_bills_amounts_positive"),
        ),
        sa.CheckConstraint("late_fee_fen = 0", name=op.f("ck_contribution_bills_no_late_fee")),
        sa.CheckConstraint(
            "mod(coverage_month, 100) BETWEEN 1 AND 12", name=op.f("ck_contribution_bills_coverage_month_is_a_month")
        ),
        sa.ForeignKeyConstraint(
            ["enrollment_id"], ["enrollments.id"], name=op.f("fk_contribution_bills_enrollment_id_enrollments")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contribution_bills")),
        sa.UniqueConstraint("bill_no", name=op.f("uq_contribution_bills_bill_no")),
    )
    op.create_index(
        "uq_contribution_bills_live",
        "contribution_bills",
        ["enrollment_id", "coverage_month", "kind"],
        unique=True,
        postgresql_where=sa.text("NOT voided"),
    )
    op.create_table(
        "face_checks",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("check_no", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reference_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("provider_code", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "state IN ('CREATED', 'PENDING', 'PASSED', 'FAILED', 'DECLINED', 'EXPIRED')",
            name=op.f("ck_face_checks_state_known"),
        ),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_face_checks_account_id_accounts")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_face_checks")),
        sa.UniqueConstraint("check_no", name=op.f("uq_face_checks_check_no")),
    )
    op.create_index(op.f("ix_face_checks_account_id_created_at"), "face_checks", ["account_id", "created_at"], unique=False)
    op.create_index(
        op.f("ix_face_checks_expires_at"),
        "face_checks",
        ["expires_at"],
        unique=False,
        postgresql_where=sa.text("state IN ('CREATED', 'PENDING')"),
    )
    op.create_table(
        "idempotency_keys",
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("route", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("request_hash", sa.LargeBinary(), nullable=False),
        sa.Column("result_id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_idempotency_keys_account_id_accounts")),
        sa.PrimaryKeyConstraint("account_id", "route", "key", name=op.f("pk_idempotency_keys")),
    )
    op.create_index(op.f("ix_idempotency_keys_created_at"), "idempotency_keys", ["created_at"], unique=False)
    op.create_table(
        "identity_verifications",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("name_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("id_number_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("name_masked", sa.Text(), nullable=True),
        sa.Column("id_number_masked", sa.Text(), nullable=True),
        sa.Column("method", sa.Text(), nullable=True),
        sa.Column("verified_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "state IN ('NONE', 'NAME_ID_MATCHED', 'FACE_PENDING', 'VERIFIED', 'DECLINED', 'FAILED')",
            name=op.f("ck_identity_verifications_state_known"),
        ),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_identity_verifications_account_id_accounts")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_identity_verifications")),
        sa.UniqueConstraint("account_id", name=op.f("uq_identity_verifications_account_id")),
    )
    op.create_table(
        "insured_persons",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("is_self", sa.Boolean(), nullable=False),
        sa.Column("relation", sa.Text(), nullable=True),
        sa.Column("keep", sa.Boolean(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("removed_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_insured_persons_account_id_accounts")),
        sa.ForeignKeyConstraint(["person_id"], ["persons.id"], name=op.f("fk_insured_persons_person_id_persons")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_insured_persons")),
    )
    op.create_index(op.f("ix_insured_persons_person_id"), "insured_persons", ["person_id"], unique=False)
    op.create_index(
        "uq_insured_persons_account_id_person_id_live",
        "insured_persons",
        ["account_id", "person_id"],
        unique=True,
        postgresql_where=sa.text("removed_at IS NULL"),
    )
    op.create_table(
        "messages",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("template", sa.Text(), nullable=False),
        sa.Column("facts", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("state", sa.Text(), server_default="WAITING", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("state IN ('WAITING', 'SENT', 'GIVEN_UP')", name=op.f("ck_messages_state_known")),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_messages_account_id_accounts")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_messages")),
    )
    op.create_index(op.f("ix_messages_account_id_id"), "messages", ["account_id", "id"], unique=False)
    op.create_index("ix_messages_waiting", "messages", ["id"], unique=False, postgresql_where=sa.text("state = 'WAITING'"))
    op.create_table(
        "payment_orders",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("order_no", sa.Text(), nullable=False),
        sa.Column("origin", sa.Text(), server_default="PHONE", nullable=False),
        sa.Column("payer_account_id", sa.Uuid(), nullable=True),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("is_strangers", sa.Boolean(), nullable=False),
        sa.Column("miniprogram", sa.Text(), nullable=False),
        sa.Column("merchant", sa.Text(), nullable=False),
        sa.Column("authority", sa.Text(), nullable=False),
        sa.Column("total_fen", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("closed_why", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "state IN ('CREATED', 'PREPAY', 'UNKNOWN', 'PAID', 'CLOSED')", name=op.f("ck_payment_orders_state_known")
        ),
        sa.CheckConstraint(
            "origin IN ('PHONE', 'DEBIT', 'POS', 'COUNTER', 'TAX')", name=op.f("ck_payment_orders_origin_known")
        ),
        sa.CheckConstraint(
            "origin <> 'PHONE' OR payer_account_id IS NOT NULL", name=op.f("ck_payment_orders_phone_of_somebody")
        ),
        sa.CheckConstraint("total_fen > 0", name=op.f("ck_payment_orders_total_positive")),
        sa.ForeignKeyConstraint(
            ["payer_account_id"], ["accounts.id"], name=op.f("fk_payment_orders_payer_account_id_accounts")
        ),
        sa.ForeignKeyConstraint(["person_id"], ["persons.id"], name=op.f("fk_payment_orders_person_id_persons")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payment_orders")),
        sa.UniqueConstraint("order_no", name=op.f("uq_payment_orders_order_no")),
    )
    op.create_index(
        op.f("ix_payment_orders_payer_account_id_created_at"),
        "payment_orders",
        ["payer_account_id", "created_at"],
        unique=False,
    )
    op.create_index(op.f("ix_payment_orders_person_id"), "payment_orders", ["person_id"], unique=False)
    op.create_table(
        "person_lookups",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=True),
        sa.Column("id_number_index", sa.LargeBinary(), nullable=False),
        sa.Column("hit", sa.Boolean(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_person_lookups_account_id_accounts")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_person_lookups")),
    )
    op.create_index(op.f("ix_person_lookups_account_id_at"), "person_lookups", ["account_id", "at"], unique=False)
    op.create_index(op.f("ix_person_lookups_id_number_index_at"), "person_lookups", ["id_number_index", "at"], unique=False)
    op.create_table(
        "payment_order_lines",
        sa.Column("order_id", sa.BigInteger(), nullable=False),
        sa.Column("bill_id", sa.BigInteger(), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("live", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["bill_id"], ["contribution_bills.id"], name=op.f("fk_payment_order_lines_bill_id_contribution_bills")
        ),
        sa.ForeignKeyConstraint(
            ["order_id"], ["payment_orders.id"], name=op.f("fk_payment_order_lines_order_id_payment_orders")
        ),
        sa.PrimaryKeyConstraint("order_id", "bill_id", name=op.f("pk_payment_order_lines")),
    )
    op.create_index(
        "uq_payment_order_lines_bill_id_live", "payment_order_lines", ["bill_id"], unique=True, postgresql_where=sa.text("live")
    )
    op.create_table(
        "payments",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("payment_no", sa.Text(), nullable=False),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("order_id", sa.BigInteger(), nullable=True),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("merchant", sa.Text(), nullable=False),
        sa.Column("miniprogram", sa.Text(), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("request_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("handle", sa.Text(), nullable=True),
        sa.Column("provider_payment_no", sa.Text(), nullable=True),
        sa.Column("paid_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("refunded_fen", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("asks", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("next_ask_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_asked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("origin IN ('ORDER', 'UNKNOWN')", name=op.f("ck_payments_origin_known")),
        sa.CheckConstraint(
            "state IN ('CREATED', 'OPEN', 'SUCCEEDED', 'SURPLUS', 'UNCLAIMED', 'CLOSED')", name=op.f("ck_payments_state_known")
        ),
        sa.CheckConstraint("amount_fen > 0", name=op.f("ck_payments_amount_positive")),
        sa.CheckConstraint("refunded_fen >= 0", name=op.f("ck_payments_refunded_not_negative")),
        sa.ForeignKeyConstraint(["order_id"], ["payment_orders.id"], name=op.f("fk_payments_order_id_payment_orders")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payments")),
        sa.UniqueConstraint(
            "channel", "merchant", "provider_payment_no", name=op.f("uq_payments_channel_merchant_provider_payment_no")
        ),
        sa.UniqueConstraint("payment_no", name=op.f("uq_payments_payment_no")),
    )
    op.create_index(
        op.f("ix_payments_next_ask_at"),
        "payments",
        ["next_ask_at"],
        unique=False,
        postgresql_where=sa.text("next_ask_at IS NOT NULL"),
    )
    op.create_index(op.f("ix_payments_order_id"), "payments", ["order_id"], unique=False)
    op.create_index(
        "ix_payments_live", "payments", ["order_id"], unique=False, postgresql_where=sa.text("state IN ('CREATED', 'OPEN')")
    )
    op.create_table(
        "contribution_records",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("enrollment_id", sa.BigInteger(), nullable=False),
        sa.Column("insurance_type", sa.Text(), nullable=False),
        sa.Column("coverage_month", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("bill_id", sa.BigInteger(), nullable=False),
        sa.Column("payment_id", sa.Uuid(), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("paid_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("tax_confirmed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("posted_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "state IN ('PAID', 'TAX_CONFIRMED', 'POSTED', 'REVERSED')", name=op.f("ck_contribution_records_state_known")
        ),
        sa.ForeignKeyConstraint(
            ["bill_id"], ["contribution_bills.id"], name=op.f("fk_contribution_records_bill_id_contribution_bills")
        ),
        sa.ForeignKeyConstraint(
            ["enrollment_id"], ["enrollments.id"], name=op.f("fk_contribution_records_enrollment_id_enrollments")
        ),
        sa.ForeignKeyConstraint(["payment_id"], ["payments.id"], name=op.f("fk_contribution_records_payment_id_payments")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contribution_records")),
    )
    op.create_index(
        "uq_contribution_records_live",
        "contribution_records",
        ["enrollment_id", "coverage_month", "kind"],
        unique=True,
        postgresql_where=sa.text("state <> 'REVERSED'"),
    )
    op.create_table(
        "refunds",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("payment_id", sa.Uuid(), nullable=False),
        sa.Column("refund_no", sa.Text(), nullable=False),
        sa.Column("provider_refund_no", sa.Text(), nullable=True),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("refunded_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("amount_fen > 0", name=op.f("ck_refunds_amount_positive")),
        sa.ForeignKeyConstraint(["payment_id"], ["payments.id"], name=op.f("fk_refunds_payment_id_payments")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_refunds")),
        sa.UniqueConstraint("payment_id", "refund_no", name=op.f("uq_refunds_payment_id_refund_no")),
    )
    op.create_table(
        "transfers",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("debit_account", sa.Text(), nullable=False),
        sa.Column("credit_account", sa.Text(), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("payment_id", sa.Uuid(), nullable=False),
        sa.Column("bill_id", sa.BigInteger(), nullable=True),
        sa.Column("notice_id", sa.Uuid(), nullable=True),
        sa.Column("reverses_id", sa.BigInteger(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "kind IN ('SETTLED', 'SURPLUS', 'UNCLAIMED', 'REFUND_SEEN', 'ASSIGNED', 'REVERSAL')",
            name=op.f("ck_transfers_kind_known"),
        ),
        sa.CheckConstraint("amount_fen > 0", name=op.f("ck_transfers_amount_positive")),
        sa.CheckConstraint("debit_account <> credit_account", name=op.f("ck_transfers_two_accounts")),
        sa.ForeignKeyConstraint(["bill_id"], ["contribution_bills.id"], name=op.f("fk_transfers_bill_id_contribution_bills")),
        sa.ForeignKeyConstraint(["payment_id"], ["payments.id"], name=op.f("fk_transfers_payment_id_payments")),
        sa.ForeignKeyConstraint(["reverses_id"], ["transfers.id"], name=op.f("fk_transfers_reverses_id_transfers")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_transfers")),
    )
    op.create_index(op.f("ix_transfers_payment_id"), "transfers", ["payment_id"], unique=False)
    op.create_index(
        "uq_transfers_payment_id_bill_id_settled",
        "transfers",
        ["payment_id", "bill_id"],
        unique=True,
        postgresql_where=sa.text("kind = 'SETTLED'"),
    )
    # Bills and orders move several times in their lives: room on the page keeps those moves out of their indexes.
    for table in ("contribution_bills", "payment_orders"):
        op.execute(f"ALTER TABLE {table} SET (fillfactor = 90)")
    for table in APPEND_ONLY:
        op.execute(
            f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION refuse_change()"
        )
        op.execute(
            f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )


def downgrade() -> None:
    raise NotImplementedError("the first migration is not undone: drop the database instead")
