"""E-mail as a source of messages and a target of replies."""

import logging
import smtplib
from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import ClassVar

from connectors.email.imap import Fetched, Mailbox
from connectors.email.oauth import Tokens
from connectors.email.record import Stored, gone_record, to_record
from connectors.email.session import open_mailbox
from connectors.email.settings import EmailSettings
from connectors.email.smtp import compose, message_id, open_smtp, submit
from connectors.email.watch import Watch
from threadline.sdk import (
    Attachment,
    ConfigError,
    Connector,
    Cursor,
    Intent,
    Listener,
    Page,
    PushObject,
    Receipt,
    RecordError,
    Rejected,
    Stream,
    Target,
    Uids,
    encode_record,
)
from threadline.sdk.cursors import Before, Noticed, Numbered

logger = logging.getLogger(__name__)

_BY_UID = Uids()
_GONE_AT_ONCE = 1_000


class Email(Connector[EmailSettings], Listener, Target):
    """A mailbox: its messages over IMAP, answers to customers over SMTP."""

    name: ClassVar[str] = "email"
    about: ClassVar[str] = "Mailboxes over IMAP, and replies over SMTP"
    extra: ClassVar[str | None] = "email"
    streams: ClassVar[tuple[Stream, ...]] = (
        Stream(
            "messages",
            key=("mailbox", "uidvalidity", "uid"),
            mapping="email/messages",
            about="every mail in the chosen folders",
            cursor=_BY_UID,
        ),
    )
    objects: ClassVar[tuple[PushObject, ...]] = (
        PushObject("reply", batch=20, repeat="marker", about="an answer to a customer; its Message-ID is made from the intent"),
    )
    sandbox: ClassVar[str | None] = "connectors.email.sandbox:EmailSandbox"
    connection_type: ClassVar[str] = "imap"

    @cached_property
    def _tokens(self) -> Tokens:
        return Tokens(self.settings, self.tokens)

    def check(self) -> None:
        """Log in at both servers; folders that the settings name must be there, except for the default ones."""
        with open_mailbox(self.settings, self._tokens) as mailbox:
            absent = mailbox.absent() if "folders" in self.settings.model_fields_set else []
            if absent:
                raise ConfigError(f"folders: the mailbox has no {', '.join(map(repr, absent))}; it has {', '.join(mailbox.names())}")
        with open_smtp(self.settings, self._tokens):
            pass

    def pull(self, stream: str, since: Cursor | None) -> Iterator[Page]:
        """Yield the mails above the last UID of each folder, after what has become of those below: other flags, or gone."""
        if stream != "messages":
            raise ConfigError(f"email has no stream named {stream!r}; it has messages")
        with open_mailbox(self.settings, self._tokens) as mailbox:
            yield from _BY_UID.scan(
                since, mailbox.folders(), mailbox.examine, partial(self._mails, mailbox), partial(self._look_back, mailbox)
            )

    def listen(self, patience: float) -> Iterator[Collection[str]]:
        """See `Listener`: by IDLE for the first folder; the others, and a server without it, are asked every so often."""
        with open_mailbox(self.settings, self._tokens) as mailbox:
            for changed in Watch(mailbox).news(patience):
                yield ("messages",) if changed else ()

    def _mails(self, mailbox: Mailbox, folder: str, uidvalidity: int, first: int) -> Iterator[Numbered]:
        for fetched in mailbox.fetch(mailbox.uids_from(first)):
            if fetched:
                found = self._read_all(folder, uidvalidity, fetched)
                yield Numbered(found.records, fetched[-1].uid, found.rejected, [each.uid for each in fetched], found.attachments)

    def _look_back(self, mailbox: Mailbox, folder: str, uidvalidity: int, before: Before) -> Iterator[Noticed]:
        if before.present is not None and self.settings.deleted == "tell":
            # Under another UIDVALIDITY every mail has another key, and comes again under that.
            same = before.uidvalidity == uidvalidity
            gone = mailbox.gone(before.present, before.uid) if same else list(before.present)
            for start in range(0, len(gone), _GONE_AT_ONCE):
                some = gone[start : start + _GONE_AT_ONCE]
                yield Noticed([encode_record(gone_record(folder, before.uidvalidity, uid)) for uid in some], some)
        yield from self._changed(mailbox, folder, uidvalidity, before)

    def _changed(self, mailbox: Mailbox, folder: str, uidvalidity: int, before: Before) -> Iterator[Noticed]:
        """A server that counts modifications (CONDSTORE: RFC 7162) says which mails have other flags; the rest of a mail never changes."""
        if mailbox.modseq and before.modseq and before.uidvalidity == uidvalidity and mailbox.modseq > before.modseq:
            for fetched in mailbox.fetch(mailbox.changed(before.modseq, before.uid)):
                found = self._read_all(folder, uidvalidity, fetched)
                yield Noticed(found.records, rejected=found.rejected, attachments=found.attachments)
        if mailbox.modseq and mailbox.modseq != before.modseq:
            yield Noticed(modseq=mailbox.modseq)

    def _read_all(self, folder: str, uidvalidity: int, fetched: Sequence[Fetched]) -> "_Read":
        read = _Read()
        for each in fetched:
            mail = Stored(folder, uidvalidity, each.uid, each.received_at, each.raw or each.head, each.flags)
            record = self._read(mail, each, files := list[bytes]())
            if isinstance(record, Rejected):
                read.rejected.append(record)
                continue
            read.records.append(record)
            if self.settings.attachments == "keep":
                read.attachments += [Attachment(mail.key, content) for content in files]
        return read

    def _read(self, mail: Stored, fetched: Fetched, files: list[bytes]) -> bytes | Rejected:
        if fetched.refused:
            return Rejected(mail.key, mail.raw, "the server lists the mail, and refuses to hand it out")
        if fetched.raw is None:
            limit = self.settings.max_message_bytes
            return Rejected(mail.key, mail.raw, f"the mail has {fetched.size} bytes; above {limit} only its header fields are kept")
        try:
            return encode_record(to_record(mail, self.settings, files))
        except RecordError as error:
            return Rejected(mail.key, mail.raw, f"the mail cannot be read: {error}")
        except Exception as error:
            # Mail is written by anybody: what nobody foresaw must not stop the folder, and its bytes are kept.
            return Rejected(mail.key, mail.raw, f"the mail cannot be parsed ({type(error).__name__})")

    def push(self, object: str, intents: Sequence[Intent]) -> Iterator[Receipt]:  # noqa: A002 - the contract's word
        """Send answers and file them in the sent folder; one that an earlier attempt has filed is not sent again."""
        if object != "reply":
            raise ConfigError(f"email takes no {object!r}; it takes reply")
        with ExitStack() as stack:
            mailbox = stack.enter_context(open_mailbox(self.settings, self._tokens))
            outbox = _Outbox(self.settings, self._tokens, stack)
            for intent in intents:
                yield self._send(intent, mailbox, outbox)

    def _send(self, intent: Intent, mailbox: Mailbox, outbox: "_Outbox") -> Receipt:
        identity = message_id(intent.id, self.settings)
        if intent.attempt > 1 and any(mailbox.has(folder, identity) for folder in self._copies()):
            return Receipt(intent.id, "done", remote_id=identity.strip("<>"), reason="an earlier attempt has sent it")
        try:
            letter = compose(intent, self.settings)
        except RecordError as error:
            return Receipt(intent.id, "dead", reason=f"{error} ({error.path})")
        receipt = submit(outbox.server(), letter, intent, copy=self.settings.blind_copy)
        if receipt.status == "unknown":
            outbox.forget()
        if receipt.status == "done":
            self._file(mailbox, identity, letter.raw)
        return receipt

    def _copies(self) -> list[str]:
        """Where an answer that was taken may be found."""
        return [self.settings.sent_folder, "INBOX"] if self.settings.blind_copy else [self.settings.sent_folder]

    def _file(self, mailbox: Mailbox, identity: str, raw: bytes) -> None:
        """A copy that cannot be filed must not make the mail look unsent, which would send it twice."""
        try:
            # Some providers file what they submit by themselves.
            if not mailbox.has(self.settings.sent_folder, identity):
                mailbox.file(self.settings.sent_folder, raw)
        except Exception as error:
            logger.warning("a sent answer could not be filed in %r (%s)", self.settings.sent_folder, type(error).__name__)


@dataclass(slots=True)
class _Read:
    """What became of some mails."""

    records: list[bytes] = field(default_factory=list[bytes])
    rejected: list[Rejected] = field(default_factory=list[Rejected])
    attachments: list[Attachment] = field(default_factory=list[Attachment])


class _Outbox:
    """The SMTP connection of one push: made at the first mail, and made again after it broke."""

    def __init__(self, settings: EmailSettings, tokens: Tokens, stack: ExitStack) -> None:
        self._settings = settings
        self._tokens = tokens
        self._stack = stack
        self._server: smtplib.SMTP | None = None

    def server(self) -> smtplib.SMTP:
        # smtplib drops the connection by itself when the server says 421.
        if self._server is None or self._server.sock is None:
            self._server = self._stack.enter_context(open_smtp(self._settings, self._tokens))
        return self._server

    def forget(self) -> None:
        self._server = None
