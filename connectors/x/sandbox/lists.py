"""How X serves a list: newest first, in pages, with the fields and users that were asked for."""

import base64
import binascii
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, takewhile
from typing import TypeAlias

from connectors.x.sandbox.account import Listed
from threadline.testing.sandbox import Document

EXPANDED_USERS = {"author_id", "sender_id", "in_reply_to_user_id"}
DEFAULT_USER_FIELDS = {"id", "name", "username"}
COMMON_PARAMETERS = {"max_results", "pagination_token", "expansions", "user.fields", "media.fields"}

Find: TypeAlias = Callable[[str], Document | None]
Walk: TypeAlias = Callable[[int | None], Iterable[Listed]]
"""Yields the list's records from the newest one below a position on."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What X takes and gives: least, usual and most records of a page, the fields without being asked, and the parameters."""

    name: str
    sizes: tuple[int, int, int]
    fields_parameter: str
    usual_fields: frozenset[str]
    parameters: frozenset[str]


POST_FIELDS = frozenset({"id", "text", "edit_history_tweet_ids"})
POSTS = Shape("tweet", (5, 10, 100), "tweet.fields", POST_FIELDS, frozenset({"since_id", "until_id", "tweet.fields", "exclude"}))
SEARCH = Shape("search", (10, 10, 100), "tweet.fields", POST_FIELDS, frozenset({"query", "since_id", "until_id", "tweet.fields"}))
MESSAGES = Shape(
    "dm", (1, 100, 100), "dm_event.fields", frozenset({"id", "text", "event_type"}), frozenset({"event_types", "dm_event.fields"})
)


class InvalidParameter(ValueError):  # noqa: N818 - X's own name for it
    """A query parameter that X refuses."""


def listing(shape: Shape, walk: Walk, user: Find, query: Mapping[str, str]) -> Document:
    """Return X's answer for one page; InvalidParameter for a parameter that it does not take."""
    known = shape.parameters | COMMON_PARAMETERS
    if unknown := set(query) - known:
        raise InvalidParameter(f"The query parameter [{min(unknown)}] is not one of {sorted(known)}")
    above, below, size = number(query, "since_id") or 0, number(query, "until_id"), _page_size(shape, query)
    if query.get("pagination_token"):
        below = _token_position(shape, query["pagination_token"])
    found = list(islice(_above(above, walk(below)), size + 1))
    page = found[:size]
    meta: Document = {"result_count": len(page)}
    if not page:
        return {"meta": meta}
    if shape is not MESSAGES:
        meta |= {"newest_id": page[0].record["id"], "oldest_id": page[-1].record["id"]}
    if len(found) > size:
        meta["next_token"] = _token(shape, page[-1].position)
    return {**shown(shape, [entry.record for entry in page], user, query), "meta": meta}


def _above(position: int, entries: Iterable[Listed]) -> Iterator[Listed]:
    return takewhile(lambda entry: entry.position > position, entries)


def shown(shape: Shape, records: Sequence[Document], user: Find, query: Mapping[str, str]) -> Document:
    """Return `data` with the fields that were asked for, and beside it the users."""
    asked = shape.usual_fields | _words(query, shape.fields_parameter) | _words(query, "expansions")
    return {"data": [_only(record, asked) for record in records], **_includes(records, user, query)}


def _includes(page: Iterable[Document], user: Find, query: Mapping[str, str]) -> Document:
    expanded = _words(query, "expansions") & EXPANDED_USERS
    ids = {record[name]: name for record in page for name in sorted(expanded) if record.get(name)}
    if not ids:
        return {}
    fields = DEFAULT_USER_FIELDS | _words(query, "user.fields")
    found = {identity: user(identity) for identity in sorted(ids)}
    answer: Document = {"includes": {"users": [_only(one, fields) for one in found.values() if one]}}
    # X answers 200 and says beside the data what it could not show.
    errors = [not_found("user", identity, ids[identity]) for identity, one in found.items() if not one]
    return {**answer, "errors": errors} if errors else answer


def not_found(resource: str, identity: str, parameter: str) -> Document:
    """Say what X has no such thing of, as it does beside what it has."""
    return {
        "value": identity,
        "detail": f"Could not find {resource} with {parameter}: [{identity}].",
        "title": "Not Found Error",
        "resource_type": resource,
        "parameter": parameter,
        "resource_id": identity,
        "type": "https://api.x.com/2/problems/resource-not-found",
    }


def _only(record: Document, fields: set[str] | frozenset[str]) -> Document:
    return {name: value for name, value in record.items() if name in fields}


def _words(query: Mapping[str, str], name: str) -> set[str]:
    return set(filter(None, query.get(name, "").split(",")))


def number(query: Mapping[str, str], name: str) -> int | None:
    """Return a parameter that is an id; InvalidParameter when it is none."""
    text = query.get(name)
    if text is None:
        return None
    if not re.fullmatch("[0-9]{1,19}", text):
        raise InvalidParameter(f"The `{name}` query parameter value [{text}] does not match ^[0-9]{{1,19}}$")
    return int(text)


def _page_size(shape: Shape, query: Mapping[str, str]) -> int:
    least, usual, most = shape.sizes
    size = number(query, "max_results") or usual
    if not least <= size <= most:
        raise InvalidParameter(f"The `max_results` query parameter value [{size}] is not between {least} and {most}")
    return size


def _token(shape: Shape, position: int) -> str:
    return base64.b32encode(f"{shape.name}:{position}".encode()).decode().lower().rstrip("=")


def _token_position(shape: Shape, token: str) -> int:
    try:
        text = base64.b32decode(token.upper() + "=" * (-len(token) % 8)).decode()
    except (binascii.Error, UnicodeDecodeError):
        text = ""
    issued_for, _, position = text.partition(":")
    if issued_for != shape.name or not position.isdigit():
        raise InvalidParameter(f"The `pagination_token` query parameter value [{token}] is not valid")
    return int(position)
