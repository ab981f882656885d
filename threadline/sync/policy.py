"""What a pull may do before it stops, what it keeps, and what it makes of records that look different than before."""

from datetime import timedelta
from typing import Literal, TypeAlias

from msgspec import Struct

from threadline.identity.rules import USUAL as USUAL_IDENTITY
from threadline.identity.rules import Rules

DriftPolicy: TypeAlias = Literal["evolve", "freeze", "ignore"]
DRIFT_POLICIES: tuple[DriftPolicy, ...] = ("evolve", "freeze", "ignore")


class Policy(Struct, frozen=True, kw_only=True):
    """How one stream is pulled, as threadline.yaml says."""

    lease: timedelta = timedelta(minutes=2)
    """How long a run holds its stream after its last sign of life."""
    ahead: int = 2
    """Pages that are read while earlier ones are stored."""
    breaker_percent: float = 20.0
    breaker_of: int = 200
    """More than this share of this many records that cannot be used pauses the stream."""
    drift: DriftPolicy = "evolve"
    """`evolve` keeps new fields in extensions, `freeze` refuses records that differ in shape, `ignore` only takes note."""
    archive_days: int = 90
    archive_versions: int = 10
    """For how long, and how many, earlier versions of a record are kept; the newest always is."""
    identity: Rules = USUAL_IDENTITY
    """Which values join parties to one customer."""


USUAL = Policy()
"""What holds where nothing else is said."""

__all__ = ["DRIFT_POLICIES", "USUAL", "DriftPolicy", "Policy"]
