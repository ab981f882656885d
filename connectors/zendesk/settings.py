"""What the Zendesk connector has to be told."""

from typing import Annotated, Self

from pydantic import AwareDatetime, Field, SecretStr, model_validator

from threadline.sdk import Settings, credential


class ZendeskSettings(Settings):
    """An account, by its subdomain or by the address of a proxy or stand-in, and a user of it who may export."""

    subdomain: Annotated[str | None, Field(description="acme, for acme.zendesk.com", pattern="^[a-z0-9][a-z0-9-]*$")] = None
    base_url: Annotated[str | None, Field(description="instead of subdomain: the address of a proxy or of the sandbox")] = None
    start: Annotated[AwareDatetime | None, Field(description="the first read takes what changed since then; without it everything")] = None
    per_page: Annotated[int, Field(description="records asked for at once; lower it where exports time out", ge=1, le=1000)] = 1000
    email: str = credential("e-mail address of the Zendesk user whose token it is", connection="login")
    token: SecretStr = credential("API token (Admin Center, Apps and integrations, Zendesk API)", connection="password")

    @model_validator(mode="after")
    def _one_address(self) -> Self:
        if (self.subdomain is None) == (self.base_url is None):
            raise ValueError("set either subdomain (acme, for acme.zendesk.com) or base_url")
        return self
