"""A shop's own database as the stand-in: a SQLite file, or the same tables in a database server."""

import shutil
import tempfile
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, cast

from sqlalchemy import (
    Connection,
    Engine,
    RowMapping,
    String,
    create_engine,
    event,
    insert,
    literal_column,
    select,
    type_coerce,
    update,
)

from connectors.sql.sandbox.tables import CHANNEL_CODES, STATUS_CODES, create, customer_notes, customers, order_lines, orders
from threadline.testing.homes import home
from threadline.testing.sandbox import Document, Sandbox
from threadline.testing.story import Event, Garbled, Moved, Ordered, Person, Registered

if TYPE_CHECKING:
    from connectors.sql.sandbox.rig import SqlRig

FIRST_CUSTOMER = 100_000
PUSHED_BY = "threadline"
GARBLED_KINDS = 5


class SqlSandbox(Sandbox):
    """The ordering system: customers, orders, order lines, notes.

    `url` puts it into a database server instead of a SQLite file in `folder`.
    """

    name: ClassVar[str] = "sql"
    role = "orders"

    def __init__(self, folder: Path | None = None, url: str | None = None) -> None:
        super().__init__(folder)
        self._temporary = None if folder or url else Path(tempfile.mkdtemp(prefix="threadline-shop-"))
        file = (folder or self._temporary or Path()) / "shop.db"
        self._url = url or f"sqlite:///{file}"

    @cached_property
    def _engine(self) -> Engine:
        engine = create_engine(self._url)
        if engine.dialect.name == "sqlite":
            event.listen(engine, "connect", _quick)
        with engine.begin() as connection:
            create(connection)
        return engine

    def start(self, port: int = 0) -> None:
        """Make the tables, unless they are there; a file needs no port."""
        with self._engine.connect():
            return

    def stop(self) -> None:
        """Close the database; without a folder its file goes too."""
        if "_engine" in self.__dict__:
            self._engine.dispose()
            del self._engine
        if self._temporary:
            shutil.rmtree(self._temporary, ignore_errors=True)

    @property
    def settings(self) -> Mapping[str, Any]:
        """The tables, as threadline.yaml declares them."""
        return {
            # Its transactions take milliseconds.
            "overlap": 1,
            "streams": {
                "customers": {"table": "customers", "key": ["customer_no"], "changed_at": "changed_at"},
                "orders": {"table": "orders", "key": ["order_no"], "changed_at": "changed_at"},
                "order_lines": {"table": "order_lines", "key": ["order_no", "line_no"], "changed_at": "changed_at"},
            },
            "writes": {
                "note": {
                    "table": "customer_notes",
                    "mode": "insert",
                    "key": ["marker"],
                    "columns": ["order_no", "note_text", "written_by"],
                },
                "preference": {
                    "table": "customers",
                    "mode": "update",
                    "key": ["customer_no"],
                    "columns": ["preferred_channel", "preferred_by"],
                    "version": "row_version",
                },
            },
        }

    @property
    def secrets(self) -> Mapping[str, str]:
        """The database's address."""
        return {"url": self._url}

    def rig(self) -> "SqlRig":
        """Return what the conformance kit works it with."""
        from connectors.sql.sandbox.rig import SqlRig

        return SqlRig(self)

    @contextmanager
    def writing(self) -> Generator[Connection]:
        """Begin a transaction, as the shop's own programs do."""
        with self._engine.begin() as connection:
            yield connection

    def tell(self, event: Event) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Write the event down; an event that is told again changes nothing."""
        write = cast("Callable[[Connection, Event], None] | None", _WRITERS.get(type(event)))
        if not write:
            raise ValueError(f"the shop's database has no place for {type(event).__name__}")
        with self.writing() as connection:
            write(connection, event)

    def pushed(self, object: str) -> list[Document]:  # noqa: A002 - the connector contract's word
        """Return the notes, or the customers whose preference came from a push, as rows."""
        if object == "note":
            statement = select(customer_notes).order_by(customer_notes.c.note_id)
        elif object == "preference":
            statement = select(customers).where(customers.c.preferred_by == PUSHED_BY).order_by(customers.c.customer_no)
        else:
            raise ValueError(f"nothing is pushed here as {object!r}; known: note, preference")
        with self._engine.connect() as connection:
            return [_document(row) for row in connection.execute(statement).mappings()]


def _quick(connection: Any, _record: Any) -> None:
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = OFF")


def _document(row: RowMapping) -> Document:
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in row.items()}


def _customer_no(person: Person) -> int:
    return FIRST_CUSTOMER + person.number


def _moment(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(tzinfo=None)


def _register(connection: Connection, told: Registered) -> None:
    person = told.person
    if person.role != "customer" or "handle" in told.knows:
        raise ValueError("the shop keeps customers, and no handles")
    number = _customer_no(person)
    street, zip_code, town, country = home(person)
    held = {
        "name": {
            "first_name": person.given_name, "last_name": person.family_name, "street": street, "zip": zip_code, "town": town,
            "country": country,
        },
        "email": {"email": person.email},
        "phone": {"phone": person.phone},
    }  # fmt: skip
    values: dict[str, Any] = {"entered_on": _moment(told.at)}
    for field in told.knows:
        values |= held[field]
    if told.preferred_channel:
        values |= {
            "preferred_channel": _code(CHANNEL_CODES, told.preferred_channel),
            "preferred_by": "shop",
            "preferred_since": _moment(told.at),
        }
    entered = connection.execute(select(customers.c.entered_on).where(customers.c.customer_no == number)).scalar()
    if entered is None:
        connection.execute(insert(customers).values(customer_no=number, **values))
    elif entered < _moment(told.at):
        connection.execute(
            update(customers).where(customers.c.customer_no == number).values(row_version=customers.c.row_version + 1, **values)
        )


def _order(connection: Connection, told: Ordered) -> None:
    number = _customer_no(told.person)
    if connection.execute(select(customers.c.customer_no).where(customers.c.customer_no == number)).first() is None:
        raise ValueError(f"person {told.person.number} orders ({told.order}) before the shop has registered them")
    if connection.execute(select(orders.c.order_no).where(orders.c.order_no == told.order)).first():
        return
    total = sum(quantity * cents for _, _, quantity, cents in told.lines)
    _insert_order(connection, told.order, number, told.at, total)
    for line_no, (article, description, quantity, cents) in enumerate(told.lines, 1):
        line = {"order_no": told.order, "line_no": line_no, "article_no": article, "description": description, "quantity": quantity}
        connection.execute(insert(order_lines).values(**line, unit_price=_amount(cents)))


def _insert_order(connection: Connection, order_no: str, customer_no: int, at: datetime, cents: int, **other: Any) -> None:
    values = {
        "order_no": order_no,
        "customer_no": customer_no,
        "placed_at": _moment(at),
        "status_code": STATUS_CODES["placed"],
        "status_date": _moment(at),
        "total": _amount(cents),
        "currency": "EUR",
    }
    connection.execute(insert(orders).values({**values, **other}))


def _amount(cents: int) -> Decimal:
    return Decimal(cents).scaleb(-2)


def _move(connection: Connection, told: Moved) -> None:
    if told.thing != "order":
        raise ValueError("the shop has no cases")
    status = connection.execute(select(orders.c.status_date).where(orders.c.order_no == told.number)).scalar()
    if status is None:
        raise ValueError(f"the shop has no order {told.number}")
    if status < _moment(told.at):
        values = {"status_code": _code(STATUS_CODES, told.state), "status_date": _moment(told.at)}
        connection.execute(update(orders).where(orders.c.order_no == told.number).values(values))


def _code(codes: Mapping[str, str], word: str) -> str:
    if word not in codes:
        raise ValueError(f"the shop has no code for {word!r}; it has them for {', '.join(codes)}")
    return codes[word]


def _garble(connection: Connection, told: Garbled) -> None:
    """An impossible date, a text for a price, an unknown status, an unknown channel, a name in Latin-1: in turn, by number."""
    kind, order_no, customer_no = told.number % GARBLED_KINDS, f"G{told.number:06}", 10 * FIRST_CUSTOMER + told.number
    if kind != 2 and kind != 3 and connection.dialect.name != "sqlite":
        raise ValueError(f"{connection.dialect.name} checks its types: it can hold the garbled records 2 and 3 (of 5) only")
    if kind in (3, 4):
        _garble_customer(connection, customer_no, kind, told.at)
        return
    if connection.execute(select(orders.c.order_no).where(orders.c.order_no == order_no)).first():
        return
    wrong: dict[int, dict[str, Any]] = {0: {"placed_at": type_coerce("2026-02-31 25:61:00", String)}, 1: {}, 2: {"status_code": "???"}}
    _insert_order(connection, order_no, customer_no, told.at, 100, **wrong[kind])
    if kind == 1:
        price = type_coerce("auf Anfrage", String)
        connection.execute(insert(order_lines).values(order_no=order_no, line_no=1, article_no="X-1", quantity=1, unit_price=price))


def _garble_customer(connection: Connection, customer_no: int, kind: int, at: datetime) -> None:
    if connection.execute(select(customers.c.customer_no).where(customers.c.customer_no == customer_no)).first():
        return
    values: dict[str, Any] = {"customer_no": customer_no, "entered_on": _moment(at)}
    if kind == 3:
        values |= {"first_name": "Jens", "preferred_channel": "FAX"}
    else:
        values["first_name"] = literal_column("CAST(x'4AFC7267656E' AS TEXT)")
    connection.execute(insert(customers).values(values))


_WRITERS: Mapping[type[Any], Callable[..., None]] = {Registered: _register, Ordered: _order, Moved: _move, Garbled: _garble}
