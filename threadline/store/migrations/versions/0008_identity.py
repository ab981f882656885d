"""The history of profiles, decisions and matches, and the values that join nobody."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go to this migration."""
    op.create_table(
        "profile_events",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("profile", sa.LargeBinary(), nullable=False),
        sa.Column("other", sa.LargeBinary(), nullable=False),
        sa.Column("parties", sa.LargeBinary(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name="profile_events_key"),
    )
    op.create_index("profile_events_by_profile", "profile_events", ["profile"])
    op.create_index("profile_events_by_other", "profile_events", ["other"])
    if op.get_bind().dialect.name == "postgresql":
        op.execute('ALTER TABLE profile_events ALTER COLUMN "parties" SET STORAGE EXTERNAL')
    op.create_table(
        "shared_identifiers",
        sa.Column("id", sa.LargeBinary(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="shared_identifiers_key"),
    )
    op.create_table(
        "decisions",
        sa.Column("one", sa.LargeBinary(), nullable=False),
        sa.Column("other", sa.LargeBinary(), nullable=False),
        sa.Column("verdict", sa.Text(), nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("one", "other", name="decisions_key"),
    )
    op.create_index("decisions_by_other", "decisions", ["other"])
    op.create_table(
        "matches",
        sa.Column("one", sa.LargeBinary(), nullable=False),
        sa.Column("other", sa.LargeBinary(), nullable=False),
        sa.Column("weight", sa.Float(), nullable=False),
        sa.Column("evidence", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("one", "other", name="matches_key"),
    )
    op.create_index("matches_by_other", "matches", ["other"])
    op.create_index("matches_by_state_weight", "matches", ["state", "weight"])


def downgrade() -> None:
    """Go back from this migration."""
    for table in ("matches", "decisions", "shared_identifiers", "profile_events"):
        op.drop_table(table)
