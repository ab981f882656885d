"""Lists that are served newest first, read so that a crash half-way loses neither half."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Literal, TypeAlias

import msgspec

from threadline.sdk.contract import Cursor, Page, Rejected
from threadline.sdk.cursors.kind import Kind
from threadline.sdk.cursors.saved import foreign_cursor, read_cursor, write_cursor
from threadline.sdk.errors import RetryableError


class ForgottenError(RetryableError):
    """The source no longer knows a position that it gave out."""


@dataclass(frozen=True, slots=True)
class Below:
    """What is asked for: records with ids above `since_id`, newest first, from the newest one that has an id below `until_id`.

    `pagination_token` is what the source gave out to go on; `until_id` 0 is no limit.
    """

    since_id: int
    until_id: int = 0
    pagination_token: str | None = None


@dataclass(frozen=True, slots=True)
class Listing:
    """One page of the list: what is on it above `since_id`, and the ids of that.

    `pagination_token` leads on downwards; it is None at the end, which a record that is not above `since_id` makes too.
    `settled` is the highest id below which none appears any more (None: ids appear in their order).
    """

    records: Sequence[bytes]
    ids: Sequence[int]
    pagination_token: str | None
    settled: int | None = None
    rejected: Sequence[Rejected] = ()


Fetch: TypeAlias = Callable[[Below], Listing]
_Id = str
"""Ids have up to 64 bits, more than a JSON number holds everywhere."""


class _Resume(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    until_id: _Id = "0"
    pagination_token: str | None = None


class _Saved(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """All up to `since_id` was read; with `resume` also all from `newest_id` down to there, and the rest between was not."""

    since_id: _Id = "0"
    newest_id: _Id | None = None
    resume: _Resume | None = None


class NewestFirst(Kind, frozen=True):
    """What has a higher id than any read before: every record that the list still holds is read once.

    A scan that breaks off is finished below its last page before the next one begins at the top; where the source has
    forgotten the place (`ForgottenError`), everything above the last finished scan is read again.
    Assumes that a record appears at most `lag` after the moment that its id stands for: so much is read again. A list that
    ends after so many records or days loses what nobody read by then. `resume` says what leads to the rest after a crash:
    an `until_id`, or the source's own `pagination_token`.
    """

    resume: Literal["until_id", "pagination_token"]
    lag: timedelta = timedelta(0)

    def __str__(self) -> str:
        return f"newest first, down to the last id{f' of {self.lag.total_seconds():g} s before' if self.lag else ''}"

    def scan(self, saved: Cursor | None, fetch: Fetch) -> Iterator[Page]:
        """Yield what the list holds above the saved cursor."""
        place = read_cursor(self, saved, _Saved)
        since = self._number(place.since_id)
        if place.newest_id is not None and place.resume is not None:
            newest = self._number(place.newest_id)
            start = Below(since, self._number(place.resume.until_id), place.resume.pagination_token)
            with suppress(ForgottenError):
                yield from _Descent(self, fetch, start, newest, resumed=True).pages()
                since = newest
        yield from _Descent(self, fetch, Below(since), since, resumed=False).pages()

    def _number(self, text: str) -> int:
        if not (text.isascii() and text.isdigit()):
            raise foreign_cursor(self)
        return int(text)


class _Descent:
    """One way down the list; `newest` is what will have been read up to, once it has come to its end."""

    def __init__(self, kind: NewestFirst, fetch: Fetch, start: Below, newest: int, *, resumed: bool) -> None:
        self._kind = kind
        self._fetch = fetch
        self._next = start
        self._newest = newest
        self._lowest = start.until_id
        self._resumed = resumed

    def pages(self) -> Iterator[Page]:
        listing = self._step()
        while listing.pagination_token is not None:
            yield Page(listing.records, self._halfway(listing.pagination_token), listing.rejected)
            self._next = replace(self._next, pagination_token=listing.pagination_token)
            listing = self._step()
        if listing.records or listing.rejected or self._resumed or self._newest > self._next.since_id:
            done = write_cursor(_Saved(str(self._newest))) if self._newest else None
            yield Page(listing.records, done, listing.rejected)

    def _step(self) -> Listing:
        listing = self._fetch(self._next)
        if listing.ids:
            self._lowest = min(*listing.ids, self._lowest or listing.ids[0])
            highest = max(listing.ids)
            settled = highest if listing.settled is None else min(highest, listing.settled)
            self._newest = max(self._newest, settled)
        return listing

    def _halfway(self, token: str) -> Cursor | None:
        if self._kind.resume == "pagination_token":
            resume = _Resume(pagination_token=token)
        elif self._lowest:
            resume = _Resume(until_id=str(self._lowest))
        else:
            return None
        return write_cursor(_Saved(str(self._next.since_id), str(self._newest), resume))
