"""All that is said of a profile's fields, who says it, and why one value of several is shown."""

from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct

from threadline.identity.survivorship import FIELDS, Claim
from threadline.journey.profile import Profile, shown_as
from threadline.store.database import moment


class SaidBy(Struct, frozen=True):
    """A record that says a value; `at` is when its source last changed it, of a preference when it was set.

    Of who is only `mentioned` the source has no record; one that is `gone` it has no longer.
    """

    source: str
    external_id: str
    at: datetime | None
    verified: bool
    mentioned: bool
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
            said_by = [_said(claim) for claim in profile.claims(name, value)]
            shown = choice is not None and choice.value == value
            found.append(FieldValue(name, shown_as(name, value), shown, choice.by if choice and shown else None, said_by))
    return found


def address_line(value: str) -> str:
    """Write an address, which is JSON, in one line."""
    parts: dict[str, str] = msgspec.json.decode(value)
    lines = (("street", "house_number"), ("unit",), ("post_code", "city"), ("region",), ("country",))
    return ", ".join(filter(None, (" ".join(parts[name] for name in line if name in parts) for line in lines)))


def _said(claim: Claim) -> SaidBy:
    return SaidBy(claim.source, claim.external_id, moment(claim.at), claim.verified, claim.mentioned, claim.ended)


__all__ = ["FieldValue", "SaidBy", "address_line", "field_values"]
