from pydantic import ConfigDict, Field, SecretStr, ValidationInfo, field_validator

from threadline.sdk import Settings, credential


class XSettings(Settings):
    """Where X is, the keys of the app and of the account that it acts for (OAuth 1.0a or 2.0), and how much may be read."""

    # An error that quoted the input would quote credentials.
    model_config = ConfigDict(validate_default=True, hide_input_in_errors=True)

    base_url: str = Field("https://api.x.com", description="address that calls go to; another one for a sandbox or a gateway")
    page_size: int = Field(100, ge=5, le=100, description="records asked for in one call (X allows 5 to 100; 10 is the least in a search)")
    timeline: bool = Field(False, description="offer the stream timeline: the account's own public replies")
    search: str | None = Field(
        None, min_length=1, max_length=450, description="query of the stream search, in X's words; none: no such stream"
    )
    posts_per_month: int | None = Field(
        None, ge=0, description="posts that the app's project may read until X's monthly reset; none: no bound"
    )
    calls_kept_back: int = Field(0, ge=0, description="calls of each 15-minute window that pulls leave to others")
    recheck_days: int = Field(30, ge=0, description="a reconcile asks again for what is younger than this and no longer listed")
    refresh_token: SecretStr | None = credential(
        "the account's refresh token, for OAuth 2.0 instead of an access token", connection="extra.refresh_token", default=None
    )
    client_id: str | None = credential("the app's client id, for OAuth 2.0", connection="extra.client_id", default=None)
    client_secret: SecretStr | None = credential(
        "the app's client secret, for OAuth 2.0, where it has one", connection="extra.client_secret", default=None
    )
    consumer_key: SecretStr | None = credential("the app's API key", connection="extra.consumer_key", default=None)
    consumer_secret: SecretStr | None = credential("the app's API key secret", connection="extra.consumer_secret", default=None)
    access_token: SecretStr | None = credential("the account's access token", connection="extra.access_token", default=None)
    access_token_secret: SecretStr | None = credential(
        "the account's access token secret", connection="extra.access_token_secret", default=None
    )

    @field_validator("client_id")
    @classmethod
    def _with_refresh_token(cls, given: str | None, info: ValidationInfo) -> str | None:
        if given is None and info.data.get("refresh_token"):
            raise ValueError("a refresh token needs it")
        return given

    @field_validator("consumer_key", "consumer_secret", "access_token", "access_token_secret")
    @classmethod
    def _without_refresh_token(cls, given: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        # To count posts is the app's own affair, whatever the account logs in with.
        counted = info.data.get("posts_per_month") is not None and str(info.field_name).startswith("consumer")
        if given is None and (counted or not info.data.get("refresh_token")):
            raise ValueError("must be given, unless there is a refresh_token")
        return given
