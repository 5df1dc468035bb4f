"""printouts: versions of what is printed, with their verification codes, and who asks about codes that are none."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "printouts",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("serial", sa.Text(), nullable=False),
        sa.Column("code_hash", sa.LargeBinary(), nullable=False),
        sa.Column("code_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("digest_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("standing_hash", sa.LargeBinary(), nullable=False),
        sa.Column("application_id", sa.Uuid(), nullable=True),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("issued_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("replaced_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("kind IN ('REGISTRATION_FORM')", name=op.f("ck_printouts_kind_known")),
        sa.CheckConstraint(
            "kind <> 'REGISTRATION_FORM' OR application_id IS NOT NULL", name=op.f("ck_printouts_about_something")
        ),
        sa.CheckConstraint("version > 0", name=op.f("ck_printouts_version_counts")),
        sa.ForeignKeyConstraint(
            ["application_id"],
            ["enrollment_applications.id"],
            name=op.f("fk_printouts_application_id_enrollment_applications"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_printouts")),
        sa.UniqueConstraint("serial", name=op.f("uq_printouts_serial")),
        sa.UniqueConstraint("code_hash", name=op.f("uq_printouts_code_hash")),
        sa.UniqueConstraint("application_id", "kind", "version", name=op.f("uq_printouts_application_id_kind_version")),
    )
    op.create_index(
        "uq_printouts_application_id_kind_latest",
        "printouts",
        ["application_id", "kind"],
        unique=True,
        postgresql_where=sa.text("replaced_at IS NULL"),
    )
    op.create_table(
        "printout_misses",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("network_index", sa.LargeBinary(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_printout_misses")),
    )
    op.create_index(op.f("ix_printout_misses_network_index_at"), "printout_misses", ["network_index", "at"], unique=False)


def downgrade() -> None:
    op.drop_table("printout_misses")
    op.drop_table("printouts")
