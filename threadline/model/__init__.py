"""The canonical customer-interaction model."""
