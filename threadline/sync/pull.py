"""Pulls one stream: page by page, each batch and its cursor in one transaction, by one effective writer."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import nullcontext
from datetime import timedelta
from typing import Any

from threadline.model.collector import uncollected
from threadline.sdk.contract import Connector, Cursor, Page, Stream
from threadline.sdk.errors import ConfigError, ConnectorError
from threadline.store.database import Database, RepeatCarefullyError, Transaction, moment
from threadline.sync import archive, attachments
from threadline.sync.ahead import read_ahead
from threadline.sync.apply import Writer
from threadline.sync.batch import Incoming, Judge, Verdict
from threadline.sync.breaker import Breaker, BreakerError
from threadline.sync.lease import Run
from threadline.sync.policy import USUAL, Policy
from threadline.sync.views import Ledger

BATCH = 3_000
"""Records in one transaction, at least, while a source has more at once."""
BATCH_BYTES = 16_000_000
BATCH_SECONDS = 10.0
"""A slow source's records are stored this often, so that a crash loses no more."""

Progress = Callable[[Ledger], None]


def pull(
    database: Database,
    connector: Connector[Any],
    judge: Judge,
    *,
    full: bool = False,
    resume: bool = False,
    progress: Progress | None = None,
    policy: Policy = USUAL,
) -> Ledger:
    """Read what changed since the saved cursor (`full`: everything) into the store; return what became of the records.

    BusyError while another run of the stream is under way, BreakerError when too many records cannot be used: then, and
    until the mapping changes or `resume` is given, the stream is paused.
    """
    run = Run(database, judge.source, judge.stream, lease=policy.lease)
    with run.under_way(), uncollected():
        breaker = None if resume else Breaker(judge.source, judge.stream, policy, full=full)
        batches = Batches(run, Writer(judge, run.id, policy), breaker)
        batches.prepare()
        for page in batches.pages(connector, None if full else run.cursor):
            batches.write(batches.incoming(page), page.cursor)
            if progress:
                progress(run.ledger)
        _prune_daily(run, policy)
    return run.ledger


def _prune_daily(run: Run, policy: Policy) -> None:
    """Forget what the archive need not keep any longer, in the first run of a day."""
    with run.database.read() as view:
        rows = view.query(_LAST_DONE, [run.source, run.stream])
        last, now = moment(rows[0][0]) if rows else None, view.now()
    if last and last.date() < now.date():
        with run.database.write() as transaction:
            archive.prune(transaction, run.source, run.stream, now - timedelta(days=policy.archive_days))
            attachments.prune(transaction)
            run.commit(transaction, Ledger(), None)


_LAST_DONE = "SELECT started FROM runs WHERE source = ? AND stream = ? AND kind = 'pull' AND state = 'done' ORDER BY started DESC LIMIT 1"


class Batches:
    """Writes the batches of a run, each in one transaction with its cursor."""

    def __init__(self, run: Run, writer: Writer, breaker: Breaker | None = None) -> None:
        self.run = run
        self.writer = writer
        self._breaker = breaker
        self._expects_new = run.empty

    def prepare(self) -> None:
        """Refuse a stream that is paused still; load what is known of it, and note the mapping."""
        run, mapping = self.run, self.writer.judge.mapping
        if run.paused and run.kind == "pull":
            if self._breaker and run.paused_mapping == mapping.fingerprint:
                raise BreakerError(run.paused)
            run.pause(None, None)
        if run.mapping != mapping.fingerprint:
            run.use(mapping.tree.name, mapping.text, mapping.fingerprint)
        with run.database.read() as view:
            self.writer.judge.load(view)

    def incoming(self, page: Page) -> list[Incoming]:
        """Name what a page brings; what is expected to be new is mapped already."""
        found = self.writer.judge.incoming(page.records, page.rejected, map_for=self.run.id if self._expects_new else None)
        return attachments.attach(found, page.attachments) if page.attachments else found

    def pages(self, connector: Connector[Any], since: Cursor | None) -> Iterator[Page]:
        """Read from a cursor to the end, in pages large enough for a transaction; a slow source does not cost the run its lease."""
        run, policy = self.run, self.writer.policy
        patience = max(policy.lease.total_seconds() / 3, 0.1)
        return joined_pages(read_ahead(connector.pull(run.stream, since), policy.ahead, waiting=run.renew, patience=patience))

    def write(self, incoming: Sequence[Incoming], cursor: Cursor | None) -> None:
        """Judge and apply one batch.

        While records are all new, nothing is looked up; should one be known after all, the batch is done again with care.
        """
        try:
            verdict = self._write(incoming, cursor, careful=False)
        except RepeatCarefullyError:
            verdict = self._write(incoming, cursor, careful=True)
        self.run.committed(verdict.ledger)
        self.writer.judge.fields.stored()
        self._expects_new = not verdict.known and bool(verdict.mapped)

    def _write(self, incoming: Sequence[Incoming], cursor: Cursor | None, *, careful: bool) -> Verdict:
        run, writer = self.run, self.writer
        blind = self._expects_new and not careful
        with nullcontext() if blind else run.database.read() as view:
            verdict = writer.judge.judge(view, incoming, run.id)
        if self._breaker and not careful:
            self._look(self._breaker, verdict)
        with run.database.write() as transaction:
            if careful:
                transaction.take_care()
            if touches(verdict):
                writer.apply(transaction, verdict)
            attachments.keep(transaction, incoming)
            self.also(transaction, incoming)
            run.commit(transaction, verdict.ledger, cursor)
        return verdict

    def also(self, transaction: Transaction, incoming: Sequence[Incoming]) -> None:
        """Write what else goes with a batch."""

    def _look(self, breaker: Breaker, verdict: Verdict) -> None:
        try:
            breaker.look(verdict)
        except BreakerError as error:
            self.run.pause(str(error), self.writer.judge.mapping.fingerprint)
            raise


def touches(verdict: Verdict) -> bool:
    """Whether a verdict has anything to write."""
    return bool(verdict.mapped or verdict.same or verdict.filtered or verdict.letters)


def joined_pages(pages: Iterable[Page]) -> Iterator[Page]:
    """Join small pages, so that one transaction carries many records while there are more."""
    held: list[Page] = []
    count = size = 0
    began = time.monotonic()
    try:
        for page in pages:
            held.append(page)
            count += len(page.records) + len(page.rejected)
            size += page.size
            if count >= BATCH or size >= BATCH_BYTES or time.monotonic() - began > BATCH_SECONDS:
                yield joined(held)
                held, count, size, began = [], 0, 0, time.monotonic()
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
    return Page(
        [record for page in pages for record in page.records],
        cursor,
        [entry for page in pages for entry in page.rejected],
        [one for page in pages for one in page.attachments],
    )


def stream_of(connector: Connector[Any], name: str) -> Stream:
    """Return a connector's stream; ConfigError when it has none of that name."""
    for stream in connector.available_streams():
        if stream.name == name:
            return stream
    raise ConfigError(
        f"{connector.name} has no stream {name!r}; it has: {', '.join(stream.name for stream in connector.available_streams())}"
    )


__all__ = ["BATCH", "Batches", "Progress", "joined_pages", "pull", "stream_of"]
