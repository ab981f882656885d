"""Any JSON API over HTTP, as a YAML file describes it."""

from connectors.rest.connector import Rest

__all__ = ["Rest"]
