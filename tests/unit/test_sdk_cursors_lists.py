"""Lists that are served newest first, and lists that shift under the reader."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.cursors_lab import PROPERTY, READER, CrashError, Op, Pull, Schedule, run, some
from threadline.sdk import ConfigError, Cursor, NewestFirst, Offsets, Page, RetryableError
from threadline.sdk.cursors import Below, ForgottenError, Listing, Slice, Sliced

LATEST = 20
"""Ticks from the moment that an id stands for to when its post is shown, at most."""
REMEMBERED = 30
"""Ticks for which a token leads on."""


def record(identity: int) -> bytes:
    return json.dumps({"id": str(identity)}).encode()


# newest first

POSTS = st.tuples(
    st.integers(1, 3),
    st.lists(
        st.one_of(
            st.tuples(st.just("post"), st.integers(0, LATEST)),
            st.tuples(st.just("post"), st.just(0)),
            st.tuples(st.just("tick"), st.integers(1, LATEST)),
            *READER,
        ),
        min_size=15,
        max_size=60,
    ),
)


@dataclass
class Feed:
    """Posts by id, and from when each is shown. An id holds its moment above eight lower bits, as a snowflake does."""

    page: int
    now: int = 1
    posts: dict[int, int] = field(default_factory=dict)

    def apply(self, op: Op) -> None:
        match op:
            case ("tick", ticks):
                self.now += ticks
            case ("post", delay):
                self.posts[(self.now << 8) + len(self.posts) % 256] = self.now + delay

    def settle(self) -> None:
        self.now += 10 * LATEST

    def read(self, below: Below, *, lag: int | None) -> Listing:
        lowest = below.until_id
        if below.pagination_token:
            given_at, lowest = map(int, below.pagination_token.split(":"))
            if self.now > given_at + REMEMBERED:
                raise ForgottenError("the token is too old")
        shown = sorted((post for post, at in self.posts.items() if at <= self.now and post > below.since_id), reverse=True)
        rest = [post for post in shown if not lowest or post < lowest]
        found = rest[: self.page]
        token = f"{self.now}:{found[-1]}" if len(rest) > self.page else None
        return Listing([record(post) for post in found], found, token, None if lag is None else max(0, self.now - lag) << 8)


Reading = Callable[[Feed, Schedule], Pull]


def by(kind: NewestFirst, lag: int | None = LATEST) -> Reading:
    def reading(feed: Feed, schedule: Schedule) -> Pull:
        def fetch(below: Below) -> Listing:
            schedule.turn()
            return feed.read(below, lag=lag)

        return lambda saved: kind.scan(saved, fetch)

    return reading


def newest_at_once(feed: Feed, schedule: Schedule) -> Pull:
    """Save the newest id with the first page."""

    def pull(saved: Cursor | None) -> Iterator[Page]:
        below, since = Below(saved["since"] if saved else 0), 0
        while True:
            schedule.turn()
            listing = feed.read(below, lag=LATEST)
            since = since or min(max(listing.ids, default=0), listing.settled or 0)
            yield Page(listing.records, {"since": max(since, below.since_id)})
            if listing.pagination_token is None:
                return
            below = replace(below, pagination_token=listing.pagination_token)

    return pull


def misses(reading: Reading, schedule: tuple[int, list[Op]]) -> bool:
    page, ops = schedule
    feed = Feed(page)
    happening = Schedule(ops, feed.apply)
    return run(happening, reading(feed, happening), feed.settle).stored.keys() != {str(post) for post in feed.posts}


@pytest.mark.parametrize("resume", ["until_id", "pagination_token"])
@PROPERTY
@given(schedule=POSTS)
def test_newest_first_reads_every_record_whatever_breaks_off(resume: Any, schedule: Any) -> None:
    assert not misses(by(NewestFirst(resume, timedelta(minutes=1))), schedule)


@pytest.mark.parametrize("reading", [newest_at_once, by(NewestFirst("until_id"), lag=None)], ids=["newest at once", "no lag"])
def test_newest_first_with_less_misses_records(reading: Reading) -> None:
    assert some(POSTS, lambda schedule: misses(reading, schedule))


def listings(*answers: Listing | Exception) -> tuple[list[Below], Callable[[Below], Listing]]:
    asked: list[Below] = []
    left = iter(answers)

    def fetch(below: Below) -> Listing:
        asked.append(below)
        answer = next(left)
        if isinstance(answer, Exception):
            raise answer
        return answer

    return asked, fetch


def test_both_halves_of_a_scan_that_was_broken_off_are_asked_for_in_order() -> None:
    saved = {"since_id": "5", "newest_id": "90", "resume": {"until_id": "40"}}
    asked, fetch = listings(Listing([b"{}"], [39], "t"), Listing([b"{}"], [7], None), Listing([b"{}"], [95], None))
    pages = list(NewestFirst("until_id").scan(saved, fetch))
    assert asked == [Below(5, 40), Below(5, 40, "t"), Below(90)]
    assert [page.cursor for page in pages] == [
        {"since_id": "5", "newest_id": "90", "resume": {"until_id": "39"}},
        {"since_id": "90"},
        {"since_id": "95"},
    ]


def test_a_forgotten_place_reads_all_above_the_last_finished_scan() -> None:
    saved = {"since_id": "5", "newest_id": "90", "resume": {"pagination_token": "old"}}
    asked, fetch = listings(ForgottenError("gone"), Listing([b"{}"], [91], None))
    (page,) = NewestFirst("pagination_token").scan(saved, fetch)
    assert (asked, page.cursor) == ([Below(5, 0, "old"), Below(5)], {"since_id": "91"})


def test_nothing_new_is_no_page_and_an_empty_page_that_goes_on_saves_no_place_without_ids() -> None:
    assert list(NewestFirst("until_id").scan({"since_id": "5"}, listings(Listing([], [], None))[1])) == []
    pages = list(NewestFirst("until_id").scan(None, listings(Listing([], [], "t"), Listing([b"{}"], [7], None))[1]))
    assert [page.cursor for page in pages] == [None, {"since_id": "7"}]


@pytest.mark.parametrize(
    "saved", [{"since_id": 5}, {"since_id": "-5"}, {"since_id": "²"}, {"seq": 1}, {"newest_id": "x", "resume": {"until_id": "1"}}]
)
def test_ids_that_are_none_are_refused(saved: Cursor) -> None:
    with pytest.raises(ConfigError, match="the saved cursor is not one of a stream that is read newest first"):
        list(NewestFirst("until_id").scan(saved, listings()[1]))


# offsets


@dataclass
class Shelf:
    """Rows in an order that stays, while others come and go between them; `throughout` are those that were there since `watch`."""

    rows: list[int]
    throughout: set[int] = field(default_factory=set)
    made: int = 10_000

    def apply(self, op: Op) -> None:
        kind, place, number = op
        for _ in range(number):
            at = place % (len(self.rows) + 1)
            if kind == "insert":
                self.made += 1
                self.rows.insert(at, self.made)
            elif self.rows[at : at + 1]:
                self.throughout.discard(self.rows.pop(at))

    def watch(self) -> None:
        self.throughout = set(self.rows)

    def read(self, asked: Slice) -> Sliced:
        found = self.rows[asked.offset : asked.offset + asked.size]
        return Sliced([record(row) for row in found], found, asked.offset + asked.size < len(self.rows))


def shifting(sizes: st.SearchStrategy[int], rows: int, most: int) -> st.SearchStrategy[Any]:
    places = st.sampled_from([0, 1, 2, *range(0, rows, 7)])
    happening = st.tuples(st.sampled_from(["insert", "delete"]), places, st.integers(1, most))
    return st.tuples(sizes, st.integers(0, rows), st.lists(st.one_of(happening, happening, *READER), min_size=8, max_size=40))


SHIFTS = shifting(st.integers(2, 5), 30, 6)
NUMBERED = shifting(st.integers(25, 40), 140, 45)


def by_offset(kind: Offsets) -> Callable[[Callable[[Slice], Sliced]], Pull]:
    return lambda fetch: lambda saved: kind.scan(saved, fetch)


def without_overlap(size: int) -> Callable[[Callable[[Slice], Sliced]], Pull]:
    def pull(fetch: Callable[[Slice], Sliced], saved: Cursor | None) -> Iterator[Page]:
        offset, more = saved["offset"] if saved else 0, True
        while more:
            found = fetch(Slice(offset, size))
            offset, more = offset + size, found.more
            yield Page(found.records, {"offset": offset} if more else {})

    return lambda fetch: lambda saved: pull(fetch, saved)


def overlooks(pull_by: Callable[[Callable[[Slice], Sliced]], Pull], rows: int, ops: Sequence[Op]) -> bool:
    """Whether a scan, which may crash and go on, ends without a row that was there from its first read to its last."""
    shelf = Shelf(list(range(rows)))
    schedule = Schedule(ops, shelf.apply)
    stored: set[str] = set()
    cursor: Cursor | None = None

    def fetch(asked: Slice) -> Sliced:
        schedule.turn()
        return shelf.read(asked)

    shelf.watch()
    while cursor != {}:
        try:
            for page in pull_by(fetch)(cursor):
                stored |= {json.loads(raw)["id"] for raw in page.records}
                cursor = json.loads(json.dumps(page.cursor))
                if cursor == {}:
                    break
                schedule.turn()
        except (CrashError, RetryableError):
            continue
    return not {str(row) for row in shelf.throughout} <= stored


@PROPERTY
@given(SHIFTS)
def test_offsets_overlook_no_row_that_is_there_throughout(schedule: Any) -> None:
    size, rows, ops = schedule
    assert not overlooks(by_offset(Offsets(size)), rows, ops)


@PROPERTY
@given(NUMBERED)
def test_page_numbers_overlook_no_row_either(schedule: Any) -> None:
    size, rows, ops = schedule
    asked: list[Slice] = []

    def pull_by(fetch: Callable[[Slice], Sliced]) -> Pull:
        def noted(wanted: Slice) -> Sliced:
            asked.append(wanted)
            return fetch(wanted)

        return lambda saved: Offsets(size, numbered=True).scan(saved, noted)

    assert not overlooks(pull_by, rows, ops)
    assert all(wanted.offset % wanted.size == 0 and 0 < wanted.size <= size for wanted in asked)


def test_offsets_without_overlap_overlook_rows() -> None:
    assert some(SHIFTS, lambda schedule: overlooks(without_overlap(schedule[0]), *schedule[1:]))


@PROPERTY
@given(SHIFTS)
def test_a_list_at_rest_is_read_whole_after_any_crash(schedule: Any) -> None:
    size, rows, ops = schedule
    shelf = Shelf(list(range(rows)))
    happening = Schedule(ops, shelf.apply)

    def fetch(asked: Slice) -> Sliced:
        happening.turn()
        return shelf.read(asked)

    reader = run(happening, lambda saved: Offsets(size).scan(saved, fetch), lambda: None)
    assert {str(row) for row in shelf.rows} <= reader.stored.keys()
    assert reader.cursor == {}


@pytest.mark.parametrize(("numbered", "most"), [(False, 12), (True, 16)])
def test_a_list_at_rest_costs_few_more_reads_than_its_pages(numbered: bool, most: int) -> None:
    shelf, asked = Shelf(list(range(1_000))), 0
    for page in Offsets(100, numbered=numbered).scan(None, shelf.read):
        asked += bool(page.records)
    assert 10 < asked <= most


def test_a_source_that_ignores_offsets_is_an_error_and_no_endless_loop() -> None:
    same = Sliced([record(1), record(2)], [1, 2], more=True)
    with pytest.raises(RetryableError, match="another offset does not lead to them"):
        list(Offsets(2).scan(None, lambda _: same))
    with pytest.raises(RetryableError, match="another offset"):
        list(Offsets(2).scan(None, lambda _: Sliced([], [], more=True)))


def test_a_page_that_comes_twice_is_not_the_last_one() -> None:
    shelf, answers = Shelf(list(range(7))), iter([0, 2, 2])

    def fetch(asked: Slice) -> Sliced:
        # The third answer is the second one, and a cache has it that nothing follows.
        found = shelf.read(Slice(next(answers, asked.offset), asked.size))
        return found if found.ids != [2, 3, 4] or asked.offset == 2 else Sliced(found.records, found.ids, more=False)

    assert {row for page in Offsets(3).scan(None, fetch) for row in page.records} == set(shelf.read(Slice(0, 7)).records)


def test_pages_too_small_to_overlap_are_refused() -> None:
    with pytest.raises(ValueError, match="take 2 or more"):
        Offsets(1)
    with pytest.raises(ValueError, match="take 25 or more"):
        Offsets(24, numbered=True)
    with pytest.raises(ConfigError, match="in overlapping pages: rewind the stream"):
        list(Offsets().scan({"row": "1"}, Shelf([1]).read))
