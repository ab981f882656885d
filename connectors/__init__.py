"""The connectors that ship with threadline, one folder per system."""
