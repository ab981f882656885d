"""An org without records for each test, connectors to it, and what both are asked."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from connectors.salesforce import Salesforce
from connectors.salesforce.sandbox import SalesforceSandbox
from connectors.salesforce.sandbox.story import contact_id
from connectors.salesforce.settings import SalesforceSettings
from threadline.sdk import Cursor, Page
from threadline.testing.story import Person, Registered

LONG_AGO = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def emptied(server: SalesforceSandbox) -> SalesforceSandbox:
    """Let an org forget everything; starting a server for each test would take most of the time."""
    server.shelf._db.execute("DELETE FROM shelf")
    server.restart()
    server.expire_sessions()
    for kept in (server.calls, server.fail_next, server.refuse_next, server.row_faults, server._spent):
        kept.clear()
    server.late, server.batch_size, server.limit_per_minute, server.most_deleted = timedelta(), 2_000, 10_000, 600_000
    return server


@contextmanager
def connecting(sandbox: SalesforceSandbox) -> Iterator[Callable[..., Salesforce]]:
    """Give what makes connectors, with other settings where given; they are closed at the end."""
    made: list[Salesforce] = []

    def make(**changes: Any) -> Salesforce:
        made.append(Salesforce(SalesforceSettings(**{**sandbox.settings, **sandbox.secrets, **changes})))
        return made[-1]

    yield make
    for connector in made:
        connector.close()


def person(number: int) -> Person:
    """Return a customer."""
    return Person(number, f"Given{number}", f"Family{number}", f"p{number}@example.org", f"+49 30 90{number:05d}", f"p{number}")


def ident(number: int) -> str:
    """Return the id of a customer's contact."""
    return contact_id(person(number))


def register(sandbox: SalesforceSandbox, *contacts: int, at: datetime = LONG_AGO) -> None:
    """Make contacts, a second after one another."""
    with sandbox.shelf.together():
        for number in contacts:
            sandbox.tell(Registered(at + timedelta(seconds=number), "salesforce", person(number), ("name", "email")))


def rows(pages: Sequence[Page]) -> list[dict[str, Any]]:
    """Decode the records of pages."""
    return [json.loads(record) for page in pages for record in page.records]


def ids(pages: Sequence[Page]) -> list[str]:
    """Return the ids of the records of pages."""
    return [row["Id"] for row in rows(pages)]


def scan(connector: Salesforce, since: Cursor | None = None, stream: str = "contacts") -> list[Page]:
    """Pull to the end; the cursor passes through JSON, as it does in a store."""
    return list(connector.pull(stream, json.loads(json.dumps(since))))


def asked(sandbox: SalesforceSandbox, part: str) -> int:
    """Count the calls whose address has a part."""
    return sum(part in path for _, path in sandbox.calls)
