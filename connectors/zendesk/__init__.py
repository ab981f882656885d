"""Zendesk Support."""

from connectors.zendesk.connector import Zendesk

__all__ = ["Zendesk"]
