"""pymap, a real IMAP server, on the mails of a sandbox.

pymap's own maildir backend writes mails anew while it stores them, which repairs what a sandbox must keep broken; so this
is its in-memory backend, with every change written down in a `MailStore`.
"""

from argparse import Namespace
from asyncio import Server, StreamReader, StreamWriter, start_server
from collections.abc import Iterable
from datetime import UTC, datetime
from socket import socket
from typing import Any, cast

from proxyprotocol.sock import SocketInfoLocal
from pymap.backend.dict import Config, Login
from pymap.backend.dict.filter import FilterSet
from pymap.backend.dict.mailbox import MailboxData, MailboxSet, Message
from pymap.concurrent import Subsystem
from pymap.exceptions import AppendFailure
from pymap.flags import FlagOp
from pymap.imap import IMAPServer
from pymap.interfaces.message import CachedMessage
from pymap.mime import MessageContent
from pymap.parsing.message import AppendMessage
from pymap.parsing.response import ResponseCode
from pymap.parsing.specials import ObjectId
from pymap.parsing.specials.flag import Flag
from pymap.user import UserMetadata
from pysasl.hashing import Cleartext
from typing_extensions import override

from connectors.email.sandbox.store import Kept, MailStore


def _names(flags: Iterable[Flag]) -> tuple[str, ...]:
    return tuple(sorted(bytes(flag).decode("ascii") for flag in flags))


class _Unthreaded:
    """Gives each mail a thread of its own: pymap's grouping parses header fields, and fails on broken ones."""

    def add(self, content: MessageContent) -> ObjectId:
        return ObjectId.random_thread_id()


class KeptMailbox(MailboxData):  # type: ignore[misc]
    """A folder whose changes are written down."""

    def __init__(self, store: MailStore, name: str, *caches: Any) -> None:
        super().__init__(*caches)
        self._store = store
        self.name = name
        self._uid_validity = store.make(name)["uidvalidity"]
        self._max_uid = 0

    async def load(self) -> None:
        """Take over what the store holds."""
        for mail in self._store.mails(self.name):
            self._max_uid = mail.uid - 1
            await super().append(AppendMessage(mail.raw, mail.at, frozenset(Flag(flag.encode()) for flag in mail.flags)))
        self._max_uid = self._store.make(self.name)["last_uid"]

    @override
    async def append(self, append_msg: AppendMessage, *, recent: bool = False) -> Message:
        if self.name in self._store.full:
            raise AppendFailure(self.name, b"Quota exceeded.", ResponseCode.of(b"OVERQUOTA"))
        message = await super().append(append_msg, recent=recent)
        at = append_msg.when or datetime.now(UTC)
        self._store.keep(self.name, Kept(message.uid, at, _names(append_msg.flag_set), bytes(append_msg.literal)))
        return message

    @override
    async def copy(self, uid: int, destination: Any, *, recent: bool = False) -> int | None:
        new_uid: int | None = await super().copy(uid, destination, recent=recent)
        if new_uid is not None:
            self._store.copy(self.name, uid, destination.name, new_uid)
        return new_uid

    @override
    async def move(self, uid: int, destination: Any, *, recent: bool = False) -> int | None:
        new_uid: int | None = await super().move(uid, destination, recent=recent)
        if new_uid is not None:
            self._store.copy(self.name, uid, destination.name, new_uid)
            self._store.forget(self.name, [uid])
        return new_uid

    @override
    async def update(self, uid: int, cached_msg: CachedMessage, flag_set: frozenset[Flag], mode: FlagOp) -> Message:
        message = await super().update(uid, cached_msg, flag_set, mode)
        self._store.flag(self.name, uid, _names(message.permanent_flags))
        return message

    @override
    async def delete(self, uids: Iterable[int]) -> None:
        gone = list(uids)
        await super().delete(gone)
        self._store.forget(self.name, gone)


class KeptMailboxes(MailboxSet):  # type: ignore[misc]
    """The folders of the one account."""

    def __init__(self, store: MailStore) -> None:
        super().__init__()
        self._store = store
        self._threads = _Unthreaded()
        self._inbox = self._kept("INBOX")

    def _kept(self, name: str) -> KeptMailbox:
        return KeptMailbox(self._store, name, self._content_cache, self._threads)

    async def load(self) -> None:
        """Take over what the store holds, anew where it was renumbered."""
        for name in sorted(self._store.folders()):
            box = self._kept(name)
            await box.load()
            if name == "INBOX":
                self._inbox = box
            else:
                self._set[name] = box

    @override
    async def add_mailbox(self, name: str) -> ObjectId:
        if name in self._set:
            raise ValueError(name)
        self._set[name] = box = self._kept(name)
        return box.mailbox_id

    @override
    async def delete_mailbox(self, name: str) -> None:
        await super().delete_mailbox(name)
        self._store.drop(name)

    async def deliver(self, name: str, raw: bytes, at: datetime, flags: Iterable[str]) -> int:
        """Put a mail into a folder, as a delivery agent does; return its UID."""
        if name != "INBOX" and name not in self._set:
            await self.add_mailbox(name)
        box = await self.get_mailbox(name)
        message: Message = await box.append(AppendMessage(raw, at, frozenset(Flag(flag.encode()) for flag in flags)), recent=True)
        return int(message.uid)

    async def expunge(self, name: str, uid: int) -> None:
        """Delete a mail for good."""
        await (await self.get_mailbox(name)).delete([uid])


class _Gathering:
    """A writer that sends a response as one: pymap writes it in dozens of pieces, each of which would be sent alone."""

    def __init__(self, writer: StreamWriter) -> None:
        self._writer = writer
        self._held = bytearray()

    def write(self, data: bytes) -> None:
        self._held += data

    async def drain(self) -> None:
        self._writer.write(bytes(self._held))
        self._held.clear()
        await self._writer.drain()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._writer, name)


class _QuickConfig(Config):  # type: ignore[misc]
    @property
    @override
    def greeting(self) -> bytes:
        # pymap's own asks the name service who this machine is.
        return b"Server ready 127.0.0.1"


async def serve_imap(listener: socket, store: MailStore, user: str, password: str) -> tuple[Server, KeptMailboxes]:
    """Serve one account; the password is compared as it is, since it protects nothing."""
    arguments = Namespace(
        host=None, port=0, debug=False, cert=None, key=None, tls=False, passlib_cfg=None, proxy_protocol=None,
        demo_data=False, demo_user=user, demo_password=password,
    )  # fmt: skip
    config = _QuickConfig.from_args(arguments, hash_context=Cleartext(), cpu_subsystem=Subsystem.for_asyncio(), invalid_user_sleep=0.0)
    config.apply_context()
    login = Login(config)
    await login.demo_user_identity.set(UserMetadata(config, user, password=password))
    mailboxes = KeptMailboxes(store)
    await mailboxes.load()
    config.set_cache[user] = (mailboxes, FilterSet())
    serve = IMAPServer(login, config)

    async def connected(reader: StreamReader, writer: StreamWriter) -> None:
        await serve(reader, cast("StreamWriter", _Gathering(writer)), SocketInfoLocal(writer))

    return await start_server(connected, sock=listener), mailboxes
