"""The connector."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, ClassVar

from msgspec.structs import replace

from connectors.salesforce.client import Client, daily_requests
from connectors.salesforce.names import person_name
from connectors.salesforce.pull import Pull, window
from connectors.salesforce.push import BATCH, push_contacts
from connectors.salesforce.settings import SalesforceSettings
from threadline.sdk import ConfigError, Connector, Cursor, Intent, Page, PushObject, Receipt, Stream, Target
from threadline.sdk.budget import Allowance

_SOBJECTS: Mapping[str, str] = {"contacts": "Contact", "cases": "Case"}
_DEFAULT = window(SalesforceSettings.model_validate({}))


class Salesforce(Connector[SalesforceSettings], Target):
    """Salesforce: contacts and cases by SOQL, contacts back through sObject Collections."""

    name = "salesforce"
    about = "Salesforce: contacts and cases; customers are written back as contacts"
    extra = "salesforce"
    streams = (
        Stream("contacts", key=("Id",), mapping="salesforce/contacts", about="Contact", cursor=_DEFAULT),
        Stream("cases", key=("Id",), mapping="salesforce/cases", about="Case", cursor=_DEFAULT),
    )
    objects = (PushObject("contact", batch=BATCH, repeat="upsert", about="Contact, by Id or by external id"),)
    functions: ClassVar[Mapping[str, Callable[[Any], Any]]] = {"person_name": person_name}
    sandbox = "connectors.salesforce.sandbox:SalesforceSandbox"
    connection_type = "salesforce"

    @cached_property
    def _client(self) -> Client:
        return Client(self.settings, self.tokens, self.budget)

    def account(self) -> str | None:
        """Return the org, where the settings name it."""
        return None if self.settings.domain in ("login", "test") else self.settings.domain

    def allowances(self) -> Sequence[Allowance]:
        """See `Connector`."""
        return [daily_requests(self.settings.api_reserve)]

    def available_streams(self) -> Sequence[Stream]:
        """Return the streams with the overlap and lag of the settings."""
        return [replace(stream, cursor=window(self.settings)) for stream in self.streams]

    def check(self) -> None:
        """Log in and list the API version's resources, which any API user may."""
        self._client.call("GET", "")

    def pull(self, stream: str, since: Cursor | None) -> Iterator[Page]:
        """Yield what changed, in the order of SystemModstamp (equal times are told apart by Id) but for what a query job reads."""
        if stream not in _SOBJECTS:
            raise ConfigError(f"no stream named {stream!r}; salesforce has: {', '.join(_SOBJECTS)}")
        return Pull(self._client, self.settings, _SOBJECTS[stream]).pages(since)

    def push(self, object: str, intents: Sequence[Intent]) -> Iterator[Receipt]:  # noqa: A002 - the contract's word
        """Write contacts, each with its own receipt."""
        if object != "contact":
            raise ConfigError(f"no object named {object!r}; salesforce takes: contact")
        return push_contacts(self._client, self.settings.external_id_field, intents)

    def close(self) -> None:
        """Close pooled connections."""
        if "_client" in self.__dict__:
            self._client.close()
