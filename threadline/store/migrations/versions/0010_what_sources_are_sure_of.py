"""When a source last changed a party, and which identifiers it has made sure of."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go to this migration."""
    op.add_column("parties", sa.Column("last_update", sa.DateTime(timezone=True), nullable=True))
    op.add_column("party_identifiers", sa.Column("verified", sa.Boolean(), server_default=sa.false(), nullable=False))
    if op.get_bind().dialect.name == "postgresql":
        op.alter_column("party_identifiers", "verified", server_default=None)


def downgrade() -> None:
    """Go back from this migration."""
    op.drop_column("party_identifiers", "verified")
    op.drop_column("parties", "last_update")
