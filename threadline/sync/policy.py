"""What a pull may do before it stops, what it keeps, and what it makes of records that look different than before."""

from collections.abc import Collection, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal, TypeAlias

from msgspec import Struct

from threadline.identity.rules import USUAL as USUAL_IDENTITY
from threadline.identity.rules import Rules, read_rules
from threadline.identity.survivorship import USUAL as USUAL_SURVIVORSHIP
from threadline.identity.survivorship import Survivorship, read_survivorship
from threadline.sdk.yamlfile import Document, read_yaml

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
    survivorship: Survivorship = USUAL_SURVIVORSHIP
    """Which of several values a profile shows."""


USUAL = Policy()
"""What holds where nothing else is said."""


def _identity(folder: Path, sources: Collection[str]) -> dict[str, Any]:
    """Read the rules of identity that stand beside threadline.yaml; where there are none the usual ones hold."""
    own = folder / "mappings" / "identity.yaml"
    if not own.is_file():
        return {}
    document = read_yaml(own)
    return {"identity": read_rules(document), "survivorship": read_survivorship(document, sources)}


_LIMITS = {"lease": ("seconds", 86_400), "breaker_percent": ("percent", 100), "breaker_of": ("records", 1_000_000)}
_ARCHIVE = {"days": ("days", 36_500), "versions": ("versions", 1_000_000)}


def read_policy(document: Document, top: Mapping[str, Any]) -> Policy:
    """Read the policy of threadline.yaml, and the rules of identity that stand beside it."""
    given: dict[str, Any] = _numbers(document, top, "limits", _LIMITS)
    given |= {f"archive_{name}": value for name, value in _numbers(document, top, "archive", _ARCHIVE).items()}
    if "lease" in given:
        given["lease"] = timedelta(seconds=given["lease"])
    return Policy(**given, **_identity(Path(document.name).parent, top.get("sources") or {}))


def _numbers(document: Document, top: Mapping[str, Any], block: str, known: Mapping[str, tuple[str, int]]) -> dict[str, int]:
    given = document.check_keys((block,), top.get(block) or {}, known, f"`{block}`")
    for name, value in given.items():
        unit, most = known[name]
        if type(value) is not int or not 1 <= value <= most:
            raise document.error((block, name), f"`{name}` must be a whole number of {unit}, from 1 to {most:,}")
    return dict(given)


__all__ = ["DRIFT_POLICIES", "USUAL", "DriftPolicy", "Policy", "read_policy"]
