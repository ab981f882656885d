"""How X serves a list: newest first, in pages, with the fields and users that were asked for."""

import base64
import binascii
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from threadline.testing.sandbox import Document

DEFAULT_FIELDS = {"tweet": {"id", "text", "edit_history_tweet_ids"}, "dm": {"id", "text", "event_type"}}
FIELDS_PARAMETER = {"tweet": "tweet.fields", "dm": "dm_event.fields"}
EXPANDED_USERS = {"author_id", "sender_id"}
DEFAULT_USER_FIELDS = {"id", "name", "username"}
PAGE_SIZES = {"tweet": (5, 10, 100), "dm": (1, 100, 100)}
"""Least, default and most records of a page."""
PARAMETERS = {
    "tweet": {"since_id", "until_id", "tweet.fields", "exclude"},
    "dm": {"event_types", "dm_event.fields"},
}
COMMON_PARAMETERS = {"max_results", "pagination_token", "expansions", "user.fields"}


class InvalidParameter(ValueError):  # noqa: N818 - X's own name for it
    """A query parameter that X refuses."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A record and its place in the list: a number that grows with time, as ids do."""

    position: int
    record: Document


def listing(kind: str, entries: Iterable[Listed], users: Mapping[str, Document], query: Mapping[str, str]) -> Document:
    """Return X's answer for one page; InvalidParameter for a parameter that it does not take."""
    if unknown := set(query) - PARAMETERS[kind] - COMMON_PARAMETERS:
        raise InvalidParameter(f"The query parameter [{min(unknown)}] is not one of {sorted(PARAMETERS[kind] | COMMON_PARAMETERS)}")
    above, below = _number(query, "since_id") or 0, _number(query, "until_id")
    if query.get("pagination_token"):
        below = _token_position(kind, query["pagination_token"])
    newest_first = sorted(
        (entry for entry in entries if entry.position > above and (below is None or entry.position < below)),
        key=lambda entry: entry.position,
        reverse=True,
    )
    size = _page_size(kind, query)
    page = newest_first[:size]
    meta: Document = {"result_count": len(page)}
    if not page:
        return {"meta": meta}
    if kind == "tweet":
        meta |= {"newest_id": page[0].record["id"], "oldest_id": page[-1].record["id"]}
    if len(newest_first) > size:
        meta["next_token"] = _token(kind, page[-1].position)
    asked = DEFAULT_FIELDS[kind] | _words(query, FIELDS_PARAMETER[kind]) | _words(query, "expansions")
    data = [_only(entry.record, asked) for entry in page]
    return {"data": data, **_includes([entry.record for entry in page], users, query), "meta": meta}


def _includes(page: Iterable[Document], users: Mapping[str, Document], query: Mapping[str, str]) -> Document:
    expanded = _words(query, "expansions") & EXPANDED_USERS
    ids = {record[name]: name for record in page for name in sorted(expanded) if record.get(name)}
    if not ids:
        return {}
    fields = DEFAULT_USER_FIELDS | _words(query, "user.fields")
    answer: Document = {"includes": {"users": [_only(users[identity], fields) for identity in sorted(ids) if identity in users]}}
    # X answers 200 and says beside the data what it could not show.
    errors = [_not_found(identity, name) for identity, name in sorted(ids.items()) if identity not in users]
    return {**answer, "errors": errors} if errors else answer


def _not_found(identity: str, parameter: str) -> Document:
    return {
        "value": identity,
        "detail": f"Could not find user with {parameter}: [{identity}].",
        "title": "Not Found Error",
        "resource_type": "user",
        "parameter": parameter,
        "resource_id": identity,
        "type": "https://api.x.com/2/problems/resource-not-found",
    }


def _only(record: Document, fields: set[str]) -> Document:
    return {name: value for name, value in record.items() if name in fields}


def _words(query: Mapping[str, str], name: str) -> set[str]:
    return set(filter(None, query.get(name, "").split(",")))


def _number(query: Mapping[str, str], name: str) -> int | None:
    text = query.get(name)
    if text is None:
        return None
    if not re.fullmatch("[0-9]{1,19}", text):
        raise InvalidParameter(f"The `{name}` query parameter value [{text}] does not match ^[0-9]{{1,19}}$")
    return int(text)


def _page_size(kind: str, query: Mapping[str, str]) -> int:
    least, usual, most = PAGE_SIZES[kind]
    size = _number(query, "max_results") or usual
    if not least <= size <= most:
        raise InvalidParameter(f"The `max_results` query parameter value [{size}] is not between {least} and {most}")
    return size


def _token(kind: str, position: int) -> str:
    return base64.b32encode(f"{kind}:{position}".encode()).decode().lower().rstrip("=")


def _token_position(kind: str, token: str) -> int:
    try:
        text = base64.b32decode(token.upper() + "=" * (-len(token) % 8)).decode()
    except (binascii.Error, UnicodeDecodeError):
        text = ""
    issued_for, _, position = text.partition(":")
    if issued_for != kind or not position.isdigit():
        raise InvalidParameter(f"The `pagination_token` query parameter value [{token}] is not valid")
    return int(position)
