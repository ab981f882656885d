"""Declarative mapping files, compiled to one typed decode and one generated function each."""
