"""Public replies and direct messages. X has neither idempotency keys nor external ids, so a repeated one is looked for first."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol, Self

from connectors.x.api import XApi
from connectors.x.session import RefusedError
from connectors.x.text import LIMIT, MESSAGE_LIMIT, same_text, shorten, weight
from threadline.sdk import JSON, Intent, Receipt, RecordError

REFERENCE_LENGTH = 8


class Said(Protocol):
    """Something to write as it will stand on X."""

    @classmethod
    def compose(cls, payload: Mapping[str, JSON]) -> Self:
        """Read a payload; RecordError when a field is missing or cannot be written."""
        ...

    def write(self, api: XApi) -> str:
        """Write it, once; return its id."""
        ...

    def find(self, api: XApi) -> str | None:
        """Return the id that an earlier attempt gave it, if one did."""
        ...


@dataclass(frozen=True, slots=True)
class Reply:
    """A public post in reply to another."""

    text: str
    in_reply_to_tweet_id: str

    @classmethod
    def compose(cls, payload: Mapping[str, JSON]) -> Self:
        """Read `text`, `in_reply_to_tweet_id`, and a `reference`, which makes the text unique, as X demands."""
        answered = str(payload.get("in_reply_to_tweet_id") or "")
        text = _marked(payload, LIMIT, weight)
        if not re.fullmatch("[0-9]{1,19}", answered):
            raise RecordError("the post to reply to must be the id of a post on X, up to 19 digits", path="$.in_reply_to_tweet_id")
        return cls(text, answered)

    def write(self, api: XApi) -> str:
        """See `Said`."""
        return api.create_reply(self.text, self.in_reply_to_tweet_id)

    def find(self, api: XApi) -> str | None:
        """Look for a reply with this text to this post in our own timeline; it must be younger than what it answers."""
        params = {"since_id": self.in_reply_to_tweet_id, "max_results": "100", "exclude": "retweets", "tweet.fields": "referenced_tweets"}
        for post in _records(api, f"/2/users/{api.account.id}/tweets", params):
            if self._answers(post) and same_text(post.get("text", ""), self.text):
                return str(post["id"])
        return None

    def _answers(self, post: Mapping[str, JSON]) -> bool:
        references = post.get("referenced_tweets") or post.get("referenced_posts") or ()
        return any(one.get("type") == "replied_to" and one.get("id") == self.in_reply_to_tweet_id for one in references)


@dataclass(frozen=True, slots=True)
class DirectMessage:
    """A direct message in a conversation of two."""

    text: str
    dm_conversation_id: str

    @classmethod
    def compose(cls, payload: Mapping[str, JSON]) -> Self:
        """Read `text`, `dm_conversation_id`, and the `reference` by which alone two messages of the same words are told apart."""
        conversation = str(payload.get("dm_conversation_id") or "")
        text = _marked(payload, MESSAGE_LIMIT, len)
        if not payload.get("reference"):
            raise RecordError("a direct message needs a reference: by that alone a repeated one is found", path="$.reference")
        if not re.fullmatch("[0-9]{1,19}-[0-9]{1,19}", conversation):
            raise RecordError(
                "the conversation must be one of two, such as 17-42: who reads those of a group, X does not say",
                path="$.dm_conversation_id",
            )
        return cls(text, conversation)

    def write(self, api: XApi) -> str:
        """See `Said`."""
        return api.create_direct_message(self.text, self.dm_conversation_id)

    def find(self, api: XApi) -> str | None:
        """Look for a message of ours with this text in the conversation."""
        params = {"max_results": "100", "event_types": "MessageCreate", "dm_event.fields": "id,sender_id,text"}
        for event in _records(api, f"/2/dm_conversations/{self.dm_conversation_id}/dm_events", params):
            if event.get("sender_id") == api.account.id and same_text(event.get("text", ""), self.text):
                return str(event["id"])
        return None


OBJECTS: Mapping[str, type[Said]] = {"reply": Reply, "direct_message": DirectMessage}


def push_one(api: XApi, kind: type[Said], intent: Intent) -> Receipt:
    """Write what an intent says, unless an earlier attempt did.

    RetryableError when X is limited or out of reach: so is what comes after, and it is not tried.
    """
    try:
        return Receipt(intent.id, "done", _write_once(api, kind.compose(intent.payload), intent.attempt))
    except RecordError as error:
        return Receipt(intent.id, "dead", reason=f"{error.path}: {error}")
    except RefusedError as refused:
        return Receipt(intent.id, "dead", reason=str(refused))


def _write_once(api: XApi, said: Said, attempt: int) -> str:
    earlier = said.find(api) if attempt > 1 else None
    if earlier:
        return earlier
    try:
        return said.write(api)
    except RefusedError as refused:
        # A timeline may show a post late: X then refuses the second copy, and by now the first can be found.
        earlier = said.find(api) if refused.duplicate else None
        if not earlier:
            raise
        return earlier


def _marked(payload: Mapping[str, JSON], limit: int, weigh: Callable[[str], int]) -> str:
    """Return the text with the end of its reference: it is the text that is shortened, never the reference, by which it is found."""
    text = str(payload.get("text") or "").strip()
    if not text:
        raise RecordError("there must be a text", path="$.text")
    reference = str(payload.get("reference") or "")[-REFERENCE_LENGTH:]
    mark = f" (ref {reference})" if reference else ""
    return shorten(text, limit - weigh(mark), weigh) + mark


def _records(api: XApi, path: str, params: Mapping[str, str]) -> Iterator[Mapping[str, JSON]]:
    token: str | None = ""
    while token is not None:
        listing = api.page(path, {**params, "pagination_token": token} if token else params)
        yield from listing.body.get("data") or ()
        token = listing.next_token
