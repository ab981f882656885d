"""Any database that SQLAlchemy reaches, as a source and a target."""

from connectors.sql.connector import Sql

__all__ = ["Sql"]
