"""Steps of cases, feedback and knowledge articles; which case a push has opened."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go to this migration."""
    op.create_table(
        "status_changes",
        sa.Column("id", sa.LargeBinary(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=False),
        sa.Column("valid_from", sa.DateTime(timezone=True), nullable=True),
        sa.Column("valid_to", sa.DateTime(timezone=True), nullable=True),
        sa.Column("mapping", sa.Text(), nullable=False),
        sa.Column("record_id", sa.LargeBinary(), nullable=True),
        sa.Column("run_id", sa.LargeBinary(), nullable=True),
        sa.Column("extensions", sa.Text(), nullable=True),
        sa.Column("case", sa.LargeBinary(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("change_date", sa.DateTime(timezone=True), nullable=False),
        sa.Column("change_reason", sa.Text(), nullable=True),
        sa.Column("related_parties", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="status_changes_key"),
    )
    op.create_index("status_changes_by_case", "status_changes", ["case"], unique=False)
    op.create_table(
        "feedback",
        sa.Column("id", sa.LargeBinary(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=False),
        sa.Column("valid_from", sa.DateTime(timezone=True), nullable=True),
        sa.Column("valid_to", sa.DateTime(timezone=True), nullable=True),
        sa.Column("mapping", sa.Text(), nullable=False),
        sa.Column("record_id", sa.LargeBinary(), nullable=True),
        sa.Column("run_id", sa.LargeBinary(), nullable=True),
        sa.Column("extensions", sa.Text(), nullable=True),
        sa.Column("metric", sa.Text(), nullable=False),
        sa.Column("feedback_date", sa.DateTime(timezone=True), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("rating", sa.Float(53), nullable=True),
        sa.Column("min_rating", sa.Float(53), nullable=True),
        sa.Column("max_rating", sa.Float(53), nullable=True),
        sa.Column("normalized_rating", sa.Float(53), nullable=True),
        sa.Column("comments", sa.Text(), nullable=True),
        sa.Column("sentiment", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("case", sa.LargeBinary(), nullable=True),
        sa.Column("order_ref", sa.Text(), nullable=True),
        sa.Column("conversation_ref", sa.Text(), nullable=True),
        sa.Column("related_parties", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="feedback_key"),
    )
    op.create_index("feedback_by_case", "feedback", ["case"], unique=False)
    op.create_table(
        "knowledge_articles",
        sa.Column("id", sa.LargeBinary(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=False),
        sa.Column("valid_from", sa.DateTime(timezone=True), nullable=True),
        sa.Column("valid_to", sa.DateTime(timezone=True), nullable=True),
        sa.Column("mapping", sa.Text(), nullable=False),
        sa.Column("record_id", sa.LargeBinary(), nullable=True),
        sa.Column("run_id", sa.LargeBinary(), nullable=True),
        sa.Column("extensions", sa.Text(), nullable=True),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("content", sa.Text(), nullable=True),
        sa.Column("version", sa.Text(), nullable=True),
        sa.Column("language", sa.Text(), nullable=True),
        sa.Column("status", sa.Text(), nullable=True),
        sa.Column("url", sa.Text(), nullable=True),
        sa.Column("creation_date", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_update", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name="knowledge_articles_key"),
    )
    op.add_column("outbox", sa.Column("case", sa.LargeBinary(), nullable=True))


def downgrade() -> None:
    """Go back from this migration."""
    op.drop_column("outbox", "case")
    op.drop_table("knowledge_articles")
    op.drop_index("feedback_by_case", table_name="feedback")
    op.drop_table("feedback")
    op.drop_index("status_changes_by_case", table_name="status_changes")
    op.drop_table("status_changes")
