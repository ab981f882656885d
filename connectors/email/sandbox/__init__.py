"""A stand-in mail server: a real IMAP and a real SMTP server on loopback, in one thread."""

from connectors.email.sandbox.server import EmailSandbox

__all__ = ["EmailSandbox"]
