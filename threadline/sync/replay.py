"""Maps records again from the archive, without a call to their source."""

from collections.abc import Iterator

from threadline.model.collector import uncollected
from threadline.store.database import Database
from threadline.sync import archive
from threadline.sync.apply import Writer
from threadline.sync.batch import Incoming, Judge
from threadline.sync.lease import Run
from threadline.sync.policy import USUAL, Policy
from threadline.sync.pull import BATCH, Batches, Progress
from threadline.sync.views import Ledger


def replay(database: Database, judge: Judge, *, progress: Progress | None = None, policy: Policy = USUAL) -> Ledger:
    """Map every stored record of a stream that its mapping has changed for; return what became of them.

    Records are taken in the order in which they came, each in its newest version, so that nothing newer is overwritten.
    """
    run = Run(database, judge.source, judge.stream, "replay", policy.lease)
    with run.under_way(), uncollected():
        batches = Batches(run, Writer(judge, run.id, policy))
        batches.prepare()
        for incoming in stored_batches(database, judge):
            batches.write(incoming, None)
            if progress:
                progress(run.ledger)
    return run.ledger


def stored_batches(database: Database, judge: Judge) -> Iterator[list[Incoming]]:
    """Yield all of a stream's records from the archive, in batches."""
    with database.read() as view:
        pages = archive.pages(view, judge.source, judge.stream)
    held: list[Incoming] = []
    for page in pages:
        with database.read() as view:
            held += [judge.again(stored) for stored in archive.read(view, page)]
        if len(held) >= BATCH:
            yield held
            held = []
    if held:
        yield held


__all__ = ["replay", "stored_batches"]
