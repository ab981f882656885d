"""The shop's API: lists by page number, windows of time, batches with a result for each item, errors in its own words."""

from base64 import b64encode
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from connectors.rest.sandbox import records
from connectors.rest.sandbox.lists import Lists
from connectors.rest.sandbox.rig import WooCommerceRig
from threadline.testing.sandbox import Document, HttpSandbox
from threadline.testing.story import Event, Garbled, Moved, Ordered, Person, Registered

KEY, SECRET = "ck_sandbox", "cs_sandbox"
"""The consumer key and secret that it accepts."""
_BASE = "/wp-json/wc/v3"
_PUSHED_BY = "threadline"
_NOBODY = Person(9_000, "Nobody", "Known", "nobody@example.org", "", "nobody")


class RestSandbox(HttpSandbox):
    """A WooCommerce shop: customers, orders with line items, notes on orders."""

    name: ClassVar[str] = "rest"
    role = "orders"

    def __init__(self, folder: Path | None = None) -> None:
        super().__init__(folder)
        self.clock: Callable[[], datetime] = _now
        self._lists = {kind: Lists(self.shelf, kind) for kind in ("customer", "order")}

    def routes(self) -> list[Route]:
        """Return the API's endpoints."""
        return [
            Route(f"{_BASE}/customers", self._customers),
            Route(f"{_BASE}/customers/batch", self._customers_batch, methods=["POST"]),
            Route(f"{_BASE}/orders", self._orders),
            Route(f"{_BASE}/orders/{{id:int}}/notes", self._notes, methods=["GET", "POST"]),
        ]

    def authorized(self, request: Request) -> bool:
        """Accept the consumer key and secret, as HTTP Basic."""
        return request.headers.get("authorization") == f"Basic {b64encode(f'{KEY}:{SECRET}'.encode()).decode()}"

    def unauthorized(self) -> Response:
        """What WooCommerce says to another key."""
        return _error(401, "woocommerce_rest_cannot_view", "Sorry, you cannot list resources.")

    @property
    def settings(self) -> Mapping[str, Any]:
        """The shipped API file, at this address."""
        return {"api": "woocommerce", "base_url": f"{self.url}{_BASE}", "variables": {"shop": "localhost"}}

    @property
    def secrets(self) -> Mapping[str, str]:
        """The consumer key and secret."""
        return {"user": KEY, "password": SECRET}

    def rig(self) -> WooCommerceRig:
        """See `Sandbox`."""
        return WooCommerceRig(self)

    def tell(self, event: Event) -> None:
        """Write the event down; an event that is told again changes nothing."""
        with self.shelf.together():
            match event:
                case Registered():
                    self._register(event)
                case Ordered():
                    self._order(event)
                case Moved(thing="order"):
                    self._move(event)
                case Garbled():
                    self._garble(event)
                case _:
                    raise ValueError(f"the shop has no place for {type(event).__name__}")

    def pushed(self, object: str) -> list[Document]:  # noqa: A002 - the connector contract's word
        """Return the customers whose preference came from a push, or the notes that did."""
        if object == "customer":
            return [
                each for each in self.shelf.all("customer") if {"key": "preferred_by", "value": _PUSHED_BY} in _plain(each["meta_data"])
            ]
        if object == "order_note":
            return [note for held in self.shelf.all("notes") for note in held["notes"] if note["author"] == _PUSHED_BY]
        raise ValueError(f"nothing is pushed here as {object!r}; known: customer, order_note")

    def _save(self, kind: str, document: Document) -> None:
        """Keep a document; one that is the same already does not change its time."""
        held = self.shelf.get(kind, str(document["id"]))
        if held is None or any(held.get(name) != value for name, value in document.items() if not name.startswith("date_modified")):
            now = records.gmt(self.clock())
            changed = {**document, "date_modified": now, "date_modified_gmt": now}
            self.shelf.put(kind, str(document["id"]), changed)
            self._lists[kind].put(changed)

    def _register(self, told: Registered) -> None:
        if told.person.role != "customer" or "handle" in told.knows:
            raise ValueError("the shop keeps customers, and no handles")
        identity = str(records.customer_id(told.person))
        customer = self.shelf.get("customer", identity) or records.new_customer(told.person, told.at)
        if (told_last := self.shelf.get("told", identity)) and told_last["at"] >= told.at.isoformat():
            return
        self.shelf.put("told", identity, {"at": told.at.isoformat()})
        records.knows(customer, told.person, told.knows)
        if told.preferred_channel:
            for key, value in (("preferred_channel", told.preferred_channel), ("preferred_by", "shop")):
                records.set_meta(customer, key, value)
        self._save("customer", customer)

    def _order(self, told: Ordered) -> None:
        if not self.shelf.get("customer", str(records.customer_id(told.person))):
            raise ValueError(f"person {told.person.number} orders ({told.order}) before the shop has registered them")
        if not self.shelf.get("order", str(records.order_id(told.order))):
            self._save("order", records.new_order(told))

    def _move(self, told: Moved) -> None:
        identity = str(records.order_id(told.number))
        order = self.shelf.get("order", identity)
        if not order:
            raise ValueError(f"the shop has no order {told.number}")
        if told.state not in records.STATUSES:
            raise ValueError(f"the shop has no status for {told.state!r}; it has them for {', '.join(records.STATUSES)}")
        if (told_last := self.shelf.get("told", identity)) and told_last["at"] >= told.at.isoformat():
            return
        self.shelf.put("told", identity, {"at": told.at.isoformat()})
        done = {"date_completed": records.gmt(told.at), "date_completed_gmt": records.gmt(told.at)} if told.state == "shipped" else {}
        self._save("order", {**order, "status": records.STATUSES[told.state], **done})

    def _garble(self, told: Garbled) -> None:
        order = records.new_order(Ordered(told.at, told.system, _NOBODY, f"G{told.number:06}", (("X-1", "?", 1, 100),)))
        records.garble(order, told.number)
        self._save("order", order)

    def remove(self, number: str) -> None:
        """Put an order into the bin."""
        order = self.shelf.get("order", str(records.order_id(number)))
        assert order  # noqa: S101 - a test's mistake
        self._save("order", {**order, "status": "trash"})

    def erase_customer(self, identity: int) -> None:
        """Delete an account, of which nothing is left."""
        self.shelf.drop("customer", str(identity))
        self._lists["customer"].drop(identity)

    def write_note(self, order: int, text: str, *, to_customer: bool = False) -> Document:
        """Write a note on an order, which does not count as a change of it."""
        held = self.shelf.get("notes", str(order)) or {"notes": []}
        number = len(held["notes"])
        made = records.note(order, number, text, _PUSHED_BY, self.clock(), to_customer=to_customer)
        self.keep_notes(order, [*held["notes"], made])
        return made

    def notes(self, order: int) -> list[Document]:
        """Return an order's notes, oldest first."""
        return list((self.shelf.get("notes", str(order)) or {"notes": []})["notes"])

    def keep_notes(self, order: int, notes: list[Document]) -> None:
        """Let an order have these notes."""
        self.shelf.put("notes", str(order), {"notes": notes})

    async def _customers(self, request: Request) -> Response:
        return self._page(request, "customer")

    async def _orders(self, request: Request) -> Response:
        wanted = request.query_params
        if wanted.get("dates_are_gmt") != "true" and ("modified_after" in wanted or "modified_before" in wanted):
            return _error(400, "rest_invalid_param", "This shop is in another time zone.")
        return self._page(request, "order")

    def _page(self, request: Request, kind: str) -> Response:
        wanted = request.query_params
        page, size = int(wanted.get("page", 1)), int(wanted.get("per_page", 10))
        offset = int(wanted.get("offset", (page - 1) * size))
        if not 1 <= size <= 100 or page < 1 or offset < 0:
            return _error(400, "rest_invalid_param", "Invalid parameter(s): per_page")
        ids = self._lists[kind].ids(wanted)
        held = [body for each in ids[offset : offset + size] if (body := self.shelf.raw(kind, str(each)))]
        return Response(
            b"[%b]" % b",".join(held),
            media_type="application/json",
            headers={"X-WP-Total": str(len(ids)), "X-WP-TotalPages": str(-(-len(ids) // size))},
        )

    async def _notes(self, request: Request) -> Response:
        order = int(request.path_params["id"])
        if not self.shelf.get("order", str(order)):
            return _error(404, "woocommerce_rest_order_invalid_id", "Invalid order ID.")
        if request.method == "GET":
            return JSONResponse(self.notes(order)[::-1])
        body = await _body(request)
        if not isinstance(body.get("note"), str):
            return _error(400, "rest_missing_callback_param", "Missing parameter(s): note")
        with self.shelf.together():
            made = self.write_note(order, body["note"], to_customer=bool(body.get("customer_note")))
        return JSONResponse(made, status_code=201)

    async def _customers_batch(self, request: Request) -> Response:
        body = await _body(request)
        with self.shelf.together():
            return JSONResponse({"update": [self._update_customer(each) for each in body.get("update", [])]})

    def _update_customer(self, given: Document) -> Document:
        customer = self.shelf.get("customer", str(given.get("id")))
        if not customer:
            error = {"code": "woocommerce_rest_invalid_id", "message": "Invalid resource ID.", "data": {"status": 400}}
            return {"id": given.get("id"), "error": error}
        for entry in given.get("meta_data", []):
            records.set_meta(customer, entry["key"], entry["value"])
        self._save("customer", customer)
        return customer


def _now() -> datetime:
    return datetime.now(UTC)


def _error(status: int, code: str, message: str) -> Response:
    return JSONResponse({"code": code, "message": message, "data": {"status": status}}, status_code=status)


async def _body(request: Request) -> dict[str, Any]:
    return msgspec.json.decode(await request.body(), type=dict[str, Any])


def _plain(entries: list[Document]) -> list[Document]:
    return [{"key": entry["key"], "value": entry["value"]} for entry in entries]
