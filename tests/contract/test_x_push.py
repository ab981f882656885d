"""Public replies through the connector for X, against its stand-in."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from starlette.responses import JSONResponse, Response

from connectors.x import X
from connectors.x.sandbox import XSandbox
from connectors.x.settings import XSettings
from connectors.x.text import LIMIT, MESSAGE_LIMIT, same_text, shorten, weight
from tests.contract.sharing import shared
from threadline.mapping.library import describe, pull_mapping, push_mapping
from threadline.sdk import ConfigError, Intent, Receipt, RetryableError
from threadline.testing.story import Person, Posted

AT = datetime(2026, 3, 2, 8, 15, tzinfo=UTC)
MARA = Person(7, "Mara", "Lindqvist", "mara@example.org", "+46 70 174 06 05", "mara_lq")
REFERENCE = "01ARZ3NDEKTSV4RRFFQ69G5FAV"
CONVERSATION = "1500000000000000000-1500000000000000008"


@pytest.fixture
def sandbox() -> Iterator[XSandbox]:
    with XSandbox() as running:
        for number in range(3):
            running.tell(Posted(AT, "x", MARA, "inbound", number, f"Where is order {number}?"))
        yield running


@pytest.fixture
def x(sandbox: XSandbox) -> Iterator[X]:
    connector = X(XSettings(**{**sandbox.settings, **sandbox.secrets}))
    yield connector
    connector.close()


def asked(sandbox: XSandbox, number: int = 0) -> str:
    return str(sandbox.shelf.all("tweet")[number]["record"]["id"])


def intent(sandbox: XSandbox, attempt: int = 1, **changes: Any) -> Intent:
    payload = {"text": "@mara_lq Please write to us", "in_reply_to_tweet_id": asked(sandbox), "reference": REFERENCE}
    return Intent("i1", "reply", payload | changes, attempt)


def push(x: X, *intents: Intent) -> list[Receipt]:
    return list(x.push("reply", intents))


def posts_sent(sandbox: XSandbox) -> int:
    return sum(method == "POST" for method, _ in sandbox.calls)


def test_a_reply_stands_under_the_post_and_ends_in_its_reference(sandbox: XSandbox, x: X) -> None:
    (receipt,) = push(x, intent(sandbox))
    (posted,) = sandbox.pushed("reply")
    assert receipt == Receipt("i1", "done", posted["id"])
    assert posted["text"] == f"@mara_lq Please write to us (ref {REFERENCE[-8:]})"
    assert posted["referenced_tweets"] == [{"type": "replied_to", "id": asked(sandbox)}]
    assert posted["conversation_id"] == asked(sandbox)


def test_the_shipped_mapping_makes_a_reply_without_the_answer(sandbox: XSandbox, x: X) -> None:
    asked_here = {"external_id": asked(sandbox), "sender": "@mara_lq", "visibility": "public"}
    document = {
        "id": REFERENCE,
        "direction": "outbound",
        "elsewhere": True,
        "visibility": "private",
        "content": "Your card ends in 1234",
        "thread": {"answers_here": True, "here": {"last_inbound": asked_here}},
    }
    mapping = push_mapping("x/push/reply", functions=X.functions)
    payload = mapping(document)
    assert payload
    assert [receipt.status for receipt in push(x, Intent("i1", "reply", payload))] == ["done"]
    (posted,) = sandbox.pushed("reply")
    assert posted["text"].startswith("@mara_lq Thank you")
    assert "1234" not in posted["text"]
    assert weight(posted["text"]) <= LIMIT
    assert mapping({**document, "visibility": "internal"}) is None
    assert mapping({**document, "elsewhere": False}) is None


@pytest.mark.parametrize(
    "text", ["Please write to us", "Fish & <chips>: see https://shop.example.org/help?topic=1&lang=en today", "Ça va  bien,\n@mara_lq"]
)
def test_a_repeated_reply_is_found_and_not_written_again(sandbox: XSandbox, x: X, text: str) -> None:
    (first,) = push(x, intent(sandbox, text=text))
    for number in range(110):
        sandbox.tell(Posted(AT, "x", MARA, "outbound", 10 + number, f"news {number}"))
    (second,) = push(x, intent(sandbox, attempt=2, text=text))
    assert first.status == second.status == "done"
    assert first.remote_id == second.remote_id
    assert posts_sent(sandbox) == 1


def test_the_same_text_under_another_post_is_another_reply(sandbox: XSandbox, x: X) -> None:
    push(x, intent(sandbox, reference=None))
    (receipt,) = push(x, intent(sandbox, attempt=2, in_reply_to_tweet_id=asked(sandbox, 1)))
    assert receipt.status == "done"
    assert len(sandbox.pushed("reply")) == 2


def test_a_lost_answer_is_settled_by_the_next_attempt(sandbox: XSandbox, x: X) -> None:
    x.check()
    sandbox.fail_next.append(Response(status_code=503))
    with pytest.raises(RetryableError, match="503"):
        push(x, intent(sandbox))
    assert [receipt.status for receipt in push(x, intent(sandbox, attempt=2))] == ["done"]
    assert len(sandbox.pushed("reply")) == 1


def test_an_answer_cut_off_after_the_write_is_not_a_failure(sandbox: XSandbox, x: X) -> None:
    sandbox.fail_next.append(Response(b'{"data": {"id"', 201))
    with pytest.raises(RetryableError, match="not JSON"):
        push(x, intent(sandbox))


def test_a_duplicate_that_is_ours_counts_as_done(sandbox: XSandbox, x: X) -> None:
    (first,) = push(x, intent(sandbox))
    # The first attempt's answer never came, and its post was not in the timeline yet when the second looked.
    (second,) = push(x, intent(sandbox))
    assert second == first
    assert len(sandbox.pushed("reply")) == 1


def test_a_duplicate_under_another_post_is_dead(sandbox: XSandbox, x: X) -> None:
    push(x, intent(sandbox))
    (receipt,) = push(x, intent(sandbox, in_reply_to_tweet_id=asked(sandbox, 1)))
    assert receipt.status == "dead"
    assert "duplicate content" in str(receipt.reason)


UNPOSTABLE: list[tuple[dict[str, Any], str]] = [
    ({"text": "  "}, r"\$.text: there must be a text"),
    ({"text": None}, r"\$.text: there must be a text"),
    ({"in_reply_to_tweet_id": None}, r"\$.in_reply_to_tweet_id: .* id of a post"),
    ({"in_reply_to_tweet_id": "1/../../2"}, r"\$.in_reply_to_tweet_id: .* id of a post"),
    ({"in_reply_to_tweet_id": "9" * 20}, r"\$.in_reply_to_tweet_id: .* id of a post"),
    ({"in_reply_to_tweet_id": "17"}, "403 .* deleted or not visible"),
]


def test_a_reply_that_cannot_be_posted_is_dead_and_the_next_one_goes_out(sandbox: XSandbox, x: X) -> None:
    *dead, done = push(x, *(intent(sandbox, **changes) for changes, _ in UNPOSTABLE), intent(sandbox))
    for receipt, (_, reason) in zip(dead, UNPOSTABLE, strict=True):
        assert receipt.status == "dead"
        assert re.search(reason, str(receipt.reason))
    assert done.status == "done"


def test_above_the_rate_limit_nothing_more_is_sent(sandbox: XSandbox, x: X, tmp_path: Path) -> None:
    with shared(x, tmp_path):
        _is_limited(sandbox, x)


def _is_limited(sandbox: XSandbox, x: X) -> None:
    push(x, intent(sandbox))
    sandbox.fail_next.append(
        JSONResponse({"title": "Too Many Requests"}, 429, {"x-rate-limit-remaining": "0", "x-rate-limit-reset": "99999999999"})
    )
    with pytest.raises(RetryableError, match="429 to POST") as caught:
        push(x, intent(sandbox, reference="OTHERREF"))
    assert caught.value.retry_after
    with pytest.raises(RetryableError, match="none left of its 10,000 replies in 15 minutes"):
        push(x, intent(sandbox, reference="OTHERREF"), intent(sandbox, reference="THIRDREF"))
    assert posts_sent(sandbox) == 2
    assert len(sandbox.pushed("reply")) == 1


def test_nothing_is_written_while_the_timeline_cannot_be_read(sandbox: XSandbox, x: X) -> None:
    push(x, intent(sandbox, attempt=2))
    sandbox.fail_next.append(
        JSONResponse({"title": "Too Many Requests"}, 429, {"x-rate-limit-remaining": "0", "x-rate-limit-reset": "99999999999"})
    )
    with pytest.raises(RetryableError, match="429 to GET"):
        push(x, intent(sandbox, attempt=2, reference="OTHERREF"))
    assert posts_sent(sandbox) == 1


def test_an_app_that_may_not_write_stops_the_push(sandbox: XSandbox, x: X) -> None:
    problem = {"title": "Forbidden", "type": "https://api.x.com/2/problems/oauth1-permissions", "status": 403}
    sandbox.fail_next.append(JSONResponse(problem, 403))
    with pytest.raises(ConfigError, match="oauth1-permissions"):
        push(x, intent(sandbox))


def test_a_long_text_is_shortened_and_keeps_its_reference(sandbox: XSandbox, x: X) -> None:
    (receipt,) = push(x, intent(sandbox, text="word " * 200))
    assert receipt.status == "done"
    (posted,) = sandbox.pushed("reply")
    assert posted["text"].endswith(f"word… (ref {REFERENCE[-8:]})")
    assert LIMIT - 10 < weight(posted["text"]) <= LIMIT


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a" * 280, 280),
        ("é" * 10, 10),
        ("e\u0301" * 10, 10),
        ("語" * 10, 20),
        ("…", 2),
        ("see https://example.org/a/very/long/path/that/is/never/counted/in/full", 4 + 23),
        ("see example.org", 4 + 23),
        ("👍", 2),
    ],
)
def test_text_weighs_what_x_says(text: str, expected: int) -> None:
    assert weight(text) == expected


@pytest.mark.parametrize(
    "text", ["word " * 100, "語" * 300, "a" * 400, "x " + "https://example.org/" + "y" * 400 + " end" * 90, "語" * 100_000]
)
def test_shortened_text_fits_and_says_so(text: str) -> None:
    short = shorten(text)
    assert weight(short) <= LIMIT
    assert short.endswith("…")
    assert text.startswith(short[:-1])
    assert weight(short) > LIMIT / 2


def test_text_that_fits_stays_as_it_is() -> None:
    assert shorten("a " * 140) == "a " * 140


def test_different_texts_are_told_apart() -> None:
    assert same_text("@mara_lq a &amp; b https://t.co/1234567890", "a & b https://shop.example.org/x")
    assert not same_text("Please write to us (ref 11111111)", "Please write to us (ref 22222222)")


def message(attempt: int = 1, **changes: Any) -> Intent:
    payload = {"text": "It leaves today", "dm_conversation_id": CONVERSATION, "reference": REFERENCE}
    return Intent("i1", "direct_message", payload | changes, attempt)


def send(x: X, *intents: Intent) -> list[Receipt]:
    return list(x.push("direct_message", intents))


def test_a_message_arrives_in_its_conversation(sandbox: XSandbox, x: X) -> None:
    (receipt,) = send(x, message())
    (sent,) = sandbox.pushed("direct_message")
    assert receipt == Receipt("i1", "done", sent["id"])
    assert sent["text"] == f"It leaves today (ref {REFERENCE[-8:]})"
    assert sent["dm_conversation_id"] == CONVERSATION


def test_a_repeated_message_is_found_behind_many_others(sandbox: XSandbox, x: X) -> None:
    (first,) = send(x, message(text="It leaves & arrives: https://shop.example.org/orders/4711"))
    for number in range(110):
        sandbox.tell(Posted(AT, "x", MARA, "outbound", 10_000 + number, f"news {number}", direct=True))
    (second,) = send(x, message(2, text="It leaves & arrives: https://shop.example.org/orders/4711"))
    assert first == second
    assert posts_sent(sandbox) == 1


def test_the_same_words_for_another_reason_are_another_message(sandbox: XSandbox, x: X) -> None:
    send(x, message())
    (receipt,) = send(x, message(2, reference="01ARZ3NDEKTSV4RRFFQOTHERREF"))
    assert receipt.status == "done"
    assert len(sandbox.pushed("direct_message")) == 2


def test_what_a_customer_repeats_is_not_our_message(sandbox: XSandbox, x: X) -> None:
    sandbox.tell(Posted(AT, "x", MARA, "inbound", 9, f"It leaves today (ref {REFERENCE[-8:]})", direct=True))
    send(x, message(2))
    assert len(sandbox.pushed("direct_message")) == 1


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"text": " "}, r"\$.text: there must be a text"),
        ({"reference": None}, r"\$.reference: a direct message needs a reference"),
        ({"dm_conversation_id": None}, r"\$.dm_conversation_id: the conversation must be one of two"),
        ({"dm_conversation_id": "1600000000000000000"}, r"\$.dm_conversation_id: .* who reads those of a group"),
        ({"dm_conversation_id": "42/../1-2"}, r"\$.dm_conversation_id: the conversation must be one of two"),
        ({"dm_conversation_id": "404-1500000000000000000"}, "403 .* cannot send messages to this user"),
    ],
)
def test_a_message_that_cannot_be_sent_is_dead(sandbox: XSandbox, x: X, changes: dict[str, Any], reason: str) -> None:
    dead, done = send(x, message(**changes), message())
    assert (dead.status, done.status) == ("dead", "done")
    assert re.search(reason, str(dead.reason))


def test_a_long_message_is_shortened_to_its_characters(sandbox: XSandbox, x: X) -> None:
    send(x, message(text="語 " * 9_000))
    (sent,) = sandbox.pushed("direct_message")
    assert MESSAGE_LIMIT - 10 < len(sent["text"]) <= MESSAGE_LIMIT
    assert sent["text"].endswith(f"… (ref {REFERENCE[-8:]})")


def test_the_shipped_mapping_sends_the_answer_where_it_was_asked_and_is_not_read_back(sandbox: XSandbox, x: X) -> None:
    document = {
        "id": REFERENCE, "direction": "outbound", "elsewhere": True, "visibility": "private", "content": "It leaves today",
        "thread": {"answers_here": True, "here": {"last_inbound": {"conversation_ref": CONVERSATION, "visibility": "private"}}},
    }  # fmt: skip
    payload = push_mapping("x/push/direct_message", functions=X.functions)(document)
    assert payload
    assert [receipt.status for receipt in send(x, Intent("i1", "direct_message", payload))] == ["done"]
    pulled = pull_mapping("x/direct_messages", "x", functions={})
    (record,) = [record for page in x.pull("direct_messages", None) for record in page.records]
    assert describe(pulled, record, "1") is None
