"""Postal addresses; which parties are known from other records alone, and which of several identifiers is named first."""

import re

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go to this migration."""
    op.create_table(
        "addresses",
        sa.Column("id", sa.LargeBinary(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=False),
        sa.Column("valid_from", sa.DateTime(timezone=True), nullable=True),
        sa.Column("valid_to", sa.DateTime(timezone=True), nullable=True),
        sa.Column("mapping", sa.Text(), nullable=False),
        sa.Column("record_id", sa.LargeBinary(), nullable=True),
        sa.Column("run_id", sa.LargeBinary(), nullable=True),
        sa.Column("extensions", sa.Text(), nullable=True),
        sa.Column("party", sa.LargeBinary(), nullable=False),
        sa.Column("contexts", sa.Text(), nullable=True),
        sa.Column("street", sa.Text(), nullable=True),
        sa.Column("house_number", sa.Text(), nullable=True),
        sa.Column("unit", sa.Text(), nullable=True),
        sa.Column("post_code", sa.Text(), nullable=True),
        sa.Column("city", sa.Text(), nullable=True),
        sa.Column("region", sa.Text(), nullable=True),
        sa.Column("country", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="addresses_key"),
    )
    op.create_index("addresses_by_party", "addresses", ["party"])
    op.create_index("addresses_by_record_id", "addresses", ["record_id"])
    op.add_column("parties", sa.Column("mentioned", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.add_column("party_identifiers", sa.Column("preferred", sa.Boolean(), server_default=sa.true(), nullable=False))
    if op.get_bind().dialect.name == "postgresql":
        op.alter_column("parties", "mentioned", server_default=None)
        op.alter_column("party_identifiers", "preferred", server_default=None)
    _mark_mentioned()


def _mark_mentioned() -> None:
    """Mark the parties that no mapping to parties has made."""
    bind = op.get_bind()
    texts = bind.execute(sa.text("SELECT name, text FROM mappings")).all()
    own = {name for name, text in texts if re.search(r"^target:\s*[\"']?party\b", text, re.MULTILINE)}
    for (label,) in bind.execute(sa.text("SELECT DISTINCT mapping FROM parties")).all():
        if label.rpartition("@")[0] not in own:
            bind.execute(sa.text("UPDATE parties SET mentioned = :yes WHERE mapping = :label"), {"yes": True, "label": label})


def downgrade() -> None:
    """Go back from this migration."""
    op.drop_column("party_identifiers", "preferred")
    op.drop_column("parties", "mentioned")
    op.drop_table("addresses")
