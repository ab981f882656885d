"""Values that mean something else than they say: what the shipped mappings `call`."""

from collections.abc import Mapping

from threadline.sdk import JSON

NO_NAME = "[not provided]"
"""What Salesforce itself writes where a required last name is unknown."""


def person_name(value: JSON) -> str | None:
    """Return a name without what stands in for an unknown one; None when nothing else is left."""
    return str(value).replace(NO_NAME, "").strip() or None


def best_phone(record: Mapping[str, JSON]) -> JSON:
    """Return a contact's mobile number, else its business number, which colleagues may share; None without either."""
    return record.get("MobilePhone") or record.get("Phone")
