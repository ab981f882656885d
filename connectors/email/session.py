"""IMAP sessions: connect, encrypt, log in, and name what goes wrong."""

import logging
import re
import socket
import ssl
from collections.abc import Generator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from typing import Any

from connectors.email.idle import READ_SECONDS
from connectors.email.imap import Mailbox, is_temporary
from connectors.email.oauth import Tokens
from connectors.email.settings import EmailSettings
from threadline.sdk import ConfigError, RetryableError

CONNECT_SECONDS = 15.0
_LONGEST_LINE = 20_000_000
"""Bytes: the answer to a search among two million mails. The standard library's million is too few for 150,000."""
_ATOM = re.compile(r"[A-Za-z0-9@._+=-]+")


def tls_context(settings: EmailSettings) -> ssl.SSLContext:
    """Return a context that verifies certificate and host name."""
    try:
        return ssl.create_default_context(cafile=settings.ca_file)
    except (OSError, ssl.SSLError):
        raise ConfigError(f"ca_file {settings.ca_file}: not a readable PEM file of certificates") from None


def _library() -> Any:
    import imaplib

    try:
        import imapclient
    except ImportError:
        imapclient = None
    # It takes long to import, and only answers need it.
    if imapclient is None or find_spec("quotequail") is None:
        raise ConfigError("the email connector needs IMAPClient and quotequail: pip install 'threadline[email]'")
    # It knows nothing newer than IMAP4rev1; a server of IMAP4rev2 alone understands all that is asked here.
    imaplib.AllowedVersions = (*dict.fromkeys((*imaplib.AllowedVersions, "IMAP4REV2")),)  # type: ignore[attr-defined]
    imaplib._MAXLINE = _LONGEST_LINE  # type: ignore[attr-defined]  # noqa: SLF001 - it has no other way
    # At DEBUG it writes addresses and lines of mail.
    logging.getLogger("imapclient").setLevel(logging.WARNING)
    return imapclient


@contextmanager
def open_mailbox(settings: EmailSettings, tokens: Tokens) -> Generator[Mailbox]:
    """Log in, and log out at the end; errors of the connection become ConfigError or RetryableError."""
    library = _library()
    where = "IMAP at {}:{}".format(*settings.imap)
    if settings.password is None and not tokens.wanted:
        raise ConfigError(f"{where}: no way to log in: set a password, or oauth_refresh_token with oauth_token_url and oauth_client_id")
    client: Any = None
    try:
        client = _connect(library, settings, where)
        _login(library, client, settings, tokens, where)
        _introduce(library, client)
        yield Mailbox(settings, client)
    except ssl.SSLCertVerificationError as error:
        raise ConfigError(f"{where}: its certificate is not trusted ({error.verify_message}); set ca_file, or correct imap_host") from None
    except ssl.SSLError:
        raise ConfigError(f"{where} does not speak TLS there; check tls and imap_port") from None
    except library.exceptions.IMAPClientAbortError:
        _drop(client)
        client = None
        raise RetryableError(f"{where} ended the session") from None
    except library.exceptions.IMAPClientError as error:
        raise RetryableError(f"{where} refused a command ({type(error).__name__})") from None
    except ValueError as error:
        raise RetryableError(f"{where} answered what cannot be read ({type(error).__name__})") from None
    except OSError:
        _drop(client)
        client = None
        raise RetryableError(f"{where} cannot be reached, or stopped answering; check imap_host, imap_port and the network") from None
    finally:
        if client is not None:
            _leave(library, client)


def _connect(library: Any, settings: EmailSettings, where: str) -> Any:
    host, port = settings.imap
    timeout = library.SocketTimeout(connect=CONNECT_SECONDS, read=READ_SECONDS)
    context = None if settings.tls == "none" else tls_context(settings)
    client = library.IMAPClient(host, port, ssl=settings.tls == "tls", ssl_context=context, timeout=timeout)
    # A search goes out in two writes, of which Nagle's delay would hold back the second.
    client.socket().setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    # Otherwise times come without a zone, in that of this machine.
    client.normalise_times = False
    if settings.tls == "starttls":
        try:
            client.starttls(context)
        except library.exceptions.CapabilityError:
            _drop(client)
            raise ConfigError(f"{where} does not offer STARTTLS; check tls and imap_port") from None
        except BaseException:
            _drop(client)
            raise
    return client


def _login(library: Any, client: Any, settings: EmailSettings, tokens: Tokens, where: str) -> None:
    try:
        _authenticate(client, settings, tokens)
    except library.exceptions.LoginError as error:
        # A session that breaks off during the login says nothing about the password.
        if isinstance(error.__context__, library.exceptions.IMAPClientAbortError):
            raise RetryableError(f"{where} ended the session during the login") from None
        if is_temporary(str(error)):
            raise RetryableError(f"{where} cannot log anyone in now") from None
        if tokens.wanted:
            raise tokens.refused(f"{where} refused the token") from None
        raise ConfigError(f"{where} refused the login; check user and password (many providers ask for an app password)") from None


def _introduce(library: Any, client: Any) -> None:
    """Say who is asking, which some providers want before a folder is opened (ID: RFC 2971), and that modifications are of interest.

    A server that refuses either is read without it.
    """
    if client.has_capability("ID"):
        with _tolerant(library):
            client.id_({"name": "threadline"})
    # It is illegal once a folder is open, and without it some servers count modifications but do not say so.
    if client.has_capability("CONDSTORE") and client.has_capability("ENABLE"):
        with _tolerant(library):
            client.enable("CONDSTORE")


@contextmanager
def _tolerant(library: Any) -> Generator[None]:
    try:
        yield
    except library.exceptions.IMAPClientAbortError:
        raise
    except library.exceptions.IMAPClientError:
        return


def _authenticate(client: Any, settings: EmailSettings, tokens: Tokens) -> None:
    if client._imap.state == "AUTH":  # noqa: SLF001 - nothing else tells it
        # The server has greeted with PREAUTH.
        return
    if not tokens.wanted:
        _give_password(client, settings.user, settings.password.get_secret_value() if settings.password else "")
    elif client.has_capability("AUTH=OAUTHBEARER") and not client.has_capability("AUTH=XOAUTH2"):
        client.oauthbearer_login(settings.user, tokens.token())
    else:
        client.oauth2_login(settings.user, tokens.token())


def _give_password(client: Any, user: str, password: str) -> None:
    # LOGIN takes ASCII alone (RFC 3501, 9), and some servers do not take LOGIN.
    plainly = client.has_capability("LOGINDISABLED") or not (user + password).isascii()
    if plainly and client.has_capability("AUTH=PLAIN"):
        client.plain_login(user, password)
    else:
        # The library quotes the password only.
        client.login(user if _ATOM.fullmatch(user) else '"{}"'.format(user.replace("\\", "\\\\").replace('"', '\\"')), password)


def _leave(library: Any, client: Any) -> None:
    try:
        client.logout()
    except (library.exceptions.IMAPClientError, OSError):
        _drop(client)


def _drop(client: Any) -> None:
    """Hang up: there is nobody any more who would answer to a farewell."""
    # The socket of a session that broke off may be closed already.
    with suppress(OSError):
        if client is not None:
            client.shutdown()
