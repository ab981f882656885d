"""Values that mean something else than they say: what the shipped mappings `call`."""

from threadline.sdk import JSON

NO_NAME = "[not provided]"
"""What Salesforce itself writes where a required last name is unknown."""


def person_name(value: JSON) -> str | None:
    """Return a name without what stands in for an unknown one; None when nothing else is left."""
    return str(value).replace(NO_NAME, "").strip() or None
