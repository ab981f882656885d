"""Threads across channels, and what a customer's page shows."""
