"""Measures how faithful a stand-in is to the system that it stands in for.

Two measures: whether what is said is valid against the vendor's OpenAPI document with its errata (`validity`), and whether
the keys and JSON types of answers are those of recorded ones (`structure`). Each is taken of the recorded traffic and of
the traffic between a connector and its stand-in while the conformance kit works them. `python -m threadline.testing.faithfulness`
prints the report.
"""

from threadline.testing.faithfulness.exchange import Exchange, read_recording
from threadline.testing.faithfulness.subject import Subject, load_subject, subjects

__all__ = ["Exchange", "Subject", "load_subject", "read_recording", "subjects"]
