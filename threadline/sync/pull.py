"""Pulls one stream: page by page, each batch and its cursor in one transaction, by one effective writer."""

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec

from threadline.model.ids import new_ulid
from threadline.sdk.contract import Connector, Cursor, Page, Stream
from threadline.sdk.errors import ConfigError, ConnectorError, RetryableError
from threadline.store import schema
from threadline.store.database import Database, Transaction, storable
from threadline.sync.apply import Writer
from threadline.sync.batch import Incoming, Judge, Verdict
from threadline.sync.views import Ledger

BATCH = 1_000
"""Records in one transaction, at least, while a source has more."""

LOST = "ended without a word: killed, or its machine stopped"
"""What is said of a run that was under way when the next one began."""

Progress = Callable[[Ledger], None]
_encode = msgspec.json.Encoder().encode


class SupersededError(RetryableError):
    """Another run of the same stream has begun since; this one commits nothing more."""


class Run:
    """One pull of one stream: its token says that it is the one that may write."""

    def __init__(self, database: Database, source: str, stream: str, kind: str = "pull") -> None:
        self.database = database
        self.kind = kind
        self.source = source
        self.stream = stream
        self.id = new_ulid()
        self.token = 0
        self.ledger = Ledger()

    def begin(self) -> Cursor | None:
        """Take the stream over from any earlier run; return where it stands."""
        with self.database.write() as transaction:
            transaction.lock(f"stream {self.source}.{self.stream}")
            now = transaction.now()
            place = [self.source, self.stream]
            rows = transaction.query("SELECT cursor, token FROM streams WHERE source = ? AND stream = ?", place)
            cursor, token = rows[0] if rows else (None, 0)
            self.token = token + 1
            transaction.upsert(schema.STREAMS, [(*place, cursor, self.token, now)])
            transaction.execute(
                "UPDATE runs SET state = 'lost', ended = ?, error = ? "
                "WHERE source = ? AND stream = ? AND state = 'running' AND kind <> 'push'",
                [now, LOST, *place],
            )
            counts = (0,) * 6
            transaction.insert(schema.RUNS, [(self.id, self.kind, *place, "running", now, None, *counts, None)])
        return msgspec.json.decode(cursor) if cursor else None

    def commit(self, transaction: Transaction, ledger: Ledger, cursor: Cursor | None) -> None:
        """Note a batch's counts and cursor: the batch's last statements, which fail when the run was superseded."""
        self.ledger = add(self.ledger, ledger)
        total = self.ledger
        transaction.execute(
            'UPDATE runs SET "read" = ?, "new" = ?, changed = ?, unchanged = ?, filtered = ?, dead = ? WHERE id = ?',
            [total.read, total.new, total.changed, total.unchanged, total.filtered, total.dead, self.id],
        )
        keep = "cursor = cursor" if cursor is None else "cursor = ?"
        given = [] if cursor is None else [_encode(cursor).decode()]
        moved = transaction.execute(
            f"UPDATE streams SET {keep}, changed_at = ? WHERE source = ? AND stream = ? AND token = ?",  # noqa: S608 - one of two texts above
            [*given, transaction.now(), self.source, self.stream, self.token],
        )
        if not moved:
            raise SupersededError(f"{self.source}.{self.stream} is being pulled by a later run; this one stops")

    def end(self, state: str, error: str | None = None) -> None:
        """Note how the run ended."""
        with self.database.write() as transaction:
            transaction.execute(
                "UPDATE runs SET state = ?, ended = ?, error = ? WHERE id = ? AND state = 'running'",
                [state, transaction.now(), error and storable(error), self.id],
            )


def add(left: Ledger, right: Ledger) -> Ledger:
    """Add two ledgers."""
    return Ledger(**{name: getattr(left, name) + getattr(right, name) for name in Ledger.__dataclass_fields__})


@contextmanager
def recorded(run: Run) -> Generator[None]:
    """Note the end of a run, whichever way it ends."""
    try:
        yield
    except ConnectorError as error:
        run.end("failed", str(error))
        raise
    except KeyboardInterrupt:
        run.end("failed", "stopped by hand")
        raise
    except BaseException as error:
        # The text of an unforeseen error may quote a record.
        run.end("failed", f"unforeseen {type(error).__name__}: see the task's log")
        raise
    run.end("done")


def pull(database: Database, connector: Connector[Any], judge: Judge, *, full: bool = False, progress: Progress | None = None) -> Ledger:
    """Read what changed since the saved cursor (`full`: everything) into the store; return what became of the records."""
    run = Run(database, judge.source, judge.stream)
    cursor = run.begin()
    writer = Writer(judge, run.id)
    with recorded(run):
        for page in batches(connector.pull(judge.stream, None if full else cursor)):
            write(run, writer, judge.incoming(page.records, page.rejected), page.cursor)
            if progress:
                progress(run.ledger)
    return run.ledger


def write(run: Run, writer: Writer, incoming: Sequence[Incoming], cursor: Cursor | None) -> None:
    """Judge and apply one batch, in one transaction with its cursor."""
    with run.database.read() as view:
        verdict = writer.judge.judge(view, incoming, run.id)
    with run.database.write() as transaction:
        if touches(verdict):
            writer.apply(transaction, verdict)
        run.commit(transaction, verdict.ledger, cursor)


def touches(verdict: Verdict) -> bool:
    """Whether a verdict has anything to write."""
    return bool(verdict.mapped or verdict.filtered or verdict.letters)


def batches(pages: Iterable[Page]) -> Iterator[Page]:
    """Join small pages, so that one transaction carries at least `BATCH` records while there are more."""
    held: list[Page] = []
    try:
        for page in pages:
            held.append(page)
            if sum(len(one.records) + len(one.rejected) for one in held) >= BATCH:
                yield joined(held)
                held = []
    except ConnectorError:
        # What was read before the error is good: keep it, so that the next run goes on from there.
        if held:
            yield joined(held)
        raise
    if held:
        yield joined(held)


def joined(pages: list[Page]) -> Page:
    """Make one page of several; its cursor is the last one given."""
    cursor = next((page.cursor for page in reversed(pages) if page.cursor is not None), None)
    return Page([record for page in pages for record in page.records], cursor, [entry for page in pages for entry in page.rejected])


def stream_of(connector: Connector[Any], name: str) -> Stream:
    """Return a connector's stream; ConfigError when it has none of that name."""
    for stream in connector.available_streams():
        if stream.name == name:
            return stream
    raise ConfigError(
        f"{connector.name} has no stream {name!r}; it has: {', '.join(stream.name for stream in connector.available_streams())}"
    )


__all__ = ["BATCH", "LOST", "Progress", "Run", "SupersededError", "batches", "pull", "recorded", "stream_of", "write"]
