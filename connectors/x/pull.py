"""Lists that X serves newest first."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from connectors.x.api import XApi
from connectors.x.ids import id_at
from connectors.x.posts import Posts
from connectors.x.records import Join, join_direct_message, join_post, read_batch
from connectors.x.session import RefusedError
from connectors.x.settings import XSettings
from threadline.sdk import Cursor, NewestFirst, Page
from threadline.sdk.cursors import Below, ForgottenError, Listing

LAG = timedelta(minutes=1)
"""For so long a post with a lower id may still appear below one that is already shown: ids are ordered only roughly."""
SEARCHED = timedelta(days=7) - timedelta(minutes=1)
"""X searches the posts of 7 days, and refuses an id that is older by its own clock."""
POSTS = {
    "expansions": "attachments.media_keys,author_id,in_reply_to_user_id",
    "tweet.fields": (
        "attachments,author_id,conversation_id,created_at,entities,in_reply_to_user_id,lang,note_tweet,public_metrics,referenced_tweets"
    ),
    "user.fields": "id,name,username,public_metrics",
    "media.fields": "alt_text,media_key,preview_image_url,type,url",
}
MESSAGES = {
    "event_types": "MessageCreate",
    "expansions": "attachments.media_keys,sender_id,participant_ids",
    "dm_event.fields": "attachments,created_at,dm_conversation_id,entities,event_type,id,participant_ids,sender_id,text",
    "user.fields": "id,name,username",
    "media.fields": "alt_text,media_key,preview_image_url,type,url",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """One list.

    `bounded`: it takes since_id. `counted`: what it shows counts against the posts of a month. `least`: the fewest records
    of a page. `searched`: it takes a query, and ids that are not too old.
    """

    path: str
    params: Mapping[str, str]
    join: Join = join_post
    cursor: NewestFirst = field(default_factory=lambda: NewestFirst("until_id", LAG))
    bounded: bool = True
    counted: bool = True
    least: int = 5
    searched: bool = False


FEEDS = {
    "mentions": Feed(path="/2/users/{own_id}/mentions", params=POSTS),
    "timeline": Feed(path="/2/users/{own_id}/tweets", params=POSTS | {"exclude": "retweets"}),
    "search": Feed(path="/2/tweets/search/recent", params=POSTS, least=10, searched=True),
    # The 15 calls in 15 minutes that X allows here are 1,500 events: a scan that began at the top again would never
    # reach older ones, so it goes on by token, although X does not say how long one lives.
    "direct_messages": Feed(
        path="/2/dm_events",
        params=MESSAGES,
        join=join_direct_message,
        cursor=NewestFirst("pagination_token", LAG),
        bounded=False,
        counted=False,
        least=1,
    ),
}


class Reader:
    """Reads the lists as the settings have it."""

    def __init__(self, api: XApi, settings: XSettings, posts: Posts) -> None:
        self._api = api
        self._settings = settings
        self._posts = posts

    def read(self, stream: str, cursor: Cursor | None) -> Iterator[Page]:
        """Yield what a list holds after `cursor`."""
        feed = FEEDS[stream]
        return feed.cursor.scan(cursor, lambda below: self._listing(feed, below))

    def _listing(self, feed: Feed, below: Below) -> Listing:
        wanted = max(feed.least, self._settings.page_size)
        most = self._posts.take(wanted, feed.least) if feed.counted else wanted
        shown = 0
        try:
            answer = self._api.page(feed.path.format(own_id=self._api.account.id), self._params(feed, below, most))
            shown = len(answer.body.get("data") or ())
        except RefusedError as error:
            if below.until_id or below.pagination_token:
                raise ForgottenError(str(error)) from None
            raise
        finally:
            if feed.counted:
                self._posts.give_back(most - shown)
        batch = read_batch(answer.body, feed.join, self._api.account.id, below.since_id)
        token = None if batch.met_known else answer.next_token
        return Listing(batch.records, batch.ids, token, id_at(answer.server_time - LAG.total_seconds()), batch.rejected)

    def _params(self, feed: Feed, below: Below, most: int) -> Mapping[str, str]:
        params = {**feed.params, "max_results": str(most)}
        since_id = below.since_id
        if feed.searched:
            params["query"] = self._query()
            since_id = since_id and max(since_id, id_at(time.time() - SEARCHED.total_seconds()))
        if feed.bounded and since_id:
            params["since_id"] = str(since_id)
        if below.until_id:
            params["until_id"] = str(below.until_id)
        if below.pagination_token:
            params["pagination_token"] = below.pagination_token
        return params

    def _query(self) -> str:
        """Return the query without what other streams hold: X counts every post that it shows."""
        username = self._api.account.username
        return f"({self._settings.search}) -@{username} -from:{username}"
