from collections.abc import Iterator, Sequence
from datetime import timedelta
from functools import cached_property

from connectors.x.api import XApi
from connectors.x.limits import allowances
from connectors.x.lookup import messages_gone, posts_gone
from connectors.x.posts import Posts
from connectors.x.pull import FEEDS, Reader
from connectors.x.push import OBJECTS, push_one
from connectors.x.settings import XSettings
from threadline.sdk import ConfigError, Connector, Cursor, Intent, Lookup, Page, PushObject, Receipt, Stream, Target
from threadline.sdk.budget import Allowance


class X(Connector[XSettings], Target, Lookup):
    """X (formerly Twitter), API v2, on behalf of one account."""

    name = "x"
    about = "X (Twitter): mentions, own replies, searches, direct messages, and answers"
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
        Stream(
            "timeline",
            key=("id",),
            mapping="x/timeline",
            about="the account's own public replies, with `timeline: true`; X lists the last 3,200 posts",
            cursor=FEEDS["timeline"].cursor,
        ),
        Stream(
            "search",
            key=("id",),
            mapping="x/search",
            about="public posts that the query in `search` finds and that do not mention the account; X searches 7 days",
            cursor=FEEDS["search"].cursor,
        ),
    )
    objects = (
        PushObject("reply", batch=10, repeat="marker", about="a public reply to a post"),
        PushObject("direct_message", batch=10, repeat="marker", about="a direct message in a conversation of two"),
    )

    @cached_property
    def _api(self) -> XApi:
        return XApi(self.settings, self.tokens, self.budget)

    @cached_property
    def _posts(self) -> Posts:
        return Posts(self.settings.posts_per_month, self.budget, self._api.usage)

    def allowances(self) -> Sequence[Allowance]:
        """See `Connector`."""
        return allowances(self.settings)

    def available_streams(self) -> Sequence[Stream]:
        """Return the streams that the settings ask for."""
        wanted = {"mentions", "direct_messages"}
        wanted |= {"timeline"} if self.settings.timeline else set()
        wanted |= {"search"} if self.settings.search else set()
        return [stream for stream in self.streams if stream.name in wanted]

    def check(self) -> None:
        """Ask X whose account this is and, where posts are counted, how many were read."""
        self._api.who_am_i()
        if self.settings.posts_per_month is not None:
            self._api.usage()

    def pull(self, stream: str, since: Cursor | None) -> Iterator[Page]:
        """Yield the records after `since`, newest first."""
        self._require(stream)
        return Reader(self._api, self.settings, self._posts).read(stream, since)

    def gone(self, stream: str, keys: Sequence[str]) -> Iterator[Sequence[str]]:
        """Ask for each of the younger records again."""
        self._require(stream)
        younger = timedelta(days=self.settings.recheck_days)
        if stream == "direct_messages":
            return messages_gone(self._api, keys, younger)
        return posts_gone(self._api, self._posts, keys, younger)

    def push(self, object: str, intents: Sequence[Intent]) -> Iterator[Receipt]:  # noqa: A002 - the vendors' word
        """Write one by one: X takes no batches."""
        if object not in OBJECTS:
            raise ConfigError(f"x takes no object {object!r}; it takes: {', '.join(OBJECTS)}")
        return (push_one(self._api, OBJECTS[object], intent) for intent in intents)

    def close(self) -> None:
        """Close pooled connections."""
        if "_api" in self.__dict__:
            self._api.close()

    def _require(self, stream: str) -> None:
        offered = sorted(one.name for one in self.available_streams())
        if stream not in offered:
            raise ConfigError(f"x has no stream {stream!r} with these settings; it has: {', '.join(offered)}")
