"""Which parties hold the id of another one, in an index of its own: there are few."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

_OF_OTHERS = sa.text("owner IS NOT NULL AND identifier <> party")


def upgrade() -> None:
    """Go to this migration."""
    op.create_index(
        "party_identifiers_of_others", "party_identifiers", ["identifier", "party"], sqlite_where=_OF_OTHERS, postgresql_where=_OF_OTHERS
    )


def downgrade() -> None:
    """Go back from this migration."""
    op.drop_index("party_identifiers_of_others", "party_identifiers")
