"""The mails of a sandbox, kept on its shelf: UIDVALIDITY, UIDs and flags outlive a restart, as RFC 9051 asks."""

import base64
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from threadline.testing.sandbox import Document, Shelf


@dataclass(frozen=True, slots=True)
class Kept:
    """A mail in a folder."""

    uid: int
    at: datetime
    flags: tuple[str, ...]
    raw: bytes


class MailStore:
    """Folders and their mails; those in `full` take no more."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self.full: set[str] = set()

    def folders(self) -> dict[str, Document]:
        """Return the folders that exist: `uidvalidity` and `last_uid` by name."""
        return {folder["name"]: folder for folder in self._shelf.all("folder") if folder["exists"]}

    def make(self, name: str) -> Document:
        """Return a folder, made where it is missing; a folder that existed before gets a higher UIDVALIDITY."""
        with self._shelf.together():
            folder = self._shelf.get("folder", name)
            if folder and folder["exists"]:
                return folder
            return self._renumbered(name, folder)

    def renumber(self, name: str) -> Document:
        """Give a folder a new UIDVALIDITY, as a restored backup has it; the mails get new UIDs from 1."""
        with self._shelf.together():
            mails = self.mails(name)
            folder = self._renumbered(name, self._shelf.get("folder", name))
            for mail in mails:
                self._shelf.put("mail", f"{name}\n{mail.uid}", {"folder": name, "uid": 0})
            for uid, mail in enumerate(mails, start=1):
                self.keep(name, Kept(uid, mail.at, mail.flags, mail.raw))
            return self._shelf.get("folder", name) or folder

    def _renumbered(self, name: str, before: Document | None) -> Document:
        uidvalidity = max(int(time.time()), (before or {"uidvalidity": 0})["uidvalidity"] + 1)
        folder = {"name": name, "uidvalidity": uidvalidity, "last_uid": 0, "exists": True}
        self._shelf.put("folder", name, folder)
        return folder

    def drop(self, name: str) -> None:
        """Delete a folder with its mails."""
        with self._shelf.together():
            self.forget(name, [mail.uid for mail in self.mails(name)])
            self._shelf.put("folder", name, {**self.make(name), "exists": False})

    def mails(self, name: str) -> list[Kept]:
        """Return the mails of a folder by UID."""
        found = [
            Kept(mail["uid"], datetime.fromisoformat(mail["at"]), tuple(mail["flags"]), base64.b64decode(mail["raw"]))
            for mail in self._shelf.all("mail")
            if mail["folder"] == name and mail["uid"]
        ]
        return sorted(found, key=lambda mail: mail.uid)

    def add(self, name: str, at: datetime, flags: Iterable[str], raw: bytes) -> int:
        """Put a mail into a folder under the next UID; return that."""
        with self._shelf.together():
            uid = int(self.make(name)["last_uid"]) + 1
            self.keep(name, Kept(uid, at, tuple(flags), raw))
        return uid

    def keep(self, name: str, mail: Kept) -> None:
        """Write a mail down under its UID."""
        with self._shelf.together():
            folder = self.make(name)
            raw = base64.b64encode(mail.raw).decode("ascii")
            document = {"folder": name, "uid": mail.uid, "at": mail.at.isoformat(), "flags": list(mail.flags), "raw": raw}
            self._shelf.put("mail", f"{name}\n{mail.uid}", document)
            self._shelf.put("folder", name, {**folder, "last_uid": max(folder["last_uid"], mail.uid)})

    def flag(self, name: str, uid: int, flags: Iterable[str]) -> None:
        """Change the flags of a mail."""
        with self._shelf.together():
            mail = self._shelf.get("mail", f"{name}\n{uid}")
            if mail and mail["uid"]:
                self._shelf.put("mail", f"{name}\n{uid}", {**mail, "flags": sorted(flags)})

    def forget(self, name: str, uids: Iterable[int]) -> None:
        """Expunge mails; a UID is never used again."""
        with self._shelf.together():
            for uid in uids:
                self._shelf.put("mail", f"{name}\n{uid}", {"folder": name, "uid": 0})

    def copy(self, name: str, uid: int, to: str, to_uid: int) -> None:
        """Write down a copy that got its UID elsewhere."""
        with self._shelf.together():
            mail = self._shelf.get("mail", f"{name}\n{uid}")
            if mail and mail["uid"]:
                self.keep(to, Kept(to_uid, datetime.fromisoformat(mail["at"]), tuple(mail["flags"]), base64.b64decode(mail["raw"])))
