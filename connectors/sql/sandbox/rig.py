"""Works the shop's database for the conformance kit."""

from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar

from sqlalchemy import Table, and_, delete, func, insert, literal_column, select, update
from sqlalchemy.engine import make_url

from connectors.sql.sandbox.database import FIRST_CUSTOMER, PUSHED_BY
from connectors.sql.sandbox.tables import customer_notes, customers, order_lines, orders
from threadline.testing.rig import Rig, WaivedError
from threadline.testing.sandbox import Sandbox

if TYPE_CHECKING:
    from connectors.sql.sandbox.database import SqlSandbox

_TABLES: Mapping[str, Table] = {"customers": customers, "orders": orders, "order_lines": order_lines}
_ORDER = "NL-00000"
"""The order that lines and notes belong to."""


class SqlRig(Rig):
    """Customers, orders and lines; notes and preferences."""

    small_pages: ClassVar[Mapping[str, Any]] = {"page_size": 3}
    tell_of_deletes: ClassVar[Collection[str]] = {"orders"}
    sandbox: "SqlSandbox"

    def __init__(self, sandbox: Sandbox) -> None:
        super().__init__(sandbox)
        self._ordered = False

    @property
    def addresses(self) -> Mapping[str, tuple[str, int]]:
        """See `Rig`; a file is at none, nor is a server that listens on a socket of the machine."""
        url = make_url(self.sandbox.secrets["url"])
        return {url.get_backend_name(): (url.host, url.port)} if url.host and url.port else {}

    def settings_at(self, ports: Mapping[int, int]) -> Mapping[str, Any]:
        """See `Rig`."""
        url = make_url(self.sandbox.secrets["url"])
        if url.port and url.port in ports:
            url = url.set(host="127.0.0.1", port=ports[url.port])
        # Commits here are as late as those of any shop.
        return {**self.sandbox.settings, "overlap": 60, "url": url.render_as_string(hide_password=False)}

    def put(self, stream: str, number: int, at: datetime) -> str:
        """See `Rig`."""
        self.put_many(stream, [number], lambda _: at)
        return ":".join(str(value) for value in self._identity(stream, number).values())

    def put_many(self, stream: str, numbers: Iterable[int], at: Callable[[int], datetime]) -> None:
        """See `Rig`; a transaction for each would take long."""
        rows = [self._row(stream, number, at(number)) for number in numbers]
        with self.sandbox.writing() as connection:
            connection.execute(insert(_TABLES[stream]), rows)

    def _row(self, stream: str, number: int, at: datetime) -> dict[str, Any]:
        values: dict[str, Any] = {"changed_at": _local(at), **self._identity(stream, number)}
        match stream:
            case "customers":
                values |= {"first_name": "Ana", "last_name": f"Lima {number}", "entered_on": _local(at)}
            case "orders":
                values |= self._order(number, at)
            case _:
                self._have_order(at)
                values |= {"article_no": f"K-{number}", "quantity": 1, "unit_price": 5}
        return values

    def _identity(self, stream: str, number: int) -> dict[str, Any]:
        match stream:
            case "customers":
                return {"customer_no": FIRST_CUSTOMER + number}
            case "orders":
                return {"order_no": f"NL-{number:05}"}
            case _:
                return {"order_no": _ORDER, "line_no": number}

    def _order(self, number: int, at: datetime) -> dict[str, Any]:
        paid = {"total": 5, "currency": "EUR", "status_code": "OPN"}
        return {**paid, "customer_no": FIRST_CUSTOMER + number, "placed_at": _local(at)}

    def _have_order(self, at: datetime) -> None:
        if not self._ordered:
            with self.sandbox.writing() as connection:
                connection.execute(insert(orders).values(order_no=_ORDER, **self._order(0, at)))
            self._ordered = True

    def _update(self, stream: str, number: int, at: datetime, **values: Any) -> None:
        with self.sandbox.writing() as connection:
            connection.execute(update(_TABLES[stream]).where(self._is(stream, number)).values(changed_at=_local(at), **values))

    def _is(self, stream: str, number: int) -> Any:
        return and_(*[_TABLES[stream].c[name] == value for name, value in self._identity(stream, number).items()])

    def change(self, stream: str, number: int, at: datetime) -> None:
        """See `Rig`."""
        new: Mapping[str, dict[str, Any]] = {
            "customers": {"last_name": "Lima-Weber"},
            "orders": {"status_code": "SHP"},
            "order_lines": {"quantity": 2},
        }
        self._update(stream, number, at, **new[stream])

    def delete(self, stream: str, number: int, at: datetime) -> None:
        """See `Rig`; the shop only marks its orders."""
        if stream == "orders":
            self._update(stream, number, at, deleted_at=_local(at))
            return
        with self.sandbox.writing() as connection:
            connection.execute(delete(_TABLES[stream]).where(self._is(stream, number)))

    def spoil(self, stream: str, number: int, at: datetime) -> str:
        """See `Rig`; SQLite also takes a text that is no UTF-8."""
        wrong: Mapping[str, dict[str, Any]] = {
            "customers": {"preferred_channel": "FAX"},
            "orders": {"status_code": "???"},
            "order_lines": {"unit_price": literal_column("'NaN'")},
        }
        unreadable = {"customers": "last_name", "orders": "status_code", "order_lines": "article_no"}
        key = self.put(stream, number, at)
        if number % 2 == 0 and not self.addresses:
            self._update(stream, number, at, **{unreadable[stream]: literal_column("CAST(x'4bff' AS TEXT)")})
        else:
            self._update(stream, number, at, **wrong[stream])
        return key

    def limit(self, seconds: int) -> None:
        """See `Rig`."""
        raise WaivedError("a database has no rate limit that says how long to wait")

    def expire(self) -> None:
        """See `Rig`."""
        raise WaivedError("a database asks for credentials when a session begins, and never again")

    def wrong(self, name: str) -> str:
        """See `Rig`."""
        url = make_url(self.sandbox.secrets["url"])
        other = url.set(password=super().wrong(name)) if url.host else url.set(database=f"{url.database}-{super().wrong(name)}")
        return other.render_as_string(hide_password=False)

    def payload(self, object: str, number: int) -> Mapping[str, Any]:  # noqa: A002 - the connector contract's word
        """See `Rig`."""
        now = datetime.now(UTC)
        if object == "note":
            self._have_order(now)
            return {"marker": f"interaction-{number}", "order_no": _ORDER, "note_text": f"Remark {number}.", "written_by": "Ana Lima"}
        with self.sandbox.writing() as connection:
            there = connection.execute(select(customers.c.customer_no).where(self._is("customers", number))).first()
        if not there:
            self.put("customers", number, now)
        return {**self._identity("customers", number), "preferred_channel": "TEL", "preferred_by": PUSHED_BY}

    def refused(self, object: str, number: int) -> Mapping[str, Any]:  # noqa: A002
        """See `Rig`."""
        nobody: Mapping[str, dict[str, Any]] = {"note": {"order_no": "none"}, "preference": {"customer_no": 404}}
        return {**self.payload(object, number), **nobody[object]}

    def written(self, object: str, number: int) -> int:  # noqa: A002
        """See `Rig`."""
        wanted = and_(self._is("customers", number), customers.c.preferred_by == PUSHED_BY)
        statement = select(func.count()).select_from(customers).where(wanted)
        if object == "note":
            statement = select(func.count()).select_from(customer_notes).where(customer_notes.c.note_text == f"Remark {number}.")
        with self.sandbox.writing() as connection:
            return connection.execute(statement).scalar_one()


def _local(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(tzinfo=None)
