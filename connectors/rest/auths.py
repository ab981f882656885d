"""Which credentials an API wants, and how they are sent."""

from typing import Annotated, Any, Literal, TypeAlias

import msgspec
from msgspec import Meta, Struct

from connectors.rest.paths import Path


class NoAuth(Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="none"):
    """No credentials."""


class Basic(Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="basic"):
    """HTTP Basic (RFC 7617); credentials `user` and `password`."""


class Bearer(Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="bearer"):
    """A bearer token (RFC 6750); credential `token`."""


class Header(Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="header"):
    """A header of the vendor's own; credential `token`."""

    name: Annotated[str, Meta(description="the header's name, such as X-Api-Key", pattern="^[A-Za-z0-9-]+$")]
    prefix: Annotated[str, Meta(description="what stands before the token")] = ""


class Query(Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="query"):
    """A parameter of the query; credential `token`."""

    name: Annotated[str, Meta(description="the parameter's name, such as api_key", pattern="^[A-Za-z0-9_.-]+$")]


class Login(Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="login"):
    """A session that one logs in to, again whenever it has ended; credentials `user` and `password`."""

    path: Annotated[str, Meta(description="where one logs in, relative to base_url; POST")]
    body: Annotated[dict[str, Any], Meta(description="what is sent, with {user} and {password}")]
    form: Annotated[bool, Meta(description="the body is sent as a form, not as JSON")] = False
    token: Annotated[Path | None, Meta(description="where the answer has the token; without it the cookies count")] = None
    name: Annotated[str, Meta(description="the header that the token is sent in", pattern="^[A-Za-z0-9-]+$")] = "Authorization"
    prefix: Annotated[str, Meta(description="what stands before the token")] = "Bearer "


class ClientCredentials(Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="client_credentials"):
    """OAuth 2.0 client credentials (RFC 6749, 4.4); credentials `client_id` and `client_secret`."""

    token_url: Annotated[str, Meta(description="the token endpoint: a path, or an address, which may be of another host")]
    scope: Annotated[str | None, Meta(description="scopes, separated by blanks")] = None
    client: Annotated[Literal["basic", "body"], Meta(description="client_id and client_secret go in a header, or in the body")] = "basic"
    form: Annotated[dict[str, str], Meta(description="what the token endpoint wants besides, such as an audience")] = msgspec.field(
        default_factory=dict[str, str]
    )


class RefreshToken(Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="refresh_token"):
    """OAuth 2.0 refresh token (RFC 6749, 6); credentials `client_id`, `client_secret` and `refresh_token`."""

    token_url: Annotated[str, Meta(description="the token endpoint: a path, or an address, which may be of another host")]
    scope: Annotated[str | None, Meta(description="scopes, separated by blanks")] = None
    client: Annotated[Literal["basic", "body"], Meta(description="client_id and client_secret go in a header, or in the body")] = "basic"
    form: Annotated[dict[str, str], Meta(description="what the token endpoint wants besides, such as an audience")] = msgspec.field(
        default_factory=dict[str, str]
    )


Auth: TypeAlias = NoAuth | Basic | Bearer | Header | Query | Login | ClientCredentials | RefreshToken
