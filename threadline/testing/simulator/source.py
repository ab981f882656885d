"""A source whose changes become visible late, share timestamps, and go back to what they were."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, NamedTuple

import msgspec

_NEW = 0.4
_LATELY = 0.6
EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


class Clock:
    """Simulated time, in milliseconds; the source's and the database's."""

    def __init__(self) -> None:
        self.now = 1_000

    def moment(self) -> datetime:
        """Return it as the database tells it."""
        return EPOCH + timedelta(milliseconds=self.now)


def instant(moment: datetime) -> int:
    """Return a moment as simulated time."""
    return round((moment - EPOCH) / timedelta(milliseconds=1))


class Place(NamedTuple):
    """A position in keyset order."""

    stamp: int
    key: int


@dataclass(frozen=True, slots=True)
class Version:
    """A record's content from `visible` on; `stamp` is its cursor value, up to the commit lag earlier."""

    stamp: int
    visible: int
    kind: str
    body: bytes


class Source:
    """Records with their versions; `read` shows what a query at this moment would."""

    def __init__(self, random: Random, clock: Clock, lag: int, late: float, write: Callable[[int, str, str, int], dict[str, Any]]) -> None:
        self.lag = lag
        self.clock = clock
        self.versions: dict[int, list[Version]] = {}
        self._random = random
        self._changed: list[int] = []
        self._late = late
        self._write = write

    def change(self) -> str:
        """Insert, update, hide or spoil one record; return what was done."""
        random = self._random
        key = self._key()
        kind = random.choices(("good", "hidden", "bad"), (80, 12, 8))[0]
        # Few values, so that a record returns to an earlier content, or changes only in what no mapping reads.
        word, views = random.choice(("red", "green", "blue")), random.randrange(3)
        body = msgspec.json.encode(self._write(key, kind, word, views))
        history = self.versions.setdefault(key, [])
        version = self._stamped(kind, body, history)
        history.append(version)
        self._changed.append(key)
        return f"{key} {kind} {word} stamp={version.stamp} visible={version.visible}"

    def _key(self) -> int:
        """Choose a record: a new one, one that changed lately (a scan may be at it), or any."""
        random = self._random
        if random.random() < _NEW or not self.versions:
            return random.randrange(1, 100)
        lately = random.random() < _LATELY
        return random.choice(self._changed[-4:] if lately else list(self.versions))

    def _stamped(self, kind: str, body: bytes, history: list[Version]) -> Version:
        now, late = self.clock.now, self._random.random() < self._late
        # A database stamps a row when its transaction begins, and shows it once that commits.
        begun = now - (self._random.randint(0, self.lag) if late else 0)
        visible = now + (self._random.randint(0, self.lag) if late else 0)
        if history:
            visible = max(visible, history[-1].visible)
        return Version(max(begun, visible - self.lag), visible, kind, body)

    def shown(self) -> dict[int, Version]:
        """Return the version of each record that is visible now."""
        now = self.clock.now
        current = {key: [version for version in history if version.visible <= now] for key, history in self.versions.items()}
        return {key: history[-1] for key, history in current.items() if history}

    def rows(self) -> list[tuple[Place, bytes]]:
        """Return what is visible now in keyset order."""
        return sorted((Place(version.stamp, key), version.body) for key, version in self.shown().items())

    @property
    def quiet_at(self) -> int:
        """When everything written so far is visible."""
        return max((version.visible for history in self.versions.values() for version in history), default=0)
