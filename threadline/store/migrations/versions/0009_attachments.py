"""The files that records carry, each once."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go to this migration."""
    op.create_table(
        "attachments",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("first_seen", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("digest", name="attachments_key"),
    )
    if op.get_bind().dialect.name == "postgresql":
        op.execute('ALTER TABLE attachments ALTER COLUMN "body" SET STORAGE EXTERNAL')
    op.create_table(
        "record_attachments",
        sa.Column("record_id", sa.LargeBinary(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("record_id", "version", "digest", name="record_attachments_key"),
    )
    op.create_index("record_attachments_by_digest", "record_attachments", ["digest"])


def downgrade() -> None:
    """Go back from this migration."""
    op.drop_table("record_attachments")
    op.drop_table("attachments")
