"""The engine: pull, resolve, push, and what is known of their runs."""
