"""Which fields are read, and of what type the org says that they are.

https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/resources_sobject_describe.htm
"""

from collections.abc import Mapping, Sequence
from functools import cached_property

import msgspec

from connectors.salesforce.client import Client
from connectors.salesforce.settings import SalesforceSettings
from threadline.sdk import RetryableError

_COMMON = ("Id", "IsDeleted", "MasterRecordId", "CreatedDate", "LastModifiedDate", "LastModifiedById", "SystemModstamp")
_USUAL: Mapping[str, Sequence[str]] = {
    "Contact": (
        "FirstName", "LastName", "Name", "Email", "Phone", "MobilePhone", "HomePhone", "OtherPhone", "Birthdate",
        "MailingStreet", "MailingPostalCode", "MailingCity", "MailingState", "MailingCountry",
        "OtherStreet", "OtherPostalCode", "OtherCity", "OtherState", "OtherCountry",
    ),
    "Case": (
        "CaseNumber", "ContactId", "SuppliedName", "SuppliedEmail", "SuppliedPhone", "Subject", "Description", "Status", "Origin",
        "Priority", "Type", "Reason", "IsClosed", "IsEscalated", "ClosedDate",
    ),
}  # fmt: skip
_COMPOUND = frozenset({"address", "location"})
_NO_CSV = frozenset({"base64", "complexvalue"}) | _COMPOUND


class _Field(msgspec.Struct):
    name: str
    type: str
    custom: bool = False


class _Described(msgspec.Struct):
    fields: list[_Field]


class Fields:
    """The fields of an object that a scan reads."""

    def __init__(self, client: Client, settings: SalesforceSettings, sobject: str) -> None:
        self._client = client
        self._settings = settings
        self.sobject = sobject

    @cached_property
    def names(self) -> Sequence[str]:
        """What is selected, each name once."""
        settings = self._settings
        named = (settings.external_id_field, *settings.contact_fields) if self.sobject == "Contact" else settings.case_fields
        names = (*_COMMON, *_USUAL[self.sobject], *(name for name in named if name), *self._custom())
        # Names do not tell case apart, and a field that is selected twice is refused.
        return tuple({name.lower(): name for name in reversed(names)}.values())[::-1]

    @cached_property
    def types(self) -> Mapping[str, str]:
        """The type of each field that the user may see, by lower-case name."""
        return {field.name.lower(): field.type for field in self._described}

    @property
    def fit_csv(self) -> bool:
        """Whether a query job can read them: it gives no compound fields, and other objects' in another shape than a query."""
        return all(self.types.get(name.lower(), "complexvalue") not in _NO_CSV for name in self.names)

    def _custom(self) -> Sequence[str]:
        """Return the custom fields; the parts of a compound field are fields of their own."""
        if not self._settings.custom_fields:
            return ()
        return sorted(field.name for field in self._described if field.custom and field.type not in _NO_CSV)

    @cached_property
    def _described(self) -> Sequence[_Field]:
        body = self._client.call("GET", f"/sobjects/{self.sobject}/describe").content
        try:
            return msgspec.json.decode(body, type=_Described).fields
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise RetryableError(f"the response is not the description of an object: {error}") from None
