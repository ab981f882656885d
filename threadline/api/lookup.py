"""What both the pages and the API do with a search and with an id, before the reader is asked."""

from collections.abc import Sequence
from typing import Annotated, TypeAlias

from fastapi import HTTPException, Query
from pydantic import AfterValidator, StringConstraints

from threadline.api.reader import Reader
from threadline.journey.views import CustomerHit, CustomerView
from threadline.model.ids import parse_id


def _visible(text: str) -> str:
    """Drop what nobody meant to look up: blanks around it, and control characters, of which databases refuse NUL."""
    return "".join(char for char in text if char.isprintable()).strip()


SearchText: TypeAlias = Annotated[
    str, Query(description="e-mail, phone, handle, order number or name"), StringConstraints(max_length=200), AfterValidator(_visible)
]


def search(reader: Reader, text: str) -> Sequence[CustomerHit]:
    """Return the customers found; none for an empty text."""
    return reader.customers(text) if text else ()


def find(reader: Reader, profile_id: str) -> CustomerView | str:
    """Return the customer, or the id that it was merged into; answer 404 when there is none."""
    customer = reader.customer(profile_id.upper()) if parse_id(profile_id) else None
    if customer is None:
        raise HTTPException(404, "No customer has this id. Look for the customer by e-mail, phone, order or name.")
    return customer
