"""people: phones, ways without a face, readings, requests about one's own data, the audit chain, messages that go out."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

APPEND_ONLY = ("audit_blocks", "erasures")


def upgrade() -> None:
    op.create_table(
        "audit_blocks",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("form", sa.BigInteger(), nullable=False),
        sa.Column("first_id", sa.BigInteger(), nullable=False),
        sa.Column("last_id", sa.BigInteger(), nullable=False),
        sa.Column("row_count", sa.BigInteger(), nullable=False),
        sa.Column("row_hashes", sa.LargeBinary(), nullable=False),
        sa.Column("previous_hash", sa.LargeBinary(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_blocks")),
        sa.UniqueConstraint("source", "first_id", name=op.f("uq_audit_blocks_source_first_id")),
        sa.UniqueConstraint("source", "previous_hash", name=op.f("uq_audit_blocks_source_previous_hash")),
    )
    op.create_table(
        "erasures",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("policy", sa.Text(), nullable=False),
        sa.Column("subject_table", sa.Text(), nullable=False),
        sa.Column("older_than", sa.DateTime(timezone=True), nullable=False),
        sa.Column("row_count", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_erasures")),
    )
    op.create_table(
        "platform_events",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("miniprogram", sa.Text(), nullable=False),
        sa.Column("event_hash", sa.LargeBinary(), nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_platform_events")),
        sa.UniqueConstraint("miniprogram", "event_hash", name=op.f("uq_platform_events_miniprogram_event_hash")),
    )
    op.create_index(op.f("ix_platform_events_received_at"), "platform_events", ["received_at"], unique=False)
    op.create_table(
        "sms_codes",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("miniprogram", sa.Text(), nullable=False),
        sa.Column("phone_index", sa.LargeBinary(), nullable=False),
        sa.Column("caller_index", sa.LargeBinary(), nullable=True),
        sa.Column("code_hash", sa.LargeBinary(), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("tries", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("failed_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sms_codes")),
    )
    op.create_index(op.f("ix_sms_codes_phone_index_sent_at"), "sms_codes", ["phone_index", "sent_at"], unique=False)
    op.create_index(
        op.f("ix_sms_codes_caller_index_sent_at"),
        "sms_codes",
        ["caller_index", "sent_at"],
        unique=False,
        postgresql_where=sa.text("caller_index IS NOT NULL"),
    )
    op.create_index(op.f("ix_sms_codes_sent_at"), "sms_codes", ["sent_at"], unique=False)
    op.create_table(
        "bank_card_checks",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("card_masked", sa.Text(), nullable=False),
        sa.Column("provider_code", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "state IN ('CREATED', 'MATCHED', 'MISMATCHED', 'UNSUPPORTED', 'UNAVAILABLE')",
            name=op.f("ck_bank_card_checks_state_known"),
        ),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_bank_card_checks_account_id_accounts")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bank_card_checks")),
    )
    op.create_index(
        op.f("ix_bank_card_checks_account_id_created_at"), "bank_card_checks", ["account_id", "created_at"], unique=False
    )
    op.create_index(
        op.f("ix_bank_card_checks_created_at"),
        "bank_card_checks",
        ["created_at"],
        unique=False,
        postgresql_where=sa.text("state = 'CREATED'"),
    )
    op.create_table(
        "counter_checks",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("code_index", sa.LargeBinary(), nullable=False),
        sa.Column("code_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("document", sa.Text(), nullable=True),
        sa.Column("name_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("id_number_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("site", sa.Text(), nullable=True),
        sa.Column("attested_by", sa.Text(), nullable=True),
        sa.Column("attested_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("confirmed_by", sa.Text(), nullable=True),
        sa.Column("refused_why", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "state IN ('OPEN', 'ATTESTED', 'CONFIRMED', 'REFUSED', 'WITHDRAWN', 'EXPIRED')",
            name=op.f("ck_counter_checks_state_known"),
        ),
        sa.CheckConstraint(
            "document IN ('ID_CARD', 'HMT_RESIDENCE_PERMIT', 'FOREIGN_PERMANENT_RESIDENT_CARD')",
            name=op.f("ck_counter_checks_document_known"),
        ),
        sa.CheckConstraint(
            "refused_why IN ('NOT_THE_HOLDER', 'DOCUMENT_DOUBTFUL', 'TYPED_WRONGLY', 'RECORD_DIFFERS')",
            name=op.f("ck_counter_checks_refused_why_known"),
        ),
        sa.CheckConstraint(
            "(state = 'ATTESTED') = (name_sealed IS NOT NULL) AND (state = 'ATTESTED') = (id_number_sealed IS NOT NULL)",
            name=op.f("ck_counter_checks_typed_while_attested"),
        ),
        sa.CheckConstraint("confirmed_by IS NULL OR confirmed_by <> attested_by", name=op.f("ck_counter_checks_two_people")),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_counter_checks_account_id_accounts")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_counter_checks")),
    )
    op.create_index(
        op.f("ix_counter_checks_account_id_created_at"), "counter_checks", ["account_id", "created_at"], unique=False
    )
    op.create_index(
        op.f("ix_counter_checks_expires_at"),
        "counter_checks",
        ["expires_at"],
        unique=False,
        postgresql_where=sa.text("state IN ('OPEN', 'ATTESTED')"),
    )
    op.create_index(
        "uq_counter_checks_account_id_open",
        "counter_checks",
        ["account_id"],
        unique=True,
        postgresql_where=sa.text("state IN ('OPEN', 'ATTESTED')"),
    )
    op.create_index(
        "uq_counter_checks_code_index_open",
        "counter_checks",
        ["code_index"],
        unique=True,
        postgresql_where=sa.text("state IN ('OPEN', 'ATTESTED')"),
    )
    op.create_table(
        "counter_code_misses",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_counter_code_misses")),
    )
    op.create_index(op.f("ix_counter_code_misses_who_at"), "counter_code_misses", ["who", "at"], unique=False)
    op.create_table(
        "message_allowances",
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("platform_template", sa.Text(), nullable=False),
        sa.Column("remaining", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("remaining >= 0", name=op.f("ck_message_allowances_never_negative")),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_message_allowances_account_id_accounts")),
        sa.PrimaryKeyConstraint("account_id", "platform_template", name=op.f("pk_message_allowances")),
    )
    op.create_table(
        "notice_readings",
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("text_hash", sa.Text(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_notice_readings_account_id_accounts")),
        sa.PrimaryKeyConstraint("account_id", "text_hash", name=op.f("pk_notice_readings")),
    )
    op.create_table(
        "personal_data_requests",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("wish_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("answer", sa.Text(), nullable=True),
        sa.Column("answered_by", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("kind IN ('COPY', 'CORRECT', 'DELETE')", name=op.f("ck_personal_data_requests_kind_known")),
        sa.CheckConstraint(
            "state IN ('RECEIVED', 'DONE', 'REFUSED', 'WITHDRAWN')", name=op.f("ck_personal_data_requests_state_known")
        ),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_personal_data_requests_account_id_accounts")),
        sa.ForeignKeyConstraint(["person_id"], ["persons.id"], name=op.f("fk_personal_data_requests_person_id_persons")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_personal_data_requests")),
    )
    op.create_index(
        op.f("ix_personal_data_requests_account_id_created_at"),
        "personal_data_requests",
        ["account_id", "created_at"],
        unique=False,
    )
    op.create_index(
        "uq_personal_data_requests_account_id_kind_open",
        "personal_data_requests",
        ["account_id", "kind"],
        unique=True,
        postgresql_where=sa.text("state = 'RECEIVED'"),
    )
    op.add_column("accounts", sa.Column("phone_sealed", sa.LargeBinary(), nullable=True))
    op.add_column("accounts", sa.Column("phone_index", sa.LargeBinary(), nullable=True))
    op.add_column("accounts", sa.Column("phone_masked", sa.Text(), nullable=True))
    op.add_column("accounts", sa.Column("language", sa.Text(), server_default="zh-CN", nullable=False))
    op.add_column("accounts", sa.Column("signed_in_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("accounts", sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True))
    op.drop_constraint(op.f("uq_accounts_miniprogram_subject_index"), "accounts", type_="unique")
    op.create_index(
        op.f("ix_accounts_phone_index"),
        "accounts",
        ["phone_index"],
        unique=False,
        postgresql_where=sa.text("phone_index IS NOT NULL"),
    )
    op.create_index(
        "uq_accounts_miniprogram_subject_index_live",
        "accounts",
        ["miniprogram", "subject_index"],
        unique=True,
        postgresql_where=sa.text("closed_at IS NULL"),
    )
    op.add_column("face_checks", sa.Column("reference_index", sa.LargeBinary(), nullable=True))
    op.add_column("face_checks", sa.Column("next_ask_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("face_checks", sa.Column("asks", sa.BigInteger(), server_default="0", nullable=False))
    op.add_column("face_checks", sa.Column("presses", sa.BigInteger(), server_default="0", nullable=False))
    op.create_index(
        op.f("ix_face_checks_next_ask_at"),
        "face_checks",
        ["next_ask_at"],
        unique=False,
        postgresql_where=sa.text("next_ask_at IS NOT NULL"),
    )
    op.create_index(
        op.f("ix_face_checks_reference_index"),
        "face_checks",
        ["reference_index"],
        unique=True,
        postgresql_where=sa.text("reference_index IS NOT NULL"),
    )
    op.drop_index("uq_consents_account_id_purpose_live", table_name="consents")
    op.create_index(
        "uq_consents_account_id_purpose_text_hash_live",
        "consents",
        ["account_id", "purpose", "text_hash"],
        unique=True,
        postgresql_where=sa.text("withdrawn_at IS NULL"),
    )
    op.create_index(op.f("ix_consents_account_id_purpose"), "consents", ["account_id", "purpose"], unique=False)
    op.add_column("messages", sa.Column("tries", sa.BigInteger(), server_default="0", nullable=False))
    op.add_column("messages", sa.Column("next_try_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("messages", sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("messages", sa.Column("way", sa.Text(), nullable=True))
    op.add_column("messages", sa.Column("given_up_why", sa.Text(), nullable=True))
    for table in APPEND_ONLY:
        op.execute(
            f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION refuse_change()"
        )
        op.execute(
            f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )


def downgrade() -> None:
    raise NotImplementedError("erased and chained rows do not come back: restore a backup instead")
