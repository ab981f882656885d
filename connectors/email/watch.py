"""Notices that something has changed in a mailbox: the server says so while it is listened to (IDLE: RFC 2177), or is asked."""

import time
from collections.abc import Iterator
from typing import Any

from connectors.email.idle import Idle, RefusedError
from connectors.email.imap import Mailbox

ALONE_SECONDS = 540.0
"""How long one IDLE lasts: servers may end it after 29 minutes, and many a router forgets a silent connection after ten."""
AMONG_SECONDS = 60.0
"""How long it lasts where other folders are to be asked as well: a connection listens to one folder."""
ASK_SECONDS = 30.0
"""How often a server without IDLE is asked."""


class Watch:
    """Looks at the folders of a mailbox whenever the server has said something, and every so often."""

    def __init__(self, mailbox: Mailbox) -> None:
        self._mailbox = mailbox
        self._folders = mailbox.folders()
        self._idles = mailbox.can("IDLE")

    def news(self, patience: float) -> Iterator[bool]:
        """Yield, without end, whether something has changed since the last time: at once when it has, else after `patience` seconds."""
        before = None
        while True:
            now = self._look()
            idle = self._idle()
            try:
                # From here on nothing is missed: what comes now is told, or seen by the next look.
                yield now != before
                before = now
                yield from self._wait(idle, patience)
            except GeneratorExit:
                # No other command is taken before, also not the one that logs out.
                _end(idle)
                raise
            _end(idle)

    def _look(self) -> list[Any]:
        """Return what tells a changed folder from one that is as it was."""
        seen: list[Any] = [self._mailbox.status(folder, self._mailbox.status_items) for folder in self._folders]
        # The first one is opened last: it is the one to listen to.
        return [*seen, *((self._mailbox.examine(folder), self._mailbox.state) for folder in self._folders[:1])]

    def _idle(self) -> Idle | None:
        if not self._idles:
            return None
        try:
            return self._mailbox.idle()
        except RefusedError:
            self._idles = False
            return None

    def _wait(self, idle: Idle | None, patience: float) -> Iterator[bool]:
        """Yield False after each `patience` seconds, until it is time to look again."""
        end = time.monotonic() + (ASK_SECONDS if idle is None else AMONG_SECONDS if self._folders[1:] else ALONE_SECONDS)
        while (left := end - time.monotonic()) > 0:
            if idle is None:
                time.sleep(min(left, patience))
            elif idle.hear(min(left, patience)):
                return
            yield False


def _end(idle: Idle | None) -> None:
    if idle:
        idle.end()
