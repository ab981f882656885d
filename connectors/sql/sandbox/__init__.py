"""A shop's own database as a stand-in."""

from connectors.sql.sandbox.database import SqlSandbox

__all__ = ["SqlSandbox"]
