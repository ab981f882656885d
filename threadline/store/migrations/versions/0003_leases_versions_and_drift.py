"""Leases, earlier versions of records, digests of what they were mapped to, and the fields that streams have."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Go to this migration."""
    op.create_table(
        "record_versions",
        sa.Column("record_id", sa.LargeBinary(), nullable=False),
        sa.Column("version", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("page", sa.LargeBinary(), nullable=False),
        sa.Column("page_offset", sa.BigInteger(), nullable=False),
        sa.Column("page_length", sa.BigInteger(), nullable=False),
        sa.Column("seen_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("record_id", "version", name="record_versions_key"),
    )
    op.create_index("record_versions_by_page", "record_versions", ["page"], unique=False)
    op.create_table(
        "stream_fields",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("stream", sa.Text(), nullable=False),
        sa.Column("field", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("first_seen", TIME, nullable=False),
        sa.Column("example", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("source", "stream", "field", "type", name="stream_fields_key"),
    )
    op.create_table(
        "mappings",
        sa.Column("fingerprint", sa.LargeBinary(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("first_used", TIME, nullable=False),
        sa.PrimaryKeyConstraint("fingerprint", name="mappings_key"),
    )
    op.create_table(
        "swept",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("stream", sa.Text(), nullable=False),
        sa.Column("record_id", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("source", "stream", "record_id", name="swept_key"),
    )
    op.add_column("records", sa.Column("canonical", sa.LargeBinary(), nullable=True))
    op.drop_index("records_by_source_stream_changed_at", table_name="records")
    op.create_index("records_by_page", "records", ["page"], unique=False)
    op.add_column("streams", sa.Column("lease_until", TIME, nullable=True))
    op.add_column("streams", sa.Column("paused", sa.Text(), nullable=True))
    op.add_column("streams", sa.Column("paused_mapping", sa.LargeBinary(), nullable=True))
    op.add_column("streams", sa.Column("mapping", sa.LargeBinary(), nullable=True))
    # A row tells of many entities now; an id by itself is many of one.
    with op.batch_alter_table("changes") as changes:
        changes.alter_column("entity_id", new_column_name="entities")
    if op.get_bind().dialect.name == "postgresql":
        # It is compressed already: PostgreSQL need not try.
        op.execute("ALTER TABLE raw_pages ALTER COLUMN body SET STORAGE EXTERNAL")


def downgrade() -> None:
    """Go back from this migration."""
    with op.batch_alter_table("changes") as changes:
        changes.alter_column("entities", new_column_name="entity_id")
    for column in ("mapping", "paused_mapping", "paused", "lease_until"):
        op.drop_column("streams", column)
    op.drop_index("records_by_page", table_name="records")
    op.create_index("records_by_source_stream_changed_at", "records", ["source", "stream", "changed_at"], unique=False)
    op.drop_column("records", "canonical")
    op.drop_table("swept")
    op.drop_table("mappings")
    op.drop_table("stream_fields")
    op.drop_table("record_versions")
