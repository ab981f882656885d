"""What the connector has to be told."""

from typing import Annotated

from pydantic import ConfigDict, Field, SecretStr, StringConstraints, field_validator

from threadline.sdk import Settings, credential

FieldName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_]*(\.[A-Za-z][A-Za-z0-9_]*)*$")]
"""An API name, also through a relationship (Account.Name); nothing else can get into a SOQL statement."""

_SUFFIX = ".salesforce.com"


class SalesforceSettings(Settings):
    """Which org, which fields, and how far back each scan looks; credentials for one of four ways to log in."""

    # An error that quoted the input would quote credentials.
    model_config = ConfigDict(hide_input_in_errors=True)

    domain: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*$")] = Field(
        "login", description="login (production), test (sandbox orgs), or the My Domain name, such as acme.my"
    )
    base_url: Annotated[str, StringConstraints(pattern=r"^https?://[^/\s]+")] | None = Field(
        None, description="send all calls to this address instead of Salesforce's own: a proxy, or the stand-in server"
    )
    api_version: Annotated[str, StringConstraints(pattern=r"^[0-9]{2,3}\.0$")] = Field("62.0", description="REST API version; pinned")
    external_id_field: FieldName | None = Field(
        "Threadline_Id__c",
        description="custom field of Contact (text, external id, unique) that holds threadline's profile id; null where the org has none",
    )
    contact_fields: tuple[FieldName, ...] = Field((), description="fields of Contact to read beyond the usual ones")
    case_fields: tuple[FieldName, ...] = Field((), description="fields of Case to read beyond the usual ones, such as Order_Number__c")
    page_size: int = Field(2_000, ge=1, le=2_000, description="rows that a query asks for at once")
    overlap: int = Field(120, ge=0, description="seconds that each scan looks back, for changes that became visible late")
    lag: int = Field(5, ge=0, description="seconds before the server's clock at which a scan ends")
    custom_fields: bool = Field(False, description="read every custom field that the user may see, as the org describes the object")
    reread_hours: int | None = Field(
        None, ge=1, description="hours after which everything is read once more, for formula fields and others that change without a date"
    )
    bulk_above: int | None = Field(
        10_000, ge=1, description="rows still to read above which a query job of Bulk API 2.0 reads them; null: never"
    )
    api_reserve: int = Field(0, ge=0, description="daily API requests to leave to others: runs stop where they stand when no more are left")

    username: str | None = credential("user name, for SOAP login and the JWT bearer flow", connection="login", default=None)
    password: SecretStr | None = credential("password, for SOAP login", connection="password", default=None)
    security_token: SecretStr = credential(
        "security token, for SOAP login from outside the org's trusted addresses", connection="extra.security_token", default=SecretStr("")
    )
    consumer_key: str | None = credential("consumer key of the connected app, for OAuth", connection="extra.consumer_key", default=None)
    consumer_secret: SecretStr | None = credential(
        "consumer secret, for the client credentials and refresh token flows", connection="extra.consumer_secret", default=None
    )
    refresh_token: SecretStr | None = credential(
        "refresh token, for the refresh token flow", connection="extra.refresh_token", default=None
    )
    private_key: SecretStr | None = credential(
        "RSA key in PEM, for the JWT bearer flow; the connected app has its certificate", connection="extra.private_key", default=None
    )

    @field_validator("domain", mode="before")
    @classmethod
    def _without_suffix(cls, value: object) -> object:
        return value.removesuffix(_SUFFIX) if isinstance(value, str) else value
