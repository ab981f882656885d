"""Pages are read ahead of their use, no further than wanted, and nothing of them is lost or left running."""

import threading
from collections.abc import Iterator

import pytest

from threadline.sdk import Page, RetryableError
from threadline.sync.ahead import read_ahead

ALL = [Page([b"%d" % number], {"page": number}) for number in range(20)]


class Source:
    """Gives pages and knows how many were asked for, and whether it was closed."""

    def __init__(self, *, broken_after: int = len(ALL)) -> None:
        self.read = 0
        self.closed = False
        self.asked = threading.Condition()
        self._broken_after = broken_after

    def __iter__(self) -> Iterator[Page]:
        try:
            for page in ALL:
                with self.asked:
                    self.read += 1
                    self.asked.notify_all()
                if self.read > self._broken_after:
                    raise RetryableError("the connection was reset")
                yield page
        finally:
            self.closed = True

    def wait_until_read(self, count: int) -> bool:
        with self.asked:
            return self.asked.wait_for(lambda: self.read >= count, timeout=10)


def ahead(source: Source, depth: int) -> Iterator[Page]:
    return read_ahead(iter(source), depth, waiting=lambda: None, patience=10)


@pytest.mark.parametrize("depth", [0, 1, 2, 50])
def test_every_page_comes_once_and_in_order(depth: int) -> None:
    source = Source()
    assert list(ahead(source, depth)) == ALL
    assert source.closed


@pytest.mark.parametrize("depth", [1, 3])
def test_the_next_pages_are_read_while_one_is_in_use_and_no_more(depth: int) -> None:
    source = Source()
    pages = ahead(source, depth)
    for used in range(1, 6):
        next(pages)
        assert source.wait_until_read(used + depth)
        assert source.read <= used + depth + 1
    pages.close()  # type: ignore[attr-defined]


@pytest.mark.parametrize("depth", [0, 1, 2, 50])
def test_an_error_comes_behind_the_pages_before_it(depth: int) -> None:
    source = Source(broken_after=7)
    pages = ahead(source, depth)
    assert [next(pages) for _ in range(7)] == ALL[:7]
    with pytest.raises(RetryableError, match="reset"):
        next(pages)
    assert source.closed


def test_whoever_stops_early_leaves_no_reader_behind() -> None:
    source = Source()
    before = threading.active_count()
    pages = ahead(source, 2)
    next(pages)
    assert source.wait_until_read(3)
    pages.close()  # type: ignore[attr-defined]
    assert source.closed
    assert threading.active_count() == before
    assert source.read < len(ALL)


def test_a_slow_source_gives_whoever_waits_something_to_do() -> None:
    patient = threading.Event()

    def slow() -> Iterator[Page]:
        yield ALL[0]
        patient.wait(10)
        yield ALL[1]

    # The second page comes only once it was waited for.
    assert list(read_ahead(slow(), 2, waiting=patient.set, patience=0.01)) == ALL[:2]
