"""The connector for X against its stand-in, over real sockets."""

import json
import logging
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest
import requests
from pydantic import SecretStr
from starlette.responses import JSONResponse, Response

from connectors.x import X
from connectors.x.sandbox import XSandbox
from connectors.x.settings import XSettings
from tests.contract.sharing import shared
from threadline.mapping.errors import MappingError
from threadline.mapping.library import describe, pull_mapping
from threadline.sdk import ConfigError, Cursor, Page, RetryableError
from threadline.testing.story import Garbled, Mailed, Person, Posted, Registered

AT = datetime(2026, 3, 2, 8, 15, tzinfo=UTC)
MARA = Person(7, "Mara", "Lindqvist", "mara@example.org", "+46 70 174 06 05", "mara_lq")
JONAS = Person(8, "Jonas", "Weber", "jonas@example.org", "+49 30 901820", "jweber")
OWN_ID = "1500000000000000000"
STREAMS = ("mentions", "direct_messages")


@pytest.fixture
def sandbox() -> Iterator[XSandbox]:
    with XSandbox() as running:
        yield running


def connect(sandbox: XSandbox, **changes: Any) -> X:
    return X(XSettings(**{**sandbox.settings, **sandbox.secrets, "page_size": 5, **changes}))


@pytest.fixture
def x(sandbox: XSandbox) -> Iterator[X]:
    connector = connect(sandbox)
    yield connector
    connector.close()


def write(sandbox: XSandbox, numbers: range, *, direct: bool = False) -> None:
    for number in numbers:
        sandbox.tell(Posted(AT, "x", MARA, "inbound", number, f"Where is order {number}?", direct=direct))


def drain(connector: X, stream: str, cursor: Cursor | None = None) -> tuple[list[dict[str, Any]], Cursor | None]:
    records: list[dict[str, Any]] = []
    for page in connector.pull(stream, cursor):
        records += map(json.loads, page.records)
        cursor = page.cursor or cursor
    return records, cursor


def lists_read(sandbox: XSandbox) -> list[str]:
    return [path for _, path in sandbox.calls if "/users/me" not in path]


def answer(body: object, status: int = 200, **headers: str) -> Response:
    return JSONResponse(body, status_code=status, headers={name.replace("_", "-"): value for name, value in headers.items()})


def snowflake(epoch_seconds: float) -> str:
    return str(int((epoch_seconds - 1_288_834_974.657) * 1000) << 22)


def test_check_proves_address_and_credentials(x: X) -> None:
    x.check()


def test_a_wrong_key_is_a_config_error_that_does_not_show_it(sandbox: XSandbox) -> None:
    for field in sandbox.secrets:
        connector = connect(sandbox, **{field: SecretStr("wr0ng-key")})
        with pytest.raises(ConfigError, match=r"401.*consumer_key.*access_token_secret") as caught:
            connector.check()
        assert "wr0ng" not in str(caught.value)
        connector.close()


@pytest.fixture
def nowhere() -> Iterator[X]:
    keys = dict.fromkeys(("consumer_key", "consumer_secret", "access_token", "access_token_secret"), SecretStr("key"))
    connector = X(XSettings(base_url="http://127.0.0.1:9", **keys))
    yield connector
    connector.close()


def test_an_unreachable_host_is_named_with_its_port(nowhere: X) -> None:
    with pytest.raises(RetryableError, match=r"127\.0\.0\.1:9 cannot be reached"):
        nowhere.check()


def test_an_address_without_a_scheme_is_a_config_error(nowhere: X) -> None:
    connector = X(nowhere.settings.model_copy(update={"base_url": "api.x.com"}))
    with pytest.raises(ConfigError, match="must begin with http"):
        connector.check()
    connector.close()


def test_a_missing_library_is_named(nowhere: X, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tweepy", None)
    with pytest.raises(ConfigError, match=r"pip install 'threadline\[x\]'"):
        nowhere.check()


def test_unknown_streams_and_objects_are_config_errors(nowhere: X) -> None:
    with pytest.raises(ConfigError, match="direct_messages, mentions"):
        nowhere.pull("mention", None)
    with pytest.raises(ConfigError, match="takes: reply"):
        nowhere.push("tweet", [])


def test_a_mention_carries_its_author_and_what_it_refers_to(sandbox: XSandbox, x: X) -> None:
    sandbox.tell(Registered(AT, "x", MARA, ("name", "handle")))
    sandbox.tell(Posted(AT, "x", MARA, "inbound", 1, "late & <broken>, see https://shop.example.org/orders/4711"))
    sandbox.tell(Posted(AT, "x", MARA, "inbound", 2, "anyone?", answers=1))
    sandbox.tell(Posted(AT, "x", MARA, "outbound", 3, "we look into it", answers=2))
    (second, first), _ = drain(x, "mentions")
    assert first["author"]["id"] == "1500000000000000008"
    assert first["author"]["username"] == "mara_lq"
    assert first["author"]["name"] == "Mara Lindqvist"
    assert first["full_text"] == "@threadline_care late & <broken>, see https://shop.example.org/orders/4711"
    assert "t.co" in first["text"]
    assert "&amp;" in first["text"]
    assert first["referenced"] == {}
    assert second["referenced"] == {"replied_to": first["id"]}
    assert second["conversation_id"] == first["id"]
    assert int(second["id"]) > int(first["id"])


def test_a_direct_message_knows_sides_and_direction(sandbox: XSandbox, x: X) -> None:
    sandbox.tell(Posted(AT, "x", MARA, "inbound", 1, "it is order 4711", direct=True))
    sandbox.tell(Posted(AT, "x", MARA, "outbound", 2, "it leaves today", direct=True))
    (ours, theirs), _ = drain(x, "direct_messages")
    assert theirs["direction"] == "inbound"
    assert theirs["sender"] == theirs["participant"] == {"id": "1500000000000000008", "username": "mara_lq", "name": "Mara Lindqvist"}
    assert ours["direction"] == "outbound"
    assert ours["sender"]["id"] == OWN_ID
    assert ours["participant"]["id"] == "1500000000000000008"
    assert ours["dm_conversation_id"] == theirs["dm_conversation_id"] == f"{OWN_ID}-1500000000000000008"


def test_of_a_group_conversation_only_senders_are_known(sandbox: XSandbox, x: X) -> None:
    event = {
        "event_type": "MessageCreate",
        "created_at": "2026-03-02T08:15:00.000Z",
        "dm_conversation_id": "1600000000000000000",
        "text": "hi",
    }
    group = [{**event, "id": "1610000000000000002", "sender_id": OWN_ID}, {**event, "id": "1610000000000000001", "sender_id": "42"}]
    x.check()
    drain(x, "mentions")
    sandbox.fail_next.append(answer({"data": group, "meta": {"result_count": 2}}))
    (ours, theirs), _ = drain(x, "direct_messages")
    assert ours["participant"] == {}
    assert theirs["participant"] == {"id": "42"}


@pytest.mark.parametrize("stream", STREAMS)
def test_a_second_pull_with_nothing_new_is_one_call_and_no_page(sandbox: XSandbox, x: X, stream: str) -> None:
    assert list(x.pull(stream, None)) == []
    write(sandbox, range(12), direct=stream == "direct_messages")
    records, cursor = drain(x, stream)
    assert len(records) == 12
    sandbox.calls.clear()
    assert list(x.pull(stream, cursor)) == []
    assert len(sandbox.calls) == 1


@pytest.mark.parametrize("stream", STREAMS)
@pytest.mark.parametrize("known", [0, 7])
def test_a_scan_that_breaks_off_loses_neither_half(sandbox: XSandbox, x: X, stream: str, known: int) -> None:
    direct = stream == "direct_messages"
    write(sandbox, range(known), direct=direct)
    before, cursor = drain(x, stream)
    write(sandbox, range(known, 23), direct=direct)
    breaks = list(x.pull(stream, cursor))
    write(sandbox, range(23, 31), direct=direct)
    assert len(breaks) > 3
    stored = {record["id"] for record in before}
    for page in breaks:
        stored |= {json.loads(record)["id"] for record in page.records}
        rest, done = drain(x, stream, json.loads(json.dumps(page.cursor)))
        assert len(stored | {record["id"] for record in rest}) == 31
        assert stored.isdisjoint(record["id"] for record in rest)
        assert drain(x, stream, done) == ([], done)


def test_a_forgotten_token_starts_the_scan_again(sandbox: XSandbox, x: X) -> None:
    write(sandbox, range(12), direct=True)
    first = next(iter(x.pull("direct_messages", None)))
    assert first.cursor
    cursor = {**first.cursor, "resume": {"pagination_token": "abcdefghijklmnop"}}
    records, _ = drain(x, "direct_messages", cursor)
    assert len(records) == 12


def test_a_post_of_this_minute_may_still_be_overtaken(sandbox: XSandbox, x: X) -> None:
    x.check()
    assert drain(x, "mentions")[0] == []
    now = time.time()
    fresh = {"id": snowflake(now), "text": "@threadline_care now", "author_id": "42"}
    older = {"id": snowflake(now - 600), "text": "@threadline_care before", "author_id": "42"}
    sandbox.fail_next.append(answer({"data": [fresh, older], "meta": {"result_count": 2}}))
    records, cursor = drain(x, "mentions")
    assert len(records) == 2
    assert cursor
    assert int(older["id"]) < int(snowflake(now - 70)) < int(cursor["since_id"]) < int(snowflake(now - 50))


def test_ids_are_compared_as_numbers(sandbox: XSandbox, x: X) -> None:
    drain(x, "mentions")
    posts = [{"id": number, "text": "hi", "author_id": "42"} for number in ("1000", "999")]
    sandbox.fail_next.append(answer({"data": posts, "meta": {"result_count": 2}}))
    assert drain(x, "mentions")[1] == {"since_id": "1000"}


def test_what_x_cannot_show_does_not_spoil_the_rest(sandbox: XSandbox, x: X) -> None:
    drain(x, "mentions")
    post = {"id": "1000", "text": "hi", "author_id": "42", "conversation_id": "1000", "created_at": "2026-03-02T08:15:00.000Z"}
    errors = [{"title": "Not Found Error", "type": "https://api.x.com/2/problems/resource-not-found", "detail": "suspended"}]
    sandbox.fail_next.append(answer({"data": [post], "errors": errors, "meta": {"result_count": 1}}))
    (record,), _ = drain(x, "mentions")
    assert record["author"] == {"id": "42"}
    made = describe(pull_mapping("x/mentions", "x", functions={}), json.dumps(record).encode(), record["id"])
    assert made
    assert made["customer"] == {"x_user": "42"}


def test_a_broken_answer_is_asked_for_again(sandbox: XSandbox, x: X) -> None:
    write(sandbox, range(1))
    x.check()
    bodies = [b'{"data": [{"id": "1"', b"<html>busy</html>", b"[]", b'{"errors": [{"title": "Not Found Error"}]}']
    for body in bodies:
        drain(x, "mentions")
        sandbox.fail_next.append(Response(body, media_type="application/json"))
        assert len(drain(x, "mentions")[0]) == 1
    assert len(lists_read(sandbox)) == 3 * len(bodies)


def test_the_names_of_the_published_document_are_understood_too(sandbox: XSandbox, x: X) -> None:
    drain(x, "mentions")
    posts = [
        {
            "id": "1000",
            "text": "cut off …",
            "note_post": {"text": "the whole of it &amp; more"},
            "author_id": "42",
            "referenced_posts": [{"type": "quoted", "id": "7"}],
            "public_metrics": {"repost_count": 3},
        },
        {
            "id": "999",
            "text": "cut off …",
            "note_tweet": {"text": "the whole of it &amp; more"},
            "author_id": "43",
            "referenced_tweets": [{"type": "quoted", "id": "7"}],
            "public_metrics": {"retweet_count": 3},
        },
    ]
    users = [{"id": "42", "public_metrics": {"post_count": 9}}, {"id": "43", "public_metrics": {"tweet_count": 9}}]
    sandbox.fail_next.append(answer({"data": posts, "includes": {"users": users}, "meta": {"result_count": 2}}))
    for record in drain(x, "mentions")[0]:
        assert record["referenced"] == {"quoted": "7"}
        assert record["full_text"] == "the whole of it & more"
        assert record["public_metrics"] == {"repost_count": 3}
        assert record["author"]["public_metrics"] == {"post_count": 9}


def test_what_cannot_be_a_record_is_rejected_with_its_bytes(sandbox: XSandbox, x: X) -> None:
    drain(x, "mentions")
    body = (
        rb'{"data": [{"id": "1004", "text": "half a \ud83e pair", "author_id": "42"}, {"id": "x1", "text": "hi"}, "nothing",'
        rb' {"id": "1003", "text": "hi", "referenced_tweets": 7}, {"id": "1002", "text": "good", "author_id": "42"}],'
        rb' "meta": {"result_count": 5}}'
    )
    sandbox.fail_next.append(Response(body, media_type="application/json"))
    (page,) = x.pull("mentions", None)
    assert [json.loads(record)["id"] for record in page.records] == ["1002"]
    assert [rejected.key for rejected in page.rejected][:2] == ["1004", "x1"]
    assert [json.loads(rejected.raw) for rejected in page.rejected][1:] == [
        {"id": "x1", "text": "hi"},
        "nothing",
        {"id": "1003", "text": "hi", "referenced_tweets": 7},
    ]
    assert page.cursor == {"since_id": "1002"}
    assert all("hi" not in rejected.reason.split() for rejected in page.rejected)


def test_garbled_records_are_rejected_or_stopped_by_the_mapping(sandbox: XSandbox, x: X) -> None:
    write(sandbox, range(2))
    for number in range(12):
        sandbox.tell(Garbled(AT, "x", number))
        sandbox.tell(Garbled(AT, "x", number))
    refused = 0
    good = 0
    for stream in STREAMS:
        mapping = pull_mapping(f"x/{stream}", "x", functions={})
        for page in x.pull(stream, None):
            refused += len(page.rejected)
            for record in page.records:
                try:
                    good += describe(mapping, record, json.loads(record)["id"]) is not None
                except MappingError:
                    refused += 1
    assert (good, refused) == (2, 12)


def limited(reset: float, status: int = 429) -> Response:
    response = answer({"title": "Too Many Requests", "type": "about:blank", "status": 429}, status)
    response.headers.update({"x-rate-limit-remaining": "0", "x-rate-limit-reset": str(int(reset)), "Date": formatdate(usegmt=True)})
    return response


def test_a_rate_limit_is_waited_out(sandbox: XSandbox, x: X) -> None:
    write(sandbox, range(1))
    x.check()
    drain(x, "direct_messages")
    sandbox.fail_next.append(limited(time.time()))
    assert len(drain(x, "mentions")[0]) == 1


def test_a_long_rate_limit_is_left_for_the_next_run(sandbox: XSandbox, x: X, tmp_path: Path) -> None:
    with shared(x, tmp_path):
        drain(x, "mentions")
        sandbox.fail_next.append(limited(time.time() + 900))
        with pytest.raises(RetryableError, match="429") as caught:
            drain(x, "mentions")
    assert caught.value.retry_after == pytest.approx(900, abs=5)
    calls = len(sandbox.calls)
    another = connect(sandbox)
    with shared(another, tmp_path), pytest.raises(RetryableError, match="x has none left of its 10,000 mentions"):
        drain(another, "mentions")
    assert [path for _, path in list(sandbox.calls)[calls:]] == ["/2/users/me"]
    another.close()


def test_the_last_call_of_a_window_is_followed_by_none(sandbox: XSandbox, x: X, tmp_path: Path) -> None:
    post = {"id": "1000", "text": "hi", "author_id": "42"}
    last = answer(
        {"data": [post], "meta": {"result_count": 1, "next_token": "abc"}},
        x_rate_limit_remaining="0",
        x_rate_limit_reset=str(int(time.time()) + 900),
    )
    pages: list[Page] = []
    with shared(x, tmp_path):
        x.check()
        drain(x, "direct_messages")
        sandbox.fail_next.append(last)
        with pytest.raises(RetryableError, match=r"has none left of its .* mentions in 15 minutes") as caught:
            pages.extend(x.pull("mentions", None))
        assert caught.value.retry_after
        assert caught.value.retry_after > 90
        assert drain(x, "direct_messages")[0] == []


def test_a_monthly_cap_is_not_asked_about_again(sandbox: XSandbox, x: X) -> None:
    drain(x, "mentions")
    problem = {"title": "UsageCapExceeded", "type": "https://api.x.com/2/problems/usage-capped", "period": "Monthly"}
    sandbox.fail_next.append(answer(problem, 429))
    with pytest.raises(RetryableError, match="UsageCapExceeded"):
        drain(x, "mentions")


def test_an_app_without_permission_is_a_config_error_that_says_which(sandbox: XSandbox, x: X) -> None:
    drain(x, "mentions")
    sandbox.fail_next.append(answer({"title": "Forbidden", "type": "https://api.x.com/2/problems/oauth1-permissions", "status": 403}, 403))
    with pytest.raises(ConfigError, match=r"oauth1-permissions.*Read and write and Direct message"):
        drain(x, "direct_messages")


def test_a_404_from_something_else_than_x_blames_the_address(sandbox: XSandbox) -> None:
    connector = connect(sandbox, base_url=f"{sandbox.url}/proxy")
    with pytest.raises(ConfigError, match="404 to GET /proxy/2/users/me: check the address"):
        connector.check()
    connector.close()


def test_nothing_that_was_said_or_kept_secret_is_logged(sandbox: XSandbox, x: X, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    write(sandbox, range(1))
    sandbox.tell(Posted(AT, "x", MARA, "inbound", 3, "my card ends in 1234", direct=True))
    assert drain(x, "mentions")[0]
    assert drain(x, "direct_messages")[0]
    written = "\n".join(record.getMessage() for record in caplog.records)
    for secret in ("Where is order", "1234", "mara_lq", "oauth_signature", *sandbox.secrets.values()):
        assert secret not in written
    assert "sandbox-" not in repr(x.settings)


def test_our_own_post_that_mentions_us_is_left_out_by_the_mapping(sandbox: XSandbox, x: X) -> None:
    sandbox.tell(Posted(AT, "x", MARA, "outbound", 1, "@threadline_care is open again"))
    sandbox.tell(Posted(AT, "x", MARA, "inbound", 2, "good"))
    records, _ = drain(x, "mentions")
    mapping = pull_mapping("x/mentions", "x", functions={})
    made = [describe(mapping, json.dumps(record).encode(), record["id"]) for record in records]
    assert [row and row["message"]["content"] for row in made] == ["@threadline_care good", None]


def test_an_unsigned_call_gets_the_vendors_401(sandbox: XSandbox) -> None:
    response = requests.get(f"{sandbox.url}/2/users/me", timeout=5)
    assert response.status_code == 401
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json() == {"title": "Unauthorized", "detail": "Unauthorized", "type": "about:blank", "status": 401}


def test_a_signature_is_good_for_one_call_only(sandbox: XSandbox) -> None:
    import tweepy

    secrets = sandbox.secrets
    auth = tweepy.OAuth1UserHandler(
        *(secrets[f] for f in ("consumer_key", "consumer_secret", "access_token", "access_token_secret"))
    ).apply_auth()
    prepared = requests.Request("GET", "https://api.x.com/2/users/me", auth=auth).prepare()
    statuses = [
        requests.get(f"{sandbox.url}{path}", headers=dict(prepared.headers), timeout=5).status_code
        for path in ("/2/dm_events", "/2/users/me", "/2/users/me")
    ]
    assert statuses == [401, 200, 401]


def test_above_its_limit_the_sandbox_answers_as_x_does(sandbox: XSandbox, x: X) -> None:
    sandbox.limit_per_minute = 1
    x.check()
    with pytest.raises(RetryableError) as caught:
        x.check()
    assert caught.value.retry_after
    assert 1 <= caught.value.retry_after <= 62


def test_the_sandbox_refuses_what_x_refuses(sandbox: XSandbox, x: X) -> None:
    with pytest.raises(ConfigError, match="Invalid Request"):
        drain(x, "mentions", {"since_id": "99999999999999999999999"})


def test_the_sandbox_keeps_its_state_and_hears_each_event_once(tmp_path: Any) -> None:
    events = [
        Registered(AT, "x", MARA, ("name", "handle")),
        Posted(AT, "x", MARA, "inbound", 1, "hello"),
        Posted(AT, "x", JONAS, "inbound", 2, "hi", direct=True),
        Garbled(AT, "x", 0),
    ]
    seen: list[Any] = []
    for _ in range(2):
        with XSandbox(tmp_path) as sandbox:
            for event in events:
                sandbox.tell(event)
            connector = connect(sandbox)
            seen.append([drain(connector, stream)[0] for stream in STREAMS])
            connector.close()
    assert seen[0] == seen[1]
    assert [len(records) for records in seen[0]] == [2, 1]


def test_what_cannot_happen_on_x_is_said(sandbox: XSandbox) -> None:
    with pytest.raises(ValueError, match="Mailed cannot happen on X"):
        sandbox.tell(Mailed(AT, "x", MARA, "inbound", "m@example.org", "Late", "Where?"))
