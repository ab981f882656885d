"""Posts, direct messages and users with the fields that X gives them."""

import hashlib
import html
import re
from collections.abc import Callable
from datetime import UTC, datetime

from connectors.x.ids import SNOWFLAKE_EPOCH
from threadline.testing.sandbox import Document
from threadline.testing.story import Person

FIRST_POST = datetime(2023, 1, 1, tzinfo=UTC)
"""The moment that the id of post 0 says."""
FIRST_USER_ID = 1_500_000_000_000_000_000
OWN_USER: Document = {
    "id": str(FIRST_USER_ID),
    "username": "threadline_care",
    "name": "Threadline Care",
    "created_at": "2019-03-01T09:00:00.000Z",
    "protected": False,
    "verified": True,
    "public_metrics": {"followers_count": 48211, "following_count": 12, "tweet_count": 9120, "listed_count": 77},
}


def post_position(number: int) -> int:
    """Return the id of the story's post of that number; ids between two of them are left for what comes through the API."""
    return position_at(FIRST_POST.timestamp()) + (number << 22)


def position_at(epoch_seconds: float) -> int:
    """Return the least id of a moment."""
    return round((epoch_seconds - SNOWFLAKE_EPOCH) * 1000) << 22


def user(person: Person, at: datetime, *, knows_name: bool) -> Document:
    """A profile; X knows a handle always, and a name where the person gave one."""
    return {
        "id": str(FIRST_USER_ID + 1 + person.number),
        "username": person.handle,
        "name": person.name if knows_name else person.handle,
        "created_at": _time(at),
        "protected": False,
        "verified": False,
        "public_metrics": {"followers_count": 31 * (person.number + 1) % 977, "following_count": 80, "tweet_count": 5, "listed_count": 0},
    }


def post(position: int, author: Document, text: str, at: datetime, answered: Document | None) -> Document:
    """A public post, on its own or in reply to another."""
    text, entities = _with_short_links(text)
    record: Document = {
        "id": str(position),
        "edit_history_tweet_ids": [str(position)],
        "text": html.escape(text, quote=False),
        "author_id": author["id"],
        "conversation_id": str(position),
        "created_at": _time(at),
        "lang": "en",
        "public_metrics": {
            "retweet_count": 0,
            "reply_count": 0,
            "like_count": 0,
            "quote_count": 0,
            "bookmark_count": 0,
            "impression_count": 4,
        },
        "reply_settings": "everyone",
    }
    if entities:
        record["entities"] = entities
    if answered:
        record["conversation_id"] = answered["conversation_id"]
        record["in_reply_to_user_id"] = answered["author_id"]
        record["referenced_tweets"] = [{"type": "replied_to", "id": answered["id"]}]
    return record


def direct_message(position: int, sender: Document, receiver: Document, text: str, at: datetime) -> Document:
    """A message between two; only the name of their conversation says who the receiver is."""
    text, entities = _with_short_links(text)
    record: Document = {
        "id": str(position),
        "event_type": "MessageCreate",
        "text": text,
        "sender_id": sender["id"],
        "dm_conversation_id": "-".join(sorted((sender["id"], receiver["id"]), key=int)),
        "created_at": _time(at),
    }
    return {**record, "entities": entities} if entities else record


def garbled(number: int, position: int, at: datetime) -> tuple[str, Document]:
    """Return a record that cannot be used, and its kind; `number` chooses what is wrong with it."""
    author: Document = {"id": str(FIRST_USER_ID + 900_000 + number)}
    mention = post(position, author, f"@{OWN_USER['username']} something is wrong with number {number}", at, None)
    message = direct_message(position, author, OWN_USER, f"something is wrong with number {number}", at)
    kind, record, spoil = _SPOILERS[number % len(_SPOILERS)]
    chosen = {"mention": mention, "message": message}[record]
    spoil(chosen)
    return kind, chosen


def _without(name: str) -> Callable[[Document], object]:
    return lambda record: record.pop(name)


def _with(name: str, value: str) -> Callable[[Document], object]:
    return lambda record: record.update({name: value})


_SPOILERS: tuple[tuple[str, str, Callable[[Document], object]], ...] = (
    ("tweet", "mention", _without("created_at")),
    ("tweet", "mention", _with("id", "not-a-number")),
    ("tweet", "mention", _without("author_id")),
    ("tweet", "mention", _with("created_at", "the day before yesterday")),
    ("dm", "message", _without("sender_id")),
    ("dm", "message", _without("created_at")),
)


def _time(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.000Z")


def _with_short_links(text: str) -> tuple[str, Document]:
    urls: list[Document] = []

    def short(match: re.Match[str]) -> str:
        link = f"https://t.co/{hashlib.sha256(match.group().encode()).hexdigest()[:10]}"
        urls.append({"url": link, "expanded_url": match.group(), "display_url": match.group().partition("://")[2]})
        return link

    return re.sub(r"https?://\S+", short, text), {"urls": urls} if urls else {}
