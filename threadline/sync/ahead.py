"""Reads the next pages of a source while the last ones are mapped and stored."""

from collections.abc import Callable, Iterable, Iterator
from queue import Empty, SimpleQueue
from threading import Event, Semaphore, Thread

from threadline.sdk.contract import Page

_GRACE = 2.0
"""Seconds in which a reader that is no longer needed may finish; then it is left to end with the process."""


def read_ahead(pages: Iterable[Page], depth: int, *, waiting: Callable[[], None], patience: float) -> Iterator[Page]:
    """Yield the pages, of which up to `depth` are held ready; `waiting` is called after each `patience` seconds without one.

    The source is read in a thread of its own; its errors are raised here, behind the pages that came before them.
    """
    if not depth:
        yield from pages
        return
    ready: SimpleQueue[Page | BaseException | None] = SimpleQueue()
    room, needed = Semaphore(depth), Event()
    needed.set()
    reader = Thread(target=_read, args=(iter(pages), ready, room, needed), name="read ahead", daemon=True)
    reader.start()
    try:
        while (page := _next(ready, waiting, patience)) is not None:
            room.release()
            yield page
    finally:
        needed.clear()
        room.release()
        reader.join(_GRACE)


def _next(ready: "SimpleQueue[Page | BaseException | None]", waiting: Callable[[], None], patience: float) -> Page | None:
    while True:
        try:
            page = ready.get(timeout=patience)
        except Empty:
            waiting()
            continue
        if isinstance(page, BaseException):
            raise page
        return page


def _read(pages: Iterator[Page], ready: "SimpleQueue[Page | BaseException | None]", room: Semaphore, needed: Event) -> None:
    try:
        while room.acquire() and needed.is_set():
            page = next(pages, None)
            ready.put(page)
            if page is None:
                return
    except BaseException as error:
        ready.put(error)
    finally:
        if close := getattr(pages, "close", None):
            close()
