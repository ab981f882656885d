"""All that is said of a profile's fields, who says it, and why one value of several is shown."""

from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct

from threadline.identity.survivorship import FIELDS, Claim, by_weight
from threadline.journey.profile import Profile
from threadline.store.database import moment


class SaidBy(Struct, frozen=True):
    """A record that says a value; `at` is when its source last changed it, of a preference when it was set."""

    source: str
    external_id: str
    at: datetime | None
    verified: bool
    gone: bool


class FieldValue(Struct, frozen=True):
    """A value of a field: shown, by which rule if there are others, and the records that say it, the weightiest first."""

    field: str
    value: Any
    shown: bool
    chosen_by: str | None
    said_by: list[SaidBy]


def field_values(profile: Profile) -> list[FieldValue]:
    """Return the values of all fields, of each the one that is shown first."""
    found: list[FieldValue] = []
    for name in FIELDS:
        choice = profile.choose(name)
        for value in profile.ranked(name):
            by = choice.by if choice and choice.value == value else None
            said_by = [_said(claim) for claim in by_weight(profile.values[name][value])]
            shown = msgspec.json.decode(value) if name == "preference" else value
            found.append(FieldValue(name, shown, choice is not None and choice.value == value, by, said_by))
    return found


def _said(claim: Claim) -> SaidBy:
    return SaidBy(claim.source, claim.external_id, moment(claim.at), claim.verified, claim.ended)


__all__ = ["FieldValue", "SaidBy", "field_values"]
