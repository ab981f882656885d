"""One effective writer per stream: a run holds the stream's lease, and its token fences whoever held it before.

A run that ended, or whose process is gone, leaves the stream free at once. One that is alive keeps it until the lease runs
out on the database's clock: a process that hangs or sleeps is then superseded, and commits nothing more (docs/adr/0004).
"""

from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from datetime import timedelta

import msgspec

from threadline.model.ids import new_ulid
from threadline.sdk.contract import Cursor
from threadline.sdk.errors import ConnectorError, RetryableError
from threadline.store import schema
from threadline.store.database import Database, Transaction, moment, storable
from threadline.sync.policy import USUAL
from threadline.sync.views import Ledger

LOST = "ended without a word: killed, or its machine stopped"
"""What is said of a run that was under way when the next one began."""

_encode = msgspec.json.Encoder().encode


class BusyError(RetryableError):
    """Another run holds the stream."""


class SupersededError(RetryableError):
    """Another run has taken the stream over; this one commits nothing more."""


class Run:
    """One run over one stream: its token says that it is the one that may write."""

    def __init__(self, database: Database, source: str, stream: str, kind: str = "pull", lease: timedelta = USUAL.lease) -> None:
        self.database = database
        self.kind = kind
        self.source = source
        self.stream = stream
        self.lease = lease
        self.id = new_ulid()
        self.token = 0
        self.ledger = Ledger()
        self.cursor: Cursor | None = None
        """Where the stream stands."""
        self.paused: str | None = None
        self.paused_mapping: bytes | None = None
        self.mapping: bytes | None = None
        self.empty = False
        """Whether the stream had no records when the run began."""

    @contextmanager
    def under_way(self) -> Generator[None]:
        """Hold the stream for the length of the block, and note the run's beginning and how it ended."""
        token = self._next_token()
        with ExitStack() as held:
            try:
                held.enter_context(self.database.sole(self._name(token)))
            except RetryableError:
                raise self._busy(None) from None
            self._begin(token)
            with self._recorded():
                yield

    def commit(self, transaction: Transaction, ledger: Ledger, cursor: Cursor | None) -> None:
        """Note a batch's counts and cursor: the batch's last statements, which fail when the run was superseded."""
        total = add(self.ledger, ledger)
        transaction.execute(
            'UPDATE runs SET "read" = ?, "new" = ?, changed = ?, unchanged = ?, filtered = ?, dead = ? WHERE id = ?',
            [total.read, total.new, total.changed, total.unchanged, total.filtered, total.dead, self.id],
        )
        keep = "cursor = cursor" if cursor is None else "cursor = ?"
        given = [] if cursor is None else [_encode(cursor).decode()]
        now = transaction.now()
        moved = transaction.execute(
            f"UPDATE streams SET {keep}, changed_at = ?, lease_until = ? WHERE source = ? AND stream = ? AND token = ?",  # noqa: S608 - one of two texts above
            [*given, now, now + self.lease, self.source, self.stream, self.token],
        )
        if not moved:
            raise SupersededError(f"{self.source}.{self.stream} was taken over by a later run; this one stops")

    def committed(self, ledger: Ledger) -> None:
        """Count a batch that is stored."""
        self.ledger = add(self.ledger, ledger)

    def pause(self, why: str | None, fingerprint: bytes | None) -> None:
        """Note why the stream is paused, and with which mapping; or that it no longer is."""
        with self.database.write() as transaction:
            transaction.execute(
                "UPDATE streams SET paused = ?, paused_mapping = ? WHERE source = ? AND stream = ? AND token = ?",
                [why and storable(why), fingerprint, self.source, self.stream, self.token],
            )

    def use(self, name: str, text: str, fingerprint: bytes) -> None:
        """Note the mapping that the run uses."""
        with self.database.write() as transaction:
            transaction.insert(schema.MAPPINGS, [(fingerprint, name, text, transaction.now())])
            transaction.execute(
                "UPDATE streams SET mapping = ? WHERE source = ? AND stream = ? AND token = ?",
                [fingerprint, self.source, self.stream, self.token],
            )

    def renew(self) -> None:
        """Show a sign of life while there is nothing to commit."""
        with self.database.write() as transaction:
            self.commit(transaction, Ledger(), None)

    def _name(self, token: int) -> str:
        return f"pull {self.source}.{self.stream} {token}"

    def _next_token(self) -> int:
        """Return the token to take the stream with; BusyError while another run holds it."""
        with self.database.read() as view:
            now = view.now()
            rows = view.query("SELECT token, lease_until FROM streams WHERE source = ? AND stream = ?", [self.source, self.stream])
        token, lease_until = rows[0] if rows else (0, None)
        until = moment(lease_until)
        if until and now < until and self._is_alive(token):
            raise self._busy((until - now).total_seconds())
        return int(token) + 1

    def _is_alive(self, token: int) -> bool:
        try:
            with self.database.sole(self._name(token)):
                return False
        except RetryableError:
            return True

    def _busy(self, seconds: float | None) -> BusyError:
        rest = f"; if that hangs, this is possible in {seconds:.0f} s" if seconds else ""
        return BusyError(f"another run of {self.source}.{self.stream} is under way: wait until it is done{rest}", retry_after=seconds)

    def _begin(self, token: int) -> None:
        place = [self.source, self.stream]
        with self.database.write() as transaction:
            transaction.lock(f"stream {self.source}.{self.stream}")
            now = transaction.now()
            rows = transaction.query(
                "SELECT cursor, token, paused, paused_mapping, mapping FROM streams WHERE source = ? AND stream = ?", place
            )
            cursor, last, *rest = rows[0] if rows else (None, 0, None, None, None)
            if last >= token:
                raise self._busy(None)
            transaction.upsert(schema.STREAMS, [(*place, cursor, token, now, now + self.lease, *rest)])
            transaction.execute(
                "UPDATE runs SET state = 'lost', ended = ?, error = ? "
                "WHERE source = ? AND stream = ? AND state = 'running' AND kind <> 'push'",
                [now, LOST, *place],
            )
            counts = (0,) * 6
            transaction.insert(schema.RUNS, [(self.id, self.kind, *place, "running", now, None, *counts, None)])
        self.token = token
        self.paused, self.paused_mapping, self.mapping = rest
        self.cursor = msgspec.json.decode(cursor) if cursor else None
        self.empty = not rows

    @contextmanager
    def _recorded(self) -> Generator[None]:
        try:
            yield
        except ConnectorError as error:
            self._end("failed", str(error))
            raise
        except KeyboardInterrupt:
            self._end("failed", "stopped by hand")
            raise
        except BaseException as error:
            # The text of an unforeseen error may quote a record.
            self._end("failed", f"unforeseen {type(error).__name__}: see the task's log")
            raise
        self._end("done")

    def _end(self, state: str, error: str | None = None) -> None:
        with self.database.write() as transaction:
            transaction.execute(
                "UPDATE runs SET state = ?, ended = ?, error = ? WHERE id = ? AND state = 'running'",
                [state, transaction.now(), error and storable(error), self.id],
            )
            transaction.execute(
                "UPDATE streams SET lease_until = NULL WHERE source = ? AND stream = ? AND token = ?",
                [self.source, self.stream, self.token],
            )


def add(left: Ledger, right: Ledger) -> Ledger:
    """Add two ledgers."""
    return Ledger(**{name: getattr(left, name) + getattr(right, name) for name in Ledger.__dataclass_fields__})


__all__ = ["LOST", "BusyError", "Run", "SupersededError", "add"]
