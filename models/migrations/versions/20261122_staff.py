"""staff: who works at the console, their sessions, what they did, and how a lost phone is replaced."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

APPEND_ONLY = ("staff_acts",)


def upgrade() -> None:
    op.create_table(
        "staff",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("roles", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("region", sa.Text(), nullable=True),
        sa.Column("agency", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("invitation_hash", sa.LargeBinary(), nullable=True),
        sa.Column("invitation_expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("password_hash", sa.Text(), nullable=True),
        sa.Column("password_set_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("totp_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("totp_step", sa.BigInteger(), nullable=True),
        sa.Column("failed_tries", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("lockouts", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("locked_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("admitted_by", sa.Text(), nullable=True),
        sa.Column("signed_in_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("state IN ('INVITED', 'ACTIVE', 'LOCKED', 'LEFT')", name=op.f("ck_staff_state_known")),
        sa.CheckConstraint(
            "roles <@ ARRAY['REVIEWER', 'SUPERVISOR', 'ACCOUNTANT', 'AUDITOR', 'ADMINISTRATOR']", name=op.f("ck_staff_roles_known")
        ),
        sa.CheckConstraint(
            "CAST(roles && ARRAY['REVIEWER', 'SUPERVISOR', 'ACCOUNTANT'] AS integer) + CAST(roles && ARRAY['AUDITOR'] AS integer) "
            "+ CAST(roles && ARRAY['ADMINISTRATOR'] AS integer) = 1",
            name=op.f("ck_staff_powers_apart"),
        ),
        sa.CheckConstraint("number ~ '^[A-Z0-9]{2,16}$'", name=op.f("ck_staff_number_in_one_writing")),
        sa.CheckConstraint("agency IS NULL OR region IS NOT NULL", name=op.f("ck_staff_agency_within_region")),
        sa.CheckConstraint("admitted_by <> created_by OR created_by = 'operator'", name=op.f("ck_staff_two_people")),
        sa.CheckConstraint(
            "state NOT IN ('ACTIVE', 'LOCKED') OR admitted_by IS NOT NULL", name=op.f("ck_staff_admitted_before_enrolled")
        ),
        sa.CheckConstraint(
            "NOT ('AUDITOR' = ANY (roles)) OR region IS NULL", name=op.f("ck_staff_auditors_see_every_region")
        ),
        sa.CheckConstraint(
            "(state IN ('ACTIVE', 'LOCKED')) = (password_hash IS NOT NULL)", name=op.f("ck_staff_password_while_enrolled")
        ),
        sa.CheckConstraint("state NOT IN ('ACTIVE', 'LOCKED') OR totp_sealed IS NOT NULL", name=op.f("ck_staff_two_factors")),
        sa.CheckConstraint("state <> 'LEFT' OR totp_sealed IS NULL", name=op.f("ck_staff_nothing_left_behind")),
        sa.CheckConstraint("state = 'LOCKED' OR locked_until IS NULL", name=op.f("ck_staff_locked_until_while_locked")),
        sa.CheckConstraint(
            "(state = 'INVITED') = (invitation_hash IS NOT NULL) AND (state = 'INVITED') = (invitation_expires_at IS NOT NULL)",
            name=op.f("ck_staff_invitation_while_invited"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_staff")),
        sa.UniqueConstraint("number", name=op.f("uq_staff_number")),
    )
    op.create_table(
        "staff_acts",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("act", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("result", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("network", sa.Text(), nullable=False),
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_staff_acts")),
    )
    op.create_index(
        op.f("ix_staff_acts_network_at"),
        "staff_acts",
        ["network", "at"],
        unique=False,
        postgresql_where=sa.text("result <> 'DONE'"),
    )
    op.create_index(op.f("ix_staff_acts_who_id"), "staff_acts", ["who", "id"], unique=False)
    op.create_table(
        "staff_resets",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("staff_id", sa.Uuid(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("asked_by", sa.Text(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("confirmed_by", sa.Text(), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("state IN ('ASKED', 'CONFIRMED', 'REFUSED', 'LAPSED')", name=op.f("ck_staff_resets_state_known")),
        sa.CheckConstraint("confirmed_by IS NULL OR confirmed_by <> asked_by", name=op.f("ck_staff_resets_two_people")),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_staff_resets_staff_id_staff")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_staff_resets")),
    )
    op.create_index(
        "uq_staff_resets_staff_id_asked",
        "staff_resets",
        ["staff_id"],
        unique=True,
        postgresql_where=sa.text("state = 'ASKED'"),
    )
    op.create_table(
        "staff_sessions",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("staff_id", sa.Uuid(), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_why", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_staff_sessions_staff_id_staff")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_staff_sessions")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_staff_sessions_token_hash")),
    )
    op.create_index(
        "uq_staff_sessions_staff_id_live",
        "staff_sessions",
        ["staff_id"],
        unique=True,
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    for table in APPEND_ONLY:
        op.execute(
            f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION refuse_change()"
        )
        op.execute(
            f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )


def downgrade() -> None:
    raise NotImplementedError("what staff did is never deleted: restore a backup instead")
