"""Lists that X serves newest first."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta

from connectors.x.api import XApi
from connectors.x.records import Join, join_direct_message, join_mention, read_batch
from connectors.x.session import RefusedError
from threadline.sdk import Cursor, NewestFirst, Page
from threadline.sdk.cursors import Below, ForgottenError, Listing

SNOWFLAKE_EPOCH = 1_288_834_974.657
"""Epoch seconds at which X's ids begin; an id holds its milliseconds since then above 22 lower bits."""
LAG = timedelta(minutes=1)
"""For so long a post with a lower id may still appear below one that is already shown: ids are ordered only roughly."""


@dataclass(frozen=True, slots=True)
class Feed:
    """One list; `bounded` says that it takes since_id."""

    path: str
    params: Mapping[str, str]
    join: Join
    cursor: NewestFirst
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
        cursor=NewestFirst("until_id", LAG),
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
        cursor=NewestFirst("pagination_token", LAG),
        bounded=False,
    ),
}


def read(api: XApi, feed: Feed, page_size: int, cursor: Cursor | None) -> Iterator[Page]:
    """Yield what the list holds after `cursor`."""
    return feed.cursor.scan(cursor, lambda below: _listing(api, feed, page_size, below))


def _listing(api: XApi, feed: Feed, page_size: int, below: Below) -> Listing:
    params = {**feed.params, "max_results": str(page_size)}
    if feed.bounded and below.since_id:
        params["since_id"] = str(below.since_id)
    if below.until_id:
        params["until_id"] = str(below.until_id)
    if below.pagination_token:
        params["pagination_token"] = below.pagination_token
    try:
        answer = api.page(feed.path.format(own_id=api.own_id), params)
    except RefusedError as error:
        if below.until_id or below.pagination_token:
            raise ForgottenError(str(error)) from None
        raise
    batch = read_batch(answer.body, feed.join, api.own_id, below.since_id)
    token = None if batch.met_known else answer.next_token
    return Listing(batch.records, batch.ids, token, _id_at(answer.server_time - LAG.total_seconds()), batch.rejected)


def _id_at(epoch_seconds: float) -> int:
    return int((epoch_seconds - SNOWFLAKE_EPOCH) * 1000) << 22
