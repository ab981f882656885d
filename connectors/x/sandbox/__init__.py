"""A stand-in for X's API v2."""

from connectors.x.sandbox.server import XSandbox

__all__ = ["XSandbox"]
