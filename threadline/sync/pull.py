"""Pulls one stream: page by page, each batch and its cursor in one transaction, by one effective writer."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import nullcontext
from datetime import timedelta
from typing import Any

from threadline.sdk.contract import Connector, Cursor, Page, Stream
from threadline.sdk.errors import ConfigError, ConnectorError
from threadline.store.database import Database, RepeatCarefullyError
from threadline.sync.apply import Writer
from threadline.sync.batch import Incoming, Judge, Verdict
from threadline.sync.lease import LEASE, Run
from threadline.sync.views import Ledger

BATCH = 5_000
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
    progress: Progress | None = None,
    lease: timedelta = LEASE,
) -> Ledger:
    """Read what changed since the saved cursor (`full`: everything) into the store; return what became of the records.

    BusyError while another run of the stream is under way.
    """
    run = Run(database, judge.source, judge.stream, lease=lease)
    with run.under_way():
        writer = Writer(judge, run.id)
        batch = Batches(run, writer)
        for page in batches(connector.pull(judge.stream, None if full else run.cursor)):
            batch.write(judge.incoming(page.records, page.rejected), page.cursor)
            if progress:
                progress(run.ledger)
    return run.ledger


class Batches:
    """Writes the batches of a run, each in one transaction with its cursor."""

    def __init__(self, run: Run, writer: Writer) -> None:
        self._run = run
        self._writer = writer
        self._expects_new = run.empty

    def write(self, incoming: Sequence[Incoming], cursor: Cursor | None) -> None:
        """Judge and apply one batch.

        While records are all new, nothing is looked up; should one be known after all, the batch is done again with care.
        """
        try:
            verdict = self._write(incoming, cursor, careful=False)
        except RepeatCarefullyError:
            verdict = self._write(incoming, cursor, careful=True)
        self._run.committed(verdict.ledger)
        self._expects_new = not verdict.known and bool(verdict.mapped)

    def _write(self, incoming: Sequence[Incoming], cursor: Cursor | None, *, careful: bool) -> Verdict:
        run, writer = self._run, self._writer
        blind = self._expects_new and not careful
        with nullcontext() if blind else run.database.read() as view:
            verdict = writer.judge.judge(view, incoming, run.id)
        with run.database.write() as transaction:
            if careful:
                transaction.take_care()
            if touches(verdict):
                writer.apply(transaction, verdict)
            run.commit(transaction, verdict.ledger, cursor)
        return verdict


def touches(verdict: Verdict) -> bool:
    """Whether a verdict has anything to write."""
    return bool(verdict.mapped or verdict.same or verdict.filtered or verdict.letters)


def batches(pages: Iterable[Page]) -> Iterator[Page]:
    """Join small pages, so that one transaction carries many records while there are more."""
    held: list[Page] = []
    began = time.monotonic()
    try:
        for page in pages:
            held.append(page)
            if is_full(held) or time.monotonic() - began > BATCH_SECONDS:
                yield joined(held)
                held, began = [], time.monotonic()
    except ConnectorError:
        # What was read before the error is good: keep it, so that the next run goes on from there.
        if held:
            yield joined(held)
        raise
    if held:
        yield joined(held)


def is_full(pages: Sequence[Page]) -> bool:
    """Whether pages make a batch."""
    count = sum(len(page.records) + len(page.rejected) for page in pages)
    return count >= BATCH or sum(len(record) for page in pages for record in page.records) >= BATCH_BYTES


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


__all__ = ["BATCH", "Batches", "Progress", "batches", "pull", "stream_of"]
