"""Work that tests do in processes of their own, which they stop, hold and kill."""

from collections.abc import Iterator, Mapping
from multiprocessing.connection import Connection
from typing import Any

from tests.integration.lab import Lab
from threadline.sdk import Cursor, Page
from threadline.store.database import open_database
from threadline.sync import pull as pulling
from threadline.sync.policy import Policy
from threadline.sync.views import Ledger

PATIENT = Policy(breaker_percent=100)
Pages = Mapping[str, list[list[Any]]]


def pull_all(url: str, pages: Pages, batch: int, told: Connection) -> None:
    """Pull every stream in small batches and join threads; tell of each step, and at last "done"."""
    pulling.BATCH = batch
    with open_database(url, create=False) as database:
        lab = Lab(database)
        for stream, held in pages.items():
            lab.connector.add(stream, *held)
            pulling.pull(database, lab.connector, lab.judge(stream), progress=lambda ledger: told.send(ledger.read), policy=PATIENT)
            lab.resolve()
            told.send(stream)
    told.send("done")


def pull_in_step(url: str, stream: str, records: list[Any], line: Connection) -> None:
    """Pull one stream of one record a page, each when the test says so; tell how it ended."""
    pulling.BATCH = 1
    with open_database(url, create=False) as database:
        lab = Lab(database)
        lab.connector.add(stream, *([record] for record in records))
        offered = lab.connector.pull

        def held(name: str, since: Cursor | None) -> Iterator[Page]:
            for page in offered(name, since):
                line.send("waiting")
                line.recv()
                yield page

        lab.connector.pull = held  # type: ignore[method-assign]
        try:
            ended: Ledger | str = pulling.pull(database, lab.connector, lab.judge(stream))
        except Exception as error:
            ended = type(error).__name__
    line.send(ended)
