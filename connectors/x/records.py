"""X's answers as records: each post and direct message with the users, media and references that X delivers beside it."""

import hashlib
import html
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias, cast

from threadline.sdk import JSON, Rejected, encode_record

Things: TypeAlias = Mapping[str, dict[str, JSON]]
Join: TypeAlias = Callable[[dict[str, JSON], "Includes", str], dict[str, JSON]]

# X's published document and its servers differ in these names; records have the document's.
RENAMED_METRICS = {"tweet_count": "post_count", "retweet_count": "repost_count"}


MARK = re.compile(r" \(ref (\S{1,8})\)$")
"""How a text of ours ends, so that it is found and known again."""


@dataclass(frozen=True, slots=True)
class Includes:
    """What X delivers beside the records: users by id, media by media_key."""

    users: Things
    media: Things


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
    includes = _includes(body)
    for item in _items(body.get("data")):
        number = _number(item)
        if number is not None and number <= since:
            batch.met_known = True
            continue
        record = _joined(join, item, includes, own_id)
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


def _joined(join: Join, item: JSON, includes: Includes, own_id: str) -> bytes | None:
    try:
        return encode_record(join(item, includes, own_id))
    except (AttributeError, KeyError, OverflowError, TypeError, ValueError):
        return None


def _rejected(item: JSON) -> Rejected:
    raw = json.dumps(item).encode()
    # Without an id, reading the same bytes again must still find the same dead letter.
    key = str(_object(item).get("id") or hashlib.sha256(raw).hexdigest())
    return Rejected(key, raw, "not a record of X: its id is not a number, or its fields do not have X's types")


def _includes(body: Mapping[str, JSON]) -> Includes:
    includes = _object(body.get("includes"))
    users = {str(user.get("id")): _shown(user) for user in map(_object, _items(includes.get("users")))}
    media = {str(item.get("media_key")): item for item in map(_object, _items(includes.get("media")))}
    return Includes(users, media)


def _shown(user: Mapping[str, JSON]) -> dict[str, JSON]:
    kept: dict[str, JSON] = {name: value for name, value in user.items() if name in ("id", "username", "name")}
    if user.get("public_metrics"):
        kept["public_metrics"] = _metrics(_object(user["public_metrics"]))
    return kept


def _metrics(metrics: Mapping[str, JSON]) -> dict[str, JSON]:
    return {RENAMED_METRICS.get(name, name): value for name, value in metrics.items()}


def _user(identity: str | None, includes: Includes) -> dict[str, JSON]:
    if not identity:
        return {}
    # A user whom X does not show (suspended, protected) is still known by id.
    return includes.users.get(identity, {"id": identity})


def _direction(sender: str | None, own_id: str) -> str:
    return "outbound" if sender == own_id else "inbound"


def join_post(post: dict[str, JSON], includes: Includes, own_id: str) -> dict[str, JSON]:
    """Return the post with its `author`, whom it `answered` (not ourselves), `direction`, `referenced` and contents.

    `referenced` is {replied_to, quoted, retweeted}: id.
    """
    author, answered = post.get("author_id"), post.get("in_reply_to_user_id")
    record = {**post, "author": _user(author, includes), "direction": _direction(author, own_id)}
    record["answered"] = _user(answered if answered != own_id else None, includes)
    references = post.get("referenced_tweets") or post.get("referenced_posts") or ()
    record["referenced"] = {reference["type"]: reference["id"] for reference in references}
    if post.get("public_metrics"):
        record["public_metrics"] = _metrics(post["public_metrics"])
    return _with_contents(record, post.get("note_tweet") or post.get("note_post") or post, includes)


def join_direct_message(event: dict[str, JSON], includes: Includes, own_id: str) -> dict[str, JSON]:
    """Return the event with its `sender`, `participant` (the customer's side), `direction` and contents.

    Of a group conversation only inbound messages have a participant: X does not say to whom the others went.
    """
    sender = event.get("sender_id")
    record = {**event, "sender": _user(sender, includes), "direction": _direction(sender, own_id)}
    other = _other_side(event, own_id) if sender == own_id else sender
    record["participant"] = _user(other, includes)
    return _with_contents(record, event, includes)


def _other_side(event: Mapping[str, JSON], own_id: str) -> str | None:
    # A conversation of two is named by both ids, "17-42"; a group by a number of its own.
    sides = event.get("participant_ids") or str(event.get("dm_conversation_id", "")).split("-")
    others = [side for side in sides if side != own_id]
    return others[0] if len(sides) == 2 and len(others) == 1 else None


def _with_contents(record: dict[str, JSON], source: Mapping[str, JSON], includes: Includes) -> dict[str, JSON]:
    """Add `media`, the `full_text` as its author wrote it (all of it, with the real links), and the `reference` of what was pushed."""
    keys = _items(_object(record.get("attachments")).get("media_keys"))
    if media := [includes.media[key] for key in keys if key in includes.media]:
        record["media"] = media
    text = source.get("text")
    if text:
        for link in _items(_object(source.get("entities")).get("urls")):
            text = text.replace(link["url"], link.get("expanded_url") or link["url"])
        record["full_text"] = html.unescape(text)
    if record["direction"] == "outbound" and (mark := MARK.search(record.get("full_text", ""))):
        record["reference"] = mark.group(1)
    return record
