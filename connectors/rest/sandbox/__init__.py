"""A stand-in for an API that an API file describes: a WooCommerce shop."""

from connectors.rest.sandbox.server import RestSandbox

__all__ = ["RestSandbox"]
