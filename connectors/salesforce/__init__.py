"""Salesforce: contacts and cases by SOQL, contacts back by collection upsert."""

from connectors.salesforce.connector import Salesforce

__all__ = ["Salesforce"]
