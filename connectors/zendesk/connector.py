"""Zendesk Support as a source and a target."""

from collections.abc import Iterator, Sequence
from functools import cached_property

from msgspec import Struct

from connectors.zendesk import exports, push
from connectors.zendesk.client import Client
from connectors.zendesk.settings import ZendeskSettings
from threadline.sdk import ConfigError, Connector, Cursor, Intent, Page, PushObject, Receipt, Stream, Target


class _User(Struct):
    id: int | None = None
    role: str | None = None


class _Me(Struct):
    user: _User


class Zendesk(Connector[ZendeskSettings], Target):
    """Users, tickets and comments through the incremental exports; users and ticket comments back."""

    name = "zendesk"
    about = "Zendesk Support: users, tickets and their comments"
    extra = "zendesk"
    streams = (
        Stream(
            "users",
            key=("id",),
            mapping="zendesk/users",
            about="end users and agents, deleted ones too",
            cursor=exports.BY_CURSOR,
        ),
        Stream(
            "tickets",
            key=("id",),
            mapping="zendesk/tickets",
            about="tickets, deleted ones too",
            cursor=exports.BY_CURSOR,
        ),
        Stream(
            "comments",
            key=("id",),
            mapping="zendesk/comments",
            about="public comments and internal notes, with their authors",
            cursor=exports.BY_TIME,
        ),
    )
    objects = (
        PushObject("user", batch=100, repeat="upsert", about="a user, found by Zendesk id, external id or e-mail address"),
        PushObject("ticket_comment", batch=20, repeat="marker", about="a comment on a ticket; its audit holds the intent's id"),
    )
    sandbox = "connectors.zendesk.sandbox:ZendeskSandbox"
    connection_type = "zendesk"

    @cached_property
    def _client(self) -> Client:
        return Client(self.settings)

    def check(self) -> None:
        """Ask who we are; the exports need an administrator."""
        me, _ = self._client.read("/api/v2/users/me.json", _Me)
        # Without credentials Zendesk does not refuse: it answers with a user that has no id.
        if me.user.id is None:
            raise ConfigError("Zendesk did not accept the credentials; check email and token, and that token access is switched on")
        if me.user.role != "admin":
            raise ConfigError(f"Zendesk's incremental exports need an administrator, this user is {me.user.role!r}; use another's token")

    def pull(self, stream: str, since: Cursor | None) -> Iterator[Page]:
        """Read what changed, as far as Zendesk shows it: not the last minute."""
        start = exports.first_start_time(self.settings.start)
        if stream in ("users", "tickets"):
            return exports.by_cursor(self._client, stream, since, start, self.settings.per_page)
        if stream == "comments":
            return exports.comments(self._client, since, start, self.settings.per_page)
        raise ConfigError(f"zendesk has no stream {stream!r}; it has {', '.join(known.name for known in self.streams)}")

    def push(self, object: str, intents: Sequence[Intent]) -> Iterator[Receipt]:  # noqa: A002 - the contract's word
        """Write users or ticket comments."""
        if object == "user":
            return push.users(self._client, intents)
        if object == "ticket_comment":
            return push.ticket_comments(self._client, intents)
        raise ConfigError(f"zendesk takes no {object!r}; it takes {', '.join(known.name for known in self.objects)}")

    def close(self) -> None:
        """Close the session."""
        self._client.http.close()
