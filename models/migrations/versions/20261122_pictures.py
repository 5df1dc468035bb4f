"""pictures: the key of each lies sealed in its row, when it lost its use is said, and tries to upload are counted."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("application_documents", sa.Column("picture_key_sealed", sa.LargeBinary(), nullable=True))
    op.add_column("application_documents", sa.Column("unused_since", sa.DateTime(timezone=True), nullable=True))
    op.create_index(
        "ix_application_documents_to_erase",
        "application_documents",
        ["id"],
        unique=False,
        postgresql_where=sa.text("picture_key_sealed IS NULL AND erased_at IS NULL"),
    )
    op.create_table(
        "document_uploads",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_document_uploads_account_id_accounts")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_document_uploads")),
    )
    op.create_index(op.f("ix_document_uploads_account_id_at"), "document_uploads", ["account_id", "at"], unique=False)


def downgrade() -> None:
    op.drop_table("document_uploads")
    op.drop_index("ix_application_documents_to_erase", table_name="application_documents")
    op.drop_column("application_documents", "unused_since")
    op.drop_column("application_documents", "picture_key_sealed")
