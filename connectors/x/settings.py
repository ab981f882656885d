from pydantic import Field, SecretStr

from threadline.sdk import Settings, credential


class XSettings(Settings):
    """Where X is, and the OAuth 1.0a keys of the app and of the account that it acts for."""

    base_url: str = Field("https://api.x.com", description="address that calls go to; another one for a sandbox or a gateway")
    page_size: int = Field(100, ge=5, le=100, description="records asked for in one call (X allows 5 to 100)")
    consumer_key: SecretStr = credential("the app's API key", connection="extra.consumer_key")
    consumer_secret: SecretStr = credential("the app's API key secret", connection="extra.consumer_secret")
    access_token: SecretStr = credential("the account's access token", connection="extra.access_token")
    access_token_secret: SecretStr = credential("the account's access token secret", connection="extra.access_token_secret")
