from collections.abc import Iterator, Sequence

from connectors.x.api import XApi
from connectors.x.pull import FEEDS, read
from connectors.x.push import push_reply
from connectors.x.settings import XSettings
from threadline.sdk import ConfigError, Connector, Cursor, Intent, Page, PushObject, Receipt, Stream, Target


class X(Connector[XSettings], Target):
    """X (formerly Twitter), API v2, on behalf of one account."""

    name = "x"
    about = "X (Twitter): mentions, direct messages, and public replies"
    extra = "x"
    sandbox = "connectors.x.sandbox:XSandbox"
    streams = (
        Stream(
            "mentions",
            key=("id",),
            mapping="x/mentions",
            about="public posts that mention the account; X lists the last 800",
            cursor=FEEDS["mentions"].cursor,
        ),
        Stream(
            "direct_messages",
            key=("id",),
            mapping="x/direct_messages",
            about="direct messages from and to the account; X keeps 30 days",
            cursor=FEEDS["direct_messages"].cursor,
        ),
    )
    objects = (PushObject("reply", batch=10, repeat="marker", about="a public reply to a post"),)

    def __init__(self, settings: XSettings) -> None:
        super().__init__(settings)
        self._api = XApi(settings)

    def check(self) -> None:
        """Ask X whose account this is."""
        self._api.who_am_i()

    def pull(self, stream: str, since: Cursor | None) -> Iterator[Page]:
        """Yield the records after `since`, newest first."""
        feed = FEEDS.get(stream)
        if feed is None:
            raise ConfigError(f"x has no stream {stream!r}; it has: {', '.join(sorted(FEEDS))}")
        return read(self._api, feed, self.settings.page_size, since)

    def push(self, object: str, intents: Sequence[Intent]) -> Iterator[Receipt]:  # noqa: A002 - the vendors' word
        """Post replies, one by one: X takes no batches."""
        if object != "reply":
            raise ConfigError(f"x takes no object {object!r}; it takes: reply")
        return (push_reply(self._api, intent) for intent in intents)

    def close(self) -> None:
        """Close pooled connections."""
        self._api.close()
