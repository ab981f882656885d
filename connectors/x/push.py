"""Public replies. X has neither idempotency keys nor external ids, so a repeated one is looked for in our own timeline."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from connectors.x.api import XApi
from connectors.x.session import RefusedError
from connectors.x.text import LIMIT, same_text, shorten, weight
from threadline.sdk import JSON, Intent, Receipt, RecordError

REFERENCE_LENGTH = 8


@dataclass(frozen=True, slots=True)
class Reply:
    """A post as it will stand on X, and the post that it answers."""

    text: str
    in_reply_to_tweet_id: str


def compose(payload: Mapping[str, JSON]) -> Reply:
    """Read the payload of a `reply`: `text`, `in_reply_to_tweet_id`, and a `reference` whose end is appended to the text.

    The reference makes the text unique, as X demands, and is how the reply is found again; so it is the text that is
    shortened, never the reference. RecordError when a field is missing or cannot be posted.
    """
    text = str(payload.get("text") or "").strip()
    if not text:
        raise RecordError("a reply needs a text", path="$.text")
    answered = str(payload.get("in_reply_to_tweet_id") or "")
    if not re.fullmatch("[0-9]{1,19}", answered):
        raise RecordError("the post to reply to must be the id of a post on X, up to 19 digits", path="$.in_reply_to_tweet_id")
    reference = str(payload.get("reference") or "")[-REFERENCE_LENGTH:]
    mark = f" (ref {reference})" if reference else ""
    return Reply(shorten(text, LIMIT - weight(mark)) + mark, answered)


def push_reply(api: XApi, intent: Intent) -> Receipt:
    """Post one reply, unless an earlier attempt did.

    RetryableError when X is limited or out of reach: so are the replies after this one, and they are not tried.
    """
    try:
        reply = compose(intent.payload)
    except RecordError as error:
        return Receipt(intent.id, "dead", reason=f"{error.path}: {error}")
    try:
        return Receipt(intent.id, "done", _post_once(api, reply, intent.attempt))
    except RefusedError as refused:
        return Receipt(intent.id, "dead", reason=str(refused))


def _post_once(api: XApi, reply: Reply, attempt: int) -> str:
    earlier = find_reply(api, reply) if attempt > 1 else None
    if earlier:
        return earlier
    try:
        return api.create_reply(reply.text, reply.in_reply_to_tweet_id)
    except RefusedError as refused:
        # A timeline may show a post late: X then refuses the second copy, and by now the first can be found.
        earlier = find_reply(api, reply) if refused.duplicate else None
        if not earlier:
            raise
        return earlier


def find_reply(api: XApi, reply: Reply) -> str | None:
    """Return the id of our reply with this text to this post, if it is there; it must be younger than what it answers."""
    params = {
        "since_id": reply.in_reply_to_tweet_id,
        "max_results": "100",
        "exclude": "retweets",
        "tweet.fields": "referenced_tweets",
    }
    token: str | None = ""
    while token is not None:
        listing = api.page(f"/2/users/{api.own_id}/tweets", params)
        for post in listing.body.get("data") or ():
            if _answers(post, reply.in_reply_to_tweet_id) and same_text(post.get("text", ""), reply.text):
                return str(post["id"])
        token = listing.next_token
        params["pagination_token"] = token or ""
    return None


def _answers(post: Mapping[str, JSON], answered: str) -> bool:
    references = post.get("referenced_tweets") or post.get("referenced_posts") or ()
    return any(reference.get("type") == "replied_to" and reference.get("id") == answered for reference in references)
