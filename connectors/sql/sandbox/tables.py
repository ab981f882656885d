"""The ordering system of the demo: a shop's database of the kind that has run for twenty years.

Status and channel codes, phone numbers as they were typed, times without a zone (they are UTC), orders that are only marked
as deleted, a count of each customer's changes, and triggers that move changed_at where a statement does not. The same tables
can be made in SQLite, PostgreSQL, MariaDB and MySQL.
"""

from collections.abc import Mapping

from sqlalchemy import (
    Column,
    Connection,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Numeric,
    String,
    Table,
    Text,
    inspect,
)
from sqlalchemy.dialects import mysql

STATUS_CODES: Mapping[str, str] = {"placed": "OPN", "shipped": "SHP", "delivered": "DLV", "returned": "RET"}
CHANNEL_CODES: Mapping[str, str] = {
    "email": "MAIL", "voice": "TEL", "sms": "SMS", "chat": "CHAT", "social": "SOC", "web": "WEB", "mobile_app": "APP", "letter": "POST",
}  # fmt: skip

_MOMENT = DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")

metadata = MetaData()
customers = Table(
    "customers",
    metadata,
    Column("customer_no", Integer, primary_key=True, autoincrement=False),
    Column("first_name", String(60)),
    Column("last_name", String(60)),
    Column("email", String(120)),
    Column("phone", String(40)),
    Column("street", String(80)),
    Column("zip", String(10)),
    Column("town", String(60)),
    Column("country", String(2)),
    Column("preferred_channel", String(4)),
    Column("preferred_by", String(20)),
    Column("preferred_since", _MOMENT),
    Column("entered_on", _MOMENT, nullable=False),
    Column("row_version", Integer, nullable=False, server_default="1"),
    Column("changed_at", _MOMENT),
    Index("customers_by_change", "changed_at", "customer_no"),
)
orders = Table(
    "orders",
    metadata,
    Column("order_no", String(20), primary_key=True),
    # Customers were once kept in another system, so nothing ever checked that they exist.
    Column("customer_no", Integer, index=True),
    Column("placed_at", _MOMENT),
    Column("status_code", String(3), nullable=False),
    Column("status_date", _MOMENT),
    Column("total", Numeric(10, 2)),
    Column("currency", String(3)),
    Column("deleted_at", _MOMENT),
    Column("changed_at", _MOMENT),
    Index("orders_by_change", "changed_at", "order_no"),
)
order_lines = Table(
    "order_lines",
    metadata,
    Column("order_no", String(20), ForeignKey("orders.order_no"), primary_key=True),
    Column("line_no", Integer, primary_key=True, autoincrement=False),
    Column("article_no", String(20)),
    Column("description", String(200)),
    Column("quantity", Integer),
    Column("unit_price", Numeric(10, 2)),
    Column("changed_at", _MOMENT),
    Index("order_lines_by_change", "changed_at", "order_no", "line_no"),
)
customer_notes = Table(
    "customer_notes",
    metadata,
    Column("note_id", Integer, primary_key=True),
    Column("order_no", String(20), ForeignKey("orders.order_no"), nullable=False, index=True),
    Column("note_text", Text, nullable=False),
    Column("written_by", String(120)),
    Column("marker", String(64), unique=True),
    Column("changed_at", _MOMENT),
    Index("customer_notes_by_change", "changed_at", "note_id"),
)

_SQLITE_NOW = "strftime('%Y-%m-%d %H:%M:%f', 'now') || '000'"
"""SQLite's clock counts milliseconds; the column has microseconds, as in the other databases."""
_SQLITE = (
    (
        "CREATE TRIGGER {table}_inserted AFTER INSERT ON {table} WHEN NEW.changed_at IS NULL "
        "BEGIN UPDATE {table} SET changed_at = {now} WHERE rowid = NEW.rowid; END"
    ),
    (
        "CREATE TRIGGER {table}_updated AFTER UPDATE ON {table} WHEN NEW.changed_at IS OLD.changed_at "
        "BEGIN UPDATE {table} SET changed_at = {now} WHERE rowid = NEW.rowid; END"
    ),
)
_SQLITE_PREFERENCE = (
    "CREATE TRIGGER customers_preferred AFTER UPDATE OF preferred_channel ON customers "
    "WHEN NEW.preferred_channel IS NOT OLD.preferred_channel AND NEW.preferred_since IS OLD.preferred_since "
    "BEGIN UPDATE customers SET preferred_since = {now} WHERE rowid = NEW.rowid; END"
)
_POSTGRESQL = (
    (
        "CREATE OR REPLACE FUNCTION {table}_changed() RETURNS trigger LANGUAGE plpgsql AS "
        "'BEGIN IF NEW.changed_at IS NOT DISTINCT FROM (CASE WHEN TG_OP = ''UPDATE'' THEN OLD.changed_at END) "
        "THEN NEW.changed_at := clock_timestamp() AT TIME ZONE ''UTC''; END IF; RETURN NEW; END'"
    ),
    "CREATE TRIGGER {table}_changed BEFORE INSERT OR UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION {table}_changed()",
)
_POSTGRESQL_PREFERENCE = (
    (
        "CREATE OR REPLACE FUNCTION customers_preferred() RETURNS trigger LANGUAGE plpgsql AS "
        "'BEGIN NEW.preferred_since := clock_timestamp() AT TIME ZONE ''UTC''; RETURN NEW; END'"
    ),
    (
        "CREATE TRIGGER customers_preferred BEFORE UPDATE ON customers FOR EACH ROW "
        "WHEN (NEW.preferred_channel IS DISTINCT FROM OLD.preferred_channel "
        "AND NEW.preferred_since IS NOT DISTINCT FROM OLD.preferred_since) "
        "EXECUTE FUNCTION customers_preferred()"
    ),
)
_MYSQL = (
    "CREATE TRIGGER {table}_inserted BEFORE INSERT ON {table} FOR EACH ROW SET NEW.changed_at = ifnull(NEW.changed_at, utc_timestamp(6))",
    (
        "CREATE TRIGGER {table}_updated BEFORE UPDATE ON {table} FOR EACH ROW "
        "SET NEW.changed_at = IF(NEW.changed_at <=> OLD.changed_at, utc_timestamp(6), NEW.changed_at)"
    ),
)
_MYSQL_PREFERENCE = (
    "CREATE TRIGGER customers_preferred BEFORE UPDATE ON customers FOR EACH ROW SET NEW.preferred_since = "
    "IF(NEW.preferred_channel <=> OLD.preferred_channel OR NOT (NEW.preferred_since <=> OLD.preferred_since), "
    "NEW.preferred_since, utc_timestamp(6))"
)


def create(connection: Connection) -> None:
    """Make the tables and triggers, unless they are there."""
    if inspect(connection).has_table(orders.name):
        return
    metadata.create_all(connection)
    for_each, once = _triggers(connection.dialect.name)
    for statement in [each.format(table=table, now=_SQLITE_NOW) for table in metadata.tables for each in for_each]:
        connection.exec_driver_sql(statement)
    for statement in once:
        connection.exec_driver_sql(statement.format(now=_SQLITE_NOW))


def _triggers(dialect: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    if dialect == "sqlite":
        return _SQLITE, (_SQLITE_PREFERENCE,)
    if dialect == "postgresql":
        return _POSTGRESQL, _POSTGRESQL_PREFERENCE
    return _MYSQL, (_MYSQL_PREFERENCE,)
