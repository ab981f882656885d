"""X (formerly Twitter), API v2: mentions, direct messages, and public replies."""

from connectors.x.connector import X

__all__ = ["X"]
