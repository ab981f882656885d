"""Work that tests do in processes of their own, which they stop, hold and kill."""

import multiprocessing
import os
import signal
from collections.abc import Iterator, Mapping
from datetime import timedelta
from multiprocessing.connection import Connection
from typing import Any, Self

from tests.integration.lab import Lab
from threadline.sdk import Cursor, Page
from threadline.store.database import open_database
from threadline.sync import pull as pulling
from threadline.sync.policy import USUAL, Policy

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


def pull_in_step(url: str, records: list[Any], lease: float, ahead: int, line: Connection) -> None:
    """Pull people one by one, each when the test says so; tell how it ended."""
    pulling.BATCH = 1
    with open_database(url, create=False) as database:
        lab = Lab(database, policy=Policy(lease=timedelta(seconds=lease), ahead=ahead))
        lab.connector.add("people", *([record] for record in records))
        offered = lab.connector.pull

        def held(name: str, since: Cursor | None) -> Iterator[Page]:
            for page in offered(name, since):
                line.send("waiting")
                line.recv()
                yield page

        lab.connector.pull = held  # type: ignore[method-assign]
        try:
            ended = repr(lab.pull("people"))
        except Exception as error:
            ended = type(error).__name__
    line.send(ended)


class Puller:
    """A pull of people in a process of its own, one record at a time."""

    def __init__(self, url: str, records: list[Any], lease: float = USUAL.lease.total_seconds(), ahead: int = 0) -> None:
        self.line, theirs = multiprocessing.Pipe()
        self.process = multiprocessing.get_context("forkserver").Process(target=pull_in_step, args=(url, records, lease, ahead, theirs))
        self.process.start()
        theirs.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.process.kill()
        self.process.join()
        self.process.close()
        self.line.close()

    def step(self) -> None:
        """Let it go on once it is about to read a record."""
        assert self.line.recv() == "waiting"
        self.line.send("go on")

    def go_on(self) -> None:
        """Let it store one more record, and wait until it is about to read the next."""
        if not getattr(self, "began", False):
            self.began = True
            assert self.line.recv() == "waiting"
        self.line.send("go on")
        assert self.line.recv() == "waiting"

    def signal(self, number: signal.Signals) -> None:
        assert self.process.pid
        os.kill(self.process.pid, number)
