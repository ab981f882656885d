"""Zendesk Support as a source and a target."""

from collections.abc import Iterator, Sequence
from functools import cached_property

from msgspec import Struct
from msgspec.structs import replace

from connectors.zendesk import exports, gone, lists, push, push_tickets
from connectors.zendesk.client import Client
from connectors.zendesk.settings import ZendeskSettings
from threadline.sdk import ConfigError, Connector, Cursor, Intent, Lookup, Page, PushObject, Receipt, Stream, Target
from threadline.sdk.budget import Allowance, limit_headers

REQUESTS = Allowance("requests", None, 60, told=limit_headers("ratelimit", "x-rate-limit"))
"""All calls of a minute (https://developer.zendesk.com/api-reference/introduction/rate-limits/)."""


class _User(Struct):
    id: int | None = None
    role: str | None = None


class _Me(Struct):
    user: _User


class Zendesk(Connector[ZendeskSettings], Target, Lookup):
    """Users, tickets, comments and what else customers leave behind; users, tickets and ticket comments back."""

    name = "zendesk"
    about = "Zendesk: tickets with what is said and done on them, users, organizations, ratings, articles"
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
        Stream(
            "status_changes",
            key=("ticket_id", "id"),
            mapping="zendesk/status_changes",
            about="every status that a ticket was given, when and by whom",
            cursor=exports.BY_TIME,
        ),
        Stream(
            "organizations",
            key=("id",),
            mapping="zendesk/organizations",
            about="organizations, deleted ones too",
            cursor=exports.BY_TIME,
            optional=True,
        ),
        Stream(
            "satisfaction_ratings",
            key=("id",),
            mapping="zendesk/satisfaction_ratings",
            about="what customers answered when asked how a ticket was handled",
            cursor=lists.BY_CREATION,
            optional=True,
        ),
        Stream(
            "deleted_tickets",
            key=("id",),
            mapping="zendesk/deleted_tickets",
            about="who deleted which ticket within the last 30 days",
            cursor=lists.AS_A_WHOLE,
            optional=True,
        ),
        Stream(
            "articles",
            key=("id",),
            mapping="zendesk/articles",
            about="articles of the Help Center (Guide)",
            cursor=exports.BY_TIME,
            optional=True,
        ),
    )
    objects = (
        PushObject("user", batch=100, repeat="upsert", about="a user, found by Zendesk id, external id or e-mail address"),
        PushObject("ticket", batch=20, repeat="upsert", about="a ticket, found by its external id, or opened", opens_case=True),
        PushObject("ticket_comment", batch=20, repeat="marker", about="a comment on a ticket; its audit holds the intent's id"),
    )
    sandbox = "connectors.zendesk.sandbox:ZendeskSandbox"
    connection_type = "zendesk"

    @cached_property
    def _client(self) -> Client:
        return Client(self.settings, self.budget)

    def account(self) -> str | None:
        """See `Connector`."""
        return self.settings.subdomain

    def allowances(self) -> Sequence[Allowance]:
        """See `Connector`; how many calls the plan allows Zendesk says itself, and a proxy or a stand-in also how many exports."""
        return (exports.ALLOWED if self.settings.subdomain else replace(exports.ALLOWED, calls=None), REQUESTS)

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
        client, per_page = self._client, self.settings.per_page
        start = exports.first_start_time(self.settings.start)
        match stream:
            case "users":
                return exports.by_cursor(client, stream, since, start, per_page, include="identities")
            case "tickets":
                return exports.by_cursor(client, stream, since, start, per_page, include="metric_sets")
            case "comments":
                return exports.comments(client, since, start, per_page)
            case "status_changes":
                return exports.status_changes(client, since, start, per_page)
            case "organizations":
                return exports.organizations(client, since, start, per_page)
            case "satisfaction_ratings":
                return lists.satisfaction_ratings(client, since, self.settings.start, per_page)
            case "deleted_tickets":
                return lists.deleted_tickets(client, since, per_page)
            case "articles":
                return exports.articles(client, since, start, per_page)
            case _:
                raise self._unknown_stream(stream)

    def _unknown_stream(self, stream: str) -> ConfigError:
        return ConfigError(f"zendesk has no stream {stream!r}; it has {', '.join(known.name for known in self.streams)}")

    def looks_up(self, stream: str) -> bool:
        """See `Lookup`; a comment cannot be asked for without its ticket."""
        return stream in gone.LOOKED_UP

    def gone(self, stream: str, keys: Sequence[str]) -> Iterator[Sequence[str]]:
        """See `Lookup`."""
        return gone.gone(self._client, stream, keys)

    def push(self, object: str, intents: Sequence[Intent]) -> Iterator[Receipt]:  # noqa: A002 - the contract's word
        """Write users, tickets or ticket comments."""
        if object == "user":
            return push.users(self._client, intents)
        if object == "ticket":
            return push_tickets.tickets(self._client, intents)
        if object == "ticket_comment":
            return push.ticket_comments(self._client, intents)
        raise ConfigError(f"zendesk takes no {object!r}; it takes {', '.join(known.name for known in self.objects)}")

    def close(self) -> None:
        """Close the session."""
        self._client.http.close()
