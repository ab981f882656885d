"""The shop whose tables have logs of their changes, which triggers write: the connector then needs no time of change."""

from collections.abc import Mapping
from typing import Any

from connectors.sql import Sql
from connectors.sql.sandbox import SqlSandbox
from connectors.sql.sandbox.rig import SqlRig

_KEYS: Mapping[str, list[str]] = {"customers": ["customer_no"], "orders": ["order_no"], "order_lines": ["order_no", "line_no"]}


class ShopWithLog(SqlSandbox):
    """The shop in a file, with a log for each table that is read."""

    def start(self, port: int = 0) -> None:
        """Make the tables, their logs and the triggers, unless they are there."""
        super().start(port)
        with self.writing() as connection:
            for table, key in _KEYS.items():
                names = ", ".join(key)
                connection.exec_driver_sql(
                    f"CREATE TABLE IF NOT EXISTS {table}_log (log_id INTEGER PRIMARY KEY AUTOINCREMENT, op, {names})"
                )
                for what, row in {"INSERT": "NEW", "UPDATE": "NEW", "DELETE": "OLD"}.items():
                    values = ", ".join(f"{row}.{name}" for name in key)
                    connection.exec_driver_sql(
                        f"CREATE TRIGGER IF NOT EXISTS {table}_{what}_logged AFTER {what} ON {table} "
                        f"BEGIN INSERT INTO {table}_log (op, {names}) VALUES ('{what[0]}', {values}); END"
                    )

    @property
    def settings(self) -> Mapping[str, Any]:
        """The tables, each with its log."""
        streams = {
            name: {"table": name, "key": key, "changes": {"table": f"{name}_log", "order": "log_id"}, "mapping": f"sql/{name}"}
            for name, key in _KEYS.items()
        }
        return {**super().settings, "streams": streams}

    def rig(self) -> "RigWithLog":
        """Return what the conformance kit works it with."""
        return RigWithLog(self)


class RigWithLog(SqlRig):
    """Works the shop with logs."""

    many = 20_000

    def settings_at(self, ports: Mapping[int, int]) -> Mapping[str, Any]:
        """See `Rig`; a file has one writer at a time, so that its entries are seen in their order."""
        return {**super().settings_at(ports), "overlap": 0}


class SqlWithLog(Sql):
    """The sql connector, with a stand-in that logs its changes."""

    sandbox = "tests.conformance.shop_with_log:ShopWithLog"
