"""One record that cannot be read is set aside alone, and what stands before JSON does not matter."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from tests.faithfulness.replay import Answer, replayed
from threadline.sdk import RetryableError
from threadline.testing.conformance.trial import no_waiting

USER: dict[str, Any] = {"id": 7, "name": "Ana", "email": "ana@mail.example", "role": "end-user", "updated_at": "2026-03-02T12:00:00Z"}
POST: dict[str, Any] = {
    "id": "700", "text": "Where is it?", "author_id": "7", "conversation_id": "700", "created_at": "2026-03-02T12:00:00.000Z",
}  # fmt: skip
CONTACT: dict[str, Any] = {"Id": "003A", "LastName": "Lima", "Email": "ana@mail.example", "SystemModstamp": "2026-03-02T12:00:00.000+0000"}
GRANT = {"access_token": "t", "instance_url": "https://acme.my.example", "token_type": "Bearer", "id": "https://login.example/id/0/1"}

BROKEN = {"half a surrogate pair": b'"\\ud800"', "not a number": b"NaN", "deep": b"[" * 3_000 + b"]" * 3_000}


def zendesk(rows: list[Any]) -> Any:
    return {"users": rows, "after_cursor": "c", "end_of_stream": True}


def salesforce(rows: list[Any]) -> Any:
    return {"records": rows, "totalSize": len(rows), "done": True}


def x(rows: list[Any]) -> Any:
    found = {"result_count": len(rows), "newest_id": "700", "oldest_id": "700"}
    return {"data": rows, "includes": {"users": [{"id": "7", "name": "Ana", "username": "ana"}]}, "meta": found}


def answering(name: str, page: bytes) -> Answer:
    pages: Iterator[Any] = iter([page])

    def answer(path: str, query: Mapping[str, str]) -> Any:
        if path.endswith("/oauth2/token"):
            return GRANT
        if path == "/2/users/me":
            return {"data": {"id": "1", "name": "Shop", "username": "shop"}}
        if name == "salesforce" and not path.endswith("/queryAll"):
            return []
        return page if name == "salesforce" else next(pages, {"meta": {"result_count": 0}})

    return answer


KEYS = dict.fromkeys(("consumer_key", "consumer_secret", "access_token", "access_token_secret"), "k")
VENDORS: dict[str, Any] = {
    "zendesk": ("users", {"email": "agent@example.org", "token": "t"}, zendesk, USER),
    "salesforce": ("contacts", {"domain": "acme.my", "consumer_key": "k", "consumer_secret": "s"}, salesforce, CONTACT),
    "x": ("mentions", KEYS, x, POST),
}


def states(name: str, *, odd: bytes | None = None, before: bytes = b"") -> Counter[str]:
    """Pull a page of a good record and, where there is something odd, of one that has it."""
    stream, settings, made, good = VENDORS[name]
    key = next(iter(good))
    other = {**good, key: "003B" if name == "salesforce" else type(good[key])(699), "odd": "ODD"}
    page = json.dumps(made([good, other] if odd else [good])).encode()
    return replayed(name, stream, settings, answering(name, before + page.replace(b'"ODD"', odd or b""))).states


@pytest.mark.parametrize("name", ["zendesk", "salesforce"])
@pytest.mark.parametrize("odd", BROKEN.values(), ids=BROKEN)
def test_a_record_that_cannot_be_read_does_not_hold_up_its_page(name: str, odd: bytes) -> None:
    assert states(name, odd=odd) == {"ok": 1, "dead": 1}


def test_half_a_surrogate_pair_holds_up_no_posts() -> None:
    assert states("x", odd=BROKEN["half a surrogate pair"]) == {"ok": 1, "dead": 1}


@pytest.mark.parametrize("via", ["Web form", {"channel": "web"}, None])
def test_a_channel_may_be_told_by_its_name(via: object) -> None:
    said = {"id": 5, "event_type": "Comment", "author_id": 7, "body": "Where is it?", "public": True, "via": via}
    event = {"id": 1, "ticket_id": 35, "updater_id": 7, "timestamp": 3, "created_at": "2026-03-02T12:00:00Z", "child_events": [said]}

    def answer(path: str, query: Mapping[str, str]) -> Any:
        if "show_many" in path:
            return {"users": [USER], "tickets": [{"id": 35, "requester_id": 7, "subject": "Order"}]}
        return {"ticket_events": [event], "end_time": 7, "end_of_stream": True}

    assert replayed("zendesk", "comments", VENDORS["zendesk"][1], answer).states == {"ok": 1}


def test_posts_that_are_no_list_are_not_taken_for_none() -> None:
    page = json.dumps({**x([]), "data": POST}).encode()
    with no_waiting(), pytest.raises(RetryableError, match="without a list"):
        replayed("x", "mentions", KEYS, lambda path, _: answering("x", page)(path, {}))


@pytest.mark.parametrize("name", VENDORS)
def test_a_byte_order_mark_before_json_does_not_matter(name: str) -> None:
    assert states(name, before=b"\xef\xbb\xbf") == {"ok": 1}
