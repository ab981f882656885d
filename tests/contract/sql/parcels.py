"""Parcels whose changes triggers log, and a store of what is told of them."""

from itertools import islice
from typing import Any

import msgspec

from connectors.sql import Sql
from tests.contract.sql.lab import Place, decoded
from threadline.sdk import Cursor

CHANGES = {"table": "parcels_log", "order": "log_id"}
PARCELS = {"parcels": {"table": "parcels", "key": ["no"], "changes": CHANGES}}
_NUMBERED = {
    "sqlite": "INTEGER PRIMARY KEY AUTOINCREMENT",
    "postgresql": "bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
    "mariadb": "bigint AUTO_INCREMENT PRIMARY KEY",
}


def numbered(place: Place) -> str:
    """Return how a column is declared that numbers its rows."""
    return _NUMBERED[place.engine.dialect.name]


def logged(place: Place) -> Place:
    """Make a table whose changes triggers log."""
    place.run(
        "CREATE TABLE parcels (no VARCHAR(20) PRIMARY KEY, state VARCHAR(20))",
        f"CREATE TABLE parcels_log (log_id {numbered(place)}, op CHAR(1), no VARCHAR(20))",
    )
    if place.engine.dialect.name == "postgresql":
        place.run(
            "CREATE FUNCTION log_parcel() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO parcels_log (op, no) "
            "VALUES (left(TG_OP, 1), coalesce(NEW.no, OLD.no)); RETURN NULL; END'",
            "CREATE TRIGGER log AFTER INSERT OR UPDATE OR DELETE ON parcels FOR EACH ROW EXECUTE FUNCTION log_parcel()",
        )
        return place
    for what, row in {"INSERT": "NEW", "UPDATE": "NEW", "DELETE": "OLD"}.items():
        entry = f"INSERT INTO parcels_log (op, no) VALUES ('{what[0]}', {row}.no);"
        place.run(f"CREATE TRIGGER log_{what} AFTER {what} ON parcels FOR EACH ROW BEGIN {entry} END")
    return place


def put(place: Place, *numbers: int, state: str = "sent") -> None:
    place.run(*[f"INSERT INTO parcels VALUES ('P{number}', '{state}')" for number in numbers])


def told(found: list[dict[str, Any]]) -> dict[str, str]:
    """Return what a store would hold of these records: the state, or that it is gone."""
    return {record["no"]: "gone" if record.get("_deleted") else record["state"] for record in found}


class Store:
    """Keeps what pages tell, and the last page's cursor."""

    def __init__(self) -> None:
        self.rows: dict[str, str] = {}
        self.cursor: Cursor | None = None

    def pull(self, sql: Sql, pages: int | None = None) -> None:
        for page in islice(sql.pull("parcels", self.cursor), pages):
            for no, state in told(decoded(page)).items():
                self.rows[no] = state
                if state == "gone":
                    del self.rows[no]
            self.cursor = through_json(page.cursor)


def table(place: Place) -> dict[str, str]:
    with place.engine.connect() as connection:
        return {row.no: row.state for row in connection.exec_driver_sql("SELECT no, state FROM parcels")}


def through_json(cursor: Cursor | None) -> Any:
    return msgspec.json.decode(msgspec.json.encode(cursor))
