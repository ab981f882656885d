"""Where ids of profiles that ended lead, and an index in which to find who holds a value without reading the rows."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go to this migration."""
    op.create_table(
        "redirects",
        sa.Column("id", sa.LargeBinary(), nullable=False),
        sa.Column("profile", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="redirects_key"),
    )
    op.create_index("redirects_by_profile", "redirects", ["profile"])
    op.execute("INSERT INTO redirects (id, profile) SELECT id, redirect_to FROM profiles WHERE redirect_to IS NOT NULL")
    op.drop_table("profiles")
    op.drop_index("party_identifiers_by_identifier", "party_identifiers")
    op.create_index("party_identifiers_by_identifier_party", "party_identifiers", ["identifier", "party"])


def downgrade() -> None:
    """Go back from this migration."""
    op.drop_index("party_identifiers_by_identifier_party", "party_identifiers")
    op.create_index("party_identifiers_by_identifier", "party_identifiers", ["identifier"])
    op.create_table(
        "profiles",
        sa.Column("id", sa.LargeBinary(), nullable=False),
        sa.Column("redirect_to", sa.LargeBinary(), nullable=True),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="profiles_key"),
    )
    op.create_index("profiles_by_redirect_to", "profiles", ["redirect_to"])
    op.execute("INSERT INTO profiles (id, redirect_to, version, changed_at) SELECT id, profile, 1, CURRENT_TIMESTAMP FROM redirects")
    op.drop_table("redirects")
