"""Lists that X serves newest first, read so that a crash half-way loses neither half.

A finished scan leaves `{"since_id": S}`: everything up to S was read. A page in the middle of one leaves
`{"since_id": S, "newest_id": N, "resume": {...}}`: everything from N down to where `resume` goes on was read, and the
older rest, down to S, was not. The next pull reads that rest first, and then what came after N.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

from connectors.x.api import XApi
from connectors.x.records import Join, join_direct_message, join_mention, read_batch
from connectors.x.session import RefusedError
from threadline.sdk import Cursor, Page

SNOWFLAKE_EPOCH = 1_288_834_974.657
"""Epoch seconds at which X's ids begin; an id holds its milliseconds since then above 22 lower bits."""
LAG = 60.0
"""Seconds for which a post with a lower id may still appear below one that is already shown: ids are ordered only roughly."""


@dataclass(frozen=True, slots=True)
class Feed:
    """One list: `resume_by` is the parameter that goes on below the records read, `bounded` says that it takes since_id."""

    path: str
    params: Mapping[str, str]
    join: Join
    resume_by: Literal["until_id", "pagination_token"]
    bounded: bool


FEEDS = {
    "mentions": Feed(
        path="/2/users/{own_id}/mentions",
        params={
            "expansions": "author_id",
            "tweet.fields": "author_id,conversation_id,created_at,entities,lang,note_tweet,public_metrics,referenced_tweets",
            "user.fields": "id,name,username,public_metrics",
        },
        join=join_mention,
        resume_by="until_id",
        bounded=True,
    ),
    # The 15 calls in 15 minutes that X allows here are 1,500 events: a scan that began at the top again would never
    # reach older ones, so it goes on by token, although X does not say how long one lives.
    "direct_messages": Feed(
        path="/2/dm_events",
        params={
            "event_types": "MessageCreate",
            "expansions": "sender_id,participant_ids",
            "dm_event.fields": "attachments,created_at,dm_conversation_id,entities,event_type,id,participant_ids,sender_id,text",
            "user.fields": "id,name,username",
        },
        join=join_direct_message,
        resume_by="pagination_token",
        bounded=False,
    ),
}


def read(api: XApi, feed: Feed, page_size: int, cursor: Cursor) -> Iterator[Page]:
    """Yield what the list holds after `cursor`, finishing a scan that was broken off first."""
    since = int(cursor.get("since_id", 0))
    if "newest_id" in cursor:
        newest = int(cursor["newest_id"])
        # A token that X has forgotten is refused: then everything since the last finished scan is read again.
        with suppress(RefusedError):
            yield from _Scan(api, feed, page_size, since, newest, cursor["resume"]).pages()
            since = newest
    yield from _Scan(api, feed, page_size, since, since, {}).pages()


class _Scan:
    """One way down a list, from the newest record (or from `resume`) to `since`."""

    def __init__(self, api: XApi, feed: Feed, page_size: int, since: int, newest: int, resume: Mapping[str, str]) -> None:
        self._api = api
        self._feed = feed
        self._since = since
        self._newest = newest
        self._lowest = int(resume.get("until_id", 0))
        self._resumed = bool(resume)
        self._params = {**feed.params, "max_results": str(page_size), **resume}
        if feed.bounded and since:
            self._params["since_id"] = str(since)

    def pages(self) -> Iterator[Page]:
        path = self._feed.path.format(own_id=self._api.own_id)
        while True:
            listing = self._api.page(path, self._params)
            batch = read_batch(listing.body, self._feed.join, self._api.own_id, self._since)
            self._note(batch.ids, listing.server_time)
            if batch.met_known or listing.next_token is None:
                break
            yield Page(batch.records, self._halfway(listing.next_token), batch.rejected)
            self._params["pagination_token"] = listing.next_token
        if batch.records or batch.rejected or self._resumed or self._newest > self._since:
            yield Page(batch.records, {"since_id": str(self._newest)} if self._newest else None, batch.rejected)

    def _note(self, ids: Sequence[int], server_time: float) -> None:
        if not ids:
            return
        self._lowest = min(ids) if not self._lowest else min(self._lowest, *ids)
        if not self._resumed:
            self._newest = max(self._newest, min(max(ids), _id_at(server_time - LAG)))

    def _halfway(self, token: str) -> Cursor | None:
        resume = {"pagination_token": token}
        if self._feed.resume_by == "until_id":
            if not self._lowest:
                return None
            resume = {"until_id": str(self._lowest)}
        done = {"since_id": str(self._since)} if self._since else {}
        return {**done, "newest_id": str(self._newest), "resume": resume}


def _id_at(epoch_seconds: float) -> int:
    return int((epoch_seconds - SNOWFLAKE_EPOCH) * 1000) << 22
