"""What matching has learned, and what it compares of each customer."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go to this migration."""
    op.create_table(
        "match_models",
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("trained_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("version", name="match_models_key"),
    )
    op.create_table(
        "match_people",
        sa.Column("party", sa.LargeBinary(), nullable=False),
        sa.Column("features", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("party", name="match_people_key"),
    )
    if op.get_bind().dialect.name == "postgresql":
        op.execute('ALTER TABLE match_people ALTER COLUMN "features" SET STORAGE EXTERNAL')
    op.create_table(
        "match_keys",
        sa.Column("key", sa.BigInteger(), nullable=False),
        sa.Column("party", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("key", "party", name="match_keys_key"),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    """Go back from this migration."""
    op.drop_table("match_keys")
    op.drop_table("match_people")
    op.drop_table("match_models")
