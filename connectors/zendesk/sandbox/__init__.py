"""A stand-in for a Zendesk account."""

from connectors.zendesk.sandbox.server import ZendeskSandbox

__all__ = ["ZendeskSandbox"]
