"""Parties by themselves need no profile of their own, and who takes part is told by the entity itself."""

from collections import defaultdict
from collections.abc import Iterator

import msgspec
import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

ENTITIES = ("interactions", "cases", "orders")


def upgrade() -> None:
    """Go to this migration."""
    op.create_table(
        "related_customers",
        sa.Column("party", sa.LargeBinary(), nullable=False),
        sa.Column("entity", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("party", "entity", name="related_customers_key"),
    )
    op.execute("INSERT INTO related_customers (party, entity) SELECT DISTINCT party, entity FROM related_parties WHERE role = 'customer'")
    for table in ENTITIES:
        op.add_column(table, sa.Column("related_parties", sa.Text(), nullable=True))
    for entity, related in _by_entity():
        for table in ENTITIES:
            statement = sa.text(f"UPDATE {table} SET related_parties = :related WHERE id = :entity")
            op.get_bind().execute(statement, {"related": related, "entity": entity})
    op.drop_index("related_parties_by_party", table_name="related_parties")
    op.drop_table("related_parties")
    op.execute(
        "CREATE VIEW party_profiles AS SELECT p.id AS party, coalesce(m.profile, p.id) AS profile "
        "FROM parties p LEFT JOIN memberships m ON m.party = p.id"
    )
    if op.get_bind().dialect.name == "postgresql":
        # Ids are hashes and a dead letter may be large: to try to compress them costs more than it saves.
        op.execute("ALTER TABLE changes ALTER COLUMN entities SET STORAGE EXTERNAL")
        op.execute("ALTER TABLE dead_letters ALTER COLUMN raw SET STORAGE EXTERNAL")


def _by_entity() -> Iterator[tuple[bytes, str]]:
    rows = op.get_bind().execute(sa.text("SELECT entity, role, party FROM related_parties ORDER BY entity, role, party"))
    found: dict[bytes, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for entity, role, party in rows:
        found[bytes(entity)][role].append(bytes(party).hex())
    for entity, related in found.items():
        yield entity, msgspec.json.encode(related).decode()


def downgrade() -> None:
    """Go back from this migration."""
    op.execute("DROP VIEW party_profiles")
    op.create_table(
        "related_parties",
        sa.Column("entity", sa.LargeBinary(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("party", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("entity", "role", "party", name="related_parties_key"),
    )
    op.create_index("related_parties_by_party", "related_parties", ["party"], unique=False)
    insert = sa.text("INSERT INTO related_parties (entity, role, party) VALUES (:entity, :role, :party)")
    for table in ENTITIES:
        rows = op.get_bind().execute(sa.text(f"SELECT id, related_parties FROM {table} WHERE related_parties IS NOT NULL"))
        for entity, related in rows.all():
            for role, parties in msgspec.json.decode(related, type=dict[str, list[str]]).items():
                for party in parties:
                    op.get_bind().execute(insert, {"entity": entity, "role": role, "party": bytes.fromhex(party)})
        op.drop_column(table, "related_parties")
    op.drop_table("related_customers")
    # A profile of one party had a row then, and its membership too.
    op.execute("INSERT INTO memberships (party, profile) SELECT id, id FROM parties WHERE id NOT IN (SELECT party FROM memberships)")
    op.execute(
        "INSERT INTO profiles (id, redirect_to, version, changed_at) SELECT DISTINCT profile, CAST(NULL AS {id}), 1, CURRENT_TIMESTAMP "
        "FROM memberships WHERE profile NOT IN (SELECT id FROM profiles)".format(
            id="bytea" if op.get_bind().dialect.name == "postgresql" else "blob"
        )
    )
