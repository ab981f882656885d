"""Seeded schedules over the real engine and real databases: one seed replays one run, crashes and all.

`python -m threadline.testing.simulator --help`; docs/testing.md says how to read it.
"""
