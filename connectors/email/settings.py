"""What an operator says about a mailbox."""

import re
from fnmatch import fnmatchcase
from typing import Literal, Self

from pydantic import ConfigDict, Field, SecretStr, field_validator, model_validator

from threadline.sdk import Settings, credential

Tls = Literal["tls", "starttls", "none"]
ADDRESS = re.compile(r"""[^\s@<>,;:"()\[\]\\\x00-\x1f\x7f]{1,64}@[^\s@<>,;:"()\[\]\\\x00-\x1f\x7f]{1,255}""")
"""An address that can be written without quotes (RFC 5321, 6531)."""
_IMAP_PORTS: dict[Tls, int] = {"tls": 993, "starttls": 143, "none": 143}
_SMTP_PORTS: dict[Tls, int] = {"tls": 465, "starttls": 587, "none": 25}


def is_glob(folder: str) -> bool:
    """Say whether a name of `folders` stands for any number of them."""
    return not set("*?[").isdisjoint(folder)


class EmailSettings(Settings):
    """One mailbox: where it is read over IMAP, and where answers are submitted over SMTP."""

    # An error that quoted the input would quote credentials.
    model_config = ConfigDict(hide_input_in_errors=True)

    imap_host: str = Field(min_length=1, description="host name of the IMAP server")
    imap_port: int = Field(0, ge=0, le=65535, description="0: 993 with tls, else 143")
    tls: Tls = Field("tls", description="`none` sends the password in clear: only for a server on the same machine")
    ca_file: str | None = Field(None, description="PEM file of a private certificate authority, for IMAP and SMTP")
    folders: tuple[str, ...] = Field(("INBOX", "Sent"), min_length=1, description="names or globs; `*` is every folder that holds mail")
    own_addresses: tuple[str, ...] = Field(min_length=1, description="the company's addresses; `@example.com` means a whole domain")
    deleted: Literal["tell", "keep"] = Field("tell", description="`keep`: a mail that leaves its folder stays in the store")
    attachments: Literal["keep", "describe"] = Field("keep", description="`describe`: what they contain is not stored")
    page_messages: int = Field(50, ge=1, le=1_000, description="mails in one fetch, at most")
    max_message_bytes: int = Field(50_000_000, ge=1_000, le=50_000_000, description="larger messages are rejected, not downloaded")

    from_address: str | None = Field(None, description="sender of answers; None: the first of own_addresses")
    from_name: str | None = Field(None, description="its display name")
    smtp_host: str | None = Field(None, description="host name of the submission server; None: the IMAP host")
    smtp_port: int = Field(0, ge=0, le=65535, description="0: 465 with tls, 587 with starttls, else 25")
    smtp_tls: Tls | None = Field(None, description="None: as for IMAP")
    blind_copy: bool = Field(False, description="send each answer to its sender too, to find it again where the server files nothing")
    sent_folder: str = Field("Sent", min_length=1, description="where a copy of each answer is filed")

    oauth_token_url: str | None = Field(None, description="OAuth 2.0 token endpoint, for a login with a token instead of a password")
    oauth_client_id: str | None = Field(None, description="the application that the refresh token was granted to")
    oauth_scope: str | None = Field(None, description="asked for with each token, where the provider wants that")

    user: str = credential("login name at the IMAP server", connection="login")
    password: SecretStr | None = credential("its password or app password", connection="password", default=None)
    oauth_refresh_token: SecretStr | None = credential("OAuth 2.0 refresh token", connection="extra.oauth_refresh_token", default=None)
    oauth_client_secret: SecretStr | None = credential("the application's secret", connection="extra.oauth_client_secret", default=None)
    smtp_user: str | None = credential("login name at the SMTP server; None: as for IMAP", connection="extra.smtp_user", default=None)
    smtp_password: SecretStr | None = credential("its password; None: as for IMAP", connection="extra.smtp_password", default=None)

    @field_validator("own_addresses", mode="after")
    @classmethod
    def _addresses(cls, values: tuple[str, ...]) -> tuple[str, ...]:
        for value in values:
            if not ADDRESS.fullmatch(f"any{value}" if value.startswith("@") else value):
                raise ValueError("each entry is an address (help@example.com) or a domain (@example.com)")
        return tuple(value.casefold() for value in values)

    @model_validator(mode="after")
    def _token(self) -> Self:
        if self.oauth_refresh_token is not None and not (self.oauth_token_url and self.oauth_client_id):
            raise ValueError("oauth_refresh_token needs oauth_token_url and oauth_client_id")
        return self

    @model_validator(mode="after")
    def _sender(self) -> Self:
        if self.from_address is None and not any(not own.startswith("@") for own in self.own_addresses):
            raise ValueError("from_address is needed, since own_addresses names only domains")
        if not ADDRESS.fullmatch(self.sender):
            raise ValueError("from_address is not an e-mail address")
        if any(char in (self.from_name or "") for char in "\r\n\0"):
            raise ValueError("from_name stands on one line")
        return self

    @property
    def sender(self) -> str:
        """The address that answers come from."""
        return self.from_address or next(own for own in self.own_addresses if not own.startswith("@"))

    @property
    def imap(self) -> tuple[str, int]:
        """Host and port of the IMAP server."""
        return self.imap_host, self.imap_port or _IMAP_PORTS[self.tls]

    @property
    def smtp(self) -> tuple[str, int, Tls]:
        """Host, port and encryption of the SMTP server."""
        tls = self.smtp_tls or self.tls
        return self.smtp_host or self.imap_host, self.smtp_port or _SMTP_PORTS[tls], tls

    def is_own(self, address: str | None) -> bool:
        """Say whether an address is the company's."""
        folded = (address or "").casefold()
        return folded in self.own_addresses or f"@{folded.rpartition('@')[2]}" in self.own_addresses

    def wants(self, folder: str) -> bool:
        """Say whether a folder is one of those to read; INBOX is the one name without case (RFC 9051, 5.1)."""
        name = "INBOX" if folder.upper() == "INBOX" else folder
        return any(fnmatchcase(name, "INBOX" if glob.upper() == "INBOX" else glob) for glob in self.folders)
