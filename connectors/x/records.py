"""X's answers as records: each post and direct message with the users and references that X delivers beside it."""

import hashlib
import html
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias, cast

from threadline.sdk import JSON, Rejected, encode_record

Users: TypeAlias = Mapping[str, dict[str, JSON]]
Join: TypeAlias = Callable[[dict[str, JSON], Users, str], dict[str, JSON]]

# X's published document and its servers differ in these names; records have the document's.
RENAMED_METRICS = {"tweet_count": "post_count", "retweet_count": "repost_count"}


@dataclass(slots=True)
class Batch:
    """What one answer holds beyond the position asked for; `met_known` says that older records followed."""

    records: list[bytes] = field(default_factory=list[bytes])
    rejected: list[Rejected] = field(default_factory=list[Rejected])
    ids: list[int] = field(default_factory=list[int])
    met_known: bool = False


def read_batch(body: Mapping[str, JSON], join: Join, own_id: str, since: int) -> Batch:
    """Join the records of an answer whose ids are above `since`; what cannot be a record is rejected with its bytes."""
    batch = Batch()
    users = _users(body)
    for item in _items(body.get("data")):
        number = _number(item)
        if number is not None and number <= since:
            batch.met_known = True
            continue
        record = _joined(join, item, users, own_id)
        if number is not None and record is not None:
            batch.records.append(record)
            batch.ids.append(number)
        elif not batch.met_known:
            # Newest first: what follows a known record was rejected when that was new.
            batch.rejected.append(_rejected(item))
    return batch


def _items(value: JSON) -> list[JSON]:
    return list(cast("Iterable[JSON]", value)) if isinstance(value, list) else []


def _object(value: JSON) -> dict[str, JSON]:
    return cast("dict[str, JSON]", value) if isinstance(value, dict) else {}


def _number(item: JSON) -> int | None:
    text = _object(item).get("id")
    return int(text) if isinstance(text, str) and text.isascii() and text.isdigit() else None


def _joined(join: Join, item: JSON, users: Users, own_id: str) -> bytes | None:
    try:
        return encode_record(join(item, users, own_id))
    except (AttributeError, KeyError, OverflowError, TypeError, ValueError):
        return None


def _rejected(item: JSON) -> Rejected:
    raw = json.dumps(item).encode()
    # Without an id, reading the same bytes again must still find the same dead letter.
    key = str(_object(item).get("id") or hashlib.sha256(raw).hexdigest())
    return Rejected(key, raw, "not a record of X: its id is not a number, or its fields do not have X's types")


def _users(body: Mapping[str, JSON]) -> dict[str, dict[str, JSON]]:
    users: dict[str, dict[str, JSON]] = {}
    for user in map(_object, _items(_object(body.get("includes")).get("users"))):
        kept: dict[str, JSON] = {name: value for name, value in user.items() if name in ("id", "username", "name")}
        if user.get("public_metrics"):
            kept["public_metrics"] = _metrics(_object(user["public_metrics"]))
        users[str(user.get("id"))] = kept
    return users


def _metrics(metrics: Mapping[str, JSON]) -> dict[str, JSON]:
    return {RENAMED_METRICS.get(name, name): value for name, value in metrics.items()}


def _user(identity: str | None, users: Users) -> dict[str, JSON]:
    if not identity:
        return {}
    # A user whom X does not show (suspended, protected) is still known by id.
    return users.get(identity, {"id": identity})


def _direction(sender: str | None, own_id: str) -> str:
    return "outbound" if sender == own_id else "inbound"


def join_mention(post: dict[str, JSON], users: Users, own_id: str) -> dict[str, JSON]:
    """Return the post with `author`, `direction`, `referenced` ({replied_to, quoted, retweeted}: id) and `full_text`."""
    record = {**post, "author": _user(post.get("author_id"), users), "direction": _direction(post.get("author_id"), own_id)}
    references = post.get("referenced_tweets") or post.get("referenced_posts") or ()
    record["referenced"] = {reference["type"]: reference["id"] for reference in references}
    if post.get("public_metrics"):
        record["public_metrics"] = _metrics(post["public_metrics"])
    return _with_full_text(record, post.get("note_tweet") or post.get("note_post") or post)


def join_direct_message(event: dict[str, JSON], users: Users, own_id: str) -> dict[str, JSON]:
    """Return the event with `sender`, `direction`, `participant` (the customer's side) and `full_text`.

    Of a group conversation only inbound messages have a participant: X does not say to whom the others went.
    """
    sender = event.get("sender_id")
    record = {**event, "sender": _user(sender, users), "direction": _direction(sender, own_id)}
    other = _other_side(event, own_id) if sender == own_id else sender
    record["participant"] = _user(other, users)
    return _with_full_text(record, event)


def _other_side(event: Mapping[str, JSON], own_id: str) -> str | None:
    # A conversation of two is named by both ids, "17-42"; a group by a number of its own.
    sides = event.get("participant_ids") or str(event.get("dm_conversation_id", "")).split("-")
    others = [side for side in sides if side != own_id]
    return others[0] if len(sides) == 2 and len(others) == 1 else None


def _with_full_text(record: dict[str, JSON], source: Mapping[str, JSON]) -> dict[str, JSON]:
    """Add the text as its author wrote it: beyond 280 characters, with the real links, and without HTML entities."""
    text = source.get("text")
    if text:
        for link in _items(_object(source.get("entities")).get("urls")):
            text = text.replace(link["url"], link.get("expanded_url") or link["url"])
        record["full_text"] = html.unescape(text)
    return record
