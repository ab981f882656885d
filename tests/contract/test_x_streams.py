"""The streams of X beside mentions and messages: own replies, and what a search finds."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from starlette.responses import JSONResponse

from connectors.x import X
from connectors.x.sandbox import XSandbox
from connectors.x.sandbox.records import FIRST_POST, post_position
from connectors.x.settings import XSettings
from threadline.mapping.library import describe, pull_mapping
from threadline.sdk import ConfigError, Cursor, Intent
from threadline.testing.story import Person, Posted

MARA = Person(7, "Mara", "Lindqvist", "mara@example.org", "+46 70 174 06 05", "mara_lq")
NOW = datetime.now(UTC).replace(microsecond=0)
LATELY = NOW - timedelta(hours=2)


@pytest.fixture
def sandbox() -> Iterator[XSandbox]:
    with XSandbox() as running:
        yield running


def connect(sandbox: XSandbox, **changes: Any) -> X:
    return X(XSettings.model_validate({**sandbox.settings, **sandbox.secrets, "timeline": True, "search": "parcel", **changes}))


@pytest.fixture
def x(sandbox: XSandbox) -> Iterator[X]:
    connector = connect(sandbox)
    yield connector
    connector.close()


def number_at(at: datetime) -> int:
    return round((at - FIRST_POST).total_seconds() * 1000)


def say(sandbox: XSandbox, text: str, *, at: datetime = LATELY, direction: Any = "inbound", answers: int | None = None) -> int:
    """Post something; return the story's number of it."""
    number = number_at(at)
    while sandbox.account.record("tweet", str(post_position(number))):
        number += 1
    sandbox.tell(Posted(at, "x", MARA, direction, number, text, answers=answers))
    return number


def say_without_us(sandbox: XSandbox, text: str, *, at: datetime = LATELY) -> str:
    """Let a customer post something that does not name us; return its id."""
    key = str(post_position(say(sandbox, text, at=at)))
    sandbox.account.keep("tweet", int(key), {**(sandbox.account.record("tweet", key) or {}), "text": text})
    return key


def read(connector: X, stream: str, cursor: Cursor | None = None) -> list[dict[str, Any]]:
    return [json.loads(record) for page in connector.pull(stream, cursor) for record in page.records]


def mapped(stream: str, record: dict[str, Any]) -> Any:
    return describe(pull_mapping(f"x/{stream}", "x", functions={}), json.dumps(record).encode(), record["id"])


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"timeline": False, "search": None}, ["mentions", "direct_messages"]),
        ({"search": None}, ["mentions", "direct_messages", "timeline"]),
        ({}, ["mentions", "direct_messages", "timeline", "search"]),
    ],
)
def test_streams_are_those_that_the_settings_ask_for(sandbox: XSandbox, changes: dict[str, Any], expected: list[str]) -> None:
    connector = connect(sandbox, **changes)
    assert [stream.name for stream in connector.available_streams()] == expected
    for stream in {"mentions", "direct_messages", "timeline", "search"} - set(expected):
        with pytest.raises(ConfigError, match=f"no stream '{stream}' with these settings; it has: direct_messages, mentions"):
            connector.pull(stream, None)
    connector.close()


def test_an_own_reply_belongs_to_the_customer_whom_it_answers(sandbox: XSandbox, x: X) -> None:
    question = say(sandbox, "where is it?")
    say(sandbox, "it leaves today", direction="outbound", answers=question)
    (reply,) = read(x, "timeline")
    assert reply["answered"]["username"] == "mara_lq"
    made = mapped("timeline", reply)
    assert made["direction"] == "outbound"
    assert made["customer"] == {"x_user": "1500000000000000008", "handle": "x:mara_lq", "formatted_name": "Mara Lindqvist"}
    assert made["conversation_ref"] == str(post_position(question))
    assert made["message"]["content"] == "@mara_lq it leaves today"


def test_a_reply_to_ourselves_goes_on_without_naming_a_customer(sandbox: XSandbox, x: X) -> None:
    first = say(sandbox, "it leaves today", direction="outbound", answers=say(sandbox, "where is it?"))
    say(sandbox, "and it is there tomorrow", direction="outbound", answers=first)
    newest, _ = read(x, "timeline")
    assert newest["answered"] == {}
    assert "customer" not in mapped("timeline", newest)


def test_what_is_said_to_nobody_and_what_was_pushed_are_left_out(sandbox: XSandbox, x: X) -> None:
    say(sandbox, "we are open again", direction="outbound")
    asked = str(post_position(say(sandbox, "where is it?")))
    payload = {"text": "Please write to us", "in_reply_to_tweet_id": asked, "reference": "01ARZ3NDEKTSV4RRFFQ69G5FAV"}
    assert [receipt.status for receipt in x.push("reply", [Intent("i1", "reply", payload)])] == ["done"]
    pushed, news = read(x, "timeline")
    assert pushed["reference"] == "Q69G5FAV"
    assert mapped("timeline", pushed) is None
    assert mapped("timeline", news) is None


def test_a_customers_words_are_no_reference(sandbox: XSandbox, x: X) -> None:
    say(sandbox, "you wrote (ref Q69G5FAV)")
    (mention,) = read(x, "mentions")
    assert "reference" not in mention
    assert mapped("mentions", mention)


def test_a_search_leaves_to_other_streams_what_is_theirs(sandbox: XSandbox) -> None:
    say(sandbox, "where is my parcel?")
    say(sandbox, "your parcel leaves today", direction="outbound")
    found = say_without_us(sandbox, "has anybody seen a parcel?")
    also = say_without_us(sandbox, "what a box")
    say_without_us(sandbox, "what a day")
    connector = connect(sandbox, search="parcel OR box")
    records = read(connector, "search")
    connector.close()
    assert {record["id"] for record in records} == {found, also}
    assert all(mapped("search", record)["customer"]["handle"] == "x:mara_lq" for record in records)
    (query,) = parse_qs(urlsplit(sandbox.calls[-1][1]).query)["query"]
    assert query == "(parcel OR box) -@threadline_care -from:threadline_care"


def test_a_search_asks_for_no_more_than_x_searches(sandbox: XSandbox, x: X) -> None:
    say_without_us(sandbox, "a parcel of last month", at=NOW - timedelta(days=30))
    found = say_without_us(sandbox, "a parcel of this week")
    long_ago = str(post_position(number_at(NOW - timedelta(days=20))))
    assert [record["id"] for record in read(x, "search", {"since_id": long_ago})] == [found]


def test_a_place_that_x_no_longer_searches_costs_a_second_reading(sandbox: XSandbox, x: X) -> None:
    found = say_without_us(sandbox, "a parcel of this week")
    old = str(post_position(number_at(NOW - timedelta(days=9))))
    cursor = {"since_id": "0", "newest_id": old, "resume": {"until_id": old}}
    assert [record["id"] for record in read(x, "search", cursor)] == [found]


@pytest.mark.parametrize("query", ["(parcel", "parcel)", "colour:red", "parcel OR"])
def test_a_query_that_x_cannot_read_is_a_config_error(sandbox: XSandbox, query: str) -> None:
    connector = connect(sandbox, search=query)
    with pytest.raises(ConfigError, match="400 to GET /2/tweets/search/recent"):
        read(connector, "search")
    connector.close()


@pytest.mark.parametrize("stream", ["mentions", "direct_messages"])
def test_pictures_stand_with_the_record(sandbox: XSandbox, x: X, stream: str) -> None:
    read(x, stream)
    picture = {"media_key": "3_1", "type": "photo", "url": "https://pbs.example.org/1.jpg", "alt_text": "a torn box"}
    record = {
        "id": "1000", "text": "look", "author_id": "42", "sender_id": "42", "created_at": "2026-03-02T08:15:00.000Z",
        "conversation_id": "1000", "dm_conversation_id": "42-1500000000000000000", "attachments": {"media_keys": ["3_1", "3_2"]},
    }  # fmt: skip
    body = {"data": [record], "includes": {"media": [picture]}, "meta": {"result_count": 1}}
    sandbox.fail_next.append(JSONResponse(body))
    (found,) = read(x, stream)
    assert found["media"] == [picture]
    assert mapped(stream, found)["extensions"]["media"] == [picture]
