"""Records of a WooCommerce shop: field sets and types as of its REST API v3 (woocommerce.github.io/woocommerce-rest-api-docs)."""

from datetime import UTC, datetime
from typing import Any
from zlib import crc32

from threadline.testing.sandbox import Document
from threadline.testing.story import Ordered, Person

STATUSES = {"placed": "processing", "shipped": "completed", "delivered": "completed", "returned": "refunded"}
FIRST_CUSTOMER = 1_000
GARBLED_KINDS = 4
_NO_ADDRESS = {
    "first_name": "",
    "last_name": "",
    "company": "",
    "address_1": "",
    "address_2": "",
    "city": "",
    "postcode": "",
    "country": "",
    "state": "",
}


def customer_id(person: Person) -> int:
    """Return the id of a person's account."""
    return FIRST_CUSTOMER + person.number


def order_id(number: str) -> int:
    """Return the id of an order: another one than its number, as with plug-ins that number orders themselves."""
    digits = "".join(filter(str.isdecimal, number))
    series = crc32(number.removesuffix(digits).encode()) % 100
    return 20_000 + 100 * int(digits or 0) + series


def gmt(moment: datetime) -> str:
    """Write a time as the API does: in UTC, without a zone."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")


def new_customer(person: Person, at: datetime) -> Document:
    """Make an account that knows nothing but its id."""
    return {
        "id": customer_id(person),
        "date_created": gmt(at),
        "date_created_gmt": gmt(at),
        "email": "",
        "first_name": "",
        "last_name": "",
        "role": "customer",
        "username": f"customer-{person.number}",
        "billing": {**_NO_ADDRESS, "email": "", "phone": ""},
        "shipping": {**_NO_ADDRESS, "phone": ""},
        "is_paying_customer": False,
        "avatar_url": "",
        "meta_data": [],
    }


def knows(customer: Document, person: Person, fields: tuple[str, ...]) -> None:
    """Enter what the shop knows of a person."""
    if "name" in fields:
        customer |= {"first_name": person.given_name, "last_name": person.family_name}
    if "email" in fields:
        customer["email"] = person.email
        customer["billing"] = {**customer["billing"], "email": person.email}
    if "phone" in fields:
        customer["billing"] = {**customer["billing"], "phone": person.phone}


def set_meta(document: Document, key: str, value: Any) -> None:
    """Enter a meta value, under an id of its own."""
    entries: list[Document] = document["meta_data"]
    for entry in entries:
        if entry["key"] == key:
            entry["value"] = value
            return
    entries.append({"id": document["id"] * 100 + len(entries), "key": key, "value": value})


def new_order(told: Ordered) -> Document:
    """Make an order as it was placed."""
    items = [line_item(order_id(told.order), position, line) for position, line in enumerate(told.lines, 1)]
    total = money(sum(quantity * cents for _, _, quantity, cents in told.lines))
    buyer = {**_NO_ADDRESS, "first_name": told.person.given_name, "last_name": told.person.family_name}
    return {
        **_EMPTY,
        "id": order_id(told.order),
        "number": told.order,
        "order_key": f"wc_order_{order_id(told.order):x}",
        "status": STATUSES["placed"],
        "date_created": gmt(told.at),
        "date_created_gmt": gmt(told.at),
        "total": total,
        "customer_id": customer_id(told.person),
        "billing": {**buyer, "email": told.person.email, "phone": told.person.phone},
        "shipping": {**buyer, "phone": ""},
        "date_paid": gmt(told.at),
        "date_paid_gmt": gmt(told.at),
        "line_items": items,
    }


def line_item(order: int, position: int, line: tuple[str, str, int, int]) -> Document:
    """Make a line; its price is a number, its totals are texts."""
    sku, name, quantity, cents = line
    total = money(quantity * cents)
    return {
        "id": order * 100 + position, "name": name, "product_id": crc32(sku.encode()) % 10_000, "variation_id": 0, "quantity": quantity,
        "tax_class": "", "subtotal": total, "subtotal_tax": "0.00", "total": total, "total_tax": "0.00", "taxes": [], "meta_data": [],
        "sku": sku, "price": cents / 100,
    }  # fmt: skip


def money(cents: int) -> str:
    """Write an amount as the API does."""
    return f"{cents // 100}.{cents % 100:02}"


def note(order: int, number: int, text: str, author: str, at: datetime, *, to_customer: bool) -> Document:
    """Make a note on an order."""
    return {
        "id": order * 1_000 + number, "author": author, "date_created": gmt(at), "date_created_gmt": gmt(at), "note": text,
        "customer_note": to_customer,
    }  # fmt: skip


def garble(order: Document, number: int) -> None:
    """Break an order, in turn: a text for a total, an impossible date, a quantity in words, no number."""
    kind = number % GARBLED_KINDS
    if kind == 0:
        order["total"] = "auf Anfrage"
    elif kind == 1:
        order["date_created_gmt"] = "2026-02-31T25:61:00"
    elif kind == 2:
        order["line_items"][0]["quantity"] = "two"
    else:
        order["number"] = None


_EMPTY: Document = {
    "parent_id": 0, "created_via": "checkout", "version": "9.4.2", "currency": "EUR", "discount_total": "0.00", "discount_tax": "0.00",
    "shipping_total": "0.00", "shipping_tax": "0.00", "cart_tax": "0.00", "total_tax": "0.00", "prices_include_tax": True,
    "customer_ip_address": "", "customer_user_agent": "", "customer_note": "", "payment_method": "bacs",
    "payment_method_title": "Bank transfer",
    "transaction_id": "", "date_completed": None, "date_completed_gmt": None, "cart_hash": "", "meta_data": [], "tax_lines": [],
    "shipping_lines": [], "fee_lines": [], "coupon_lines": [], "refunds": [],
}  # fmt: skip
