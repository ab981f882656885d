"""What threadline.yaml says about an API: the file that describes it, and what the file leaves open."""

from typing import Any

from pydantic import ConfigDict, Field, SecretStr, ValidationInfo, field_validator

from connectors.rest.apifile import load_api, smaller_pages
from connectors.rest.auths import Basic, Bearer, ClientCredentials, Header, Login, Query, RefreshToken
from connectors.rest.pagings import Scalar
from threadline.sdk import Settings, credential, file_setting
from threadline.sdk.yamlfile import nearest

CREDENTIALS: dict[type[Any], tuple[str, ...]] = {
    Basic: ("user", "password"),
    Bearer: ("token",),
    Header: ("token",),
    Query: ("token",),
    Login: ("user", "password"),
    ClientCredentials: ("client_id", "client_secret"),
    RefreshToken: ("client_id", "client_secret", "refresh_token"),
}
"""Which credentials each kind of auth needs."""


class RestSettings(Settings):
    """An API file, its variables, and the credentials that its kind of auth needs."""

    model_config = ConfigDict(validate_default=True)

    api: str = file_setting("API file: a path ending in .yaml, beside threadline.yaml, or the name of a shipped one")
    variables: dict[str, Scalar] = Field(default_factory=dict, description="values of the API file's variables")
    base_url: str | None = Field(None, description="address that paths begin at, where it is not the API file's")
    page_size: int | None = Field(None, ge=1, description="records on a page, where the API file asks for more")
    user: SecretStr | None = credential("user name, for HTTP Basic and for a login", connection="login", default=None)
    password: SecretStr | None = credential("password, for HTTP Basic and for a login", connection="password", default=None)
    token: SecretStr | None = credential("bearer token, or that of a header or a parameter", connection="password", default=None)
    client_id: SecretStr | None = credential("client id, for OAuth 2.0", connection="login", default=None)
    client_secret: SecretStr | None = credential("client secret, for OAuth 2.0", connection="password", default=None)
    refresh_token: SecretStr | None = credential("refresh token, for OAuth 2.0", connection="extra.refresh_token", default=None)

    @field_validator("api")
    @classmethod
    def _readable(cls, name: str) -> str:
        load_api(name)
        return name

    @field_validator("variables")
    @classmethod
    def _declared(cls, given: dict[str, Scalar], info: ValidationInfo) -> dict[str, Scalar]:
        if "api" not in info.data:
            return given
        declared = load_api(info.data["api"]).variables
        for name, value in given.items():
            if name not in declared:
                raise ValueError(f"the API file has no variable {name!r}{nearest(name, declared)}")
            if value in ("", ".", ".."):
                raise ValueError(f"{name} is {value!r}, which cannot be part of an address")
        for name, variable in declared.items():
            if name not in given and variable.default is None:
                raise ValueError(f"{name} must be given ({variable.about or 'the API file needs it'})")
        return given

    @field_validator("base_url")
    @classmethod
    def _somewhere(cls, given: str | None, info: ValidationInfo) -> str | None:
        if given is None and "api" in info.data and load_api(info.data["api"]).base_url is None:
            raise ValueError("must be given: the API file names no address")
        return given

    @field_validator("page_size")
    @classmethod
    def _usable(cls, given: int | None, info: ValidationInfo) -> int | None:
        if given is not None and "api" in info.data:
            smaller_pages(load_api(info.data["api"]), given)
        return given

    @field_validator("user", "password", "token", "client_id", "client_secret", "refresh_token")
    @classmethod
    def _needed(cls, given: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        if given is None and "api" in info.data:
            auth = load_api(info.data["api"]).auth
            if info.field_name in CREDENTIALS.get(type(auth), ()):
                raise ValueError("the API file's kind of auth needs it")
        return given
