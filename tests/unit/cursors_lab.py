"""A reader that crashes, over sources that change while they are read: what a schedule says happens between any two reads."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from hypothesis import HealthCheck, Phase, find, settings
from hypothesis import strategies as st
from hypothesis.errors import NoSuchExample

from threadline.sdk import Cursor, Page, RetryableError

Op = tuple[Any, ...]
Pull = Callable[[Cursor | None], Iterator[Page]]
READER = [st.just(("read",)), st.just(("read",)), st.just(("hold",)), st.just(("crash",))]
PROPERTY = settings(max_examples=120, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
SEARCH = settings(PROPERTY, max_examples=1_000, database=None, phases=[Phase.generate])


class CrashError(Exception):
    """The process is gone, and what it held with it."""


class Schedule:
    """What happens, in order; `apply` changes the source. When nothing is left, the reader is left in peace."""

    def __init__(self, ops: Sequence[Op], apply: Callable[[Op], None]) -> None:
        self._left = list(ops)
        self._apply = apply

    @property
    def over(self) -> bool:
        return not self._left

    def turn(self) -> bool:
        """Let things happen until it is the reader's turn; CrashError when it has to crash. Say whether it may store its pages."""
        while self._left:
            op = self._left.pop(0)
            if op[0] == "crash":
                raise CrashError
            if op[0] in ("read", "hold"):
                return bool(op[0] == "read")
            self._apply(op)
        return True


class Reader:
    """Stores records and cursor together, several pages at a time, as the engine does."""

    def __init__(self, schedule: Schedule) -> None:
        self._schedule = schedule
        self.cursor: Cursor | None = None
        self.stored: dict[str, Any] = {}
        self.crashes = 0

    def scan(self, pull: Pull) -> None:
        """Make one scan, which may end in the middle."""
        held: list[Page] = []
        try:
            for page in pull(self.cursor):
                held.append(page)
                if self._schedule.turn():
                    self._store(held)
                    held = []
        except (CrashError, RetryableError):
            self.crashes += 1
        else:
            self._store(held)

    def _store(self, pages: Iterable[Page]) -> None:
        for page in pages:
            self.stored |= {found["id"]: found for found in map(json.loads, page.records)}
            self.cursor = json.loads(json.dumps(page.cursor)) if page.cursor is not None else self.cursor


def run(schedule: Schedule, pull: Pull, settle: Callable[[], None]) -> Reader:
    """Scan until nothing happens any more, let the source come to rest, and scan once again."""
    reader = Reader(schedule)
    while not schedule.over:
        reader.scan(pull)
    settle()
    reader.scan(pull)
    return reader


def some(schedules: st.SearchStrategy[Any], holds: Callable[[Any], bool]) -> bool:
    """Whether there is a schedule of which something holds."""
    try:
        find(schedules, holds, settings=SEARCH)
    except NoSuchExample:
        return False
    return True
