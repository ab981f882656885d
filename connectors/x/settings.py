from pydantic import Field, SecretStr

from threadline.sdk import Settings, credential


class XSettings(Settings):
    """Where X is, the OAuth 1.0a keys of the app and of the account that it acts for, and how much may be read."""

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
    consumer_key: SecretStr = credential("the app's API key", connection="extra.consumer_key")
    consumer_secret: SecretStr = credential("the app's API key secret", connection="extra.consumer_secret")
    access_token: SecretStr = credential("the account's access token", connection="extra.access_token")
    access_token_secret: SecretStr = credential("the account's access token secret", connection="extra.access_token_secret")
