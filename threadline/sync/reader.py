"""What pages and API show, read from the store."""

from collections.abc import Sequence

from threadline.journey import timeline
from threadline.journey.views import CustomerHit, CustomerView
from threadline.model.ids import parse_id
from threadline.store.database import open_database
from threadline.sync.config import Config
from threadline.sync.health import Health, health


class StoreReader:
    """Opens the store for each question: pages are few, and no connection outlives a request."""

    def __init__(self, config: Config) -> None:
        self._config = config

    def health(self) -> Health:
        """Return the state of every stream and target."""
        with open_database(self._config.database, create=True) as database, database.read() as transaction:
            return health(transaction, self._config)

    def customers(self, query: str) -> Sequence[CustomerHit]:
        """Find customers."""
        with open_database(self._config.database, create=True) as database, database.read() as transaction:
            return timeline.find_customers(transaction, query, self._config.region, self._config.policy.survivorship)

    def customer(self, profile_id: str) -> CustomerView | str | None:
        """Show one customer; the id that it was merged into, or None."""
        identity = parse_id(profile_id)
        if identity is None:
            return None
        with open_database(self._config.database, create=True) as database, database.read() as transaction:
            return timeline.customer(transaction, identity, self._config.policy.survivorship)


def open_reader(config: Config) -> StoreReader:
    """Return a reader of the configured store; nothing is opened before the first question."""
    return StoreReader(config)
