"""The SMTP side (RFC 5321, 6409): write an answer, submit it, and say what became of it."""

import logging
import re
import smtplib
import ssl
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP, EmailPolicy
from email.utils import format_datetime
from socket import socket
from typing import Any, cast

from typing_extensions import override
from xxhash import xxh3_128_hexdigest

from connectors.email.fields import is_unread
from connectors.email.idle import READ_SECONDS
from connectors.email.oauth import Tokens, xoauth2
from connectors.email.record import MARKER
from connectors.email.session import CONNECT_SECONDS, tls_context
from connectors.email.settings import ADDRESS, EmailSettings
from threadline.sdk import ConfigError, Intent, Receipt, RecordError, RetryableError

MAX_REFERENCES = 20
"""More than these, and a References field gets longer than some servers take; the first and the latest are kept (RFC 5322, 3.6.4)."""

_PLAIN_ID = re.compile(r"[A-Za-z0-9_-]{1,100}")
_MESSAGE_ID = re.compile(r"[\x21-\x3b\x3d\x3f-\x7e]{1,900}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f\u2028\u2029]+")
_REPLY = re.compile(r"re\s*(\[\d+\])?\s*:", re.IGNORECASE)
_ID_FIELDS = ("Message-ID", "In-Reply-To", "References", MARKER)
_AUTHENTICATION = (530, 534, 535, 538)
_TAKEN, _FORWARDED, _CLOSING = 250, 251, 421

logger = logging.getLogger(__name__)


class WirePolicy(EmailPolicy):
    """Folds fields of ids between the ids: the standard policy cuts a long one into encoded words, and the thread is lost."""

    @override
    def fold_binary(self, name: str, value: str) -> bytes:
        if name not in _ID_FIELDS:
            return super().fold_binary(name, value)
        folded = "\r\n ".join(value.split())
        return f"{name}: {folded}\r\n".encode("ascii")


def marker(intent: str) -> str:
    """Return what marks an answer: its intent's id, or a hash of one that is not safe in a Message-ID."""
    return intent if _PLAIN_ID.fullmatch(intent) else xxh3_128_hexdigest(intent.encode("utf-8", "surrogatepass"))


def message_id(intent: str, settings: EmailSettings) -> str:
    """Return the Message-ID of an intent's answer, the same for each attempt."""
    return f"<{marker(intent)}@{settings.sender.rpartition('@')[2]}>"


@dataclass(frozen=True, slots=True)
class Letter:
    """An answer as it goes over the wire, and as it is filed."""

    sender: str
    receiver: str
    message_id: str
    raw: bytes

    @property
    def international(self) -> bool:
        """Say whether its addresses need SMTPUTF8 (RFC 6531)."""
        return not (self.sender + self.receiver).isascii()


def compose(intent: Intent, settings: EmailSettings) -> Letter:
    """Write an answer as plain text; RecordError for a payload that makes none. No value can add a header field."""
    payload = intent.payload
    receiver = _receiver(payload, settings)
    mail = EmailMessage(policy=SMTP)
    mail["From"] = _mailbox(settings.sender, settings.from_name)
    mail["To"] = _mailbox(receiver)
    mail["Subject"] = _subject(payload.get("subject"))
    mail["Date"] = format_datetime(datetime.now(UTC))
    mail["Message-ID"] = message_id(intent.id, settings)
    answered = _ids(payload.get("in_reply_to"))[-1:]
    if answered:
        mail["In-Reply-To"] = f"<{answered[0]}>"
    references = _shortened(list(dict.fromkeys([*_ids(payload.get("references")), *answered])))
    if references:
        mail["References"] = " ".join(f"<{each}>" for each in references)
    mail[MARKER] = marker(intent.id)
    mail.set_content(_text(payload), cte="quoted-printable")
    raw = mail.as_bytes(policy=WirePolicy(linesep="\r\n", utf8=not (settings.sender + receiver).isascii()))
    return Letter(settings.sender, receiver, message_id(intent.id, settings), raw)


def _receiver(payload: Mapping[str, Any], settings: EmailSettings) -> str:
    to = payload.get("to")
    if not isinstance(to, str) or not to.strip():
        raise RecordError("a reply needs the customer's address; the push mapping gives none", path="$.to")
    address = to.strip()
    if not ADDRESS.fullmatch(address):
        raise RecordError("this is not one e-mail address", path="$.to")
    if is_unread(address):
        raise RecordError("nobody reads what is sent to a mail system or a no-reply address, and an answer may come by itself", path="$.to")
    if settings.is_own(address):
        raise RecordError("the reply would go to one of own_addresses; check that setting and the push mapping", path="$.to")
    return address


def _mailbox(address: str, name: str | None = None) -> Address:
    local, _, domain = address.rpartition("@")
    return Address(display_name=name or "", username=local, domain=domain)


def _subject(value: object) -> str:
    subject = " ".join(_CONTROL.sub(" ", str(value or "")).encode("utf-8", "replace").decode().split())[:900]
    return subject if _REPLY.match(subject) else f"Re: {subject}".strip()


def _text(payload: Mapping[str, Any]) -> str:
    text = payload.get("text")
    if not isinstance(text, str) or not text.strip():
        raise RecordError("a reply needs text; the push mapping gives none", path="$.text")
    return text.encode("utf-8", "replace").decode("utf-8").replace("\0", "")


def _ids(value: object) -> list[str]:
    """Return those of one Message-ID or many, with or without brackets, that can stand in a header field."""
    listed = [value] if isinstance(value, str) else cast("list[object]", value) if isinstance(value, list) else []
    bare = [str(each).strip().removeprefix("<").removesuffix(">") for each in listed]
    return [each for each in bare if _MESSAGE_ID.fullmatch(each)]


def _shortened(references: list[str]) -> list[str]:
    return references if len(references) <= MAX_REFERENCES else [references[0], *references[1 - MAX_REFERENCES :]]


def submit(server: smtplib.SMTP, letter: Letter, intent: Intent, *, copy: bool) -> Receipt:
    """Hand a mail over and say what became of it; reasons hold the server's code, never its text or an address.

    With `copy` the sender gets it too, in the same transaction: either both are delivered to or nobody is.
    """
    try:
        refused = _addressed(server, letter, copy=copy) or _given(server, letter)
    except smtplib.SMTPNotSupportedError:
        return Receipt(intent.id, "dead", reason="the address is not ASCII, and the SMTP server does not have SMTPUTF8")
    except (smtplib.SMTPServerDisconnected, smtplib.SMTPResponseException, OSError):
        return Receipt(intent.id, "unknown", reason="the connection broke, or made no sense, while the mail was handed over")
    if refused:
        _start_over(server, refused[0])
        return _verdict(intent, *refused)
    return Receipt(intent.id, "done", remote_id=letter.message_id.strip("<>"))


def _addressed(server: smtplib.SMTP, letter: Letter, *, copy: bool) -> tuple[int, str] | None:
    """Name sender and receivers; return the code of a refusal, and what was refused."""
    server.ehlo_or_helo_if_needed()
    options = ["SMTPUTF8", "BODY=8BITMIME"] if letter.international else []
    code, _ = server.mail(letter.sender, [*options, f"size={len(letter.raw)}"] if server.has_extn("size") else options)
    if code != _TAKEN:
        return code, "the sender"
    code, _ = server.rcpt(letter.receiver)
    if code not in (_TAKEN, _FORWARDED):
        return code, "the recipient"
    if copy and server.rcpt(letter.sender)[0] != _TAKEN:
        logger.warning("the SMTP server takes no blind copy to the sender: an answer whose acceptance is not heard may be sent twice")
    return None


def _given(server: smtplib.SMTP, letter: Letter) -> tuple[int, str] | None:
    try:
        code, _ = server.data(letter.raw)
    except smtplib.SMTPDataError as refusal:
        code = refusal.smtp_code
    return None if code == _TAKEN else (code, "the mail")


def _start_over(server: smtplib.SMTP, code: int) -> None:
    if code == _CLOSING:
        server.close()
        return
    with suppress(smtplib.SMTPException, OSError):
        server.rset()


def _verdict(intent: Intent, code: int, what: str) -> Receipt:
    """4yz may pass, 5yz does not (RFC 5321, 4.2.1)."""
    reason = f"the SMTP server refused {what} with {code}"
    if code in _AUTHENTICATION:
        raise ConfigError(f"{reason}: it wants a login; check smtp_user, smtp_password and smtp_tls")
    if not 400 <= code < 600:
        return Receipt(intent.id, "unknown", reason=f"the SMTP server's reply about {what} is no SMTP")
    return Receipt(intent.id, "retry" if code < 500 else "dead", reason=reason)


@contextmanager
def open_smtp(settings: EmailSettings, tokens: Tokens) -> Generator[smtplib.SMTP]:
    """Connect and log in; what fails until then becomes ConfigError or RetryableError, since no mail has been handed over."""
    where = "SMTP at {}:{}".format(*settings.smtp)
    server: smtplib.SMTP | None = None
    try:
        server = _connected(settings)
        cast("socket", server.sock).settimeout(READ_SECONDS)
        _login(server, settings, tokens)
    except BaseException as error:
        if server:
            server.close()
        if isinstance(error, smtplib.SMTPAuthenticationError) and error.smtp_code >= 500 and _uses_token(settings, tokens):
            raise tokens.refused(f"{where} refused the token") from None
        raise _failure(error, where) from None
    try:
        yield server
    finally:
        _leave(server)


def _uses_token(settings: EmailSettings, tokens: Tokens) -> bool:
    return tokens.wanted and settings.smtp_password is None


def _login(server: smtplib.SMTP, settings: EmailSettings, tokens: Tokens) -> None:
    user = settings.smtp_user or settings.user
    if _uses_token(settings, tokens):
        server.ehlo_or_helo_if_needed()
        token = tokens.token()

        def answer(challenge: bytes | None = None) -> str:
            # A refusal comes as a challenge, which wants an empty answer before the server says no.
            return xoauth2(user, token) if challenge is None else ""

        server.auth("XOAUTH2", answer)
    elif password := settings.smtp_password or settings.password:
        server.login(user, password.get_secret_value())


def _connected(settings: EmailSettings) -> smtplib.SMTP:
    host, port, tls = settings.smtp
    if tls == "tls":
        return smtplib.SMTP_SSL(host, port, timeout=CONNECT_SECONDS, context=tls_context(settings))
    server = smtplib.SMTP(host, port, timeout=CONNECT_SECONDS)
    try:
        if tls == "starttls":
            server.starttls(context=tls_context(settings))
    except BaseException:
        server.close()
        raise
    return server


def _failure(error: BaseException, where: str) -> BaseException:
    if isinstance(error, smtplib.SMTPAuthenticationError) and error.smtp_code >= 500:
        return ConfigError(f"{where} refused the login; check smtp_user and smtp_password, or user and password")
    if isinstance(error, smtplib.SMTPNotSupportedError):
        return ConfigError(f"{where} does not offer what smtp_tls asks for, or no login over this connection; check smtp_tls and smtp_port")
    if isinstance(error, ssl.SSLCertVerificationError):
        return ConfigError(f"{where}: its certificate is not trusted ({error.verify_message}); set ca_file, or correct smtp_host")
    if isinstance(error, ssl.SSLError):
        return ConfigError(f"{where} does not speak TLS there; check smtp_tls and smtp_port")
    if isinstance(error, (smtplib.SMTPException, OSError)):
        return RetryableError(f"{where} cannot be reached, or does not take mail now; check smtp_host, smtp_port and the network")
    return error


def _leave(server: smtplib.SMTP) -> None:
    try:
        server.quit()
    except (smtplib.SMTPException, OSError):
        server.close()
