"""What the pages and the API read: three questions, answered from the database by whoever builds the app."""

from collections.abc import Sequence
from typing import Protocol

from threadline.journey.views import CustomerHit, CustomerView
from threadline.sync.health import Health


class Reader(Protocol):
    """Answers from threadline's database; each method may raise ConfigError or RetryableError, and is called from several threads."""

    def health(self) -> Health:
        """Return the state of every stream and target."""
        ...

    def customers(self, query: str) -> Sequence[CustomerHit]:
        """Find customers by e-mail, phone, handle, order number or name; the best answer first."""
        ...

    def customer(self, profile_id: str) -> CustomerView | str | None:
        """Return the customer; the id that it was merged into, as text; or None when there is none."""
        ...
